//! What a change costs: the lock it takes, whom that blocks, whether the table is scanned or rewritten.
//!
//! One file per engine, each agreeing with what was measured on real servers: PostgreSQL 12 to 18,
//! MariaDB 10.11 (MySQL 8 by its manual), SQLite 3.40 to 3.54.

mod mysql;
mod postgres;
mod rows;
mod sqlite;

use std::collections::BTreeMap;

use super::Catalog;
use crate::sql::engine::Version;
use crate::sql::{Change, Clause, Dialect, Engine, Name};

/// Whom a lock keeps waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    Nobody,
    /// Who writes to a row that was touched waits until the transaction ends.
    WritesToTouchedRows,
    Writes,
    ReadsAndWrites,
}

/// A lock that a change takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// `None` is the whole database.
    pub relation: Option<Name>,
    /// The engine's own word for it, as `pg_locks` or the ALGORITHM clause has it.
    pub mode: &'static str,
    pub blocks: Blocks,
}

/// The locks that a transaction holds so far, in the order in which it took them.
#[derive(Debug, Clone, Default)]
pub struct Held {
    locks: Vec<Lock>,
    strongest: BTreeMap<Option<Name>, Blocks>,
}

impl Held {
    /// One that is no stronger than what is held on the same relation changes nothing.
    pub fn add(&mut self, lock: Lock) {
        let known = self.strongest.get(&lock.relation);
        if known.is_none_or(|known| *known < lock.blocks) {
            self.strongest.insert(lock.relation.clone(), lock.blocks);
            self.locks.push(lock);
        }
    }

    /// The transaction has ended.
    pub fn clear(&mut self) {
        self.locks.clear();
        self.strongest.clear();
    }

    /// The locks.
    pub fn locks(&self) -> &[Lock] {
        &self.locks
    }
}

/// An answer that the history may not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    No,
    /// It would take a guess, because of this: a lower-case fragment.
    Unknown(&'static str),
    Yes,
}

impl Answer {
    /// It is so, or may be.
    pub fn is_possible(self) -> bool {
        self != Self::No
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// How a change goes together with a transaction around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTransaction {
    /// It is part of it: its locks are held until the end.
    Joins,
    /// The server refuses it there.
    Refuses,
    /// It commits what came before, and itself.
    Commits,
}

/// Whose transactions a change waits for to end, besides those whose locks are in its way. They need not be about to
/// do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitsFor {
    Nobody,
    /// Who has read or written the table.
    UsersOfTable,
    /// Who has written to the table, and who holds an older snapshot, whatever of the database it has read.
    WritersAndSnapshots,
    /// Who has used the table, and who holds an older snapshot.
    UsersAndSnapshots,
}

impl WaitsFor {
    /// The end of a sentence; `None` where it is nobody.
    fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::Nobody => return None,
            Self::UsersOfTable => "waits for every open transaction that has used the table",
            Self::WritersAndSnapshots => {
                "waits for every open transaction that has written to the table, and for long queries on any other"
            }
            Self::UsersAndSnapshots => {
                "waits for every open transaction that has used the table, and for long queries on any other"
            }
        })
    }
}

/// What a change costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The relation that the change names comes first; each relation once, with its strongest lock.
    pub locks: Vec<Lock>,
    /// Every row of a locked table is written anew.
    pub rewrites: Answer,
    /// Every row of a locked table is read.
    pub scans: Answer,
    /// Whether other relations are locked that `locks` cannot name.
    pub others: Answer,
    pub transaction: InTransaction,
    /// What other versions do, where it is not told which one it is: a lower-case fragment that names them.
    pub by_version: Option<String>,
    /// The server refuses to do it in the way that its statement asks for, because it needs this one; where `rewrites` is
    /// unknown, it may.
    pub refused: Option<&'static str>,
    /// The first version that does it, where that is not the oldest one that we know.
    pub since: Option<Version>,
    pub waits_for: WaitsFor,
    /// About how many rows the greatest of the tables has, where a live database told.
    pub rows: Option<u64>,
}

