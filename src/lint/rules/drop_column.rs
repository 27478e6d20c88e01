use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::Change;

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let Change::DropColumn { table, column, .. } = change else { return None };
    if before.is_new_column(table, column) {
        return None;
    }
    Some((
        format!("`{table}.{column}` is dropped: every query of the running version that names it fails, and its values are gone"),
        "release a version that does not use it, then drop it in a contract phase, when no process of the old one is left".into(),
    ))
}
