//! ALTER TABLE, action by action.

use super::Statement;
use super::column::{column, position};
use super::key::{self, Key};
use super::redefine;
use super::{create, option};
use crate::sql::Dialect;
use crate::sql::change::{Change, ColumnAction, Name, Object};
use crate::sql::dialect::clause;
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::dialect::filter::text_of;
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::{Clause, Unread};

/// Reads a statement that begins with ALTER.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    statement.cursor.need("ALTER")?;
    let mut clauses = Vec::new();
    let online = statement.cursor.tokens;
    let mut lock = None;
    if statement.mysql() {
        lock = statement.cursor.eat("ONLINE").then(|| "NONE".to_string());
        statement.cursor.eat("OFFLINE");
        statement.cursor.eat("IGNORE");
    }
    if !statement.cursor.eat("TABLE") {
        return other_object(statement);
    }
    if statement.mysql() {
        statement.cursor.eat("IF EXISTS");
    }
    let table = statement.cursor.need_name("a table")?;
    if lock.is_some()
        && let Some(range) = range_of(&online[..1])
    {
        clauses.push(Clause::new(range, Change::AlterMode { table: table.clone(), algorithm: None, lock }));
    }
    if statement.mysql() {
        option::waiting(&mut statement.cursor);
    }
    loop {
        let start = statement.cursor.tokens;
        if start.is_empty() {
            return Err(statement.cursor.expected("an action"));
        }
        for (said, change) in action(&mut statement, &table)? {
            match range_of(said) {
                Some(range) => clauses.push(Clause::new(range, change)),
                None => clauses.extend(statement.clause(start, change)),
            }
        }
        let cursor = &mut statement.cursor;
        if cursor.tokens.is_empty() {
            return Ok(clauses);
        }
        // Options follow one another without a comma, and partitions follow whatever stands before them.
        let follows = |cursor: &Cursor<'_>| {
            cursor.at("PARTITION BY")
                || cursor.at("REMOVE PARTITIONING")
                || option::table_option(&mut cursor.clone()).is_some()
        };
        if !(cursor.eat(",") || statement.dialect == Dialect::Mysql && follows(cursor)) {
            return Err(cursor.expected("the end"));
        }
    }
}

/// The changes of one action, each with its own tokens, or none where it takes those of the whole action.
type Said<'a> = Vec<(&'a [Token], Change)>;

/// Takes one action; most are one change, some are several.
fn action<'a>(statement: &mut Statement<'a>, table: &Name) -> Result<Said<'a>, Unread> {
    let mysql = statement.mysql();
    let mut cursor = statement.cursor.clone();
    let only = |change: Change| Ok(vec![(&[] as &[Token], change)]);
    let said = if mysql && let Some(changes) = partitions(&mut cursor, table) {
        Ok(changes.into_iter().map(|change| (&[] as &[Token], change)).collect())
    } else {
        match cursor.peek().as_str() {
            "ADD" => {
                cursor.bump();
                add(statement, table, &mut cursor)
            }
            "DROP" => {
                cursor.bump();
                drop(mysql, table.clone(), &mut cursor).and_then(only)
            }
            "RENAME" => {
                cursor.bump();
                rename(mysql, table.clone(), &mut cursor).and_then(only)
            }
            "ALTER" => {
                cursor.bump();
                alter(statement, table.clone(), &mut cursor).and_then(only)
            }
            "MODIFY" | "CHANGE" if mysql => {
                let changes = redefine::column(statement, table, &mut cursor)?;
                Ok(changes.into_iter().map(|change| (&[] as &[Token], change)).collect())
            }
            _ if mysql => whole_table(table, &mut cursor).and_then(only),
            _ => Err(cursor.expected("an action")),
        }
    };
    statement.cursor = cursor;
    said
}

/// An action on the whole table.
fn act(table: &Name, action: impl Into<String>) -> Change {
    Change::AlterTable { table: table.clone(), action: action.into(), value: None }
}

