//! A further process, on any machine, that helps a run with its backfills. It has no lease and needs none: what it
//! writes is fenced by the token of the range that it has claimed.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::{Claimant, Context, Done, Ended, Job, Ranges, Trouble, Watch, work};
use crate::database::{DatabaseError, Session};
use crate::error::{Error, Kind, Result};
use crate::plan::{Action, Backfill, Plan, Step};
use crate::run::ledger::{State, StepRecord};
use crate::run::{Event, Lease, Ledger, Pace, changed_files, sleep};

/// How often a helper looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(500);

/// How a run is to be helped.
pub struct Helper<'a> {
    pub plan: &'a Plan,
    /// The change directory.
    pub directory: &'a Path,
    /// Who helps, for people; no two processes have the same.
    pub holder: &'a str,
    /// How many ranges at a time.
    pub workers: u32,
    pub pace: Option<Pace>,
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// How helping ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Helped {
    /// The backfills are done, so far as there was something to claim.
    Finished,
    /// There is no run under way that is at a backfill; the sentence says what there is.
    NothingToDo(String),
    Interrupted,
}

/// Takes part in the backfills of the run that is under way, until it is past them or gone.
///
/// # Errors
/// A change that is not the one under way; what stops a batch stops the helper, and the runner meets it, too.
pub async fn help<S: Session>(
    session: &mut S,
    helper: &Helper<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Helped> {
    let name = &helper.plan.name;
    let in_words = |error: DatabaseError| Trouble::from(error).into_error(&format!("helping with {name}"));
    let mut at = None;
    loop {
        if (helper.stop)() {
            return Ok(Helped::Interrupted);
        }
        let nothing = |why: String| if at.is_some() { Helped::Finished } else { Helped::NothingToDo(why) };
        let no_run = format!("no run of {name} is under way");
        // Made and brought up to date by runs alone.
        let Some(ledger) = Ledger::find(session).await? else { return Ok(nothing(no_run)) };
        if !ledger.has_ranges() || ledger.runner(session).await.map_err(in_words)?.is_none() {
            return Ok(nothing(no_run));
        }
        ledger.refuse_other_schemas(session, name).await?;
        let known = ledger.files(session, name).await.map_err(in_words)?;
        let changed = changed_files(helper.plan, &known);
        if !changed.is_empty() {
            return Err(Error::input(format!("{name}: {} is not as in the run that is under way", changed.join(", "))));
        }
        let records = ledger.steps(session, name).await.map_err(in_words)?;
        let at_hand = helper.plan.steps.iter().zip(&records).find(|(_, record)| record.state != State::Done);
        let Some((step, record)) = at_hand else { return Ok(nothing(format!("{name} is finished"))) };
        let Action::Backfill(backfill) = &step.action else {
            return Ok(nothing(format!("the run is at step {}, which is no backfill", step.id)));
        };
        if record.state == State::Running && record.final_key.as_deref().is_some_and(|key| !key.is_empty()) {
            if at != Some(&step.id) {
                at = Some(&step.id);
                on_event(Event::StepStarted { step: step.id.clone(), sql: step.sql.clone(), resumed: true });
            }
            let place = format!("step {} ({}:{})", step.id, step.file, step.line);
            let done = take_part(session, &ledger, helper, (step, backfill, record), on_event).await;
            if let Done::Interrupted = done.map_err(|trouble| trouble.into_error(&place))? {
                return Ok(Helped::Interrupted);
            }
        }
        sleep(LOOK, helper.stop).await;
    }
}

async fn take_part<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    helper: &Helper<'_>,
    (step, backfill, record): (&Step, &Backfill, &StepRecord),
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    // No lease has this token: what would need one is refused.
    let no_lease = Lease { holder: helper.holder.to_string(), token: 0 };
    let context = Context {
        plan: helper.plan,
        ledger,
        lease: &no_lease,
        directory: helper.directory,
        pace: helper.pace.as_ref(),
        workers: helper.workers,
        stop: helper.stop,
        // A helper carries out no statement that a second session would watch.
        url: "",
        session: None,
        reverting: false,
    };
    let ranges = ranges(session, ledger, &helper.plan.name, (step, backfill, record)).await?;
    let watch = Watch::begin(session, &context, &backfill.rows.table, on_event).await?;
    let job = Job {
        plan: helper.plan,
        ledger,
        step,
        backfill,
        claimant: Claimant { holder: helper.holder, lease: None },
        ranges,
        final_key: record.final_key.clone().unwrap_or_default(),
        rows_total: record.rows_total,
        rows_done: AtomicU64::new(record.rows_done),
        watch,
        stop: helper.stop,
        halted: AtomicBool::new(false),
        on_event: Mutex::new(on_event),
    };
    let ended = work(session, &job, helper.workers).await?;
    job.watch.end(session).await?;
    Ok(match ended {
        Ended::NothingLeft => Done::Yes { found: false },
        Ended::Interrupted => Done::Interrupted,
    })
}

/// The ranges as the run under way cuts them.
async fn ranges<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &str,
    (step, backfill, record): (&Step, &Backfill, &StepRecord),
) -> Result<Ranges, Trouble> {
    let Some(goes_by) = ledger.goes_by(session, plan, &step.id).await? else {
        return Err(Error::input(
            "the run under way is one of an older lockkeeper, which does not say how it cuts the rows",
        )
        .hint("help it with that version, or begin it again with this one")
        .into());
    };
    let ranges = Ranges::of(session, &backfill.rows, Some(&goes_by)).await?;
    let final_key = record.final_key.as_deref().unwrap_or_default();
    match ranges.moved(session, Some(&goes_by), final_key).await? {
        Some(because) => Err(Error::new(Kind::Step, because)
            .hint(
                "the run under way is stopped by that, too; the same command goes through the table from the beginning",
            )
            .into()),
        None => Ok(ranges),
    }
}
