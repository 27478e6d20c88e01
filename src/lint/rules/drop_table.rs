use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropTable { table, .. } = change else { return None };
    if before.is_new(table) || before.is_renamed(table) {
        return None;
    }
    let help = "release a version that does not use it, then drop it in a contract phase, when no process of the old \
                one is left";
    let rebuilt = before.replacement(table).filter(|replacement| replacement.by_rename);
    let message = match rebuilt.and_then(|replacement| before.lost_columns(table, replacement)) {
        Some(lost) if lost.is_empty() => return None,
        Some(lost) => format!(
            "`{table}` is rebuilt without `{}`: every query of the running version that names it fails",
            lost.join("`, `")
        ),
        None => format!(
            "`{table}` is dropped: every query of the running version that names it fails, and its rows are gone"
        ),
    };
    Some(Hit::new(message, help))
}
