//! A live database's schema as a catalog, and which migrations it has had. Only reads, in one snapshot where the
//! database has them, and gives up soon rather than wait.

mod applied;
mod mysql;
mod postgres;
mod sqlite;

use super::{DatabaseError, DatabaseErrorKind, Session, Value, connect, server_version};
use crate::error::{Error, Kind, Result};
use crate::history::Live;
use crate::sql::Dialect;

/// How long one question may take.
const STATEMENT_SECONDS: u64 = 10;

/// Connects to the database of `url` and reads it.
///
/// # Errors
/// No connection, or a database that does not let us read its catalogues.
pub async fn read(url: &str) -> Result<Live> {
    let mut session = connect(&read_only(url), "lockkeeper lint").await?;
    read_from(&mut session).await.map_err(|error| {
        let failed = Error::new(Kind::Connection, "the live schema could not be read").because(&error);
        match error.kind {
            DatabaseErrorKind::LockTimeout => failed.hint("somebody alters a table just now: try again"),
            _ => failed.hint("leave --database-url out to lint without a database, with --dialect in its place"),
        }
    })
}

/// SQLite's files are opened so that nothing can be written.
fn read_only(url: &str) -> String {
    match Dialect::of_url(url) {
        Some(Dialect::Sqlite) if !url.contains("mode=") => {
            format!("{url}{}mode=ro", if url.contains('?') { "&" } else { "?" })
        }
        _ => url.to_string(),
    }
}

/// Reads the database of a session, which can only read from then on.
///
/// # Errors
/// What the database said.
pub async fn read_from<S: Session>(session: &mut S) -> Result<Live, DatabaseError> {
    let server = server_version(session).await?;
    for sql in begin(session.dialect()) {
        session.execute(&sql, &[]).await?;
    }
    let mut untold = Vec::new();
    let catalog = match session.dialect() {
        Dialect::Postgres => postgres::read(session, &mut untold).await?,
        Dialect::Mysql => mysql::read(session).await?,
        Dialect::Sqlite => sqlite::read(session).await?,
    };
    let applied = applied::read(session, &catalog, &mut untold).await?;
    session.execute("ROLLBACK", &[]).await?;
    let tool_tables = catalog.tables().map(|table| &table.name).filter(|name| applied::is_of_a_tool(name)).cloned();
    let tool_tables = tool_tables.collect();
    Ok(Live { server, catalog, applied, tool_tables, untold })
}

/// One snapshot, nothing written, nobody waited for.
fn begin(dialect: Dialect) -> Vec<String> {
    let milliseconds = STATEMENT_SECONDS * 1000;
    match dialect {
        Dialect::Postgres => vec![
            "SET default_transaction_read_only = on".into(),
            format!("SET statement_timeout = {milliseconds}"),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".into(),
        ],
        Dialect::Mysql => vec![
            "SET SESSION TRANSACTION READ ONLY".into(),
            // Each of the two reads only the comment that is made for it.
            format!(
                "SET SESSION sql_mode = @@SESSION.sql_mode /*M! , max_statement_time = {STATEMENT_SECONDS} */ /*!50708 , max_execution_time = {milliseconds} */"
            ),
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".into(),
        ],
        Dialect::Sqlite => vec!["PRAGMA query_only = ON".into(), "BEGIN".into()],
    }
}

/// The text in a column of a row; empty for NULL.
fn text(row: &[Value], column: usize) -> String {
    optional(row, column).unwrap_or_default()
}

/// The text in a column of a row.
fn optional(row: &[Value], column: usize) -> Option<String> {
    match row.get(column)? {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Null => None,
    }
}

/// The number in a column of a row; a negative one is none.
fn number(row: &[Value], column: usize) -> Option<u64> {
    optional(row, column)?.parse().ok()
}

/// Yes, in whatever way a server says it.
fn yes(row: &[Value], column: usize) -> bool {
    matches!(text(row, column).as_str(), "1" | "t" | "true" | "YES")
}

/// What separates the names of a list in one column: no name has it.
const SEPARATOR: char = '\u{1f}';

/// The list in a column of a row.
fn list(row: &[Value], column: usize) -> Vec<String> {
    optional(row, column).map(|text| text.split(SEPARATOR).map(str::to_string).collect()).unwrap_or_default()
}
