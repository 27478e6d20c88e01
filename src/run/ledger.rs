//! The tables in the target database that remember plan, steps, evidence, approvals and the lease.
//!
//! Invariants: nothing is written without the lease's fencing token in the same transaction; times are
//! the server's; no URL, password or row data but key bounds gets in.

mod backfill_key;
mod definition;
mod lease;
mod noted;
mod origin;
mod overview;
mod pause;
mod proof;
mod quarantine;
pub(in crate::run) mod range;
mod record;
mod revert;
mod schema;
mod search_path;
mod tables;
mod words;

use crate::database::{DatabaseError, Session, Value};
use crate::error::Result;
use crate::gate::{Approval, Judgement};
use crate::plan::Plan;
use crate::sql::Dialect;

pub use lease::{HeldBy, Lease};
pub use overview::{NextStep, Overview, Worker};
pub use pause::{Pause, Throttled};
pub use proof::{ProofOutcome, ProofRecord};
pub use quarantine::Quarantined;
pub use record::{PlanRecord, State, StepRecord};
use record::{optional, record, string};
pub use revert::RevertRecord;
use words::Words;
pub(crate) use words::parameters;

/// The ledger of one database.
#[derive(Debug, Clone)]
pub struct Ledger {
    words: Words,
    /// What was only read may be older than this program.
    version: i64,
}

impl Ledger {
    /// Opens the ledger, and creates or upgrades it first where that is needed.
    ///
    /// # Errors
    /// A newer program's ledger, a database that cannot be written, or what the database refused.
    pub async fn open<S: Session>(session: &mut S) -> Result<Self> {
        let words = Words::new(session.dialect());
        schema::check_writable(session).await?;
        schema::upgrade(session, &words).await?;
        schema::check_apart(session, &words).await?;
        Ok(Self { words, version: schema::newest() })
    }

    /// The ledger if there is one; reads only.
    ///
    /// # Errors
    /// A newer program's ledger, or what the database refused.
    pub async fn find<S: Session>(session: &mut S) -> Result<Option<Self>> {
        let words = Words::new(session.dialect());
        let version = schema::known(session, &words).await?;
        Ok((version > 0).then_some(Self { words, version }))
    }

    /// Whose SQL the ledger speaks.
    pub fn dialect(&self) -> Dialect {
        self.words.dialect
    }

    async fn execute<S: Session>(&self, session: &mut S, sql: &str, values: &[Value]) -> Result<u64, DatabaseError> {
        session.execute(&self.words.fill(sql), values).await
    }

