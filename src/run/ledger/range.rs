//! The ranges of a backfill that workers have claimed and not finished.
//!
//! The step's row says up to which key ranges are given out (`last_key`) and how many rows the finished ones had; a
//! row here is a range at work, so that there are never more of them than workers. Whoever takes a range over gives it
//! a new token: a batch of the one before finds the old token gone, and is rolled back.

use super::record::{count, optional, string};
use super::{Lease, Ledger, integer, text};
use crate::database::{DatabaseError, Session, Value};
use crate::sql::Dialect;

/// The version of the ledger that has ranges.
const SINCE: i64 = 6;

/// A range of keys that is this worker's, until another takes it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Range {
    id: i64,
    token: i64,
    /// The key up to which its batches are committed; `None`: nothing is, and it begins with the first row.
    pub(in crate::run) position: Option<String>,
    pub(in crate::run) last: String,
    rows_done: u64,
}

/// Who claims ranges: a runner by its lease, or one that helps it.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Claimant<'a> {
    pub(in crate::run) holder: &'a str,
    pub(in crate::run) lease: Option<&'a Lease>,
}

/// What the places in a backfill's ranges mean, and where it ends: those of another beginning are not ours.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Course<'a> {
    /// The key by which the rows are gone through.
    pub(in crate::run) goes_by: &'a str,
    pub(in crate::run) final_key: &'a str,
}

impl Course<'_> {
    /// The condition on the step's row, which names the step, and its parameters.
    fn is_on(self, plan: &str, step: &str) -> (&'static str, [Value; 6]) {
        let condition = "plan = ? AND id = ? AND state = 'running' AND final_key = ? \
             AND (SELECT k.goes_by FROM {prefix}backfill_key k WHERE k.plan = ? AND k.step = ?) = ?";
        (condition, [plan, step, self.final_key, plan, step, self.goes_by].map(text))
    }
}

impl Claimant<'_> {
    fn token(&self) -> i64 {
        self.lease.map_or(0, |lease| lease.token)
    }
}

/// The ranges of a step as they are at the moment.
#[derive(Debug, Default)]
pub(in crate::run) struct Ranges {
    /// The key up to which ranges are given out.
    pub(in crate::run) frontier: Option<String>,
    pub(in crate::run) rows_done: u64,
    /// The next one whose holder is gone.
    pub(in crate::run) abandoned: Option<Range>,
    /// Another process that is at work on one.
    pub(in crate::run) held_by: Option<String>,
}

impl Ledger {
    /// Whether it is of a version that has them.
    pub(in crate::run) fn has_ranges(&self) -> bool {
        self.version >= SINCE
    }

