//! ALTER TABLE, action by action.

use super::Statement;
use super::column::{column, position};
use super::key::{self, Key};
use crate::sql::Dialect;
use crate::sql::change::{Change, Column, Constraint, ConstraintKind, Name};
use crate::sql::dialect::clause;
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::dialect::filter::text_of;
use crate::sql::lexer::Token;
use crate::sql::statement::{Clause, Unread};

/// Reads what follows ALTER.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    let mysql = statement.dialect == Dialect::Mysql;
    if mysql {
        let _ = cursor.eat("ONLINE") || cursor.eat("OFFLINE");
        cursor.eat("IGNORE");
    }
    if !cursor.eat("TABLE") {
        let known = ["DATABASE", "SCHEMA", "VIEW", "EVENT", "FUNCTION", "PROCEDURE", "USER", "SERVER", "SEQUENCE"];
        let prefixed = ["ALGORITHM", "DEFINER", "SQL", "INSTANCE", "TABLESPACE", "ROLE", "LOGFILE", "UNDO"];
        let word = cursor.peek();
        return match mysql && known.iter().chain(&prefixed).any(|known| *known == word) {
            true => Ok(statement.other()),
            false => Err(cursor.expected("TABLE")),
        };
    }
    if mysql {
        cursor.eat("IF EXISTS");
    }
    let table = cursor.need_name("a table")?;
    if mysql && !cursor.eat("NOWAIT") && cursor.eat("WAIT") {
        cursor.bump();
    }
    let mut clauses = Vec::new();
    while !statement.cursor.tokens.is_empty() {
        let rest = statement.cursor.tokens;
        // These take the rest of the statement, commas and all.
        let tokens = if takes_the_rest(&statement.cursor) { rest } else { statement.cursor.until(&[","]) };
        if tokens.len() == rest.len() {
            statement.cursor.tokens = &[];
        } else {
            statement.cursor.bump();
            if statement.cursor.tokens.is_empty() {
                return Err(statement.cursor.expected("an action"));
            }
        }
        action(&statement, &table, tokens, &mut clauses)?;
    }
    if clauses.is_empty() { Err(statement.cursor.expected("an action")) } else { Ok(clauses) }
}

fn takes_the_rest(cursor: &Cursor<'_>) -> bool {
    const PARTITIONS: [&str; 14] = [
        "ADD",
        "DROP",
        "TRUNCATE",
        "REORGANIZE",
        "EXCHANGE",
        "COALESCE",
        "REBUILD",
        "OPTIMIZE",
        "ANALYZE",
        "CHECK",
        "REPAIR",
        "DISCARD",
        "IMPORT",
        "CONVERT",
    ];
    cursor.at("ORDER BY")
        || cursor.at("PARTITION BY")
        || PARTITIONS.iter().any(|word| cursor.at(&format!("{word} PARTITION")))
}

/// Lowers one action; most are one clause, some are several.
fn action(statement: &Statement<'_>, table: &Name, tokens: &[Token], clauses: &mut Vec<Clause>) -> Result<(), Unread> {
    let mut cursor = statement.cursor.within(tokens);
    let Some(range) = range_of(tokens) else { return Err(statement.cursor.expected("an action")) };
    let table = table.clone();
    let changes = match cursor.peek().as_str() {
        _ if takes_the_rest(&cursor) => other(&mut cursor),
        "ADD" => {
            cursor.bump();
            let columns = cursor.clone();
            if cursor.eat("COLUMN (") || cursor.eat("(") {
                return add_columns(statement, &table, columns, clauses);
            }
            vec![add(statement, table, &mut cursor)?]
        }
        "DROP" => {
            cursor.bump();
            vec![drop(statement, table, &mut cursor)?]
        }
        "RENAME" => {
            cursor.bump();
            vec![rename(statement, table, &mut cursor)?]
        }
        "ALTER" => {
            cursor.bump();
            vec![alter_column(statement, table, &mut cursor)?]
        }
        "MODIFY" | "CHANGE" if statement.dialect == Dialect::Mysql => redefine(statement, &table, &mut cursor)?,
        word if statement.dialect == Dialect::Mysql && OPTIONS.contains(&word) => other(&mut cursor),
        _ => return Err(cursor.expected("an action")),
    };
    cursor.need_end()?;
    for mut change in changes {
        if let Change::Other { kind } = &mut change
            && kind.is_empty()
        {
            *kind = clause::action_kind(cursor.source, tokens);
        }
        clauses.push(Clause::new(range.clone(), change));
    }
    Ok(())
}

