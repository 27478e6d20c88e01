//! Carries a plan out: step by step, through its gates, remembered in the ledger. In: a plan, a session,
//! a lease. Out: events while it goes on, and an outcome.
//!
//! Invariants: going on after a crash is the same call; a step's effect and its ledger row commit together,
//! or its probe tells a lost answer apart; nothing is written by a runner that has lost its lease; nothing
//! is destroyed before the gates were looked at again.

mod advice;
mod backfill;
pub mod before;
mod changed;
pub mod event;
mod gates;
pub mod ledger;
mod proof;
mod range;
mod reminder;
pub mod revert;
mod standstill;
pub mod rollback;
mod statement;
pub mod throttle;
mod trouble;
mod word;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::database::{self, DatabaseError, Session};
use crate::error::{Error, Kind, Result};
use crate::gate::{self, Evidence, Gate, Judgement};
use crate::plan::{Action, Phase, Plan, Step};
use crate::sql::Dialect;

pub use backfill::{Helped, Helper, help};
use changed::{changed_files, refuse_other_sql};
pub use event::Event;
use gates::Gates;
pub use gates::evidence;
pub use ledger::{
    HeldBy, Lease, Ledger, NextStep, Overview, Pause, PlanRecord, ProofOutcome, ProofRecord, Quarantined, RevertRecord,
    State, StepRecord, Throttled, Worker,
};
pub use reminder::Reminder;
use throttle::Ahead;
pub use throttle::Pace;
pub(crate) use trouble::Trouble;
pub use word::Word;

/// How a plan is to be carried out.
pub struct Request<'a> {
    pub plan: &'a Plan,
    /// The change directory: evidence files are relative to it.
    pub directory: PathBuf,
    /// Only this phase; all of them otherwise.
    pub phase: Option<Phase>,
    /// At a closed gate: look again after this time, or give up at once.
    pub wait: Option<Duration>,
    /// Who looks at the load and how fast to go; `None` where nothing but the run's own locks counts.
    pub pace: Option<Pace>,
    /// How many ranges of a backfill are filled at a time, each over a connection of its own.
    pub workers: u32,
    /// The user asked to stop: the batch at hand is finished, nothing new begins.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// The database again, for a second session that watches over a statement of the first.
    pub url: &'a str,
}

/// How a run ended, when nothing went wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All that was asked for is done.
    Finished,
    /// A gate is closed; the judgements say why.
    Waiting(Vec<Judgement>),
    /// Paused by a person, or outside the time windows, as the sentence says.
    Held(String),
    /// The user interrupted; the same command goes on.
    Interrupted,
}

/// How far a plan got, and what its gates say now.
pub struct Status<'a> {
    pub plan: &'a Plan,
    /// `None`: not begun.
    pub record: Option<PlanRecord>,
    pub steps: Vec<StepRecord>,
    /// Who forced it to begin, why, and what spoke against it.
    pub forced: Option<String>,
    /// The last undo, and the steps of revert.sql while it is not finished.
    pub revert: Option<RevertRecord>,
    pub revert_steps: Vec<StepRecord>,
    /// The last proof of each step that proves.
    pub proofs: Vec<ProofRecord>,
    /// The rows that its backfills could not fill.
    pub quarantined: Vec<Quarantined>,
    pub judgements: Vec<(Phase, Vec<Judgement>)>,
    /// Who fills ranges of its backfills.
    pub workers: Vec<Worker>,
    /// Who is at work in the database, on this plan or another.
    pub runner: Option<HeldBy>,
    /// The server's clock when all this was read.
    pub now: String,
    /// A person's word that holds it.
    pub pause: Option<Pause>,
    /// What its runners wait for in a backfill.
    pub throttles: Vec<Throttled>,
}

/// What every step needs.
pub(crate) struct Context<'a> {
    plan: &'a Plan,
    ledger: &'a Ledger,
    lease: &'a Lease,
    directory: &'a Path,
    pace: Option<&'a Pace>,
    workers: u32,
    stop: &'a (dyn Fn() -> bool + Sync),
    url: &'a str,
    /// The server's number of this session.
    session: Option<i64>,
    /// The steps are those of revert.sql.
    reverting: bool,
}

