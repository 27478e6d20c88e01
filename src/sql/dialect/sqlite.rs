//! SQLite into changes.

use super::filter::text_of;
use super::tokens::{self, Statement};
use crate::sql::Dialect;
use crate::sql::change::Change;
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// Reads one statement.
pub(in crate::sql) fn parse(file: &str, piece: &Piece) -> Result<Vec<Clause>, Unread> {
    tokens::parse(file, piece, Dialect::Sqlite, rest)
}

/// What only SQLite has.
fn rest(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    match cursor.peek().as_str() {
        "BEGIN" => Ok(statement.whole(Change::Begin)),
        "END" => Ok(statement.whole(Change::Commit)),
        "PRAGMA" => pragma(statement),
        "ANALYZE" => {
            cursor.bump();
            let table = if cursor.tokens.is_empty() { None } else { Some(cursor.need_name("a table")?) };
            statement.last(Change::Maintain { table, action: "ANALYZE".into() })
        }
        // A copy of the database in another file.
        "VACUUM" if cursor.tokens.iter().any(|token| token.is_word(cursor.source, "into")) => Ok(statement.other()),
        "VACUUM" => Ok(statement.whole(Change::Maintain { table: None, action: "VACUUM".into() })),
        "REINDEX" => {
            cursor.bump();
            let name = if cursor.tokens.is_empty() { None } else { Some(cursor.need_name("an index")?) };
            // A table, an index or a collation: one name space that the statement does not tell apart.
            let what = if name.is_some() { "INDEX" } else { "DATABASE" };
            statement.last(Change::Reindex { what: what.into(), name, concurrently: false })
        }
        "ATTACH" | "DETACH" | "EXPLAIN" => Ok(statement.other()),
        _ => Err(cursor.expected("a statement")),
    }
}

/// `PRAGMA schema.name = value` and `PRAGMA name(value)` of a setting; a question is nobody's business.
fn pragma(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.bump();
    let name = cursor.need_name("a pragma")?.name.to_ascii_lowercase();
    let called = if cursor.eat("=") { None } else { cursor.group() };
    let asks = QUESTIONS.contains(&name.as_str());
    let said = called.unwrap_or(cursor.tokens);
    match text_of(cursor.source, said).filter(|_| !asks) {
        Some(value) => Ok(statement.whole(Change::Set { name, value: Some(value), local: false })),
        None => Ok(statement.other()),
    }
}

/// Pragmas that show or check something, with an argument that says of what.
const QUESTIONS: &[&str] = &[
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "wal_checkpoint",
];
