//! Column definitions.

use super::Statement;
use crate::sql::Dialect;
use crate::sql::change::{Column, Generated};
use crate::sql::dialect::clause;
use crate::sql::dialect::cursor::{Cursor, unquote};
use crate::sql::dialect::filter::text_of;
use crate::sql::lexer::Token;
use crate::sql::statement::Unread;

/// Takes a name, a type and attributes; what the cursor then stands on is no attribute.
pub(super) fn column(statement: &Statement<'_>, cursor: &mut Cursor<'_>) -> Result<Column, Unread> {
    let name = cursor.need_identifier("a column")?;
    let data_type = data_type(statement.dialect, cursor)?;
    let serial = statement.dialect == Dialect::Mysql && data_type == "serial";
    let mut column =
        Column { name, data_type, identity: serial, not_null: serial, unique: serial, ..Column::default() };
    while attribute(statement, cursor, &mut column)? {}
    Ok(column)
}

fn data_type(dialect: Dialect, cursor: &mut Cursor<'_>) -> Result<String, Unread> {
    let start = cursor.tokens;
    if dialect == Dialect::Mysql {
        // SET is a type here, and reserved as a name.
        if !cursor.eat("SET") {
            cursor.need_identifier("a type")?;
        }
        while TYPE_WORDS.contains(&cursor.peek().as_str()) && !cursor.at("CHARACTER SET") && !cursor.at("CHAR SET") {
            cursor.bump();
        }
        cursor.group();
        while ["UNSIGNED", "SIGNED", "ZEROFILL", "PRECISION"].contains(&cursor.peek().as_str()) {
            cursor.bump();
        }
    } else {
        // SQLite takes any words for a type, and none too.
        while !ATTRIBUTES.contains(&cursor.peek().as_str()) && cursor.identifier().is_some() {}
        if start.len() != cursor.tokens.len() {
            cursor.group();
        }
    }
    let taken = &start[..start.len() - cursor.tokens.len()];
    Ok(clause::type_text(cursor.source, taken))
}

/// Words of MySQL's types behind the first one.
const TYPE_WORDS: &[&str] = &["PRECISION", "VARYING", "VARCHAR", "VARCHARACTER", "CHAR", "CHARACTER", "VARBINARY"];

/// Words with which an attribute begins; a type of SQLite ends before them.
const ATTRIBUTES: &[&str] = &[
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
    "ON",
    "DEFERRABLE",
];

/// Takes one attribute; false where there is none.
fn attribute(statement: &Statement<'_>, cursor: &mut Cursor<'_>, column: &mut Column) -> Result<bool, Unread> {
    if cursor.eat("CONSTRAINT") {
        // The name may be missing in MySQL: `CONSTRAINT CHECK (...)`.
        if !cursor.at("CHECK") {
            cursor.need_identifier("a constraint's name")?;
        }
    }
    if cursor.eat("NOT NULL") {
        column.not_null = true;
    } else if cursor.eat("NULL") {
    } else if cursor.eat("DEFAULT") {
        let value = default_value(cursor)?;
        statement.expression(value)?;
        column.default = text_of(cursor.source, value).filter(|text| !clause::is_null(text));
    } else if cursor.eat("PRIMARY KEY") || (statement.dialect == Dialect::Mysql && cursor.eat("KEY")) {
        column.primary_key = true;
        if !cursor.eat("ASC") {
            cursor.eat("DESC");
        }
    } else if cursor.eat("UNIQUE") {
        cursor.eat("KEY");
        column.unique = true;
    } else if cursor.eat("AUTO_INCREMENT") || cursor.eat("AUTOINCREMENT") {
        column.identity = true;
    } else if cursor.eat("SERIAL DEFAULT VALUE") {
        (column.identity, column.not_null, column.unique) = (true, true, true);
    } else if cursor.eat("REFERENCES") {
        column.references = Some(cursor.need_name("a table")?);
        cursor.group();
        reference_options(cursor);
    } else if cursor.eat("CHECK") {
        statement.expression(cursor.need_group()?)?;
        column.check = !cursor.eat("NOT ENFORCED");
        cursor.eat("ENFORCED");
    } else if cursor.eat("GENERATED ALWAYS AS ROW START") || cursor.eat("GENERATED ALWAYS AS ROW END") {
        // MariaDB's system versioning fills them.
        column.generated = Some(Generated::Stored);
    } else if cursor.eat("GENERATED ALWAYS AS") || cursor.eat("AS") {
        statement.expression(cursor.need_group()?)?;
        let stored = cursor.eat("STORED") || cursor.eat("PERSISTENT");
        cursor.eat("VIRTUAL");
        column.generated = Some(if stored { Generated::Stored } else { Generated::Virtual });
    } else {
        let start = cursor.tokens;
        let taken = plain_attribute(statement.dialect, cursor);
        let read = &start[..start.len() - cursor.tokens.len()];
        if let [collate, collation] = read
            && collate.is_word(cursor.source, "collate")
        {
            column.collation = Some(unquote(collation.text(cursor.source)));
        }
        column.attributes.extend(text_of(cursor.source, read));
        return Ok(taken);
    }
    conflict_clause(cursor);
    Ok(true)
}

