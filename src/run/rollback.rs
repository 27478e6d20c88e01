//! Whether a version of the application would work on the schema as it is now: by the ladders of the changes and by
//! what the ledger says is done of each.
//!
//! Invariant: what is not known is never a yes.

mod refused;

use super::revert::differing;
use super::{Ledger, State, StepRecord, refuse_other_sql};
use crate::database::{DatabaseError, Session};
use crate::error::{Error, Kind, Result};
use crate::plan::strategy::{Rung, ladder};
use crate::plan::{Action, Phase, Plan};

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    NotBegun,
    Expanding,
    /// Expand is done, the backfill or its proof is not.
    Filling,
    Filled,
    /// From this step of contract on.
    Contracting(String),
    Contracted,
    Reverting,
}

impl Progress {
    /// The word of output.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotBegun => "not begun",
            Self::Expanding => "expand",
            Self::Filling => "backfill",
            Self::Filled => "backfill done",
            Self::Contracting(_) => "contract",
            Self::Contracted => "contract done",
            Self::Reverting => "being undone",
        }
    }
}

/// The answer of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub change: String,
    /// `None`: a change that only the ledger knows.
    pub progress: Option<Progress>,
    /// What the version is to the change.
    pub rung: Option<Rung>,
    /// `None`: it cannot be told.
    pub works: Option<bool>,
    pub because: String,
}

/// All answers as one: no where one says no, and yes only where all do.
pub fn together(answers: &[Answer]) -> Option<bool> {
    match answers.iter().any(|answer| answer.works == Some(false)) {
        true => Some(false),
        false => answers.iter().all(|answer| answer.works == Some(true)).then_some(true),
    }
}

/// Judges `version` by every change, which come in the order of time. `all`: they are all that there are, so that
/// another one in the ledger is not known here.
///
/// # Errors
/// A version that no change knows, a change whose files are not those that were begun, an unreadable ledger.
pub async fn judge<S: Session>(session: &mut S, plans: &[Plan], all: bool, version: &str) -> Result<Vec<Answer>> {
    let named = |plan: &Plan| ladder(&plan.settings).iter().any(|(_, name)| *name == Some(version));
    let (Some(first), Some(last)) = (plans.iter().position(named), plans.iter().rposition(named)) else {
        return Err(unknown_version(plans, version));
    };
    let ledger = Ledger::find(session).await?;
    let mut answers = Vec::new();
    for (at, plan) in plans.iter().enumerate() {
        let progress = match &ledger {
            Some(ledger) => progress(session, ledger, plan).await?,
            None => Progress::NotBegun,
        };
        let own = ladder(&plan.settings).into_iter().find(|(_, name)| *name == Some(version)).map(|(rung, _)| rung);
        // Who is first named by a later change came before its new shape, and after that of an earlier one.
        let rung = own.or(match at {
            at if at < first => Some(Rung::New),
            at if at > last => Some(Rung::Old),
            _ => None,
        });
        let (works, because) = match rung {
            Some(rung) => {
                let answer = works(session, plan, &progress, rung).await.map_err(unreadable)?;
                match &ledger {
                    Some(ledger) if rung == Rung::Old && answer.0 != Some(false) => {
                        let refused = refused::refused(session, ledger, plan).await.map_err(unreadable)?;
                        refused.unwrap_or(answer)
                    }
                    _ => answer,
                }
            }
            None => (None, format!("change.toml does not say what {version} reads and writes")),
        };
        answers.push(Answer { change: plan.name.clone(), progress: Some(progress), rung, works, because });
    }
    if let (Some(ledger), true) = (&ledger, all) {
        for other in ledger.plans(session).await.map_err(unreadable)? {
            if !plans.iter().any(|plan| plan.name == other.plan) {
                answers.push(Answer {
                    change: other.plan,
                    progress: None,
                    rung: None,
                    works: None,
                    because:
                        "the ledger knows it, and it is not in the directory: what it has changed is not known here"
                            .into(),
                });
            }
        }
    }
    Ok(answers)
}

fn unreadable(error: DatabaseError) -> Error {
    Error::new(Kind::Connection, "the ledger or the tables cannot be read").because(error)
}

