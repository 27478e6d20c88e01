//! What the ledger remembers of an undo.

use super::{Ledger, State, StepRecord, integer, optional, string, text};
use crate::database::{self, DatabaseError, Session};
use crate::gate::UNDONE;
use crate::plan::Plan;
use crate::sql::Name;

/// The last undo of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevertRecord {
    /// The plan's digest when it began.
    pub digest: String,
    pub by: String,
    pub reason: String,
    /// UTC, to the second.
    pub started_at: String,
    /// `None`: half done, the same command goes on.
    pub finished_at: Option<String>,
}

impl Ledger {
    /// An older program's ledger may lack a table until a run upgrades it.
    pub(super) async fn has_table<S: Session>(&self, session: &mut S, name: &str) -> Result<bool, DatabaseError> {
        let table = Name { schema: self.words.schema.clone(), name: self.words.bare(name) };
        database::table_exists(session, &table).await
    }

    /// The last undo of a plan, if there was one; also of a ledger that is older than undo.
    pub async fn last_revert<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Option<RevertRecord>, DatabaseError> {
        if !self.has_table(session, "revert").await? {
            return Ok(None);
        }
        let sql = format!(
            "SELECT digest, reverted_by, reason, {}, {} FROM {{prefix}}revert WHERE plan = ?",
            self.words.time_text("started_at"),
            self.words.time_text("finished_at")
        );
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        Ok(rows.first().map(|row| RevertRecord {
            digest: string(row, 0),
            by: string(row, 1),
            reason: string(row, 2),
            started_at: string(row, 3),
            finished_at: optional(row, 4),
        }))
    }

    /// The steps of revert.sql, in order; none before an undo has begun.
    pub async fn revert_steps<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Vec<StepRecord>, DatabaseError> {
        self.steps_where(session, plan, "phase = 'revert'").await
    }

    /// An undo begins, or goes on with a revert.sql that was mended: steps that are as they were stay done. In a
    /// transaction of the caller.
    pub(in crate::run) async fn begin_revert<S: Session>(
        &self,
        session: &mut S,
        plan: &Plan,
        by: &str,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let before = self.revert_steps(session, &plan.name).await?;
        self.call_off(session, &plan.name).await?;
        let name = text(&plan.name);
        for sql in [
            "DELETE FROM {prefix}step WHERE plan = ? AND phase = 'revert'",
            "DELETE FROM {prefix}revert WHERE plan = ?",
        ] {
            self.execute(session, sql, std::slice::from_ref(&name)).await?;
        }
        self.execute(
            session,
            "INSERT INTO {prefix}revert (plan, digest, reverted_by, reason, started_at) VALUES (?, ?, ?, ?, {now})",
            &[name.clone(), text(&plan.digest), text(by), text(reason)],
        )
        .await?;
        for (position, step) in plan.revert.iter().enumerate() {
            let known = before.iter().find(|known| known.id == step.id && known.digest == step.digest);
            let state = known.map_or(State::Pending, |known| known.state);
            self.execute(
                session,
                "INSERT INTO {prefix}step (plan, id, position, phase, digest, state) VALUES (?, ?, ?, 'revert', ?, ?)",
                &[
                    name.clone(),
                    text(&step.id),
                    integer((plan.steps.len() + position) as u64),
                    text(&step.digest),
                    text(state.name()),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// The plan is undone: it can begin anew, with approvals of its own. In a transaction of the caller.
    pub(in crate::run) async fn end_revert<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<(), DatabaseError> {
        self.forget(session, plan).await?;
        let void = "UPDATE {prefix}approval SET digest = ? WHERE plan = ?";
        self.execute(session, void, &[text(UNDONE), text(plan)]).await?;
        let sql = "UPDATE {prefix}revert SET finished_at = {now} WHERE plan = ?";
        self.execute(session, sql, &[text(plan)]).await.map(drop)
    }
}
