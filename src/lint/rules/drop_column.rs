use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropColumn { table, column, .. } = change else { return None };
    if before.is_new_column(table, column) {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{table}.{column}` is dropped: every query of the running version that names it fails, and its values are gone"
        ),
        "release a version that does not use it, then drop it in a contract phase, when no process of the old one is left",
    ))
}
