//! MySQL and MariaDB into changes.

mod account;
mod body;
mod constant;
mod known;
mod procedure;
mod session;

use super::cursor::range_of;
use super::tokens::{self, Statement};
use crate::sql::Dialect;
use crate::sql::change::{Change, Query};
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};
use body::Body;
pub(in crate::sql) use known::Known;

/// First words of statements that change no schema and no rows, or only a server.
const KNOWN: &[&str] = &[
    "BINLOG",
    "CACHE",
    "CHANGE",
    "CHECKSUM",
    "CLONE",
    "DEALLOCATE",
    "DESC",
    "DESCRIBE",
    "DO",
    "EXPLAIN",
    "FLUSH",
    "HANDLER",
    "HELP",
    "IMPORT",
    "INSTALL",
    "KILL",
    "PURGE",
    "RESET",
    "RESTART",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "START",
    "STOP",
    "TABLE",
    "UNINSTALL",
    "UNLOCK",
    "XA",
];

/// Reads one statement; `known` is what those before it have defined.
pub(in crate::sql) fn parse(file: &str, piece: &Piece, known: &mut Known) -> Result<Vec<Clause>, Unread> {
    let clauses = tokens::parse(file, piece, Dialect::Mysql, |statement| rest(statement, known))?;
    known.learn(file, &piece.tokens);
    Ok(clauses)
}

/// What only MySQL and MariaDB have.
fn rest(mut statement: Statement<'_>, known: &mut Known) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    match cursor.peek().as_str() {
        "BEGIN" if cursor.at("BEGIN NOT") => {
            let body = body::walk(cursor.source, cursor.tokens, known);
            Ok(performed(&statement, body))
        }
        "BEGIN" => Ok(statement.whole(Change::Begin)),
        "START" if cursor.at("START TRANSACTION") => Ok(statement.whole(Change::Begin)),
        "XA" if cursor.at("XA START") || cursor.at("XA BEGIN") => Ok(statement.whole(Change::Begin)),
        "XA" if cursor.at("XA COMMIT") => Ok(statement.whole(Change::Commit)),
        "XA" if cursor.at("XA ROLLBACK") => Ok(statement.whole(Change::Rollback)),
        "EXECUTE" => {
            cursor.bump();
            Ok(match known.execute(cursor) {
                Some(clauses) if clauses.is_empty() => statement.other(),
                Some(clauses) => clauses,
                None => statement.opaque(),
            })
        }
        "CALL" => {
            let place = range_of(cursor.tokens).unwrap_or_default();
            cursor.bump();
            let name = cursor.need_name("a procedure")?.name;
            match known.call(cursor, &name, &place) {
                Some(body) => Ok(performed(&statement, body)),
                None => Ok(statement.opaque()),
            }
        }
        "PREPARE" => {
            cursor.bump();
            known.prepare(cursor);
            Ok(statement.other())
        }
        "SET" => session::set(statement, known),
        "USE" => {
            cursor.bump();
            let value = Some(cursor.need_identifier("a database")?);
            statement.last(Change::Set { name: "use".into(), value, local: false })
        }
        "RENAME" => rename(statement),
        "TRUNCATE" => {
            cursor.bump();
            cursor.eat("TABLE");
            let table = cursor.need_name("a table")?;
            tokens::waiting(cursor);
            statement.last(Change::Truncate { table, cascade: false })
        }
        "LOCK" if cursor.at("LOCK TABLE") || cursor.at("LOCK TABLES") => lock_tables(statement),
        "LOCK" => Ok(statement.other()),
        word @ ("OPTIMIZE" | "ANALYZE" | "REPAIR" | "CHECK") => maintain(statement, word),
        "LOAD" if cursor.at("LOAD DATA") || cursor.at("LOAD XML") => load(statement),
        "LOAD" => Ok(statement.other()),
        "GRANT" | "REVOKE" => account::grant(statement),
        word if KNOWN.contains(&word) => Ok(statement.other()),
        _ => Err(cursor.expected("a statement")),
    }
}

/// What a body does, for the statement that runs it.
fn performed(statement: &Statement<'_>, body: Body) -> Vec<Clause> {
    let mut clauses = body.clauses;
    if body.opaque {
        clauses.extend(statement.opaque());
    } else if clauses.is_empty() {
        clauses = statement.other();
    }
    clauses
}

/// `RENAME TABLE a TO b, c TO d`.
fn rename(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.bump();
    if cursor.eat("USER") {
        return Ok(statement.other());
    }
    if !cursor.eat("TABLES") {
        cursor.need("TABLE")?;
    }
    cursor.eat("IF EXISTS");
    let mut clauses = Vec::new();
    loop {
        let start = statement.cursor.tokens;
        let cursor = &mut statement.cursor;
        let table = cursor.need_name("a table")?;
        tokens::waiting(cursor);
        cursor.need("TO")?;
        let to = cursor.need_name("a table")?;
        clauses.extend(statement.clause(start, Change::RenameTable { table, to }));
        if !statement.cursor.eat(",") {
            break;
        }
    }
    statement.cursor.need_end()?;
    Ok(clauses)
}

/// `LOCK TABLES a READ LOCAL, b AS c LOW_PRIORITY WRITE`.
fn lock_tables(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    statement.cursor.bump();
    statement.cursor.bump();
    let clauses = statement.each("a table", |table, cursor| {
        cursor.until(&["READ", "WRITE", ","]);
        let mode = ["READ", "WRITE"].into_iter().find(|word| cursor.eat(word));
        let _ = cursor.eat("LOCAL") || cursor.eat("CONCURRENT");
        Change::LockTable { table, mode: mode.map(str::to_string) }
    })?;
    tokens::waiting(&mut statement.cursor);
    statement.cursor.need_end()?;
    Ok(clauses)
}

/// `OPTIMIZE [LOCAL] TABLE a, b` with the options of each.
fn maintain(mut statement: Statement<'_>, word: &str) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    cursor.bump();
    let _ = cursor.eat("NO_WRITE_TO_BINLOG") || cursor.eat("LOCAL");
    if !(cursor.eat("TABLES") || cursor.eat("TABLE")) {
        // Views are checked and repaired too; MariaDB's ANALYZE runs a statement and shows what it cost.
        return Ok(if word == "ANALYZE" { statement.opaque() } else { statement.other() });
    }
    let clauses =
        statement.each("a table", |table, _| Change::Maintain { table: Some(table), action: word.to_string() })?;
    Ok(clauses)
}

/// `LOAD DATA INFILE 'x' REPLACE INTO TABLE t (a, b)`.
fn load(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    let before = cursor.until(&["INTO"]);
    let replaces = before.iter().any(|token| ["replace", "ignore"].iter().any(|it| token.is_word(cursor.source, it)));
    cursor.need("INTO TABLE")?;
    let table = cursor.need_name("a table")?;
    cursor.until(&["(", "SET"]);
    let columns = tokens::inserted_columns(cursor);
    Ok(statement.whole(Change::Insert {
        table,
        columns,
        query: Some(Query::default()),
        on_conflict: replaces.then(Vec::new),
    }))
}
