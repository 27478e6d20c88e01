use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    const BUILT: &str = "gets an index built while nobody can read or write it";
    let one;
    if matches!(change, Change::CreateIndex { .. }) && !effect?.scans.is_possible() {
        return None;
    }
    let (table, index, columns, unique) = match change {
        Change::CreateIndex { table, index, concurrently: false, .. } => {
            (table, index.name.as_deref(), index.columns.as_slice(), index.unique)
        }
        Change::AddConstraint { table, constraint } if constraint.using_index.is_none() => match &constraint.kind {
            ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => {
                (table, constraint.name.as_deref(), columns.as_slice(), true)
            }
            ConstraintKind::Exclude if !before.is_new(table) => {
                let help = "PostgreSQL can take over no index for it: add it to a new table before the rows move there, or \
                            while nobody needs the table";
                return Some(Hit::new(format!("`{table}` {BUILT}"), help));
            }
            _ => return None,
        },
        Change::AddColumn { table, column, .. } if column.unique || column.primary_key => {
            one = [column.name.clone()];
            (table, None, one.as_slice(), true)
        }
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
    let built = format!("`{table}` {BUILT}");
    Some(match change {
        Change::AddConstraint { .. } => Hit::new(
            built,
            format!("outside a transaction: `{create}`; then `ADD CONSTRAINT ... USING INDEX`, which is instant"),
        ),
        Change::AddColumn { column, .. } => Hit::new(
            built,
            format!(
                "`ALTER TABLE {} ADD COLUMN {} {}`; then, outside a transaction: `{create}`; then `ADD CONSTRAINT ... USING \
                 INDEX`, which is instant",
                before.dialect().quote_name(table),
                before.dialect().quote(&column.name),
                column.data_type
            ),
        ),
        _ => Hit::new(
            format!(
                "`{table}` gets an index built while nobody can write it: every INSERT and UPDATE of the running version waits"
            ),
            format!("outside a transaction: `{create}`"),
        ),
    })
}