fn unknown_version(plans: &[Plan], version: &str) -> Error {
    let mut known: Vec<&str> =
        plans.iter().flat_map(|plan| ladder(&plan.settings)).filter_map(|(_, name)| name).collect();
    known.sort_unstable();
    known.dedup();
    let error = Error::input(format!("no change knows a version `{version}`"));
    match known.is_empty() {
        true => error.hint("name them in change.toml: [versions] old = \"v1\", new = \"v2\""),
        false => error.hint(format!("the versions are {}", known.join(", "))),
    }
}

async fn progress<S: Session>(session: &mut S, ledger: &Ledger, plan: &Plan) -> Result<Progress> {
    if ledger.last_revert(session, &plan.name).await.map_err(unreadable)?.is_some_and(|last| last.finished_at.is_none())
    {
        return Ok(Progress::Reverting);
    }
    let records = ledger.steps(session, &plan.name).await.map_err(unreadable)?;
    if records.iter().all(|record| record.state == State::Pending && record.last_key.is_none()) {
        return Ok(Progress::NotBegun);
    }
    refuse_other_sql(session, ledger, plan).await?;
    Ok(how_far(plan, &records))
}

fn how_far(plan: &Plan, records: &[StepRecord]) -> Progress {
    let state = |id: &str| records.iter().find(|record| record.id == id).map_or(State::Pending, |record| record.state);
    let done = |phase| plan.steps_of(phase).all(|step| state(&step.id) == State::Done);
    let mut contract =
        plan.steps_of(Phase::Contract).filter(|step| matches!(step.action, Action::Statement { .. })).peekable();
    let all_there = contract.peek().is_some() && done(Phase::Contract);
    match contract.find(|step| state(&step.id) != State::Pending) {
        Some(_) if all_there => Progress::Contracted,
        Some(step) => Progress::Contracting(step.id.clone()),
        None if !done(Phase::Expand) => Progress::Expanding,
        None if !done(Phase::Backfill) => Progress::Filling,
        None => Progress::Filled,
    }
}

/// Whether a version of this rung would work, and why.
async fn works<S: Session>(
    session: &mut S,
    plan: &Plan,
    progress: &Progress,
    rung: Rung,
) -> Result<(Option<bool>, String), DatabaseError> {
    let is_there = match progress {
        Progress::NotBegun => None,
        Progress::Expanding | Progress::Reverting => None,
        Progress::Filling => Some(Phase::Expand),
        Progress::Filled | Progress::Contracting(_) | Progress::Contracted => Some(Phase::Backfill),
    };
    if rung.after() > is_there {
        let lacks = match progress {
            Progress::Filling => {
                "the backfill is not finished: rows that it has not come to look empty in the new shape"
            }
            Progress::Reverting => "the change is being undone",
            _ => "expand is not finished: the new shape is not there",
        };
        return Ok((Some(false), format!("it {}, and {lacks}", rung.shapes())));
    }
    match progress {
        Progress::Contracting(step) if !rung.outlives_contract() => {
            return Ok((Some(false), format!("it {}, and contract has begun with {step}", rung.shapes())));
        }
        Progress::Contracted if !rung.outlives_contract() => {
            return Ok((Some(false), format!("it {}, and contract has done away with the old shape", rung.shapes())));
        }
        Progress::NotBegun => return Ok((Some(true), "nothing of the change is done".into())),
        _ => {}
    }
    if !rung.reads_old() || plan.settings.two_way_sync {
        let alike = if rung.reads_old() { ", which the sync keeps alike" } else { "" };
        return Ok((Some(true), format!("it {}{alike}", rung.shapes())));
    }
    if plan.steps_of(Phase::Contract).next().is_none() {
        return Ok((Some(true), format!("it {}, which nothing takes the place of", rung.shapes())));
    }
    Ok(match differing(session, plan).await? {
        Some(0) => (Some(true), format!("it {}, and no value is in the new one alone", rung.shapes())),
        Some(rows) => (
            Some(false),
            format!("it {}, and {rows} values are in the new one alone: nothing keeps the shapes alike", rung.shapes()),
        ),
        None => (None, format!("it {}, and whether values are in the new one alone cannot be counted", rung.shapes())),
    })
}
