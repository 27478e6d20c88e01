//! SQLite enforces no foreign key on the session of a run, since a table that is built anew is dropped in between, and
//! inside a transaction nothing turns them off: what they would have refused is looked for before the commit.

use std::collections::BTreeSet;

use crate::database::{DatabaseError, Session, Value};
use crate::error::{Error, Kind};
use crate::plan::Step;
use crate::run::Trouble;
use crate::sql::{self, Change, Dialect};

/// Rows that refer to nothing, each with its table, its `rowid` and the table that it refers to; `None` where the step
/// can make none. Every row of every table with a foreign key is read for it.
pub(super) type Orphans = Option<BTreeSet<(String, String, String)>>;

/// What is wrong already, and is not the step's doing.
pub(super) async fn before<S: Session>(session: &mut S, step: &Step) -> Result<Orphans, DatabaseError> {
    if session.dialect() != Dialect::Sqlite {
        return Ok(None);
    }
    let read = sql::read(&step.sql, Dialect::Sqlite);
    let mut clauses = read.iter().filter_map(|statement| statement.parsed.as_ref().ok()).flatten();
    if !clauses.any(|clause| matches!(clause.change, Change::DropTable { .. })) {
        return Ok(None);
    }
    look(session).await.map(Some)
}

/// # Errors
/// A row refers to nothing that referred to something before.
pub(super) async fn none_new<S: Session>(session: &mut S, step: &Step, before: Orphans) -> Result<(), Trouble> {
    let Some(before) = before else { return Ok(()) };
    let now = look(session).await?;
    let mut new = now.difference(&before);
    let Some((table, row, parent)) = new.next() else { return Ok(()) };
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    let more = new.count();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    Err(Error::new(
        Kind::Step,
        format!("{place}: row {row} of `{table}` would refer to a row of `{parent}` that is not there{more}"),
    )
    .hint("nothing was changed: copy every row that others refer to, or take the references away first")
    .into())
}

async fn look<S: Session>(session: &mut S) -> Result<BTreeSet<(String, String, String)>, DatabaseError> {
    let sql =
        "SELECT \"table\", coalesce(CAST(rowid AS text), '(without rowid)'), parent FROM pragma_foreign_key_check";
    let rows = session.query(sql, &[]).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match <[Value; 3]>::try_from(row) {
            Ok([Value::Text(table), Value::Text(row), Value::Text(parent)]) => Some((table, row, parent)),
            _ => None,
        })
        .collect())
}
