//! The tables that a query or a join names.

use std::collections::BTreeSet;

use crate::sql::change::Name;
use crate::sql::dialect::cursor::{Cursor, is_name, unquote};
use crate::sql::lexer::{Kind, Token};

/// A table where a query reads it.
pub(in crate::sql::dialect) struct Reference {
    pub(in crate::sql::dialect) name: Name,
    pub(in crate::sql::dialect) alias: Option<String>,
    /// It stands in a query within the tokens.
    pub(super) inner: bool,
}

/// The tables and views that a query names, each once, in order; not the names that its WITH gives.
pub(in crate::sql::dialect) fn read_by(cursor: &Cursor<'_>) -> Vec<Name> {
    let mut seen = BTreeSet::new();
    let names = references(cursor, false).into_iter().map(|reference| reference.name);
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// The tables of `a JOIN b ON ..., c AS d`.
pub(in crate::sql::dialect) fn joined(cursor: &Cursor<'_>) -> Vec<Reference> {
    references(cursor, true).into_iter().filter(|reference| !reference.inner).collect()
}

/// What stands between two parentheses, or outside of all.
#[derive(Clone, Copy)]
struct Level {
    /// A query or a join, not a function's arguments: FROM means tables here.
    query: bool,
    /// Behind FROM: a comma separates tables.
    from: bool,
    inner: bool,
}

fn references(cursor: &Cursor<'_>, from: bool) -> Vec<Reference> {
    let mut cursor = cursor.clone();
    let mut level = Level { query: true, from, inner: !from };
    let mut outer = Vec::new();
    let mut found: Vec<Reference> = Vec::new();
    let mut named_by_with = BTreeSet::new();
    let mut table_follows = from;
    let mut before: Option<&Token> = None;
    while let Some(token) = cursor.tokens.first() {
        let word = if token.kind == Kind::Word { cursor.peek() } else { String::new() };
        let follows = std::mem::take(&mut table_follows);
        if token.is_symbol(cursor.source, '(') {
            cursor.bump();
            let query = ["SELECT", "WITH", "VALUES", "TABLE"].contains(&cursor.peek().as_str());
            outer.push(level);
            level = Level { query: query || follows, from: follows && !query, inner: level.inner || query };
            table_follows = follows && !query;
        } else if token.is_symbol(cursor.source, ')') {
            cursor.bump();
            level = outer.pop().unwrap_or(level);
        } else if follows && is_name(token) && word != "SELECT" && word != "LATERAL" {
            found.extend(reference(&mut cursor, level.inner));
        } else {
            cursor.bump();
            let behind = |word: &str| before.is_some_and(|before| before.is_word(cursor.source, word));
            match word.as_str() {
                "FROM" if level.query && !behind("distinct") => (level.from, table_follows) = (true, true),
                // An index hint says FOR JOIN.
                "JOIN" | "STRAIGHT_JOIN" if level.from && !behind("for") => table_follows = true,
                "LATERAL" => table_follows = follows,
                "WHERE" | "GROUP" | "HAVING" | "ORDER" | "LIMIT" | "UNION" | "EXCEPT" | "INTERSECT" | "WINDOW"
                | "SELECT" => level.from = false,
                _ if level.from && token.is_symbol(cursor.source, ',') => table_follows = true,
                _ if is_name(token) => named_by_with.extend(common_table(token, &cursor)),
                _ => {}
            }
        }
        before = Some(token);
    }
    found.retain(|reference| {
        reference.name.schema.is_some() || !named_by_with.contains(&reference.name.name.to_ascii_lowercase())
    });
    found
}

/// Takes `schema.name [AS] alias`; `None` for a function that makes a table, and for DUAL.
fn reference(cursor: &mut Cursor<'_>, inner: bool) -> Option<Reference> {
    let before = cursor.tokens;
    let Some(name) = cursor.name() else {
        // A reserved word where a table should be: whoever judges the query says so.
        cursor.bump();
        return None;
    };
    if cursor.at("(") || name.schema.is_none() && name.name.eq_ignore_ascii_case("dual") {
        return None;
    }
    debug_assert!(cursor.tokens.len() < before.len());
    if cursor.eat("PARTITION") {
        cursor.group();
    }
    let named = cursor.eat("AS");
    let is_alias = named || !NO_ALIAS.contains(&cursor.peek().as_str());
    let alias = if is_alias { cursor.identifier() } else { None };
    Some(Reference { name, alias, inner })
}

/// The name that `WITH name [(columns)] AS (` gives, if the token is one.
fn common_table(token: &Token, behind: &Cursor<'_>) -> Option<String> {
    let mut ahead = behind.clone();
    ahead.group();
    let materialized = ahead.eat("AS") && {
        let _ = ahead.eat("MATERIALIZED") || ahead.eat("NOT MATERIALIZED");
        ahead.at("( SELECT") || ahead.at("( WITH") || ahead.at("( VALUES")
    };
    materialized.then(|| unquote(token.text(behind.source)).to_ascii_lowercase())
}

/// Words behind a table that are no alias of it.
const NO_ALIAS: &[&str] = &[
    "CROSS",
    "EXCEPT",
    "FOR",
    "FORCE",
    "FULL",
    "IGNORE",
    "INDEXED",
    "INNER",
    "INTERSECT",
    "LEFT",
    "NATURAL",
    "RETURNING",
    "RIGHT",
    "STRAIGHT_JOIN",
    "USE",
    "WINDOW",
    "WITH",
];