/// What MySQL does to partitions: the rest of its statement belongs to it, commas and all.
fn partitions(cursor: &mut Cursor<'_>, table: &Name) -> Option<Vec<Change>> {
    const ACTIONS: [&str; 14] = [
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
    let from_table = cursor.at("CONVERT TABLE");
    let words = match ACTIONS.iter().find(|word| cursor.at(&format!("{word} PARTITION"))) {
        Some(word) => format!("{word} PARTITION"),
        None if from_table => "CONVERT TABLE".to_string(),
        None if cursor.at("PARTITION BY") => "PARTITION BY".to_string(),
        None => return None,
    };
    let mut changes = vec![act(table, words.clone())];
    // The table that partition and rows are exchanged with.
    let other = if from_table {
        cursor.eat("CONVERT TABLE");
        cursor.name()
    } else {
        cursor.until(&["WITH TABLE", "TO TABLE"]);
        if cursor.eat("WITH TABLE") || cursor.eat("TO TABLE") { cursor.name() } else { None }
    };
    changes.extend(other.map(|other| act(&other, words)));
    cursor.tokens = &[];
    Some(changes)
}

fn add<'a>(statement: &Statement<'a>, table: &Name, cursor: &mut Cursor<'a>) -> Result<Said<'a>, Unread> {
    let mysql = statement.mysql();
    if mysql && cursor.eat("SYSTEM VERSIONING") {
        return Ok(vec![(&[], act(table, "ADD SYSTEM VERSIONING"))]);
    }
    if mysql && cursor.eat("PERIOD FOR") {
        cursor.bump();
        cursor.group();
        return Ok(vec![(&[], act(table, "ADD PERIOD"))]);
    }
    if key::begins(statement.dialect, cursor) {
        return Ok(vec![(&[], add_key(statement, table, cursor)?)]);
    }
    cursor.eat("COLUMN");
    let if_not_exists = mysql && cursor.eat("IF NOT EXISTS");
    if !mysql || !cursor.at("(") {
        let column = column(statement, cursor)?;
        let positioned = mysql && position(cursor)?;
        return Ok(vec![(&[], Change::AddColumn { table: table.clone(), column, if_not_exists, positioned })]);
    }
    // `ADD COLUMN (a INT, KEY (a))`.
    let group = cursor.need_group()?;
    let mut said = Vec::new();
    for mut item in cursor.within(group).comma_separated() {
        let tokens = item.tokens;
        let change = if key::begins(statement.dialect, &item) {
            add_key(statement, table, &mut item)?
        } else {
            let column = column(statement, &mut item)?;
            Change::AddColumn { table: table.clone(), column, if_not_exists, positioned: false }
        };
        item.need_end()?;
        said.push((tokens, change));
    }
    Ok(said)
}

fn add_key(statement: &Statement<'_>, table: &Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    let table = table.clone();
    Ok(match key::key(statement, cursor)? {
        Key::Constraint(constraint) => Change::AddConstraint { table, constraint },
        Key::Index { index, if_not_exists } => Change::CreateIndex { table, index, concurrently: false, if_not_exists },
    })
}

fn drop(mysql: bool, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if mysql {
        if cursor.eat("SYSTEM VERSIONING") {
            return Ok(act(&table, "DROP SYSTEM VERSIONING"));
        }
        if cursor.eat("PERIOD") {
            cursor.eat("IF EXISTS");
            cursor.need("FOR")?;
            cursor.need_identifier("a period")?;
            return Ok(act(&table, "DROP PERIOD"));
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
    if cursor.eat("CONSTRAINT") || mysql && (cursor.eat("FOREIGN KEY") || cursor.eat("CHECK")) {
        let if_exists = cursor.eat("IF EXISTS");
        let name = cursor.need_identifier("a constraint's name")?;
        return Ok(Change::DropConstraint { table, name, if_exists, cascade: false });
    }
    cursor.eat("COLUMN");
    let if_exists = mysql && cursor.eat("IF EXISTS");
    let column = cursor.need_identifier("a column")?;
    let cascade = mysql && cursor.eat("CASCADE");
    if mysql {
        cursor.eat("RESTRICT");
    }
    Ok(Change::DropColumn { table, column, if_exists, cascade })
}

fn rename(mysql: bool, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if mysql {
        if cursor.eat("INDEX") || cursor.eat("KEY") {
            cursor.eat("IF EXISTS");
            let name = Name::plain(cursor.need_identifier("an index")?);
            cursor.need("TO")?;
            let to = cursor.need_identifier("an index")?;
            return Ok(Change::RenameObject { object: Object::Index, name, table: Some(table), to });
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
    if mysql {
        cursor.eat("IF EXISTS");
    }
    let column = cursor.need_identifier("a column")?;
    cursor.need("TO")?;
    Ok(Change::RenameColumn { table, column, to: cursor.need_identifier("a column")? })
}

fn alter(statement: &Statement<'_>, table: Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    if statement.mysql()
        && let Some(object) = ["INDEX", "KEY", "CHECK", "CONSTRAINT"].into_iter().find(|word| cursor.eat(word))
    {
        cursor.eat("IF EXISTS");
        cursor.need_identifier("a name")?;
        let states = ["VISIBLE", "INVISIBLE", "NOT IGNORED", "IGNORED", "NOT ENFORCED", "ENFORCED"];
        let state = states.into_iter().find(|words| cursor.eat(words)).ok_or_else(|| cursor.expected("a state"))?;
        return Ok(act(&table, format!("ALTER {} {state}", object.replace("KEY", "INDEX"))));
    }
    cursor.eat("COLUMN");
    if statement.mysql() {
        cursor.eat("IF EXISTS");
    }
    let column = cursor.need_identifier("a column")?;
    if cursor.eat("SET DEFAULT") {
        let value = cursor.until(&[",", "PARTITION BY"]);
        statement.expression(value)?;
        let expression = text_of(cursor.source, value).ok_or_else(|| cursor.expected("a default"))?;
        return Ok(match clause::is_null(&expression) {
            true => Change::DropDefault { table, column },
            false => Change::SetDefault { table, column, expression },
        });
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
    } else if let Some(state) = ["SET VISIBLE", "SET INVISIBLE"].into_iter().find(|words| cursor.eat(words)) {
        let action = ColumnAction::Other(state.to_string());
        return Ok(Change::AlterColumn { table, column, action });
    }
    Err(cursor.expected("SET or DROP"))
}

/// Options, and actions without an object.
fn whole_table(table: &Name, cursor: &mut Cursor<'_>) -> Result<Change, Unread> {
    const ALONE: [&str; 12] = [
        "DISABLE KEYS",
        "ENABLE KEYS",
        "DISCARD TABLESPACE",
        "IMPORT TABLESPACE",
        "FORCE",
        "REMOVE PARTITIONING",
        "WITH VALIDATION",
        "WITHOUT VALIDATION",
        "SECONDARY_LOAD",
        "SECONDARY_UNLOAD",
        "WITH SYSTEM VERSIONING",
        "WITHOUT SYSTEM VERSIONING",
    ];
    if let Some(mode) = option::mode(cursor, table) {
        return Ok(mode);
    }
    if let Some(words) = ALONE.into_iter().find(|words| cursor.eat(words)) {
        return Ok(act(table, words));
    }
    if cursor.eat("CONVERT TO") {
        let mut words = "CONVERT TO";
        let mut value = None;
        if cursor.eat("CHARACTER SET") || cursor.eat("CHARSET") || cursor.eat("CHAR SET") {
            cursor.eat("=");
            words = "CONVERT TO CHARACTER SET";
            value = Some(option::value(cursor));
        }
        let mut action = words.to_string();
        if cursor.eat("COLLATE") {
            cursor.eat("=");
            cursor.bump();
            action += " COLLATE";
        }
        return Ok(Change::AlterTable { table: table.clone(), action, value });
    }
    if cursor.eat("ORDER BY") {
        loop {
            cursor.need_identifier("a column")?;
            let _ = cursor.eat("ASC") || cursor.eat("DESC");
            let mut ahead = cursor.clone();
            if !ahead.eat(",") || ahead.identifier().is_none() || !(ahead.tokens.is_empty() || ahead.at(",")) {
                return Ok(act(table, "ORDER BY"));
            }
            cursor.eat(",");
        }
    }
    match option::table_option(cursor) {
        Some((action, value)) => Ok(Change::AlterTable { table: table.clone(), action, value: Some(value) }),
        None => Err(cursor.expected("an action")),
    }
}

/// ALTER of what is no table.
fn other_object(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    if !statement.mysql() {
        return Err(statement.cursor.expected("TABLE"));
    }
    create::modifiers(statement.dialect, &mut statement.cursor);
    let cursor = &mut statement.cursor;
    if cursor.eat("VIEW") {
        return create::view(statement, true);
    }
    if cursor.eat("EVENT") {
        let name = cursor.need_name("an event")?;
        cursor.until(&["RENAME TO", "DO"]);
        if !cursor.eat("RENAME TO") {
            return Ok(statement.other());
        }
        let to = cursor.need_name("an event")?.name;
        return Ok(statement.whole(Change::RenameObject { object: Object::Event, name, table: None, to }));
    }
    if cursor.eat("SEQUENCE") {
        cursor.eat("IF EXISTS");
        let sequence = cursor.need_name("a sequence")?;
        let words: Vec<String> = cursor
            .tokens
            .iter()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text(cursor.source).to_ascii_uppercase())
            .collect();
        return Ok(statement.whole(Change::AlterSequence { sequence, action: words.join(" ") }));
    }
    let known = ["DATABASE", "SCHEMA", "FUNCTION", "PROCEDURE", "USER", "SERVER", "INSTANCE", "TABLESPACE", "ROLE"];
    let prefixed = ["LOGFILE", "UNDO", "RESOURCE"];
    let word = cursor.peek();
    match known.iter().chain(&prefixed).any(|known| *known == word) {
        true => Ok(statement.whole(Change::Other { kind: format!("ALTER {word}") })),
        false => Err(cursor.expected("TABLE")),
    }
}
