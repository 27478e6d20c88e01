use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::CreateTrigger { table, name } = change else { return None };
    if before.is_new(table) {
        return None;
    }
    Some(Hit::new(
        format!(
            "from here on every write of the running version that `{name}` on `{table}` is for runs it, and fails where it fails"
        ),
        "try it in a transaction that is rolled back, with the statements of the running version",
    ))
}