/// Words with which MySQL's table options and maintenance actions begin.
const OPTIONS: &[&str] = &[
    "ALGORITHM",
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHARACTER",
    "CHARSET",
    "CHECKSUM",
    "COLLATE",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "CONVERT",
    "DATA",
    "DEFAULT",
    "DELAY_KEY_WRITE",
    "DISABLE",
    "DISCARD",
    "ENABLE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENCRYPTION_KEY_ID",
    "ENGINE",
    "ENGINE_ATTRIBUTE",
    "FORCE",
    "IMPORT",
    "INDEX",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "LOCK",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "PASSWORD",
    "REMOVE",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "SEQUENCE",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "STORAGE",
    "TABLESPACE",
    "TRANSACTIONAL",
    "TYPE",
    "UNION",
    "WITH",
    "WITHOUT",
];

/// An action that concerns no rule; its kind is filled in by the caller.
fn other(cursor: &mut Cursor<'_>) -> Vec<Change> {
    cursor.tokens = &[];
    vec![unnamed()]
}

fn unnamed() -> Change {
    Change::Other { kind: String::new() }
}

/// MySQL's `ADD COLUMN (a INT, b INT)`.
fn add_columns(
    statement: &Statement<'_>,
    table: &Name,
    mut cursor: Cursor<'_>,
    clauses: &mut Vec<Clause>,
) -> Result<(), Unread> {
    cursor.eat("COLUMN");
    let group = cursor.need_group()?;
    cursor.need_end()?;
    for mut item in cursor.within(group).comma_separated() {
        let range = range_of(item.tokens).ok_or_else(|| item.expected("a column"))?;
        let change = if key::begins(statement.dialect, &item) {
            add_key(statement, table.clone(), &mut item)?
        } else {
            let column = column(statement, &mut item)?;
            Change::AddColumn { table: table.clone(), column, if_not_exists: false }
        };
        item.need_end()?;
        clauses.push(Clause::new(range, change));
    }
    Ok(())
}

fn add(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if statement.dialect == Dialect::Mysql && (cursor.at("SYSTEM VERSIONING") || cursor.at("PERIOD FOR")) {
        cursor.tokens = &[];
        return Ok(unnamed());
    }
    if key::begins(statement.dialect, cursor) {
        return add_key(statement, table, cursor);
    }
    cursor.eat("COLUMN");
    let if_not_exists = statement.dialect == Dialect::Mysql && cursor.eat("IF NOT EXISTS");
    let column = column(statement, cursor)?;
    if statement.dialect == Dialect::Mysql {
        position(cursor)?;
    }
    Ok(Change::AddColumn { table, column, if_not_exists })
}

fn add_key(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    let if_not_exists =
        cursor.tokens.windows(3).take(4).any(|three| {
            ["if", "not", "exists"].iter().zip(three).all(|(word, token)| token.is_word(cursor.source, word))
        });
    Ok(match key::key(statement, cursor)? {
        Key::Constraint(constraint) => Change::AddConstraint { table, constraint },
        Key::Index(index) => Change::CreateIndex { table, index, concurrently: false, if_not_exists },
    })
}

fn drop(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if statement.dialect == Dialect::Mysql {
        if cursor.at("SYSTEM VERSIONING") || cursor.at("PERIOD FOR") {
            cursor.tokens = &[];
            return Ok(unnamed());
        }
        if cursor.eat("PRIMARY KEY") {
            // The name that MySQL gives to every primary key.
            return Ok(Change::DropConstraint { table, name: "PRIMARY".into(), if_exists: false, cascade: false });
        }
        if cursor.eat("INDEX") || cursor.eat("KEY") {
            let if_exists = cursor.eat("IF EXISTS");
            let name = Name::plain(cursor.need_identifier("an index")?);
            return Ok(Change::DropIndex { table: Some(table), name, concurrently: false, if_exists, cascade: false });
        }
    }
    if cursor.eat("CONSTRAINT")
        || statement.dialect == Dialect::Mysql && (cursor.eat("FOREIGN KEY") || cursor.eat("CHECK"))
    {
        cursor.eat("IF EXISTS");
        return Ok(Change::DropConstraint {
            table,
            name: cursor.need_identifier("a constraint's name")?,
            if_exists: false,
            cascade: false,
        });
    }
    cursor.eat("COLUMN");
    let if_exists = statement.dialect == Dialect::Mysql && cursor.eat("IF EXISTS");
    let column = cursor.need_identifier("a column")?;
    let _ = cursor.eat("CASCADE") || cursor.eat("RESTRICT");
    Ok(Change::DropColumn { table, column, if_exists, cascade: false })
}

