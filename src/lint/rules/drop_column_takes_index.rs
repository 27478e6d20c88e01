use super::{Hit, Look};
use crate::schema::Table;
use crate::schema::catalog::mentions;
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropColumn { table, column, .. } = change else { return None };
    let known = before.table(table).filter(|_| !before.is_new(table))?;
    // SQLite refuses even what is an index of the column alone.
    let others = usize::from(before.dialect() != Dialect::Sqlite);
    let shared = shared(known, |named| before.same(named, column), column, others);
    if shared.is_empty() {
        return None;
    }
    // What has no name has a number.
    let name = |name: &&str| if name.starts_with('#') { "a key".to_string() } else { format!("`{name}`") };
    let names = shared.iter().map(name).collect::<Vec<_>>().join(", ");
    let message = match before.dialect() {
        Dialect::Postgres => format!("with `{table}.{column}` goes what it shares with other columns: {names}"),
        Dialect::Mysql => format!("`{table}.{column}` is taken out of {names}, which is left with its other columns"),
        Dialect::Sqlite => format!("`{table}.{column}` is part of {names}: SQLite refuses to drop it"),
    };
    Some(Hit::new(
        message,
        "make what the other columns still need, and drop the old one by name, before the column goes",
    ))
}

/// The indexes and constraints that name the column and at least as many others.
fn shared<'a>(table: &'a Table, is_it: impl Fn(&str) -> bool, column: &str, others: usize) -> Vec<&'a str> {
    let among = |columns: &[String]| columns.len() > others && columns.iter().any(|named| is_it(named));
    let constraints = table.constraints.iter().filter(|(_, constraint)| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns }
        | ConstraintKind::Unique { columns }
        | ConstraintKind::ForeignKey { columns, .. } => among(columns),
        ConstraintKind::Check { expression } => {
            let others = table.columns.values().filter(|other| !is_it(&other.name));
            mentions(expression, column) && others.into_iter().any(|other| mentions(expression, &other.name))
        }
        _ => false,
    });
    let indexes = table.indexes.iter().filter(|(_, index)| {
        among(&index.columns) || index.predicate.as_ref().is_some_and(|text| mentions(text, column))
    });
    constraints.map(|(name, _)| name.as_str()).chain(indexes.map(|(name, _)| name.as_str())).collect()
}
