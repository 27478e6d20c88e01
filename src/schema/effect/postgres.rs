//! PostgreSQL 12 to 18: one table serves them all for the changes that rules speak of.

use super::{Blocks, Effect, Type};
use crate::schema::catalog::mentions;
use crate::schema::{Catalog, Table};
use crate::sql::{Change, Column, Constraint, ConstraintKind, Generated, Name};

pub(super) fn effect(change: &Change, before: &Catalog) -> Option<Effect> {
    Some(match change {
        Change::AddColumn { table, column, .. } => add_column(table, column),
        Change::DropColumn { table, .. }
        | Change::RenameColumn { table, .. }
        | Change::RenameTable { table, .. }
        | Change::DropNotNull { table, .. }
        | Change::SetDefault { table, .. }
        | Change::DropDefault { table, .. }
        | Change::DropConstraint { table, .. }
        | Change::DropTrigger { table: Some(table), .. } => access_exclusive(table),
        Change::DropTable { table, .. } => {
            // The tables that its foreign keys point to are locked as well.
            let references = before.table(table).into_iter().flat_map(Table::references);
            let targets = references.filter(|target| *target != table).cloned();
            Effect::new(ACCESS_EXCLUSIVE, Blocks::ReadsAndWrites, std::iter::once(table.clone()).chain(targets))
        }
        Change::ChangeType { table, column, to, using, .. } => change_type(table, column, to, using.as_deref(), before),
        Change::SetNotNull { table, column } => {
            access_exclusive(table).scanning(!before.proves_not_null(table, column))
        }
        Change::AddConstraint { table, constraint } => add_constraint(table, constraint, before),
        Change::ValidateConstraint { table, .. } => share_update_exclusive(table).scanning(true),
        Change::CreateIndex { table, concurrently: true, .. } => share_update_exclusive(table).scanning(true),
        Change::CreateIndex { table, .. } => Effect::new("SHARE", Blocks::Writes, [table.clone()]).scanning(true),
        Change::DropIndex { table, name, concurrently, .. } => {
            let table = table.as_ref().or_else(|| before.table_of_index(name))?;
            if *concurrently { share_update_exclusive(table) } else { access_exclusive(table) }
        }
        Change::CreateTrigger { table, .. } => Effect::new("SHARE ROW EXCLUSIVE", Blocks::Writes, [table.clone()]),
        Change::Update { table, .. } | Change::Delete { table, .. } => {
            Effect::new("ROW EXCLUSIVE", Blocks::WritesToTouchedRows, [table.clone()]).scanning(true)
        }
        _ => return None,
    })
}

const ACCESS_EXCLUSIVE: &str = "ACCESS EXCLUSIVE";

fn access_exclusive(table: &Name) -> Effect {
    Effect::new(ACCESS_EXCLUSIVE, Blocks::ReadsAndWrites, [table.clone()])
}

fn share_update_exclusive(table: &Name) -> Effect {
    Effect::new("SHARE UPDATE EXCLUSIVE", Blocks::Nobody, [table.clone()])
}

fn add_column(table: &Name, column: &Column) -> Effect {
    let rewrites = column.identity
        || column.generated == Some(Generated::Stored)
        || column.default.as_deref().is_some_and(is_volatile);
    // A foreign key on a column that is NULL everywhere has nothing to look up; a CHECK reads every row even so.
    let checks_key = column.references.is_some() && column.default.is_some();
    let scans = column.check || column.unique || column.primary_key || checks_key;
    access_exclusive(table).rewriting(rewrites).scanning(scans)
}

fn add_constraint(table: &Name, constraint: &Constraint, before: &Catalog) -> Effect {
    match &constraint.kind {
        ConstraintKind::ForeignKey { references, .. } => {
            let tables = std::iter::once(table.clone()).chain((references != table).then(|| references.clone()));
            Effect::new("SHARE ROW EXCLUSIVE", Blocks::Writes, tables).scanning(!constraint.not_valid)
        }
        ConstraintKind::NotNull { column } => {
            access_exclusive(table).scanning(!constraint.not_valid && !before.proves_not_null(table, column))
        }
        ConstraintKind::Check { .. } => access_exclusive(table).scanning(!constraint.not_valid),
        ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } => {
            access_exclusive(table).scanning(constraint.using_index.is_none())
        }
        ConstraintKind::Exclude => access_exclusive(table).scanning(true),
    }
}

fn change_type(table: &Name, column: &str, to: &str, using: Option<&str>, before: &Catalog) -> Effect {
    let effect = access_exclusive(table);
    let (Some(known), Some(old)) = (before.table(table), before.column(table, column)) else {
        return effect.rewriting(true).scanning(true);
    };
    // A bare cast in USING says nothing new; any other expression has to be worked out row by row.
    let computed = using
        .is_some_and(|using| using.split("::").next().map(|cast| cast.trim_matches(['(', '"', ' '])) != Some(column));
    if computed || !is_free(&old.data_type, to) {
        return effect.rewriting(true).scanning(true);
    }
    let checked = known.constraints.values().any(
        |constraint| matches!(&constraint.kind, ConstraintKind::Check { expression } if mentions(expression, column)),
    );
    // An index on plain columns is reused; one with an expression or a predicate is built anew.
    let is_column = |part: &str| known.columns.contains_key(part);
    let rebuilt = known.indexes.values().any(|index| {
        let involved = index.columns.iter().any(|part| part == column || (!is_column(part) && part.contains(column)));
        index.predicate.is_some() || (involved && !index.columns.iter().all(|part| is_column(part)))
    });
    effect.scanning(checked || rebuilt)
}

