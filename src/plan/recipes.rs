//! How an unsafe migration becomes a phased change: one file per kind of change, one line here.

pub mod rename_column;

use std::ops::Range;
use std::path::Path;

use super::Plan;
use super::directory;
use crate::error::{Error, Result};
use crate::history::History;
use crate::schema::{Catalog, Table};
use crate::sql::{self, Change, Clause, Dialect, Name};

/// Every recipe, by the name of the rule that sends people to it.
const RECIPES: &[(&str, Recipe)] = &[("rename-column", rename_column::rewrite)];

/// Rewrites a change that it knows; `None` for every other change.
type Recipe = fn(&Unsafe<'_>) -> Option<Result<Draft>>;

/// What a recipe writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub files: Vec<(&'static str, String)>,
    /// Which application versions may run when, one sentence each, in order.
    pub ladder: Vec<String>,
}

/// An unsafe change, and what the migrations before it tell about its table.
pub struct Unsafe<'a> {
    pub dialect: Dialect,
    /// The migration's name without `.sql`.
    pub title: &'a str,
    pub change: &'a Change,
    /// The table as the history left it.
    pub table: Option<&'a Table>,
    /// The text of the statement that created the table.
    pub created_by: Option<&'a str>,
    /// What `--type` says: a type, also with NOT NULL and DEFAULT.
    pub column_type: Option<&'a str>,
}

/// A phased change that is not written yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewritten {
    pub draft: Draft,
    /// What the reader should know besides, one sentence each.
    pub notes: Vec<String>,
    pub plan: Plan,
}

/// Rewrites the migration at `migration` as a phased change that would be written to `output`. `history`
/// holds the migration and its siblings.
///
/// # Errors
/// A migration that holds anything but one change with a recipe, and a change that the recipe refuses.
pub fn rewrite(migration: &Path, history: &History, column_type: Option<&str>, output: &Path) -> Result<Rewritten> {
    let dialect = history.dialect;
    let shown = migration.display().to_string();
    let at = history
        .migrations
        .iter()
        .position(|other| is_same_file(Path::new(&other.path), migration))
        .ok_or_else(|| Error::input(format!("{shown} is no migration that runs forward")))?;
    let subject = &history.migrations[at];
    if history.migrations.get(at + 1).is_some_and(|next| next.path == subject.path) {
        return Err(Error::input(format!("{shown} holds several changesets"))
            .hint("move the one that is to be rewritten to a file of its own"));
    }
    let line = |range: &Range<usize>| sql::line_column(&subject.text, range.start).0;
    let mut changes = Vec::new();
    for statement in &subject.statements {
        let clauses = statement.parsed.as_ref().map_err(|unread| {
            Error::input(format!("{shown}:{}: cannot read this statement", line(&unread.range))).because(&unread.reason)
        })?;
        let concerned = clauses.iter().filter(|clause| concerns(&clause.change));
        changes.extend(concerned.map(|clause| (line(&clause.range), clause)));
    }
    let change = match changes.as_slice() {
        [] => return Err(Error::input(format!("{shown} changes nothing"))),
        [(_, Clause { change, .. })] => change,
        [..] => return Err(in_the_way(&shown, &subject.text, &changes)),
    };

    let before = Before::replay(history, at, change);
    let title = title(migration);
    let subject = Unsafe {
        dialect,
        title: &title,
        change,
        table: table_of(change).and_then(|table| before.catalog.table(table)),
        created_by: before.created_by.as_deref(),
        column_type,
    };
    let draft = RECIPES.iter().find_map(|(_, recipe)| recipe(&subject)).unwrap_or_else(|| {
        let known: Vec<&str> = RECIPES.iter().map(|(name, _)| *name).collect();
        Err(Error::input(format!("no recipe for what {shown} does"))
            .hint(format!("the recipes are: {}", known.join(", "))))
    })?;
    let plan = directory::of_texts(output, &draft.files, Some(dialect))?;
    Ok(Rewritten { draft, notes: before.notes, plan })
}

/// What a migration is called: its file's name, or its directory's where every file is `up.sql`.
pub fn title(migration: &Path) -> String {
    let named = match migration.file_stem() {
        Some(stem) if stem == "up" => migration.parent().and_then(Path::file_name).or(Some(stem)),
        stem => stem,
    };
    named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Transactions and session settings around a change are the tool's business and fall away.
fn concerns(change: &Change) -> bool {
    match change {
        Change::Begin | Change::Commit => false,
        other => {
            !["SET", "RESET", "SAVEPOINT", "RELEASE"].contains(&other.words().split(' ').next().unwrap_or_default())
        }
    }
}

fn in_the_way(shown: &str, text: &str, changes: &[(usize, &Clause)]) -> Error {
    let known = |change: &Change| matches!(change, Change::RenameColumn { .. });
    let (line, _) = changes.iter().find(|(_, clause)| !known(&clause.change)).unwrap_or(&changes[1]);
    let source = text.lines().nth(line - 1).unwrap_or_default().trim();
    Error::input(format!("{shown}:{line}: `{source}` is in the way: a phased change is made of one change at a time"))
        .hint("move it to a migration of its own")
}

fn table_of(change: &Change) -> Option<&Name> {
    match change {
        Change::RenameColumn { table, .. } => Some(table),
        _ => None,
    }
}

/// What the migrations before one tell.
struct Before {
    catalog: Catalog,
    created_by: Option<String>,
    notes: Vec<String>,
}

impl Before {
    fn replay(history: &History, at: usize, change: &Change) -> Self {
        let mut before = Self { catalog: Catalog::new(history.dialect), created_by: None, notes: Vec::new() };
        let mut unread = 0;
        let first = history.migrations[..=at]
            .iter()
            .rposition(|migration| migration.starts_anew || migration.baseline)
            .unwrap_or(0);
        for (number, migration) in history.migrations[first..at].iter().enumerate() {
            for statement in &migration.statements {
                let Ok(clauses) = &statement.parsed else {
                    unread += 1;
                    continue;
                };
                before.catalog.enter(number, migration.in_transaction, clauses.iter().map(|clause| &clause.change));
                for clause in clauses {
                    let earlier = &clause.change;
                    let creates = matches!((earlier, table_of(change)),
                        (Change::CreateTable { table, .. }, Some(of)) if before.catalog.same(&table.name, &of.name));
                    if creates {
                        before.created_by = Some(migration.text[statement.range.clone()].to_string());
                    }
                    before.catalog.apply(clause);
                }
            }
        }
        match unread {
            0 => {}
            1 => {
                before.notes.push("1 earlier statement could not be read: what it did to the table is not known".into())
            }
            _ => before.notes.push(format!(
                "{unread} earlier statements could not be read: what they did to the table is not known"
            )),
        }
        for error in &history.unreadable {
            before.notes.push(format!("{error}: what it does to the table is not known"));
        }
        before
    }
}
