//! A statement ended from another session: a client that goes away does not end it.

use super::{DatabaseError, Session};
use crate::sql::Dialect;

/// The server's number of a session; `None` where it has none.
///
/// # Errors
/// What the database said.
pub async fn id<S: Session>(session: &mut S) -> Result<Option<i64>, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT pg_backend_pid()",
        Dialect::Mysql => "SELECT CAST(connection_id() AS char)",
        Dialect::Sqlite => return Ok(None),
    };
    let rows = session.query(sql, &[]).await?;
    Ok(super::text(rows.first(), 0).parse().ok())
}

/// Ends the statement that session `id` is at, asked from another session.
///
/// # Errors
/// What the database said.
pub async fn cancel<S: Session>(session: &mut S, id: i64) -> Result<(), DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => format!("SELECT pg_cancel_backend({id})"),
        Dialect::Mysql => format!("KILL QUERY {id}"),
        Dialect::Sqlite => return Ok(()),
    };
    session.query(&sql, &[]).await.map(drop)
}
