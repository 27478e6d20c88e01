//! Events of a run as metrics in Prometheus' text format: counters since the process began, and how it stands now.

use std::collections::BTreeMap;

use crate::gate::Verdict;
use crate::plan::Phase;
use crate::run::Event;
use crate::run::throttle::Reading;

/// What the metrics are made of.
#[derive(Debug)]
pub struct Metrics {
    plan: String,
    steps: usize,
    steps_done: usize,
    /// The step that has begun and is not done.
    at_hand: Option<String>,
    waiting: bool,
    gates: BTreeMap<(Phase, String), bool>,
    backfills: BTreeMap<String, Backfill>,
    retries: BTreeMap<String, u64>,
    proofs_failed: u64,
    load: Vec<Reading>,
    last_event: i64,
}

#[derive(Debug, Default)]
struct Backfill {
    rows: u64,
    rows_done: u64,
    rows_total: Option<u64>,
    batches: u64,
    seconds: f64,
    /// Batches that took no longer than each of `BOUNDS`.
    within: [u64; BOUNDS.len()],
}

/// Around the tenth of a second that a batch is meant to take.
const BOUNDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

impl Metrics {
    /// Nothing has happened yet to this plan.
    pub fn new(plan: &str) -> Self {
        Self {
            plan: plan.to_string(),
            steps: 0,
            steps_done: 0,
            at_hand: None,
            waiting: false,
            gates: BTreeMap::new(),
            backfills: BTreeMap::new(),
            retries: BTreeMap::new(),
            proofs_failed: 0,
            load: Vec::new(),
            last_event: 0,
        }
    }

    /// An event, at this time in seconds since 1970.
    pub fn see(&mut self, event: &Event, time: i64) {
        self.last_event = time;
        match event {
            Event::Waiting { .. } | Event::Retry { .. } | Event::Throttled { .. } | Event::Blocked { .. } => {
                self.waiting = true;
            }
            // It comes while something is waited for as well.
            Event::Load { .. } | Event::LeaseInDoubt { .. } => {}
            _ => self.waiting = false,
        }
        match event {
            Event::Opened { steps, done, .. } => (self.steps, self.steps_done) = (*steps, *done),
            Event::StepStarted { step, .. } => self.at_hand = Some(step.clone()),
            Event::StepDone { .. } => {
                self.steps_done += 1;
                self.at_hand = None;
            }
            Event::Batch { step, rows_done, rows_total, rows, milliseconds } => {
                let backfill = self.backfills.entry(step.clone()).or_default();
                (backfill.rows_done, backfill.rows_total) = (*rows_done, *rows_total);
                backfill.rows += rows;
                backfill.batches += 1;
                #[expect(clippy::cast_precision_loss, reason = "no batch takes that long")]
                let seconds = *milliseconds as f64 / 1e3;
                backfill.seconds += seconds;
                for (count, bound) in backfill.within.iter_mut().zip(BOUNDS) {
                    *count += u64::from(seconds <= bound);
                }
            }
            Event::Retry { step, .. } => *self.retries.entry(step.clone()).or_default() += 1,
            Event::Load { readings } => self.load.clone_from(readings),
            Event::ProofFailed { .. } => self.proofs_failed += 1,
            Event::Judged { phase, judgements } => {
                for judgement in judgements {
                    let open = judgement.verdict == Verdict::Pass;
                    self.gates.insert((*phase, judgement.gate.clone()), open);
                }
            }
            _ => {}
        }
    }

