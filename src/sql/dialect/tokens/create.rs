//! CREATE.

use super::Statement;
use super::column::column;
use super::key::{self, Key};
use super::{data, option, tables};
use crate::sql::Dialect;
use crate::sql::change::{Change, Column, ColumnsFrom, Constraint, Index, Name};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::dialect::filter::{self, text_of};
use crate::sql::dialect::sqlparser;
use crate::sql::statement::{Clause, Unread};

/// The words between CREATE and what is created.
#[derive(Default)]
pub(super) struct Modifiers {
    or_replace: bool,
    temporary: bool,
    unique: bool,
    /// Of an index that is no B-tree: `fulltext`.
    method: Option<String>,
}

/// Reads a statement that begins with CREATE.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    statement.cursor.need("CREATE")?;
    let modifiers = modifiers(statement.dialect, &mut statement.cursor);
    let mysql = statement.mysql();
    let cursor = &mut statement.cursor;
    if cursor.eat("TABLE") {
        return table(statement, &modifiers);
    }
    if cursor.eat("INDEX") {
        return index(statement, modifiers);
    }
    if cursor.eat("TRIGGER") {
        return trigger(statement, &modifiers);
    }
    if cursor.eat("VIEW") {
        return view(statement, modifiers.or_replace);
    }
    if !mysql && cursor.eat("VIRTUAL TABLE") {
        return virtual_table(statement);
    }
    if !mysql {
        return Err(cursor.expected("what to create"));
    }
    if cursor.eat("FUNCTION") || cursor.eat("PROCEDURE") {
        cursor.eat("IF NOT EXISTS");
        let name = cursor.need_name("a name")?;
        return Ok(statement.whole(Change::CreateFunction { name, or_replace: modifiers.or_replace }));
    }
    if cursor.eat("SEQUENCE") {
        let if_not_exists = cursor.eat("IF NOT EXISTS");
        let sequence = cursor.need_name("a sequence")?;
        return Ok(statement.whole(Change::CreateSequence { sequence, if_not_exists }));
    }
    const KNOWN: [&str; 11] = [
        "DATABASE",
        "SCHEMA",
        "EVENT",
        "USER",
        "ROLE",
        "SERVER",
        "PACKAGE",
        "TABLESPACE",
        "LOGFILE",
        "UNDO",
        "RESOURCE",
    ];
    let word = cursor.peek();
    if !KNOWN.contains(&word.as_str()) {
        return Err(cursor.expected("what to create"));
    }
    Ok(statement.whole(Change::Other { kind: format!("CREATE {word}") }))
}

/// Takes the words that may stand between CREATE, or ALTER, and the kind of object.
pub(super) fn modifiers(dialect: Dialect, cursor: &mut Cursor<'_>) -> Modifiers {
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
        } else if let Some(method) = key::special(cursor) {
            modifiers.method = Some(method);
        } else if !["ONLINE", "OFFLINE", "AGGREGATE"].iter().any(|word| cursor.eat(word)) {
            return modifiers;
        }
    }
}

/// What the parentheses of CREATE TABLE list.
#[derive(Default)]
struct Listed {
    columns: Vec<Column>,
    constraints: Vec<Constraint>,
    indexes: Vec<Index>,
}

