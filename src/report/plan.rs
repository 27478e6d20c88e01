//! A plan as text for a reviewer, or as JSON for a script.

use serde::Serialize;

use crate::gate::{Gate, gates_of, gates_of_revert};
use crate::plan::{
    Action, Backfill, Expectation, Manner, Phase, Plan, Probe, SMALL_TABLE, Step, Verify, cost::cost, manner, strategy,
};
use crate::sql::Dialect;

/// The plan, phase by phase, as text.
pub fn text(plan: &Plan) -> String {
    let mut text = format!(
        "{}: a phased change for {}, strategy {}\nplan digest {}\n",
        plan.name,
        plan.dialect,
        plan.settings.strategy.name(),
        plan.digest
    );
    for phase in Phase::ALL {
        let steps: Vec<&Step> = plan.steps_of(phase).collect();
        if steps.is_empty() {
            continue;
        }
        text += &section(plan, phase.name(), gates_of(plan, phase), steps);
    }
    if !plan.revert.is_empty() {
        let steps = plan.revert.iter().collect();
        text += &section(plan, "revert, before contract has begun", gates_of_revert(plan), steps);
    }
    text += &rungs(plan);
    text += &format!("\n{}\n", summary(plan));
    text
}

/// The ladder: what each version reads and writes, and from when to when it may run.
fn rungs(plan: &Plan) -> String {
    let contracts = plan.steps_of(Phase::Contract).next().is_some();
    let mut text = "\nladder\n".to_string();
    for (rung, name) in strategy::ladder(&plan.settings) {
        let from = rung.after().map(|phase| format!(", once {} is done", phase.name())).unwrap_or_default();
        let until = if contracts && !rung.outlives_contract() { ", until contract" } else { "" };
        text += &format!("  {:<16}{}{from}{until}\n", name.unwrap_or(rung.key()), rung.shapes());
    }
    if plan.settings.two_way_sync {
        text += "  triggers keep both shapes alike, whichever is written\n";
    }
    text
}

fn section(plan: &Plan, title: &str, gates: Vec<Gate>, steps: Vec<&Step>) -> String {
    let gates: Vec<String> = gates.into_iter().map(|gate| gate.name).collect();
    let gates = if gates.is_empty() { "no gate".to_string() } else { format!("gates: {}", gates.join(", ")) };
    let steps: String = steps.into_iter().map(|step| step_text(plan, step)).collect();
    format!("\n{title}, {gates}\n{steps}")
}

