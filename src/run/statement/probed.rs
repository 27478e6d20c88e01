//! A statement that cannot share a transaction with its ledger row: between two rows, with a probe that tells what became
//! of it when its answer was lost.

use std::time::Duration;

use super::online::{self, Locks, Mended};
use super::{Tries, is_lock, manner, mark_alone, reindex, wait_for_way, who};
use crate::database::{self, DatabaseError, Held, Session};
use crate::error::{Error, Kind};
use crate::plan::{Expectation, Probe, Step};
use crate::run::ledger::{State, StepRecord};
use crate::run::{Context, Done, Event, Trouble, proof, sleep};

/// Carries such a step out, or finds out that an earlier run did.
pub(in crate::run) async fn probed<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    record: &StepRecord,
    tries: &mut Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let expectations: &[Expectation] = match &step.probe {
        Probe::Schema(expectations) => expectations,
        // Nothing to look at, and nothing lost by doing it twice.
        Probe::Repeat => &[],
        Probe::Rebuilt { index, name } => {
            return reindex::reindex(session, context, step, record, (*index, name), tries, on_event).await;
        }
        Probe::Ledger | Probe::None => {
            return Err(Error::input(format!("step {} has no probe", step.id)).into());
        }
    };
    let ours = record.state == State::Running;
    if ours && !await_builder(session, context, step, expectations, on_event).await? {
        return Ok(Done::Interrupted);
    }
    let seen = look(session, expectations).await?;
    match (ours, &seen) {
        (true, Seen::TookEffect) => return done(session, context, step, true).await,
        // Gone is gone, whoever dropped it.
        (false, Seen::TookEffect) if only_drops(expectations) => return done(session, context, step, true).await,
        (false, Seen::Half) => return Err(in_the_way(step).into()),
        (_, Seen::Mixed(which)) => return Err(mixed(step, which).into()),
        _ => {}
    }
    if let Some(done) = wait_for_way(session, context, step, tries, on_event).await? {
        return Ok(done);
    }
    match (ours, seen) {
        (true, Seen::Half) => {
            let mended = online::mend(session, context, step, expectations, Locks::Unhurried, on_event).await?;
            if mended == Mended::Finished {
                return done(session, context, step, false).await;
            }
        }
        // What is there already is not ours: the server will say so. A ledger that called it begun would take
        // it for ours after a crash.
        (_, Seen::TookEffect) => {}
        _ => {
            if let Err(trouble) = proof::recheck_before(session, context, step, on_event).await {
                if ours {
                    mark_alone(session, context, step, State::Pending).await?;
                }
                return Err(trouble);
            }
            mark_alone(session, context, step, State::Running).await?;
        }
    }
    if let Err(trouble) = execute(session, context, step, expectations, on_event).await {
        return failed(session, context, step, expectations, ours, trouble, on_event).await;
    }
    if !expectations.is_empty() && look(session, expectations).await? != Seen::TookEffect {
        return Err(Error::new(
            Kind::Step,
            format!(
                "step {} ({}:{}): the server said yes, but the schema does not show it",
                step.id, step.file, step.line
            ),
        )
        .hint("IF [NOT] EXISTS may have met an object of the same name: look at it, then run again")
        .into());
    }
    done(session, context, step, false).await
}

async fn done<S: Session>(session: &mut S, context: &Context<'_>, step: &Step, found: bool) -> Result<Done, Trouble> {
    mark_alone(session, context, step, State::Done).await?;
    Ok(Done::Yes { found })
}

async fn execute<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    expectations: &[Expectation],
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    if online::is_online(step, context.plan.dialect) {
        let detaches = expectations.iter().any(|one| matches!(one, Expectation::Partition { .. }));
        let locks = if detaches { Locks::InTime } else { Locks::Unhurried };
        return online::execute(session, context, step, &step.sql, locks, on_event).await;
    }
    match manner::execute(session, context, step, on_event).await {
        Ok(()) => Ok(()),
        Err(trouble) => Err(who(session, step, trouble).await),
    }
}

