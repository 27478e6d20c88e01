use super::{Hit, Look};
use crate::schema::{Catalog, Table};
use crate::sql::{Change, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (what, on) = match change {
        Change::DropTable { table, cascade: true, .. } => (table.to_string(), Some(table)),
        Change::DropView { view, cascade: true, .. } => (view.to_string(), Some(view)),
        Change::DropColumn { table, column, cascade: true, .. } => (format!("{table}.{column}"), Some(table)),
        Change::DropConstraint { table, name, cascade: true, .. } => (name.clone(), Some(table)),
        Change::DropObject { name, cascade: true, .. } => (name.to_string(), before.data_type(name).map(|_| name)),
        Change::DropFunction { name, cascade: true, .. } => (name.to_string(), None),
        _ => return None,
    };
    let is_known = on.is_some_and(|name| before.table(name).is_some() || before.data_type(name).is_some());
    let message = match (on, is_known) {
        (Some(name), true) => {
            let users: Vec<_> = before.users(name).filter(|user| depends(user, name, before)).collect();
            if before.is_new(name) || users.is_empty() {
                return None;
            }
            let named: Vec<_> = users.iter().map(|user| format!("`{}`", user.name)).collect();
            format!("with `{what}` goes what depends on it in {}, and whatever else does", named.join(", "))
        }
        _ => format!("with `{what}` goes all that depends on it, and the migrations read do not tell what that is"),
    };
    Some(Hit::new(
        message,
        "leave CASCADE out, and drop what depends on it by name in front of it: the server then refuses what was forgotten",
    ))
}

/// A table or view that once named it may have let go of it.
fn depends(user: &Table, name: &Name, before: &Catalog) -> bool {
    let is_it = |other: &Name| before.is_same_table(other, name);
    before.table(name).is_none() || user.references().any(is_it) || user.reads.iter().any(is_it)
}
