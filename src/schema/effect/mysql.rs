//! MySQL 8.0 to 9, by measurement on 8.0.36 (before 8.0.29 by its manual; 9.7 differs in six of 512, not told apart), and MariaDB 10.6 to 11, on 10.11. Where it is not told which of them it
//! is, the dearest counts.
//!
//! Even an INSTANT change waits for open transactions on its table, and whoever comes after it waits behind it.

mod alter;
mod column;
mod types;

use super::{Answer, Blocks, Effect, InTransaction};
use crate::schema::catalog::Born;
use crate::schema::{Catalog, Table};
use crate::sql::{Change, Clause, Column, ColumnsFrom, ConstraintKind, Engine, Flavour, Generated, Index, Name};

/// A server, as far as its versions differ in what a change costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Mariadb,
    /// Before 8.0.29 it adds columns instantly only at the end and drops none so.
    OldMysql,
    Mysql,
}

impl Server {
    fn is_mysql(self) -> bool {
        self != Self::Mariadb
    }
}

/// What ALTER TABLE can be asked for, from the cheapest to the dearest. MySQL calls MariaDB's NOCOPY by INPLACE too.
const INSTANT: &str = "ALGORITHM=INSTANT";
const IN_PLACE: &str = "ALGORITHM=INPLACE, LOCK=NONE";
const IN_PLACE_SHARED: &str = "ALGORITHM=INPLACE, LOCK=SHARED";
const COPY: &str = "ALGORITHM=COPY, LOCK=SHARED";
const EXCLUSIVE: &str = "EXCLUSIVE METADATA LOCK";

pub(super) fn effect(change: &Change, before: &Catalog, engine: Engine) -> Option<Effect> {
    dearest(engine, |server| Some(on(server, change, before)?.in_transaction(transaction(change, before))))
}

/// What the actions of one statement cost, which are carried out in one way, the dearest that one of them needs.
pub(super) fn together(clauses: &[Clause], before: &Catalog, engine: Engine) -> Option<Effect> {
    dearest(engine, |server| alter::together(server, clauses, before))
}

/// The dearest that it may be.
fn dearest(engine: Engine, on: impl Fn(Server) -> Option<Effect>) -> Option<Effect> {
    let may_be = |server: &Server| match server {
        Server::Mariadb => engine.may_be(Flavour::Mariadb),
        Server::OldMysql => engine.may_be_before(Flavour::Mysql, (8, 0, 29)),
        Server::Mysql => engine.may_be_from(Flavour::Mysql, (8, 0, 29)),
    };
    let servers = [Server::Mariadb, Server::OldMysql, Server::Mysql].into_iter().filter(may_be);
    let effects = servers.map(|server| Some((server, on(server)?))).collect::<Option<Vec<_>>>()?;
    let (server, dearest) = effects.iter().rev().max_by_key(|(_, effect)| rank(effect)).cloned()?;
    let accepting = effects.iter().filter(|(_, effect)| effect.refused.is_none());
    if let (Some(mode), Some((_, accepted))) = (dearest.refused, accepting.max_by_key(|(_, effect)| rank(effect))) {
        // One server refuses it, another one does it in the way that was asked for.
        let why = Answer::Unknown("which server it is, is not told");
        return Some(Effect { refused: Some(mode), rewrites: why, ..accepted.clone() });
    }
    let cheaper =
        |other: Server| effects.iter().any(|(server, effect)| *server == other && rank(effect) < rank(&dearest));
    Some(match server {
        Server::Mariadb if cheaper(Server::Mysql) => dearest.by_version("MySQL needs less"),
        Server::Mysql if cheaper(Server::Mariadb) => dearest.by_version("MariaDB needs less"),
        Server::OldMysql if cheaper(Server::Mysql) => dearest.by_version("MySQL needs less from 8.0.29 on"),
        Server::OldMysql if cheaper(Server::Mariadb) => dearest.by_version("MariaDB needs less"),
        _ => dearest,
    })
}

/// What is worse is greater.
fn rank(effect: &Effect) -> (bool, bool, usize, Answer, Answer) {
    let way = effect.locks.first().map_or(0, |lock| match lock.mode {
        INSTANT => 1,
        IN_PLACE => 2,
        IN_PLACE_SHARED => 3,
        COPY => 4,
        _ => 5,
    });
    (effect.refused.is_some(), effect.blocks_for_long(), way, effect.rewrites, effect.scans)
}

/// Everything but reading and writing rows commits what stands before it.
fn transaction(change: &Change, before: &Catalog) -> InTransaction {
    let temporary = change.table().is_some_and(|table| before.is_temporary(table));
    match change {
        Change::Update { .. } | Change::Delete { .. } | Change::Insert { .. } => InTransaction::Joins,
        Change::CreateTable { temporary: true, .. } => InTransaction::Joins,
        Change::DropTable { .. } if temporary => InTransaction::Joins,
        _ => InTransaction::Commits,
    }
}

