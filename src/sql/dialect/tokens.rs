//! MySQL's and SQLite's statements, read from tokens: what they name and where it stands. Whether an
//! expression or a query in them is SQL, sqlparser says.

mod alter;
mod column;
mod create;
mod data;
mod drop;
mod key;
mod option;
mod placeholder;
mod redefine;
mod tables;

use super::clause;
use super::cursor::{Cursor, range_of};
use super::sqlparser;
use crate::sql::Dialect;
use crate::sql::change::{Change, Name};
use crate::sql::lexer::{Kind, Token};
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

pub(super) use data::columns as inserted_columns;
pub(super) use option::waiting;
pub(super) use placeholder::is_placeholder;
pub(super) use tables::{Reference, joined as joined_tables, read_by};

/// Reads one statement; `rest` reads those that only one of the two dialects has.
pub(super) fn parse(
    file: &str,
    piece: &Piece,
    dialect: Dialect,
    rest: impl FnOnce(Statement<'_>) -> Result<Vec<Clause>, Unread>,
) -> Result<Vec<Clause>, Unread> {
    let executed = |token: &&Token| token.kind != Kind::Executed;
    let tokens = placeholder::joined(file, piece.tokens.iter().filter(executed).cloned());
    let mut statement = Statement { cursor: Cursor::new(file, &tokens), all: &tokens, dialect };
    let cursor = &mut statement.cursor;
    match cursor.peek().as_str() {
        "CREATE" => create::statement(statement),
        "ALTER" => alter::statement(statement),
        "DROP" => drop::statement(statement),
        "UPDATE" | "DELETE" | "INSERT" | "REPLACE" | "WITH" => data::statement(statement),
        "SAVEPOINT" => {
            cursor.bump();
            let name = cursor.need_identifier("a savepoint")?;
            statement.last(Change::Savepoint { name })
        }
        "RELEASE" => {
            cursor.bump();
            cursor.eat("SAVEPOINT");
            let name = cursor.need_identifier("a savepoint")?;
            statement.last(Change::Release { name })
        }
        "COMMIT" => Ok(statement.whole(Change::Commit)),
        "ROLLBACK" => {
            cursor.bump();
            let _ = cursor.eat("WORK") || cursor.eat("TRANSACTION");
            if !cursor.eat("TO") {
                return Ok(statement.whole(Change::Rollback));
            }
            cursor.eat("SAVEPOINT");
            let name = cursor.need_identifier("a savepoint")?;
            statement.last(Change::RollbackTo { name })
        }
        "SELECT" | "VALUES" | "(" => {
            sqlparser::statement(file, &tokens, dialect)?;
            Ok(statement.other())
        }
        _ => rest(statement),
    }
}

/// A statement while it is read.
pub(super) struct Statement<'a> {
    /// What is still to be read.
    pub(super) cursor: Cursor<'a>,
    all: &'a [Token],
    pub(super) dialect: Dialect,
}

impl<'a> Statement<'a> {
    /// One change that takes the whole statement.
    pub(super) fn whole(&self, change: Change) -> Vec<Clause> {
        range_of(self.all).map(|range| Clause::new(range, change)).into_iter().collect()
    }

    /// One change of a statement behind which nothing may be left.
    pub(super) fn last(&self, change: Change) -> Result<Vec<Clause>, Unread> {
        self.cursor.need_end()?;
        Ok(self.whole(change))
    }

    /// The change that the tokens from `start` up to the cursor say.
    pub(super) fn clause(&self, start: &'a [Token], change: Change) -> Option<Clause> {
        let said = &start[..start.len() - self.cursor.tokens.len()];
        range_of(said).map(|range| Clause::new(range, change))
    }

    /// A change that concerns no rule.
    pub(super) fn other(&self) -> Vec<Clause> {
        let kind = clause::statement_kind(self.cursor.source, self.all);
        self.whole(Change::Other { kind })
    }

    /// A change that is decided at run time.
    pub(super) fn opaque(&self) -> Vec<Clause> {
        let kind = clause::statement_kind(self.cursor.source, self.all);
        self.whole(Change::Opaque { kind })
    }

    /// One change for each of the names that commas separate; a single one takes the whole statement.
    pub(super) fn each(
        &mut self,
        what: &str,
        mut change: impl FnMut(Name, &mut Cursor<'a>) -> Change,
    ) -> Result<Vec<Clause>, Unread> {
        let mut clauses = Vec::new();
        loop {
            let start = self.cursor.tokens;
            let name = self.cursor.need_name(what)?;
            let change = change(name, &mut self.cursor);
            clauses.extend(self.clause(start, change));
            if !self.cursor.eat(",") {
                break;
            }
        }
        if let [only] = clauses.as_mut_slice() {
            only.range = range_of(self.all).unwrap_or_default();
        }
        Ok(clauses)
    }

    fn expression(&self, tokens: &[Token]) -> Result<(), Unread> {
        sqlparser::expression(self.cursor.source, tokens, self.dialect)
    }

    fn mysql(&self) -> bool {
        self.dialect == Dialect::Mysql
    }
}
