//! An UPDATE in batches by key. Workers claim ranges of the key through the ledger, and each batch commits together
//! with the row that says how far its range got.
//!
//! Invariants: a bound is found by one probe of the key's index; a batch that is committed is never repeated,
//! and one that is not leaves nothing behind, whoever is killed; rows beyond the key that was the greatest at the
//! beginning are the sync triggers' business, so that a busy table cannot make a backfill endless.

mod batch;
mod failing;
mod join;
mod quarantine;
mod worker;

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use super::ledger::range::{Claimant, Course};
use super::ledger::{State, StepRecord};
use super::range::Ranges;
use super::throttle::Watch;
use super::{Context, Done, Event, Trouble, begin, finish};
use crate::database::{self, Session};
use crate::plan::{Backfill, Plan, Step};
use crate::run::Ledger;
pub use join::{Helped, Helper, help};
use worker::Ended;
pub(super) use worker::strictly;

/// What the workers of one backfill share.
struct Job<'a> {
    plan: &'a Plan,
    ledger: &'a Ledger,
    step: &'a Step,
    backfill: &'a Backfill,
    claimant: Claimant<'a>,
    ranges: Ranges,
    /// The greatest key at the beginning.
    final_key: String,
    rows_total: Option<u64>,
    rows_done: AtomicU64,
    watch: Watch,
    stop: &'a (dyn Fn() -> bool + Sync),
    /// One of the workers is in trouble: the others finish their batch.
    halted: AtomicBool,
    on_event: Mutex<&'a mut (dyn FnMut(Event) + Send)>,
}

impl Job<'_> {
    fn tell(&self, event: Event) {
        // A listener that panicked has no more to hear.
        if let Ok(mut on_event) = self.on_event.lock() {
            on_event(event);
        }
    }

    fn course(&self) -> Course<'_> {
        Course { goes_by: self.ranges.goes_by(), final_key: &self.final_key }
    }

    fn stopping(&self) -> bool {
        (self.stop)() || self.halted.load(Ordering::SeqCst)
    }
}

/// Carries the backfill on from where the ledger says it is, to the greatest key at its beginning.
pub(super) async fn fill<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    backfill: &Backfill,
    record: &StepRecord,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let (plan, ledger) = (context.plan, context.ledger);
    let begun = record.final_key.clone().filter(|_| record.state == State::Running);
    let before = ledger.goes_by(session, &plan.name, &step.id).await?.filter(|_| begun.is_some());
    let ranges = Ranges::of(session, &backfill.rows, before.as_deref()).await?;
    if plan.settings.quarantine {
        ranges.tell_rows_apart()?;
    }
    let moved = match &begun {
        Some(final_key) if !final_key.is_empty() => ranges.moved(session, before.as_deref(), final_key).await?,
        _ => None,
    };
    let (final_key, rows_total) = match begun.filter(|_| moved.is_none()) {
        Some(final_key) => {
            if before.is_none() {
                // An older program began it, and did not say.
                begin(session).await?;
                let written = async {
                    ledger.set_goes_by(session, &plan.name, &step.id, ranges.goes_by()).await?;
                    ledger.fence(session, context.lease).await
                }
                .await;
                finish(session, written).await?;
            }
            (final_key, record.rows_total)
        }
        None => {
            let total = database::estimate_rows(session, &backfill.rows.table).await?;
            // An empty table has nothing to fill; its future rows are the sync triggers' business.
            let final_key = ranges.greatest(session).await?.unwrap_or_default();
            begin(session).await?;
            let written = async {
                if let Some(because) = &moved {
                    ledger.restart_backfill(session, &plan.name, &step.id).await?;
                    ledger.event(session, &plan.name, &step.id, "begun-again", because).await?;
                }
                ledger.begin_backfill(session, &plan.name, &step.id, &final_key, total).await?;
                ledger.set_goes_by(session, &plan.name, &step.id, ranges.goes_by()).await?;
                ledger.fence(session, context.lease).await
            }
            .await;
            finish(session, written).await?;
            if let Some(because) = &moved {
                on_event(Event::BegunAgain { step: step.id.clone(), because: because.clone() });
            }
            (final_key, total)
        }
    };
    let watch = Watch::begin(session, context, &backfill.rows.table, on_event).await?;
    let job = Job {
        plan,
        ledger,
        step,
        backfill,
        claimant: Claimant { holder: &context.lease.holder, lease: Some(context.lease) },
        ranges,
        final_key,
        rows_total,
        rows_done: AtomicU64::new(if moved.is_some() { 0 } else { record.rows_done }),
        watch,
        stop: context.stop,
        halted: AtomicBool::new(false),
        on_event: Mutex::new(on_event),
    };
    if !job.final_key.is_empty() && work(session, &job, context.workers).await? == Ended::Interrupted {
        return Ok(Done::Interrupted);
    }
    if !job.final_key.is_empty() {
        job.ranges.see_to_the_end(session, &backfill.rows, &job.final_key).await?;
    }
    let rows_done = job.rows_done.load(Ordering::SeqCst);
    quarantine::try_again(session, context, &job).await?;
    job.watch.end(session).await?;
    begin(session).await?;
    let written = async {
        ledger.end_backfill(session, &plan.name, &step.id).await?;
        ledger.event(session, &plan.name, &step.id, "done", &format!("{rows_done} rows")).await?;
        ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    Ok(Done::Yes { found: false })
}

/// All workers at once, each on a connection of its own; the first trouble of any of them.
async fn work<S: Session>(session: &mut S, job: &Job<'_>, workers: u32) -> Result<Ended, Trouble> {
    let mut crew = Vec::new();
    for _ in 1..workers {
        let mut worker = session.another().await?;
        job.watch.join(&mut worker).await?;
        crew.push(worker);
    }
    let mut at_work: Vec<_> =
        crew.iter_mut().chain([session]).map(|session| Box::pin(worker::work(session, job))).collect();
    let mut ended = Vec::new();
    poll_fn(|wake| {
        at_work.retain_mut(|worker| match worker.as_mut().poll(wake) {
            Poll::Ready(end) => {
                if end.is_err() {
                    job.halted.store(true, Ordering::SeqCst);
                }
                ended.push(end);
                false
            }
            Poll::Pending => true,
        });
        if at_work.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ended
        .into_iter()
        .try_fold(Ended::NothingLeft, |so_far, end| end.map(|end| if end == Ended::Interrupted { end } else { so_far }))
}