/// What becomes of a step whose statement was refused or ended: the ledger says what is known of it.
async fn failed<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    expectations: &[Expectation],
    ours: bool,
    trouble: Trouble,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    if !online::is_connected(&trouble) {
        return Err(trouble);
    }
    let is_retried = match &trouble {
        Trouble::Locked { .. } => true,
        Trouble::Database(error) => is_lock(error),
        _ => false,
    };
    match look(session, expectations).await? {
        // The server was still at work on the statement whose answer was lost, and has finished it meanwhile.
        Seen::TookEffect if ours => return done(session, context, step, true).await,
        // Or is at work on it still.
        _ if ours && is_retried => {}
        Seen::Half if is_retried => {}
        // An invalid index costs every write, and a unique one refuses some. Where it cannot be dropped at once, the
        // next run does it.
        Seen::Half => {
            let mended = online::mend(session, context, step, expectations, Locks::InTime, on_event).await;
            if mended.is_ok_and(|mended| mended == Mended::Undone) {
                mark_alone(session, context, step, State::Pending).await?;
            }
        }
        // Refused as a whole: nothing of it is ours.
        _ => mark_alone(session, context, step, State::Pending).await?,
    }
    Err(trouble)
}

fn only_drops(expectations: &[Expectation]) -> bool {
    !expectations.is_empty() && expectations.iter().all(|one| one.exists() == Some(false))
}

/// What the schema shows of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    TookEffect,
    /// An invalid index, a partition that is neither in nor out.
    Half,
    /// Some of it, which no single statement leaves behind; the sentence names both sides.
    Mixed(String),
}

async fn look<S: Session>(session: &mut S, expectations: &[Expectation]) -> Result<Seen, DatabaseError> {
    let mut held = Vec::new();
    for expectation in expectations {
        held.push(database::holds(session, expectation).await?);
    }
    if held.contains(&Held::HalfDone) {
        return Ok(Seen::Half);
    }
    let yes = held.iter().filter(|one| **one == Held::Yes).count();
    Ok(match yes {
        0 => Seen::Nothing,
        all if all == held.len() => Seen::TookEffect,
        some => Seen::Mixed(format!("{some} of {} of its effects are there", held.len())),
    })
}

/// Waits while the server goes on with the index of a runner that was killed: dropped, it would be built twice.
/// False when the user asked to stop.
async fn await_builder<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    expectations: &[Expectation],
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<bool, Trouble> {
    for expectation in expectations {
        if let Expectation::Index { table: Some(table), index, exists: true } = expectation
            && !await_server(session, context, step, table, Some(&index.name), on_event).await?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits while the server builds this index of a table, or any of its indexes; says for whom that waits.
pub(super) async fn await_server<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    table: &crate::sql::Name,
    index: Option<&str>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<bool, Trouble> {
    let mut told = None;
    while let Some(builder) = database::builder(session, table, index).await? {
        let by = database::blocking(session, builder).await?;
        let ids: Vec<_> = by.iter().map(|one| one.id).collect();
        if told.is_none() {
            on_event(Event::Waiting {
                because: format!("{}: the server is still building the index of an earlier run", step.id),
            });
        }
        if !by.is_empty() && told.as_ref() != Some(&ids) {
            on_event(Event::Blocked { step: step.id.clone(), by });
        }
        told = Some(ids);
        if !sleep(Duration::from_secs(1), context.stop).await {
            return Ok(false);
        }
    }
    Ok(true)
}

fn in_the_way(step: &Step) -> Error {
    Error::new(
        Kind::Step,
        format!(
            "step {} ({}:{}): what somebody else left half done is in the way, an invalid index or a pending detach",
            step.id, step.file, step.line
        ),
    )
    .hint("somebody may be at work on it still, or was cut off: when nobody is, drop the index with DROP INDEX CONCURRENTLY, end the detach with FINALIZE, and run again")
}

fn mixed(step: &Step, which: &str) -> Error {
    Error::new(Kind::Step, format!("step {} ({}:{}) looks half done: {which}", step.id, step.file, step.line))
        .hint("somebody changed the schema by hand: bring it to before or after the statement and run again")
}
