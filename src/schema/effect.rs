//! What a change costs: the lock it takes, whom that blocks, whether the table is scanned or rewritten.
//!
//! One file per engine, each agreeing with what was measured on real servers: PostgreSQL 12 to 18,
//! MariaDB 10.11 (MySQL 8 by its manual), SQLite 3.40 to 3.54.

mod mysql;
mod postgres;
mod sqlite;

use super::Catalog;
use crate::sql::{Change, Dialect, Name};

/// Whom a change blocks while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    Nobody,
    /// Who writes to a row that was touched waits until the transaction ends.
    WritesToTouchedRows,
    Writes,
    ReadsAndWrites,
}

/// What a change costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The engine's own word for the lock, as `pg_locks` or the ALGORITHM clause has it.
    pub lock: &'static str,
    /// The tables that it is taken on; none where it is the whole database's.
    pub tables: Vec<Name>,
    pub blocks: Blocks,
    /// Every row is written anew.
    pub rewrites: bool,
    /// Every row is read.
    pub scans: bool,
}

impl Effect {
    fn new(lock: &'static str, blocks: Blocks, tables: impl IntoIterator<Item = Name>) -> Self {
        Self { lock, tables: tables.into_iter().collect(), blocks, rewrites: false, scans: false }
    }

    fn scanning(self, scans: bool) -> Self {
        Self { scans, ..self }
    }

    fn rewriting(self, rewrites: bool) -> Self {
        Self { rewrites, ..self }
    }

    /// It blocks somebody for as long as it takes to go through all rows.
    pub fn blocks_for_long(&self) -> bool {
        self.blocks != Blocks::Nobody && (self.rewrites || self.scans)
    }

    /// The lock and whom it blocks, in a sentence.
    pub fn sentence(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(|table| format!("`{table}`")).collect();
        let place = if tables.is_empty() { "the whole database".to_string() } else { tables.join(" and ") };
        let whom = match self.blocks {
            Blocks::Nobody => "blocks neither reads nor writes",
            Blocks::WritesToTouchedRows => "blocks writes to every row it has touched",
            Blocks::Writes => "blocks writes",
            Blocks::ReadsAndWrites => "blocks reads and writes",
        };
        let how_long = match (self.blocks, self.rewrites, self.scans) {
            (Blocks::Nobody, true, _) => " although every row is rewritten",
            (Blocks::Nobody, false, _) => "",
            (Blocks::WritesToTouchedRows, ..) => " until the transaction ends",
            (_, true, _) => " while every row is rewritten",
            (_, false, true) => " while every row is read",
            (_, false, false) if self.tables.is_empty() => " only for a moment",
            (_, false, false) => " only for a moment, but whoever comes after it queues behind it",
        };
        format!("{} on {place}: {whom}{how_long}", self.lock)
    }
}

/// The effect of `change`; `None` where nothing is known, which is no promise of harmlessness.
pub fn effect(change: &Change, before: &Catalog) -> Option<Effect> {
    match before.dialect() {
        Dialect::Postgres => postgres::effect(change, before),
        Dialect::Mysql => mysql::effect(change, before),
        Dialect::Sqlite => sqlite::effect(change, before),
    }
}

/// A type as written, taken apart: `character varying(20)` is `varchar` and `[20]`.
#[derive(Debug, PartialEq, Eq)]
struct Type {
    name: String,
    arguments: Vec<u64>,
}

impl Type {
    fn read(text: &str) -> Self {
        let (before, arguments, after) = match (text.find('('), text.find(')')) {
            (Some(open), Some(close)) if open < close => (&text[..open], &text[open + 1..close], &text[close + 1..]),
            _ => (text, "", ""),
        };
        let words: Vec<_> = before.split_whitespace().chain(after.split_whitespace()).collect();
        let name = words.join(" ").to_ascii_lowercase();
        let name = match name.as_str() {
            "character varying" => "varchar",
            "character" => "char",
            "decimal" | "dec" => "numeric",
            "bit varying" => "varbit",
            "integer" | "int4" => "int",
            "int8" => "bigint",
            "int2" => "smallint",
            "boolean" => "bool",
            "timestamp with time zone" => "timestamptz",
            "timestamp without time zone" => "timestamp",
            "time with time zone" => "timetz",
            "time without time zone" => "time",
            other => other,
        };
        let arguments = arguments.split(',').filter_map(|argument| argument.trim().parse().ok()).collect();
        Self { name: name.to_string(), arguments }
    }
}
