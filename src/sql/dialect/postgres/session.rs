//! What concerns a session and its transaction, and what works on whole tables: SET, SAVEPOINT, LOCK, TRUNCATE,
//! REINDEX, VACUUM and their like, from the tokens of a statement that the parser has read.

use super::object::text_of_literal;
use super::source::{Source, take_identifier, take_name, take_tables};
use crate::sql::Dialect;
use crate::sql::change::{Change, Name};
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::Clause;

/// The end of a transaction; AND CHAIN begins another.
pub(super) fn end(source: &Source<'_>, end: Change) -> Vec<Clause> {
    let chains = matches!(source.piece.tokens.as_slice(), [.., and, chain]
        if and.is_word(source.file, "and") && chain.is_word(source.file, "chain"));
    let changes = std::iter::once(end).chain(chains.then_some(Change::Begin));
    changes.map(|change| Clause::new(source.piece.range.clone(), change)).collect()
}

/// SAVEPOINT, RELEASE and ROLLBACK TO.
pub(super) fn savepoint(source: &Source<'_>) -> Option<Change> {
    let mut cursor = source.cursor();
    let verb = cursor.peek();
    cursor.bump();
    cursor.eat("WORK");
    cursor.eat("TRANSACTION");
    cursor.eat("TO");
    cursor.eat("SAVEPOINT");
    let name = take_identifier(&mut cursor)?;
    Some(match verb.as_str() {
        "SAVEPOINT" => Change::Savepoint { name },
        "RELEASE" => Change::Release { name },
        _ => Change::RollbackTo { name },
    })
}

/// `SET [LOCAL] name = value` in all its spellings.
pub(super) fn set(source: &Source<'_>) -> Option<Change> {
    let mut cursor = source.cursor();
    cursor.eat("SET");
    // A parameter may be called `local`, too.
    let is_name = ["=", "TO", "."]
        .iter()
        .any(|next| cursor.at(&format!("LOCAL {next}")) || cursor.at(&format!("SESSION {next}")));
    let local = !is_name && cursor.eat("LOCAL");
    if !local && !is_name {
        cursor.eat("SESSION");
    }
    let name = match () {
        () if cursor.eat("TIME ZONE") => "timezone".to_string(),
        () if cursor.eat("SCHEMA") => "search_path".to_string(),
        () if cursor.eat("NAMES") => "client_encoding".to_string(),
        () if cursor.eat("ROLE") => "role".to_string(),
        () if cursor.eat("AUTHORIZATION") => "session_authorization".to_string(),
        () if cursor.eat("XML OPTION") => "xmloption".to_string(),
        () if cursor.at("CATALOG") => return None,
        () => parameter(&mut cursor)?,
    };
    let _ = cursor.eat("TO") || cursor.eat("=");
    let value = (!cursor.at("DEFAULT") && !cursor.tokens.is_empty()).then(|| value(&name, &cursor));
    Some(Change::Set { name, value, local })
}

pub(super) fn reset(source: &Source<'_>) -> Option<Change> {
    let mut cursor = source.cursor();
    cursor.eat("RESET");
    let name = match () {
        () if cursor.eat("TIME ZONE") => "timezone".to_string(),
        () if cursor.eat("SESSION AUTHORIZATION") => "session_authorization".to_string(),
        () if cursor.eat("TRANSACTION ISOLATION LEVEL") => "transaction_isolation".to_string(),
        () => parameter(&mut cursor)?,
    };
    Some(Change::Set { name, value: None, local: false })
}

/// `extension.parameter` is one name.
fn parameter(cursor: &mut Cursor<'_>) -> Option<String> {
    let name = take_name(cursor)?;
    Some(name.to_string().to_lowercase())
}

/// The items as one text; a string without its quotes, but for a schema of `search_path` that needs them.
fn value(name: &str, cursor: &Cursor<'_>) -> String {
    let item = |part: Cursor<'_>| match part.tokens {
        [one] if one.kind == Kind::String => {
            let text = text_of_literal(one.text(part.source));
            if name == "search_path" && !text.is_empty() { Dialect::Postgres.quote(&text) } else { text }
        }
        tokens => range_of(tokens).map(|range| part.source[range].to_string()).unwrap_or_default(),
    };
    cursor.comma_separated().into_iter().map(item).collect::<Vec<_>>().join(", ")
}

