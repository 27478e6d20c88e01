use super::{Hit, Look};
use crate::sql::{Change, Object};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (table, what) = match change {
        Change::AlterTable { table, action, .. }
            if action.starts_with("ENABLE ROW LEVEL") || action.starts_with("FORCE ROW") =>
        {
            (table, "row-level security is switched on")
        }
        Change::AlterTable { table, action, .. }
            if action.starts_with("DISABLE ROW LEVEL") || action.starts_with("NO FORCE ROW") =>
        {
            (table, "row-level security is switched off")
        }
        Change::CreatePolicy { table, .. } => (table, "a policy is added"),
        Change::DropObject { object: Object::Policy, table: Some(table), .. } => (table, "a policy is dropped"),
        _ => return None,
    };
    if what.ends_with("off") && !before.is_new(table) {
        return Some(Hit::new(
            format!(
                "`{table}`: {what}: whoever may read the table sees all rows of it, also the running version's users"
            ),
            "keep it on while any version relies on it to keep rows apart",
        ));
    }
    // Until it is switched on a policy does nothing.
    let policy = !matches!(change, Change::AlterTable { .. });
    let known = before.table(table);
    if before.is_new(table)
        || look.comes_back
        || policy && known.is_some_and(|known| !known.row_security && known.parts_known)
    {
        return None;
    }
    Some(Hit::new(
        format!("`{table}`: {what}: the running version sees other rows, and its writes may be refused"),
        "write the policies first, try them as the application's role, and switch row-level security on when every version \
         sets what they ask for",
    ))
}
