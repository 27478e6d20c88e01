//! Who is in the way of a statement: whoever holds a lock that it needs, or waits for one before it.

use std::fmt;
use std::time::Duration;

use super::{DatabaseError, Session, mysql, postgres};
use crate::sql::{Dialect, Name};

/// A transaction that keeps a statement from its lock. What it runs is not told: that text may hold rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The server's number of its session; a prepared transaction has none.
    pub id: Option<i64>,
    pub user: String,
    /// Empty where the session gave none, and on MySQL, which has none.
    pub application_name: String,
    /// In the server's words: `idle in transaction`. Empty where this user may not see it.
    pub state: String,
    /// Since its transaction began.
    pub age: Option<Duration>,
    /// When its latest query began, in UTC.
    pub query_start: Option<String>,
    /// The server tells that it has this lock; otherwise only that it is old enough to.
    pub certain: bool,
}

impl Blocker {
    /// It has been there for so long that it will not go by itself in the time for which a statement waits for its lock.
    pub fn stays(&self, patience: Duration) -> bool {
        match self.state.as_str() {
            // The server ends it when somebody waits for it.
            AUTOVACUUM => false,
            FREEZE => true,
            _ => self.id.is_none() || self.age.is_some_and(|age| age >= patience),
        }
    }
}

/// A vacuum that the server ends when somebody waits for it, and one that it does not.
pub(super) const AUTOVACUUM: &str = "autovacuum";
pub(super) const FREEZE: &str = "autovacuum to prevent wraparound";

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "session {id}")?,
            None => f.write_str("no session")?,
        }
        let who = [("user", &self.user), ("application", &self.application_name)];
        let who: Vec<String> =
            who.iter().filter(|(_, name)| !name.is_empty()).map(|(word, name)| format!("{word} {name}")).collect();
        if !who.is_empty() {
            write!(f, " ({})", who.join(", "))?;
        }
        let state = if self.state.is_empty() { "of which this user may not see more" } else { &self.state };
        write!(f, ": {state}")?;
        if let Some(age) = self.age {
            write!(f, ", its transaction began {} s ago", age.as_secs())?;
        }
        if let Some(start) = &self.query_start {
            write!(f, ", its latest query at {start} UTC")?;
        }
        if !self.certain {
            f.write_str("; whether it uses this table the server does not tell")?;
        }
        Ok(())
    }
}

/// Who has a lock on `relation`, or waits for one, that conflicts with a lock of `mode`. Empty where the server cannot
/// tell.
///
/// # Errors
/// What the database said.
pub async fn in_the_way<S: Session>(
    session: &mut S,
    relation: &Name,
    mode: &str,
) -> Result<Vec<Blocker>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::blockers::in_the_way(session, relation, mode).await,
        Dialect::Mysql => mysql::blockers::in_the_way(session, relation).await,
        Dialect::Sqlite => Ok(Vec::new()),
    }
}

/// For whom session `id` waits at this moment, asked from another session.
///
/// # Errors
/// What the database said.
pub async fn blocking<S: Session>(session: &mut S, id: i64) -> Result<Vec<Blocker>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::blockers::blocking(session, id).await,
        Dialect::Mysql => mysql::blockers::blocking(session, id).await,
        Dialect::Sqlite => Ok(Vec::new()),
    }
}

/// How many readers and writers of rows wait for session `id`, or for somebody who waits for it (PostgreSQL).
///
/// # Errors
/// What the database said.
pub async fn traffic_behind<S: Session>(session: &mut S, id: i64) -> Result<u64, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::blockers::traffic_behind(session, id).await,
        Dialect::Mysql | Dialect::Sqlite => Ok(0),
    }
}
