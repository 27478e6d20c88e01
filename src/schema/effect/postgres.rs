//! PostgreSQL 12 to 18. Where the majors differ and nobody tells which one it is, the dearest counts.

mod alter;
mod relatives;
mod since;
mod types;
mod volatile;

use super::{Answer, Blocks, Effect, InTransaction, WaitsFor};
use crate::schema::{Catalog, Table};
use crate::sql::{Change, ColumnsFrom, ConstraintKind, Engine, Flavour, Name, Object};

/// The locks of a table, as `pg_locks` and LOCK TABLE call them.
#[derive(Debug, Clone, Copy)]
enum Mode {
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

use Mode::{AccessExclusive, Exclusive, RowExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};

impl Mode {
    const ALL: [Self; 6] = [RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive];

    fn words(self) -> &'static str {
        match self {
            RowExclusive => "ROW EXCLUSIVE",
            ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Share => "SHARE",
            ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Exclusive => "EXCLUSIVE",
            AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    fn blocks(self) -> Blocks {
        match self {
            RowExclusive | ShareUpdateExclusive => Blocks::Nobody,
            Share | ShareRowExclusive | Exclusive => Blocks::Writes,
            AccessExclusive => Blocks::ReadsAndWrites,
        }
    }

    fn on(self, table: &Name) -> Effect {
        Effect::none().and_lock(self, table)
    }
}

impl Effect {
    fn and_lock(self, mode: Mode, table: &Name) -> Self {
        self.locking(mode.words(), mode.blocks(), table.clone())
    }

    fn and_locks<'a>(self, mode: Mode, tables: impl IntoIterator<Item = &'a Name>) -> Self {
        tables.into_iter().fold(self, |effect, table| effect.and_lock(mode, table))
    }
}

pub(super) fn effect(change: &Change, before: &Catalog, engine: Engine) -> Option<Effect> {
    let majors = Majors(engine);
    let effect = alter::effect(change, before, majors)
        .or_else(|| on_table(change, before, majors))
        .or_else(|| elsewhere(change, before))?;
    Some(by_major(unseen_if_new(effect, before), since::since(change, before), majors))
}

/// What one major does and another one does not.
#[derive(Debug, Clone, Copy)]
struct Majors(Engine);

impl Majors {
    fn may_be_before(self, major: u32) -> bool {
        self.0.may_be_before(Flavour::Postgres, major)
    }

    fn may_be_from(self, major: u32) -> bool {
        self.0.may_be_from(Flavour::Postgres, major)
    }

