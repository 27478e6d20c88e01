//! Events of a run as lines and a bar on stderr.
//!
//! A bar only where somebody watches; elsewhere lines that thin out, so that the log of a night's backfill
//! can be read. Every line makes sense without colour.

use std::time::{Duration, Instant};

use colored::Colorize;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::status::{one_line, rows_of};
use crate::gate::Verdict;
use crate::run::Event;

/// Turns events into what a person sees.
pub struct Progress {
    /// `None` where lines have to do.
    bar: Option<ProgressBar>,
    began: Instant,
    last_batch_line: Option<Instant>,
}

impl Progress {
    /// `terminal`: stderr is one, and somebody watches it.
    pub fn new(terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("  {bar:30} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, began: Instant::now(), last_batch_line: None }
    }

    /// Says what happened, through `say` where it is a line.
    pub fn event(&mut self, event: &Event, say: &mut dyn FnMut(&str)) {
        if let (Some(bar), Event::Batch { rows_done, rows_total, milliseconds, .. }) = (&self.bar, event) {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_length(rows_total.unwrap_or(*rows_done).max(*rows_done));
            bar.set_position(*rows_done);
            // Past the estimate nobody knows how long it takes.
            let left = match rows_total {
                Some(estimate) if estimate > rows_done => format!(", {} left", HumanDuration(bar.eta())),
                _ => String::new(),
            };
            let rows = rows_of(*rows_done, *rows_total);
            bar.set_message(format!("{rows}, {:.0} a second{left} ({milliseconds} ms a batch)", bar.per_sec()));
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if matches!(event, Event::Batch { .. }) && !self.line_is_due() {
            return;
        }
        for line in lines(event) {
            say(&format!("{line}\n"));
        }
    }

    /// Every second in the first minute, every five to the third, then every half minute.
    fn line_is_due(&mut self) -> bool {
        let gap = match self.began.elapsed().as_secs() {
            0..60 => 1,
            60..180 => 5,
            _ => 30,
        };
        let due = self.last_batch_line.is_none_or(|last| last.elapsed() >= Duration::from_secs(gap));
        if due {
            self.last_batch_line = Some(Instant::now());
        }
        due
    }
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
        Event::Batch { step, rows_done, rows_total, rows, milliseconds } => {
            let done = rows_of(*rows_done, *rows_total);
            vec![format!("  {step}  {done} (last batch: {rows} rows in {milliseconds} ms)")]
        }
        Event::Retry { step, attempt, because, milliseconds } => vec![format!(
            "  {step}  {because}; try {attempt} was given up so that nobody queues behind it, the next in {milliseconds} ms"
        )],
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
        Event::Waiting { because } => vec![format!("  waiting for {because}")],
        Event::SettingsChanged => {
            vec!["change.toml changed since the last run: earlier approvals no longer count".to_string()]
        }
        Event::Finished { plan } => vec![format!("{plan}: {}", "finished".green())],
    }
}
