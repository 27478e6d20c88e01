//! One statement of a phase: with its ledger row in one transaction where the engine can do that,
//! otherwise between two ledger rows, with a probe that tells a lost answer apart.
//!
//! Invariants: nobody queues behind a statement for longer than `ddl.lock-timeout`, and a try is not even begun while
//! somebody is in the way who will not go in that time; what may take long keeps no reader or writer waiting.

mod ahead;
mod manner;
mod online;
mod orphans;
mod probed;
mod reindex;
mod watch;

use std::time::{Duration, Instant};

use super::ledger::State;
use super::{Context, Done, Event, Trouble, begin, finish, gates, proof, sleep};
use crate::database::{Blocker, DatabaseError, DatabaseErrorKind, Session};
use crate::error::{Error, Kind};
use crate::gate::Evidence;
use crate::plan::{Phase, Step};
use crate::sql::{self, Dialect};
use ahead::Way;
pub(super) use manner::sent;
pub(super) use probed::probed;
use watch::Watched;

/// The longest pause between two tries, and between two looks at who is in the way, which cost nobody anything.
const TRY_PAUSE: Duration = Duration::from_secs(10);
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// How often, and for how long, a step has been tried that did not get on.
#[derive(Debug, Default)]
pub(super) struct Tries {
    step: String,
    since: Option<Instant>,
    given_up: u32,
    pauses: u32,
    told: Vec<Option<i64>>,
    /// Who was in the way of the last try that told: the look at the very last one may have come too late.
    by: Vec<Blocker>,
}

impl Tries {
    /// It is this step's turn; whether that is news.
    pub(super) fn enter(&mut self, step: &Step) -> bool {
        let new = self.step != step.id;
        if new {
            *self = Self { step: step.id.clone(), ..Self::default() };
        }
        new
    }

    /// For how long it has not got on.
    fn lasted(&mut self) -> Duration {
        self.since.get_or_insert_with(Instant::now).elapsed()
    }

    /// The next pause, longer each time. Its jitter keeps two runners, or a runner and a periodic job, from meeting
    /// again and again.
    fn pause(&mut self, most: Duration) -> Duration {
        self.pauses += 1;
        let ceiling = Duration::from_millis(250 << self.pauses.min(6)).min(most);
        ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Others are in the way than the last time.
    fn is_news(&mut self, by: &[Blocker]) -> bool {
        let ids: Vec<_> = by.iter().map(|blocker| blocker.id).collect();
        let news = self.told != ids;
        self.told = ids;
        news
    }
}

/// Statements that commit together with their ledger row: done or not done, never in between. In contract the
/// database's own gates are asked once more while the locks are held, so that nobody slips in before the drop.
pub(super) async fn transactional<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    seen: &Evidence,
    tries: &mut Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    if let Some(done) = wait_for_way(session, context, step, tries, on_event).await? {
        return Ok(done);
    }
    begin(session).await?;
    let written = async {
        proof::recheck(session, context, step, on_event).await?;
        let orphans = orphans::before(session, step).await?;
        let online = online::is_online(step, context.plan.dialect);
        if online {
            session.execute(&online::own_time(context, "SET LOCAL"), &[]).await?;
        }
        for statement in parts(step, context.plan.dialect) {
            let started = Instant::now();
            let (result, watched) = watch::execute(session, context, step, statement, online, on_event).await;
            result.map_err(|error| trouble(step, context, error, watched, online.then_some(started)))?;
        }
        online::no_half_index(session, step).await?;
        orphans::none_new(session, step, orphans).await?;
        gates::hold(session, context, step.phase, seen).await?;
        mark(session, context, step, State::Done).await
    }
    .await;
    match finish(session, written).await {
        Ok(()) => Ok(Done::Yes { found: false }),
        Err(trouble) => Err(who(session, step, trouble).await),
    }
}

/// Waits until nobody is in the way who stays. What a gate of contract said before a wait does not count any more.
async fn wait_for_way<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    tries: &mut Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Option<Done>, Trouble> {
    match ahead::clear(session, context, step, tries, on_event).await? {
        Way::ClearAgain if step.phase == Phase::Contract => Err(Trouble::Waited),
        Way::Clear | Way::ClearAgain => Ok(None),
        Way::Interrupted => Ok(Some(Done::Interrupted)),
    }
}