/// Whether a column of type `old` becomes `new` without a rewrite, whatever the session's time zone.
fn is_free(old: &str, new: &str) -> bool {
    let (old, new) = (Type::read(old), Type::read(new));
    if old == new {
        return true;
    }
    let (from, to) = (old.arguments.as_slice(), new.arguments.as_slice());
    match (old.name.as_str(), new.name.as_str()) {
        ("varchar", "varchar") | ("varbit", "varbit") => is_wider(from, to),
        ("varchar" | "xml", "text") | ("cidr", "inet") | ("text", "citext") | ("citext", "text") => true,
        ("text", "varchar") => to.is_empty(),
        ("numeric", "numeric") => {
            let scale = |arguments: &[u64]| arguments.get(1).copied().unwrap_or(0);
            to.is_empty() || (!from.is_empty() && from[0] <= to[0] && scale(from) == scale(to))
        }
        ("timestamp", "timestamp")
        | ("timestamptz", "timestamptz")
        | ("time", "time")
        | ("timetz", "timetz")
        | ("interval", "interval") => {
            // Without a precision it is the highest.
            to.is_empty() || to[0] >= from.first().copied().unwrap_or(6)
        }
        _ => false,
    }
}

/// Without a limit is wider than any limit.
fn is_wider(from: &[u64], to: &[u64]) -> bool {
    to.is_empty() || (!from.is_empty() && from[0] <= to[0])
}

/// Whether a default differs from row to row, so that adding the column writes every row. A function that we
/// do not know may be volatile.
fn is_volatile(default: &str) -> bool {
    const KNOWN: &[&str] = &[
        "now",
        "current_timestamp",
        "localtimestamp",
        "current_time",
        "localtime",
        "transaction_timestamp",
        "statement_timestamp",
        "current_setting",
        "timezone",
        "date_trunc",
        "to_timestamp",
        "make_interval",
        "lower",
        "upper",
        "md5",
        "array",
        "coalesce",
        "cast",
        "row",
        "in",
        "and",
        "or",
        "not",
        "values",
        "jsonb_build_object",
        "jsonb_build_array",
        "json_build_object",
        "json_build_array",
        "extract",
        "concat",
    ];
    let mut outside_strings = default.split('\'').step_by(2);
    outside_strings.any(|part| {
        part.match_indices('(').any(|(at, _)| {
            let before = part[..at].trim_end();
            let word = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |last| last + 1);
            let name = before[word..].to_ascii_lowercase();
            let is_type = before[..word].trim_end().ends_with("::");
            !name.is_empty() && !is_type && !KNOWN.contains(&name.as_str())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_type_changes_are_those_that_were_measured() {
        let table = [
            ("varchar(10)", "varchar(20)", true),
            ("varchar(20)", "varchar(10)", false),
            ("character varying(10)", "varchar", true),
            ("varchar(10)", "text", true),
            ("text", "varchar", true),
            ("text", "varchar(10)", false),
            ("char(10)", "char(20)", false),
            ("numeric(10,2)", "numeric(12,2)", true),
            ("numeric(10,2)", "numeric(12,3)", false),
            ("numeric(10,2)", "numeric", true),
            ("numeric", "numeric(12,2)", false),
            ("int", "bigint", false),
            ("int", "integer", true),
            ("timestamp(3)", "timestamp", true),
            ("timestamp", "timestamp(3)", false),
            ("timestamp(3) with time zone", "timestamptz(6)", true),
            ("timestamp", "timestamptz", false),
            ("varchar(10)[]", "varchar(20)[]", false),
            ("cidr", "inet", true),
            ("inet", "cidr", false),
            ("json", "jsonb", false),
        ];
        for (old, new, expected) in table {
            assert_eq!(is_free(old, new), expected, "{old} to {new}");
        }
    }

    #[test]
    fn volatile_defaults_are_those_that_differ_from_row_to_row() {
        let table = [
            ("0", false),
            ("'a(b'", false),
            ("'x'::varchar(20)", false),
            ("now()", false),
            ("now() + interval '1 day'", false),
            ("clock_timestamp()", true),
            ("gen_random_uuid()", true),
            ("nextval('s')", true),
            ("my_function()", true),
            ("(1 + 1)", false),
            ("'{}'::jsonb", false),
        ];
        for (default, expected) in table {
            assert_eq!(is_volatile(default), expected, "{default}");
        }
    }
}