    /// It may be either.
    fn straddle(self, major: u32) -> bool {
        self.may_be_before(major) && self.may_be_from(major)
    }
}

/// Says of a change which majors refuse it.
fn by_major(effect: Effect, since: Option<u32>, majors: Majors) -> Effect {
    let Some(major) = since else { return effect };
    let effect = Effect { since: Some(major.into()), ..effect };
    match majors.straddle(major) {
        true => effect.by_version(format!("PostgreSQL refuses it before {major}")),
        false => effect,
    }
}

/// What this migration has created nobody waits for, and it is empty.
fn unseen_if_new(mut effect: Effect, before: &Catalog) -> Effect {
    let is_new = |lock: &super::Lock| lock.relation.as_ref().is_some_and(|relation| before.is_new(relation));
    if effect.locks.first().is_some_and(is_new) {
        (effect.rewrites, effect.scans) = (Answer::No, Answer::No);
    }
    effect.locks.retain(|lock| !is_new(lock));
    effect
}

/// Statements about tables other than ALTER TABLE.
fn on_table(change: &Change, before: &Catalog, majors: Majors) -> Option<Effect> {
    Some(match change {
        Change::CreateTable { table, constraints, columns, columns_from, if_not_exists, .. } => {
            if *if_not_exists && before.table(table).is_some() {
                return Some(Effect::none());
            }
            let inline = columns.iter().filter_map(|column| column.references.as_ref());
            let targets = constraints.iter().filter_map(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey { references, .. } => Some(references),
                _ => None,
            });
            let targets = targets.chain(inline).filter(|target| !before.is_same_table(target, table));
            let effect = Effect::none().and_locks(ShareRowExclusive, targets);
            columns_from.iter().fold(effect, |effect, from| match from {
                ColumnsFrom::PartitionOf(parent) => {
                    let targets = before.table(parent).into_iter().flat_map(Table::references);
                    let effect = effect.and_lock(AccessExclusive, parent).and_locks(ShareRowExclusive, targets);
                    effect.and_others(DEFAULT_PARTITION).scanning(Answer::Unknown(DEFAULT_PARTITION))
                }
                ColumnsFrom::Inherits(parent) => effect.and_lock(ShareUpdateExclusive, parent),
                ColumnsFrom::Query => effect.scanning(QUERY),
                ColumnsFrom::Like(_) | ColumnsFrom::Type(_) => effect,
            })
        }
        Change::DropTable { table, cascade, .. } => {
            let known = before.table(table);
            let effect = AccessExclusive
                .on(table)
                .and_locks(AccessExclusive, known.into_iter().flat_map(Table::references))
                .and_locks(AccessExclusive, known.and_then(|known| known.partition_of.as_ref()))
                .and_locks(AccessExclusive, &relatives::descendants(before, table));
            if *cascade { effect.and_locks(AccessExclusive, &relatives::dependents(before, table)) } else { effect }
        }
        Change::Truncate { table, cascade } => {
            let effect = AccessExclusive.on(table).and_locks(AccessExclusive, &relatives::descendants(before, table));
            if *cascade {
                effect.and_locks(AccessExclusive, &relatives::referencing_closure(before, table))
            } else {
                effect
            }
        }
        Change::LockTable { table, mode } => lock_table(table, mode.as_deref(), before)?,
        Change::CreateIndex { table, index, concurrently, if_not_exists } => {
            let there =
                *if_not_exists && index.name.as_ref().is_some_and(|name| relatives::has_index(before, table, name));
            if index.only && before.table(table).is_some_and(|known| known.partitioned) {
                return Some(Share.on(table));
            }
            if *concurrently {
                let waits_for = if there { WaitsFor::Nobody } else { WaitsFor::WritersAndSnapshots };
                let effect = ShareUpdateExclusive.on(table).scanning(!there).waiting_for(waits_for);
                effect.in_transaction(InTransaction::Refuses)
            } else {
                Share.on(table).and_locks(Share, &relatives::descendants(before, table)).scanning(!there)
            }
        }
        Change::DropIndex { table, name, concurrently, .. } => {
            let table = table.as_ref().or_else(|| before.table_of_index(name))?;
            match concurrently {
                true => {
                    let effect = ShareUpdateExclusive.on(table).waiting_for(WaitsFor::UsersOfTable);
                    effect.in_transaction(InTransaction::Refuses)
                }
                false => AccessExclusive.on(table).and_locks(AccessExclusive, &relatives::descendants(before, table)),
            }
        }
        Change::Reindex { what, name, concurrently } => reindex(what, name.as_ref(), *concurrently, before, majors)?,
        Change::Maintain { table, action } => maintain(table.as_ref(), action),
        Change::CreateTrigger { table, .. } => {
            ShareRowExclusive.on(table).and_locks(ShareRowExclusive, &relatives::descendants(before, table))
        }
        Change::DropTrigger { table: Some(table), name, if_exists } => {
            let known = before.table(table);
            if *if_exists && known.is_some_and(|known| known.parts_known && !known.triggers.contains_key(name)) {
                return Some(Effect::none());
            }
            AccessExclusive.on(table)
        }
        Change::CreatePolicy { table, .. } => AccessExclusive.on(table),
        Change::Insert { table, query, .. } => {
            let effect = RowExclusive.on(table);
            if query.is_some() { effect.scanning(QUERY) } else { effect }
        }
        Change::Update { table, filter, .. } | Change::Delete { table, filter, .. } => {
            let is_delete = matches!(change, Change::Delete { .. });
            let cascades = is_delete && relatives::referencing(before, table).next().is_some();
            let scans = match filter.is_empty() {
                true => Answer::Yes,
                false => Answer::Unknown("whether an index finds the rows, the statement does not tell"),
            };
            let effect =
                Effect::new(RowExclusive.words(), Blocks::WritesToTouchedRows, [table.clone()]).scanning(scans);
            if cascades { effect.and_others("foreign keys may delete or update rows of other tables") } else { effect }
        }
        _ => return None,
    })
}

