//! The schemas in which a plan's unqualified names were found when it began: PostgreSQL has one ledger for all
//! schemas of a database, and what is done in one of them is not done in another.

use super::{Lease, Ledger, string, text};
use crate::database::{self, DatabaseError, Session};
use crate::error::{Error, Result};
use crate::run::{Trouble, begin, finish};

/// The version of the ledger that knows them.
const SINCE: i64 = 7;

impl Ledger {
    /// Refuses a session that would find other tables under the plan's names than the plan's own. A plan that began
    /// before the ledger knew schemas takes those of its next run.
    ///
    /// # Errors
    /// Another `search_path` than the plan's, or what the database refused.
    pub async fn refuse_other_schemas<S: Session>(&self, session: &mut S, plan: &str) -> Result<()> {
        let in_words = |error: DatabaseError| Trouble::from(error).into_error(&format!("looking up {plan}"));
        if self.version < SINCE {
            return Ok(());
        }
        let Some(present) = database::search_path(session).await.map_err(in_words)? else { return Ok(()) };
        match self.schemas(session, plan).await.map_err(in_words)? {
            Some(recorded) if recorded != present => Err(elsewhere(plan, &recorded, &present)),
            _ => Ok(()),
        }
    }

    /// The same at the beginning of a run, which writes down where a plan begins.
    pub(in crate::run) async fn settle_in_schemas<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
        plan: &str,
        begun: bool,
    ) -> Result<()> {
        if begun {
            self.refuse_other_schemas(session, plan).await?;
        }
        let in_words = |trouble: Trouble| trouble.into_error(&format!("opening the ledger for {plan}"));
        let present = database::search_path(session).await.map_err(|error| in_words(error.into()))?;
        let Some(present) = present else { return Ok(()) };
        let recorded = self.schemas(session, plan).await.map_err(|error| in_words(error.into()))?;
        if recorded.as_ref() == Some(&present) {
            return Ok(());
        }
        begin(session).await.map_err(|error| in_words(error.into()))?;
        let written = async {
            self.execute(session, "DELETE FROM {prefix}plan_search_path WHERE plan = ?", &[text(plan)]).await?;
            let sql = "INSERT INTO {prefix}plan_search_path (plan, found_in) VALUES (?, ?)";
            self.execute(session, sql, &[text(plan), text(&present)]).await?;
            self.fence(session, lease).await
        }
        .await;
        finish(session, written).await.map_err(in_words)
    }

    async fn schemas<S: Session>(&self, session: &mut S, plan: &str) -> Result<Option<String>, DatabaseError> {
        let sql = "SELECT found_in FROM {prefix}plan_search_path WHERE plan = ?";
        Ok(self.query(session, sql, &[text(plan)]).await?.first().map(|row| string(row, 0)))
    }
}

fn elsewhere(plan: &str, recorded: &str, present: &str) -> Error {
    let named =
        |schemas: &str| if schemas.is_empty() { "no schema at all".to_string() } else { format!("`{schemas}`") };
    Error::input(format!(
        "{plan} began where names without a schema are looked up in {}, and this session looks them up in {}: \
         it would find other tables",
        named(recorded),
        named(present)
    ))
    .hint(format!(
        "to go on with it, connect with search_path = {recorded}, as by ?options=-csearch_path%3D... in the URL"
    ))
    .hint(
        "a database has one ledger, and in it a change is run once: for the same change in another schema, copy \
         its directory under another name",
    )
}
