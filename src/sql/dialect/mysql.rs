//! MySQL and MariaDB into changes.

use super::tokens;
use crate::sql::Dialect;
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// First words of statements that change no schema and no rows, or only a server.
const KNOWN: &[&str] = &[
    "ANALYZE",
    "BINLOG",
    "CACHE",
    "CHANGE",
    "CHECK",
    "CHECKSUM",
    "CLONE",
    "DEALLOCATE",
    "DESC",
    "DESCRIBE",
    "EXPLAIN",
    "FLUSH",
    "GRANT",
    "HANDLER",
    "HELP",
    "IMPORT",
    "INSTALL",
    "KILL",
    "LOAD",
    "LOCK",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "RESET",
    "RESTART",
    "REVOKE",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "SOURCE",
    "START",
    "STOP",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
    "USE",
    "XA",
];

/// Reads one statement.
pub(in crate::sql) fn parse(file: &str, piece: &Piece) -> Result<Vec<Clause>, Unread> {
    tokens::parse(file, piece, Dialect::Mysql, KNOWN)
}