/// Attributes that say nothing about the shape.
fn plain_attribute(dialect: Dialect, cursor: &mut Cursor<'_>) -> bool {
    if cursor.eat("COLLATE") {
        cursor.bump();
        return true;
    }
    if dialect == Dialect::Sqlite {
        return false;
    }
    let with_argument = ["COMMENT", "CHARACTER SET", "CHAR SET", "CHARSET", "COLUMN_FORMAT", "STORAGE", "SRID"];
    if with_argument.iter().any(|words| cursor.eat(words)) {
        cursor.eat("=");
        return cursor.bump().is_some();
    }
    if cursor.eat("ON UPDATE") {
        cursor.bump();
        cursor.group();
        return true;
    }
    let alone = ["BINARY", "ASCII", "UNICODE", "BYTE", "INVISIBLE", "VISIBLE", "COMPRESSED"];
    let versioning = ["WITH SYSTEM VERSIONING", "WITHOUT SYSTEM VERSIONING"];
    alone.iter().chain(&versioning).any(|words| cursor.eat(words))
}

/// Takes MySQL's `FIRST` or `AFTER other`; false where there is neither.
pub(super) fn position(cursor: &mut Cursor<'_>) -> Result<bool, Unread> {
    if cursor.eat("AFTER") {
        cursor.need_identifier("a column")?;
        return Ok(true);
    }
    Ok(cursor.eat("FIRST"))
}

/// A default is a literal with its sign, a call, or parentheses.
fn default_value<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [Token], Unread> {
    let start = cursor.tokens;
    if cursor.group().is_none() {
        let _ = cursor.eat("-") || cursor.eat("+");
        let prefixed = cursor.tokens.first().is_some_and(|token| token.text(cursor.source).starts_with('_'))
            || ["X", "B", "N", "DATE", "TIME", "TIMESTAMP"].contains(&cursor.peek().as_str());
        if cursor.bump().is_none() {
            return Err(cursor.expected("a default"));
        }
        if prefixed && cursor.tokens.first().is_some_and(|token| token.text(cursor.source).starts_with(['\'', '"'])) {
            cursor.bump();
        }
        while cursor.eat(".") {
            cursor.bump();
        }
        cursor.group();
    }
    Ok(&start[..start.len() - cursor.tokens.len()])
}

/// `ON DELETE ...`, `MATCH ...`, `DEFERRABLE ...` of a foreign key.
pub(super) fn reference_options(cursor: &mut Cursor<'_>) {
    loop {
        if cursor.eat("MATCH") {
            cursor.bump();
        } else if cursor.eat("ON DELETE") || cursor.eat("ON UPDATE") {
            let action = ["SET NULL", "SET DEFAULT", "NO ACTION", "CASCADE", "RESTRICT"];
            if !action.iter().any(|words| cursor.eat(words)) {
                return;
            }
        } else if !(cursor.eat("NOT DEFERRABLE")
            || cursor.eat("DEFERRABLE")
            || cursor.eat("INITIALLY DEFERRED")
            || cursor.eat("INITIALLY IMMEDIATE"))
        {
            return;
        }
    }
}

/// SQLite's `ON CONFLICT REPLACE` behind a constraint.
pub(super) fn conflict_clause(cursor: &mut Cursor<'_>) {
    if cursor.eat("ON CONFLICT") {
        cursor.bump();
    }
}
