//! What keeps the rows of a table as they are: its triggers. And where the server is in what it has written.

use super::{DatabaseError, Session, Value, text};
use crate::sql::{Dialect, Name};

/// The version of an enabled trigger: another one when the trigger, or the function that it calls, was replaced,
/// disabled or enabled since. `None`: there is no such trigger, or it does not fire.
///
/// # Errors
/// What the database said.
pub async fn trigger_version<S: Session>(
    session: &mut S,
    table: &Name,
    trigger: &str,
) -> Result<Option<String>, DatabaseError> {
    let dialect = session.dialect();
    let of_trigger = Value::Text(trigger.to_string());
    let rows = match dialect {
        // Every ALTER writes the catalogue's row anew, and xmin is who wrote it. A trigger that fires only for
        // replicas does not see the application.
        Dialect::Postgres => {
            let sql = "SELECT concat_ws(' ', t.oid, t.xmin, p.oid, p.xmin)
                FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                WHERE t.tgrelid = to_regclass($1) AND t.tgname = $2 AND t.tgenabled IN ('O', 'A')";
            session.query(sql, &[Value::Text(dialect.quote_name(table)), of_trigger]).await?
        }
        // MySQL has no md5() from 9.6 on.
        Dialect::Mysql => {
            let sql = "SELECT concat_ws(' ', created, sha2(action_statement, 256)) FROM information_schema.triggers
                WHERE event_object_schema = coalesce(?, database()) AND event_object_table = ? AND trigger_name = ?";
            let schema = super::optional(table.schema.as_deref());
            session.query(sql, &[schema, Value::Text(table.name.clone()), of_trigger]).await?
        }
        Dialect::Sqlite => {
            let sql = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?)
                AND lower(name) = lower(?)";
            session.query(sql, &[Value::Text(table.name.clone()), of_trigger]).await?
        }
    };
    Ok(rows.first().map(|row| text(Some(row), 0)))
}

/// How far the server has written: the LSN, the GTIDs. `None` where it does not count.
///
/// # Errors
/// What the database said.
pub async fn write_position<S: Session>(session: &mut S) -> Result<Option<String>, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT pg_current_wal_lsn()::text",
        // MariaDB's name and MySQL's; the value is in the second column.
        Dialect::Mysql => "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_binlog_pos', 'gtid_executed')",
        Dialect::Sqlite => return Ok(None),
    };
    let rows = session.query(sql, &[]).await?;
    let position = rows.first().map(|row| text(Some(row), row.len().saturating_sub(1)));
    Ok(position.filter(|position| !position.is_empty()))
}
