use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::{Change, Dialect};

pub(super) fn check(change: &Change, before: &Catalog, effect: Option<&Effect>) -> Hit {
    let Change::ChangeType { table, column, to, .. } = change else { return None };
    if before.is_new(table) || effect.is_some_and(|effect| !effect.blocks_for_long()) {
        return None;
    }
    let was = before.column(table, column).map_or(String::new(), |old| format!(" from {}", old.data_type));
    let (does, blocked) = match effect {
        Some(Effect { rewrites: false, .. }) => ("reads every row", "it"),
        _ => ("rewrites every row", "the table"),
    };
    let whom = match before.dialect() {
        Dialect::Postgres => format!("the running version can neither read nor write {blocked} meanwhile"),
        Dialect::Mysql | Dialect::Sqlite => format!("the running version cannot write {blocked} meanwhile"),
    };
    Some((
        format!("`{table}.{column}` changes its type{was} to {to}, which {does}: {whom}"),
        format!(
            "add a column of type {to} beside it, keep both in step with a trigger, backfill, and drop `{column}` in \
             a contract phase"
        ),
    ))
}