impl<'a> Context<'a> {
    /// Of a run or an undo; makes the session ready for it.
    async fn of<S: Session>(
        session: &mut S,
        ledger: &'a Ledger,
        lease: &'a Lease,
        request: &'a Request<'_>,
        reverting: bool,
    ) -> Result<Self, DatabaseError> {
        database::set_lock_timeout(session, request.plan.settings.ddl.lock_timeout).await?;
        Ok(Self {
            plan: request.plan,
            ledger,
            lease,
            directory: &request.directory,
            pace: request.pace.as_ref().filter(|_| !reverting),
            workers: request.workers,
            stop: request.stop,
            url: request.url,
            session: database::id(session).await?,
            reverting,
        })
    }

    /// The gates in front of the step at hand.
    fn gates(&self, phase: Phase) -> Vec<Gate> {
        if self.reverting { gate::gates_of_revert(self.plan) } else { gate::gates_of(self.plan, phase) }
    }
}

/// Carries out what `request` asks for, from wherever the ledger says that earlier runs got to.
///
/// # Errors
/// A plan that cannot be run or whose files changed (nothing was done), a failed gate, a failed step.
pub async fn carry_out<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    lease: &Lease,
    request: &Request<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome> {
    let plan = request.plan;
    check(plan, request.workers)?;
    let in_words = |error: DatabaseError| Trouble::from(error).into_error(&plan.name);
    let context = Context::of(session, ledger, lease, request, false).await.map_err(in_words)?;
    open(session, &context, on_event).await?;
    let mut started = None;
    let mut judged = Vec::new();
    let mut proof_is_fresh = false;
    let mut tries = statement::Tries::default();
    loop {
        let records = ledger.steps(session, &plan.name).await.map_err(in_words)?;
        let next = plan.steps.iter().zip(&records).find(|(_, record)| record.state != State::Done);
        let Some((step, record)) = next else { break };
        if !is_asked_for(request.phase, step, record)? {
            return Ok(Outcome::Finished);
        }
        if (request.stop)() {
            return Ok(Outcome::Interrupted);
        }
        let patient = request.wait.is_some() || started.is_some();
        match throttle::before_step(session, &context, patient, on_event).await {
            Ok(Ahead::Free) => {}
            Ok(Ahead::Held(because)) => return Ok(Outcome::Held(because)),
            Ok(Ahead::Interrupted) => return Ok(Outcome::Interrupted),
            Err(trouble) => return Err(trouble.into_error(&plan.name)),
        }
        if started != Some(step.phase) {
            started = Some(step.phase);
            on_event(Event::PhaseStarted { phase: step.phase });
        }
        let seen = match gates::pass(session, &context, request, step.phase, &mut judged, on_event).await? {
            Gates::Open { waited, seen } => {
                proof_is_fresh &= !waited;
                seen
            }
            Gates::Closed(judgements) => return Ok(Outcome::Waiting(judgements)),
            Gates::Interrupted => return Ok(Outcome::Interrupted),
        };
        if step.phase == Phase::Contract && !proof_is_fresh {
            proof_is_fresh = true;
            if proof::expire(session, &context, &records).await.map_err(|trouble| trouble.into_error(&plan.name))? {
                continue;
            }
        }
        if matches!(step.action, Action::Verify(_)) || tries.enter(step) {
            let resumed = record.state == State::Running;
            on_event(Event::StepStarted { step: step.id.clone(), sql: statement::sent(plan, step), resumed });
        }
        match perform(session, &context, step, record, &seen, &mut tries, on_event).await {
            Ok(Done::Yes { found }) => {
                on_event(Event::StepDone { step: step.id.clone(), found });
            }
            Ok(Done::Interrupted) => return Ok(Outcome::Interrupted),
            // Tried again from the gates on: the wait for a lock is time in which an old version may come back.
            Err(trouble) => match statement::again(trouble, &mut tries, step, &context, on_event).await {
                Ok(true) => proof_is_fresh = false,
                Ok(false) => return Ok(Outcome::Interrupted),
                Err(trouble) => return Err(tell(session, &context, step, trouble).await),
            },
        }
    }
    conclude(session, &context).await.map_err(|trouble| trouble.into_error(&plan.name))?;
    on_event(Event::Finished { plan: plan.name.clone() });
    Ok(Outcome::Finished)
}

