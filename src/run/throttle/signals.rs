//! The signals, one file each: from one look at the server and its surroundings to readings.

mod active_sessions;
mod autovacuum;
mod file;
mod lock_waits;
mod pause;
mod prometheus;
mod queries;
mod replica_lag;
mod replicas;
mod slot_retained;
mod wal;
mod windows;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use super::{Place, Reading};
use crate::database::{Connection, DatabaseError, DatabaseErrorKind, Value};
use crate::plan::Throttle;
use crate::run::Ledger;
use crate::sql::Name;
pub(super) use pause::words as paused;
use replicas::Replica;
pub(super) use replicas::unwatched;
use wal::Position;
pub(super) use windows::closed;

/// What the signals are asked with, and what they remember of earlier looks.
pub(super) struct Look {
    pub(super) session: Connection,
    settings: Throttle,
    ledger: Ledger,
    plan: String,
    /// The change directory.
    directory: PathBuf,
    /// The table that is filled.
    table: Name,
    /// Our sessions, by the numbers that MySQL gives them.
    pub(super) ours: BTreeSet<i64>,
    began: Instant,
    positions: VecDeque<Position>,
    replicas: Vec<Replica>,
}

impl Look {
    pub(super) fn new(session: Connection, place: &Place) -> Self {
        Self {
            session,
            settings: place.settings.clone(),
            ledger: place.ledger.clone(),
            plan: place.plan.clone(),
            directory: place.directory.clone(),
            table: place.table.clone(),
            ours: BTreeSet::new(),
            began: Instant::now(),
            positions: VecDeque::new(),
            replicas: place.settings.replicas.iter().map(|word| Replica::new(word)).collect(),
        }
    }
}

/// Asks all of them.
pub(super) async fn read(look: &mut Look) -> Vec<Reading> {
    let position = match wal::mark(look).await {
        Ok(position) => position,
        Err(error) => return vec![Reading::unreadable("the load", refused(&error))],
    };
    let mut readings = Vec::new();
    readings.extend(pause::read(look).await);
    readings.extend(windows::read(look).await);
    readings.extend(file::read(look));
    readings.extend(replica_lag::read(look, position).await);
    readings.extend(replicas::read(look).await);
    readings.extend(slot_retained::read(look).await);
    readings.extend(lock_waits::read(look).await);
    readings.extend(active_sessions::read(look).await);
    readings.extend(wal::read(look).await);
    readings.extend(autovacuum::read(look).await);
    readings.extend(queries::read(look).await);
    readings.extend(prometheus::read(look).await);
    readings
}

/// Why the server did not answer, and which right would help.
fn refused(error: &DatabaseError) -> String {
    let hint = match error.code.as_deref() {
        Some("42501") => "; GRANT pg_read_all_stats TO this user",
        Some("1227") => "; GRANT PROCESS, REPLICATION CLIENT ON *.* TO this user",
        _ => "",
    };
    let lost = if error.kind == DatabaseErrorKind::ConnectionLost { "the connection was lost: " } else { "" };
    format!("{lost}{error}{hint}")
}

/// A number in a column; text where the driver gives it as that.
fn number(row: &[Value], column: usize) -> Option<f64> {
    match row.get(column)? {
        Value::Int(number) => number.to_string().parse().ok(),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Null | Value::Bytes(_) => None,
    }
}

/// The text in a column; empty for NULL.
fn text(row: &[Value], column: usize) -> String {
    match row.get(column) {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        _ => String::new(),
    }
}
