use super::{Hit, Look};
use crate::schema::{Answer, Effect};
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let Change::ChangeType { table, column, to, .. } = change else { return None };
    if before.is_new(table) || effect.is_some_and(|effect| !effect.blocks_for_long()) {
        return None;
    }
    let old = before.column(table, column);
    let was = old.map_or(String::new(), |old| format!(" from {}", old.data_type));
    let (does, blocked) = match effect {
        _ if old.is_none() => ("may rewrite every row", "the table"),
        Some(Effect { rewrites: Answer::No, .. }) => ("reads every row", "it"),
        _ => ("rewrites every row", "the table"),
    };
    let whom = match before.dialect() {
        Dialect::Postgres => format!("the running version can neither read nor write {blocked} meanwhile"),
        Dialect::Mysql | Dialect::Sqlite => format!("the running version cannot write {blocked} meanwhile"),
    };
    let guard = match before.dialect() {
        Dialect::Mysql if effect.is_some_and(|effect| matches!(effect.rewrites, Answer::Unknown(_))) => {
            "; or write `, ALGORITHM=INPLACE, LOCK=NONE` behind it, so that the server refuses instead of copying silently"
        }
        _ => "",
    };
    let untold = match old {
        Some(_) => "",
        None => {
            "if the migrations that made this column are in the same directory, lint the directory: the old type, which \
             the migrations read do not tell, decides. Otherwise "
        }
    };
    Some(Hit::new(
        format!("`{table}.{column}` changes its type{was} to {to}, which {does}: {whom}"),
        format!(
            "{untold}add a column of type {to} beside it, keep both in step with a trigger, backfill, and drop `{column}` in \
             a contract phase{guard}"
        ),
    ))
}
