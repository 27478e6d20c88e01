//! ALTER TABLE, action by action.

use super::Mode::{AccessExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};
use super::types::is_free;
use super::volatile::is_volatile;
use super::{DEFAULT_PARTITION, Effect, InTransaction, Majors, WaitsFor, relatives};
use crate::schema::catalog::{DataTypeKind, mentions};
use crate::schema::{Answer, Catalog, Table};
use crate::sql::{Change, Column, ColumnAction, Constraint, ConstraintKind, Generated, Name};

pub(super) fn effect(change: &Change, before: &Catalog, majors: Majors) -> Option<Effect> {
    Some(match change {
        Change::AddColumn { table, column, .. } => add_column(table, column, before),
        Change::DropColumn { table, column, cascade, .. } => drop_column(table, column, *cascade, before),
        Change::RenameColumn { table, .. }
        | Change::DropNotNull { table, .. }
        | Change::SetDefault { table, .. }
        | Change::DropDefault { table, .. } => on_all(table, before),
        Change::RenameTable { table, .. } => AccessExclusive.on(table),
        Change::ChangeType { .. } => change_type(change, before)?,
        Change::SetNotNull { table, column } => on_all(table, before).scanning(!before.proves_not_null(table, column)),
        Change::AddConstraint { table, constraint } => add_constraint(table, constraint, before, majors),
        Change::DropConstraint { table, name, cascade, .. } => {
            let known = before.table(table).and_then(|known| known.constraints.get(name));
            let target = known.and_then(|known| match &known.kind {
                ConstraintKind::ForeignKey { references, .. } => Some(references),
                _ => None,
            });
            let effect = on_all(table, before).and_locks(AccessExclusive, target);
            if *cascade { effect.and_locks(AccessExclusive, &relatives::dependents(before, table)) } else { effect }
        }
        Change::ValidateConstraint { table, name } => {
            let known = before.table(table).and_then(|known| known.constraints.get(name));
            ShareUpdateExclusive.on(table).scanning(known.is_none_or(|known| known.not_valid))
        }
        Change::AlterColumn { table, column, action } => alter_column(table, column, action, before),
        Change::AlterTable { table, action, .. } => alter_table(table, action, before),
        Change::AttachPartition { table, partition } => {
            let targets = before.table(table).into_iter().flat_map(Table::references);
            let users = relatives::referencing(before, table).map(|user| &user.name);
            let effect = ShareUpdateExclusive
                .on(table)
                .and_lock(AccessExclusive, partition)
                .and_locks(ShareRowExclusive, targets)
                .and_locks(ShareRowExclusive, users.filter(|_| majors.may_be_from(15)));
            effect
                .and_others(DEFAULT_PARTITION)
                .scanning(Answer::Unknown("whether a CHECK proves that every row belongs there is not told"))
        }
        Change::DetachPartition { table, partition, concurrently } => match concurrently {
            true => ShareUpdateExclusive
                .on(table)
                .and_lock(ShareUpdateExclusive, partition)
                .waiting_for(WaitsFor::UsersOfTable)
                .in_transaction(InTransaction::Refuses),
            false => detach(table, partition, before, majors),
        },
        _ => return None,
    })
}

/// No row of the tables with a foreign key to the table may point into the partition: they are read through.
fn detach(table: &Name, partition: &Name, before: &Catalog, majors: Majors) -> Effect {
    let users: Vec<&Name> = relatives::referencing(before, table).map(|user| &user.name).collect();
    let mode = if majors.may_be_from(14) || !users.is_empty() { AccessExclusive } else { ShareUpdateExclusive };
    let effect = AccessExclusive.on(table).and_lock(mode, partition).scanning(!users.is_empty());
    // The partition's own foreign keys are made anew.
    let targets = before.table(table).into_iter().flat_map(Table::references);
    let effect = effect.and_locks(AccessExclusive, users).and_locks(ShareRowExclusive, targets);
    match majors.straddle(14) {
        true => effect.by_version("before PostgreSQL 14 reads of the partition itself go on"),
        false => effect,
    }
}

/// On a table, its partitions and its heirs.
fn on_all(table: &Name, before: &Catalog) -> Effect {
    AccessExclusive.on(table).and_locks(AccessExclusive, &relatives::descendants(before, table))
}

