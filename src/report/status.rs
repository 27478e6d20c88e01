//! How far a phased change got, as a table or as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use time::PrimitiveDateTime;
use time::macros::format_description;

use super::overview::{runner_json, runner_line};
use super::pace::{Pace, roughly};
use super::progress::percent;
use crate::plan::{Action, Phase, Step};
use crate::run::{Pause, ProofRecord, RevertRecord, State, Status, StepRecord, Throttled};

/// How fast the backfills went between looks at the ledger.
#[derive(Debug, Default)]
pub struct Paces(BTreeMap<String, Pace>);

impl Paces {
    /// A look, `at` so long after the first one.
    pub fn see(&mut self, status: &Status<'_>, at: Duration) {
        for record in &status.steps {
            self.0.entry(record.id.clone()).or_default().see(at, record.rows_done);
        }
    }
}

/// The table that a DBA reads.
pub fn text(status: &Status<'_>, paces: &Paces) -> String {
    let plan = status.plan;
    let mut text = format!("{} ({}), digest {}\n", plan.name, plan.dialect, &plan.digest[..12]);
    text += &match &status.record {
        None => "not begun\n".to_string(),
        Some(record) => {
            let changed = if record.digest == plan.digest { "" } else { "; its files changed since" };
            let end = record.finished_at.as_ref().map_or("not finished".to_string(), |at| format!("finished {at} UTC"));
            format!("begun {} UTC, {end}{changed}\n", record.started_at.as_deref().unwrap_or("?"))
        }
    };
    if status.record.as_ref().is_some_and(|record| record.finished_at.is_none()) {
        text += &format!("{}\n", runner_line(status.runner.as_ref()));
    }
    if let Some(Pause { by, reason, at }) = &status.pause {
        text += &format!("paused {at} UTC by {by}: {reason}\n");
    }
    for Throttled { because, since } in &status.throttles {
        text += &format!("held since {since} UTC: {because}\n");
    }
    for line in status.forced.iter().flat_map(|forced| forced.lines()).take(1) {
        text += &format!("forced by {line}\n");
    }
    text += &undo_text(status);
    for phase in Phase::ALL {
        let steps: Vec<(&Step, Option<&StepRecord>)> = of_phase(status, phase).collect();
        if steps.is_empty() {
            continue;
        }
        text += &format!("\n{}\n", phase.name());
        let done = steps.iter().all(|(_, record)| record.is_some_and(|record| record.state == State::Done));
        for judgement in status.judgements.iter().filter(|(of, _)| *of == phase && !done).flat_map(|(_, all)| all) {
            text += &format!("  gate {}: {}, {}\n", judgement.gate, judgement.verdict.name(), judgement.because);
        }
        for (step, record) in steps {
            text += &format!(
                "  {:<12} {:<8}{}  {}\n",
                step.id,
                state(record),
                rows(status, step, record, paces),
                one_line(&step.sql)
            );
            text += &workers_text(status, step);
            for row in status.quarantined.iter().filter(|row| row.step == step.id) {
                text += &format!("  {:<12} quarantined: row {}: {}\n", "", row.row(), row.because);
            }
            if let Some(proof) = status.proofs.iter().find(|proof| proof.step == step.id) {
                text += &format!("  {:<12} {}\n", "", last_proof(proof));
            }
            if let Some(problem) = record.and_then(|record| record.problem.as_ref()) {
                text += &format!("  {:<12} last problem: {problem}\n", "");
            }
        }
    }
    text
}

/// Who is at work on a backfill, each with the number of its ranges, and how many ranges nobody has at the moment.
fn workers_text(status: &Status<'_>, step: &Step) -> String {
    let mut ranges: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_behind = 0;
    for worker in status.workers.iter().filter(|worker| worker.step == step.id) {
        match worker.is_held {
            true => *ranges.entry(worker.shown()).or_default() += 1,
            false => left_behind += 1,
        }
    }
    let mut said: Vec<String> = ranges.iter().map(|(who, ranges)| format!("{who} ({ranges})")).collect();
    if left_behind > 0 {
        said.push(format!("left behind ({left_behind})"));
    }
    if said.is_empty() { String::new() } else { format!("  {:<12} ranges at work: {}\n", "", said.join(", ")) }
}

