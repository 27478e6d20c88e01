use super::{Hit, Look};
use crate::schema::Effect;
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let (table, target, name) = match change {
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::ForeignKey { columns, references } => {
                let name = constraint.name.clone();
                let chosen = || format!("{}_{}_fkey", table.name, columns.join("_"));
                (table, references, name.unwrap_or_else(chosen))
            }
            _ => return None,
        },
        Change::AddColumn { table, column, .. } => {
            (table, column.references.as_ref()?, format!("{}_{}_fkey", table.name, column.name))
        }
        _ => return None,
    };
    if before.is_new(table) || !effect.is_some_and(Effect::blocks_for_long) {
        return None;
    }
    let dialect = before.dialect();
    let quoted = dialect.quote_name(table);
    let (blocked, help) = match dialect {
        Dialect::Postgres => (
            "either of them",
            match change {
                Change::AddColumn { column, .. } => format!(
                    "add the column without it, then in two transactions: `ALTER TABLE {quoted} ADD CONSTRAINT {} FOREIGN KEY ({}) \
                     REFERENCES ... NOT VALID` and VALIDATE CONSTRAINT, which blocks nobody",
                    dialect.quote(&name),
                    dialect.quote(&column.name)
                ),
                _ => format!(
                    "in two transactions: `ALTER TABLE {quoted} {} NOT VALID`, then `ALTER TABLE {quoted} VALIDATE CONSTRAINT \
                     {}`, which blocks nobody",
                    look.added(&name, "FOREIGN KEY ..."),
                    dialect.quote(&name)
                ),
            },
        ),
        Dialect::Mysql | Dialect::Sqlite => (
            "it",
            "there is no online way that also checks the rows: do it while writes may wait, or copy the table with \
             gh-ost or pt-online-schema-change"
                .into(),
        ),
    };
    Some(Hit::new(format!("every row of `{table}` is looked up in `{target}` while nobody can write {blocked}"), help))
}
