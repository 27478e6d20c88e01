use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::RenameTable { table, to } = change else { return None };
    if before.is_new(table) || before.is_renamed(table) {
        return None;
    }
    let replaced = before.replacement(table);
    match replaced.and_then(|replacement| before.lost_columns(table, replacement)) {
        Some(lost) if lost.is_empty() => None,
        Some(lost) => Some(Hit::new(
            format!(
                "`{table}` is rebuilt without `{}`: every query of the running version that names it fails",
                lost.join("`, `")
            ),
            "keep the column until no process of the running version is left",
        )),
        None => Some(Hit::new(
            format!("`{table}` becomes `{to}`: every query of the running version that names `{table}` fails"),
            format!(
                "keep the name, or create `{to}` beside it, keep both in step with triggers, and drop `{table}` in a \
                 contract phase"
            ),
        )),
    }
}
