use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropIndex { table, name, concurrently: false, .. } = change else { return None };
    let table = table.as_ref().or_else(|| before.table_of_index(name));
    // Who renamed the table in this migration holds it already, and nobody else knows its new name.
    if table.is_some_and(|table| before.is_new(table) || before.is_renamed(table)) {
        return None;
    }
    let whose = table.map_or("its table".into(), |table| format!("`{table}`"));
    Some(Hit::new(
        format!(
            "dropping `{name}` locks {whose} against reads and writes: behind one long query every query of the \
             running version waits"
        ),
        format!("outside a transaction: `DROP INDEX CONCURRENTLY {}`", before.dialect().quote_name(name)),
    ))
}
