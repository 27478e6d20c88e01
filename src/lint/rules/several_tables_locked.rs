use super::{Hit, Look};
use crate::schema::{Blocks, Lock};
use crate::sql::Name;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { before, held, effect, .. } = *look;
    if !look.in_transaction() {
        return None;
    }
    let closed = |lock: &Lock| lock.relation.clone().filter(|_| lock.blocks == Blocks::ReadsAndWrites);
    let next = effect?.locks.first().and_then(closed)?;
    let is_other = |name: &Name| !before.is_same_table(name, &next);
    // One that is held already is waited for no more.
    if held.iter().filter_map(closed).any(|name| !is_other(&name)) {
        return None;
    }
    let first = held.iter().filter_map(closed).find(is_other)?;
    Some(Hit::new(
        format!(
            "the transaction holds `{first}` locked against reads and writes while it waits for `{next}`: the running version waits \
             for both, and a transaction of its own that uses `{next}` first ends in a deadlock"
        ),
        format!("`COMMIT` in between, or a migration of its own for `{next}`"),
    ))
}
