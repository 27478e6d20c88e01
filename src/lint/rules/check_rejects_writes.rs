use super::{Hit, Look};
use crate::schema::catalog::mentions;
use crate::sql::{Change, ConstraintKind, Dialect, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (table, what, columns) = match change {
        Change::CreateIndex { table, index, .. } if index.unique => (table, "this key", names(&index.columns)),
        // The index that is taken over refuses the same rows already.
        Change::AddConstraint { constraint, .. } if constraint.using_index.is_some() => return None,
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::Check { expression } => {
                let named = before.table(table)?.columns.values().map(|column| column.name.as_str());
                (table, "this check", named.filter(|column| mentions(expression, column)).collect())
            }
            ConstraintKind::Unique { columns } => (table, "this key", names(columns)),
            ConstraintKind::Exclude => (table, "this constraint", Vec::new()),
            _ => return None,
        },
        _ => return None,
    };
    // The running version does not write what is new.
    let all_new = !columns.is_empty() && columns.iter().all(|column| before.is_new_column(table, column));
    if before.is_new(table) || all_new || what == "this key" && is_narrower_than_another(look, table, &columns) {
        return None;
    }
    let of = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    let is_check = what == "this check" && before.dialect() == Dialect::Postgres;
    let spares = if is_check { "; NOT VALID spares the old rows, not new writes" } else { "" };
    Some(Hit::new(
        format!(
            "`{table}`{of}: a row that the running version has always been allowed to write is refused where it violates {what}"
        ),
        format!(
            "release a version that writes only what the constraint allows, and add it when no older one is left{spares}"
        ),
    ))
}

fn names(columns: &[String]) -> Vec<&str> {
    columns.iter().map(String::as_str).collect()
}

/// Another key is unique on some of these columns already: whatever this one refuses, that one does.
fn is_narrower_than_another(look: &Look<'_>, table: &Name, columns: &[&str]) -> bool {
    let before = look.before;
    let within = |key: &[String]| {
        !key.is_empty() && key.iter().all(|known| columns.iter().any(|column| before.same(known, column)))
    };
    before.table(table).is_some_and(|known| {
        let indexes = known.indexes.values().filter(|index| index.unique && index.plain && index.predicate.is_none());
        let listed = known.constraints.values().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => Some(columns),
            _ => None,
        });
        indexes.map(|index| &index.columns).chain(listed).any(|key| within(key))
    })
}
