use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropIndex { table, name, if_exists, .. } = change else { return None };
    let table = table.as_ref().or_else(|| before.table_of_index(name))?;
    let old = before.table(table)?.indexes.iter().find(|(known, _)| before.same(known, &name.name))?.1;
    // `DROP INDEX IF EXISTS x; CREATE INDEX x` clears away what a build that failed has left.
    let is_left_over = |new: Option<&String>| *if_exists && new.is_some_and(|new| before.same(new, &name.name));
    if before.is_new(table) || look.in_transaction() {
        return None;
    }
    let first = old.columns.first()?;
    let new = look.later(table).find_map(|later| match later {
        Change::CreateIndex { index, .. } => {
            let serves = index.columns.first().is_some_and(|column| before.same(column, first));
            (serves && !is_left_over(index.name.as_ref())).then_some(index)
        }
        _ => None,
    })?;
    let new = new.name.as_deref().map_or("the new index".into(), |name| format!("`{name}`"));
    Some(Hit::new(
        format!(
            "until {new} is built, no index of `{table}` begins with `{first}`: queries that need one read the whole table"
        ),
        format!("create {new} first, and drop `{name}` when it is there"),
    ))
}
