use super::{Hit, Look};
use crate::schema::Blocks;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, held, .. } = *look;
    let table = change.table().filter(|table| !before.is_new(table))?;
    let is_it = |lock: &&crate::schema::Lock| {
        lock.relation.as_ref().is_some_and(|relation| before.is_same_table(relation, table))
    };
    let wanted = effect?.locks.iter().find(is_it)?;
    let strongest = held.iter().filter(is_it).map(|lock| lock.blocks).max()?;
    if wanted.blocks < Blocks::Writes || strongest != Blocks::WritesToTouchedRows {
        return None;
    }
    Some(Hit::new(
        format!(
            "this transaction has written rows of `{table}` and now wants {} on all of it: a writer of the running version that \
             waits for one of these rows is waited for in turn, and one of the two ends with a deadlock",
            wanted.mode
        ),
        "commit in front of it, or do it first: what writes rows is a migration of its own",
    ))
}
