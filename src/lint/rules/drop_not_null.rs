use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropNotNull { table, column } = change else { return None };
    if look.restated
        || before.is_new_column(table, column)
        || before.column(table, column).is_some_and(|known| !known.not_null)
    {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{table}.{column}` may be NULL from now on: the running version that reads it was promised that it never is"
        ),
        "release a version that can read NULL first; only then let anybody write it",
    ))
}
