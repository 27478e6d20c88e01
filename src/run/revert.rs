//! Undoes a change that is in expand or backfill, also from half way: by the statements of revert.sql, each with its
//! ledger row as in a run.
//!
//! Invariants: nothing is undone once a statement of contract was begun; what is lost is told before; no version that
//! uses what goes may be connected; an undo that was begun is finished before the change can run again, and whatever
//! was killed, the same command goes on.

mod loss;
mod refusal;
mod traces;

use std::path::Path;
use std::time::Duration;

use super::ledger::{RevertRecord, State};
use super::throttle::{self, Ahead};
use super::{Context, Done, Event, Outcome, Request, Trouble, begin, finish, gates, refuse_other_sql, sleep, tell};
use super::{Lease, Ledger, Word};
use super::{standstill, statement};
use crate::database::{self, DatabaseError, Held, Session};
use crate::error::{Error, Kind, Result};
use crate::gate::{self, Judgement, Verdict};
use crate::plan::{Action, Phase, Plan, Probe, Step};

pub use loss::Loss;
pub(super) use loss::differing;
pub(super) use traces::remember;

/// What there is to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// It was undone before.
    Undone(RevertRecord),
    Undoable {
        /// What goes for good.
        losses: Vec<Loss>,
        /// Whether the new version is gone.
        judgements: Vec<Judgement>,
        /// An earlier undo was cut off: it only goes on.
        begun: Option<RevertRecord>,
    },
}

/// Looks at what an undo would do; writes nothing.
///
/// # Errors
/// A change that has not begun, that cannot be undone any more, or that does not say how.
pub async fn survey<S: Session>(session: &mut S, ledger: &Ledger, plan: &Plan, directory: &Path) -> Result<Survey> {
    let begun = match stands(session, ledger, plan).await? {
        Stands::Undone(last) => return Ok(Survey::Undone(last)),
        Stands::Begun(begun) => begun,
    };
    let evidence = super::evidence(session, ledger, plan, directory).await.map_err(unreadable)?;
    let judgements = gate::gates_of_revert(plan).iter().map(|gate| gate::judge(gate, &evidence)).collect();
    let losses = loss::losses(session, plan)
        .await
        .map_err(|error| Error::new(Kind::Connection, "what would be lost cannot be asked for").because(error))?;
    Ok(Survey::Undoable { losses, judgements, begun })
}

/// Where a change stands that can be undone, or was.
enum Stands {
    Undone(RevertRecord),
    /// With the undo that was cut off.
    Begun(Option<RevertRecord>),
}

async fn stands<S: Session>(session: &mut S, ledger: &Ledger, plan: &Plan) -> Result<Stands> {
    ledger.refuse_other_schemas(session, &plan.name).await?;
    let last = ledger.last_revert(session, &plan.name).await.map_err(unreadable)?;
    let record = ledger.plan(session, &plan.name).await.map_err(unreadable)?;
    let steps = ledger.steps(session, &plan.name).await.map_err(unreadable)?;
    let has_begun = steps.iter().any(|step| step.state != State::Pending || step.last_key.is_some());
    if record.is_none() || !has_begun {
        return match last {
            Some(last) if record.is_none() => Ok(Stands::Undone(last)),
            _ => Err(Error::input(format!("{} has not begun on this database: there is nothing to undo", plan.name))),
        };
    }
    refuse_other_sql(session, ledger, plan).await?;
    refusal::after_contract(plan, &steps)?;
    refusal::without_a_way(session, ledger, plan).await?;
    Ok(Stands::Begun(last.filter(|last| last.finished_at.is_none())))
}

fn unreadable(error: DatabaseError) -> Error {
    Error::new(Kind::Connection, "the ledger cannot be read").because(error)
}