const DEFAULT_PARTITION: &str =
    "which partition is the default one, which is locked and may be read, the history does not tell";

const QUERY: Answer = Answer::Unknown("a query reads as much as its plan says");

fn lock_table(table: &Name, mode: Option<&str>, before: &Catalog) -> Option<Effect> {
    let mode = match mode {
        None => AccessExclusive,
        Some("ACCESS SHARE" | "ROW SHARE") => return Some(Effect::none()),
        Some(words) => Mode::ALL.into_iter().find(|mode| mode.words() == words)?,
    };
    let effect = mode.on(table).and_locks(mode, &relatives::descendants(before, table));
    // Locking a view locks what it reads.
    Some(effect.and_locks(mode, before.table(table).into_iter().flat_map(|view| &view.reads)))
}

fn reindex(what: &str, name: Option<&Name>, concurrently: bool, before: &Catalog, majors: Majors) -> Option<Effect> {
    let table = match what {
        "TABLE" => name?,
        "INDEX" => before.table_of_index(name?)?,
        _ => {
            let effect = Effect::none().scanning(true).in_transaction(InTransaction::Refuses);
            return Some(effect.and_others("every table there is locked, one after the other"));
        }
    };
    let partitioned = before.table(table).is_some_and(|known| known.partitioned);
    let partitions = relatives::descendants(before, table);
    if concurrently {
        let effect = ShareUpdateExclusive.on(table).scanning(true).waiting_for(WaitsFor::UsersAndSnapshots);
        // Each partition is locked against writers although the statement says that none has to wait.
        return Some(effect.and_locks(Share, &partitions).in_transaction(InTransaction::Refuses));
    }
    if partitioned && !majors.may_be_from(14) {
        return Some(Share.on(table));
    }
    // The index itself is locked against everybody, and a query locks all indexes of its table.
    let locking = |effect: Effect, table: &Name| effect.locking(Share.words(), Blocks::ReadsAndWrites, table.clone());
    let effect = partitions.iter().fold(locking(Effect::none(), table), locking).scanning(true);
    let effect = if partitioned { effect.in_transaction(InTransaction::Refuses) } else { effect };
    Some(match partitioned && majors.straddle(14) {
        true => effect.by_version("before PostgreSQL 14 it does nothing"),
        false => effect,
    })
}

fn maintain(table: Option<&Name>, action: &str) -> Effect {
    let on =
        |mode: Mode| table.map_or(Effect::none().and_others("every table is locked in turn"), |table| mode.on(table));
    match action {
        "VACUUM FULL" => on(AccessExclusive).rewriting(true).in_transaction(InTransaction::Refuses),
        "CLUSTER" if table.is_none() => on(AccessExclusive).rewriting(true).in_transaction(InTransaction::Refuses),
        "CLUSTER" => on(AccessExclusive).rewriting(true),
        "VACUUM" => on(ShareUpdateExclusive).in_transaction(InTransaction::Refuses),
        _ => on(ShareUpdateExclusive),
    }
}

