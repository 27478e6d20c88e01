//! An UPDATE in batches by key: each batch commits together with the ledger row that says how far it got.
//!
//! Invariants: a bound is found by one probe of the key's index; a batch that is committed is never repeated,
//! and one that is not leaves nothing behind; rows beyond the key that was the greatest at the beginning are
//! the sync triggers' business, so that a busy table cannot make a backfill endless.

use std::time::{Duration, Instant};

use super::ledger::{State, StepRecord};
use super::range::Ranges;
use super::throttle::Watch;
use super::{Context, Done, Event, Trouble, begin, finish, statement};
use crate::database::{self, DatabaseError, Session};
use crate::plan::{Backfill, Step};
use crate::sql::Dialect;

/// Bounds of a batch: below the first, commits cost more than rows; above the second, row locks last too long.
const ROWS: std::ops::RangeInclusive<u64> = 100..=100_000;

/// Carries the backfill on from the ledger's last key to the greatest key at its beginning.
pub(super) async fn fill<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    backfill: &Backfill,
    record: &StepRecord,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let ranges = Ranges::of(session, &backfill.rows).await?;
    let (final_key, rows_total) = match (&record.state, &record.final_key) {
        (State::Running, Some(final_key)) => (final_key.clone(), record.rows_total),
        _ => {
            let total = database::estimate_rows(session, &backfill.rows.table).await?;
            // An empty table has nothing to fill; its future rows are the sync triggers' business.
            let final_key = ranges.greatest(session).await?.unwrap_or_default();
            begin(session).await?;
            let written = async {
                context.ledger.begin_backfill(session, &context.plan.name, &step.id, &final_key, total).await?;
                context.ledger.fence(session, context.lease).await
            }
            .await;
            finish(session, written).await?;
            (final_key, total)
        }
    };
    strictly(session, true).await?;
    let watch = Watch::begin(session, context, &backfill.rows.table, on_event).await?;
    let mut last_batch = (0, Duration::ZERO);
    let mut work = Work {
        ranges,
        backfill,
        last: record.last_key.clone(),
        rows_done: record.rows_done,
        rows: context.plan.settings.batch_rows.min(watch.rows_at_once()),
    };
    while !final_key.is_empty() && work.last.as_deref() != Some(final_key.as_str()) {
        if !watch.pass(last_batch.0, last_batch.1, context.stop, on_event).await {
            return Ok(Done::Interrupted);
        }
        let begun = Instant::now();
        let Some(rows) = batch(session, context, step, &mut work, &final_key, on_event).await? else {
            return Ok(Done::Interrupted);
        };
        let took = begun.elapsed();
        on_event(Event::Batch {
            step: step.id.clone(),
            rows_done: work.rows_done,
            rows_total,
            rows,
            milliseconds: took.as_millis(),
        });
        last_batch = (rows, took);
        work.rows = next_size(work.rows, took, context.plan.settings.batch_time).min(watch.rows_at_once());
        if session.dialect() == Dialect::Sqlite {
            // One writer at a time: a moment in which the application's turn comes.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    watch.end(session).await?;
    strictly(session, false).await?;
    begin(session).await?;
    let written = async {
        context.ledger.end_backfill(session, &context.plan.name, &step.id).await?;
        context
            .ledger
            .event(session, &context.plan.name, &step.id, "done", &format!("{} rows", work.rows_done))
            .await?;
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    Ok(Done::Yes { found: false })
}

/// Makes MySQL refuse a value that does not fit: a server that only warns would cut it short, and take the rest
/// for the same in the proof.
pub(super) async fn strictly<S: Session>(session: &mut S, strict: bool) -> Result<(), DatabaseError> {
    if session.dialect() == Dialect::Mysql {
        let mode = if strict { "concat(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')" } else { "@@GLOBAL.sql_mode" };
        session.execute(&format!("SET SESSION sql_mode = {mode}"), &[]).await?;
    }
    Ok(())
}

/// A backfill in progress.
struct Work<'a> {
    ranges: Ranges,
    backfill: &'a Backfill,
    /// The key up to which batches are committed, as the ledger has it.
    last: Option<String>,
    rows_done: u64,
    /// Rows of the next batch.
    rows: u64,
}

/// One batch, tried again when a lock was in the way; the rows that it visited, or `None` when the user asked to stop.
async fn batch<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    work: &mut Work<'_>,
    final_key: &str,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Option<u64>, Trouble> {
    let mut attempt = 0;
    loop {
        match commit(session, context, step, work, final_key).await {
            Ok((last, rows)) => {
                work.last = Some(last);
                work.rows_done += rows;
                return Ok(Some(rows));
            }
            Err(trouble) => {
                if !statement::again(&trouble, &mut attempt, step, context, on_event).await? {
                    return Ok(None);
                }
                // A smaller batch meets fewer locks.
                work.rows = (work.rows / 2).max(*ROWS.start());
            }
        }
    }
}

async fn commit<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    work: &Work<'_>,
    final_key: &str,
) -> Result<(String, u64), Trouble> {
    let from = work.last.as_deref();
    let (upper, rows) = work.ranges.bound(session, from, final_key, work.rows).await?;
    let (range, values) = work.ranges.condition(from, Some(&upper));
    let update = work.backfill.batch(&range);
    begin(session).await?;
    let written = async {
        session.execute(&update, &values).await?;
        if !context.ledger.advance(session, &context.plan.name, &step.id, from, &upper, rows).await? {
            // Somebody else moved the same backfill on: only possible without the lease.
            return Err(Trouble::LeaseLost);
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    Ok((upper, rows))
}

/// Steers batches to the target time, at most doubling or halving.
fn next_size(rows: u64, took: Duration, target: Duration) -> u64 {
    let factor = (target.as_secs_f64() / took.as_secs_f64().max(0.001)).clamp(0.5, 2.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "bounded by ROWS"
    )]
    let next = (rows as f64 * factor) as u64;
    next.clamp(*ROWS.start(), *ROWS.end())
}