/// That the change is being undone, or was.
fn undo_text(status: &Status<'_>) -> String {
    let Some(RevertRecord { by, reason, started_at, finished_at, .. }) = &status.revert else { return String::new() };
    let since = match finished_at {
        None => format!("being undone since {started_at} UTC"),
        Some(at) if status.record.is_some() => format!("begun anew after it was undone {at} UTC"),
        Some(at) => format!("undone {at} UTC"),
    };
    let mut text = format!("{since} by {by}: {reason}\n");
    for step in &status.revert_steps {
        text += &format!("  {:<12} {}\n", step.id, step.state.name());
        if let Some(problem) = &step.problem {
            text += &format!("  {:<12} last problem: {problem}\n", "");
        }
    }
    text
}

/// One JSON object.
pub fn json(status: &Status<'_>) -> String {
    let plan = status.plan;
    let phases: Vec<_> = Phase::ALL
        .into_iter()
        .filter(|phase| of_phase(status, *phase).next().is_some())
        .map(|phase| {
            let gates = status.judgements.iter().filter(|(of, _)| *of == phase).flat_map(|(_, all)| all).map(|judgement| {
                json!({ "gate": judgement.gate, "verdict": judgement.verdict.name(), "because": judgement.because })
            });
            let steps = of_phase(status, phase).map(|(step, record)| {
                json!({
                    "id": step.id,
                    "state": state(record),
                    "rows_done": record.filter(|_| is_backfill(step)).map(|record| record.rows_done),
                    "rows_total": record.filter(|_| is_backfill(step)).and_then(|record| record.rows_total),
                    "average_per_second": record.filter(|_| is_backfill(step)).and_then(|record| average(status, record)),
                    "quarantined": status.quarantined.iter().filter(|row| row.step == step.id)
                        .map(|row| json!({ "row": row.row(), "because": row.because })).collect::<Vec<_>>(),
                    "problem": record.and_then(|record| record.problem.clone()),
                    "started_at": record.and_then(|record| record.started_at.clone()),
                    "finished_at": record.and_then(|record| record.finished_at.clone()),
                    "proof": status.proofs.iter().find(|proof| proof.step == step.id).map(proof_json),
                    "sql": step.sql,
                })
            });
            json!({ "phase": phase.name(), "gates": gates.collect::<Vec<_>>(), "steps": steps.collect::<Vec<_>>() })
        })
        .collect();
    let record = status.record.as_ref();
    let object = json!({
        "plan": plan.name,
        "dialect": plan.dialect.name(),
        "digest": plan.digest,
        "begun_digest": record.map(|record| record.digest.clone()),
        "started_at": record.and_then(|record| record.started_at.clone()),
        "finished_at": record.and_then(|record| record.finished_at.clone()),
        "read_at": status.now,
        "runner": runner_json(status.runner.as_ref()),
        "workers": status.workers.iter().map(|one| json!({ "step": one.step, "holder": one.shown(), "is_held": one.is_held })).collect::<Vec<_>>(),
        "pause": status.pause.as_ref().map(|pause| json!({ "by": pause.by, "reason": pause.reason, "at": pause.at })),
        "held": status.throttles.iter().map(|held| json!({ "because": held.because, "since": held.since })).collect::<Vec<_>>(),
        "phases": phases,
        "forced": status.forced,
        "revert": status.revert.as_ref().map(|revert| json!({
            "by": revert.by,
            "reason": revert.reason,
            "started_at": revert.started_at,
            "finished_at": revert.finished_at,
            "steps": status.revert_steps.iter().map(|step| json!({
                "id": step.id, "state": step.state.name(), "problem": step.problem,
            })).collect::<Vec<_>>(),
        })),
    });
    format!("{object}\n")
}

