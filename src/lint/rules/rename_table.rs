use super::{Hit, Look};
use crate::sql::{Change, Name};

/// Of a rebuild whose columns are known, drop-column and its like say what it does.
pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::RenameTable { table, to } = change else { return None };
    // ALTER TABLE renames indexes, too.
    if before.is_new(table)
        || before.table(table).is_none() && before.table_of_index(table).is_some()
        || before.is_renamed(table)
        || before.differences(table).is_some()
        || leaves_a_view(look, table)
    {
        return None;
    }
    Some(match before.rebuild(table) {
        Some(rebuild) if rebuild.copies_rows => Hit::new(
            format!(
                "`{table}` is rebuilt, and the migrations read do not tell all its columns: every query of the running \
                 version that names one that is left out fails"
            ),
            "lint it together with the migrations that made the table",
        ),
        Some(_) => Hit::new(
            format!("`{table}` becomes `{to}`, and the table that takes its name has none of its rows"),
            format!("copy them from `{to}`: `INSERT INTO ... SELECT`"),
        ),
        None => Hit::new(
            format!("`{table}` becomes `{to}`: every query of the running version that names `{table}` fails"),
            format!(
                "keep the name, or create `{to}` beside it, keep both in step with triggers, and drop `{table}` in a \
                 contract phase"
            ),
        ),
    })
}

/// The same transaction puts a view under the old name that stands for the whole table: whoever looks sees one or the
/// other, and can write through either.
fn leaves_a_view(look: &Look<'_>, table: &Name) -> bool {
    let before = look.before;
    let stands_for_all = |columns: &[String]| {
        let all = before.table(table).filter(|known| known.columns_known).map(|known| known.columns.values());
        columns.iter().any(|column| column == "*")
            || all.is_some_and(|mut all| all.all(|known| columns.iter().any(|given| before.same(given, &known.name))))
    };
    let is_view = |change: &&Change| match change {
        Change::CreateView { view, columns, partial, .. } => {
            before.is_same_table(view, table) && !partial && stands_for_all(columns)
        }
        _ => false,
    };
    before.dialect().transactional_ddl() && look.in_transaction() && look.whole.all().iter().any(is_view)
}
