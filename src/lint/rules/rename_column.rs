use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::Change;

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let Change::RenameColumn { table, column, to } = change else { return None };
    if before.is_new_column(table, column) || before.same(column, to) {
        return None;
    }
    Some((
        format!("`{table}.{column}` becomes `{to}`: every query of the running version that names `{column}` fails"),
        "run `lockkeeper plan FILE` on this migration: it writes the rename as expand, backfill and contract".into(),
    ))
}
