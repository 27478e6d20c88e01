use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind, Index, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (table, name, columns) = match change {
        Change::DropConstraint { table, name, .. } => {
            let known = before.table(table)?.constraints.get(name)?;
            match &known.kind {
                ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => (table, name, columns),
                _ => return None,
            }
        }
        Change::DropIndex { table, name, .. } => {
            let table = table.as_ref().or_else(|| before.table_of_index(name))?;
            let known = before.table(table)?.indexes.get(&name.name)?;
            (table, &name.name, known.unique.then_some(&known.columns)?)
        }
        _ => return None,
    };
    if before.is_new(table) || before.is_renamed(table) || is_kept(look, table, name, columns) {
        return None;
    }
    let columns = columns.join(", ");
    Some(Hit::new(
        format!(
            "without `{name}` nothing keeps `{table} ({columns})` unique: an upsert of the running version that names these \
             columns fails, and duplicates can be written"
        ),
        "keep it until no version that is live or wanted relies on it; to replace it, create the new one on the same columns \
         first",
    ))
}

/// Another key on the same columns is there, or comes with this migration.
fn is_kept<'a>(look: &Look<'a>, table: &'a Name, dropped: &str, columns: &[String]) -> bool {
    let before = look.before;
    let is_same = |other: &[String]| {
        other.len() == columns.len()
            && other.iter().all(|column| columns.iter().any(|known| before.same(known, column)))
    };
    let is_key = |kind: &ConstraintKind| match kind {
        ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => is_same(columns),
        _ => false,
    };
    let is_index = |index: &Index| index.unique && index.predicate.is_none() && is_same(&index.columns);
    let stays = before.table(table).is_some_and(|known| {
        known.constraints.iter().any(|(name, constraint)| name != dropped && is_key(&constraint.kind))
            || known.indexes.iter().any(|(name, index)| name != dropped && is_index(index))
    });
    stays
        || look.throughout(table).any(|change| match change {
            Change::AddConstraint { constraint, .. } => is_key(&constraint.kind),
            Change::CreateIndex { index, .. } => is_index(index),
            _ => false,
        })
}
