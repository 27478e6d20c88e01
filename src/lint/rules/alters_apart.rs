use super::{Hit, Look};
use crate::schema::{Answer, Effect, effect};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, engine, .. } = *look;
    let table = change.table().filter(|table| !before.is_new(table))?;
    if !is_heavy(change, look.effect) {
        return None;
    }
    let again = look.later(table).find(|later| is_heavy(later, effect(later, before, engine).as_ref()))?;
    Some(Hit::new(
        format!("`{table}` is gone through here, and again for {} further down: everybody waits twice", again.words()),
        "write both as actions of one ALTER TABLE, if neither can be done without a pass over the rows",
    ))
}

/// An action of ALTER TABLE that is known to go through all rows while somebody waits.
fn is_heavy(change: &Change, effect: Option<&Effect>) -> bool {
    let is_action = matches!(
        change,
        Change::AddColumn { .. }
            | Change::ChangeType { .. }
            | Change::SetNotNull { .. }
            | Change::AddConstraint { .. }
            | Change::AlterColumn { .. }
    );
    let goes_through =
        |effect: &Effect| effect.blocks_for_long() && (effect.rewrites == Answer::Yes || effect.scans == Answer::Yes);
    is_action && effect.is_some_and(goes_through)
}
