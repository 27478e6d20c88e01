//! Rows that the statement of a backfill fails on: their range goes past them, the ledger keeps which they are, and when
//! all others are filled they are tried again. While one is left, the step is not done and nothing is proved.

use std::sync::atomic::Ordering;

use super::batch::Batch;
use super::failing::Failing;
use super::{Context, Job, Trouble, strictly};
use crate::database::{DatabaseErrorKind, Session};
use crate::error::{Error, Kind};
use crate::run::ledger::range::Range;
use crate::run::{Event, begin, finish};

/// So many rows of a step may be quarantined: more are no matter of single rows.
const LIMIT: usize = 100;

/// How many of them an error names.
const NAMED: usize = 5;

/// The row as what stops the run.
pub(super) fn named(job: &Job<'_>, row: Failing) -> Trouble {
    let (key, table) = (row.key.replace('\u{1f}', ", "), &job.backfill.rows.table);
    Trouble::Row { row: format!("row {key} of `{table}` cannot be filled"), error: row.error }
}

/// Quarantines the first row of what a range has left: the range goes past it.
pub(super) async fn pass<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    range: &Range,
    row: Failing,
) -> Result<Batch, Trouble> {
    let (ledger, plan, step) = (job.ledger, &job.plan.name, &job.step.id);
    let so_far = ledger.quarantined(session, plan).await?.iter().filter(|row| row.step == *step).count();
    if so_far >= LIMIT {
        return Err(match named(job, row) {
            Trouble::Row { row, error } => Trouble::Row { row: format!("{row}, and {so_far} are quarantined"), error },
            other => other,
        });
    }
    let because = row.error.without_values(session.dialect()).unwrap_or_else(|| row.error.to_string());
    begin(session).await?;
    let written = async {
        let moved = ledger.advance(session, plan, step, range, &row.key, 1).await?;
        let after = range.position.as_deref();
        ledger.quarantine(session, (plan, step), (after, &row.key), &because).await?;
        match job.claimant.lease {
            Some(lease) if !ledger.is_held(session, lease).await? => Err(Trouble::LeaseLost),
            _ => Ok(moved),
        }
    }
    .await;
    let Some(moved) = (match written {
        Ok(None) => {
            session.execute("ROLLBACK", &[]).await?;
            None
        }
        written => finish(session, written).await?,
    }) else {
        return Ok(Batch::TakenOver);
    };
    job.rows_done.fetch_add(1, Ordering::SeqCst);
    job.tell(Event::Quarantined {
        step: step.clone(),
        row: row.key.replace('\u{1f}', ", "),
        because: row.error.to_string(),
    });
    Ok(Batch::Done(moved))
}

/// Tries the quarantined rows once more, each alone.
///
/// # Errors
/// Some fail still: they are named, and the step is not done.
pub(super) async fn try_again<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    job: &Job<'_>,
) -> Result<(), Trouble> {
    let (ledger, step) = (job.ledger, job.step);
    let mut rows = ledger.quarantined(session, &job.plan.name).await?;
    rows.retain(|row| row.step == step.id);
    if rows.is_empty() {
        return Ok(());
    }
    strictly(session, true).await?;
    let mut left = Vec::new();
    for row in rows {
        let (condition, values) = job.ranges.condition(row.after.as_deref(), Some(&row.key));
        begin(session).await?;
        let written = async {
            session.execute(&job.backfill.batch(&condition), &values).await?;
            ledger.release_row(session, &row).await?;
            ledger.fence(session, context.lease).await
        }
        .await;
        match finish(session, written).await {
            Ok(()) => {}
            Err(Trouble::Database(error)) if error.kind == DatabaseErrorKind::Statement => left.push(row),
            Err(trouble) => return Err(trouble),
        }
    }
    strictly(session, false).await?;
    let Some(first) = left.first() else { return Ok(()) };
    let mut names: Vec<String> = left.iter().take(NAMED).map(|row| format!("row {}", row.row())).collect();
    if left.len() > NAMED {
        names.push(format!("{} more", left.len() - NAMED));
    }
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    let message =
        format!("{place}: {} of `{}` cannot be filled and are quarantined", names.join(", "), job.backfill.rows.table);
    Err(Error::new(Kind::Step, message)
        .because(format!("row {}: {}", first.row(), first.because))
        .hint("all other rows are filled; mend these, or take them away, and the same command tries only them, then proves")
        .hint("the ledger's view quarantined_row lists them")
        .into())
}