    /// The page that Prometheus reads.
    pub fn text(&self) -> String {
        let mut page = Page { plan: escaped(&self.plan), text: String::new() };
        let version = format!("{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        page.text += "# HELP lockkeeper_build_info The program that runs.\n# TYPE lockkeeper_build_info gauge\n";
        page.text += &format!("lockkeeper_build_info{version}\n");

        page.family("plan_steps", "gauge", "Steps of the plan.");
        page.sample("plan_steps", "", self.steps);
        page.family("plan_steps_done", "gauge", "Steps of the plan that are done, also by earlier runs.");
        page.sample("plan_steps_done", "", self.steps_done);
        page.family("step_running", "gauge", "1 for the step that has begun and is not done.");
        if let Some(step) = &self.at_hand {
            page.sample("step_running", &step_label(step), 1);
        }
        page.family(
            "waiting",
            "gauge",
            "1 while the run waits: for a gate, a lock, another runner, the load, a pause.",
        );
        page.sample("waiting", "", u8::from(self.waiting));
        page.family("gate_open", "gauge", "Whether a gate in front of a phase was open at the last look.");
        for ((phase, gate), open) in &self.gates {
            let labels = format!(",phase=\"{}\",gate=\"{}\"", phase.name(), escaped(gate));
            page.sample("gate_open", &labels, u8::from(*open));
        }
        page.family("retries_total", "counter", "Tries that were given up because a lock was not to be had.");
        for (step, retries) in &self.retries {
            page.sample("retries_total", &step_label(step), retries);
        }
        page.family("proofs_failed_total", "counter", "Proofs that found a row that differs.");
        page.sample("proofs_failed_total", "", self.proofs_failed);
        self.backfills(&mut page);
        page.family("load", "gauge", "What a signal of the load said at the last look; none while it cannot be read.");
        for reading in &self.load {
            if let Ok(value) = reading.value {
                page.sample("load", &signal_label(&reading.signal), value);
            }
        }
        page.family("load_limit", "gauge", "Above this value of the signal the backfill stops.");
        for reading in &self.load {
            if let Some(limit) = reading.limit {
                page.sample("load_limit", &signal_label(&reading.signal), limit.stop_above);
            }
        }
        page.family("last_event_timestamp_seconds", "gauge", "When something happened last, in Unix time.");
        page.sample("last_event_timestamp_seconds", "", self.last_event);
        page.text
    }

    fn backfills(&self, page: &mut Page) {
        let all = || self.backfills.iter().map(|(step, backfill)| (step_label(step), backfill));
        page.family("backfill_rows_total", "counter", "Rows visited by the batches that this process committed.");
        for (step, backfill) in all() {
            page.sample("backfill_rows_total", &step, backfill.rows);
        }
        page.family("backfill_rows_done", "gauge", "Rows visited, also by earlier runs.");
        for (step, backfill) in all() {
            page.sample("backfill_rows_done", &step, backfill.rows_done);
        }
        page.family("backfill_rows_estimated", "gauge", "Rows to visit in all, as the server estimates.");
        for (step, backfill) in all() {
            if let Some(rows) = backfill.rows_total {
                page.sample("backfill_rows_estimated", &step, rows);
            }
        }
        let name = "backfill_batch_duration_seconds";
        page.family(name, "histogram", "How long the committed batches took.");
        for (step, backfill) in all() {
            for (bound, count) in BOUNDS.iter().zip(backfill.within) {
                page.sample(&format!("{name}_bucket"), &format!("{step},le=\"{bound}\""), count);
            }
            page.sample(&format!("{name}_bucket"), &format!("{step},le=\"+Inf\""), backfill.batches);
            page.sample(&format!("{name}_sum"), &step, format!("{:.3}", backfill.seconds));
            page.sample(&format!("{name}_count"), &step, backfill.batches);
        }
    }
}

struct Page {
    plan: String,
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.text += &format!("# HELP lockkeeper_{name} {help}\n# TYPE lockkeeper_{name} {kind}\n");
    }

    /// `labels` begin with a comma: the plan comes first.
    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        self.text += &format!("lockkeeper_{name}{{plan=\"{}\"{labels}}} {value}\n", self.plan);
    }
}

fn step_label(step: &str) -> String {
    format!(",step=\"{}\"", escaped(step))
}

fn signal_label(signal: &str) -> String {
    format!(",signal=\"{}\"", escaped(signal))
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
