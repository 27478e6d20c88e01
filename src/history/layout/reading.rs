//! What a tool makes of a directory's files: what runs, in which order, in which transaction, and what does not.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use super::Wrapping;
use super::directory::{Directory, Entry, EntryKind};
use super::order::{Part, by_value};
use crate::error::Error;
use crate::history::{History, Migration};
use crate::sql::{Change, Statement};

/// Why files that undo a migration are not linted.
pub(super) const DOWN: &str = "made to undo a migration";

/// What a tool makes of a directory.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) units: Vec<Unit>,
    /// Files that the tool does not run forward, by the reason.
    pub(super) aside: BTreeMap<&'static str, Vec<PathBuf>>,
    pub(super) notes: Vec<String>,
    pub(super) errors: Vec<Error>,
}

/// Migrations that a tool made of files that are not SQL.
#[derive(Default)]
pub(super) struct Translation {
    /// In the order in which they run.
    pub(super) migrations: Vec<Migration>,
    /// SQL files that it runs, or knows not to run, by their canonical paths: they are no other tool's.
    pub(super) taken: BTreeSet<PathBuf>,
    /// Files that the tool does not run forward, by the reason.
    pub(super) aside: BTreeMap<&'static str, Vec<PathBuf>>,
    pub(super) notes: Vec<String>,
    pub(super) errors: Vec<Error>,
}

impl Translation {
    /// Adds all of it to the history.
    pub(super) fn enter(mut self, history: &mut History, aside: &mut BTreeMap<&'static str, Vec<PathBuf>>) {
        history.migrations.append(&mut self.migrations);
        history.notes.append(&mut self.notes);
        history.unreadable.append(&mut self.errors);
        for (reason, mut paths) in self.aside {
            aside.entry(reason).or_default().append(&mut paths);
        }
    }
}

/// What a tool runs as one migration.
pub(super) struct Unit {
    pub(super) entry: usize,
    pub(super) version: Option<String>,
    order: Vec<Part>,
    /// `None` is the whole file.
    pub(super) parts: Option<Vec<Range<usize>>>,
    pub(super) transaction: Transaction,
}

impl Unit {
    /// The order of a sequence.
    pub(super) fn compare(&self, other: &Self, directory: &Directory) -> Ordering {
        let (entry, its) = (&directory.entries[self.entry], &directory.entries[other.entry]);
        self.order.cmp(&other.order).then_with(|| entry.compare(its))
    }
}

/// Whether the runner executes a migration in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    Always,
    Never,
    /// The file itself says that it runs in none.
    Refused,
    /// PostgreSQL makes one of several statements that are sent at once.
    IfSeveral,
    /// As `IfSeveral`, but not if a statement builds an index concurrently and none drops one so.
    IfSeveralUnlessIndexed,
    /// The tool sees for itself that a statement refuses one.
    UnlessRefused,
}

impl Transaction {
    /// `Refused` where a migration says so.
    pub(super) fn unless(refused: bool) -> Self {
        if refused { Self::Refused } else { Self::Always }
    }

    /// What a team's own runner makes of it; what the file itself says stays.
    pub(super) fn wrapped(self, wrapping: Option<Wrapping>) -> Self {
        match (self, wrapping) {
            (Self::Refused, _) | (_, None) => self,
            (_, Some(Wrapping::PerFile)) => Self::Always,
            (_, Some(Wrapping::None)) => Self::Never,
        }
    }

    pub(super) fn holds(self, statements: &[Statement]) -> bool {
        match self {
            Self::Always => true,
            Self::Never | Self::Refused => false,
            Self::IfSeveral => statements.len() > 1,
            Self::IfSeveralUnlessIndexed => {
                let clauses = || statements.iter().flat_map(|statement| statement.parsed.iter().flatten());
                let builds = |change: &Change| matches!(change, Change::CreateIndex { concurrently: true, .. });
                let drops = |change: &Change| matches!(change, Change::DropIndex { concurrently: true, .. });
                let is_split =
                    clauses().any(|clause| builds(&clause.change)) && !clauses().any(|clause| drops(&clause.change));
                statements.len() > 1 && !is_split
            }
            Self::UnlessRefused => {
                let mut clauses = statements.iter().flat_map(|statement| statement.parsed.iter().flatten());
                !clauses.any(|clause| refuses(&clause.change))
            }
        }
    }
}

