//! What the ledger knows of all its plans, and who is at work: for whoever looks on.

use super::record::{count, optional, string};
use super::{HeldBy, Ledger, text};
use crate::database::{DatabaseError, Session};

/// How far a plan got, without its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    pub plan: String,
    pub steps: u64,
    pub steps_done: u64,
    /// UTC, to the second.
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    /// The first step that is not done.
    pub next: Option<NextStep>,
}

/// A step that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    pub id: String,
    pub state: String,
    pub rows_done: u64,
    /// An estimate; only a backfill that has begun has one.
    pub rows_total: Option<u64>,
    pub problem: Option<String>,
}

/// A worker's claim on a range of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub step: String,
    pub holder: String,
    /// Otherwise it was left behind, and another worker goes on with it.
    pub is_held: bool,
}

impl Worker {
    /// As `HeldBy::shown`.
    pub fn shown(&self) -> &str {
        self.holder.split(" pid:[").next().unwrap_or_default()
    }
}

impl Ledger {
    /// All plans, the oldest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn plans<S: Session>(&self, session: &mut S) -> Result<Vec<Overview>, DatabaseError> {
        let sql = format!(
            "SELECT p.name, {}, {}, \
             (SELECT count(*) FROM {{prefix}}step a WHERE a.plan = p.name AND a.phase <> 'revert'), \
             (SELECT count(*) FROM {{prefix}}step d WHERE d.plan = p.name AND d.phase <> 'revert' AND d.state = 'done'), \
             s.id, s.state, s.rows_done, s.rows_total, s.problem \
             FROM {{prefix}}plan p LEFT JOIN {{prefix}}step s ON s.plan = p.name AND s.position = \
             coalesce((SELECT min(u.position) FROM {{prefix}}step u WHERE u.plan = p.name AND u.phase = 'revert' AND u.state <> 'done'), \
             (SELECT min(n.position) FROM {{prefix}}step n WHERE n.plan = p.name AND n.phase <> 'revert' AND n.state <> 'done')) \
             ORDER BY p.started_at, p.name",
            self.words.time_text("p.started_at"),
            self.words.time_text("p.finished_at")
        );
        let rows = self.query(session, &sql, &[]).await?;
        let overview = |row: &Vec<_>| Overview {
            plan: string(row, 0),
            started_at: optional(row, 1),
            finished_at: optional(row, 2),
            steps: count(row, 3).unwrap_or(0),
            steps_done: count(row, 4).unwrap_or(0),
            next: optional(row, 5).map(|id| NextStep {
                id,
                state: string(row, 6),
                rows_done: count(row, 7).unwrap_or(0),
                rows_total: count(row, 8),
                problem: optional(row, 9),
            }),
        };
        let mut plans: Vec<Overview> = rows.iter().map(overview).collect();
        for Overview { plan, next, .. } in &mut plans {
            let Some(next) = next else { continue };
            let at_work = self.rows_at_work(session, plan).await?;
            next.rows_done += at_work.iter().filter(|(step, _)| *step == next.id).map(|(_, rows)| rows).sum::<u64>();
        }
        Ok(plans)
    }

    /// Who fills ranges of a plan's backfills at this moment, and what was left behind.
    ///
    /// # Errors
    /// What the database said.
    pub async fn workers<S: Session>(&self, session: &mut S, plan: &str) -> Result<Vec<Worker>, DatabaseError> {
        if !self.has_ranges() {
            return Ok(Vec::new());
        }
        let sql = "SELECT step, holder, CASE WHEN held_until > {now} THEN 'yes' ELSE 'no' END \
                   FROM {prefix}range WHERE plan = ? ORDER BY id";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        let worker =
            |row: &Vec<_>| Worker { step: string(row, 0), holder: string(row, 1), is_held: string(row, 2) == "yes" };
        Ok(rows.iter().map(worker).collect())
    }

    /// Who forced a plan to begin, why, and what spoke against it; the last time.
    ///
    /// # Errors
    /// What the database said.
    pub async fn forced<S: Session>(&self, session: &mut S, plan: &str) -> Result<Option<String>, DatabaseError> {
        let sql = "SELECT detail FROM {prefix}event WHERE plan = ? AND kind = 'forced' ORDER BY id DESC LIMIT 1";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        Ok(rows.first().map(|row| string(row, 0)))
    }

    /// Who holds the lease at this moment.
    ///
    /// # Errors
    /// What the database said.
    pub async fn runner<S: Session>(&self, session: &mut S) -> Result<Option<HeldBy>, DatabaseError> {
        let until = self.words.time_text("held_until");
        let sql = format!(
            "SELECT holder, {until} FROM {{prefix}}lease WHERE id = 1 AND holder <> '' AND held_until > {{now}}"
        );
        let rows = self.query(session, &sql, &[]).await?;
        Ok(rows.first().map(|row| HeldBy { holder: string(row, 0), until: string(row, 1) }))
    }

    /// The server's clock, as the ledger's times are read: UTC, to the second.
    ///
    /// # Errors
    /// What the database said.
    pub async fn now<S: Session>(&self, session: &mut S) -> Result<String, DatabaseError> {
        let sql = format!("SELECT {}", self.words.time_text("{now}"));
        let rows = self.query(session, &sql, &[]).await?;
        Ok(rows.first().map(|row| string(row, 0)).unwrap_or_default())
    }
}
