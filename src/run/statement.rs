//! One statement of a phase: with its ledger row in one transaction where the engine can do that,
//! otherwise between two ledger rows, with a probe that tells a lost answer apart.

use std::time::Duration;

use super::ledger::{State, StepRecord};
use super::{Context, Done, Event, Trouble, begin, finish, gates, proof, sleep};
use crate::database::{self, DatabaseError, DatabaseErrorKind, Held, Session};
use crate::error::{Error, Kind};
use crate::gate::Evidence;
use crate::plan::{Expectation, Probe, Step};
use crate::sql::{self, Dialect};

/// How often a lock is tried for before the step fails; with pauses that grow to ten seconds.
const TRIES: u32 = 10;

/// Statements that commit together with their ledger row: done or not done, never in between. In contract the
/// database's own gates are asked once more while the locks are held, so that nobody slips in before the drop.
pub(super) async fn transactional<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    seen: &Evidence,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    begin(session).await?;
    let written = async {
        proof::recheck(session, context, step, on_event).await?;
        for statement in parts(step, context.plan.dialect) {
            session.execute(statement, &[]).await?;
        }
        gates::hold(session, context, step.phase, seen).await?;
        mark(session, context, step, State::Done).await
    }
    .await;
    finish(session, written).await?;
    Ok(Done::Yes { found: false })
}

/// The statements of a step: several where contract.sql puts them into one transaction. One call each, so that
/// an error is one statement's. MySQL has no such steps, and its bodies would need their delimiter again.
fn parts(step: &Step, dialect: Dialect) -> Vec<&str> {
    if !dialect.transactional_ddl() {
        return vec![&step.sql];
    }
    sql::read(&step.sql, dialect).into_iter().map(|statement| &step.sql[statement.range]).collect()
}

/// The ledger rows of a change of state, last in their transaction: the lease's row is locked only for a moment.
async fn mark<S: Session>(session: &mut S, context: &Context<'_>, step: &Step, state: State) -> Result<(), Trouble> {
    let plan = &context.plan.name;
    context.ledger.set_state(session, plan, &step.id, state).await?;
    context.ledger.event(session, plan, &step.id, state.name(), "").await?;
    context.ledger.fence(session, context.lease).await
}

pub(super) async fn mark_alone<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    state: State,
) -> Result<(), Trouble> {
    begin(session).await?;
    let written = mark(session, context, step, state).await;
    finish(session, written).await
}

