//! What the dialects' lowerings share: how a type reads, what an uninteresting statement is called.

use super::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};

/// A type as written, white space normalised, words in lower case: `varchar(20)`, `numeric(10,2)`.
pub(super) fn type_text(source: &str, tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        let piece = token.text(source);
        let glued = text.is_empty()
            || text.ends_with(['(', ',', '.', '['])
            || matches!(piece, "(" | ")" | "," | "." | "[" | "]");
        if !glued {
            text.push(' ');
        }
        if token.kind == Kind::Word {
            text.push_str(&piece.to_ascii_lowercase());
        } else {
            text.push_str(piece);
        }
    }
    text
}

/// What a statement that concerns no rule is called: `ALTER SEQUENCE OWNED BY`, `SET LOCAL`.
pub(super) fn statement_kind(source: &str, tokens: &[Token]) -> String {
    let (mut words, rest) = leading_words(source, tokens);
    match words.first() {
        None => return first_token(source, tokens),
        Some(&("GRANT" | "REVOKE" | "TRUNCATE" | "DO" | "EXECUTE" | "CALL" | "SELECT")) => words.truncate(1),
        Some(&"ALTER") if words[1..] != ["DEFAULT", "PRIVILEGES"] => {
            words.extend(leading_words(source, behind_name(source, rest)).0);
        }
        Some(_) => {}
    }
    speak(&words)
}

/// The words of an action: `OWNER TO`.
pub(super) fn action_words(source: &str, tokens: &[Token]) -> String {
    let (mut words, rest) = leading_words(source, tokens);
    match words.first() {
        None => return first_token(source, tokens),
        Some(&"ALTER") => words.extend(leading_words(source, behind_name(source, rest)).0),
        Some(_) => {}
    }
    speak(&words)
}

fn first_token(source: &str, tokens: &[Token]) -> String {
    let text = tokens.first().map(|token| token.text(source).to_uppercase()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words without those that say nothing about what kind of statement it is.
fn speak(words: &[&str]) -> String {
    const MODIFIERS: [&[&str]; 4] = [&["OR", "REPLACE"], &["IF", "NOT", "EXISTS"], &["IF", "EXISTS"], &["ONLY"]];
    let mut spoken = Vec::new();
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        match MODIFIERS.iter().find(|modifier| rest.starts_with(modifier)) {
            Some(modifier) => rest = &rest[modifier.len()..],
            None => {
                spoken.push(*word);
                rest = behind;
            }
        }
    }
    spoken.join(" ")
}

/// What follows one possibly qualified name.
fn behind_name<'a>(source: &'a str, tokens: &'a [Token]) -> &'a [Token] {
    let mut cursor = Cursor::new(source, tokens);
    if cursor.name().is_some() { cursor.tokens } else { tokens }
}

/// The keywords in front, in upper case, and what follows them.
fn leading_words<'a>(source: &str, tokens: &'a [Token]) -> (Vec<&'static str>, &'a [Token]) {
    let words: Vec<&str> = tokens
        .iter()
        .take_while(|token| token.kind == Kind::Word)
        .map_while(|token| kind_word(token.text(source)))
        .collect();
    let rest = &tokens[words.len()..];
    (words, rest)
}

fn kind_word(word: &str) -> Option<&'static str> {
    let upper = || word.bytes().map(|byte| byte.to_ascii_uppercase());
    KIND_WORDS.binary_search_by(|known| known.bytes().cmp(upper())).ok().map(|at| KIND_WORDS[at])
}

