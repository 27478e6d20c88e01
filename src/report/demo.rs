//! The demo's story as lines for somebody who sees all this for the first time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use colored::Colorize;

use super::progress;
use super::status::one_line;
use crate::database::temporary::Engine;
use crate::demo::{Census, Chapter, Difference, Event, Story, Tally, Totals};
use crate::gate::Judgement;
use crate::plan::{Action, Plan, Step};
use crate::run;

/// Examples of lost writes that are shown.
const EXAMPLES: usize = 3;

/// SQL is cut so that a line fits a terminal of a hundred columns.
const WIDTH: usize = 84;

/// Two lines about batches are at least so far apart.
const BATCHES: Duration = Duration::from_millis(200);

/// Turns events into lines, each with the seconds since the beginning.
pub struct Teller {
    began: Instant,
    chapter: usize,
    last_batch: Option<Instant>,
    /// A batch that was not told yet: the last one is.
    held_back: Option<run::Event>,
    /// What was said last about every gate.
    judgements: Vec<Judgement>,
}

impl Default for Teller {
    fn default() -> Self {
        Self { began: Instant::now(), chapter: 0, last_batch: None, held_back: None, judgements: Vec::new() }
    }
}

impl Teller {
    /// What happened, as text that ends a line.
    pub fn event(&mut self, event: &Event) -> String {
        if let Event::Chapter(chapter) = event {
            self.chapter += 1;
            return format!("\n{}\n", format!("{}. {}", self.chapter, heading(*chapter)).bold());
        }
        let now = format!("{:>6.1} s", self.began.elapsed().as_secs_f64());
        let lines = match event {
            Event::Run(event) => self.run(event),
            event => lines(event),
        };
        lines.iter().map(|line| format!("{}  {line}\n", now.dimmed())).collect()
    }

    /// The runner's own lines, without what says nothing new.
    fn run(&mut self, event: &run::Event) -> Vec<String> {
        if let run::Event::Batch { .. } = event {
            if self.last_batch.is_some_and(|last| last.elapsed() < BATCHES) {
                self.held_back = Some(event.clone());
                return Vec::new();
            }
            self.last_batch = Some(Instant::now());
            self.held_back = None;
            return barred(progress::lines(event));
        }
        let mut lines = self.held_back.take().map_or_else(Vec::new, |batch| progress::lines(&batch));
        match event {
            run::Event::StepDone { found: false, .. } | run::Event::Waiting { .. } => {}
            run::Event::StepStarted { .. } => {
                lines.extend(progress::lines(event).iter().map(|line| shortened(line, WIDTH)));
            }
            run::Event::Judged { phase, judgements } => {
                let news = judgements.iter().filter(|judgement| !self.judgements.contains(judgement));
                let news = run::Event::Judged { phase: *phase, judgements: news.cloned().collect() };
                self.judgements.clone_from(judgements);
                lines.extend(progress::lines(&news));
            }
            event => lines.extend(progress::lines(event)),
        }
        barred(lines)
    }
}

/// What the runner says stands behind a bar.
fn barred(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| format!("| {line}")).collect()
}

fn shortened(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", line[..end].trim_end_matches('…')),
        None => line.to_string(),
    }
}

fn heading(chapter: Chapter) -> &'static str {
    match chapter {
        Chapter::FirstVersion => "Only v1 runs: it reads and writes orders.old_status",
        Chapter::Plan => "The next release renames that column: lockkeeper plan makes a phased change of it",
        Chapter::ExpandAndBackfill => "lockkeeper run, expand and backfill: while v1 goes on",
        Chapter::ContractTooEarly => "lockkeeper run, contract: too early, the gates hold it back",
        Chapter::Rollout => "v2, which knows new_status only, replaces v1 pod by pod; lockkeeper run --wait watches",
        Chapter::Afterwards => "The old column is gone, v2 goes on",
        Chapter::TextbookExpand => "Step 1, expand: a new column; v2 writes both and reads the old one",
        Chapter::TextbookMigrate => "Step 2, migrate: fill the new column where it is NULL",
        Chapter::TextbookContract => "Step 3, contract: v3 knows the new column only; then the old one is dropped",
        Chapter::End => "The pods have stopped: every row is compared with what was last written to it",
    }
}

fn lines(event: &Event) -> Vec<String> {
    match event {
        Event::Starting { engine } => {
            let name = match engine {
                Engine::Postgres => "PostgreSQL",
                Engine::Mariadb => "MariaDB",
            };
            vec![format!("starting a temporary {name} server")]
        }
        Event::DatabaseMade { name } => vec![format!("made the database {name}; it is dropped at the end")],
        Event::Opened { server, rows } => vec![format!("{server}, a table orders with {} rows", grouped(*rows))],
        Event::Chapter(chapter) => vec![heading(*chapter).to_string()],
        Event::PodStarted { pod, pods } => vec![format!("pod {pod} starts        {}", census(pods))],
        Event::PodTerminating { pod, pods } => vec![format!("pod {pod} terminates    {}", census(pods))],
        Event::PodGone { pod, pods } => vec![format!("pod {pod} is gone       {}", census(pods))],
        Event::Planned { migration, plan } => planned(migration, plan),
        Event::Approved { gate, reason } => vec![format!("demo approves gate {gate}: {reason}")],
        Event::Statement { sql, rows: None } => vec![one_line(sql)],
        Event::Statement { sql, rows: Some(rows) } => vec![format!("{}: {} rows", one_line(sql), grouped(*rows))],
        Event::Unfilled { sql, rows } => vec![format!("{sql}: {rows}")],
        Event::Run(event) => progress::lines(event),
        Event::Load(tallies) => tallies.iter().map(|(version, tally)| so_far(version, tally)).collect(),
    }
}

