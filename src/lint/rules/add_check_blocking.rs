use super::{Hit, Look};
use crate::schema::Effect;
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let (table, constraint) = match change {
        Change::AddConstraint { table, constraint } if matches!(constraint.kind, ConstraintKind::Check { .. }) => {
            (table, Some(constraint))
        }
        Change::AddColumn { table, column, .. } if column.check => (table, None),
        _ => return None,
    };
    if before.is_new(table) || !effect.is_some_and(Effect::blocks_for_long) {
        return None;
    }
    let dialect = before.dialect();
    let name = dialect.quote(constraint.and_then(|constraint| constraint.name.as_deref()).unwrap_or("name"));
    let quoted = dialect.quote_name(table);
    let (blocked, help) = match dialect {
        Dialect::Postgres => (
            "read or write it",
            format!(
                "in two transactions: `ALTER TABLE {quoted} ADD CONSTRAINT {name} CHECK (...) NOT VALID`, then \
                 `ALTER TABLE {quoted} VALIDATE CONSTRAINT {name}`, which blocks nobody"
            ),
        ),
        Dialect::Mysql | Dialect::Sqlite => {
            ("write it", "do it while writes may wait, or on MySQL add it NOT ENFORCED, which is instant".into())
        }
    };
    Some(Hit::new(format!("every row of `{table}` is checked while nobody can {blocked}"), help))
}
