//! What no rule looks at although it can lock or change what the running version uses: it is no finding, and it is
//! counted, so that silence is not read as a verdict.

use crate::schema::Catalog;
use crate::sql::{Change, Clause, ColumnAction};

/// What a clause is called where no rule judges it; `None` where one does, or where there is nothing to judge.
/// `statement` holds all clauses of its statement.
pub(super) fn kind(clause: &Clause, statement: &[Clause], before: &Catalog) -> Option<String> {
    if is_judged(&clause.change) || is_restated(clause, statement, before) {
        return None;
    }
    let words = clause.change.words();
    (!is_harmless(&words)).then_some(words)
}

/// MySQL's MODIFY and CHANGE take away what they leave out of a column's definition, also what it never had. Of a
/// column that the history never told of, the type is what matters.
pub(super) fn is_restated(clause: &Clause, statement: &[Clause], before: &Catalog) -> bool {
    let known = |table, column| before.column(table, column);
    let had = match &clause.change {
        Change::DropDefault { table, column } => known(table, column).is_some_and(|known| known.default.is_some()),
        Change::DropNotNull { table, column } => known(table, column).is_some_and(|known| known.not_null),
        Change::AlterColumn { table, column, action: ColumnAction::DropIdentity } => {
            known(table, column).is_some_and(|known| known.identity)
        }
        _ => return false,
    };
    let says_all = |other: &Clause| other.range == clause.range && matches!(other.change, Change::ChangeType { .. });
    !had && statement.iter().any(says_all)
}

/// Some rule looks at it, or it is new and nobody's yet.
fn is_judged(change: &Change) -> bool {
    matches!(
        change,
        Change::CreateTable { .. }
            | Change::DropTable { .. }
            | Change::RenameTable { .. }
            | Change::AddColumn { .. }
            | Change::DropColumn { .. }
            | Change::RenameColumn { .. }
            | Change::ChangeType { .. }
            | Change::SetNotNull { .. }
            | Change::DropNotNull { .. }
            | Change::SetDefault { .. }
            | Change::AddConstraint { .. }
            | Change::DropConstraint { .. }
            | Change::ValidateConstraint { .. }
            | Change::CreateIndex { .. }
            | Change::DropIndex { .. }
            | Change::Update { .. }
            | Change::Delete { .. }
            | Change::Insert { .. }
            | Change::Begin
            | Change::Commit
            | Change::Rollback
            | Change::Opaque { .. }
            | Change::AddLabel { .. }
            | Change::CreatePolicy { .. }
            | Change::CreateTrigger { .. }
            | Change::AttachPartition { .. }
            | Change::DetachPartition { .. }
            | Change::DropDefault { .. }
            | Change::DropFunction { .. }
            | Change::DropTrigger { .. }
            | Change::DropView { .. }
            | Change::LockTable { .. }
            | Change::MoveToSchema { .. }
            | Change::RefreshView { .. }
            | Change::Reindex { .. }
            | Change::RenameLabel { .. }
            | Change::Revoke { .. }
            | Change::Truncate { .. }
    )
}

/// Whether a statement of these words takes no lock that anybody waits for, and takes nothing away. Whatever is not
/// listed counts as not judged: a kind that we forgot is told, not lost.
pub fn is_harmless(words: &str) -> bool {
    HARMLESS.iter().any(|known| words.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// The kinds that take no lock that the running version waits for, and take nothing away from it.
const HARMLESS: &[&str] = &[
    "(",
    "ALTER CONSTRAINT RENAME",
    "ALTER DEFAULT PRIVILEGES",
    "ALTER INDEX RENAME",
    // Clauses that say how the others of their statement are executed.
    "ALTER TABLE ALGORITHM",
    "ALTER TABLE COMMENT",
    "ALTER TABLE LOCK",
    // Where these copy the table, a rule says so; else they rebuild it beside the traffic.
    "ALTER TABLE CONVERT TO CHARACTER SET",
    "ALTER TABLE ENGINE",
    "ALTER TABLE FORCE",
    "ALTER TABLE KEY_BLOCK_SIZE",
    "ALTER TABLE ROW_FORMAT",
    "ALTER SEQUENCE OWNED BY",
    "ALTER TRIGGER RENAME",
    "ALTER TYPE ADD VALUE",
    "ANALYZE",
    // Whose bodies were read.
    "CALL",
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
    "CREATE MATERIALIZED VIEW",
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
    "DO",
    "EXECUTE",
    "FLUSH PRIVILEGES",
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
    // psql's own settings and messages.
    "\\a",
    "\\echo",
    "\\encoding",
    "\\endif",
    "\\o",
    "\\prompt",
    "\\pset",
    "\\qecho",
    "\\restrict",
    "\\set",
    "\\t",
    "\\timing",
    "\\unrestrict",
    "\\unset",
    "\\warn",
    "\\x",
];