    /// What is given out, what is at work, and what was left behind; `None` when the step is not at work any more, or has
    /// begun anew.
    pub(in crate::run) async fn ranges<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        course: Course<'_>,
        claimant: Claimant<'_>,
    ) -> Result<Option<Ranges>, DatabaseError> {
        let (is_on, values) = course.is_on(plan, step);
        let sql = format!("SELECT last_key, rows_done FROM {{prefix}}step WHERE {is_on}");
        let rows = self.query(session, &sql, &values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut ranges =
            Ranges { frontier: optional(row, 0), rows_done: count(row, 1).unwrap_or(0), ..Ranges::default() };
        // A range of a lease before ours is nobody's: that lease was taken over.
        let sql = "SELECT id, token, position, last_key, rows_done, holder, \
             CASE WHEN held_until <= {now} OR (lease > 0 AND lease < ?) THEN 1 ELSE 0 END \
             FROM {prefix}range WHERE plan = ? AND step = ? ORDER BY id";
        for row in self.query(session, sql, &[Value::Int(claimant.token()), text(plan), text(step)]).await? {
            let [Value::Int(id), Value::Int(token), .., Value::Int(abandoned)] = row.as_slice() else { continue };
            let rows_done = count(&row, 4).unwrap_or(0);
            ranges.rows_done += rows_done;
            if *abandoned == 1 && ranges.abandoned.is_none() {
                let (position, last) = (optional(&row, 2), string(&row, 3));
                ranges.abandoned = Some(Range { id: *id, token: *token, position, last, rows_done });
            } else if string(&row, 5) != claimant.holder {
                ranges.held_by = Some(string(&row, 5));
            }
        }
        Ok(Some(ranges))
    }

    /// Takes an abandoned range over; `None` when somebody else was faster. In a transaction of the caller.
    pub(in crate::run) async fn take_over<S: Session>(
        &self,
        session: &mut S,
        range: Range,
        claimant: Claimant<'_>,
    ) -> Result<Option<Range>, DatabaseError> {
        let taken = self
            .execute(
                session,
                "UPDATE {prefix}range SET token = token + 1, lease = ?, holder = ?, held_until = {lease_end} \
                 WHERE id = ? AND token = ? AND rows_done = ?",
                &[
                    Value::Int(claimant.token()),
                    text(claimant.holder),
                    Value::Int(range.id),
                    Value::Int(range.token),
                    integer(range.rows_done),
                ],
            )
            .await?;
        Ok((taken == 1).then(|| Range { token: range.token + 1, ..range }))
    }

    /// Claims the range from the frontier to `to`; `None` when somebody else was faster, or the backfill is not on this
    /// course any more. In a transaction of the caller.
    pub(in crate::run) async fn claim<S: Session>(
        &self,
        session: &mut S,
        (plan, step, course): (&str, &str, Course<'_>),
        frontier: Option<&str>,
        to: &str,
        claimant: Claimant<'_>,
    ) -> Result<Option<Range>, DatabaseError> {
        let (is_on, on) = course.is_on(plan, step);
        let sql = format!("UPDATE {{prefix}}step SET last_key = ? WHERE {is_on} AND coalesce(last_key, '') = ?");
        let values: Vec<Value> = [text(to)].into_iter().chain(on).chain([text(frontier.unwrap_or(""))]).collect();
        let moved = self.execute(session, &sql, &values).await?;
        if moved != 1 {
            return Ok(None);
        }
        let position = frontier.map_or("NULL", |_| "?");
        let mut values = vec![text(plan), text(step)];
        values.extend(frontier.map(text));
        values.extend([text(to), Value::Int(claimant.token()), text(claimant.holder)]);
        self.execute(
            session,
            &format!(
                "INSERT INTO {{prefix}}range (plan, step, position, last_key, rows_done, token, lease, holder, held_until) \
                 VALUES (?, ?, {position}, ?, 0, 1, ?, ?, {{lease_end}})"
            ),
            &values,
        )
        .await?;
        let sql = "SELECT max(id) FROM {prefix}range WHERE plan = ? AND step = ? AND last_key = ?";
        let rows = self.query(session, sql, &[text(plan), text(step), text(to)]).await?;
        let Some([Value::Int(id)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
        let (position, last) = (frontier.map(str::to_string), to.to_string());
        Ok(Some(Range { id: *id, token: 1, position, last, rows_done: 0 }))
    }

    /// A batch's own row, in the batch's transaction. It moves on only from where it stood; `None` when the range was taken over, and the batch is void.
    /// With its last batch the range is counted in its step's row and gone.
    pub(in crate::run) async fn advance<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
        range: &Range,
        to: &str,
        rows: u64,
    ) -> Result<Option<Range>, DatabaseError> {
        let ours = "WHERE id = ? AND token = ? AND coalesce(position, '') = ?";
        let from = text(range.position.as_deref().unwrap_or(""));
        let which = [Value::Int(range.id), Value::Int(range.token), from];
        let rows_done = range.rows_done + rows;
        let moved = if to == range.last {
            self.execute(session, &format!("DELETE FROM {{prefix}}range {ours}"), &which).await?
        } else {
            let sql =
                format!("UPDATE {{prefix}}range SET position = ?, rows_done = ?, held_until = {{lease_end}} {ours}");
            let values: Vec<Value> = [text(to), integer(rows_done)].into_iter().chain(which).collect();
            self.execute(session, &sql, &values).await?
        };
        if moved != 1 {
            return Ok(None);
        }
        if to == range.last {
            let sql = "UPDATE {prefix}step SET rows_done = rows_done + ? WHERE plan = ? AND id = ?";
            self.execute(session, sql, &[integer(rows_done), text(plan), text(step)]).await?;
        }
        Ok(Some(Range { position: Some(to.to_string()), rows_done, ..range.clone() }))
    }

    /// Leaves a range to whoever comes next.
    pub(in crate::run) async fn leave<S: Session>(&self, session: &mut S, range: &Range) -> Result<(), DatabaseError> {
        self.execute(
            session,
            "UPDATE {prefix}range SET held_until = {now} WHERE id = ? AND token = ?",
            &[Value::Int(range.id), Value::Int(range.token)],
        )
        .await?;
        Ok(())
    }

    /// Nobody goes on with what has been claimed; in a transaction of the caller.
    pub(in crate::run) async fn drop_ranges<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        step: &str,
    ) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM {prefix}range WHERE plan = ? AND step = ?";
        self.execute(session, sql, &[text(plan), text(step)]).await?;
        Ok(())
    }

    /// Nobody writes to this plan's backfills any more, whoever is at work on one: no range is held, and none can be
    /// claimed. In a transaction of the caller.
    pub(super) async fn call_off<S: Session>(&self, session: &mut S, plan: &str) -> Result<(), DatabaseError> {
        for sql in [
            "UPDATE {prefix}step SET final_key = NULL WHERE plan = ? AND state = 'running'",
            "DELETE FROM {prefix}range WHERE plan = ?",
        ] {
            self.execute(session, sql, &[text(plan)]).await?;
        }
        Ok(())
    }

    /// The rows done in ranges that are not finished, with their steps.
    pub(super) async fn rows_at_work<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Vec<(String, u64)>, DatabaseError> {
        if !self.has_ranges() {
            return Ok(Vec::new());
        }
        let sql = "SELECT step, rows_done FROM {prefix}range WHERE plan = ?";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        Ok(rows.iter().map(|row| (string(row, 0), count(row, 1).unwrap_or(0))).collect())
    }

    /// Inside a transaction that writes: whether the lease is still ours. Until the transaction ends nobody takes it
    /// over, and those who share it do not wait for each other.
    pub(in crate::run) async fn is_held<S: Session>(
        &self,
        session: &mut S,
        lease: &Lease,
    ) -> Result<bool, DatabaseError> {
        let shared = match self.dialect() {
            Dialect::Postgres => " FOR SHARE",
            Dialect::Mysql => " LOCK IN SHARE MODE",
            // Its transaction has the file to itself.
            Dialect::Sqlite => "",
        };
        let sql = format!("SELECT 1 FROM {{prefix}}lease WHERE id = 1 AND token = ?{shared}");
        Ok(!self.query(session, &sql, &[Value::Int(lease.token)]).await?.is_empty())
    }
}
