//! The rows that a backfill could not fill and left for its end.

use super::record::{count, optional, string};
use super::{Ledger, integer, text};
use crate::database::{DatabaseError, Session, Value};

/// The version of the ledger that knows them.
const SINCE: i64 = 9;

/// A row that the statement of a backfill fails on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    id: u64,
    pub step: String,
    /// The key before it, at which the batch that met it began: it is the only row between the two.
    pub(in crate::run) after: Option<String>,
    pub(in crate::run) key: String,
    /// What the server said, without the row's values.
    pub because: String,
}

impl Quarantined {
    /// Its key, for people.
    pub fn row(&self) -> String {
        self.key.replace('\u{1f}', ", ")
    }
}

impl Ledger {
    /// The rows of a plan that are quarantined, in the order in which they were met; none in a ledger that an older program
    /// left.
    ///
    /// # Errors
    /// What the database said.
    pub async fn quarantined<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Vec<Quarantined>, DatabaseError> {
        if self.version < SINCE {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, step, after_key, row_key, because FROM {prefix}quarantine WHERE plan = ? ORDER BY id";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        let of_row = |row: &Vec<Value>| Quarantined {
            id: count(row, 0).unwrap_or(0),
            step: string(row, 1),
            after: optional(row, 2),
            key: string(row, 3),
            because: string(row, 4),
        };
        Ok(rows.iter().map(of_row).collect())
    }

    /// In a transaction of the caller, together with the range that goes past the row.
    pub(in crate::run) async fn quarantine<S: Session>(
        &self,
        session: &mut S,
        (plan, step): (&str, &str),
        (after, key): (Option<&str>, &str),
        because: &str,
    ) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO {prefix}quarantine (plan, step, after_key, row_key, because, noted_at) \
             VALUES (?, ?, ?, ?, ?, {now})";
        let after = after.map_or(Value::Null, text);
        self.execute(session, sql, &[text(plan), text(step), after, text(key), text(because)]).await?;
        Ok(())
    }

    /// The row is filled, or gone; in the transaction that fills it.
    pub(in crate::run) async fn release_row<S: Session>(
        &self,
        session: &mut S,
        row: &Quarantined,
    ) -> Result<(), DatabaseError> {
        self.execute(session, "DELETE FROM {prefix}quarantine WHERE id = ?", &[integer(row.id)]).await?;
        Ok(())
    }
}