/// `SELECT set_config('name', 'value', local)`, which is what SET does.
pub(super) fn set_config(mut cursor: Cursor<'_>) -> Option<Change> {
    let _ = cursor.eat("SELECT") || cursor.eat("PERFORM");
    cursor.eat("pg_catalog .");
    if !cursor.eat("set_config") {
        return None;
    }
    let group = cursor.group()?;
    let arguments = cursor.within(group).comma_separated();
    let [name, value, local] = arguments.as_slice() else { return None };
    let literal = |part: &Cursor<'_>| match part.tokens {
        [one] if one.kind == Kind::String => Some(text_of_literal(one.text(part.source))),
        _ => None,
    };
    let local = match local.tokens {
        [word] => word.is_word(cursor.source, "true"),
        _ => return None,
    };
    Some(Change::Set { name: literal(name)?.to_lowercase(), value: Some(literal(value)?), local })
}

pub(super) fn truncate(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    cursor.eat("TRUNCATE");
    cursor.eat("TABLE");
    let tables = take_tables(&mut cursor)?;
    let cascade = cursor.tokens.last().is_some_and(|last| last.is_word(source.file, "cascade"));
    Some(source.each_of(tables, |table| Change::Truncate { table, cascade }))
}

pub(super) fn lock(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    cursor.eat("LOCK");
    cursor.eat("TABLE");
    let tables = take_tables(&mut cursor)?;
    let mode = cursor.eat("IN").then(|| words(source, cursor.until(&["MODE"])));
    Some(source.each_of(tables, |table| Change::LockTable { table, mode: mode.clone() }))
}

/// Words in upper case with one blank between them.
fn words(source: &Source<'_>, tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text(source.file).to_uppercase()).collect::<Vec<_>>().join(" ")
}

pub(super) fn refresh(source: &Source<'_>) -> Option<Change> {
    let mut cursor = source.cursor();
    cursor.eat("REFRESH MATERIALIZED VIEW");
    let concurrently = cursor.eat("CONCURRENTLY");
    Some(Change::RefreshView { view: take_name(&mut cursor)?, concurrently })
}

pub(super) fn reindex(source: &Source<'_>) -> Option<Change> {
    let mut cursor = source.cursor();
    cursor.eat("REINDEX");
    let options = options(&mut cursor);
    let what = words(source, &cursor.tokens[..1.min(cursor.tokens.len())]);
    cursor.bump();
    let concurrently = cursor.eat("CONCURRENTLY") || options.iter().any(|option| option == "CONCURRENTLY");
    Some(Change::Reindex { what, name: take_name(&mut cursor), concurrently })
}

/// The options in parentheses that are switched on, in upper case.
fn options(cursor: &mut Cursor<'_>) -> Vec<String> {
    let Some(group) = cursor.group() else { return Vec::new() };
    let is_off = |word: &str| ["FALSE", "OFF", "0"].contains(&word);
    let option = |mut part: Cursor<'_>| {
        let name = part.peek();
        part.bump();
        (!is_off(&part.peek())).then_some(name)
    };
    cursor.within(group).comma_separated().into_iter().filter_map(option).collect()
}

/// VACUUM, ANALYZE, CLUSTER and PostgreSQL 19's REPACK: one change for each table, or one for the whole database.
pub(super) fn maintain(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    let mut action = cursor.peek().replace("ANALYSE", "ANALYZE");
    cursor.bump();
    let mut full = options(&mut cursor).iter().any(|option| option == "FULL");
    for word in ["FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"] {
        full |= cursor.eat(word) && word == "FULL";
    }
    full |= options(&mut cursor).iter().any(|option| option == "FULL");
    if full {
        action += " FULL";
    }
    if cursor.tokens.is_empty() || cursor.at("USING") {
        return source.whole(Some(Change::Maintain { table: None, action }));
    }
    let mut tables = Vec::new();
    for mut part in cursor.comma_separated() {
        let range = range_of(part.tokens)?;
        part.eat("ONLY");
        let mut name = take_name(&mut part)?;
        // `CLUSTER index ON table` is the old spelling.
        if part.eat("ON") {
            name = take_name(&mut part)?;
        }
        tables.push((range, name));
    }
    Some(source.each_of(tables, |table: Name| Change::Maintain { table: Some(table), action: action.clone() }))
}
