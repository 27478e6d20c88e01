use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    const BUILT: &str = "gets an index built while nobody can read or write it";
    let one;
    if matches!(change, Change::CreateIndex { .. }) && !effect?.scans.is_possible() {
        return None;
    }
    let (table, index, columns) = match change {
        Change::CreateIndex { table, index, concurrently: false, .. } => {
            (table, index.name.as_deref(), index.columns.as_slice())
        }
        Change::AddConstraint { table, constraint } if constraint.using_index.is_none() => match &constraint.kind {
            ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => {
                (table, constraint.name.as_deref(), columns.as_slice())
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
            (table, None, one.as_slice())
        }
        _ => return None,
    };
    if before.is_new(table) {
        return None;
    }
    if before.table(table).is_some_and(|known| known.partitioned) {
        let built = format!("`{table}` gets an index on each of its partitions while nobody can {} it", look.blocked());
        return Some(Hit::new(built, OF_PARTITIONS));
    }
    let quote = |name: &str| before.dialect().quote(name);
    let create = match change {
        Change::CreateIndex { .. } => concurrently(look.text),
        _ => format!(
            "CREATE UNIQUE INDEX CONCURRENTLY {}ON {} ({})",
            index.map(|name| quote(name) + " ").unwrap_or_default(),
            before.dialect().quote_name(table),
            columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", "),
        ),
    };
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

/// PostgreSQL builds no index of a partitioned table concurrently (`facts/README.md`, section 4).
const OF_PARTITIONS: &str = "make it `ON ONLY` the parent, which is instant; then, outside of a transaction, the same index \
     CONCURRENTLY on each partition, and `ALTER INDEX ... ATTACH PARTITION` for each";

/// The statement as it stands, with CONCURRENTLY: what else it says of the index has to stay.
fn concurrently(statement: &str) -> String {
    let mut words = statement.split_inclusive(char::is_whitespace);
    let mut head: Vec<&str> =
        words.by_ref().take_while(|word| !word.trim_end().eq_ignore_ascii_case("index")).collect();
    head.extend(["INDEX ", "CONCURRENTLY "]);
    head.concat() + &words.collect::<String>()
}
