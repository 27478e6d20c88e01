//! Table constraints and keys, as they stand in CREATE TABLE and behind ADD.

use super::Statement;
use super::column::{conflict_clause, reference_options};
use crate::sql::Dialect;
use crate::sql::change::{Constraint, ConstraintKind, Index};
use crate::sql::dialect::cursor::{Cursor, unquote};
use crate::sql::dialect::filter::text_of;
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::Unread;

/// A table constraint, or one of MySQL's keys.
pub(super) enum Key {
    Constraint(Constraint),
    Index { index: Index, if_not_exists: bool },
}

/// A constraint or a key begins here, not a column.
pub(super) fn begins(dialect: Dialect, cursor: &Cursor<'_>) -> bool {
    let word = cursor.peek();
    let quoted = cursor.tokens.first().is_some_and(|token| token.kind != Kind::Word);
    let mysql = dialect == Dialect::Mysql && ["INDEX", "KEY", "FULLTEXT", "SPATIAL"].contains(&word.as_str());
    !quoted && (mysql || ["CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].contains(&word.as_str()))
}

/// Takes one constraint or key with its options.
pub(super) fn key(statement: &Statement<'_>, cursor: &mut Cursor<'_>) -> Result<Key, Unread> {
    let constrained = cursor.eat("CONSTRAINT");
    cursor.eat("IF NOT EXISTS");
    let starts = ["PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK"];
    let mut name = match constrained && !starts.iter().any(|words| cursor.at(words)) {
        true => Some(cursor.need_identifier("a constraint's name")?),
        false => None,
    };
    let mut not_valid = false;
    let kind = if cursor.eat("CHECK") {
        let inner = cursor.need_group()?;
        statement.expression(inner)?;
        not_valid = cursor.eat("NOT ENFORCED");
        cursor.eat("ENFORCED");
        ConstraintKind::Check { expression: text_of(cursor.source, inner).unwrap_or_default() }
    } else if cursor.eat("FOREIGN KEY") {
        cursor.eat("IF NOT EXISTS");
        let index = cursor.identifier();
        name = name.or(index);
        let columns = columns(statement, cursor)?;
        cursor.need("REFERENCES")?;
        let references = cursor.need_name("a table")?;
        cursor.group();
        reference_options(cursor);
        ConstraintKind::ForeignKey { columns, references }
    } else if cursor.eat("PRIMARY KEY") {
        index_name(cursor);
        using(cursor);
        ConstraintKind::PrimaryKey { columns: columns(statement, cursor)? }
    } else {
        let unique = cursor.eat("UNIQUE");
        return unique_or_index(statement, cursor, unique, constrained, name);
    };
    index_options(cursor);
    conflict_clause(cursor);
    Ok(Key::Constraint(Constraint { name, kind, not_valid, using_index: None }))
}

/// MySQL's `UNIQUE` without CONSTRAINT is an index by name; SQLite knows it only as a constraint.
fn unique_or_index(
    statement: &Statement<'_>,
    cursor: &mut Cursor<'_>,
    unique: bool,
    constrained: bool,
    name: Option<String>,
) -> Result<Key, Unread> {
    let mut method = None;
    if statement.dialect == Dialect::Mysql {
        method = if unique { None } else { special(cursor) };
        let _ = cursor.eat("INDEX") || cursor.eat("KEY");
    }
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    let name = index_name(cursor).or(name);
    method = method.or(using(cursor));
    let mut plain = method.is_none() && names_alone(cursor);
    let columns = columns(statement, cursor)?;
    let before_options = cursor.tokens.len();
    method = method.or(index_options(cursor));
    plain &= cursor.tokens.len() == before_options;
    conflict_clause(cursor);
    if unique && (constrained || statement.dialect == Dialect::Sqlite) {
        let kind = ConstraintKind::Unique { columns };
        return Ok(Key::Constraint(Constraint { name, kind, not_valid: false, using_index: None }));
    }
    let index = Index { name, columns, unique, method, predicate: None, plain, only: false };
    Ok(Key::Index { index, if_not_exists })
}

/// `[IF NOT EXISTS] [name]`; of an index without a name, USING follows at once.
fn index_name(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.eat("IF NOT EXISTS");
    if cursor.at("USING") { None } else { cursor.identifier() }
}

/// The kinds of index that are no B-tree.
pub(super) fn special(cursor: &mut Cursor<'_>) -> Option<String> {
    let word = ["FULLTEXT", "SPATIAL", "VECTOR"].into_iter().find(|word| cursor.eat(word))?;
    Some(word.to_ascii_lowercase())
}

/// `USING HASH`; a B-tree is the usual way.
pub(super) fn using(cursor: &mut Cursor<'_>) -> Option<String> {
    if !cursor.eat("USING") {
        return None;
    }
    let word = cursor.peek().to_ascii_lowercase();
    cursor.bump();
    (word != "btree").then_some(word)
}

/// Takes MySQL's options behind an index's columns, with or without `=`; its method, if one of them says it.
pub(super) fn index_options(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut method = None;
    loop {
        let valued = ["COMMENT", "KEY_BLOCK_SIZE", "WITH PARSER", "CLUSTERING", "ENGINE_ATTRIBUTE", "M", "DISTANCE"];
        if cursor.at("USING") {
            method = using(cursor).or(method);
        } else if valued.iter().any(|words| cursor.eat(words)) {
            cursor.eat("=");
            cursor.bump();
        } else if !["VISIBLE", "INVISIBLE", "IGNORED", "NOT IGNORED"].iter().any(|words| cursor.eat(words)) {
            return method;
        }
    }
}

/// What the parentheses ahead hold is nothing but names.
pub(super) fn names_alone(cursor: &Cursor<'_>) -> bool {
    let group = cursor.clone().group().unwrap_or_default();
    cursor.within(group).comma_separated().iter().all(|part| part.tokens.len() == 1)
}

/// Takes the parenthesised columns of an index: plain ones by name, expressions by their source.
pub(super) fn columns(statement: &Statement<'_>, cursor: &mut Cursor<'_>) -> Result<Vec<String>, Unread> {
    let source = cursor.source;
    let group = cursor.need_group()?;
    let mut columns = Vec::new();
    for mut item in cursor.within(group).comma_separated() {
        item.tokens = without_order(source, item.tokens);
        let part = item.tokens;
        let name = item.identifier();
        if statement.dialect == Dialect::Mysql && name.is_some() {
            // The length of a prefix: `a(10)`.
            item.group();
        }
        if item.eat("COLLATE") {
            item.bump();
        }
        columns.push(match (name, item.tokens.is_empty()) {
            (Some(name), true) => unquote(&name),
            _ => {
                statement.expression(part)?;
                text_of(source, part).ok_or_else(|| item.expected("a column"))?
            }
        });
    }
    Ok(columns)
}

fn without_order<'a>(source: &str, tokens: &'a [Token]) -> &'a [Token] {
    match tokens.split_last() {
        Some((last, rest)) if last.is_word(source, "asc") || last.is_word(source, "desc") => rest,
        _ => tokens,
    }
}
