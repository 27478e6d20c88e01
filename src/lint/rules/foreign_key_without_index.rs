use super::{Hit, Look};
use crate::sql::{Change, Constraint, ConstraintKind, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let (table, columns) = match look.change {
        Change::AddConstraint { table, constraint } => (table, key_of(constraint)?.to_vec()),
        Change::AddColumn { table, column, .. } if column.references.is_some() => {
            (table, std::iter::once(column.name.clone()).filter(|_| !column.unique && !column.primary_key).collect())
        }
        Change::CreateTable { table, columns, constraints, .. } => {
            let inline = columns.iter().filter(|column| column.references.is_some());
            let inline = inline.filter(|column| !column.unique && !column.primary_key);
            let mut keys = inline
                .map(|column| vec![column.name.clone()])
                .chain(constraints.iter().filter_map(key_of).map(<[String]>::to_vec));
            let is_found = |key: &[String]| constraints.iter().any(|it| serves(it, key, look));
            (table, keys.find(|key| !is_found(key) && !has_index(look, table, key))?)
        }
        _ => return None,
    };
    if columns.is_empty() || has_index(look, table, &columns) {
        return None;
    }
    let dialect = look.before.dialect();
    let quoted: Vec<_> = columns.iter().map(|column| dialect.quote(column)).collect();
    let concurrently = if look.before.is_new(table) || !dialect.transactional_ddl() { "" } else { "CONCURRENTLY " };
    let concurrently = if matches!(look.change, Change::CreateTable { .. }) { "" } else { concurrently };
    Some(Hit::new(
        format!(
            "no index that the migrations read tell of finds rows of `{table}` by `{}`: whoever deletes a row that they may point to \
             reads the whole table",
            columns.join("`, `")
        ),
        format!(
            "`CREATE INDEX {concurrently}{} ON {} ({})`",
            dialect.quote(&format!("{}_{}", table.name, columns.join("_"))),
            dialect.quote_name(table),
            quoted.join(", ")
        ),
    ))
}

fn key_of(constraint: &Constraint) -> Option<&[String]> {
    match &constraint.kind {
        ConstraintKind::ForeignKey { columns, .. } => Some(columns),
        _ => None,
    }
}

/// An index on `columns` finds rows by `key`.
fn leads(columns: &[String], key: &[String], look: &Look<'_>) -> bool {
    columns.len() >= key.len() && columns[..key.len()].iter().all(|a| key.iter().any(|b| look.before.same(a, b)))
}

fn serves(constraint: &Constraint, key: &[String], look: &Look<'_>) -> bool {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => leads(columns, key, look),
        _ => false,
    }
}

/// One that is there, or that the migration makes.
fn has_index(look: &Look<'_>, table: &Name, key: &[String]) -> bool {
    let known = look.before.table(table);
    let is_there = known.is_some_and(|known| {
        known.constraints.values().any(|constraint| serves(constraint, key, look))
            || known.indexes.values().any(|index| leads(&index.columns, key, look))
    });
    is_there
        || look.throughout(table).any(|other| match other {
            Change::CreateIndex { index, .. } => leads(&index.columns, key, look),
            Change::AddConstraint { constraint, .. } => serves(constraint, key, look),
            _ => false,
        })
}
