use super::{Hit, Look};
use crate::schema::Effect;
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let (table, column) = match change {
        Change::SetNotNull { table, column } => (table, column),
        Change::AddConstraint { table, constraint } if !constraint.not_valid => match &constraint.kind {
            ConstraintKind::NotNull { column } => (table, column),
            _ => return None,
        },
        _ => return None,
    };
    if before.is_new(table) || before.proves_not_null(table, column) {
        return None;
    }
    let dialect = before.dialect();
    let (quoted_table, quoted) = (dialect.quote_name(table), dialect.quote(column));
    let scan = if effect.is_some_and(Effect::blocks_for_long) { ", and every row is read under the lock" } else { "" };
    let help = match dialect {
        Dialect::Postgres => format!(
            "prove it first, each in a transaction of its own: `ALTER TABLE {quoted_table} ADD CONSTRAINT {} CHECK \
             ({quoted} IS NOT NULL) NOT VALID`; `ALTER TABLE {quoted_table} VALIDATE CONSTRAINT {}`; then SET NOT \
             NULL reads no row",
            dialect.quote(&format!("{column}_not_null")),
            dialect.quote(&format!("{column}_not_null")),
        ),
        Dialect::Mysql | Dialect::Sqlite => {
            format!(
                "fill {quoted} in every row, release a version that always writes it, then do this in a contract phase"
            )
        }
    };
    Some(Hit::new(
        format!("`{table}.{column}` refuses NULL: a running version that still writes NULL fails{scan}"),
        help,
    ))
}
