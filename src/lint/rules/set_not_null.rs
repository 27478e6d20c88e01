use super::{Hit, Look};
use crate::schema::Effect;
use crate::sql::{Change, ConstraintKind, Dialect, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let (table, column) = match change {
        Change::SetNotNull { table, column } => (table, column),
        Change::AddConstraint { table, constraint } if !constraint.not_valid => match &constraint.kind {
            ConstraintKind::NotNull { column } => (table, column),
            // A key that takes over an index demands it of each of the index's columns.
            ConstraintKind::PrimaryKey { .. } if let Some(index) = &constraint.using_index => {
                let columns = &before.table(table)?.indexes.get(index)?.part.columns;
                (table, columns.iter().find(|column| !before.proves_not_null(table, column))?)
            }
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
        Dialect::Postgres if drops_a_proof(look) => "leave VALIDATE and DROP CONSTRAINT to statements of their own, the one in \
             front of this one and the other behind it: PostgreSQL drops first and validates last, wherever the actions stand"
            .into(),
        Dialect::Postgres if let Some(proof) = not_valid_proof(look, table, column) => format!(
            "in front of it, in a transaction of its own: `ALTER TABLE {quoted_table} VALIDATE CONSTRAINT {}`; then SET NOT NULL \
             reads no row",
            dialect.quote(proof)
        ),
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

/// The same ALTER TABLE drops or validates what could have been the proof.
fn drops_a_proof(look: &Look<'_>) -> bool {
    let own = &look.whole.all()[look.own.clone()];
    own.iter().any(|change| matches!(change, Change::DropConstraint { .. } | Change::ValidateConstraint { .. }))
}

/// A check that would be the proof if it were validated.
fn not_valid_proof<'a>(look: &Look<'a>, table: &Name, column: &str) -> Option<&'a str> {
    let mut constraints = look.before.table(table)?.constraints.values();
    let proof = constraints.find(|constraint| match &constraint.kind {
        ConstraintKind::Check { expression } if constraint.not_valid => {
            let words: Vec<_> = expression.split(|c: char| c.is_whitespace() || "()\"".contains(c)).collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            matches!(words.as_slice(), [named, rest @ ..]
                if look.before.same(named, column) && rest.join(" ").eq_ignore_ascii_case("is not null"))
        }
        _ => false,
    })?;
    proof.part.name.as_deref()
}