/// Decides whether a step that did not get its lock is tried again, and sleeps; false when the user asked to stop.
pub(super) async fn again(
    trouble: &Trouble,
    attempt: &mut u32,
    step: &Step,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<bool, Trouble> {
    let because = match trouble {
        Trouble::Database(error) if is_lock(error) => error.to_string(),
        Trouble::GateClosed(because) | Trouble::Unproved(because) => because.clone(),
        _ => return Err(repeat(trouble)),
    };
    if *attempt + 1 >= TRIES {
        return Err(repeat(trouble));
    }
    *attempt += 1;
    let ceiling = (250_u64 << (*attempt).min(6)).min(10_000);
    // The jitter keeps two runners, or a runner and a periodic job, from meeting again and again.
    let pause = Duration::from_millis(fastrand::u64(ceiling / 2..=ceiling));
    on_event(Event::Retry { step: step.id.clone(), attempt: *attempt, because, milliseconds: pause.as_millis() });
    Ok(sleep(pause, context.stop).await)
}

fn is_lock(error: &DatabaseError) -> bool {
    matches!(error.kind, DatabaseErrorKind::LockTimeout | DatabaseErrorKind::Deadlock)
}

fn repeat(trouble: &Trouble) -> Trouble {
    match trouble {
        Trouble::GateClosed(because) => Trouble::GateClosed(because.clone()),
        Trouble::Unproved(because) => Trouble::Unproved(because.clone()),
        Trouble::Database(error) => Trouble::Database(error.clone()),
        Trouble::LeaseLost => Trouble::LeaseLost,
        Trouble::Refused(error) => Trouble::Refused(error.clone()),
    }
}

/// A statement that cannot share a transaction with its ledger row.
pub(super) async fn probed<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    record: &StepRecord,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let expectations: &[Expectation] = match &step.probe {
        Probe::Schema(expectations) => expectations,
        // Nothing to look at, and nothing lost by doing it twice.
        Probe::Repeat => &[],
        Probe::Ledger | Probe::None => {
            return Err(Error::input(format!("step {} has no probe", step.id)).into());
        }
    };
    let ours = record.state == State::Running;
    if ours && !await_builder(session, context, step, expectations, on_event).await? {
        return Ok(Done::Interrupted);
    }
    match (ours, look(session, expectations).await?) {
        (true, Seen::TookEffect) => {
            mark_alone(session, context, step, State::Done).await?;
            return Ok(Done::Yes { found: true });
        }
        // Gone is gone, whoever dropped it.
        (false, Seen::TookEffect) if only_drops(expectations) => {
            mark_alone(session, context, step, State::Done).await?;
            return Ok(Done::Yes { found: true });
        }
        (true, Seen::Half) => repair(session, context, step, expectations, on_event).await?,
        (false, Seen::Half) => return Err(in_the_way(step).into()),
        (_, Seen::Mixed(which)) => return Err(mixed(step, &which).into()),
        // What is there already is not ours: the server will say so. A ledger that called it begun would take
        // it for ours after a crash.
        (false, Seen::TookEffect) => {}
        (_, Seen::Nothing) => {
            if let Err(trouble) = proof::recheck_before(session, context, step, on_event).await {
                if ours {
                    mark_alone(session, context, step, State::Pending).await?;
                }
                return Err(trouble);
            }
            mark_alone(session, context, step, State::Running).await?;
        }
    }
    if let Err(error) = patiently(session, step, expectations).await {
        if error.kind == DatabaseErrorKind::ConnectionLost {
            return Err(error.into());
        }
        match look(session, expectations).await? {
            // The server was still at work on the statement whose answer was lost, and has finished it meanwhile.
            Seen::TookEffect if ours => {
                mark_alone(session, context, step, State::Done).await?;
                return Ok(Done::Yes { found: true });
            }
            // Or is at work on it still.
            _ if ours && is_lock(&error) => {}
            Seen::Half => {}
            // Refused as a whole: nothing of it is ours.
            _ => mark_alone(session, context, step, State::Pending).await?,
        }
        return Err(error.into());
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
    mark_alone(session, context, step, State::Done).await?;
    Ok(Done::Yes { found: false })
}

/// Runs the statement; a concurrent index build without a lock time-out, which would count its waits for
/// old snapshots and leave an invalid index (facts: postgres-waits).
async fn patiently<S: Session>(
    session: &mut S,
    step: &Step,
    expectations: &[Expectation],
) -> Result<(), DatabaseError> {
    let concurrent = session.dialect() == Dialect::Postgres
        && expectations.iter().any(|one| matches!(one, Expectation::Index { .. }));
    if !concurrent {
        return session.execute(&step.sql, &[]).await.map(drop);
    }
    session.execute("SET lock_timeout = 0", &[]).await?;
    let done = session.execute(&step.sql, &[]).await;
    session.execute(&format!("SET lock_timeout = '{}ms'", database::LOCK_TIMEOUT.as_millis()), &[]).await?;
    done.map(drop)
}

fn only_drops(expectations: &[Expectation]) -> bool {
    !expectations.is_empty() && expectations.iter().all(|one| one.exists() == Some(false))
}

/// What the schema shows of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    TookEffect,
    /// An invalid index.
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
    let mut told = false;
    while database::is_being_built(session, expectations).await? {
        if !told {
            told = true;
            on_event(Event::Waiting {
                because: format!("{}: the server is still building the index of an earlier run", step.id),
            });
        }
        if !sleep(Duration::from_secs(1), context.stop).await {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the invalid index that a cut-off concurrent build left behind.
async fn repair<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    expectations: &[Expectation],
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    for expectation in expectations {
        let Expectation::Index { index, exists: true, .. } = expectation else { continue };
        let drop_it = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", context.plan.dialect.quote_name(index));
        session.execute("SET lock_timeout = 0", &[]).await?;
        let dropped = session.execute(&drop_it, &[]).await;
        session.execute(&format!("SET lock_timeout = '{}ms'", database::LOCK_TIMEOUT.as_millis()), &[]).await?;
        dropped?;
        on_event(Event::Repaired { step: step.id.clone(), what: drop_it });
    }
    Ok(())
}

fn in_the_way(step: &Step) -> Error {
    Error::new(Kind::Step, format!("step {} ({}:{}): an invalid index of that name is in the way", step.id, step.file, step.line))
        .hint("another build may be at work on it, or one was cut off: when nobody builds it, drop it with DROP INDEX CONCURRENTLY and run again")
}

fn mixed(step: &Step, which: &str) -> Error {
    Error::new(Kind::Step, format!("step {} ({}:{}) looks half done: {which}", step.id, step.file, step.line))
        .hint("somebody changed the schema by hand: bring it to before or after the statement and run again")
}
