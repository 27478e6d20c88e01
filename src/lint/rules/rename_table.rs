use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::Change;

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let Change::RenameTable { table, to } = change else { return None };
    if before.is_new(table) || before.is_replaced(table) {
        return None;
    }
    Some((
        format!("`{table}` becomes `{to}`: every query of the running version that names `{table}` fails"),
        format!(
            "keep the name, or create `{to}` beside it, keep both in step with triggers, and drop `{table}` in a \
             contract phase"
        ),
    ))
}
