//! Why a plan does not get on at this moment: a person's pause, and what its runners wait for.

use super::record::string;
use super::{Ledger, text};
use crate::database::{DatabaseError, Session, Value};
use crate::run::{Trouble, begin, finish};

/// A person's word that holds a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub by: String,
    pub reason: String,
    /// UTC, to the second.
    pub at: String,
}

/// What a runner waits for in the middle of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    pub because: String,
    /// UTC, to the second.
    pub since: String,
}

/// The version of the ledger that has these tables.
const SINCE: i64 = 3;

impl Ledger {
    /// Holds a plan until `resume`, also one that has not begun; needs no lease. A second word replaces the first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn pause<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        begin(session).await?;
        let written = async {
            self.execute(session, "DELETE FROM {prefix}pause WHERE plan = ?", &[text(plan)]).await?;
            self.execute(
                session,
                "INSERT INTO {prefix}pause (plan, paused_by, reason, paused_at) VALUES (?, ?, ?, {now})",
                &[text(plan), text(by), text(reason)],
            )
            .await?;
            Ok(self.event(session, plan, "", "paused", &format!("{by}: {reason}")).await?)
        }
        .await;
        finish(session, written).await.map_err(only_the_database)
    }

    /// Lets a plan go on; false when nobody had paused it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn resume<S: Session>(&self, session: &mut S, plan: &str, by: &str) -> Result<bool, DatabaseError> {
        begin(session).await?;
        let written = async {
            let gone = self.execute(session, "DELETE FROM {prefix}pause WHERE plan = ?", &[text(plan)]).await?;
            if gone > 0 {
                self.event(session, plan, "", "resumed", by).await?;
            }
            Ok(gone > 0)
        }
        .await;
        finish(session, written).await.map_err(only_the_database)
    }

    /// Who paused a plan, and why.
    ///
    /// # Errors
    /// What the database said.
    pub async fn paused<S: Session>(&self, session: &mut S, plan: &str) -> Result<Option<Pause>, DatabaseError> {
        if self.version < SINCE {
            return Ok(None);
        }
        let at = self.words.time_text("paused_at");
        let sql = format!("SELECT paused_by, reason, {at} FROM {{prefix}}pause WHERE plan = ?");
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        Ok(rows.first().map(|row| Pause { by: string(row, 0), reason: string(row, 1), at: string(row, 2) }))
    }

    /// Remembers what the runner with this token waits for, for `status`; `None` when it goes on. Said again while
    /// it lasts: what has not been for half a minute is a dead runner's word. It guards nothing, so that it is
    /// written without the fence.
    pub(in crate::run) async fn throttled<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        token: i64,
        because: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let [plan, token] = [text(plan), Value::Int(token)];
        let Some(because) = because else {
            return self
                .execute(session, "DELETE FROM {prefix}throttled WHERE plan = ? AND token = ?", &[plan, token])
                .await
                .map(drop);
        };
        let again = "UPDATE {prefix}throttled SET because = ?, seen_at = {now} WHERE plan = ? AND token = ?";
        if self.execute(session, again, &[text(because), plan.clone(), token.clone()]).await? == 0 {
            let sql =
                "INSERT INTO {prefix}throttled (plan, token, because, since, seen_at) VALUES (?, ?, ?, {now}, {now})";
            self.execute(session, sql, &[plan, token, text(because)]).await?;
        }
        Ok(())
    }

    /// What the plan's runners wait for at this moment.
    ///
    /// # Errors
    /// What the database said.
    pub async fn throttles<S: Session>(&self, session: &mut S, plan: &str) -> Result<Vec<Throttled>, DatabaseError> {
        if self.version < SINCE {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT because, {} FROM {{prefix}}throttled WHERE plan = ? AND seen_at > {{half_a_minute_ago}} ORDER BY token",
            self.words.time_text("since")
        );
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        Ok(rows.iter().map(|row| Throttled { because: string(row, 0), since: string(row, 1) }).collect())
    }
}

/// Nothing else goes wrong in these transactions.
fn only_the_database(trouble: Trouble) -> DatabaseError {
    match trouble {
        Trouble::Database(error) => error,
        other => DatabaseError::refused(other.into_error("the ledger").to_string()),
    }
}
