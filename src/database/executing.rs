//! Whether a server is still at work on a statement whose runner is gone.

use super::{DatabaseError, Session, Value};
use crate::sql::Dialect;

/// Whether another session of this user executes `sql` at this moment, with whatever clause was appended to it. SQLite executes in the runner's own process,
/// and is at work on nothing when that is gone.
///
/// # Errors
/// What the database said.
pub async fn is_executing<S: Session>(session: &mut S, sql: &str) -> Result<bool, DatabaseError> {
    let question = match session.dialect() {
        // The server keeps the beginning of a long text.
        Dialect::Postgres => {
            "SELECT count(*) FROM pg_catalog.pg_stat_activity
             WHERE state = 'active' AND pid <> pg_backend_pid() AND query <> '' AND left($1, length(query)) = query"
        }
        Dialect::Mysql => {
            "SELECT count(*) FROM information_schema.processlist
             WHERE id <> connection_id() AND left(info, char_length(?)) = ?"
        }
        Dialect::Sqlite => return Ok(false),
    };
    let text = Value::Text(sql.to_string());
    let twice = [text.clone(), text];
    let parameters = if session.dialect() == Dialect::Mysql { &twice[..] } else { &twice[..1] };
    let rows = session.query(question, parameters).await?;
    Ok(!matches!(rows.first().map(Vec::as_slice), Some([Value::Int(0)])))
}
