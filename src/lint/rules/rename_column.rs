use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::RenameColumn { table, column, to } = change else { return None };
    if before.is_new_column(table, column) || before.same(column, to) {
        return None;
    }
    let dialect = before.dialect();
    // Alone, because a recipe takes one change; RENAME, because MySQL's CHANGE is several.
    let alone = format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        dialect.quote_name(table),
        dialect.quote(column),
        dialect.quote(to)
    );
    Some(Hit::new(
        format!("`{table}.{column}` becomes `{to}`: every query of the running version that names `{column}` fails"),
        format!(
            "run `lockkeeper plan FILE` on a migration of `{alone}` alone: it writes the rename as expand, backfill and \
             contract"
        ),
    ))
}
