use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::SetDefault { table, column, expression } = change else { return None };
    if look.restated || before.is_new_column(table, column) {
        return None;
    }
    let was = match before.column(table, column) {
        Some(known) => match known.default.as_deref() {
            Some(old) if !old.eq_ignore_ascii_case(expression) => format!(" instead of {old}"),
            _ => return None,
        },
        None => String::new(),
    };
    Some(Hit::new(
        format!("an INSERT of the running version that leaves `{table}.{column}` out gets {expression}{was}"),
        "let the new version write the value itself, and change the default when no version relies on the old one",
    ))
}
