//! Carries a plan out: step by step, through its gates, remembered in the ledger. In: a plan, a session,
//! a lease. Out: events while it goes on, and an outcome.
//!
//! Invariants: going on after a crash is the same call; a step's effect and its ledger row commit together,
//! or its probe tells a lost answer apart; nothing is written by a runner that has lost its lease; nothing
//! is destroyed before the gates were looked at again.

mod backfill;
pub mod event;
pub mod ledger;
mod proof;
mod range;
mod statement;

use std::path::PathBuf;
use std::time::Duration;

use crate::database::{self, DatabaseError, DatabaseErrorKind, SeenSessions, Session};
use crate::error::{Error, Kind, Result};
use crate::gate::{self, Evidence, Judgement, SessionSeen, Sessions, Verdict};
use crate::plan::{Action, Phase, Plan};

pub use event::Event;
pub use ledger::{HeldBy, Lease, Ledger, PlanRecord, State, StepRecord};

/// How a plan is to be carried out.
pub struct Request<'a> {
    pub plan: &'a Plan,
    /// The change directory: evidence files are relative to it.
    pub directory: PathBuf,
    /// Only this phase; all of them otherwise.
    pub phase: Option<Phase>,
    /// At a closed gate: look again after this time, or give up at once.
    pub wait: Option<Duration>,
    /// The user asked to stop: the batch at hand is finished, nothing new begins.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// How a run ended, when nothing went wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All that was asked for is done.
    Finished,
    /// A gate is closed; the judgements say why.
    Waiting(Vec<Judgement>),
    /// The user interrupted; the same command goes on.
    Interrupted,
}

/// How far a plan got, and what its gates say now.
pub struct Status<'a> {
    pub plan: &'a Plan,
    /// `None`: not begun.
    pub record: Option<PlanRecord>,
    pub steps: Vec<StepRecord>,
    pub judgements: Vec<(Phase, Vec<Judgement>)>,
}

/// What stops a step. Lock time-outs are tried again before they get this far.
#[derive(Debug)]
pub(crate) enum Trouble {
    Database(DatabaseError),
    LeaseLost,
    Refused(Error),
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Trouble {
    /// In the user's words; `place` is the step and its line.
    fn into_error(self, place: &str) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::LeaseLost => Error::new(Kind::Waiting, format!("{place}: another runner has taken over"))
                .hint("it goes on with the same plan: see `lockkeeper status`"),
            Self::Database(error) if error.kind == DatabaseErrorKind::ConnectionLost => {
                Error::new(Kind::Step, format!("{place}: the connection to the database was lost"))
                    .because(error)
                    .hint("nothing is half done that the ledger does not know of: run the same command again")
            }
            Self::Database(error) => Error::new(Kind::Step, format!("{place} failed"))
                .because(error)
                .hint("the ledger knows how far it got: mend the cause and run the same command again"),
        }
    }
}

/// What every step needs.
pub(crate) struct Context<'a> {
    plan: &'a Plan,
    ledger: &'a Ledger,
    lease: &'a Lease,
    stop: &'a (dyn Fn() -> bool + Sync),
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
    check(plan)?;
    let context = Context { plan, ledger, lease, stop: request.stop };
    open(session, &context, on_event).await?;
    let asked: Vec<Phase> =
        Phase::ALL.into_iter().filter(|phase| request.phase.is_none_or(|only| only == *phase)).collect();
    let mut started = None;
    let mut judged = Vec::new();
    loop {
        let place = || plan.name.clone();
        let records =
            ledger.steps(session, &plan.name).await.map_err(|error| Trouble::from(error).into_error(&place()))?;
        let next = plan.steps.iter().zip(&records).find(|(_, record)| record.state != State::Done);
        let Some((step, record)) = next else { break };
        if !asked.contains(&step.phase) {
            if step.phase > *asked.iter().max().unwrap_or(&step.phase) {
                return Ok(Outcome::Finished);
            }
            return Err(Error::input(format!(
                "the {} phase is not finished: step {} is {}",
                step.phase.name(),
                step.id,
                record.state.name()
            ))
            .hint("run it first, or run without --phase"));
        }
        if (request.stop)() {
            return Ok(Outcome::Interrupted);
        }
        if started != Some(step.phase) {
            started = Some(step.phase);
            on_event(Event::PhaseStarted { phase: step.phase });
        }
        match pass_gates(session, &context, request, step.phase, &mut judged, on_event).await? {
            Outcome::Finished => {}
            closed => return Ok(closed),
        }
        let resumed = record.state == State::Running;
        on_event(Event::StepStarted { step: step.id.clone(), sql: step.sql.clone(), resumed });
        let done = match &step.action {
            Action::Statement { transactional: true } => {
                statement::transactional(session, &context, step, on_event).await
            }
            Action::Statement { transactional: false } => {
                statement::probed(session, &context, step, record, on_event).await
            }
            Action::Backfill(backfill) => backfill::fill(session, &context, step, backfill, record, on_event).await,
            Action::Verify(verify) => proof::prove(session, &context, step, verify, on_event).await,
        };
        match done {
            Ok(Done::Yes { found }) => on_event(Event::StepDone { step: step.id.clone(), found }),
            Ok(Done::Interrupted) => return Ok(Outcome::Interrupted),
            Err(trouble) => {
                let error = trouble.into_error(&format!("step {} ({}:{})", step.id, step.file, step.line));
                // The connection may be gone: then `status` lacks the sentence, not the state.
                let _ = ledger.problem(session, &plan.name, &step.id, &error.to_string()).await;
                return Err(error);
            }
        }
    }
    ledger.finish(session, &plan.name).await.map_err(|error| Trouble::from(error).into_error(&plan.name))?;
    on_event(Event::Finished { plan: plan.name.clone() });
    Ok(Outcome::Finished)
}

