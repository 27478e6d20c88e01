//! CREATE.

use super::Statement;
use super::column::column;
use super::key::{self, Key};
use crate::sql::Dialect;
use crate::sql::change::{Change, Index, Name};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::dialect::filter::text_of;
use crate::sql::dialect::sqlparser;
use crate::sql::statement::{Clause, Unread};

/// The words between CREATE and what is created.
#[derive(Default)]
struct Modifiers {
    or_replace: bool,
    temporary: bool,
    unique: bool,
    /// An index that is no B-tree: FULLTEXT, SPATIAL.
    special: bool,
}

/// Reads what follows CREATE.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let modifiers = modifiers(statement.dialect, &mut statement.cursor);
    let cursor = &mut statement.cursor;
    if cursor.eat("TABLE") {
        return table(statement, &modifiers);
    }
    if cursor.eat("INDEX") {
        return index(statement, &modifiers);
    }
    if cursor.eat("TRIGGER") {
        return trigger(statement);
    }
    if cursor.eat("VIEW") {
        return view(statement);
    }
    if cursor.eat("VIRTUAL TABLE") {
        return virtual_table(statement);
    }
    if cursor.eat("FUNCTION") || cursor.eat("PROCEDURE") {
        cursor.eat("IF NOT EXISTS");
        let name = cursor.need_name("a name")?;
        return Ok(statement.whole(Change::CreateFunction { name, or_replace: modifiers.or_replace }));
    }
    const KNOWN: [&str; 11] = [
        "DATABASE",
        "SCHEMA",
        "EVENT",
        "USER",
        "ROLE",
        "SERVER",
        "SEQUENCE",
        "PACKAGE",
        "TABLESPACE",
        "LOGFILE",
        "UNDO",
    ];
    if statement.dialect != Dialect::Mysql || !KNOWN.contains(&cursor.peek().as_str()) {
        return Err(cursor.expected("what to create"));
    }
    Ok(statement.other())
}

fn modifiers(dialect: Dialect, cursor: &mut Cursor<'_>) -> Modifiers {
    let mut modifiers = Modifiers::default();
    loop {
        if cursor.eat("TEMPORARY") || dialect == Dialect::Sqlite && cursor.eat("TEMP") {
            modifiers.temporary = true;
        } else if cursor.eat("UNIQUE") {
            modifiers.unique = true;
        } else if dialect == Dialect::Sqlite {
            return modifiers;
        } else if cursor.eat("OR REPLACE") {
            modifiers.or_replace = true;
        } else if cursor.eat("ALGORITHM") || cursor.eat("SQL SECURITY") {
            cursor.eat("=");
            cursor.bump();
        } else if cursor.eat("DEFINER") {
            // `root`@`%`, 'root'@'%', CURRENT_USER().
            cursor.eat("=");
            cursor.bump();
            cursor.group();
            if cursor.eat("@") {
                cursor.bump();
            }
        } else if cursor.eat("FULLTEXT") || cursor.eat("SPATIAL") {
            modifiers.special = true;
        } else if !["ONLINE", "OFFLINE", "AGGREGATE"].iter().any(|word| cursor.eat(word)) {
            return modifiers;
        }
    }
}

