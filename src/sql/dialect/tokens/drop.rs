//! DROP.

use super::Statement;
use super::option;
use crate::sql::Dialect;
use crate::sql::change::{Change, Name, Object};
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::dialect::filter::text_of;
use crate::sql::statement::{Clause, Unread};

/// Reads a statement that begins with DROP.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let mysql = statement.mysql();
    let cursor = &mut statement.cursor;
    cursor.need("DROP")?;
    if mysql {
        cursor.eat("TEMPORARY");
    }
    if cursor.eat("INDEX") {
        return index(statement);
    }
    if cursor.eat("TABLE") || mysql && cursor.eat("TABLES") {
        return each(statement, |table, if_exists| Change::DropTable { table, if_exists, cascade: false });
    }
    if cursor.eat("VIEW") {
        return each(statement, |view, if_exists| Change::DropView {
            view,
            materialized: false,
            if_exists,
            cascade: false,
        });
    }
    if cursor.eat("TRIGGER") {
        return each(statement, |name, if_exists| Change::DropTrigger { table: None, name: name.name, if_exists });
    }
    if !mysql {
        return Err(cursor.expected("what to drop"));
    }
    if cursor.eat("FUNCTION") || cursor.eat("PROCEDURE") {
        return each(statement, |name, if_exists| Change::DropFunction { name, if_exists, cascade: false });
    }
    let object = object(cursor)?;
    if object == Object::Other("PREPARE") {
        return Ok(statement.other());
    }
    if let Object::Other(_) = object {
        return unnamed(statement, object);
    }
    each(statement, |name, if_exists| Change::DropObject { object, name, table: None, if_exists, cascade: false })
}

/// What has no name of the schema's kind: `'u'@'h', v@localhost`; as written.
fn unnamed(mut statement: Statement<'_>, object: Object) -> Result<Vec<Clause>, Unread> {
    let if_exists = statement.cursor.eat("IF EXISTS");
    let cursor = &mut statement.cursor;
    let mut clauses = Vec::new();
    for part in cursor.comma_separated() {
        let name = text_of(part.source, part.tokens).ok_or_else(|| part.expected("a name"))?;
        let name = Name::plain(name);
        let change = Change::DropObject { object, name, table: None, if_exists, cascade: false };
        clauses.extend(range_of(part.tokens).map(|range| Clause::new(range, change)));
    }
    Ok(clauses)
}

/// What else MySQL and MariaDB drop by name.
fn object(cursor: &mut Cursor<'_>) -> Result<Object, Unread> {
    const OBJECTS: [(&str, Object); 15] = [
        ("DATABASE", Object::Database),
        ("SCHEMA", Object::Database),
        ("EVENT", Object::Event),
        ("SEQUENCE", Object::Sequence),
        ("USER", Object::Other("USER")),
        ("ROLE", Object::Other("ROLE")),
        ("SERVER", Object::Other("SERVER")),
        ("PACKAGE BODY", Object::Other("PACKAGE BODY")),
        ("PACKAGE", Object::Other("PACKAGE")),
        ("UNDO TABLESPACE", Object::Other("TABLESPACE")),
        ("TABLESPACE", Object::Other("TABLESPACE")),
        ("LOGFILE GROUP", Object::Other("LOGFILE GROUP")),
        ("RESOURCE GROUP", Object::Other("RESOURCE GROUP")),
        ("SPATIAL REFERENCE SYSTEM", Object::Other("SPATIAL REFERENCE SYSTEM")),
        ("PREPARE", Object::Other("PREPARE")),
    ];
    let found = OBJECTS.iter().find(|(words, _)| cursor.eat(words));
    found.map(|(_, object)| *object).ok_or_else(|| cursor.expected("what to drop"))
}

fn index(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    let if_exists = cursor.eat("IF EXISTS");
    let name = cursor.need_name("an index")?;
    let mut table = None;
    if statement.dialect == Dialect::Mysql {
        cursor.need("ON")?;
        table = Some(cursor.need_name("a table")?);
    }
    let mut clauses = statement.whole(Change::DropIndex {
        table: table.clone(),
        name,
        concurrently: false,
        if_exists,
        cascade: false,
    });
    if let Some(table) = table {
        option::waiting(&mut statement.cursor);
        clauses.extend(option::modes(&mut statement, &table));
    }
    statement.cursor.need_end()?;
    Ok(clauses)
}

/// `[IF EXISTS] a, b [CASCADE | RESTRICT]`.
fn each(mut statement: Statement<'_>, change: impl Fn(Name, bool) -> Change) -> Result<Vec<Clause>, Unread> {
    let if_exists = statement.cursor.eat("IF EXISTS");
    let clauses = statement.each("a name", |name, _| change(name, if_exists))?;
    option::waiting(&mut statement.cursor);
    let _ = statement.cursor.eat("CASCADE") || statement.cursor.eat("RESTRICT");
    statement.cursor.need_end()?;
    Ok(clauses)
}
