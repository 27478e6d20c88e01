//! What no rule looks at although it can lock or change what the running version uses: it is no finding, and it is
//! counted, so that silence is not read as a verdict.

use crate::sql::Change;

/// What a statement of this change is called where no rule judges it; `None` where one does, or where there is
/// nothing to judge.
pub(super) fn kind(change: &Change) -> Option<&str> {
    Some(match change {
        Change::Other { kind } if !is_harmless(kind) => kind,
        Change::DropView { .. } => "DROP VIEW",
        Change::DropFunction { .. } => "DROP FUNCTION",
        Change::CreateTrigger { .. } => "CREATE TRIGGER",
        Change::DropTrigger { .. } => "DROP TRIGGER",
        Change::DropDefault { .. } => "ALTER COLUMN DROP DEFAULT",
        _ => return None,
    })
}

/// Whatever is not listed counts as not judged: a kind that we forgot is told, not lost.
fn is_harmless(kind: &str) -> bool {
    HARMLESS.iter().any(|known| kind.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// The kinds that take no lock that the running version waits for, and take nothing away from it.
const HARMLESS: &[&str] = &[
    "(",
    "ALTER DEFAULT PRIVILEGES",
    // Clauses that say how the others of their statement are executed.
    "ALTER TABLE ALGORITHM",
    "ALTER TABLE COMMENT",
    "ALTER TABLE LOCK",
    "ALTER SEQUENCE OWNED BY",
    "ALTER TYPE ADD VALUE",
    "ANALYZE",
    "CLOSE",
    "COMMENT",
    "COPY",
    "CREATE AGGREGATE",
    "CREATE CAST",
    "CREATE COLLATION",
    "CREATE DATABASE",
    "CREATE DOMAIN",
    "CREATE EXTENSION",
    "CREATE FUNCTION",
    "CREATE LANGUAGE",
    "CREATE OPERATOR",
    "CREATE PROCEDURE",
    "CREATE ROLE",
    "CREATE SCHEMA",
    "CREATE SEQUENCE",
    "CREATE STATISTICS",
    "CREATE TEXT SEARCH",
    "CREATE TYPE",
    "CREATE USER",
    "CREATE VIEW",
    "DEALLOCATE",
    "DELIMITER",
    "GRANT",
    "LISTEN",
    "NOTIFY",
    "PRAGMA",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "UNLOCK",
    "USE",
    "VALUES",
    "WITH",
];