fn table(mut statement: Statement<'_>, modifiers: &Modifiers) -> Result<Vec<Clause>, Unread> {
    let if_not_exists = statement.cursor.eat("IF NOT EXISTS");
    let table = statement.cursor.need_name("a table")?;
    let mut columns_from = Vec::new();
    let mut listed = Listed::default();
    let mut partitioned = false;
    let mut options = Vec::new();
    if statement.mysql() && (statement.cursor.eat("LIKE") || statement.cursor.at("( LIKE")) {
        let mut cursor = match statement.cursor.group() {
            Some(inner) => statement.cursor.within(&inner[1..]),
            None => statement.cursor.clone(),
        };
        columns_from.push(ColumnsFrom::Like(cursor.need_name("a table")?));
        cursor.need_end()?;
    } else {
        if statement.cursor.at("(") && !["( SELECT", "( WITH", "( ("].iter().any(|words| statement.cursor.at(words)) {
            listed = list(&mut statement)?;
        } else if !["AS", "SELECT", "WITH", "("].contains(&statement.cursor.peek().as_str())
            && (statement.dialect == Dialect::Sqlite || statement.cursor.tokens.is_empty())
        {
            return Err(statement.cursor.expected("columns"));
        }
        (options, partitioned) = table_options(&mut statement)?;
        if selects(&mut statement)? {
            columns_from.push(ColumnsFrom::Query);
        }
    }
    let mut clauses = Vec::new();
    if modifiers.or_replace {
        // MariaDB drops the table that is there.
        clauses.extend(statement.whole(Change::DropTable { table: table.clone(), if_exists: true, cascade: false }));
    }
    let Listed { columns, constraints, indexes } = listed;
    clauses.extend(statement.whole(Change::CreateTable {
        table,
        columns,
        constraints,
        indexes,
        columns_from,
        partitioned,
        options,
        temporary: modifiers.temporary,
        if_not_exists,
    }));
    Ok(clauses)
}

fn list(statement: &mut Statement<'_>) -> Result<Listed, Unread> {
    let mut listed = Listed::default();
    let group = statement.cursor.need_group()?;
    for mut item in statement.cursor.within(group).comma_separated() {
        if statement.mysql() && item.at("PERIOD FOR") {
            continue;
        }
        if !key::begins(statement.dialect, &item) {
            listed.columns.push(column(statement, &mut item)?);
        }
        // SQLite lets table constraints follow each other, and the last column, without a comma.
        while key::begins(statement.dialect, &item) {
            match key::key(statement, &mut item)? {
                Key::Constraint(constraint) => listed.constraints.push(constraint),
                Key::Index { index, .. } => listed.indexes.push(index),
            }
        }
        item.need_end()?;
    }
    Ok(listed)
}

/// What stands behind the list: the options, and whether it says PARTITION BY.
fn table_options(statement: &mut Statement<'_>) -> Result<(Vec<(String, String)>, bool), Unread> {
    let mut options = Vec::new();
    let cursor = &mut statement.cursor;
    if statement.dialect == Dialect::Sqlite {
        while cursor.eat("STRICT") || cursor.eat("WITHOUT ROWID") {
            cursor.eat(",");
        }
        return Ok((options, false));
    }
    loop {
        if let Some(option) = option::table_option(cursor) {
            options.push(option);
        } else if cursor.eat("WITH SYSTEM VERSIONING") {
            options.push(("SYSTEM VERSIONING".into(), String::new()));
        } else if !cursor.eat("START TRANSACTION") {
            break;
        }
        cursor.eat(",");
    }
    let partitioned = cursor.eat("PARTITION BY");
    if partitioned {
        cursor.until(&["AS", "SELECT", "IGNORE", "REPLACE"]);
    }
    Ok((options, partitioned))
}

/// Takes the query whose result the table gets; false where there is none.
fn selects(statement: &mut Statement<'_>) -> Result<bool, Unread> {
    let cursor = &mut statement.cursor;
    if statement.dialect == Dialect::Mysql {
        let _ = cursor.eat("IGNORE") || cursor.eat("REPLACE");
    }
    let named = cursor.eat("AS");
    if !named && !["SELECT", "WITH", "(", "VALUES"].contains(&cursor.peek().as_str()) {
        cursor.need_end()?;
        return Ok(false);
    }
    let query = std::mem::take(&mut cursor.tokens);
    if query.is_empty() {
        return Err(cursor.expected("a query"));
    }
    sqlparser::statement(cursor.source, query, statement.dialect)?;
    Ok(true)
}