/// Writes down that no step is left.
async fn conclude<S: Session>(session: &mut S, context: &Context<'_>) -> Result<(), Trouble> {
    begin(session).await?;
    let written = async {
        context.ledger.finish(session, &context.plan.name).await?;
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await
}

/// Whether the next step belongs to what was asked for; a later one means that all of that is done.
fn is_asked_for(only: Option<Phase>, step: &Step, record: &StepRecord) -> Result<bool> {
    let Some(only) = only else { return Ok(true) };
    if step.phase < only {
        let (phase, state) = (step.phase.name(), record.state.name());
        return Err(Error::input(format!("the {phase} phase is not finished: step {} is {state}", step.id))
            .hint("run it first, or run without --phase"));
    }
    Ok(step.phase == only)
}

/// A step's trouble in the user's words, also for `status`.
async fn tell<S: Session>(session: &mut S, context: &Context<'_>, step: &Step, trouble: Trouble) -> Error {
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    let unquoted = match &trouble {
        Trouble::Database(error) | Trouble::Row { error, .. } => error.without_values(session.dialect()),
        _ => None,
    };
    let mut error = trouble.into_error(&place);
    if error.kind == Kind::Input {
        // What was wrong with the input was found out when something had been done.
        error = Error { kind: Kind::Step, message: format!("{place}: {}", error.message), ..error };
    }
    let kept = unquoted.map_or_else(|| error.to_string(), |unquoted| format!("{}: {unquoted}", error.message));
    // The connection may be gone: then `status` lacks the sentence, not the state.
    let _ = context.ledger.problem(session, context.lease, &context.plan.name, &step.id, &kept).await;
    error
}

async fn perform<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    record: &StepRecord,
    seen: &Evidence,
    tries: &mut statement::Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    match &step.action {
        Action::Statement { transactional: true } => {
            statement::transactional(session, context, step, seen, tries, on_event).await
        }
        Action::Statement { transactional: false } => {
            standstill::probed(session, context, step, record, tries, on_event).await
        }
        Action::Backfill(backfill) => backfill::fill(session, context, step, backfill, record, on_event).await,
        Action::Verify(verify) => proof::prove(session, context, step, verify, on_event).await,
    }
}

/// How a step ended.
pub(crate) enum Done {
    /// `found`: it had taken effect before, the probe says.
    Yes { found: bool },
    /// The user asked to stop in the middle; what is committed is committed.
    Interrupted,
}

/// What can be known to go wrong before anything is done.
fn check(plan: &Plan, workers: u32) -> Result<()> {
    if plan.dialect == Dialect::Sqlite && workers > 1 {
        return Err(Error::input("SQLite has one writer at a time: further workers would only wait for it")
            .hint("run without --workers"));
    }
    if let Some(step) = plan.unprobed().first() {
        return Err(Error::input(format!(
            "{}:{}: after a crash nothing could tell whether this statement took effect on {}",
            step.file, step.line, plan.dialect
        ))
        .hint("write it as statements that create or drop one named thing each, or run it by hand outside the plan"));
    }
    throttle::check(plan)
}

/// Makes the ledger know the plan, and refuses one whose files changed after it had begun.
async fn open<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    let plan = context.plan;
    let in_words =
        |error: DatabaseError| Trouble::from(error).into_error(&format!("opening the ledger for {}", plan.name));
    revert::refuse_while_reverting(session, context).await?;
    let known = context.ledger.files(session, &plan.name).await.map_err(in_words)?;
    let records = context.ledger.steps(session, &plan.name).await.map_err(in_words)?;
    let begun = records.iter().any(|record| record.state != State::Pending || record.last_key.is_some());
    let steps_differ = plan.steps.len() != records.len()
        || plan.steps.iter().zip(&records).any(|(step, record)| step.id != record.id || step.digest != record.digest);
    let changed = changed_files(plan, &known);
    if begun {
        refuse_other_sql(session, context.ledger, plan).await?;
    }
    if begun && steps_differ && changed.is_empty() {
        return Err(Error::input(format!("{}: the ledger knows other steps of the same files", plan.name))
            .hint("another version of lockkeeper began this plan: finish it with that one"));
    }
    if !begun {
        check_keys(session, plan).await?;
    }
    context.ledger.settle_in_schemas(session, context.lease, &plan.name, begun).await?;
    // Of a finished one nothing is left to be done here, wherever it was done.
    if !(begun && records.iter().all(|record| record.state == State::Done)) {
        context.ledger.settle(session, context.lease, &plan.name, begun).await?;
    }
    if known.is_empty() || steps_differ || !changed.is_empty() {
        begin(session).await.map_err(in_words)?;
        let written = async {
            if begun {
                context.ledger.settings_changed(session, plan).await?;
                context.ledger.event(session, &plan.name, "", "settings-changed", &plan.digest).await?;
            } else {
                context.ledger.register(session, plan).await?;
                context.ledger.event(session, &plan.name, "", "registered", &plan.digest).await?;
            }
            context.ledger.fence(session, context.lease).await
        }
        .await;
        finish(session, written).await.map_err(|trouble| trouble.into_error(&plan.name))?;
        if begun {
            on_event(Event::SettingsChanged { files: changed });
        }
    }
    let settled = context.ledger.settle_tables(session, context.lease, plan).await;
    settled.map_err(|trouble| trouble.into_error(&plan.name))?;
    if !begun {
        revert::remember(session, context).await.map_err(|trouble| trouble.into_error(&plan.name))?;
    }
    let done = records.iter().filter(|record| record.state == State::Done).count();
    on_event(Event::Opened { plan: plan.name.clone(), steps: plan.steps.len(), done });
    if !begun {
        for advice in advice::on_indexes(session, plan).await.map_err(in_words)? {
            on_event(Event::Advice { advice });
        }
    }
    // Before the plan is registered there are no records, and every step is still to come.
    let is_done = |at: usize| records.get(at).is_some_and(|record| record.state == State::Done);
    let mut steps = plan.steps.iter().enumerate();
    if steps.any(|(at, step)| matches!(step.action, Action::Backfill(_)) && !is_done(at)) {
        for advice in advice::on_backfills(session).await.map_err(in_words)? {
            on_event(Event::Advice { advice });
        }
    }
    if done < plan.steps.len() {
        let told = proof::tell_past_triggers(session, context, on_event).await;
        told.map_err(|trouble| trouble.into_error(&plan.name))?;
    }
    Ok(())
}