impl Effect {
    fn new(mode: &'static str, blocks: Blocks, relations: impl IntoIterator<Item = Name>) -> Self {
        let mut effect = Self::none();
        for relation in relations {
            effect = effect.locking(mode, blocks, relation);
        }
        effect
    }

    /// No lock that anybody else waits for.
    fn none() -> Self {
        Self {
            locks: Vec::new(),
            rewrites: Answer::No,
            scans: Answer::No,
            others: Answer::No,
            transaction: InTransaction::Joins,
            by_version: None,
            refused: None,
            since: None,
            waits_for: WaitsFor::Nobody,
            rows: None,
        }
    }

    /// The lock of a database that has only one.
    fn on_everything(mode: &'static str, blocks: Blocks) -> Self {
        Self { locks: vec![Lock { relation: None, mode, blocks }], ..Self::none() }
    }

    /// Another lock; of two on one relation the stronger one stays.
    fn locking(mut self, mode: &'static str, blocks: Blocks, relation: Name) -> Self {
        match self.locks.iter_mut().find(|lock| lock.relation.as_ref() == Some(&relation)) {
            Some(lock) if lock.blocks < blocks => (lock.mode, lock.blocks) = (mode, blocks),
            Some(_) => {}
            None => self.locks.push(Lock { relation: Some(relation), mode, blocks }),
        }
        self
    }

    fn scanning(self, scans: impl Into<Answer>) -> Self {
        Self { scans: self.scans.max(scans.into()), ..self }
    }

    fn rewriting(self, rewrites: impl Into<Answer>) -> Self {
        Self { rewrites: self.rewrites.max(rewrites.into()), ..self }
    }

    fn and_others(self, why: &'static str) -> Self {
        Self { others: Answer::Unknown(why), ..self }
    }

    fn by_version(self, fragment: impl Into<String>) -> Self {
        Self { by_version: Some(fragment.into()), ..self }
    }

    fn waiting_for(self, waits_for: WaitsFor) -> Self {
        Self { waits_for, ..self }
    }

    fn in_transaction(self, transaction: InTransaction) -> Self {
        Self { transaction, ..self }
    }

    /// Both, one after the other.
    pub fn and(self, other: Self) -> Self {
        let mut both = other.locks.into_iter().fold(self.clone(), |effect, lock| match lock.relation {
            Some(relation) => effect.locking(lock.mode, lock.blocks, relation),
            None => Self { locks: vec![lock], ..effect },
        });
        both.transaction = if self.transaction == InTransaction::Joins { other.transaction } else { self.transaction };
        both.others = both.others.max(other.others);
        both.by_version = both.by_version.or(other.by_version);
        both.since = both.since.max(other.since);
        both.waits_for = both.waits_for.max(other.waits_for);
        both.rows = both.rows.max(other.rows);
        both.rewriting(other.rewrites).scanning(other.scans)
    }

    /// What is locked.
    pub fn relations(&self) -> impl Iterator<Item = &Name> {
        self.locks.iter().filter_map(|lock| lock.relation.as_ref())
    }

    /// Whom it keeps waiting, at most.
    pub fn blocks(&self) -> Blocks {
        self.locks.iter().map(|lock| lock.blocks).max().unwrap_or(Blocks::Nobody)
    }

    /// It blocks somebody for as long as it takes to go through all rows, or may.
    pub fn blocks_for_long(&self) -> bool {
        self.blocks() != Blocks::Nobody && (self.rewrites.is_possible() || self.scans.is_possible())
    }

