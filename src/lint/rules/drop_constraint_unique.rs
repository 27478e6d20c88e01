use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

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
    if before.is_new(table) {
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