fn add_column(table: &Name, column: &Column, before: &Catalog) -> Effect {
    let domain = before.data_type(&type_name(&column.data_type)).map(|known| &known.kind);
    let checks_domain = matches!(domain, Some(DataTypeKind::Domain { not_null, check, .. }) if *not_null || *check);
    let always = column.identity || column.generated == Some(Generated::Stored) || checks_domain;
    let default = column.default.as_deref().map_or(Answer::No, is_volatile);
    // A foreign key on a column that is NULL everywhere has nothing to look up; a CHECK reads every row even so.
    let checks_key = column.references.is_some() && column.default.is_some();
    let virtual_not_null = column.generated == Some(Generated::Virtual) && column.not_null;
    let scans = column.check || column.unique || column.primary_key || checks_key || virtual_not_null;
    let targets = column.references.iter().filter(|target| !before.is_same_table(target, table));
    on_all(table, before).and_locks(ShareRowExclusive, targets).rewriting(default.max(always.into())).scanning(scans)
}

/// A type as written, without its arguments.
fn type_name(written: &str) -> Name {
    let bare = written.split(['(', '[']).next().unwrap_or_default().trim();
    match bare.rsplit_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_string()), name: name.to_string() },
        None => Name::plain(bare),
    }
}

fn drop_column(table: &Name, column: &str, cascade: bool, before: &Catalog) -> Effect {
    let targets = relatives::targets_of(before, table, |columns| columns.iter().any(|named| named == column));
    let effect = on_all(table, before).and_locks(AccessExclusive, &targets);
    if cascade { effect.and_locks(AccessExclusive, &relatives::dependents(before, table)) } else { effect }
}

fn add_constraint(table: &Name, constraint: &Constraint, before: &Catalog, majors: Majors) -> Effect {
    match &constraint.kind {
        ConstraintKind::ForeignKey { references, .. } => ShareRowExclusive
            .on(table)
            .and_lock(ShareRowExclusive, references)
            .and_locks(ShareRowExclusive, &relatives::descendants(before, table))
            .scanning(!constraint.not_valid),
        ConstraintKind::NotNull { column } => {
            on_all(table, before).scanning(!constraint.not_valid && !before.proves_not_null(table, column))
        }
        ConstraintKind::Check { .. } => on_all(table, before).scanning(!constraint.not_valid),
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } if constraint.using_index.is_some() => {
            let index = constraint.using_index.as_deref().unwrap_or_default();
            AccessExclusive.on(table).scanning(proves_nullable(table, index, constraint, before))
        }
        ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } => {
            let partitions = relatives::descendants(before, table);
            let mode = if majors.may_be_from(18) { AccessExclusive } else { Share };
            let effect = AccessExclusive.on(table).and_locks(mode, &partitions).scanning(true);
            match majors.straddle(18) && !partitions.is_empty() {
                true => effect.by_version("before PostgreSQL 18 reads of the partitions go on"),
                false => effect,
            }
        }
        ConstraintKind::Exclude => AccessExclusive.on(table).scanning(true),
    }
}

/// A primary key over an index reads the table where one of the columns may still be NULL.
fn proves_nullable(table: &Name, index: &str, constraint: &Constraint, before: &Catalog) -> Answer {
    if !matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
        return Answer::No;
    }
    match before.table(table).and_then(|known| known.indexes.get(index)) {
        Some(known) => known.columns.iter().any(|column| !before.proves_not_null(table, column)).into(),
        None => Answer::Unknown("the columns of the index the history does not tell"),
    }
}

fn alter_column(table: &Name, column: &str, action: &ColumnAction, before: &Catalog) -> Effect {
    let generated = before.column(table, column).and_then(|known| known.generated);
    match action {
        ColumnAction::SetExpression => on_all(table, before).rewriting(generated != Some(Generated::Virtual)),
        ColumnAction::Other(words) if ["SET STATISTICS", "SET", "RESET"].contains(&words.as_str()) => {
            ShareUpdateExclusive.on(table)
        }
        _ => on_all(table, before),
    }
}

fn alter_table(table: &Name, action: &str, before: &Catalog) -> Effect {
    let begins = |words: &str| action.starts_with(words);
    match action {
        // `user_catalog_table` would need more; nobody but a decoding plugin sets it.
        "SET" | "RESET" | "SET WITHOUT CLUSTER" | "CLUSTER ON" => ShareUpdateExclusive.on(table),
        _ if begins("ENABLE") || begins("DISABLE") => match action.contains("TRIGGER") {
            true => ShareRowExclusive.on(table),
            false => AccessExclusive.on(table),
        },
        "SET LOGGED" | "SET UNLOGGED" | "SET TABLESPACE" => AccessExclusive.on(table).rewriting(true),
        _ if begins("SET ACCESS METHOD") => {
            AccessExclusive.on(table).rewriting(Answer::Unknown("which one it has, the history does not tell"))
        }
        _ if begins("ALTER CONSTRAINT") => on_all(table, before)
            .scanning(Answer::Unknown("whether it becomes enforced is not told"))
            .and_others("of a foreign key that is switched on or off, the other table is locked too"),
        _ if begins("INHERIT") || begins("NO INHERIT") => {
            AccessExclusive.on(table).and_others("the parent is locked too, and the words alone are kept")
        }
        _ => AccessExclusive.on(table),
    }
}

