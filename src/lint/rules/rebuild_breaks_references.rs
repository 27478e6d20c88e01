use super::{Hit, Look};
use crate::sql::{Change, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (Change::DropTable { table, .. } | Change::RenameTable { table, .. }) = change else { return None };
    before.rebuild(table).filter(|_| !before.is_new(table) && !before.is_renamed(table))?;
    let others: Vec<String> = referencing(look, table).map(|name| format!("`{name}`")).collect();
    let setting = |name: &str| before.session().setting(name).map(str::to_ascii_lowercase).unwrap_or_default();
    let others = (!others.is_empty()).then(|| others.join(", "))?;
    match change {
        Change::RenameTable { to, .. } if !is_on(&setting("legacy_alter_table")) => Some(Hit::new(
            format!(
                "the foreign keys of {others} follow `{table}` to `{to}`: every write to them fails once that is dropped"
            ),
            format!(
                "make the new table under another name, copy, drop `{table}`, and rename the new one last: references to a \
                 name that is free stay as they are"
            ),
        )),
        Change::DropTable { .. } if !is_off(&setting("foreign_keys")) => Some(Hit::new(
            format!(
                "where foreign keys are enforced, dropping `{table}` deletes its rows first: in {others} ON DELETE CASCADE \
                 deletes, SET NULL empties, and else the statement fails"
            ),
            "`PRAGMA foreign_keys = OFF` before the transaction begins (inside of one SQLite passes over it), \
             `PRAGMA foreign_key_check` before it ends",
        )),
        _ => None,
    }
}

/// The other tables whose foreign keys point to this one.
fn referencing<'a>(look: &Look<'a>, table: &'a Name) -> impl Iterator<Item = &'a Name> {
    let before = look.before;
    let points = move |name: &Name| before.is_same_table(name, table);
    let others = before.users(table).filter(move |user| !before.is_same_table(&user.name, table));
    others.filter(move |user| user.references().any(points)).map(|user| &user.name)
}

fn is_off(value: &str) -> bool {
    ["off", "0", "false", "no"].contains(&value)
}

fn is_on(value: &str) -> bool {
    ["on", "1", "true", "yes"].contains(&value)
}
