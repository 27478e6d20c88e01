use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (what, leaves) = match change {
        Change::CreateIndex { table, index, concurrently: true, .. } => (
            format!("the build of `{}` on `{table}`", index.name.as_deref().unwrap_or("the index")),
            "leaves an invalid index behind, which slows down every write and serves no query",
        ),
        Change::DropIndex { name, concurrently: true, .. } => (
            format!("the drop of `{name}`"),
            "leaves the index there and invalid, which slows down every write and serves no query",
        ),
        Change::Reindex { name, concurrently: true, .. } => (
            format!("the build of `{}`", name.as_ref().map_or("the indexes".into(), ToString::to_string)),
            "leaves a second, invalid index behind, `..._ccnew` or `..._ccold`",
        ),
        Change::DetachPartition { partition, concurrently: true, .. } => (
            format!("the detaching of `{partition}`"),
            "leaves it half detached: its rows are gone from the table, and only DETACH PARTITION ... FINALIZE helps",
        ),
        _ => return None,
    };
    let is_set = |name: &&str| {
        before.session().setting(name).is_some_and(|value| !["0", "'0'", "'0s'", "'0ms'"].contains(&value))
    };
    if let Some(timeout) = ["lock_timeout", "statement_timeout"].iter().find(|name| is_set(name)) {
        return Some(Hit::new(
            format!("`{timeout}` is set: where a long transaction is in the way, {what} is broken off and {leaves}"),
            format!("`RESET {timeout}` in front of it: nobody else waits while it does"),
        ));
    }
    let Change::CreateIndex { index, if_not_exists: true, .. } = change else { return None };
    let name = index.name.as_deref()?;
    let is_cleared =
        |change: &&Change| matches!(change, Change::DropIndex { name: gone, .. } if before.same(name, &gone.name));
    if look.whole.all()[..look.own.start].iter().any(is_cleared) {
        return None;
    }
    Some(Hit::new(
        format!(
            "IF NOT EXISTS keeps an index `{name}` that a broken build has left invalid: the statement succeeds, and no query uses \
             the index"
        ),
        format!(
            "`DROP INDEX CONCURRENTLY IF EXISTS {}` in front of it, in a statement of its own",
            before.dialect().quote(name)
        ),
    ))
}
