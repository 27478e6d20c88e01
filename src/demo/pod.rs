//! One instance of one version of the application: a connection of its own that reads and writes orders.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::book::{Book, Status, Tally, status_of};
use crate::database::{self, Connection, DatabaseError, Session, Value};
use crate::error::Result;
use crate::run::ledger::parameters;
use crate::sql::Dialect;

/// What a version of the application knows of the table: all that its SQL says about the change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) name: &'static str,
    /// The column that it reads.
    pub(super) reads: &'static str,
    /// The columns that it writes, each with the same value.
    pub(super) writes: &'static [&'static str],
}

/// Connects as one pod does.
pub(super) async fn connect(url: &str, version: &Version, pod: &str) -> Result<Connection> {
    let mut session = database::connect(url, &format!("orders/{} pod={pod}", version.name)).await?;
    // An application waits for a lock; only the migration has to give way.
    let patience = match session.dialect() {
        Dialect::Sqlite => "PRAGMA busy_timeout = 10000",
        Dialect::Postgres => "SET lock_timeout = '10s'",
        Dialect::Mysql => "SET SESSION lock_wait_timeout = 10, innodb_lock_wait_timeout = 10",
    };
    session.execute(patience, &[]).await.map_err(|error| super::broken("a pod cannot begin", &error))?;
    if session.dialect() == Dialect::Sqlite {
        let sync = session.execute("PRAGMA synchronous = NORMAL", &[]).await;
        sync.map_err(|error| super::broken("a pod cannot begin", &error))?;
    }
    Ok(session)
}

/// Serves until told to stop: one query after the other, with a breath in between.
pub(super) async fn serve(mut session: Connection, version: &'static Version, book: &Book, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        match fastrand::u8(..2) {
            0 => read(&mut session, version, book).await,
            _ => write(&mut session, version, book).await,
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(2..6))).await;
    }
}

/// Reads a row and checks what it reads.
async fn read(session: &mut Connection, version: &'static Version, book: &Book) {
    let (id, row) = book.pick();
    let written = row.lock().await;
    let sql = format!("SELECT {} FROM orders WHERE id = ?", version.reads);
    let answer = session.query(&parameters(session.dialect(), &sql), &[Value::Int(id)]).await;
    book.count(version.name, |tally| {
        tally.reads += 1;
        tally.of_others += u64::from(written.by != version.name && !written.by.is_empty());
        match &answer {
            Ok(rows) => {
                let seen = rows.first().map(|row| row.first().and_then(status_of));
                tally.stale += u64::from(seen != written.row);
            }
            Err(error) => tally.failure(error),
        }
    });
}

/// Inserts the row, updates it, sets it to NULL or deletes it, and notes what it is now.
async fn write(session: &mut Connection, version: &'static Version, book: &Book) {
    let (id, row) = book.pick();
    let mut written = row.lock().await;
    let now: Option<Status> = match (&written.row, fastrand::u8(..10)) {
        (Some(_), 0) => None,
        (_, 1) => Some(None),
        _ => Some(Some(book.new_status())),
    };
    let (sql, values) = statement(version, id, written.row.is_some(), now.as_ref());
    let began = Instant::now();
    let answer = session.execute(&parameters(session.dialect(), &sql), &values).await;
    let took = began.elapsed();
    if answer.is_ok() {
        written.row = now;
        written.by = version.name;
    }
    book.count(version.name, |tally| {
        tally.writes += 1;
        tally.longest_write = tally.longest_write.max(took);
        if let Err(error) = &answer {
            tally.failure(error);
        }
    });
    drop(written);
    book.note_recent(id);
}

/// The SQL that brings a row to `now`.
fn statement(version: &Version, id: i64, is_there: bool, now: Option<&Status>) -> (String, Vec<Value>) {
    let Some(status) = now else { return ("DELETE FROM orders WHERE id = ?".into(), vec![Value::Int(id)]) };
    let status = status.as_ref().map_or(Value::Null, |text| Value::Text(text.clone()));
    let mut values = vec![status; version.writes.len()];
    if is_there {
        let set: Vec<String> = version.writes.iter().map(|column| format!("{column} = ?")).collect();
        values.push(Value::Int(id));
        return (format!("UPDATE orders SET {} WHERE id = ?", set.join(", ")), values);
    }
    let places = vec!["?"; version.writes.len()].join(", ");
    values.extend([Value::Int(id), Value::Text(format!("customer {id}"))]);
    (format!("INSERT INTO orders ({}, id, customer) VALUES ({places}, ?, ?)", version.writes.join(", ")), values)
}

impl Tally {
    fn failure(&mut self, error: &DatabaseError) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }
}
