use super::{Hit, Look};
use crate::schema::{Answer, Effect, effect};
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, engine, .. } = *look;
    let table = change.table().filter(|table| !before.is_new(table))?;
    let joins = |change: &Change, effect: Option<&Effect>| is_action(change, before.dialect()) && is_heavy(effect);
    if !joins(change, look.effect) {
        return None;
    }
    // What is written in between the second pass may need.
    let is_write = |change: &&Change| {
        matches!(change, Change::Update { .. } | Change::Insert { .. } | Change::Delete { .. } | Change::Opaque { .. })
    };
    let mut until_write = look.later(table).take_while(|later| !is_write(later));
    let again = until_write.find(|later| joins(later, effect(later, before, engine).as_ref()))?;
    Some(Hit::new(
        format!("`{table}` is gone through here, and again for {} further down: everybody waits twice", again.words()),
        "write both as actions of one ALTER TABLE, if neither can be done without a pass over the rows",
    ))
}

/// An action that shares its pass over the rows with others of one ALTER TABLE. PostgreSQL checks each foreign key and
/// builds each index by a pass of its own.
fn is_action(change: &Change, dialect: Dialect) -> bool {
    match change {
        Change::AddConstraint { constraint, .. } => {
            dialect != Dialect::Postgres
                || matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. })
        }
        Change::AddColumn { .. }
        | Change::ChangeType { .. }
        | Change::SetNotNull { .. }
        | Change::AlterColumn { .. } => true,
        _ => false,
    }
}

/// It is known to go through all rows while somebody waits.
fn is_heavy(effect: Option<&Effect>) -> bool {
    effect.is_some_and(|effect| {
        effect.blocks_for_long() && (effect.rewrites == Answer::Yes || effect.scans == Answer::Yes)
    })
}
