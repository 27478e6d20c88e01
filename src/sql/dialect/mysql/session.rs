//! SET.

use super::known::Known;
use super::parse;
use crate::sql::change::Change;
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::dialect::filter::text_of;
use crate::sql::dialect::tokens::Statement;
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// `SET a = 1, GLOBAL b = 2`, each assignment a clause.
pub(super) fn set(mut statement: Statement<'_>, known: &mut Known) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.bump();
    if cursor.eat("STATEMENT") {
        // MariaDB sets variables for one statement.
        cursor.until(&["FOR"]);
        cursor.need("FOR")?;
        let range = range_of(cursor.tokens).ok_or_else(|| cursor.expected("a statement"))?;
        let piece = Piece { range, tokens: cursor.tokens.to_vec(), unclosed: false };
        return parse(cursor.source, &piece, known);
    }
    if ["PASSWORD", "RESOURCE GROUP"].iter().any(|words| cursor.at(words)) {
        return Ok(statement.other());
    }
    let mut clauses = Vec::new();
    loop {
        let start = statement.cursor.tokens;
        let change = assignment(&mut statement.cursor, known)?;
        clauses.extend(statement.clause(start, change));
        if !statement.cursor.eat(",") {
            break;
        }
    }
    statement.cursor.need_end()?;
    Ok(clauses)
}

/// Settings without `=`.
const WORDS: [(&str, &str); 8] = [
    ("NAMES", "names"),
    ("CHARACTER SET", "character_set"),
    ("CHARSET", "character_set"),
    ("SESSION TRANSACTION", "transaction"),
    ("LOCAL TRANSACTION", "transaction"),
    ("GLOBAL TRANSACTION", "global.transaction"),
    ("TRANSACTION", "transaction"),
    ("DEFAULT ROLE", "default_role"),
];

fn assignment(cursor: &mut Cursor<'_>, known: &mut Known) -> Result<Change, Unread> {
    if let Some((_, name)) = WORDS.iter().find(|(words, _)| cursor.eat(words)) {
        let value = text_of(cursor.source, cursor.until(if *name == "transaction" { &[] } else { &[","] }));
        return Ok(Change::Set { name: (*name).to_string(), value, local: false });
    }
    if cursor.eat("ROLE") {
        let value = text_of(cursor.source, cursor.until(&[]));
        return Ok(Change::Set { name: "role".into(), value, local: false });
    }
    let name = variable(cursor)?;
    if !(cursor.eat(": =") || cursor.eat("=")) {
        return Err(cursor.expected("="));
    }
    let value = cursor.until(&[","]);
    if let Some(variable) = name.strip_prefix('@') {
        known.assign(variable, &cursor.within(value));
    }
    let default = matches!(value, [only] if only.is_word(cursor.source, "default"));
    let value = text_of(cursor.source, value).ok_or_else(|| cursor.expected("a value"))?;
    Ok(Change::Set { name, value: (!default).then_some(value), local: false })
}

/// `x`, `SESSION x`, `@@x`, `@@session.x`: the session's own. `global.x` is the server's, `@x` the user's.
fn variable(cursor: &mut Cursor<'_>) -> Result<String, Unread> {
    if cursor.eat("@ @") {
        let first = cursor.need_identifier("a variable")?.to_ascii_lowercase();
        if !cursor.eat(".") {
            return Ok(first);
        }
        let name = cursor.need_identifier("a variable")?.to_ascii_lowercase();
        return Ok(if matches!(first.as_str(), "session" | "local") { name } else { format!("{first}.{name}") });
    }
    if cursor.eat("@") {
        let name = cursor.bump().map(|token| token.text(cursor.source)).unwrap_or_default();
        return Ok(format!("@{}", name.trim_matches(['`', '\'', '"']).to_ascii_lowercase()));
    }
    let scope = ["GLOBAL", "PERSIST_ONLY", "PERSIST"].into_iter().find(|word| cursor.eat(word));
    let _ = cursor.eat("SESSION") || cursor.eat("LOCAL");
    let mut name = cursor.need_identifier("a variable")?.to_ascii_lowercase();
    while cursor.eat(".") {
        // `hot_cache.key_buffer_size`, and in a trigger NEW.a.
        name = format!("{name}.{}", cursor.need_identifier("a variable")?.to_ascii_lowercase());
    }
    Ok(match scope {
        Some(scope) => format!("{}.{name}", scope.to_ascii_lowercase()),
        None => name,
    })
}
