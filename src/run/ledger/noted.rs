//! What a step wrote down beside its state.

use super::record::optional;
use super::{Ledger, State, text};
use crate::database::{DatabaseError, Session};

impl Ledger {
    /// What was noted when the step got this state for the last time.
    pub(in crate::run) async fn noted<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        state: State,
    ) -> Result<Option<String>, DatabaseError> {
        let sql = "SELECT detail FROM {prefix}event WHERE plan = ? AND step = ? AND kind = ? ORDER BY id DESC LIMIT 1";
        let rows = self.query(session, sql, &[text(plan), text(step), text(state.name())]).await?;
        Ok(rows.first().and_then(|row| optional(row, 0)))
    }
}