/// Undoes the change, or goes on with that. The word stands in for evidence that is missing at this moment.
///
/// # Errors
/// As `survey`; a failed gate, a failed step, or something that revert.sql leaves behind.
pub async fn undo<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    lease: &Lease,
    request: &Request<'_>,
    word: Word<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome> {
    let plan = request.plan;
    let Stands::Begun(begun) = stands(session, ledger, plan).await? else { return Ok(Outcome::Finished) };
    let in_words = |trouble: Trouble| trouble.into_error(&format!("undoing {}", plan.name));
    ledger.settle(session, lease, &plan.name, true).await?;
    let context = Context::of(session, ledger, lease, request, true).await.map_err(|error| in_words(error.into()))?;
    stand_in(session, &context, request, word).await?;
    let mut judged = Vec::new();
    // Nothing is begun that could not go on.
    match gates::pass(session, &context, request, Phase::Expand, &mut judged, on_event).await? {
        gates::Gates::Open { .. } => {}
        gates::Gates::Closed(judgements) => return Ok(Outcome::Waiting(judgements)),
        gates::Gates::Interrupted => return Ok(Outcome::Interrupted),
    }
    open(session, &context, begun.as_ref(), word, on_event).await.map_err(in_words)?;
    if !await_orphans(session, &context, on_event).await.map_err(in_words)? {
        return Ok(Outcome::Interrupted);
    }
    let mut tries = statement::Tries::default();
    loop {
        let records = ledger.revert_steps(session, &plan.name).await.map_err(|error| in_words(error.into()))?;
        let next = plan.revert.iter().zip(&records).find(|(_, record)| record.state != State::Done);
        let Some((step, record)) = next else { break };
        if (request.stop)() {
            return Ok(Outcome::Interrupted);
        }
        match throttle::before_step(session, &context, request.wait.is_some(), on_event).await.map_err(in_words)? {
            Ahead::Free => {}
            Ahead::Held(because) => return Ok(Outcome::Held(because)),
            Ahead::Interrupted => return Ok(Outcome::Interrupted),
        }
        let seen = match gates::pass(session, &context, request, step.phase, &mut judged, on_event).await? {
            gates::Gates::Open { seen, .. } => seen,
            gates::Gates::Closed(judgements) => return Ok(Outcome::Waiting(judgements)),
            gates::Gates::Interrupted => return Ok(Outcome::Interrupted),
        };
        let performed = if record.state == State::Pending && is_gone(session, step).await {
            statement::mark_alone(session, &context, step, State::Done).await.map(|()| {
                on_event(Event::NothingToUndo { step: step.id.clone() });
                None
            })
        } else {
            if tries.enter(step) {
                let resumed = record.state == State::Running;
                on_event(Event::StepStarted { step: step.id.clone(), sql: statement::sent(plan, step), resumed });
            }
            match &step.action {
                Action::Statement { transactional: false } => {
                    standstill::probed(session, &context, step, record, &mut tries, on_event).await
                }
                _ => statement::transactional(session, &context, step, &seen, &mut tries, on_event).await,
            }
            .map(Some)
        };
        match performed {
            Ok(Some(Done::Yes { found })) => {
                on_event(Event::StepDone { step: step.id.clone(), found });
            }
            Ok(None) => {}
            Ok(Some(Done::Interrupted)) => return Ok(Outcome::Interrupted),
            Err(trouble) => match statement::again(trouble, &mut tries, step, &context, on_event).await {
                Ok(true) => {}
                Ok(false) => return Ok(Outcome::Interrupted),
                Err(trouble) => return Err(tell(session, &context, step, trouble).await),
            },
        }
    }
    refuse_leftovers(session, &context, on_event).await?;
    close(session, &context).await.map_err(in_words)?;
    on_event(Event::Reverted { plan: plan.name.clone() });
    Ok(Outcome::Finished)
}

/// A change that is half undone is neither old nor new.
pub(super) async fn refuse_while_reverting<S: Session>(session: &mut S, context: &Context<'_>) -> Result<()> {
    let plan = &context.plan.name;
    let last = context.ledger.last_revert(session, plan).await;
    match last.map_err(|error| Trouble::from(error).into_error(plan))? {
        Some(RevertRecord { by, started_at, finished_at: None, .. }) => {
            Err(Error::new(Kind::Refused, format!("{plan} is being undone, since {started_at} UTC, by {by}"))
                .hint("finish that with `lockkeeper revert`; then the change can begin anew"))
        }
        _ => Ok(()),
    }
}

