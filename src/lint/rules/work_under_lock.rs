use super::{Hit, Look};
use crate::schema::{Blocks, Effect};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, held, effect, .. } = *look;
    let strongest = held.iter().find(|lock| lock.blocks == Blocks::ReadsAndWrites)?;
    let works = match change {
        // A rule of its own speaks of this.
        Change::ValidateConstraint { .. } => return None,
        Change::Update { table, .. } | Change::Delete { table, .. } => !before.is_new(table),
        Change::Insert { table, query: Some(_), .. } => !before.is_new(table),
        _ => effect.is_some_and(Effect::blocks_for_long) && held.iter().all(|lock| lock.relation.is_some()),
    };
    if !works {
        return None;
    }
    let relation = strongest.relation.as_ref()?;
    Some(Hit::new(
        format!(
            "this takes as long as there are rows, in a transaction that already holds {} on `{relation}`: the running version \
             waits for both",
            strongest.mode
        ),
        "put it into a migration of its own: what locks a table briefly and what works for long do not belong together",
    ))
}
