//! What a person could do beforehand to make a run easier on the application; the run never does it by itself.

use crate::database::{self, DatabaseError, Session, Value};
use crate::plan::{Action, Plan, cost};
use crate::sql::Dialect;

/// Before a backfill.
pub(super) async fn on_backfills<S: Session>(session: &mut S) -> Result<Vec<String>, DatabaseError> {
    if session.dialect() != Dialect::Sqlite {
        return Ok(Vec::new());
    }
    let rows = session.query("PRAGMA journal_mode", &[]).await?;
    Ok(match rows.first().map(Vec::as_slice) {
        Some([Value::Text(mode)]) if mode != "wal" => vec![format!(
            "the file is in journal mode `{mode}`, in which nobody reads while a batch is committed: \
             `PRAGMA journal_mode = WAL`, once for the file, lets readers go on"
        )],
        _ => Vec::new(),
    })
}

/// Before the first step: what the indexes cost that stand while their columns are filled, those that the change makes and
/// those that are there.
pub(super) async fn on_indexes<S: Session>(session: &mut S, plan: &Plan) -> Result<Vec<String>, DatabaseError> {
    let mut advice = Vec::new();
    for step in &plan.steps {
        advice.extend(cost::cost(plan, step).map(|note| format!("{}: {note}", step.id)));
        let Action::Backfill(backfill) = &step.action else { continue };
        let (table, written) = (&backfill.rows.table, &backfill.rows.written);
        for (index, column) in database::indexes_over(session, table, written).await? {
            advice.push(format!("{}: {}", step.id, cost::of_index(&format!("index {index} of {table}"), &column)));
        }
    }
    Ok(advice)
}