/// The person's word for what cannot be known at this moment, bound to the files and to these gaps.
async fn stand_in<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    request: &Request<'_>,
    Word { by, reason }: Word<'_>,
) -> Result<()> {
    let Context { plan, ledger, .. } = *context;
    let unwritten = |error| Error::new(Kind::Connection, "the word was not written down").because(error);
    let evidence = super::evidence(session, ledger, plan, &request.directory).await.map_err(unwritten)?;
    for gate in gate::gates_of_revert(plan) {
        if gate::judge(&gate, &evidence).verdict == Verdict::Unknown {
            let gaps = gate::without_stand_in(&gate, &evidence).gaps;
            ledger.approve(session, plan, &gate.name, by, reason, &gaps).await.map_err(unwritten)?;
        }
    }
    Ok(())
}

async fn open<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    begun: Option<&RevertRecord>,
    word: Word<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    let Context { plan, ledger, lease, .. } = *context;
    if begun.is_none_or(|begun| begun.digest != plan.digest) {
        begin(session).await?;
        let written = async {
            ledger.begin_revert(session, plan, word.by, word.reason).await?;
            ledger.event(session, &plan.name, "", "reverting", &format!("{}: {}", word.by, word.reason)).await?;
            ledger.fence(session, lease).await
        }
        .await;
        finish(session, written).await?;
    }
    let records = ledger.revert_steps(session, &plan.name).await?;
    let done = records.iter().filter(|record| record.state == State::Done).count();
    on_event(Event::Reverting { plan: plan.name.clone(), steps: plan.revert.len(), done });
    Ok(())
}

/// Waits for a server that is still at work on a statement of a runner that is gone: what it makes would turn up
/// after its undo. False when the user asked to stop.
async fn await_orphans<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<bool, Trouble> {
    let records = context.ledger.steps(session, &context.plan.name).await?;
    for (step, record) in context.plan.steps.iter().zip(&records) {
        if record.state != State::Running || step.action != (Action::Statement { transactional: false }) {
            continue;
        }
        let mut told = false;
        while database::is_executing(session, &step.sql).await? {
            if !std::mem::replace(&mut told, true) {
                let because = format!("{}: the server is still at work on it for an earlier run", step.id);
                on_event(Event::Waiting { because });
            }
            if !sleep(Duration::from_secs(1), context.stop).await {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// All that the step would drop is gone, or was never made. What cannot be asked is for the step to find out.
async fn is_gone<S: Session>(session: &mut S, step: &Step) -> bool {
    let Probe::Schema(expectations) = &step.probe else { return false };
    for expectation in expectations {
        if expectation.exists() != Some(false) || database::holds(session, expectation).await != Ok(Held::Yes) {
            return false;
        }
    }
    true
}

/// What expand or backfill has changed and revert.sql has not undone: the change stays half undone until it is.
async fn refuse_leftovers<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    let plan = context.plan;
    let in_words = |error: DatabaseError| Trouble::from(error).into_error(&format!("undoing {}", plan.name));
    let Some(traces) = traces::of(session, context.ledger, plan).await.map_err(in_words)? else {
        let what = "what it is that revert.sql forgets, if it does: the change began before the ledger kept how its \
                    tables were defined";
        on_event(Event::LeftBehind { what: what.to_string() });
        return Ok(());
    };
    let (left, others): (Vec<_>, Vec<_>) = traces.iter().partition(|trace| trace.is_ours());
    for trace in others {
        on_event(Event::LeftBehind { what: trace.to_string() });
    }
    if left.is_empty() {
        return Ok(());
    }
    let undoing = traces::undoing(plan.dialect, &traces);
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    Err(Error::new(Kind::Step, format!("revert.sql is carried out, and leaves behind: {}", left.join(", ")))
        .hint(format!("let revert.sql undo that too, as by:\n{}", undoing.trim_end()))
        .hint("then run the same command again: what is done stays done"))
}

async fn close<S: Session>(session: &mut S, context: &Context<'_>) -> Result<(), Trouble> {
    let Context { plan, ledger, lease, .. } = *context;
    begin(session).await?;
    let written = async {
        ledger.end_revert(session, &plan.name).await?;
        ledger.event(session, &plan.name, "", "reverted", &plan.digest).await?;
        ledger.fence(session, lease).await
    }
    .await;
    finish(session, written).await
}
