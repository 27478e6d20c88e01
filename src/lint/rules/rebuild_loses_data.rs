use super::{Hit, Look};
use crate::schema::catalog::Loss;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (Change::DropTable { table, .. } | Change::RenameTable { table, .. }) = change else { return None };
    let old = before.table(table).filter(|_| !before.is_new(table) && !before.is_renamed(table))?;
    let losses = before.rebuild(table)?.losses(before, old);
    let said = |loss: &Loss| match loss {
        Loss::Rows => {
            "its copy takes only the rows that a condition, a join, a limit or a conflict leaves over".to_string()
        }
        Loss::Values { column } => format!("the values of `{column}` are not copied"),
        Loss::Mistaken { column, from } => format!("`{column}` is filled from `{from}`"),
    };
    let said: Vec<String> = losses.iter().map(said).collect();
    (!said.is_empty()).then(|| {
        Hit::new(
            format!("`{table}` is rebuilt, and {}: what is left behind is gone with the old table", said.join("; ")),
            "copy all rows, and name the columns on both sides: `INSERT INTO ... (a, b) SELECT a, b FROM ...`; delete what \
             is not wanted in a statement of its own",
        )
    })
}
