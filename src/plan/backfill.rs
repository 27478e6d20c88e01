//! Which statements of backfill.sql go through a table in batches, and how a batch of one is written.
//!
//! Invariant: a batch is the user's own text, cut at its WHERE; what we add stands there and nowhere else.

use crate::sql::{Conjunct, Dialect, Dml, Name, Verb};

/// The rows that ranges of a key are cut of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub table: Name,
    /// PostgreSQL's ONLY: without the tables that inherit from it.
    pub only: bool,
    /// What qualifies the table's columns in the statement, ready to be written: its alias, or its name.
    pub row: String,
    /// The columns that the statement writes: a key of those would move under it.
    pub written: Vec<String>,
}

/// A statement that the runner carries out in batches by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Whose key the batches are cut by.
    pub rows: Rows,
    /// The user's text up to where WHERE stands or would stand.
    head: String,
    /// Ours: rows that somebody has written meanwhile stay as they are.
    pub guard: Option<String>,
    /// The user's own WHERE leaves such rows alone; a DELETE and an INSERT overwrite none.
    pub guarded: bool,
    /// The user's condition, if any; every batch carries it.
    condition: Option<String>,
    /// The rows that an INSERT's query reads are locked: one whose deletion is under way would come back, because the
    /// trigger that takes its copy away has run before the copy was there.
    pub lock: Option<String>,
    /// What follows: ON CONFLICT.
    tail: String,
}

impl Backfill {
    /// The statement in its parts. `added` are columns that were empty when the change began: where the user's own
    /// WHERE does not say which rows are done, rows that hold something in all of those are left alone.
    pub(super) fn of(dialect: Dialect, text: &str, dml: &Dml, added: &[&str]) -> Self {
        let columns = dml.set.iter().map(|one| &one.column).chain(dml.set_by_query.iter().flat_map(|(names, _)| names));
        let rows = Rows {
            table: dml.table.clone(),
            only: dml.only,
            row: dml.row.clone(),
            written: columns.cloned().collect(),
        };
        let is_null = |column: &String| format!("{}.{} IS NULL", dml.row, dialect.quote(column));
        let empty: Vec<String> =
            rows.written.iter().filter(|column| added.contains(&column.as_str())).map(is_null).collect();
        let guarded = dml.verb != Verb::Update || dml.filter.iter().any(|part: &Conjunct| part.guard);
        Self {
            rows,
            guard: (!guarded && !empty.is_empty()).then(|| empty.join(" AND ")),
            guarded,
            head: text[dml.head.clone()].to_string(),
            condition: dml.condition.clone().map(|range| text[range].to_string()),
            lock: (dml.verb == Verb::Insert).then(|| shared_lock(dialect, dml)).flatten(),
            tail: text[dml.tail.clone()].to_string(),
        }
    }

    /// The statement for the rows of one range; `range` is a condition over the key.
    pub fn batch(&self, range: &str) -> String {
        let mut sql = format!("{} WHERE {range}", self.head);
        if let Some(guard) = &self.guard {
            sql += &format!(" AND {guard}");
        }
        if let Some(condition) = &self.condition {
            sql += &format!(" AND ({condition})");
        }
        for more in [self.lock.as_deref().unwrap_or_default(), &self.tail] {
            if !more.is_empty() {
                sql += &format!(" {more}");
            }
        }
        sql
    }
}

/// How an INSERT's query locks what it reads. SQLite has one writer at a time.
fn shared_lock(dialect: Dialect, dml: &Dml) -> Option<String> {
    let optional = dml.sources.split_whitespace().any(|word| word.eq_ignore_ascii_case("LEFT"));
    match dialect {
        // PostgreSQL cannot lock the rows that a LEFT JOIN may lack.
        Dialect::Postgres if optional => Some(format!("FOR SHARE OF {}", dml.row)),
        Dialect::Postgres => Some("FOR SHARE".to_string()),
        Dialect::Mysql => Some("LOCK IN SHARE MODE".to_string()),
        Dialect::Sqlite => None,
    }
}