/// The words of which kinds are made, sorted.
const KIND_WORDS: &[&str] = &[
    "ABORT",
    "ACCESS",
    "ADD",
    "AGGREGATE",
    "ALGORITHM",
    "ALL",
    "ALTER",
    "ALWAYS",
    "ANALYZE",
    "ATTACH",
    "ATTRIBUTE",
    "AUTO_INCREMENT",
    "BEGIN",
    "BY",
    "CALL",
    "CAST",
    "CHANGE",
    "CHARACTER",
    "CHARSET",
    "CHECK",
    "CHECKPOINT",
    "CLASS",
    "CLOSE",
    "CLUSTER",
    "COLLATE",
    "COLLATION",
    "COLUMN",
    "COMMENT",
    "COMMIT",
    "COMPRESSION",
    "CONCURRENTLY",
    "CONFIGURATION",
    "CONSTRAINT",
    "CONVERSION",
    "CONVERT",
    "COPY",
    "CREATE",
    "DATA",
    "DATABASE",
    "DEALLOCATE",
    "DEFAULT",
    "DEFINER",
    "DELIMITER",
    "DETACH",
    "DICTIONARY",
    "DISABLE",
    "DISCARD",
    "DO",
    "DOMAIN",
    "DROP",
    "ENABLE",
    "END",
    "ENGINE",
    "EVENT",
    "EXCHANGE",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "EXPRESSION",
    "EXTENSION",
    "FAMILY",
    "FLUSH",
    "FORCE",
    "FOREIGN",
    "FULL",
    "FULLTEXT",
    "FUNCTION",
    "GENERATED",
    "GRANT",
    "GROUP",
    "HANDLER",
    "IDENTITY",
    "IF",
    "IMPORT",
    "INDEX",
    "INHERIT",
    "INSERT",
    "INTO",
    "KEY",
    "KEYS",
    "KILL",
    "LABEL",
    "LANGUAGE",
    "LARGE",
    "LEVEL",
    "LISTEN",
    "LOAD",
    "LOCAL",
    "LOCK",
    "LOGGED",
    "MAPPING",
    "MATERIALIZED",
    "MERGE",
    "METHOD",
    "MODIFY",
    "MOVE",
    "NO",
    "NOT",
    "NOTHING",
    "NOTIFY",
    "NULL",
    "OBJECT",
    "OF",
    "OFFLINE",
    "OIDS",
    "ON",
    "ONLINE",
    "ONLY",
    "OPERATOR",
    "OPTIMIZE",
    "OR",
    "ORDER",
    "OWNED",
    "OWNER",
    "PARSER",
    "PARTITION",
    "PARTITIONING",
    "PASSWORD",
    "POLICY",
    "PRAGMA",
    "PREPARE",
    "PREPARED",
    "PRIMARY",
    "PRIVILEGES",
    "PROCEDURE",
    "PUBLICATION",
    "READ",
    "REASSIGN",
    "REBUILD",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "REMOVE",
    "RENAME",
    "REORGANIZE",
    "REPAIR",
    "REPLACE",
    "REPLICA",
    "RESET",
    "RESTART",
    "REVOKE",
    "ROLE",
    "ROLES",
    "ROLLBACK",
    "ROUTINE",
    "ROW",
    "ROWS",
    "ROW_FORMAT",
    "RULE",
    "SAVEPOINT",
    "SCHEMA",
    "SEARCH",
    "SECURITY",
    "SELECT",
    "SEQUENCE",
    "SERVER",
    "SESSION",
    "SET",
    "SHOW",
    "SIGNAL",
    "SPATIAL",
    "START",
    "STATISTICS",
    "STORAGE",
    "SUBSCRIPTION",
    "SYSTEM",
    "TABLE",
    "TABLES",
    "TABLESPACE",
    "TEMPLATE",
    "TEMPORARY",
    "TEXT",
    "TO",
    "TRANSACTION",
    "TRANSFORM",
    "TRIGGER",
    "TRUNCATE",
    "TYPE",
    "UNIQUE",
    "UNLISTEN",
    "UNLOCK",
    "UNLOGGED",
    "UPDATE",
    "USE",
    "USER",
    "USING",
    "VACUUM",
    "VALIDATE",
    "VALUE",
    "VALUES",
    "VIEW",
    "VIRTUAL",
    "WITH",
    "WITHOUT",
    "WRAPPER",
];

/// A default of NULL is none.
pub(super) fn is_null(default: &str) -> bool {
    default.eq_ignore_ascii_case("null")
}
