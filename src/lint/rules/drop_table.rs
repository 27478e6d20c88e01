use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::Change;

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let Change::DropTable { table, .. } = change else { return None };
    if before.is_new(table) {
        return None;
    }
    Some((
        format!("`{table}` is dropped: every query of the running version that names it fails, and its rows are gone"),
        "drop it in a later release, in a contract phase, when no running version uses it".into(),
    ))
}
