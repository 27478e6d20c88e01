use super::{Hit, Look};
use crate::schema::Blocks;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, held, .. } = *look;
    let Change::ValidateConstraint { table, name } = change else { return None };
    let lock = held.iter().filter(|lock| lock.relation.as_ref().is_some_and(|held| before.is_same_table(held, table)));
    let strongest = lock.max_by_key(|lock| lock.blocks).filter(|lock| lock.blocks >= Blocks::Writes)?;
    if before.is_new(table) {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{name}` is validated in a transaction that holds {} on `{table}`: every row is read while the running version waits",
            strongest.mode
        ),
        "validate in a transaction of its own: alone it blocks nobody",
    ))
}
