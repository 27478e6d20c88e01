use super::{Hit, Look};
use crate::schema::Effect;
use crate::sql::{Change, ConstraintKind, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let (table, target, name) = match change {
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::ForeignKey { references, .. } => (table, references, constraint.name.as_deref()),
            _ => return None,
        },
        Change::AddColumn { table, column, .. } => (table, column.references.as_ref()?, None),
        _ => return None,
    };
    if before.is_new(table) || !effect.is_some_and(Effect::blocks_for_long) {
        return None;
    }
    let dialect = before.dialect();
    let name = dialect.quote(name.unwrap_or("name"));
    let quoted = dialect.quote_name(table);
    let (blocked, help) = match dialect {
        Dialect::Postgres => (
            "either of them",
            format!(
                "in two transactions: `ALTER TABLE {quoted} ADD CONSTRAINT {name} FOREIGN KEY ... NOT VALID`, then \
                 `ALTER TABLE {quoted} VALIDATE CONSTRAINT {name}`, which blocks nobody"
            ),
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
