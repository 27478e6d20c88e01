use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::AlterTable { table, action, .. } = change else { return None };
    let which = action.strip_prefix("DISABLE TRIGGER")?.trim();
    if before.is_new(table) || is_switched_on_again(look) {
        return None;
    }
    let what = match which {
        "ALL" => {
            "all triggers are off, also those of its foreign keys: what the running version writes is not checked, then or later"
        }
        "USER" => "all triggers are off: what they do with the writes of the running version is not done",
        _ => "a trigger is off: what it does with the writes of the running version is not done",
    };
    Some(Hit::new(
        format!("`{table}`: {what}"),
        "switch it on again in the same transaction, which keeps all other writers out until then; for a single session with \
         enough rights: `SET LOCAL session_replication_role = replica`",
    ))
}

fn is_switched_on_again(look: &Look<'_>) -> bool {
    let Some(table) = look.change.table() else { return false };
    let is_end = |change: &&&Change| matches!(change, Change::Commit | Change::Rollback);
    let rest = &look.whole.all()[look.own.end..];
    let end = look.own.end + rest.iter().position(|change| is_end(&change)).unwrap_or(rest.len());
    let mut until_end = look.whole.of(table, look.own.end..end);
    look.in_transaction()
        && until_end
            .any(|change| matches!(change, Change::AlterTable { action, .. } if action.starts_with("ENABLE TRIGGER")))
}
