use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let (table, index, columns, unique) = match change {
        Change::CreateIndex { table, index, concurrently: false, .. } => {
            (table, index.name.as_deref(), &index.columns, index.unique)
        }
        Change::AddConstraint { table, constraint } if constraint.using_index.is_none() => match &constraint.kind {
            ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => {
                (table, constraint.name.as_deref(), columns, true)
            }
            _ => return None,
        },
        _ => return None,
    };
    if before.is_new(table) {
        return None;
    }
    let quote = |name: &str| format!("{} ", before.dialect().quote(name));
    let create = format!(
        "CREATE {}INDEX CONCURRENTLY {}ON {} ({})",
        if unique { "UNIQUE " } else { "" },
        index.map(quote).unwrap_or_default(),
        before.dialect().quote_name(table),
        columns.join(", "),
    );
    Some(if let Change::AddConstraint { .. } = change {
        (
            format!("`{table}` gets an index built while nobody can read or write it"),
            format!("outside a transaction: `{create}`; then `ADD CONSTRAINT ... USING INDEX`, which is instant"),
        )
    } else {
        (
            format!(
                "`{table}` gets an index built while nobody can write it: every INSERT and UPDATE of the running version waits"
            ),
            format!("outside a transaction: `{create}`"),
        )
    })
}