fn change_type(change: &Change, before: &Catalog) -> Option<Effect> {
    let Change::ChangeType { table, column, to, collation, using, .. } = change else { return None };
    // A foreign key over the column is dropped and made anew, which locks the other table.
    let targets = relatives::targets_of(before, table, |columns| columns.contains(column));
    let is_key = |known: &Constraint| match &known.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => columns.contains(column),
        _ => false,
    };
    let known = before.table(table);
    let is_keyed = known.is_some_and(|known| known.constraints.values().any(|constraint| is_key(constraint)));
    let from: Vec<Name> =
        relatives::referencing(before, table).filter(|_| is_keyed).map(|user| user.name.clone()).collect();
    let effect = on_all(table, before).and_locks(AccessExclusive, targets.iter().chain(&from));
    let (Some(known), Some(old)) = (known, before.column(table, column)) else {
        return Some(effect.rewriting(Answer::Unknown("the old type the history does not tell")));
    };
    // A bare cast in USING says nothing new; any other expression has to be worked out row by row.
    let is_column = |text: &str| text.trim_matches(['(', '"', ' ']) == column;
    let computed = using.as_ref().is_some_and(|using| using.split("::").next().is_none_or(|cast| !is_column(cast)));
    let is_utc = before
        .session()
        .setting("timezone")
        .is_some_and(|zone| ["utc", "etc/utc", "gmt"].contains(&zone.trim_matches('\'').to_ascii_lowercase().as_str()));
    let zoned = is_time_zone_only(&old.data_type, to);
    let (base, demands) = base_type(to, before);
    let free = !demands && (is_free(&base_type(&old.data_type, before).0, &base) || zoned && is_utc);
    if computed || !free {
        return Some(effect.rewriting(true));
    }
    let checked = known.constraints.values().any(|constraint| {
        matches!(&constraint.kind, ConstraintKind::Check { expression } if !constraint.not_valid && mentions(expression, column))
    });
    Some(effect.scanning(checked || rebuilds_index(known, old, to, collation.as_deref(), zoned)))
}

/// The type below a domain, and whether the domain demands anything of its values.
fn base_type(written: &str, before: &Catalog) -> (String, bool) {
    match before.data_type(&type_name(written)).map(|known| &known.kind) {
        Some(DataTypeKind::Domain { data_type, not_null, check }) => (data_type.clone(), *not_null || *check),
        _ => (written.to_string(), false),
    }
}

fn is_time_zone_only(old: &str, new: &str) -> bool {
    let name = |text: &str| crate::schema::effect::Type::read(text).name;
    matches!((name(old).as_str(), name(new).as_str()), ("timestamp", "timestamptz") | ("timestamptz", "timestamp"))
}

/// An index on plain columns is reused, unless they sort otherwise from now on; one with an expression or a predicate is
/// built anew, and so is every one of a partitioned table. One that does not depend on the column stays.
fn rebuilds_index(table: &Table, old: &Column, to: &str, collation: Option<&str>, zoned: bool) -> bool {
    let name = |text: &str| crate::schema::effect::Type::read(text).name;
    let (from, to) = (name(&old.data_type), name(to));
    let sorts_otherwise =
        zoned || from != to && [&from, &to].iter().any(|name| ["citext", "oid"].contains(&name.as_str()));
    let sorts_otherwise = sorts_otherwise || old.collation.as_deref() != collation;
    let is_column = |part: &str| table.columns.contains_key(part);
    table.indexes.values().any(|index| {
        let by_name = index.columns.contains(&old.name);
        let in_expression = index.columns.iter().any(|part| !is_column(part) && mentions(part, &old.name));
        let is_plain = index.columns.iter().all(|part| is_column(part));
        let in_predicate = index.predicate.as_deref().is_some_and(|predicate| mentions(predicate, &old.name));
        let partial = by_name && index.predicate.is_some();
        in_predicate || partial || in_expression || by_name && (!is_plain || sorts_otherwise || table.partitioned)
    })
}