/// What an error of a statement means for its step. `began`: when, if its time is bounded by `ddl.concurrent-timeout`.
fn trouble(
    step: &Step,
    context: &Context<'_>,
    error: DatabaseError,
    watched: Watched,
    began: Option<Instant>,
) -> Trouble {
    let limit = context.plan.settings.ddl.concurrent_timeout;
    let took_its_time = || began.is_some_and(|began| began.elapsed() >= limit);
    match is_cancelled(&error) {
        _ if is_lock(&error) => Trouble::Locked { error, by: watched.by },
        true if watched.gave_way => {
            let message = "readers or writers queued behind somebody who waited for it".to_string();
            Trouble::Locked { error: DatabaseError { message, ..error }, by: watched.by }
        }
        true if took_its_time() => {
            let place = format!("step {} ({}:{})", step.id, step.file, step.line);
            let late = Error::new(Kind::Step, format!("{place} did not end in {}", in_words(limit)));
            named(late, &watched.by).hint("`ddl.concurrent-timeout` in change.toml says how long it may take").into()
        }
        _ => error.into(),
    }
}

/// Names who was in the way, where nobody was seen while the statement waited.
async fn who<S: Session>(session: &mut S, step: &Step, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Database(error) if is_lock(&error) => {
            let by = ahead::look(session, step).await.unwrap_or_default();
            Trouble::Locked { error, by }
        }
        Trouble::Locked { error, by } if by.is_empty() => {
            let by = ahead::look(session, step).await.unwrap_or_default();
            Trouble::Locked { error, by }
        }
        other => other,
    }
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
    trouble: Trouble,
    tries: &mut Tries,
    step: &Step,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<bool, Trouble> {
    let (error, because, by) = match trouble {
        Trouble::Waited => return Ok(true),
        Trouble::Database(error) if is_lock(&error) => (Ok(error.clone()), error.to_string(), Vec::new()),
        Trouble::Locked { error, by } => (Ok(error.clone()), error.to_string(), by),
        Trouble::GateClosed(because) => (Err(Trouble::GateClosed(because.clone())), because, Vec::new()),
        Trouble::Unproved(because) => (Err(Trouble::Unproved(because.clone())), because, Vec::new()),
        other => return Err(other),
    };
    tries.given_up += 1;
    if !by.is_empty() {
        tries.by.clone_from(&by);
    }
    if tries.lasted() >= context.plan.settings.ddl.retry_for {
        return Err(match error {
            Ok(error) => given_up(step, context, tries, Some(&error), &tries.by).into(),
            Err(closed) => closed,
        });
    }
    let pause = tries.pause(TRY_PAUSE);
    let (step, attempt) = (step.id.clone(), tries.given_up);
    on_event(Event::Retry { step, attempt, because, by, milliseconds: pause.as_millis() });
    Ok(sleep(pause, context.stop).await)
}

/// The step did not get its lock in all the time that it has.
fn given_up(step: &Step, context: &Context<'_>, tries: &Tries, error: Option<&DatabaseError>, by: &[Blocker]) -> Error {
    let times = match tries.given_up {
        0 => "without a try".to_string(),
        1 => "in 1 try".to_string(),
        several => format!("in {several} tries"),
    };
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    let time = in_words(context.plan.settings.ddl.retry_for);
    let mut told = Error::new(Kind::Step, format!("{place} did not get its lock in {time}, {times}"));
    if let Some(error) = error {
        told = told.because(error);
    }
    named(told, by)
        .hint("when what is in the way has ended, run the same command again; `ddl.retry-for` in change.toml says for how long it tries")
}

/// With those who were in the way.
fn named(error: Error, by: &[Blocker]) -> Error {
    let all: Vec<String> = by.iter().map(ToString::to_string).collect();
    if all.is_empty() { error } else { error.because(format!("in the way: {}", all.join("; "))) }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        _ if time.subsec_millis() > 0 => format!("{} ms", time.as_millis()),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn is_lock(error: &DatabaseError) -> bool {
    matches!(error.kind, DatabaseErrorKind::LockTimeout | DatabaseErrorKind::Deadlock)
}

/// Somebody, or a limit of the server, ended the statement: SQLSTATE query_canceled; MySQL's own number.
fn is_cancelled(error: &DatabaseError) -> bool {
    matches!(error.code.as_deref(), Some("57014" | "1317"))
}
