use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropIndex { name, .. } = change else { return None };
    let table = before.table_of_index(name)?;
    let constraints = &before.table(table)?.constraints;
    let constraint = constraints.values().find(|known| known.using_index.as_ref() == Some(&name.name))?;
    let dialect = before.dialect();
    Some(Hit::new(
        format!(
            "`{name}` belongs to a constraint of `{table}`: the server refuses to drop it, and the migration fails"
        ),
        format!(
            "`ALTER TABLE {} DROP CONSTRAINT {}`; if it is only too large: `REINDEX INDEX CONCURRENTLY {}`, outside a \
             transaction",
            dialect.quote_name(table),
            dialect.quote(constraint.name.as_ref().unwrap_or(&name.name)),
            dialect.quote_name(name)
        ),
    ))
}
