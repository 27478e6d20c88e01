//! Events of a run as lines and a bar on stderr.
//!
//! A bar only where somebody watches; elsewhere lines that thin out, so that the log of a night's backfill
//! can be read. Every line makes sense without colour.

use std::time::Duration;

use colored::Colorize;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::pace::{Pace, roughly};
use super::status::{counted, one_line, proved, rows_of};
use crate::database::Blocker;
use crate::gate::Verdict;
use crate::run::Event;
use crate::run::throttle::Reading;

/// Turns events into what a person sees.
pub struct Progress {
    /// `None` where lines have to do.
    bar: Option<ProgressBar>,
    /// The backfill at hand, and how fast it goes.
    step: String,
    pace: Pace,
    /// Of the signals that were read, the one nearest to its limit, in words.
    load: Option<String>,
    last_line: Option<Told>,
}

/// When a line about a backfill was last said, and how far it was.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: Duration,
    percent: Option<u64>,
}

impl Progress {
    /// `terminal`: stderr is one, and somebody watches it.
    pub fn new(terminal: bool) -> Self {
        Self::on(terminal.then(ProgressDrawTarget::stderr))
    }

    /// The bar on a terminal of the caller's; `None` for lines.
    pub fn on(terminal: Option<ProgressDrawTarget>) -> Self {
        let bar = terminal.map(|target| {
            let bar = ProgressBar::with_draw_target(None, target);
            let style = ProgressStyle::with_template("  {bar:16} {wide_msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, step: String::new(), pace: Pace::default(), load: None, last_line: None }
    }

    /// Says what happened, `at` so long after the run began; through `say` where it is a line.
    pub fn event(&mut self, event: &Event, at: Duration, say: &mut dyn FnMut(&str)) {
        if let Event::Load { readings } = event {
            self.load = nearest(readings).map(|reading| reading.what.clone());
            return;
        }
        if let Event::Batch { step, rows_done, rows_total, rows, milliseconds } = event {
            let load = self.load.as_ref().map_or(String::new(), |load| format!("; {load}"));
            if self.step != *step {
                self.step.clone_from(step);
                (self.pace, self.last_line) = (Pace::default(), None);
            }
            self.pace.see(at, *rows_done);
            let percent = percent(*rows_done, *rows_total);
            if let Some(bar) = &self.bar {
                if bar.is_finished() {
                    bar.reset();
                }
                match rows_total.filter(|total| rows_done <= total) {
                    Some(total) => bar.set_length(total),
                    // Full, and the words say why: a bar that starts over would lie.
                    None => bar.set_length(*rows_done),
                }
                bar.set_position(if rows_total.is_some() { *rows_done } else { 0 });
                let how_far = how_far(*rows_done, *rows_total, &self.pace);
                bar.set_message(format!("{how_far}, {milliseconds} ms a batch{load}"));
            } else if line_is_due(self.last_line, at, percent) {
                self.last_line = Some(Told { at, percent });
                let how_far = how_far(*rows_done, *rows_total, &self.pace);
                say(&format!("  {step}  {how_far} (last batch: {rows} rows in {milliseconds} ms{load})\n"));
            }
            return;
        }
        let mut tell = || lines(event).iter().for_each(|line| say(&format!("{line}\n")));
        match &self.bar {
            // Above the bar, which stands still for this reason until the next batch.
            Some(bar) if stands_still(event) => {
                bar.set_message(lines(event).concat().trim().to_string());
                bar.suspend(tell);
            }
            Some(bar) => {
                bar.finish_and_clear();
                tell();
            }
            None => tell(),
        }
    }
}

/// The first one of a backfill; then every tenth of it, and at least every half minute, but never two in a second.
fn line_is_due(last: Option<Told>, at: Duration, percent: Option<u64>) -> bool {
    let Some(last) = last else { return true };
    let since = at.saturating_sub(last.at);
    let tenth = |percent: Option<u64>| percent.map(|percent| percent / 10);
    since >= Duration::from_secs(30) || (since >= Duration::from_secs(1) && tenth(percent) > tenth(last.percent))
}

/// Of an estimate, and never more than all of it.
pub(super) fn percent(rows_done: u64, rows_total: Option<u64>) -> Option<u64> {
    let total = rows_total.filter(|total| *total > 0 && rows_done <= *total)?;
    Some(rows_done.saturating_mul(100) / total)
}

/// The reading that comes closest to holding the work; the first one of equals, which is a replica's lag if any.
fn nearest(readings: &[Reading]) -> Option<&Reading> {
    let share = |reading: &Reading| Some(*reading.value.as_ref().ok()? / reading.limit?.stop_above);
    let judged = readings.iter().filter_map(|reading| Some((share(reading)?, reading)));
    judged.rev().max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, reading)| reading)
}

/// Rows done of rows, how fast, and how long the rest takes.
fn how_far(rows_done: u64, rows_total: Option<u64>, pace: &Pace) -> String {
    let mut text = rows_of(rows_done, rows_total);
    text += &percent(rows_done, rows_total).map_or(String::new(), |percent| format!(" ({percent} %)"));
    text += &pace.per_second().map_or(String::new(), |pace| format!(", {pace:.0} a second"));
    text += &pace.left(rows_total).map_or(String::new(), |left| format!(", about {} left", roughly(left)));
    text
}

/// What is at hand after this event, for somebody who asks to stop; the outer `None`: as before.
pub fn at_hand(event: &Event) -> Option<Option<String>> {
    match event {
        Event::StepStarted { step, sql, .. } => Some(Some(format!("{step} ({})", one_line(sql)))),
        Event::Batch { step, .. } => Some(Some(format!("the batch at hand of {step}"))),
        Event::StepDone { .. } | Event::Retry { .. } | Event::Waiting { .. } | Event::Throttled { .. } => Some(None),
        _ => None,
    }
}

/// After such an event the bar stays where it is for a while.
fn stands_still(event: &Event) -> bool {
    matches!(
        event,
        Event::Retry { .. }
            | Event::Waiting { .. }
            | Event::LeaseInDoubt { .. }
            | Event::Throttled { .. }
            | Event::Slowed { .. }
            | Event::WentOn { .. }
    )
}

/// An event in words; several lines where several gates were looked at.
pub fn lines(event: &Event) -> Vec<String> {
    match event {
        Event::Opened { plan, steps, done: 0 } => vec![format!("{plan}: {steps} steps")],
        Event::Opened { plan, steps, done } => vec![format!("{plan}: {steps} steps, {done} done by earlier runs")],
        Event::PhaseStarted { phase } => vec![phase.name().bold().to_string()],
        Event::StepStarted { step, sql, resumed: false } => vec![format!("  {step}  {}", one_line(sql))],
        Event::StepStarted { step, sql, resumed: true } => vec![format!("  {step}  {}  (going on)", one_line(sql))],
        Event::StepDone { step, found: false } => vec![format!("  {step}  {}", "done".green())],
        Event::StepDone { step, found: true } => {
            vec![format!("  {step}  {}: it had taken effect before its answer was lost", "done".green())]
        }
        Event::Repaired { step, what } => vec![format!("  {step}  removed what was left half done: {what}")],
        Event::OtherWay { step, because } => vec![format!("  {step}  {because}")],
        Event::BegunAgain { step, because } => vec![format!("  {step}  begins again: {because}")],
        Event::Batch { step, rows_done, rows_total, rows, milliseconds } => {
            let done = rows_of(*rows_done, *rows_total);
            vec![format!("  {step}  {done} (last batch: {rows} rows in {milliseconds} ms)")]
        }
        Event::Quarantined { step, row, because } => {
            vec![format!("  {step}  {}: row {row} cannot be filled: {because}", "quarantined".yellow())]
        }
        Event::Retry { step, attempt, because, by, milliseconds } => {
            let retry = format!(
                "  {step}  {because}; try {attempt} was given up so that nobody queues behind it, the next in {milliseconds} ms"
            );
            std::iter::once(retry).chain(in_the_way(step, by)).collect()
        }
        Event::Blocked { step, by } => in_the_way(step, by).collect(),
        Event::Proved { rows: 0, .. } => Vec::new(),
        Event::Proved { step, rows, ranges, repaired } => {
            vec![format!("  {step}  {}", proved(*rows, *ranges, *repaired))]
        }
        Event::Refilled { step, rows } => {
            vec![format!("  {step}  {} that differed filled again", counted(*rows, "row"))]
        }
        Event::Rechecked { step, proof, how } => vec![format!("  {step}  proof {proof} asked again: {how}")],
        Event::ProofFailed { step, example } => vec![format!("  {step}  {}: {example}", "not proved".red())],
        Event::Judged { judgements, .. } => judgements
            .iter()
            .map(|judgement| {
                let word = judgement.verdict.name();
                let word = match judgement.verdict {
                    Verdict::Pass => word.green(),
                    Verdict::Fail => word.red(),
                    Verdict::Pending | Verdict::Unknown => word.yellow(),
                };
                format!("  gate {}: {word}, {}", judgement.gate, judgement.because)
            })
            .collect(),
        Event::LeaseInDoubt { because } => vec![format!("  the lease could not be renewed: {because}")],
        Event::Waiting { because } => vec![format!("  waiting for {because}")],
        Event::Throttled { because, .. } => vec![format!("  {} {because}", "held:".yellow())],
        Event::Slowed { because } => vec![format!("  slower: {because}")],
        Event::Load { .. } => Vec::new(),
        Event::NotWatched { because } => vec![format!("  not watched: {because}")],
        Event::Advice { advice } => vec![format!("  advice: {advice}")],
        Event::Bypassed { because } => {
            vec![format!(
                "  no trigger sees it: {because}; only a look at every row keeps the proof, within `lock-time`"
            )]
        }
        Event::WentOn { milliseconds } => vec![format!("  going on after {} s", milliseconds.div_ceil(1000))],
        Event::SettingsChanged { files } => {
            vec![format!("{} changed since the last run: earlier approvals no longer count", files.join(", "))]
        }
        Event::Forced { by, reason, against } => {
            let head = format!("{} by {by}: {reason}", "forced".yellow());
            std::iter::once(head).chain(against.iter().map(|line| format!("  against it: {line}"))).collect()
        }
        Event::Reverting { plan, steps, done: 0 } => vec![format!("{plan}: being undone, {steps} steps")],
        Event::Reverting { plan, steps, done } => {
            vec![format!("{plan}: being undone, {steps} steps, {done} done by earlier runs")]
        }
        Event::NothingToUndo { step } => vec![format!("  {step}  {}: there was nothing to undo", "done".green())],
        Event::LeftBehind { what } => {
            vec![format!("  {}: left as it is, and perhaps not from this change: {what}", "look".yellow())]
        }
        Event::Reverted { plan } => vec![format!("{plan}: {}", "undone".green())],
        Event::Finished { plan } => vec![format!("{plan}: {}", "finished".green())],
        Event::Stopping { because, .. } => vec![because.clone()],
        // The command itself says how it ended, and what to do.
        Event::Ended { .. } => Vec::new(),
    }
}

/// A line for each who is in the way.
fn in_the_way<'a>(step: &'a str, by: &'a [Blocker]) -> impl Iterator<Item = String> + 'a {
    by.iter().map(move |blocker| format!("  {step}  in the way: {blocker}"))
}