fn proof_json(proof: &ProofRecord) -> serde_json::Value {
    json!({
        "outcome": proof.outcome.name(),
        "rows": proof.rows,
        "ranges": proof.ranges,
        "repaired": proof.repaired,
        "example": proof.example,
        "write_position": proof.position,
        "milliseconds": proof.milliseconds,
        "proved_at": proof.proved_at,
        "digest": proof.digest,
    })
}

fn of_phase<'a>(status: &'a Status<'_>, phase: Phase) -> impl Iterator<Item = (&'a Step, Option<&'a StepRecord>)> {
    let steps = status.plan.steps.iter().filter(move |step| step.phase == phase);
    steps.map(|step| (step, status.steps.iter().find(|record| record.id == step.id)))
}

fn state(record: Option<&StepRecord>) -> &'static str {
    record.map_or(State::Pending, |record| record.state).name()
}

fn is_backfill(step: &Step) -> bool {
    matches!(step.action, Action::Backfill(_))
}

fn rows(status: &Status<'_>, step: &Step, record: Option<&StepRecord>, paces: &Paces) -> String {
    let Some(record) = record.filter(|_| is_backfill(step)) else { return String::new() };
    match (record.state, record.rows_total) {
        (State::Pending, _) => String::new(),
        (State::Done, _) => format!(" {} rows", record.rows_done),
        (State::Running, total) => {
            let percent = percent(record.rows_done, total).map_or(String::new(), |percent| format!(" ({percent} %)"));
            let pace = paces.0.get(&record.id);
            let speed = match (pace.and_then(Pace::per_second), average(status, record)) {
                (Some(pace), _) => format!(", {pace:.0} a second"),
                (None, Some(average)) => format!(", {average} a second on average"),
                (None, None) => String::new(),
            };
            let left = pace.and_then(|pace| pace.left(total));
            let left = left.map_or(String::new(), |left| format!(", about {} left", roughly(left)));
            format!(" {}{percent}{speed}{left}", rows_of(record.rows_done, total))
        }
    }
}

/// Rows a second since a backfill that runs began, with all its pauses; `None` where that says nothing.
fn average(status: &Status<'_>, record: &StepRecord) -> Option<u64> {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = |text: &str| PrimitiveDateTime::parse(text, form).ok();
    let spent = time(&status.now)? - time(record.started_at.as_ref()?)?;
    let seconds = u64::try_from(spent.whole_seconds()).ok().filter(|seconds| *seconds >= 2)?;
    (record.state == State::Running && record.rows_done > 0).then(|| record.rows_done / seconds)
}

/// The last proof of a step, in words.
fn last_proof(proof: &ProofRecord) -> String {
    let at = proof.proved_at.as_deref().unwrap_or("?");
    let what = match (&proof.example, proof.ranges) {
        (Some(example), _) => example.clone(),
        (None, 0) => "no row differs".to_string(),
        (None, ranges) => proved(proof.rows, ranges, proof.repaired),
    };
    format!("{} {at} UTC: {what}", proof.outcome.name())
}

/// What a proof looked at.
pub(super) fn proved(rows: u64, ranges: u64, repaired: u64) -> String {
    let repaired = if repaired == 0 { String::new() } else { format!(", {} repaired", counted(repaired, "row")) };
    format!("no row differs: {} in {}{repaired}", counted(rows, "row"), counted(ranges, "range"))
}

/// A number and what it counts: `1 row`, `2 rows`.
pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Rows done beside the estimate of all of them, which is never shown as a number that was counted.
pub(super) fn rows_of(done: u64, estimate: Option<u64>) -> String {
    match estimate {
        None => format!("{done} rows"),
        Some(estimate) if done > estimate => format!("{done} rows, more than the {estimate} estimated"),
        Some(estimate) => format!("{done} of about {estimate} rows"),
    }
}

/// A statement on one line of at most a hundred characters.
pub(crate) fn one_line(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