/// The files of a phased change one after the other.
pub fn files(files: &[(&'static str, String)]) -> String {
    files.iter().map(|(name, text)| format!("==> {name}\n{text}\n")).collect()
}

/// Which versions of the application may run when.
pub fn ladder(ladder: &[String]) -> String {
    let lines: String = ladder.iter().enumerate().map(|(at, line)| format!("  {}. {line}\n", at + 1)).collect();
    format!("\nversions:\n{lines}")
}

fn step_text(plan: &Plan, step: &Step) -> String {
    let mut text = format!("\n  {}  {} ({}:{})\n", step.id, does(step), step.file, step.line);
    let manner = manner_of(step, plan.dialect);
    let first = manner.as_ref().and_then(|manner| manner.ways.first());
    for line in first.map_or(&step.sql, |way| &way.sql).lines() {
        text += format!("      {line}").trim_end();
        text.push('\n');
    }
    if let Some(manner) = &manner {
        text += &format!("    {}\n", otherwise(manner));
    }
    match (&step.recheck, &step.action) {
        (None, _) => {}
        (Some(_), Action::Statement { transactional: true }) => {
            text += "    first: the proofs again, with its locks held\n";
        }
        (Some(_), _) => text += "    first: the proofs again\n",
    }
    if let Action::Backfill(backfill) = &step.action
        && let Some(guard) = guard(backfill)
    {
        text += &format!("    guard: {guard}\n");
    }
    if let Action::Backfill(Backfill { lock: Some(lock), .. }) = &step.action {
        text += &format!("    lock: {lock} in each batch, so that no row comes back whose deletion is under way\n");
    }
    if let Some(note) = cost(plan, step) {
        text += &format!("    note: {note}\n");
    }
    text += &format!("    probe: {}\n    digest: {}\n", probe_text(step), &step.digest[..16.min(step.digest.len())]);
    text
}

/// Only a statement outside a transaction is one that alters a table of MySQL.
fn manner_of(step: &Step, dialect: Dialect) -> Option<Manner> {
    if step.action == (Action::Statement { transactional: false }) { manner(&step.sql, dialect) } else { None }
}

/// What becomes of a statement that the server refuses to carry out as it is asked to.
fn otherwise(manner: &Manner) -> String {
    let copied = format!("if `{}` has at most {SMALL_TABLE} rows, else not at all", manner.table);
    let clauses: Vec<_> = manner.ways.iter().map(|way| way.clause).collect();
    match clauses.as_slice() {
        [] => format!("it may copy the table while writers wait: {copied}"),
        [one] => format!("where the server refuses {one}: without it {copied}"),
        [first, next @ ..] => {
            let next = next.join(", then ");
            format!("where the server refuses {first}: {next}; where it refuses that: without it {copied}")
        }
    }
}

fn does(step: &Step) -> &'static str {
    match &step.action {
        Action::Statement { transactional: true } => "runs, in one transaction with its ledger row",
        Action::Statement { transactional: false } => "runs, outside a transaction",
        Action::Backfill(_) => "fills in batches, each with its ledger row",
        Action::Verify(Verify::Derived { .. }) => "proves, range by range, that no such row is left",
        Action::Verify(Verify::Query) => "proves that this returns no row",
    }
}

/// What a batch adds to the statement is printed, too: nothing runs that a reviewer has not seen.
fn guard(backfill: &Backfill) -> Option<String> {
    match &backfill.guard {
        Some(guard) => Some(format!("AND {guard} in each batch: what somebody wrote meanwhile stays")),
        None if backfill.guarded => None,
        None => Some("none: each batch writes all rows that the statement means, whatever they hold by then".into()),
    }
}

fn probe_text(step: &Step) -> String {
    match &step.probe {
        Probe::Ledger => "the ledger's own row".into(),
        Probe::Schema(expectations) => expectations.iter().map(expectation).collect::<Vec<_>>().join(", "),
        Probe::Rebuilt { name, .. } => format!("{name} is built anew"),
        Probe::Repeat => "not needed, repeating it does no harm".into(),
        Probe::None => "none; `run` refuses this plan".into(),
    }
}

/// What is expected after a statement, in words.
pub fn expectation(expectation: &Expectation) -> String {
    let holds = match expectation {
        Expectation::Index { exists: true, .. } => "exists and is valid",
        Expectation::Nullable { nullable: true, .. } => "is nullable",
        Expectation::Nullable { nullable: false, .. } => "is NOT NULL",
        Expectation::Partition { attached: true, .. } => "is in",
        Expectation::Partition { attached: false, .. } => "is out",
        other if other.exists() == Some(true) => "exists",
        _ => "is gone",
    };
    format!("{} {holds}", expectation.thing())
}

fn summary(plan: &Plan) -> String {
    let counts: Vec<String> = Phase::ALL
        .iter()
        .map(|phase| (phase.name(), plan.steps_of(*phase).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let total = plan.steps.len();
    let steps = if total == 1 { "step" } else { "steps" };
    let mut text = format!("{total} {steps}: {}", counts.join(", "));
    match plan.unprobed().as_slice() {
        [] => {}
        [one] => text += &format!("; 1 without a probe ({})", one.id),
        several => text += &format!("; {} without a probe", several.len()),
    }
    text
}

#[derive(Serialize)]
struct PlanJson<'a> {
    name: &'a str,
    dialect: &'a str,
    strategy: &'a str,
    digest: &'a str,
    files: Vec<FileJson<'a>>,
    phases: Vec<PhaseJson<'a>>,
    /// What undoes expand and backfill.
    revert: PhaseJson<'a>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    name: &'a str,
    digest: &'a str,
}

#[derive(Serialize)]
struct PhaseJson<'a> {
    phase: &'a str,
    gates: Vec<String>,
    steps: Vec<StepJson<'a>>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    id: &'a str,
    action: &'a str,
    transactional: bool,
    sql: &'a str,
    /// On MySQL and MariaDB, what is sent in its place, from the cheapest on; empty where that is `sql` itself.
    sent: Vec<String>,
    file: &'a str,
    line: usize,
    /// What it costs where it stands, and where it would cost less.
    note: Option<String>,
    probe: &'a str,
    /// For probe `schema`: what holds afterwards.
    expect: Vec<String>,
    digest: &'a str,
}

/// The plan as one JSON document.
pub fn json(plan: &Plan) -> String {
    let document = PlanJson {
        name: &plan.name,
        dialect: plan.dialect.name(),
        strategy: plan.settings.strategy.name(),
        digest: &plan.digest,
        files: plan.files.iter().map(|file| FileJson { name: &file.name, digest: &file.digest }).collect(),
        phases: Phase::ALL
            .iter()
            .map(|phase| PhaseJson {
                phase: phase.name(),
                gates: gates_of(plan, *phase).into_iter().map(|gate| gate.name).collect(),
                steps: plan.steps_of(*phase).map(|step| step_json(plan, step)).collect(),
            })
            .filter(|phase| !phase.steps.is_empty())
            .collect(),
        revert: PhaseJson {
            phase: "revert",
            gates: gates_of_revert(plan).into_iter().map(|gate| gate.name).collect(),
            steps: plan.revert.iter().map(|step| step_json(plan, step)).collect(),
        },
    };
    serde_json::to_string_pretty(&document).expect("plain data with text keys always becomes JSON") + "\n"
}

fn step_json<'a>(plan: &Plan, step: &'a Step) -> StepJson<'a> {
    let (probe, expect) = match &step.probe {
        Probe::Ledger => ("ledger", Vec::new()),
        Probe::Schema(expectations) => ("schema", expectations.iter().map(expectation).collect()),
        Probe::Rebuilt { .. } => ("rebuilt", vec![probe_text(step)]),
        Probe::Repeat => ("repeat", Vec::new()),
        Probe::None => ("none", Vec::new()),
    };
    StepJson {
        id: &step.id,
        action: match &step.action {
            Action::Statement { .. } => "statement",
            Action::Backfill(_) => "backfill",
            Action::Verify(_) => "verify",
        },
        transactional: matches!(&step.action, Action::Statement { transactional: true } | Action::Backfill(_)),
        sql: &step.sql,
        sent: manner_of(step, plan.dialect).into_iter().flat_map(|manner| manner.ways).map(|way| way.sql).collect(),
        file: &step.file,
        line: step.line,
        note: cost(plan, step),
        probe,
        expect,
        digest: &step.digest,
    }
}