fn on(server: Server, change: &Change, before: &Catalog) -> Option<Effect> {
    if let Some(effect) = alter::effect(server, change, before) {
        return Some(effect);
    }
    Some(match change {
        Change::CreateTable { constraints, columns_from, .. } => {
            let targets = constraints.iter().filter_map(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey { references, .. } => Some(references.clone()),
                _ => None,
            });
            let effect = Effect::new("SHARED METADATA LOCK", Blocks::Nobody, targets);
            match columns_from.iter().any(|from| matches!(from, ColumnsFrom::Query)) {
                true => effect.scanning(Answer::Unknown("how much its query reads is not told")),
                false => effect,
            }
        }
        Change::DropTable { table, .. }
        | Change::Truncate { table, .. }
        | Change::CreateTrigger { table, .. }
        | Change::DropTrigger { table: Some(table), .. } => exclusive(table),
        Change::DropTrigger { table: None, name, .. } => exclusive(before.table_of_trigger(name)?),
        Change::Maintain { table: Some(table), action } => maintain(table, action, before)?,
        Change::CreateView { .. } | Change::DropView { .. } => Effect::none(),
        Change::Update { table, .. } | Change::Delete { table, .. } => {
            Effect::new("X ROW LOCKS", Blocks::WritesToTouchedRows, [table.clone()]).scanning(true)
        }
        _ => return None,
    })
}

fn maintain(table: &Name, action: &str, before: &Catalog) -> Option<Effect> {
    let facts = Facts::of(table, before);
    Some(match action {
        // InnoDB has no other way to do it than a rebuild.
        "OPTIMIZE" if facts.other_engine || facts.fulltext => copy(table),
        "OPTIMIZE" => in_place(table).rewriting(true),
        "ANALYZE" => Effect::none(),
        // InnoDB does nothing about it.
        "REPAIR" if facts.other_engine => copy(table),
        "REPAIR" => Effect::none(),
        "CHECK" => Effect::none(),
        _ => return None,
    })
}

/// What the history tells of a table that decides how it can be altered.
#[derive(Debug, Clone, Copy, Default)]
struct Facts<'a> {
    table: Option<&'a Table>,
    /// It is not InnoDB's.
    other_engine: bool,
    fulltext: bool,
    redundant: bool,
    compressed: bool,
    versioned: bool,
    has_virtual: bool,
    has_indexed_virtual: bool,
}

impl<'a> Facts<'a> {
    fn of(name: &Name, before: &'a Catalog) -> Self {
        let Some(table) = before.table(name) else { return Self::default() };
        let option = |name: &str| table.options.get(name).map(String::as_str);
        let virtual_columns = || table.columns.values().filter(|column| column.generated == Some(Generated::Virtual));
        let is_indexed = |column: &Born<Column>| {
            table.indexes.values().any(|index| index.columns.iter().any(|name| before.same(name, &column.name)))
        };
        Self {
            table: Some(table),
            other_engine: option("ENGINE").is_some_and(|engine| engine != "innodb"),
            fulltext: table.indexes.values().any(|index| is_special(index, "fulltext")),
            redundant: option("ROW_FORMAT") == Some("redundant"),
            compressed: option("ROW_FORMAT") == Some("compressed") || option("KEY_BLOCK_SIZE").is_some(),
            versioned: option("SYSTEM VERSIONING").is_some(),
            has_virtual: virtual_columns().next().is_some(),
            has_indexed_virtual: virtual_columns().any(is_indexed),
        }
    }
}

impl Facts<'_> {
    /// Every row is written anew in place.
    fn rebuilt(&self, table: &Name) -> Effect {
        match self {
            Self { other_engine: true, .. } => copy(table),
            Self { fulltext: true, .. } => in_place_shared(table).rewriting(true),
            _ => in_place(table).rewriting(true),
        }
    }
}

fn is_special(index: &Index, method: &str) -> bool {
    index.method.as_deref() == Some(method)
}

/// Only the catalog's entry changes.
fn instant(table: &Name) -> Effect {
    Effect::new(INSTANT, Blocks::ReadsAndWrites, [table.clone()])
}

fn in_place(table: &Name) -> Effect {
    Effect::new(IN_PLACE, Blocks::Nobody, [table.clone()])
}

fn in_place_shared(table: &Name) -> Effect {
    Effect::new(IN_PLACE_SHARED, Blocks::Writes, [table.clone()]).scanning(true)
}

fn copy(table: &Name) -> Effect {
    Effect::new(COPY, Blocks::Writes, [table.clone()]).rewriting(true).scanning(true)
}

/// Whether it has to copy depends on what the history does not tell.
fn maybe_copy(table: &Name, why: &'static str) -> Effect {
    let why = Answer::Unknown(why);
    Effect::new(COPY, Blocks::Writes, [table.clone()]).rewriting(why).scanning(why)
}

fn exclusive(table: &Name) -> Effect {
    Effect::new(EXCLUSIVE, Blocks::ReadsAndWrites, [table.clone()])
}
