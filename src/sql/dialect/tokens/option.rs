//! MySQL's options of tables and indexes, and how a statement is to be carried out.

use super::Statement;
use crate::sql::change::{Change, Name};
use crate::sql::dialect::cursor::{Cursor, unquote};
use crate::sql::lexer::Kind;
use crate::sql::statement::Clause;

/// MariaDB's `WAIT 5` and `NOWAIT`.
pub(in crate::sql::dialect) fn waiting(cursor: &mut Cursor<'_>) {
    if !cursor.eat("NOWAIT") && cursor.eat("WAIT") {
        cursor.bump();
    }
}

/// `ALGORITHM=INPLACE` or `LOCK=NONE`.
pub(super) fn mode(cursor: &mut Cursor<'_>, table: &Name) -> Option<Change> {
    let algorithm = cursor.eat("ALGORITHM");
    if !algorithm && !cursor.eat("LOCK") {
        return None;
    }
    cursor.eat("=");
    let value = cursor.peek();
    cursor.bump()?;
    let (algorithm, lock) = if algorithm { (Some(value), None) } else { (None, Some(value)) };
    Some(Change::AlterMode { table: table.clone(), algorithm, lock })
}

/// All of them behind CREATE INDEX and DROP INDEX, each a clause.
pub(super) fn modes(statement: &mut Statement<'_>, table: &Name) -> Vec<Clause> {
    let mut clauses = Vec::new();
    loop {
        let start = statement.cursor.tokens;
        let Some(change) = mode(&mut statement.cursor, table) else { return clauses };
        clauses.extend(statement.clause(start, change));
    }
}

/// Takes one table option: its words and its value, or `None` where there is none.
pub(super) fn table_option(cursor: &mut Cursor<'_>) -> Option<(String, String)> {
    let known = VALUED.iter().find(|words| cursor.eat(words));
    let words = match known {
        Some(words) => (*words).to_string(),
        // Engines of MariaDB add their own: `"encryption"='yes'`.
        None => {
            let [word, sign, ..] = cursor.tokens else { return None };
            if !matches!(word.kind, Kind::Word | Kind::Quoted) || !sign.is_symbol(cursor.source, '=') {
                return None;
            }
            let word = cursor.peek();
            cursor.bump();
            word
        }
    };
    cursor.eat("=");
    Some((words.replace("CHARSET", "CHARACTER SET"), value(cursor)))
}

/// Takes a value: a word, a string without its quotes, or a whole group.
pub(super) fn value(cursor: &mut Cursor<'_>) -> String {
    let text = cursor.tokens.first().map(|token| unquote(token.text(cursor.source))).unwrap_or_default();
    cursor.skip();
    text.trim_matches('\'').to_ascii_lowercase()
}

/// Options whose `=` may be missing; the longer ones first.
const VALUED: &[&str] = &[
    "DEFAULT CHARACTER SET",
    "DEFAULT CHARSET",
    "DEFAULT COLLATE",
    "CHARACTER SET",
    "CHARSET",
    "COLLATE",
    "DATA DIRECTORY",
    "INDEX DIRECTORY",
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "DELAY_KEY_WRITE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENCRYPTION_KEY_ID",
    "ENGINE",
    "ENGINE_ATTRIBUTE",
    "IETF_QUOTES",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "PASSWORD",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SEQUENCE",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "STORAGE",
    "TABLESPACE",
    "TRANSACTIONAL",
    "TYPE",
    "UNION",
];
