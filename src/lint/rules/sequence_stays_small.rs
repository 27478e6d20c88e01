use super::{Hit, Look};
use crate::schema::effect::Type;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::ChangeType { table, column, to, .. } = change else { return None };
    let old = Type::read(&before.column(table, column)?.data_type).name;
    let is_serial = ["serial", "serial4", "smallserial", "serial2"].contains(&old.as_str());
    if !is_serial || Type::read(to).name != "bigint" {
        return None;
    }
    let sequence = format!("{}_{column}_seq", table.name);
    let widens = |change: &&Change| {
        matches!(change, Change::AlterSequence { sequence: named, action }
            if named.name == sequence && action.to_ascii_uppercase().starts_with("AS"))
    };
    if look.whole.all().iter().any(widens) {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{table}.{column}` becomes a bigint and `{sequence}` stays an integer: at 2147483647 every INSERT fails"
        ),
        format!("`ALTER SEQUENCE {} AS bigint` behind it", before.dialect().quote(&sequence)),
    ))
}
