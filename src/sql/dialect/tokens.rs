//! MySQL's and SQLite's statements, read from tokens: what they name and where it stands. Whether an
//! expression or a query in them is SQL, sqlparser says.

mod alter;
mod column;
mod create;
mod data;
mod key;

use super::clause;
use super::cursor::{Cursor, range_of};
use super::sqlparser;
use crate::sql::Dialect;
use crate::sql::change::{Change, Name};
use crate::sql::lexer::{Kind, Token};
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// Reads one statement. `known` lists the first words of statements that concern nobody.
pub(super) fn parse(file: &str, piece: &Piece, dialect: Dialect, known: &[&str]) -> Result<Vec<Clause>, Unread> {
    let tokens: Vec<Token> = piece.tokens.iter().filter(|token| token.kind != Kind::Executed).cloned().collect();
    let mut statement = Statement { cursor: Cursor::new(file, &tokens), all: &tokens, dialect };
    let cursor = &mut statement.cursor;
    if cursor.eat("CREATE") {
        return create::statement(statement);
    }
    if cursor.eat("ALTER") {
        return alter::statement(statement);
    }
    if cursor.eat("DROP") {
        return statement.drop();
    }
    if dialect == Dialect::Mysql && cursor.eat("RENAME TABLE") {
        return statement.rename_tables();
    }
    match cursor.peek().as_str() {
        "UPDATE" | "DELETE" | "INSERT" | "REPLACE" | "WITH" => data::statement(statement),
        "BEGIN" => Ok(statement.begin()),
        "START" if cursor.at("START TRANSACTION") => Ok(statement.whole(Change::Begin)),
        "COMMIT" => Ok(statement.whole(Change::Commit)),
        "END" if dialect == Dialect::Sqlite => Ok(statement.whole(Change::Commit)),
        "ROLLBACK" if cursor.tokens.iter().any(|token| token.is_word(file, "to")) => Ok(statement.other()),
        "ROLLBACK" => Ok(statement.whole(Change::Rollback)),
        "EXECUTE" | "CALL" | "DO" if dialect == Dialect::Mysql => Ok(statement.opaque()),
        word if known.contains(&word) => Ok(statement.other()),
        "SELECT" | "VALUES" | "(" => {
            sqlparser::statement(file, &tokens, dialect)?;
            Ok(statement.other())
        }
        _ => Err(cursor.expected("a statement")),
    }
}

/// A statement while it is read.
struct Statement<'a> {
    /// What is still to be read.
    cursor: Cursor<'a>,
    all: &'a [Token],
    dialect: Dialect,
}

impl<'a> Statement<'a> {
    /// One change that takes the whole statement.
    fn whole(&self, change: Change) -> Vec<Clause> {
        range_of(self.all).map(|range| Clause::new(range, change)).into_iter().collect()
    }

    fn kind(&self) -> String {
        clause::statement_kind(self.cursor.source, self.all)
    }

    fn other(&self) -> Vec<Clause> {
        self.whole(Change::Other { kind: self.kind() })
    }

    fn opaque(&self) -> Vec<Clause> {
        self.whole(Change::Opaque { kind: self.kind() })
    }

    /// A transaction, or MariaDB's anonymous block.
    fn begin(&self) -> Vec<Clause> {
        if self.cursor.at("BEGIN NOT") { self.opaque() } else { self.whole(Change::Begin) }
    }

    fn expression(&self, tokens: &[Token]) -> Result<(), Unread> {
        sqlparser::expression(self.cursor.source, tokens, self.dialect)
    }

    fn drop(mut self) -> Result<Vec<Clause>, Unread> {
        let cursor = &mut self.cursor;
        if cursor.eat("INDEX") {
            return self.drop_index();
        }
        cursor.eat("TEMPORARY");
        if cursor.eat("TABLE") {
            return self.drop_each(|table, if_exists| Change::DropTable { table, if_exists, cascade: false });
        }
        if cursor.eat("VIEW") {
            return self.drop_each(|view, if_exists| Change::DropView {
                view,
                materialized: false,
                if_exists,
                cascade: false,
            });
        }
        if cursor.eat("TRIGGER") {
            return self.drop_each(|name, if_exists| Change::DropTrigger { table: None, name: name.name, if_exists });
        }
        if cursor.eat("FUNCTION") || cursor.eat("PROCEDURE") {
            return self.drop_each(|name, if_exists| Change::DropFunction { name, if_exists, cascade: false });
        }
        const KNOWN: [&str; 9] =
            ["DATABASE", "SCHEMA", "EVENT", "USER", "ROLE", "SERVER", "SEQUENCE", "PACKAGE", "TABLESPACE"];
        if !KNOWN.contains(&cursor.peek().as_str()) {
            return Err(cursor.expected("what to drop"));
        }
        Ok(self.other())
    }

    fn drop_index(mut self) -> Result<Vec<Clause>, Unread> {
        let cursor = &mut self.cursor;
        let if_exists = cursor.eat("IF EXISTS");
        let name = cursor.need_name("an index")?;
        let table = if self.dialect == Dialect::Mysql {
            cursor.need("ON")?;
            Some(cursor.need_name("a table")?)
        } else {
            cursor.need_end()?;
            None
        };
        Ok(self.whole(Change::DropIndex { table, name, concurrently: false, if_exists, cascade: false }))
    }

    /// `[IF EXISTS] a, b [CASCADE | RESTRICT]`.
    fn drop_each(mut self, change: impl Fn(Name, bool) -> Change) -> Result<Vec<Clause>, Unread> {
        let if_exists = self.cursor.eat("IF EXISTS");
        let mut clauses = Vec::new();
        loop {
            let before = self.cursor.tokens;
            let name = self.cursor.need_name("a name")?;
            let named = &before[..before.len() - self.cursor.tokens.len()];
            let range = range_of(named).unwrap_or_default();
            clauses.push(Clause::new(range, change(name, if_exists)));
            if !self.cursor.eat(",") {
                break;
            }
        }
        if !self.cursor.eat("CASCADE") {
            self.cursor.eat("RESTRICT");
        }
        self.cursor.need_end()?;
        if let [only] = clauses.as_mut_slice() {
            only.range = range_of(self.all).unwrap_or_default();
        }
        Ok(clauses)
    }

    /// MySQL's `RENAME TABLE a TO b, c TO d`.
    fn rename_tables(mut self) -> Result<Vec<Clause>, Unread> {
        self.cursor.eat("IF EXISTS");
        let mut clauses = Vec::new();
        for mut cursor in self.cursor.comma_separated() {
            let part = cursor.tokens;
            let table = cursor.need_name("a table")?;
            cursor.until(&["TO"]);
            cursor.need("TO")?;
            let to = cursor.need_name("a table")?;
            cursor.need_end()?;
            let range = range_of(part).unwrap_or_default();
            clauses.push(Clause::new(range, Change::RenameTable { table, to }));
        }
        Ok(clauses)
    }
}
