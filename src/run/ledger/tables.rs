//! Which tables a plan is about: another change on one of them waits until it is finished.

use std::collections::BTreeSet;

use super::{Lease, Ledger, string, text};
use crate::database::{self, DatabaseError, Session};
use crate::plan::{self, Plan};
use crate::run::{Trouble, begin, finish};

impl Ledger {
    /// Writes down the tables of a plan that is registered.
    pub(in crate::run) async fn settle_tables<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
        plan: &Plan,
    ) -> Result<(), Trouble> {
        let own = plan::tables(plan);
        let sql = "SELECT name FROM {prefix}plan_table WHERE plan = ?";
        let known = self.query(session, sql, &[text(&plan.name)]).await?;
        if known.iter().map(|row| string(row, 0)).collect::<BTreeSet<_>>() == own {
            return Ok(());
        }
        begin(session).await?;
        let written = async {
            self.execute(session, "DELETE FROM {prefix}plan_table WHERE plan = ?", &[text(&plan.name)]).await?;
            for table in &own {
                let sql = "INSERT INTO {prefix}plan_table (plan, name) VALUES (?, ?)";
                self.execute(session, sql, &[text(&plan.name), text(table)]).await?;
            }
            self.fence(session, lease).await
        }
        .await;
        finish(session, written).await
    }

    /// The plans that have begun and are not finished, each with a table that `plan` is about, too.
    pub(in crate::run) async fn in_the_way<S: Session>(
        &self,
        session: &mut S,
        plan: &Plan,
    ) -> Result<Vec<(String, String)>, DatabaseError> {
        let sql = "SELECT t.plan, t.name, s.found_in FROM {prefix}plan_table t JOIN {prefix}plan p ON p.name = t.plan \
             LEFT JOIN {prefix}plan_search_path s ON s.plan = t.plan \
             WHERE t.plan <> ? AND p.finished_at IS NULL AND EXISTS (SELECT 1 FROM {prefix}step s WHERE s.plan = t.plan \
             AND (s.state <> 'pending' OR s.last_key IS NOT NULL)) ORDER BY t.plan, t.name";
        let open = self.query(session, sql, &[text(&plan.name)]).await?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let own = plan::tables(plan);
        let schemas = database::search_path(session).await?;
        let mut found: Vec<(String, String)> = Vec::new();
        for row in &open {
            let (other, table, found_in) = (string(row, 0), string(row, 1), super::optional(row, 2));
            let same_schemas = found_in.is_none() || found_in == schemas;
            let is_known = found.last().is_some_and(|(last, _)| *last == other);
            if !is_known && own.iter().any(|ours| may_be_the_same(ours, &table, same_schemas)) {
                found.push((other, table));
            }
        }
        Ok(found)
    }
}

/// Whether two names may mean one table. A name without a schema may mean a table of any, but two such names that are
/// looked up in different schemas mean two.
fn may_be_the_same(one: &str, other: &str, same_schemas: bool) -> bool {
    match (one.rsplit_once('.'), other.rsplit_once('.')) {
        (None, None) => one == other && same_schemas,
        (Some(_), Some(_)) => one == other,
        (Some((_, bare)), None) => bare == other,
        (None, Some((_, bare))) => one == bare,
    }
}
