//! What a person could do beforehand to make a run easier on the application; the run never does it by itself.

use crate::database::{DatabaseError, Session, Value};
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
