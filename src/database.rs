//! The few things that a runner asks of a database, one driver per dialect.
//!
//! A session is two questions wide, so that a test can stand in front of it and lose any answer:
//! everything else is SQL text in the rooms that need it. Transactions are `BEGIN` and `COMMIT`
//! through the same door. No error carries a URL or a password.

use std::future::Future;

use crate::sql::Dialect;

/// A value that goes to or comes from a database: our own tables and keys need no more.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One connection.
pub trait Session: Send {
    /// Whose SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs one statement and says how many rows it touched. Without parameters the text goes to the
    /// server as it is, so that DDL and trigger bodies pass.
    ///
    /// # Errors
    /// What the server or the connection said.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// Runs one query and fetches all its rows: integers as `Int`, text, numbers and times as `Text`.
    ///
    /// # Errors
    /// As `execute`.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, DatabaseError>> + Send;
}

/// What a server or a connection said, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    pub kind: DatabaseErrorKind,
    /// SQLSTATE, or SQLite's code.
    pub code: Option<String>,
    /// The server's own message, without password or driver talk.
    pub message: String,
    /// 1-based character position in the text sent (PostgreSQL only).
    pub position: Option<usize>,
}

/// What a runner has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The connection is gone: whether the last statement took effect is unknown.
    ConnectionLost,
    /// A lock was not to be had in time: nothing happened, try again.
    LockTimeout,
    /// The server chose this transaction as a deadlock's victim: nothing happened, try again.
    Deadlock,
    /// Anything else that the server refused.
    Statement,
}