/// What is no table.
fn elsewhere(change: &Change, before: &Catalog) -> Option<Effect> {
    Some(match change {
        Change::CreateView { view, materialized, or_replace, .. } => {
            let replaces = *or_replace && before.table(view).is_some();
            let effect = if replaces { AccessExclusive.on(view) } else { Effect::none() };
            if *materialized { effect.scanning(QUERY) } else { effect }
        }
        Change::DropView { view, cascade, .. } => {
            let effect = AccessExclusive.on(view);
            if *cascade { effect.and_locks(AccessExclusive, &relatives::dependents(before, view)) } else { effect }
        }
        Change::RefreshView { view, concurrently: true } => Exclusive.on(view).scanning(QUERY),
        Change::RefreshView { view, .. } => AccessExclusive.on(view).rewriting(true),
        Change::RenameObject { object, name, table, .. } => match (object, table) {
            (Object::View | Object::MaterializedView, _) => AccessExclusive.on(name),
            (Object::Constraint, Some(table)) => {
                AccessExclusive.on(table).and_locks(AccessExclusive, &relatives::descendants(before, table))
            }
            (Object::Trigger | Object::Policy | Object::Rule, Some(table)) => AccessExclusive.on(table),
            _ => Effect::none(),
        },
        Change::MoveToSchema { object, name, .. } => match object {
            Object::View | Object::MaterializedView | Object::Other("TABLE") => AccessExclusive.on(name),
            _ => Effect::none(),
        },
        Change::DropObject { object: Object::Policy | Object::Rule | Object::Trigger, table: Some(table), .. } => {
            AccessExclusive.on(table)
        }
        Change::DropObject { object, name, cascade, .. } => match (object, cascade) {
            (Object::Type | Object::Domain, true) => {
                Effect::none().and_locks(AccessExclusive, before.users(name).map(|user| &user.name))
            }
            (Object::Other("STATISTICS"), _) => Effect::none().and_others("its table the statement does not name"),
            (Object::Sequence | Object::Extension | Object::Schema | Object::Other(_), true) => Effect::none()
                .and_others("what depends on it is locked and dropped, and the history does not tell what"),
            _ => Effect::none(),
        },
        Change::DropFunction { cascade: true, .. } => Effect::none()
            .and_others("tables whose triggers and defaults call it are locked, and the history does not tell which"),
        // Every table with a column of the domain is read, under a lock that keeps writers out.
        Change::AlterDomain { domain, action, not_valid: false }
            if ["ADD", "SET NOT NULL", "VALIDATE"].iter().any(|words| action.starts_with(words)) =>
        {
            let users: Vec<_> = before.users(domain).map(|user| user.name.clone()).collect();
            Effect::none().and_locks(Share, &users).scanning(!users.is_empty())
        }
        Change::CreateType { .. }
        | Change::AddLabel { .. }
        | Change::RenameLabel { .. }
        | Change::CreateDomain { .. }
        | Change::AlterDomain { .. }
        | Change::CreateSequence { .. }
        | Change::AlterSequence { .. }
        | Change::CreateFunction { .. }
        | Change::DropFunction { .. }
        | Change::Grant { .. }
        | Change::Revoke { .. }
        | Change::Begin
        | Change::Commit
        | Change::Rollback
        | Change::Savepoint { .. }
        | Change::Release { .. }
        | Change::RollbackTo { .. }
        | Change::Set { .. } => Effect::none(),
        Change::Other { kind } => other(kind)?,
        _ => return None,
    })
}

/// Statements that are known by their words only.
fn other(kind: &str) -> Option<Effect> {
    let begins = |words: &[&str]| words.iter().any(|word| kind == *word || kind.starts_with(&format!("{word} ")));
    if begins(&["ALTER SYSTEM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE"]) {
        return Some(Effect::none().in_transaction(InTransaction::Refuses));
    }
    if begins(&["SELECT", "WITH", "VALUES", "TABLE"]) {
        return Some(Effect::none().scanning(QUERY).and_others("functions and FOR UPDATE may lock tables"));
    }
    if begins(&[
        "COMMENT",
        "CREATE STATISTICS",
        "CREATE PUBLICATION",
        "ALTER PUBLICATION",
        "ALTER POLICY",
        "CREATE RULE",
    ]) {
        return Some(Effect::none().and_others("the statement's words alone are kept, not the table"));
    }
    if begins(&["ALTER VIEW", "ALTER MATERIALIZED", "ALTER TYPE"]) {
        return Some(Effect::none().and_others("the statement's words alone are kept, not the relation"));
    }
    let harmless = [
        "ALTER DATABASE",
        "ALTER DEFAULT PRIVILEGES",
        "ALTER FUNCTION",
        "ALTER INDEX",
        "ALTER ROLE",
        "ALTER STATISTICS",
    ];
    let creates = ["CREATE AGGREGATE", "CREATE CAST", "CREATE COLLATION", "CREATE EVENT TRIGGER", "CREATE EXTENSION"];
    let more = ["CREATE OPERATOR", "CREATE ROLE", "CREATE SCHEMA", "CREATE TEXT SEARCH", "CREATE USER", "ALTER SCHEMA"];
    (begins(&harmless) || begins(&creates) || begins(&more)).then(Effect::none)
}
