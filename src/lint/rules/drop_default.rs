use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropDefault { table, column } = change else { return None };
    let known = before.column(table, column);
    if look.restated || before.is_new(table) || known.is_some_and(|known| known.default.is_none() && !known.identity) {
        return None;
    }
    let comes_back = look
        .throughout(table)
        .any(|other| matches!(other, Change::SetDefault { column: of, .. } if before.same(of, column)));
    if comes_back {
        return None;
    }
    let nullable = known.is_some_and(|known| !known.not_null);
    if nullable && before.is_new_column(table, column) {
        return None;
    }
    let what = match nullable {
        true => "gets NULL where it got a value",
        false => "fails",
    };
    Some(Hit::new(
        format!(
            "`{table}.{column}` loses its default: every INSERT of the running version that leaves the column out {what}"
        ),
        "keep the default until every version that is live or wanted writes the column itself",
    ))
}