/// How a step ended.
pub(crate) enum Done {
    /// `found`: it had taken effect before, the probe says.
    Yes { found: bool },
    /// The user asked to stop in the middle; what is committed is committed.
    Interrupted,
}

/// What can be known to go wrong before anything is done.
fn check(plan: &Plan) -> Result<()> {
    if let Some(step) = plan.unprobed().first() {
        return Err(Error::input(format!(
            "{}:{}: after a crash nothing could tell whether this statement took effect on {}",
            step.file, step.line, plan.dialect
        ))
        .hint("write it as statements that create or drop one named thing each, or run it by hand outside the plan"));
    }
    Ok(())
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
    let known = context.ledger.files(session, &plan.name).await.map_err(in_words)?;
    let records = context.ledger.steps(session, &plan.name).await.map_err(in_words)?;
    let begun = records.iter().any(|record| record.state != State::Pending || record.last_key.is_some());
    let changed = changed_files(plan, &known);
    if begun && changed.iter().any(|name| name != "change.toml") {
        return Err(Error::input(format!("{}: {} changed after the plan had begun", plan.name, changed.join(", ")))
            .hint("put the files back as they were (the ledger knows their digests), or undo the change and begin a new one"));
    }
    if known.is_empty() || !changed.is_empty() {
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
            on_event(Event::SettingsChanged);
        }
    }
    let done = records.iter().filter(|record| record.state == State::Done).count();
    on_event(Event::Opened { plan: plan.name.clone(), steps: plan.steps.len(), done });
    Ok(())
}

/// The files that are not what the ledger knows: other content, added, or gone.
fn changed_files(plan: &Plan, known: &[(String, String)]) -> Vec<String> {
    if known.is_empty() {
        return Vec::new();
    }
    let now = plan.files.iter().map(|file| (file.name.clone(), file.digest.clone()));
    let differs = now.filter(|file| !known.contains(file)).map(|(name, _)| name);
    let gone =
        known.iter().map(|(name, _)| name).filter(|name| !plan.files.iter().any(|file| file.name == **name)).cloned();
    let mut names: Vec<String> = differs.chain(gone).collect();
    names.sort();
    names
}

/// Looks at the gates of a phase until they are open, or says why they are not.
async fn pass_gates<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    request: &Request<'_>,
    phase: Phase,
    before: &mut Vec<Judgement>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome> {
    let plan = context.plan;
    let gates = gate::gates_of(plan, phase);
    if gates.is_empty() {
        return Ok(Outcome::Finished);
    }
    loop {
        let evidence = evidence(session, context.ledger, plan, &request.directory)
            .await
            .map_err(|error| Trouble::from(error).into_error("the gates"))?;
        let judgements: Vec<Judgement> = gates.iter().map(|gate| gate::judge(gate, &evidence)).collect();
        let news = judgements != *before;
        if news {
            remember(session, context, phase, &judgements).await.map_err(|trouble| trouble.into_error("the gates"))?;
            on_event(Event::Judged { phase, judgements: judgements.clone() });
            before.clone_from(&judgements);
        }
        if let Some(failed) = judgements.iter().find(|judgement| judgement.verdict == Verdict::Fail) {
            return Err(Error::new(Kind::Refused, format!("gate {} refuses the {} phase", failed.gate, phase.name()))
                .because(&failed.because));
        }
        let Some(closed) = judgements.iter().find(|judgement| judgement.verdict != Verdict::Pass) else {
            return Ok(Outcome::Finished);
        };
        let Some(pause) = request.wait else { return Ok(Outcome::Waiting(judgements)) };
        if news {
            on_event(Event::Waiting { because: format!("{}: {}", closed.gate, closed.because) });
        }
        if !sleep(pause, request.stop).await {
            return Ok(Outcome::Interrupted);
        }
        if !context
            .ledger
            .renew(session, context.lease)
            .await
            .map_err(|error| Trouble::from(error).into_error("the gates"))?
        {
            return Err(Trouble::LeaseLost.into_error("the gates"));
        }
    }
}

/// One snapshot of everything that the gates of a plan ask about.
///
/// # Errors
/// What the database refused; what a cluster refuses is part of the evidence.
pub async fn evidence<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &Plan,
    directory: &std::path::Path,
) -> Result<Evidence, DatabaseError> {
    let approvals = ledger.approvals(session, &plan.name).await?;
    let sessions = match database::sessions(session).await? {
        SeenSessions::NotKnowable(why) => Sessions::NotKnowable(why),
        SeenSessions::Masked(why) => Sessions::Masked(why),
        SeenSessions::Seen(seen) => {
            let session =
                |one: database::SeenSession| SessionSeen { user: one.user, application_name: one.application_name };
            Sessions::Seen(seen.into_iter().map(session).collect())
        }
    };
    let kubernetes = gate::evidence::kubernetes::collect(plan, directory, std::time::SystemTime::now()).await;
    Ok(Evidence { approvals, sessions, kubernetes })
}

async fn remember<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    phase: Phase,
    judgements: &[Judgement],
) -> Result<(), Trouble> {
    begin(session).await?;
    let written = async {
        for judgement in judgements {
            context.ledger.judged(session, &context.plan.name, phase, judgement).await?;
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await
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
