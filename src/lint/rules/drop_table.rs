use super::{Hit, Look};
use crate::sql::Change;

/// Of a rebuild whose columns are known, drop-column and its like say what it does.
pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropTable { table, .. } = change else { return None };
    if before.is_new(table) || before.is_renamed(table) || before.differences(table).is_some() {
        return None;
    }
    Some(match before.rebuild(table) {
        Some(rebuild) if rebuild.copies_rows => Hit::new(
            format!(
                "`{table}` is rebuilt, and the migrations read do not tell all its columns: every query of the running \
                 version that names one that is left out fails"
            ),
            "lint it together with the migrations that made the table",
        ),
        Some(_) => Hit::new(
            format!("`{table}` is dropped and made anew: its rows are gone"),
            "copy them into the new table before the old one is dropped: `INSERT INTO ... SELECT`",
        ),
        None => Hit::new(
            format!(
                "`{table}` is dropped: every query of the running version that names it fails, and its rows are gone"
            ),
            "release a version that does not use it, then drop it in a contract phase, when no process of the old one \
             is left",
        ),
    })
}