/// Whether Flyway knows that a statement of PostgreSQL runs in no transaction.
fn refuses(change: &Change) -> bool {
    match change {
        Change::CreateIndex { concurrently, .. } | Change::DropIndex { concurrently, .. } => *concurrently,
        Change::Reindex { what, .. } => ["SCHEMA", "DATABASE", "SYSTEM"].contains(&what.as_str()),
        Change::Maintain { action, .. } => action.starts_with("VACUUM"),
        Change::Other { kind } => {
            let kinds = ["VACUUM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE"];
            kinds.contains(&kind.as_str())
                || ["CREATE SUBSCRIPTION", "DROP SUBSCRIPTION", "ALTER SYSTEM"].contains(&kind.as_str())
        }
        _ => false,
    }
}

/// One migration of a file.
pub(super) struct Run {
    pub(super) version: Option<String>,
    /// `None` is the order of the versions, or else of the paths.
    pub(super) order: Option<Vec<Part>>,
    pub(super) parts: Option<Vec<Range<usize>>>,
    pub(super) transaction: Transaction,
}

impl Run {
    /// A whole file.
    pub(super) fn new(version: &str, transaction: Transaction) -> Self {
        Self { version: Some(version.to_string()), order: None, parts: None, transaction }
    }

    /// The tool sorts by this.
    pub(super) fn ordered(mut self, order: Vec<Part>) -> Self {
        self.order = Some(order);
        self
    }

    /// Only these parts of the file run forward.
    pub(super) fn of_parts(mut self, parts: Vec<Range<usize>>) -> Self {
        self.parts = Some(parts);
        self
    }
}

/// What a tool makes of one file.
pub(super) enum Place {
    Forward(Vec<Run>),
    /// It is not run forward, for this reason.
    Aside(&'static str),
}

impl Place {
    /// The file is one migration.
    pub(super) fn run(run: Run) -> Self {
        Self::Forward(vec![run])
    }
}

impl Reading {
    /// Asks about each file that was read. Phased changes are the same in every layout: the tool only orders
    /// their directory, by `order`.
    pub(super) fn of(
        directory: &Directory,
        order: fn(&str) -> Vec<Part>,
        mut ask: impl FnMut(&Entry, &str) -> Place,
    ) -> Self {
        let mut reading = Self::default();
        for (index, entry) in directory.entries.iter().enumerate() {
            let Some(text) = &entry.text else { continue };
            let place = match entry.kind {
                EntryKind::Phased(Some(_)) => Place::run(phased(entry, order)),
                EntryKind::Phased(None) => Place::Aside("no phase of a phased change runs them"),
                EntryKind::Script | EntryKind::Own(_) => ask(entry, text),
            };
            match place {
                Place::Forward(runs) => reading.units.extend(runs.into_iter().map(|run| {
                    let order = run.order.unwrap_or_else(|| by_value(run.version.as_deref().unwrap_or_default()));
                    let Run { version, parts, transaction, .. } = run;
                    Unit { entry: index, version, order, parts, transaction }
                })),
                Place::Aside(reason) => reading.aside.entry(reason).or_default().push(entry.path.clone()),
            }
        }
        reading
    }
}

/// A phase of a phased change: our own runner executes it, statement by statement.
fn phased(entry: &Entry, order: fn(&str) -> Vec<Part>) -> Run {
    let name = entry.name.strip_prefix('V').unwrap_or(&entry.name);
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let version = (digits > 0).then(|| name[..digits].to_string());
    Run { version, order: Some(order(&entry.name)), parts: None, transaction: Transaction::Refused }
}

/// The lines of a text with their ends, each with its offset.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}

/// What a comment line says behind its dashes; `None` for any other line.
pub(super) fn comment(line: &str) -> Option<&str> {
    Some(line.trim_start_matches('\u{feff}').trim().strip_prefix("--")?.trim())
}

/// `0042_name.sql` into `0042` and `name`.
pub(super) fn numbered(name: &str) -> Option<(&str, &str)> {
    let (version, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some((version, rest))
}