fn table(mut statement: Statement<'_>, modifiers: &Modifiers) -> Result<Vec<Clause>, Unread> {
    let if_not_exists = statement.cursor.eat("IF NOT EXISTS");
    let table = statement.cursor.need_name("a table")?;
    let (mut columns, mut constraints, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
    let listed = statement.cursor.at("(") && !statement.cursor.at("( LIKE") && !statement.cursor.at("( SELECT");
    if listed {
        let group = statement.cursor.need_group()?;
        for mut item in statement.cursor.within(group).comma_separated() {
            if statement.dialect == Dialect::Mysql && item.at("PERIOD FOR") {
                continue;
            }
            if key::begins(statement.dialect, &item) {
                match key::key(&statement, &mut item)? {
                    Key::Constraint(constraint) => constraints.push(constraint),
                    Key::Index(index) => indexes.push(index),
                }
            } else {
                columns.push(column(&statement, &mut item)?);
            }
            // SQLite lets table constraints follow each other without a comma.
            while statement.dialect == Dialect::Sqlite && key::begins(statement.dialect, &item) {
                if let Key::Constraint(constraint) = key::key(&statement, &mut item)? {
                    constraints.push(constraint);
                }
            }
            item.need_end()?;
        }
        if statement.dialect == Dialect::Sqlite {
            sqlite_options(&mut statement.cursor)?;
        }
    } else if !["(", "LIKE", "AS", "SELECT"].contains(&statement.cursor.peek().as_str())
        && (statement.dialect == Dialect::Sqlite || statement.cursor.tokens.is_empty())
    {
        return Err(statement.cursor.expected("columns"));
    }
    let mut clauses = Vec::new();
    if modifiers.or_replace {
        // MariaDB drops the table that is there.
        clauses.extend(statement.whole(Change::DropTable { table: table.clone(), if_exists: true, cascade: false }));
    }
    let temporary = modifiers.temporary;
    let create = Change::CreateTable {
        table,
        columns,
        constraints,
        indexes,
        columns_from: Vec::new(),
        partitioned: false,
        temporary,
        if_not_exists,
    };
    clauses.extend(statement.whole(create));
    Ok(clauses)
}

fn sqlite_options(cursor: &mut Cursor<'_>) -> Result<(), Unread> {
    while cursor.eat("STRICT") || cursor.eat("WITHOUT ROWID") {
        cursor.eat(",");
    }
    cursor.need_end()
}

/// Its columns are the module's business.
fn virtual_table(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let if_not_exists = statement.cursor.eat("IF NOT EXISTS");
    let table = statement.cursor.need_name("a table")?;
    statement.cursor.need("USING")?;
    Ok(statement.whole(Change::CreateTable {
        table,
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: Vec::new(),
        partitioned: false,
        temporary: false,
        if_not_exists,
    }))
}

fn index(mut statement: Statement<'_>, modifiers: &Modifiers) -> Result<Vec<Clause>, Unread> {
    let mut cursor = statement.cursor.clone();
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    // SQLite qualifies the index, not the table, with the schema.
    let name = cursor.need_name("an index")?;
    if cursor.eat("USING") {
        cursor.bump();
    }
    cursor.need("ON")?;
    let on = cursor.need_name("a table")?;
    let table = Name { schema: on.schema.or(name.schema), name: on.name };
    let mut plain = !modifiers.special && key::names_alone(&cursor);
    let columns = key::columns(&statement, &mut cursor)?;
    plain &= cursor.tokens.is_empty();
    let mut predicate = None;
    if statement.dialect == Dialect::Sqlite && cursor.eat("WHERE") {
        statement.expression(cursor.tokens)?;
        predicate = text_of(cursor.source, cursor.tokens);
    } else if statement.dialect == Dialect::Mysql {
        key::index_options(&mut cursor);
        let _ = cursor.eat("WAIT") && cursor.bump().is_some() || cursor.eat("NOWAIT");
        cursor.need_end()?;
    } else {
        cursor.need_end()?;
    }
    statement.cursor = cursor;
    let index = Index { name: Some(name.name), columns, unique: modifiers.unique, method: None, predicate, plain };
    Ok(statement.whole(Change::CreateIndex { table, index, concurrently: false, if_not_exists }))
}

/// The table stands behind the first ON; the body is not looked into.
fn trigger(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.eat("IF NOT EXISTS");
    let name = cursor.need_name("a trigger")?.name;
    cursor.until(&["ON"]);
    cursor.need("ON")?;
    let table = cursor.need_name("a table")?;
    Ok(statement.whole(Change::CreateTrigger { table, name }))
}

fn view(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.eat("IF NOT EXISTS");
    let view = cursor.need_name("a view")?;
    cursor.group();
    cursor.need("AS")?;
    let query = cursor.until(&["WITH CHECK OPTION", "WITH CASCADED CHECK", "WITH LOCAL CHECK"]);
    sqlparser::statement(cursor.source, query, statement.dialect)?;
    Ok(statement.whole(Change::CreateView { view, materialized: false, or_replace: false, reads: Vec::new() }))
}
