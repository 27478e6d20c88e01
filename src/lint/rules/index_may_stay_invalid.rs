use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::CreateIndex { table, index, concurrently: true, if_not_exists } = change else { return None };
    let timeout = ["lock_timeout", "statement_timeout"].into_iter().find(|name| {
        before.session().setting(name).is_some_and(|value| !["0", "'0'", "'0s'", "'0ms'"].contains(&value))
    });
    let name = index.name.as_deref().unwrap_or("the index");
    if let Some(timeout) = timeout {
        return Some(Hit::new(
            format!(
                "`{timeout}` is set: where a long transaction is in the way, the build of `{name}` on `{table}` is broken off and leaves \
                 an invalid index behind, which slows down every write and serves no query"
            ),
            format!("`RESET {timeout}` in front of it: a concurrent build blocks nobody while it waits"),
        ));
    }
    if_not_exists.then(|| {
        Hit::new(
            format!(
                "IF NOT EXISTS keeps an index `{name}` that a broken build has left invalid: the statement succeeds, and no query \
                 uses the index"
            ),
            format!("`DROP INDEX CONCURRENTLY IF EXISTS {}` in front of it, in a statement of its own", before.dialect().quote(name)),
        )
    })
}