fn rename(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if statement.dialect == Dialect::Mysql {
        if cursor.at("INDEX") || cursor.at("KEY") {
            cursor.tokens = &[];
            return Ok(unnamed());
        }
        if !cursor.at("COLUMN") {
            let _ = cursor.eat("TO") || cursor.eat("AS") || cursor.eat("=");
            return Ok(Change::RenameTable { table, to: cursor.need_name("a table")? });
        }
    } else if cursor.eat("TO") {
        let to = Name { schema: table.schema.clone(), name: cursor.need_identifier("a table")? };
        return Ok(Change::RenameTable { table, to });
    }
    cursor.eat("COLUMN");
    cursor.eat("IF EXISTS");
    let column = cursor.need_identifier("a column")?;
    cursor.need("TO")?;
    Ok(Change::RenameColumn { table, column, to: cursor.need_identifier("a column")? })
}

fn alter_column(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    let other = ["INDEX", "KEY", "CHECK", "CONSTRAINT"].contains(&cursor.peek().as_str());
    if other && statement.dialect == Dialect::Mysql {
        cursor.tokens = &[];
        return Ok(unnamed());
    }
    cursor.eat("COLUMN");
    cursor.eat("IF EXISTS");
    let column = cursor.need_identifier("a column")?;
    if cursor.eat("SET DEFAULT") {
        let value = std::mem::take(&mut cursor.tokens);
        statement.expression(value)?;
        let expression = text_of(cursor.source, value).ok_or_else(|| cursor.expected("a default"))?;
        return Ok(Change::SetDefault { table, column, expression });
    }
    if cursor.eat("DROP DEFAULT") {
        return Ok(Change::DropDefault { table, column });
    }
    if statement.dialect == Dialect::Sqlite {
        if cursor.eat("SET NOT NULL") {
            return Ok(Change::SetNotNull { table, column });
        }
        if cursor.eat("DROP NOT NULL") {
            return Ok(Change::DropNotNull { table, column });
        }
    } else if cursor.eat("SET VISIBLE") || cursor.eat("SET INVISIBLE") {
        return Ok(unnamed());
    }
    Err(cursor.expected("SET or DROP"))
}

/// MODIFY and CHANGE say the whole column anew.
fn redefine(statement: &Statement<'_>, table: &Name, cursor: &mut Cursor<'_>) -> Result<Vec<Change>, Unread> {
    let mut changes = Vec::new();
    let change = cursor.eat("CHANGE");
    if !change {
        cursor.need("MODIFY")?;
    }
    cursor.eat("COLUMN");
    cursor.eat("IF EXISTS");
    let old = if change { Some(cursor.need_identifier("a column")?) } else { None };
    let column = column(statement, cursor)?;
    position(cursor)?;
    if let Some(old) = old
        && old != column.name
    {
        changes.push(Change::RenameColumn { table: table.clone(), column: old, to: column.name.clone() });
    }
    changes.extend(as_changes(table, column));
    Ok(changes)
}

fn as_changes(table: &Name, column: Column) -> Vec<Change> {
    let table = || table.clone();
    let name = || column.name.clone();
    let mut changes = vec![Change::ChangeType {
        table: table(),
        column: name(),
        to: column.data_type.clone(),
        collation: None,
        using: None,
    }];
    changes.push(match column.not_null {
        true => Change::SetNotNull { table: table(), column: name() },
        false => Change::DropNotNull { table: table(), column: name() },
    });
    if let Some(expression) = column.default.clone() {
        changes.push(Change::SetDefault { table: table(), column: name(), expression });
    }
    let columns = vec![name()];
    let kinds = [
        column.primary_key.then(|| ConstraintKind::PrimaryKey { columns: columns.clone() }),
        column.unique.then(|| ConstraintKind::Unique { columns: columns.clone() }),
    ];
    changes.extend(kinds.into_iter().flatten().map(|kind| Change::AddConstraint {
        table: table(),
        constraint: Constraint { name: None, kind, not_valid: false, using_index: None },
    }));
    changes
}
