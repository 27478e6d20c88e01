//! When there is no way back, and what a restore would need.

use super::traces;
use crate::database::Session;
use crate::error::{Error, Kind, Result};
use crate::plan::revert::destroyed;
use crate::plan::{Action, Phase, Plan, Probe};
use crate::run::{Ledger, State, StepRecord};

/// Refuses an undo once a statement of contract was begun.
pub(super) fn after_contract(plan: &Plan, records: &[StepRecord]) -> Result<()> {
    let begun: Vec<_> = plan
        .steps
        .iter()
        .zip(records)
        .filter(|(step, _)| step.phase == Phase::Contract && matches!(step.action, Action::Statement { .. }))
        .filter(|(_, record)| record.state != State::Pending)
        .collect();
    let Some((first, record)) = begun.first() else { return Ok(()) };
    let since = record.started_at.as_deref().unwrap_or("?");
    let mut error = Error::new(
        Kind::Refused,
        format!("{} cannot be undone: contract has begun with {} at {since} UTC", plan.name, first.id),
    );
    let mut gone = Vec::new();
    for (step, record) in &begun {
        let destroyed = destroyed(plan.dialect, step);
        if destroyed.is_empty() {
            continue;
        }
        let when = record
            .finished_at
            .as_deref()
            .map_or("at a moment that is not known".to_string(), |at| format!("at {at} UTC"));
        let verb = if record.state == State::Done { "took away" } else { "may have taken away" };
        error = error.because(format!("{} {verb}, {when}: {}", step.id, destroyed.join(", ")));
        gone.extend(destroyed);
    }
    if gone.is_empty() {
        return Err(error
            .because("nothing is gone yet, but what contract has changed no revert.sql is made for")
            .hint("go on with `lockkeeper run`, or take back by hand what contract.sql did and ask again with a new change"));
    }
    Err(error
        .hint(format!(
            "a restore would have to bring back {}: from a backup, or by point-in-time recovery to before {since} UTC; \
             beside this database, since everything that was written after that moment is missing there",
            gone.join(", ")
        ))
        .hint(
            "the way on is forward: `lockkeeper run` finishes contract, and another change may make the old shape anew",
        ))
}

/// Refuses an undo that nobody has written, or whose statements a crash would leave in doubt.
pub(super) async fn without_a_way<S: Session>(session: &mut S, ledger: &Ledger, plan: &Plan) -> Result<()> {
    if plan.revert.is_empty() {
        let error = Error::input(format!("{} has no revert.sql: nothing says how it is undone", plan.name));
        let traces = traces::of(session, ledger, plan).await.map_err(super::unreadable)?.unwrap_or_default();
        let undoing = traces::undoing(plan.dialect, &traces);
        return Err(match undoing.is_empty() {
            true => error.hint("write revert.sql beside expand.sql: the statements that undo expand and backfill"),
            false => error.hint(format!(
                "write revert.sql beside expand.sql; from what expand and backfill have changed it would be:\n{}",
                undoing.trim_end()
            )),
        });
    }
    match plan.revert.iter().find(|step| step.probe == Probe::None) {
        Some(step) => Err(Error::input(format!(
            "{}:{}: after a crash nothing could tell whether this statement took effect on {}",
            step.file, step.line, plan.dialect
        ))
        .hint("write it as statements that create or drop one named thing each")),
        None => Ok(()),
    }
}
