//! `BEGIN; ... COMMIT;` in contract.sql: statements that take effect together or not at all.

use super::{CONTRACT, Statement};
use crate::error::Result;
use crate::plan::probe::probe;
use crate::sql::{Change, Dialect};

/// The statement itself, or all statements of a transaction as one.
pub(super) enum Unit<'a> {
    One(&'a Statement),
    /// Without its BEGIN and COMMIT: the runner's own stand around it.
    Together(Statement),
}

/// Whether a file may say where transactions begin and end: only where that decides what is lost when a
/// statement is refused half way, and only where the server can do it.
pub(super) fn allowed(statement: &Statement, dialect: Dialect) -> bool {
    statement.file == CONTRACT && dialect.transactional_ddl()
}

/// Puts the statements between each BEGIN and its COMMIT together.
pub(super) fn units(statements: &[Statement], dialect: Dialect) -> Result<Vec<Unit<'_>>> {
    let mut units = Vec::new();
    let mut rest = statements.iter();
    while let Some(statement) = rest.next() {
        match statement.only_change() {
            Some(Change::Begin) => units.push(Unit::Together(together(statement, &mut rest, dialect)?)),
            Some(Change::Commit) => return Err(statement.refused("this COMMIT has no BEGIN before it")),
            _ => units.push(Unit::One(statement)),
        }
    }
    Ok(units)
}

fn together<'a>(
    begin: &Statement,
    rest: &mut impl Iterator<Item = &'a Statement>,
    dialect: Dialect,
) -> Result<Statement> {
    let mut texts = Vec::new();
    let mut first_line = None;
    let mut clauses = Vec::new();
    for statement in rest {
        match statement.only_change() {
            Some(Change::Commit) if texts.is_empty() => return Err(begin.refused("this transaction is empty")),
            Some(Change::Commit) => {
                let line = first_line.unwrap_or(begin.line);
                let sql = texts.join(";\n");
                return Ok(Statement { file: begin.file, path: begin.path.clone(), line, sql, clauses });
            }
            Some(Change::Begin) => return Err(statement.refused("a transaction has begun already")),
            _ => {}
        }
        if !probe(dialect, &statement.sql, &statement.clauses).0 {
            return Err(statement.refused("this statement cannot run inside a transaction"));
        }
        first_line.get_or_insert(statement.line);
        texts.push(statement.sql.as_str());
        clauses.extend(statement.clauses.iter().cloned());
    }
    Err(begin.refused("this BEGIN has no COMMIT"))
}