/// Its columns are the module's business, and no more known than those of a query.
fn virtual_table(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let if_not_exists = statement.cursor.eat("IF NOT EXISTS");
    let table = statement.cursor.need_name("a table")?;
    statement.cursor.need("USING")?;
    statement.cursor.need_identifier("a module")?;
    if !statement.cursor.tokens.is_empty() {
        statement.cursor.need_group()?;
    }
    statement.last(Change::CreateTable {
        table,
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: vec![ColumnsFrom::Query],
        partitioned: false,
        options: Vec::new(),
        temporary: false,
        if_not_exists,
    })
}

fn index(mut statement: Statement<'_>, modifiers: Modifiers) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    // SQLite qualifies the index, not the table, with the schema.
    let name = cursor.need_name("an index")?;
    let mut method = modifiers.method.or(key::using(cursor));
    cursor.need("ON")?;
    let on = cursor.need_name("a table")?;
    let table = Name { schema: on.schema.or(name.schema), name: on.name };
    let mut plain = method.is_none() && key::names_alone(cursor);
    let mut cursor = statement.cursor.clone();
    let columns = key::columns(&statement, &mut cursor)?;
    let mut predicate = None;
    let before_options = cursor.tokens.len();
    if statement.dialect == Dialect::Sqlite && cursor.eat("WHERE") {
        statement.expression(cursor.tokens)?;
        predicate = text_of(cursor.source, cursor.tokens);
        cursor.tokens = &[];
    }
    if statement.mysql() {
        option::waiting(&mut cursor);
        method = method.or(key::index_options(&mut cursor));
    }
    plain &= cursor.tokens.len() == before_options;
    statement.cursor = cursor;
    let mut modes = Vec::new();
    if statement.mysql() {
        modes = option::modes(&mut statement, &table);
        key::index_options(&mut statement.cursor);
        option::waiting(&mut statement.cursor);
    }
    statement.cursor.need_end()?;
    let mut clauses = Vec::new();
    if modifiers.or_replace {
        clauses.extend(statement.whole(Change::DropIndex {
            table: Some(table.clone()),
            name: Name::plain(&name.name),
            concurrently: false,
            if_exists: true,
            cascade: false,
        }));
    }
    let index =
        Index { name: Some(name.name), columns, unique: modifiers.unique, method, predicate, plain, only: false };
    clauses.extend(statement.whole(Change::CreateIndex { table, index, concurrently: false, if_not_exists }));
    clauses.extend(modes);
    Ok(clauses)
}

/// The table stands behind the first ON; the body is not looked into.
fn trigger(mut statement: Statement<'_>, modifiers: &Modifiers) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.eat("IF NOT EXISTS");
    let name = cursor.need_name("a trigger")?.name;
    cursor.until(&["ON"]);
    cursor.need("ON")?;
    let table = cursor.need_name("a table")?;
    let mut clauses = Vec::new();
    if modifiers.or_replace {
        let drop = Change::DropTrigger { table: Some(table.clone()), name: name.clone(), if_exists: true };
        clauses.extend(statement.whole(drop));
    }
    clauses.extend(statement.whole(Change::CreateTrigger { table, name }));
    Ok(clauses)
}

/// Also ALTER VIEW, which says a view anew.
pub(super) fn view(mut statement: Statement<'_>, or_replace: bool) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.eat("IF NOT EXISTS");
    let view = cursor.need_name("a view")?;
    let mut columns = data::columns(cursor);
    cursor.need("AS")?;
    let query = cursor.until(&["WITH CHECK OPTION", "WITH CASCADED CHECK", "WITH LOCAL CHECK"]);
    sqlparser::statement(cursor.source, query, statement.dialect)?;
    let query = cursor.within(query);
    let reads = tables::read_by(&query);
    if columns.is_empty() {
        columns = filter::outputs(query.clone(), |name| name.identifier());
    }
    let partial = filter::is_partial(query);
    Ok(statement.whole(Change::CreateView { view, materialized: false, or_replace, reads, columns, partial }))
}
