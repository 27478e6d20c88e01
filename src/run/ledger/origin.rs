//! The database in which a plan began: a ledger that came elsewhere with a restored dump is told apart.

use super::{Lease, Ledger, string, text};
use crate::database::{self, DatabaseError, Identity, Session};
use crate::error::{Error, Result};
use crate::run::{Trouble, begin, finish};

impl Ledger {
    /// Refuses a plan that `begun` in another database, and writes down in which one it begins.
    ///
    /// # Errors
    /// Another database than the plan's, or what this one refused.
    pub(in crate::run) async fn settle<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
        plan: &str,
        begun: bool,
    ) -> Result<()> {
        let in_words = |trouble: Trouble| trouble.into_error(&format!("opening the ledger for {plan}"));
        let Some(present) = database::identity(session).await.map_err(|error| in_words(error.into()))? else {
            return Ok(());
        };
        let recorded = self.origin(session, plan).await.map_err(|error| in_words(error.into()))?;
        match recorded {
            Some(recorded) if recorded == present.identity => return Ok(()),
            Some(recorded) if begun && !present.continues(&recorded) => {
                return Err(self.elsewhere(plan, &recorded, &present.identity));
            }
            _ => {}
        }
        begin(session).await.map_err(|error| in_words(error.into()))?;
        let written = self.record_origin(session, lease, plan, &present.identity).await;
        finish(session, written).await.map_err(in_words)
    }

    async fn origin<S: Session>(&self, session: &mut S, plan: &str) -> Result<Option<Identity>, DatabaseError> {
        let sql = "SELECT server, server_number, database_id, database_name FROM {prefix}plan_origin WHERE plan = ?";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        Ok(rows.first().map(|row| Identity {
            server: string(row, 0),
            server_number: string(row, 1),
            database: string(row, 2),
            name: string(row, 3),
        }))
    }

    async fn record_origin<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
        plan: &str,
        identity: &Identity,
    ) -> Result<(), Trouble> {
        self.execute(session, "DELETE FROM {prefix}plan_origin WHERE plan = ?", &[text(plan)]).await?;
        self.execute(
            session,
            "INSERT INTO {prefix}plan_origin (plan, server, server_number, database_id, database_name, recorded_at) \
             VALUES (?, ?, ?, ?, ?, {now})",
            &[
                text(plan),
                text(&identity.server),
                text(&identity.server_number),
                text(&identity.database),
                text(&identity.name),
            ],
        )
        .await?;
        self.event(session, plan, "", "database", &identity.name).await?;
        self.fence(session, lease).await
    }

    fn elsewhere(&self, plan: &str, recorded: &Identity, present: &Identity) -> Error {
        let place = if recorded.name == present.name {
            format!("a database `{}` of another server", recorded.name)
        } else {
            format!("the database `{}`", recorded.name)
        };
        let forget =
            format!("DELETE FROM {} WHERE plan = '{}'", self.words.table("plan_origin"), plan.replace('\'', "''"));
        Error::input(format!("{plan} began in {place}, and this is not the one: its ledger came here with a copy"))
            .hint("if the change goes on where it began, this copy is none of lockkeeper's business: run it there")
            .hint(format!(
                "if this database has taken that one's place (a restore, an upgrade to a new cluster), say so and run again: {forget}"
            ))
    }
}
