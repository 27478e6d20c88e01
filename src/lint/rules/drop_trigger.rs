use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropTrigger { table, name, .. } = change else { return None };
    if look.comes_back || table.as_ref().is_some_and(|table| before.is_new(table)) {
        return None;
    }
    let on = table.as_ref().map_or(String::new(), |table| format!(" on `{table}`"));
    Some(Hit::new(
        format!(
            "the trigger `{name}`{on} is dropped: what it kept in step for the running version, nobody keeps any more"
        ),
        "drop it in a contract phase, when no version needs what it does, together with the column that it served",
    ))
}
