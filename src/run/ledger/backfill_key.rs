//! By which key a backfill goes through its table. The places that the ledger knows are places of that key, and mean
//! nothing by another one, or after its type or collation changed.

use super::{Ledger, string, text};
use crate::database::{DatabaseError, Session};

/// The version of the ledger that knows it.
const SINCE: i64 = 8;

impl Ledger {
    /// The key in words; `None` before a backfill has begun, and where an older program began it.
    pub(in crate::run) async fn goes_by<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
    ) -> Result<Option<String>, DatabaseError> {
        if self.version < SINCE {
            return Ok(None);
        }
        let sql = "SELECT goes_by FROM {prefix}backfill_key WHERE plan = ? AND step = ?";
        let rows = self.query(session, sql, &[text(plan), text(step)]).await?;
        Ok(rows.first().map(|row| string(row, 0)))
    }

    /// In a transaction of the caller.
    pub(in crate::run) async fn set_goes_by<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        goes_by: &str,
    ) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM {prefix}backfill_key WHERE plan = ? AND step = ?";
        self.execute(session, sql, &[text(plan), text(step)]).await?;
        let sql = "INSERT INTO {prefix}backfill_key (plan, step, goes_by) VALUES (?, ?, ?)";
        self.execute(session, sql, &[text(plan), text(step), text(goes_by)]).await?;
        Ok(())
    }
}