    async fn query<S: Session>(
        &self,
        session: &mut S,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, DatabaseError> {
        session.query(&self.words.fill(sql), values).await
    }

    /// What is known of a plan.
    pub async fn plan<S: Session>(&self, session: &mut S, name: &str) -> Result<Option<PlanRecord>, DatabaseError> {
        let sql = format!(
            "SELECT digest, {}, {} FROM {{prefix}}plan WHERE name = ?",
            self.words.time_text("started_at"),
            self.words.time_text("finished_at")
        );
        let rows = self.query(session, &sql, &[text(name)]).await?;
        Ok(rows.first().map(|row| PlanRecord {
            name: name.to_string(),
            digest: string(row, 0),
            started_at: optional(row, 1),
            finished_at: optional(row, 2),
        }))
    }

    /// The digests that the plan's files had when it was registered, by name.
    pub(super) async fn files<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Vec<(String, String)>, DatabaseError> {
        let rows = self
            .query(session, "SELECT name, digest FROM {prefix}plan_file WHERE plan = ? ORDER BY name", &[text(plan)])
            .await?;
        Ok(rows.iter().map(|row| (string(row, 0), string(row, 1))).collect())
    }

    /// Writes a plan and its steps down, in place of what an earlier version of it said; in a transaction of the caller.
    pub(super) async fn register<S: Session>(&self, session: &mut S, plan: &Plan) -> Result<(), DatabaseError> {
        let name = text(&plan.name);
        self.forget(session, &plan.name).await?;
        self.execute(
            session,
            "INSERT INTO {prefix}plan (name, digest, dialect, started_at) VALUES (?, ?, ?, {now})",
            &[name.clone(), text(&plan.digest), text(plan.dialect.name())],
        )
        .await?;
        self.insert_files(session, plan).await?;
        for (position, step) in plan.steps.iter().enumerate() {
            self.execute(
                session,
                "INSERT INTO {prefix}step (plan, id, position, phase, digest, state) VALUES (?, ?, ?, ?, ?, 'pending')",
                &[name.clone(), text(&step.id), integer(position as u64), text(step.phase.name()), text(&step.digest)],
            )
            .await?;
        }
        Ok(())
    }

    /// Takes a plan out of the ledger, but for its story: events, approvals, evidence; in a transaction of the caller.
    pub(super) async fn forget<S: Session>(&self, session: &mut S, plan: &str) -> Result<(), DatabaseError> {
        for table in ["plan_file", "plan_table", "plan_definition", "step", "range", "backfill_key", "quarantine"] {
            let sql = format!("DELETE FROM {{prefix}}{table} WHERE plan = ?");
            self.execute(session, &sql, &[text(plan)]).await?;
        }
        self.execute(session, "DELETE FROM {prefix}plan WHERE name = ?", &[text(plan)]).await?;
        Ok(())
    }

    /// Accepts a changed change.toml; in a transaction of the caller.
    pub(super) async fn settings_changed<S: Session>(&self, session: &mut S, plan: &Plan) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}plan SET digest = ? WHERE name = ?",
            &[text(&plan.digest), text(&plan.name)],
        )
        .await?;
        self.execute(session, "DELETE FROM {prefix}plan_file WHERE plan = ?", &[text(&plan.name)]).await?;
        self.insert_files(session, plan).await
    }

    async fn insert_files<S: Session>(&self, session: &mut S, plan: &Plan) -> Result<(), DatabaseError> {
        for file in &plan.files {
            self.execute(
                session,
                "INSERT INTO {prefix}plan_file (plan, name, digest) VALUES (?, ?, ?)",
                &[text(&plan.name), text(&file.name), text(&file.digest)],
            )
            .await?;
        }
        Ok(())
    }

    /// The plan's steps, in order.
    pub async fn steps<S: Session>(&self, session: &mut S, plan: &str) -> Result<Vec<StepRecord>, DatabaseError> {
        self.steps_where(session, plan, "phase <> 'revert'").await
    }

    async fn steps_where<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        condition: &str,
    ) -> Result<Vec<StepRecord>, DatabaseError> {
        let sql = format!(
            "SELECT id, phase, state, last_key, final_key, rows_done, rows_total, problem, {}, {}, digest \
             FROM {{prefix}}step WHERE plan = ? AND {condition} ORDER BY position",
            self.words.time_text("started_at"),
            self.words.time_text("finished_at")
        );
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        let mut steps: Vec<StepRecord> = rows.iter().map(|row| record(row)).collect();
        for (step, rows_done) in self.rows_at_work(session, plan).await? {
            if let Some(record) = steps.iter_mut().find(|record| record.id == step) {
                record.rows_done += rows_done;
            }
        }
        Ok(steps)
    }

    /// One step's state; in a transaction of the caller, with the fence.
    pub(super) async fn set_state<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        state: State,
    ) -> Result<(), DatabaseError> {
        let times = match state {
            State::Pending => "finished_at = NULL",
            State::Running => "started_at = coalesce(started_at, {now}), finished_at = NULL",
            State::Done => "started_at = coalesce(started_at, {now}), finished_at = {now}, problem = NULL",
        };
        self.execute(
            session,
            &format!("UPDATE {{prefix}}step SET state = ?, {times} WHERE plan = ? AND id = ?"),
            &[text(state.name()), text(plan), text(step)],
        )
        .await?;
        Ok(())
    }

    /// Why a step did not get on, for `status`; a runner that was overtaken has no more to say.
    pub(super) async fn problem<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
        plan: &str,
        step: &str,
        problem: &str,
    ) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}step SET problem = ? WHERE plan = ? AND id = ? \
             AND EXISTS (SELECT 1 FROM {prefix}lease WHERE token = ?)",
            &[text(problem), text(plan), text(step), Value::Int(lease.token)],
        )
        .await?;
        Ok(())
    }

    /// A backfill begins: where it will end, and about how many rows that is.
    pub(super) async fn begin_backfill<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        final_key: &str,
        rows_total: Option<u64>,
    ) -> Result<(), DatabaseError> {
        let total = rows_total.map_or("NULL".to_string(), |rows| rows.to_string());
        self.execute(
            session,
            &format!(
                "UPDATE {{prefix}}step SET final_key = ?, rows_total = {total}, rows_done = 0 WHERE plan = ? AND id = ?"
            ),
            &[text(final_key), text(plan), text(step)],
        )
        .await?;
        self.set_state(session, plan, step, State::Running).await
    }

    /// All rows were visited: the estimate gives way to the count.
    pub(super) async fn end_backfill<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
    ) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}step SET rows_total = rows_done WHERE plan = ? AND id = ?",
            &[text(plan), text(step)],
        )
        .await?;
        self.set_state(session, plan, step, State::Done).await
    }

    /// A proof failed: the backfill starts over.
    pub(super) async fn restart_backfill<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
    ) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}step SET last_key = NULL, final_key = NULL, rows_done = 0, rows_total = NULL WHERE plan = ? AND id = ?",
            &[text(plan), text(step)],
        )
        .await?;
        self.drop_ranges(session, plan, step).await?;
        let sql = "DELETE FROM {prefix}quarantine WHERE plan = ? AND step = ?";
        self.execute(session, sql, &[text(plan), text(step)]).await?;
        self.set_state(session, plan, step, State::Pending).await
    }

    /// The plan has no step left.
    pub(super) async fn finish<S: Session>(&self, session: &mut S, plan: &str) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}plan SET finished_at = {now} WHERE name = ? AND finished_at IS NULL",
            &[text(plan)],
        )
        .await?;
        Ok(())
    }

    /// Remembers that a person approves: the plan's digest binds it to the files as they are, and
    /// `stands_in_for` to what was missing (empty for the gate `approval`).
    pub async fn approve<S: Session>(
        &self,
        session: &mut S,
        plan: &Plan,
        gate: &str,
        by: &str,
        reason: &str,
        stands_in_for: &[String],
    ) -> Result<(), DatabaseError> {
        // A line each: a name with a line break in it must not become two.
        let lines: Vec<String> = stands_in_for.iter().map(|gap| gap.replace('\n', " ")).collect();
        self.execute(
            session,
            "INSERT INTO {prefix}approval (plan, gate, digest, approved_by, reason, stands_in_for, approved_at) VALUES (?, ?, ?, ?, ?, ?, {now})",
            &[text(&plan.name), text(gate), text(&plan.digest), text(by), text(reason), text(&lines.join("\n"))],
        )
        .await?;
        Ok(())
    }

    /// Every approval of a plan, also those of other digests.
    pub async fn approvals<S: Session>(&self, session: &mut S, plan: &str) -> Result<Vec<Approval>, DatabaseError> {
        let sql = format!(
            "SELECT gate, approved_by, reason, digest, stands_in_for, {} FROM {{prefix}}approval WHERE plan = ? ORDER BY id",
            self.words.time_text("approved_at")
        );
        let rows = self.query(session, &sql, &[text(plan)]).await?;
        Ok(rows
            .iter()
            .map(|row| Approval {
                gate: string(row, 0),
                by: string(row, 1),
                reason: string(row, 2),
                digest: string(row, 3),
                stands_in_for: string(row, 4).lines().map(str::to_string).collect(),
                at: string(row, 5),
            })
            .collect())
    }

    /// Remembers what a gate was judged on.
    pub(super) async fn judged<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        phase: &str,
        judgement: &Judgement,
    ) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "INSERT INTO {prefix}evidence (plan, phase, gate, verdict, because, observed, judged_at) VALUES (?, ?, ?, ?, ?, ?, {now})",
            &[
                text(plan),
                text(phase),
                text(&judgement.gate),
                text(judgement.verdict.name()),
                text(&judgement.because),
                text(&judgement.observed),
            ],
        )
        .await?;
        Ok(())
    }

    /// Appends to the plan's story.
    pub(super) async fn event<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        kind: &str,
        detail: &str,
    ) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "INSERT INTO {prefix}event (plan, step, kind, detail, happened_at) VALUES (?, ?, ?, ?, {now})",
            &[text(plan), text(step), text(kind), text(detail)],
        )
        .await?;
        Ok(())
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_string())
}

fn integer(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}