    /// The locks and whom they block, in a sentence; `None` where there is none.
    pub fn sentence(&self) -> Option<String> {
        let strongest = self.locks.iter().max_by_key(|lock| (lock.blocks, std::cmp::Reverse(lock.mode)))?;
        let same = self.locks.iter().filter(|lock| lock.mode == strongest.mode);
        let relations: Vec<_> = same.filter_map(|lock| Some(format!("`{}`", lock.relation.as_ref()?))).collect();
        let place = if relations.is_empty() { "the whole database".to_string() } else { relations.join(" and ") };
        let whom = match strongest.blocks {
            Blocks::Nobody => "blocks neither reads nor writes",
            Blocks::WritesToTouchedRows => "blocks writes to every row it has touched",
            Blocks::Writes => "blocks writes",
            Blocks::ReadsAndWrites => "blocks reads and writes",
        };
        let every_row = |does: &str| rows::every_row(self.rows, does);
        let how_long = match (strongest.blocks, self.rewrites, self.scans) {
            (Blocks::Nobody, Answer::No, _) => String::new(),
            (Blocks::Nobody, ..) => format!(" although {}", every_row("is rewritten")),
            (Blocks::WritesToTouchedRows, ..) => " until the transaction ends".into(),
            (_, Answer::Yes, _) => format!(" while {}", every_row("is rewritten")),
            (_, Answer::Unknown(_), _) => format!(" while {}", every_row("may be rewritten")),
            (_, Answer::No, Answer::Yes) => format!(" while {}", every_row("is read")),
            (_, Answer::No, Answer::Unknown(_)) => format!(" while {}", every_row("may be read")),
            (..) if relations.is_empty() => " only for a moment".into(),
            (..) => " only for a moment, but whoever comes after it queues behind it".into(),
        };
        let more = self.waits_for.words().into_iter().chain(self.by_version.as_deref());
        let more: String = more.map(|fragment| format!("; {fragment}")).collect();
        Some(format!("{} on {place}: {whom}{how_long}{more}", strongest.mode))
    }
}

/// The effect of `change`; `None` where nothing is known, which is no promise of harmlessness.
///
/// What the engine's version decides and nobody tells is taken at its dearest.
pub fn effect(change: &Change, before: &Catalog, engine: Engine) -> Option<Effect> {
    let effect = match engine.dialect() {
        Dialect::Postgres => postgres::effect(change, before, engine),
        Dialect::Mysql => mysql::effect(change, before, engine),
        Dialect::Sqlite => sqlite::effect(change, before),
    }?;
    // SQLite locks the database; the rows are the table's all the same.
    let rows = effect.relations().chain(change.table()).filter_map(|table| before.rows(table)).max();
    Some(Effect { rows, ..effect })
}

/// What the actions of one ALTER TABLE cost together on MySQL, which carries them out in one way: the dearest that one of
/// them needs or that the statement asks for. `None` elsewhere, and where of one of them nothing is known.
pub fn together(clauses: &[Clause], before: &Catalog, engine: Engine) -> Option<Effect> {
    if engine.dialect() != Dialect::Mysql {
        return None;
    }
    let effect = mysql::together(clauses, before, engine)?;
    let rows = effect.relations().filter_map(|table| before.rows(table)).max();
    Some(Effect { rows, ..effect })
}

/// The order in which a statement's actions take effect. PostgreSQL drops before it does anything else and
/// validates at the very end, wherever the statement names them: `SET NOT NULL, DROP CONSTRAINT proof` has no
/// proof left when it looks for one.
pub fn in_order(clauses: &[Clause], dialect: Dialect) -> Vec<&Clause> {
    let mut ordered: Vec<_> = clauses.iter().collect();
    if dialect == Dialect::Postgres {
        ordered.sort_by_key(|clause| match clause.change {
            Change::DropConstraint { .. } => 0,
            Change::ValidateConstraint { .. } => 2,
            _ => 1,
        });
    }
    ordered
}

/// Whether two types as written are one: `int` and `integer`.
pub fn is_same_type(one: &str, other: &str) -> bool {
    Type::read(one) == Type::read(other)
}

/// A type as written, taken apart: `character varying(20)` is `varchar` and `[20]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) arguments: Vec<u64>,
}

impl Type {
    pub(crate) fn read(text: &str) -> Self {
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
