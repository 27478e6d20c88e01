//! SQLite into changes.

use super::tokens;
use crate::sql::Dialect;
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// First words of statements that change no schema and no rows.
const KNOWN: &[&str] =
    &["ANALYZE", "ATTACH", "DETACH", "EXPLAIN", "PRAGMA", "REINDEX", "RELEASE", "SAVEPOINT", "VACUUM"];

/// Reads one statement.
pub(in crate::sql) fn parse(file: &str, piece: &Piece) -> Result<Vec<Clause>, Unread> {
    tokens::parse(file, piece, Dialect::Sqlite, KNOWN)
}
