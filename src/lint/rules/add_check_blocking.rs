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
    let name = constraint.and_then(|constraint| constraint.name.clone());
    let name = name.unwrap_or_else(|| format!("{}_check", table.name));
    let quoted = dialect.quote_name(table);
    let (blocked, help) = match dialect {
        Dialect::Postgres => (
            "read or write it",
            match change {
                Change::AddColumn { column, .. } => format!(
                    "add the column without it, then in two transactions: `ALTER TABLE {quoted} ADD CONSTRAINT {} CHECK (...) NOT \
                     VALID` and VALIDATE CONSTRAINT, which blocks nobody",
                    dialect.quote(&format!("{}_{}_check", table.name, column.name))
                ),
                _ => format!(
                    "in two transactions: `ALTER TABLE {quoted} {} NOT VALID`, then `ALTER TABLE {quoted} VALIDATE CONSTRAINT \
                     {}`, which blocks nobody",
                    look.added(&name, "CHECK (...)"),
                    dialect.quote(&name)
                ),
            },
        ),
        Dialect::Mysql | Dialect::Sqlite => {
            ("write it", "do it while writes may wait, or on MySQL add it NOT ENFORCED, which is instant".into())
        }
    };
    Some(Hit::new(format!("every row of `{table}` is checked while nobody can {blocked}"), help))
}
