use super::{Hit, Look};
use crate::schema::Answer;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Change::AlterMode { table, .. } = look.change else { return None };
    let needed = look.effect.filter(|effect| effect.rewrites == Answer::No)?.refused?;
    let differs = |change: &Change| match change {
        Change::AlterMode { algorithm: Some(word), .. } => !needed.contains(&format!("ALGORITHM={word}")),
        Change::AlterMode { lock: Some(word), .. } => !needed.contains(&format!("LOCK={word}")),
        _ => false,
    };
    // Of several words the first one tells.
    let first = look.whole.all()[look.own.clone()].iter().find(|change| differs(change))?;
    if *first != look.change {
        return None;
    }
    let asked = match look.change {
        Change::AlterMode { algorithm: Some(word), .. } => format!("ALGORITHM={word}"),
        Change::AlterMode { lock, .. } => format!("LOCK={}", lock.as_deref().unwrap_or_default()),
        _ => return None,
    };
    Some(Hit::new(
        format!(
            "the server refuses `{asked}` here, because the change of `{table}` needs {needed}: the migration fails at it"
        ),
        "make another change that can be done so: a column or a table beside the old one, filled in batches; or copy the \
         table with gh-ost or pt-online-schema-change",
    ))
}
