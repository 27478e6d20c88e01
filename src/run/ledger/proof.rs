//! What was proved, when, and what the proof rests on.

use super::record::{count, optional, string};
use super::{Ledger, integer, text};
use crate::database::{self, DatabaseError, Session, Value};
use crate::sql::Name;

/// How a proof came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofOutcome {
    Proved,
    /// A row differs.
    Differs,
}

impl ProofOutcome {
    /// The word in the ledger and in `status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Differs => "differs",
        }
    }
}

/// One proof that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRecord {
    pub step: String,
    /// What was proved: the step's digest.
    pub digest: String,
    pub outcome: ProofOutcome,
    /// Rows looked at, and in how many ranges; 0 where a query of verify.sql was asked as a whole.
    pub rows: u64,
    pub ranges: u64,
    /// Rows that differed and were filled again.
    pub repaired: u64,
    /// What differs.
    pub example: Option<String>,
    /// The greatest key that was looked at.
    pub last_key: Option<String>,
    /// The sync triggers that keep proved rows true, each with its version; empty when one was missing or disabled.
    pub kept_by: String,
    /// The server's write position (LSN, GTIDs) before the first range: every row was found true after it.
    pub position: Option<String>,
    /// The last event of the fill that was proved: a later one makes the proof stale.
    pub filled: u64,
    /// How long it took.
    pub milliseconds: u64,
    /// UTC, to the second; `None` before it is in the ledger.
    pub proved_at: Option<String>,
}

impl Ledger {
    /// Remembers a proof; in a transaction of the caller.
    pub(in crate::run) async fn proved<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        proof: &ProofRecord,
    ) -> Result<(), DatabaseError> {
        let nullable = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
        self.execute(
            session,
            "INSERT INTO {prefix}proof (plan, step, digest, outcome, rows_seen, ranges, repaired, example, last_key, \
             kept_by, position, filled, milliseconds, proved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now})",
            &[
                text(plan),
                text(&proof.step),
                text(&proof.digest),
                text(proof.outcome.name()),
                integer(proof.rows),
                integer(proof.ranges),
                integer(proof.repaired),
                nullable(&proof.example),
                nullable(&proof.last_key),
                text(&proof.kept_by),
                nullable(&proof.position),
                integer(proof.filled),
                integer(proof.milliseconds),
            ],
        )
        .await?;
        Ok(())
    }

    /// The last proof of each step of a plan since it began, of which an undo is the end; none in a ledger that an older program left.
    pub async fn proofs<S: Session>(&self, session: &mut S, plan: &str) -> Result<Vec<ProofRecord>, DatabaseError> {
        let table = Name { schema: self.words.schema.clone(), name: self.words.bare("proof") };
        if !database::table_exists(session, &table).await? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT step, digest, outcome, rows_seen, ranges, repaired, example, last_key, kept_by, position, filled, \
             milliseconds, {} FROM {{prefix}}proof p WHERE plan = ? AND id = \
             (SELECT max(id) FROM {{prefix}}proof later WHERE later.plan = p.plan AND later.step = p.step) \
             AND EXISTS (SELECT 1 FROM {{prefix}}plan now WHERE now.name = p.plan AND now.started_at <= p.proved_at) ORDER BY id",
            self.words.time_text("proved_at")
        );
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        Ok(rows.iter().map(|row| of_row(row)).collect())
    }

    /// The last event of a step of the backfill phase that fills; 0 before the first.
    pub(in crate::run) async fn filled<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        steps: &[&str],
    ) -> Result<u64, DatabaseError> {
        let mut last = 0;
        for step in steps {
            let sql = "SELECT max(id) FROM {prefix}event WHERE plan = ? AND step = ?";
            let rows = self.query(session, sql, &[text(plan), text(step)]).await?;
            last = last.max(rows.first().and_then(|row| count(row, 0)).unwrap_or(0));
        }
        Ok(last)
    }
}

fn of_row(row: &[Value]) -> ProofRecord {
    let number = |column| count(row, column).unwrap_or(0);
    ProofRecord {
        step: string(row, 0),
        digest: string(row, 1),
        // Whatever else stands there proves nothing.
        outcome: if string(row, 2) == ProofOutcome::Proved.name() {
            ProofOutcome::Proved
        } else {
            ProofOutcome::Differs
        },
        rows: number(3),
        ranges: number(4),
        repaired: number(5),
        example: optional(row, 6),
        last_key: optional(row, 7),
        kept_by: string(row, 8),
        position: optional(row, 9),
        filled: number(10),
        milliseconds: number(11),
        proved_at: optional(row, 12),
    }
}
