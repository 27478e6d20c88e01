use super::{Hit, Look};
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::AddColumn { table, column, .. } = change else { return None };
    let filled = column.default.is_some() || column.generated.is_some() || column.identity;
    if !(column.not_null || column.primary_key) || filled || before.is_new(table) {
        return None;
    }
    let name = &column.name;
    let rows = match before.dialect() {
        Dialect::Postgres | Dialect::Sqlite => "the statement fails if there are rows, and where there are none",
        Dialect::Mysql => "rows get an empty value that nobody chose, and",
    };
    let quoted = (before.dialect().quote_name(table), before.dialect().quote(name));
    Some(Hit::new(
        format!("`{table}.{name}` is NOT NULL without a default: {rows} every INSERT of the running version fails"),
        format!(
            "add it nullable: `ALTER TABLE {} ADD COLUMN {} {}`; backfill it, and demand NOT NULL in a contract phase",
            quoted.0, quoted.1, column.data_type
        ),
    ))
}
