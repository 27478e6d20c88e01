//! What every row was last given, by whom, and what came of every query.
//!
//! A row's lock is held while it is written and what was written is noted, so that pods of any version can
//! write any row and the last write is still exactly known.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::database::{DatabaseError, Session, Value};
use crate::sql::Dialect;

/// Rows that are there from the beginning, and keys that the application may insert besides.
const ROWS: i64 = 20_000;
const SPARE: i64 = 2_000;

/// Rows written so recently that others are likely to look at them.
const RECENT: usize = 60;

/// A status, or NULL.
pub type Status = Option<String>;

/// What a row was last given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `None`: the row is not there, or was deleted.
    pub row: Option<Status>,
    /// The version that wrote it; empty for the rows of the beginning.
    pub by: &'static str,
}

/// A row that is not what its last writer left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub id: i64,
    pub expected: Option<Status>,
    pub found: Option<Status>,
    pub by: &'static str,
}

/// The table beside what its writers last wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Rows that are in the table or ought to be: all of them were compared.
    pub rows: usize,
    pub differences: Vec<Difference>,
}

/// What became of a version's queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub reads: u64,
    pub writes: u64,
    pub failed: u64,
    /// What the database said the first time.
    pub first_failure: Option<String>,
    /// Reads that did not return what was last written.
    pub stale: u64,
    /// Reads of rows that another version had written last.
    pub of_others: u64,
    pub longest_write: Duration,
}

/// The rows, and the tallies of all pods by version.
#[derive(Debug)]
pub struct Book {
    rows: Vec<tokio::sync::Mutex<Written>>,
    recent: Mutex<VecDeque<usize>>,
    written: AtomicU64,
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
}

impl Default for Book {
    fn default() -> Self {
        let row = |id| (id <= ROWS).then(|| (id % 9 != 0).then(|| format!("open #{id}")));
        let rows = (1..=ROWS + SPARE).map(|id| tokio::sync::Mutex::new(Written { row: row(id), by: "" }));
        Self {
            rows: rows.collect(),
            recent: Mutex::default(),
            written: AtomicU64::new(ROWS.unsigned_abs()),
            tallies: Mutex::default(),
        }
    }
}

impl Book {
    /// Creates the table with its first rows; how many there are.
    ///
    /// # Errors
    /// What the database said.
    pub async fn create_table<S: Session>(&self, session: &mut S, statements: &[&str]) -> Result<usize, DatabaseError> {
        for sql in statements {
            session.execute(sql, &[]).await?;
        }
        let mut values = Vec::new();
        for (id, row) in (1..).zip(&self.rows) {
            match &row.lock().await.row {
                Some(Some(status)) => values.push(format!("({id}, 'customer {id}', '{status}')")),
                Some(None) => values.push(format!("({id}, 'customer {id}', NULL)")),
                None => {}
            }
        }
        for values in values.chunks(500) {
            let sql = format!("INSERT INTO orders (id, customer, old_status) VALUES {}", values.join(", "));
            session.execute(&sql, &[]).await?;
        }
        // The server would do it by itself a little later: the runner's estimates come from it.
        if session.dialect() == Dialect::Postgres {
            session.execute("ANALYZE orders", &[]).await?;
        }
        Ok(values.len())
    }

    /// A row to work on: half of the time one that was written a moment ago, perhaps by another version.
    pub(super) fn pick(&self) -> (i64, &tokio::sync::Mutex<Written>) {
        let hot = self.recent.lock().ok().and_then(|recent| fastrand::bool().then(|| pick_of(&recent)).flatten());
        let index = hot.unwrap_or_else(|| fastrand::usize(..self.rows.len()));
        (id_of(index), &self.rows[index])
    }

    /// A status that nobody wrote before: a lost one cannot hide behind an equal one.
    pub(super) fn new_status(&self) -> String {
        let word = ["open", "paid", "packed", "shipped"][fastrand::usize(..4)];
        format!("{word} #{}", self.written.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn note_recent(&self, id: i64) {
        let Ok(mut recent) = self.recent.lock() else { return };
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.extend(usize::try_from(id - 1));
    }

    /// Counts one query of `version`.
    pub(super) fn count(&self, version: &'static str, count: impl FnOnce(&mut Tally)) {
        let mut tallies = self.tallies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        count(tallies.entry(version).or_default());
    }

    /// The tallies as they are now.
    pub fn tallies(&self) -> BTreeMap<&'static str, Tally> {
        self.tallies.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Compares the whole table with what its writers last wrote, row by row: rows that differ, rows that
    /// are missing and rows that nobody wrote. No pod may be running.
    ///
    /// # Errors
    /// What the database said.
    pub async fn compare<S: Session>(&self, session: &mut S, column: &str) -> Result<Comparison, DatabaseError> {
        let mut found = BTreeMap::new();
        for row in session.query(&format!("SELECT id, {column} FROM orders"), &[]).await? {
            let [Value::Int(id), status] = row.as_slice() else { continue };
            found.insert(*id, status_of(status));
        }
        let mut comparison = Comparison::default();
        for (id, row) in (1..).zip(&self.rows) {
            let Written { row: expected, by } = row.lock().await.clone();
            let found = found.remove(&id);
            comparison.rows += usize::from(found.is_some() || expected.is_some());
            if found != expected {
                comparison.differences.push(Difference { id, expected, found, by });
            }
        }
        comparison.rows += found.len();
        for (id, status) in found {
            comparison.differences.push(Difference { id, expected: None, found: Some(status), by: "" });
        }
        Ok(comparison)
    }
}

fn pick_of(recent: &VecDeque<usize>) -> Option<usize> {
    (!recent.is_empty()).then(|| recent[fastrand::usize(..recent.len())])
}

fn id_of(index: usize) -> i64 {
    i64::try_from(index + 1).unwrap_or(i64::MAX)
}

pub(super) fn status_of(value: &Value) -> Status {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Null => None,
        // Nobody writes numbers or bytes: whatever it is, it is not what was written.
        other => Some(format!("{other:?}")),
    }
}

/// The migrations that the demo's team has so far.
pub(super) fn schema(dialect: Dialect) -> [&'static str; 2] {
    let table = match dialect {
        Dialect::Sqlite => "CREATE TABLE orders (id integer PRIMARY KEY, customer text NOT NULL, old_status text)",
        Dialect::Postgres => "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, old_status text)",
        Dialect::Mysql => {
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(40) NOT NULL, old_status varchar(40))"
        }
    };
    [table, "CREATE INDEX orders_old_status ON orders (old_status)"]
}
