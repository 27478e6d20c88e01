use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::AddConstraint { table, constraint } = change else { return None };
    let (what, columns): (_, Vec<&str>) = match &constraint.kind {
        ConstraintKind::Check { expression } => {
            let known = before.table(table)?;
            let named = known.columns.values().map(|column| column.name.as_str());
            ("this check", named.filter(|column| crate::schema::catalog::mentions(expression, column)).collect())
        }
        ConstraintKind::Unique { columns } => ("this key", columns.iter().map(String::as_str).collect()),
        ConstraintKind::Exclude => ("this constraint", Vec::new()),
        _ => return None,
    };
    // The running version does not write what is new.
    let all_new = !columns.is_empty() && columns.iter().all(|column| before.is_new_column(table, column));
    if before.is_new(table) || all_new {
        return None;
    }
    let of = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    Some(Hit::new(
        format!(
            "`{table}`{of}: a row that the running version has always been allowed to write is refused where it violates {what}"
        ),
        "release a version that writes only what the constraint allows, and add it when no older one is left; NOT VALID spares \
         the old rows, not new writes",
    ))
}
