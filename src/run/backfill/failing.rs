//! The row that a batch fails on, found by halving: each part is tried in a transaction that is rolled back.

use super::{Job, Trouble};
use crate::database::{DatabaseError, DatabaseErrorKind, Session};
use crate::run::begin;
use crate::run::ledger::range::Range;
use crate::sql::Dialect;

/// The row that a batch fails on.
pub(super) struct Failing {
    /// How many rows of the batch are before it.
    pub(super) before: u64,
    pub(super) key: String,
    /// What the server says of it.
    pub(super) error: DatabaseError,
}

/// The first row of the batch that the statement fails on; `None` when it fails whatever the rows are, or does not fail
/// any more.
pub(super) async fn find<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    range: &Range,
    to: &str,
    rows: u64,
) -> Result<Option<Failing>, Trouble> {
    // Without any row: a mistake in the statement, a right that is missing.
    if attempt(session, job, Some(to), to).await?.is_some() {
        return Ok(None);
    }
    let (mut from, mut to, mut rows) = (range.position.clone(), to.to_string(), rows);
    let mut passed = 0;
    loop {
        let (middle, before) = job.ranges.bound(session, from.as_deref(), &to, (rows / 2).max(1)).await?;
        if middle == to && rows > 1 {
            // Some of them are gone since they were counted.
            rows /= 2;
            continue;
        }
        if middle == to {
            let said = attempt(session, job, from.as_deref(), &to).await?;
            return Ok(said.map(|error| Failing { before: passed, key: to, error }));
        }
        match attempt(session, job, from.as_deref(), &middle).await? {
            Some(_) => (to, rows) = (middle, before),
            None => (from, rows, passed) = (Some(middle), rows.saturating_sub(before), passed + before),
        }
    }
}

/// What the server says of the rows of a range; nothing of it stays.
async fn attempt<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    from: Option<&str>,
    to: &str,
) -> Result<Option<DatabaseError>, Trouble> {
    let (condition, values) = job.ranges.condition(from, Some(to));
    begin(session).await?;
    let mut said = session.execute(&job.backfill.batch(&condition), &values).await;
    if said.is_ok() && session.dialect() == Dialect::Postgres {
        // A constraint that is looked at by COMMIT only.
        said = session.execute("SET CONSTRAINTS ALL IMMEDIATE", &[]).await;
    }
    session.execute("ROLLBACK", &[]).await?;
    match said {
        Ok(_) => Ok(None),
        Err(error) if error.kind == DatabaseErrorKind::Statement => Ok(Some(error)),
        Err(error) => Err(error.into()),
    }
}
