//! The proof that a backfill is complete: no row differs, asked range by range, or by the user's own queries.

use super::ledger::{State, StepRecord};
use super::range::Ranges;
use super::{Context, Done, Event, Trouble, begin, finish};
use crate::database::Session;
use crate::error::{Error, Kind};
use crate::plan::{Action, Phase, Step, Verify};

/// Rows of one question: reading is cheaper than writing, so ten batches at once.
const ROWS: u64 = 50_000;

/// Proves, or sends the backfills of the plan back to the start and says which row is an example.
pub(super) async fn prove<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    verify: &Verify,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let example = match verify {
        Verify::Derived { rows, sources, condition } => {
            let ranges = Ranges::of(session, rows).await?;
            match differing(session, context, &ranges, sources, condition).await? {
                Answer::Interrupted => return Ok(Done::Interrupted),
                Answer::Clean => None,
                Answer::Differs(key) => {
                    Some(format!("row {} of `{}` differs", key.replace('\u{1f}', ", "), rows.table))
                }
            }
        }
        Verify::Query => {
            let rows = session.query(&step.sql, &[]).await?;
            (!rows.is_empty()).then(|| format!("the query returns {} rows", rows.len()))
        }
    };
    let plan = &context.plan.name;
    begin(session).await?;
    let written = async {
        match &example {
            None => {
                context.ledger.set_state(session, plan, &step.id, State::Done).await?;
                context.ledger.event(session, plan, &step.id, "proved", &step.sql).await?;
            }
            Some(example) => {
                for other in &context.plan.steps {
                    if matches!(other.action, Action::Backfill(_)) {
                        context.ledger.restart_backfill(session, plan, &other.id).await?;
                    } else if matches!(other.action, Action::Verify(_)) {
                        context.ledger.set_state(session, plan, &other.id, State::Pending).await?;
                    }
                }
                context.ledger.event(session, plan, &step.id, "differs", example).await?;
            }
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    let Some(example) = example else { return Ok(Done::Yes { found: false }) };
    on_event(Event::ProofFailed { step: step.id.clone(), example: example.clone() });
    Err(Error::new(Kind::Step, format!("step {} ({}:{}): the backfill is not complete: {example}", step.id, step.file, step.line))
        .hint("a version that knows nothing of the new shape may still be writing without a sync trigger, or the WHERE of backfill.sql leaves rows out")
        .hint("the same command runs the backfill and its proof again")
        .into())
}

/// Before the first statement of contract: a proof taken earlier, before a crash or a wait at the gates, says
/// nothing about rows that a version written off too early has touched since. Whether there was one.
pub(super) async fn expire<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    records: &[StepRecord],
) -> Result<bool, Trouble> {
    let contract = || context.plan.steps.iter().zip(records).filter(|(step, _)| step.phase == Phase::Contract);
    let is_proof = |step: &Step| matches!(step.action, Action::Verify(_));
    let begun = contract().any(|(step, record)| !is_proof(step) && record.state != State::Pending);
    let taken: Vec<_> = contract().filter(|(step, record)| is_proof(step) && record.state == State::Done).collect();
    if begun || taken.is_empty() {
        return Ok(false);
    }
    begin(session).await?;
    let written = async {
        for (step, _) in &taken {
            context.ledger.set_state(session, &context.plan.name, &step.id, State::Pending).await?;
            context.ledger.event(session, &context.plan.name, &step.id, "expired", "").await?;
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    Ok(true)
}

enum Answer {
    Clean,
    Differs(String),
    Interrupted,
}

async fn differing<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    ranges: &Ranges,
    sources: &str,
    condition: &str,
) -> Result<Answer, Trouble> {
    let mut from: Option<String> = None;
    if let Some(last) = ranges.greatest(session).await? {
        while from.as_deref() != Some(last.as_str()) {
            if (context.stop)() {
                return Ok(Answer::Interrupted);
            }
            let (to, _) = ranges.bound(session, from.as_deref(), &last, ROWS).await?;
            if let Some(key) = ranges.find(session, sources, from.as_deref(), Some(&to), condition).await? {
                return Ok(Answer::Differs(key));
            }
            from = Some(to);
        }
    }
    // Rows that came meanwhile.
    Ok(match ranges.find(session, sources, from.as_deref(), None, condition).await? {
        Some(key) => Answer::Differs(key),
        None => Answer::Clean,
    })
}
