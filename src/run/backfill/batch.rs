//! One batch: as many rows as fit the target time, committed together with the row of its range.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Job, Trouble, failing, quarantine};
use crate::database::{DatabaseError, DatabaseErrorKind, Session};
use crate::plan::settings::BATCH_ROWS;
use crate::run::ledger::range::Range;
use crate::run::{Event, begin, finish, sleep};

/// How often a batch is tried that meets locks; with pauses that grow to ten seconds.
const TRIES: u32 = 10;

/// How fast a worker goes.
pub(super) struct Steering {
    /// Rows of the next batch.
    pub(super) size: u64,
    /// The last batch.
    pub(super) rows: u64,
    pub(super) took: Duration,
}

impl Steering {
    /// Of a worker that has done nothing yet.
    pub(super) fn new(job: &Job<'_>) -> Self {
        let size = job.plan.settings.batch_rows.min(job.watch.rows_at_once());
        Self { size, rows: 0, took: Duration::ZERO }
    }
}

/// What became of a batch.
pub(super) enum Batch {
    /// It is committed, and its range is where it was left.
    Done(Range),
    /// The range is somebody else's now; nothing was written.
    TakenOver,
    /// The user asked to stop.
    Interrupted,
}

/// One batch of a range, tried again when a lock was in the way; its steering is steered to the target time.
pub(super) async fn carry_out<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    range: &Range,
    steering: &mut Steering,
) -> Result<Batch, Trouble> {
    let mut attempt = 0;
    loop {
        let from = range.position.as_deref();
        let (to, rows) = job.ranges.bound(session, from, &range.last, steering.size).await?;
        let begun = Instant::now();
        let error = match commit(session, job, range, &to, rows).await {
            Ok(Some(moved)) => {
                let took = begun.elapsed();
                job.tell(Event::Batch {
                    step: job.step.id.clone(),
                    rows_done: job.rows_done.fetch_add(rows, Ordering::SeqCst) + rows,
                    rows_total: job.rows_total,
                    rows,
                    milliseconds: took.as_millis(),
                });
                let size = next_size(steering.size, took, job.plan.settings.batch_time).min(job.watch.rows_at_once());
                *steering = Steering { size, rows, took };
                return Ok(Batch::Done(moved));
            }
            Ok(None) => return Ok(Batch::TakenOver),
            Err(Trouble::Database(error)) if is_lock(&error) && attempt + 1 < TRIES => error,
            Err(Trouble::Database(error)) if error.kind == DatabaseErrorKind::Statement && !job.stopping() => {
                // What stands in the way of the search leaves the error as it was.
                let found = failing::find(session, job, range, &to, rows).await.ok().flatten();
                let Some(row) = found else { return Err(error.into()) };
                if !job.plan.settings.quarantine {
                    return Err(quarantine::named(job, row));
                }
                if row.before == 0 {
                    return quarantine::pass(session, job, range, row).await;
                }
                // The rows before it are a batch of their own.
                steering.size = row.before;
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        attempt += 1;
        // A smaller batch meets fewer locks.
        steering.size = (steering.size / 2).max(*BATCH_ROWS.start());
        if !pause(job, attempt, &error).await {
            return Ok(Batch::Interrupted);
        }
    }
}

fn is_lock(error: &DatabaseError) -> bool {
    matches!(error.kind, DatabaseErrorKind::LockTimeout | DatabaseErrorKind::Deadlock)
}

/// Waits before the next try, longer each time; false when the user asked to stop.
async fn pause(job: &Job<'_>, attempt: u32, error: &DatabaseError) -> bool {
    let ceiling = (250_u64 << attempt.min(6)).min(10_000);
    // The jitter keeps two workers, or a worker and a periodic job, from meeting again and again.
    let pause = Duration::from_millis(fastrand::u64(ceiling / 2..=ceiling));
    let (step, because) = (job.step.id.clone(), error.to_string());
    job.tell(Event::Retry { step, attempt, because, by: Vec::new(), milliseconds: pause.as_millis() });
    sleep(pause, &|| job.stopping()).await
}

/// The rows of a batch and the row of its range, in one transaction; `None` when the range was taken over.
async fn commit<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    range: &Range,
    to: &str,
    rows: u64,
) -> Result<Option<Range>, Trouble> {
    let (condition, values) = job.ranges.condition(range.position.as_deref(), Some(to));
    let update = job.backfill.batch(&condition);
    begin(session).await?;
    let written = async {
        session.execute(&update, &values).await?;
        let moved = job.ledger.advance(session, &job.plan.name, &job.step.id, range, to, rows).await?;
        match job.claimant.lease {
            Some(lease) if !job.ledger.is_held(session, lease).await? => Err(Trouble::LeaseLost),
            _ => Ok(moved),
        }
    }
    .await;
    if let Ok(None) = written {
        session.execute("ROLLBACK", &[]).await?;
        return Ok(None);
    }
    finish(session, written).await
}

/// Steers batches to the target time: at most twice as many rows, and as few as it takes at once.
fn next_size(rows: u64, took: Duration, target: Duration) -> u64 {
    let factor = (target.as_secs_f64() / took.as_secs_f64().max(0.001)).clamp(0.01, 2.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "bounded by BATCH_ROWS"
    )]
    let next = (rows as f64 * factor) as u64;
    next.clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end())
}