/// Every table that expand.sql does not make is there, and can be gone through in batches: once the plan has begun,
/// its files cannot be mended.
async fn check_keys<S: Session>(session: &mut S, plan: &Plan) -> Result<()> {
    for step in &plan.steps {
        let Action::Backfill(backfill) = &step.action else { continue };
        let place = format!("step {} ({}:{})", step.id, step.file, step.line);
        let in_words = |trouble: Trouble| trouble.into_error(&place);
        let table = &backfill.rows.table;
        if !database::table_exists(session, table).await.map_err(|error| in_words(error.into()))?
            && plan.steps_of(Phase::Expand).any(|step| range::may_make(&step.sql, &table.name))
        {
            continue;
        }
        let ranges = range::Ranges::of(session, &backfill.rows, None).await;
        let checked = match ranges {
            Ok(ranges) if plan.settings.quarantine => ranges.tell_rows_apart().map_err(Trouble::from),
            other => other.map(drop),
        };
        if let Err(trouble) = checked {
            let error = in_words(trouble);
            return Err(Error { message: format!("{place}: {}", error.message), ..error });
        }
    }
    Ok(())
}

/// Begins a transaction that will write: SQLite takes its lock at once, because a lock that is upgraded
/// later fails without waiting.
pub(crate) async fn begin<S: Session>(session: &mut S) -> Result<(), DatabaseError> {
    let sql = match session.dialect() {
        crate::sql::Dialect::Sqlite => "BEGIN IMMEDIATE",
        crate::sql::Dialect::Postgres | crate::sql::Dialect::Mysql => "BEGIN",
    };
    session.execute(sql, &[]).await.map(drop)
}

/// Commits what went well, rolls back what did not.
pub(crate) async fn finish<S: Session, T>(session: &mut S, outcome: Result<T, Trouble>) -> Result<T, Trouble> {
    match outcome {
        Ok(value) => {
            if let Err(error) = session.execute("COMMIT", &[]).await {
                // SQLite's COMMIT may find a reader in the way, and leaves the transaction open.
                let _ = session.execute("ROLLBACK", &[]).await;
                return Err(error.into());
            }
            Ok(value)
        }
        Err(trouble) => {
            // On a lost connection the server rolls back by itself.
            let _ = session.execute("ROLLBACK", &[]).await;
            Err(trouble)
        }
    }
}

/// Sleeps in short naps; false when the user asked to stop meanwhile.
pub(crate) async fn sleep(time: Duration, stop: &(dyn Fn() -> bool + Sync)) -> bool {
    let end = tokio::time::Instant::now() + time;
    loop {
        if stop() {
            return false;
        }
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return true;
        }
        tokio::time::sleep(left.min(Duration::from_millis(100))).await;
    }
}