/// The statements of each file, in short.
fn planned(migration: &str, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("{migration} becomes")];
    for file in ["expand.sql", "backfill.sql", "contract.sql"] {
        let own = |step: &&Step| step.file == file && !matches!(step.action, Action::Verify(_));
        for (at, step) in plan.steps.iter().filter(own).enumerate() {
            let name = if at == 0 { file } else { "" };
            lines.push(format!("  {name:<14}{}", shortened(&one_line(&step.sql), WIDTH - 14)));
        }
    }
    lines
}

fn census(pods: &Census) -> String {
    let version = |(version, (running, terminating)): (&&str, &(usize, usize))| match terminating {
        0 => format!("{running} of {version}"),
        _ => format!("{running} of {version} and {terminating} terminating"),
    };
    format!("now {}", pods.iter().map(version).collect::<Vec<_>>().join(", "))
}

fn so_far(version: &str, tally: &Tally) -> String {
    format!(
        "{version} so far: {} queries, {} failed, {} read a stale value",
        grouped(tally.reads + tally.writes),
        tally.failed,
        tally.stale
    )
}

/// The end: what was counted, and what it means.
pub fn totals(totals: &Totals, story: Story) -> String {
    let mut text = format!(
        "\n{:<8}{:>9}{:>9}{:>9}{:>9}{:>13}{:>13}{:>15}\n",
        "version", "queries", "reads", "writes", "failed", "stale reads", "lost writes", "longest write"
    );
    for (version, tally) in &totals.versions {
        text += &format!(
            "{version:<8}{:>9}{:>9}{:>9}{:>9}{:>13}{:>13}{:>15}\n",
            grouped(tally.reads + tally.writes),
            grouped(tally.reads),
            grouped(tally.writes),
            tally.failed,
            tally.stale,
            totals.lost_by(version),
            milliseconds(tally.longest_write)
        );
    }
    text +=
        "\nstale read: not what was last written to the row; lost write: written last, and not there at the end\n\n";
    for line in crossings(&totals.versions).into_iter().chain(losses(totals)) {
        text += &format!("{line}\n");
    }
    text += &format!("{}\n", verdict(totals, story));
    text
}

/// That the versions met on the same rows at all.
fn crossings(versions: &BTreeMap<&'static str, Tally>) -> Vec<String> {
    let line = |(version, tally): (&&str, &Tally)| {
        format!("{version} read {} times a row that another version had written last", grouped(tally.of_others))
    };
    versions.iter().filter(|(_, tally)| tally.of_others > 0).map(line).collect()
}

fn losses(totals: &Totals) -> Vec<String> {
    let rows = grouped(totals.table.rows);
    let differences = &totals.table.differences;
    let mut lines: Vec<String> = totals
        .versions
        .iter()
        .filter_map(|(version, tally)| Some(format!("{version} failed first with: {}", tally.first_failure.as_ref()?)))
        .collect();
    if differences.is_empty() {
        lines.push(format!("{rows} rows compared one by one: each is what was last written to it"));
        return lines;
    }
    lines.push(format!("{rows} rows compared one by one: {} are not what was last written to them", differences.len()));
    lines.extend(differences.iter().take(EXAMPLES).map(example));
    if differences.len() > EXAMPLES {
        lines.push(format!("  and {} more", differences.len() - EXAMPLES));
    }
    lines
}

fn example(difference: &Difference) -> String {
    let Difference { id, expected, found, by } = difference;
    let status = |row: &Option<Option<String>>| match row {
        None => "no row".to_string(),
        Some(None) => "NULL".to_string(),
        Some(Some(status)) => format!("'{status}'"),
    };
    let by = if by.is_empty() { "nobody" } else { by };
    format!("  order {id}: {by} wrote {} last, the table says {}", status(expected), status(found))
}

fn verdict(totals: &Totals, story: Story) -> String {
    let took = format!("({:.1} s)", totals.took.as_secs_f64());
    let failed: u64 = totals.versions.values().map(|tally| tally.failed).sum();
    let stale: u64 = totals.versions.values().map(|tally| tally.stale).sum();
    let lost = totals.table.differences.len();
    let counted = format!("{failed} failed queries, {stale} stale reads, {lost} lost writes {took}");
    match (totals.is_clean(), story) {
        (true, _) => counted.green().to_string(),
        (false, Story::Phased) => counted.red().to_string(),
        (false, Story::Textbook) => {
            format!("{}\n`lockkeeper demo` shows the same change under the same load, phased and gated", counted.red())
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Digits in groups of three.
fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
