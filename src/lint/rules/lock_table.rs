use super::{Hit, Look};
use crate::schema::Blocks;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let Change::LockTable { table, .. } = change else { return None };
    let harmless = effect.is_some_and(|effect| effect.blocks() == Blocks::Nobody);
    if before.is_new(table) || harmless {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{table}` is locked by hand until the transaction ends: the running version waits for all that follows"
        ),
        "leave it out: each statement takes the lock that it needs, and a phased change needs none that lasts",
    ))
}
