use super::{Hit, Look};
use crate::schema::{Effect, effect};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, engine, .. } = *look;
    let Change::AlterMode { table, algorithm, lock } = change else { return None };
    let asks = algorithm.as_deref() == Some("COPY") || matches!(lock.as_deref(), Some("SHARED" | "EXCLUSIVE"));
    if !asks || before.is_new(table) || !look.effect.is_some_and(Effect::blocks_for_long) {
        return None;
    }
    // A rule of its own speaks of a change that can do no better.
    let mut others = look.whole.all()[look.own.clone()].iter().filter_map(|change| effect(change, before, engine));
    if others.any(|effect| effect.blocks_for_long()) {
        return None;
    }
    let asked = match (algorithm, lock) {
        (Some(algorithm), _) => format!("ALGORITHM={algorithm}"),
        (None, lock) => format!("LOCK={}", lock.as_deref().unwrap_or_default()),
    };
    Some(Hit::new(
        format!(
            "`{asked}` lets nobody {} `{table}` while its rows are gone through: the change needs less",
            look.blocked()
        ),
        "write `ALGORITHM=INPLACE, LOCK=NONE`: what cannot be done so the server refuses",
    ))
}
