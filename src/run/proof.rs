//! The proof that a backfill is complete: no row differs, asked range by range, or by the user's own queries.
//!
//! Invariants: each range is asked at a snapshot of its own, because one snapshot of a big table would hold back
//! vacuum; a row that was found true stays so where sync triggers that see every write stand (`vouching`), which is looked
//! at before and after, and again with contract's locks held (`recheck`). A row is written only where the change says `repair`,
//! and only as its own UPDATE would write it, WHERE and all.

mod recheck;
mod vouching;

use std::time::{Duration, Instant};

use super::backfill::strictly;
use super::ledger::{ProofOutcome, ProofRecord, State, StepRecord};
use super::range::Ranges;
use super::throttle::Watch;
use super::{Context, Done, Event, Trouble, begin, finish};
use crate::database::{self, DatabaseError, Session};
use crate::error::{Error, Kind};
use crate::plan::{Action, Backfill, Phase, Plan, Step, Verify};
use crate::sql::Name;

pub(super) use recheck::{recheck, recheck_before};
pub(super) use vouching::tell_past_triggers;
use vouching::vouching;

/// Rows of one question: the first, and the bounds. Reading blocks nobody, so a question may take five times as
/// long as a batch.
const ROWS: u64 = 20_000;
const BOUNDS: std::ops::RangeInclusive<u64> = 100..=2_000_000;

/// How many rows that differ are counted.
const COUNTED: u64 = 1_000;

/// Proves, repairs where the change says so, or says which row is an example of what differs.
pub(super) async fn prove<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    verify: &Verify,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let begun = Instant::now();
    let plan = context.plan;
    let mut proof = ProofRecord {
        step: step.id.clone(),
        digest: step.digest.clone(),
        outcome: ProofOutcome::Proved,
        rows: 0,
        ranges: 0,
        repaired: 0,
        example: None,
        last_key: None,
        kept_by: vouching(session, plan, verify).await?.versions(),
        position: database::write_position(session).await?,
        filled: context.ledger.filled(session, &plan.name, &fills(plan)).await?,
        milliseconds: 0,
        proved_at: None,
    };
    match verify {
        Verify::Derived { rows, sources, condition, of, .. } => {
            let ranges = Ranges::of(session, rows, None).await?;
            let pass = Pass { context, step, ranges: &ranges, table: &rows.table, sources, condition, of };
            if pass.walk(session, &mut proof, on_event).await? == Walked::Interrupted {
                return Ok(Done::Interrupted);
            }
        }
        Verify::Query => {
            if any(session, &step.sql).await? {
                proof.example = Some("the query returns rows".to_string());
            }
        }
    }
    if vouching(session, plan, verify).await?.versions() != proof.kept_by {
        return Err(Trouble::Unproved(
            "a sync trigger was replaced, disabled or enabled during the proof, or the table got another key".into(),
        ));
    }
    if proof.example.is_some() {
        proof.outcome = ProofOutcome::Differs;
    }
    proof.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    record(session, context, step, verify, &proof).await?;
    let Some(example) = proof.example else {
        let (rows, ranges, repaired) = (proof.rows, proof.ranges, proof.repaired);
        on_event(Event::Proved { step: step.id.clone(), rows, ranges, repaired });
        return Ok(Done::Yes { found: false });
    };
    on_event(Event::ProofFailed { step: step.id.clone(), example: example.clone() });
    Err(incomplete(step, verify, plan.settings.repair, &example).into())
}

/// The proof's row, and where it leaves the steps.
async fn record<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    verify: &Verify,
    proof: &ProofRecord,
) -> Result<(), Trouble> {
    let (ledger, plan) = (context.ledger, &context.plan.name);
    begin(session).await?;
    let written = async {
        ledger.proved(session, plan, proof).await?;
        match &proof.example {
            None => ledger.set_state(session, plan, &step.id, State::Done).await?,
            // What a query asks for cannot be told from the rows that a batch writes: all of them again.
            Some(_) if context.plan.settings.repair && *verify == Verify::Query => {
                for other in &context.plan.steps {
                    match other.action {
                        Action::Backfill(_) => ledger.restart_backfill(session, plan, &other.id).await?,
                        Action::Verify(_) => ledger.set_state(session, plan, &other.id, State::Pending).await?,
                        Action::Statement { .. } => {}
                    }
                }
            }
            Some(_) => ledger.set_state(session, plan, &step.id, State::Pending).await?,
        }
        let detail = proof.example.as_deref().unwrap_or(&step.sql);
        ledger.event(session, plan, &step.id, proof.outcome.name(), detail).await?;
        ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await
}

fn incomplete(step: &Step, verify: &Verify, repair: bool, example: &str) -> Error {
    let error = Error::new(
        Kind::Step,
        format!("step {} ({}:{}): the backfill is not complete: {example}", step.id, step.file, step.line),
    );
    match (verify, repair) {
        (Verify::Derived { .. }, true) => error
            .hint("the UPDATE of backfill.sql leaves such a row as it is: its WHERE leaves it out, or a trigger takes the value back"),
        (Verify::Query, true) => error.hint("the same command fills every row again, and proves again"),
        (_, false) => error
            .hint("either a version that knows nothing of the new shape still writes without a sync trigger, or the new version wrote a value of its own")
            .hint("where the value that backfill.sql computes is the right one, say `repair = true` below [proof] in change.toml; otherwise mend the rows, then run the same command again"),
    }
}

/// Before contract takes anything away: a proof taken earlier, before a crash or a wait at the gates, says
/// nothing about rows that a version written off too early has touched since. Whether there was one.
pub(super) async fn expire<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    records: &[StepRecord],
) -> Result<bool, Trouble> {
    let contract = || context.plan.steps.iter().zip(records).filter(|(step, _)| step.phase == Phase::Contract);
    let is_proof = |step: &Step| matches!(step.action, Action::Verify(_));
    let too_late = contract().any(|(step, record)| step.recheck.is_some() && record.state != State::Pending);
    let taken: Vec<_> = contract().filter(|(step, record)| is_proof(step) && record.state == State::Done).collect();
    // A contract that only enforces is proved by the server, step by step.
    let enforcing = contract().all(|(step, _)| step.recheck.is_none())
        && contract().any(|(step, record)| !is_proof(step) && record.state != State::Pending);
    if too_late || enforcing || taken.is_empty() {
        return Ok(false);
    }
    begin(session).await?;
    let written = async {
        for (step, _) in &taken {
            context.ledger.set_state(session, &context.plan.name, &step.id, State::Pending).await?;
            context.ledger.event(session, &context.plan.name, &step.id, "expired", "").await?;
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    Ok(true)
}

/// The steps whose events tell that rows were filled.
fn fills(plan: &Plan) -> Vec<&str> {
    let fills = plan.steps.iter().filter(|step| matches!(step.action, Action::Backfill(_)));
    fills.map(|step| step.id.as_str()).collect()
}

/// Whether a query returns a row.
async fn any<S: Session>(session: &mut S, query: &str) -> Result<bool, DatabaseError> {
    // On lines of its own: a comment may end it.
    let rows = session.query(&format!("SELECT CASE WHEN EXISTS (\n{query}\n) THEN 1 ELSE 0 END"), &[]).await?;
    Ok(rows != [[database::Value::Int(0)]])
}

#[derive(Debug, PartialEq, Eq)]
enum Walked {
    /// All rows, or up to the first that differs.
    Through,
    Interrupted,
}

/// One walk over the rows of a table.
struct Pass<'a> {
    context: &'a Context<'a>,
    step: &'a Step,
    ranges: &'a Ranges,
    table: &'a Name,
    sources: &'a str,
    condition: &'a str,
    of: &'a str,
}

impl Pass<'_> {
    /// Looks at every row, in ranges that are sized by time, and heeds the load as a backfill does; a row that differs
    /// stands in `proof` as the example.
    async fn walk<S: Session>(
        &self,
        session: &mut S,
        proof: &mut ProofRecord,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Walked, Trouble> {
        let watch = Watch::begin(session, self.context, self.table, on_event).await?;
        let walked = self.walk_watched(session, &watch, proof, on_event).await?;
        watch.end(session).await?;
        Ok(walked)
    }

    async fn walk_watched<S: Session>(
        &self,
        session: &mut S,
        watch: &Watch,
        proof: &mut ProofRecord,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Walked, Trouble> {
        let settings = &self.context.plan.settings;
        let mut size = ROWS;
        let mut took = Duration::ZERO;
        let mut last = self.ranges.greatest(session).await?;
        loop {
            while proof.last_key != last {
                if !watch.pass(0, took, self.context.stop, on_event).await {
                    return Ok(Walked::Interrupted);
                }
                let from = proof.last_key.clone();
                let end = last.as_deref().unwrap_or_default();
                let begun = Instant::now();
                let (mut to, mut rows) = self.ranges.bound(session, from.as_deref(), end, size).await?;
                if let Some(key) = self.differing(session, from.as_deref(), Some(&to)).await? {
                    if !settings.repair {
                        proof.example = Some(self.example(session, from.as_deref(), Some(&to), &key).await?);
                        return Ok(Walked::Through);
                    }
                    // As many rows as a batch of the backfill may lock; the row may be behind those.
                    size = settings.batch_rows;
                    (to, rows) = self.ranges.bound(session, from.as_deref(), &to, size).await?;
                    if self.differing(session, from.as_deref(), Some(&to)).await?.is_some() {
                        proof.repaired += self.repair(session, from.as_deref(), &to, on_event).await?;
                    }
                    if let Some(key) = self.differing(session, from.as_deref(), Some(&to)).await? {
                        proof.example = Some(self.example(session, from.as_deref(), Some(&to), &key).await?);
                        return Ok(Walked::Through);
                    }
                } else {
                    size = next_size(size, begun.elapsed(), settings.batch_time * 5);
                }
                took = begun.elapsed();
                proof.rows += rows;
                proof.ranges += 1;
                proof.last_key = Some(to);
            }
            // Rows that came meanwhile.
            let from = proof.last_key.as_deref();
            let Some(key) = self.differing(session, from, None).await? else { return Ok(Walked::Through) };
            if !settings.repair {
                proof.example = Some(self.example(session, from, None, &key).await?);
                return Ok(Walked::Through);
            }
            last = self.ranges.greatest(session).await?.or(last);
        }
    }

    async fn differing<S: Session>(
        &self,
        session: &mut S,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Option<String>, DatabaseError> {
        self.ranges.find(session, self.sources, from, to, self.condition).await
    }

    /// Fills the rows of a range again that differ, and only those.
    async fn repair<S: Session>(
        &self,
        session: &mut S,
        from: Option<&str>,
        to: &str,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<u64, Trouble> {
        let context = self.context;
        let (range, values) = self.ranges.condition(from, Some(to));
        let sql = self.backfill()?.batch(&format!("{range} AND ({})", self.condition));
        strictly(session, true).await?;
        begin(session).await?;
        let written = async {
            let rows = session.execute(&sql, &values).await?;
            let detail = format!("{rows} rows");
            context.ledger.event(session, &context.plan.name, &self.step.id, "repaired", &detail).await?;
            context.ledger.fence(session, context.lease).await?;
            Ok(rows)
        }
        .await;
        let rows = finish(session, written).await?;
        strictly(session, false).await?;
        on_event(Event::Refilled { step: self.step.id.clone(), rows });
        Ok(rows)
    }

    fn backfill(&self) -> Result<&Backfill, Trouble> {
        let step = self.context.plan.steps.iter().find(|step| step.id == self.of);
        match step.map(|step| &step.action) {
            Some(Action::Backfill(backfill)) => Ok(backfill),
            _ => Err(Error::input(format!("the plan has no backfill {}", self.of)).into()),
        }
    }

    /// In words: which row, and how many more in the same range.
    async fn example<S: Session>(
        &self,
        session: &mut S,
        from: Option<&str>,
        to: Option<&str>,
        key: &str,
    ) -> Result<String, DatabaseError> {
        let rows = self.ranges.count(session, self.sources, (from, to), self.condition, COUNTED).await?;
        let others = match rows {
            0 | 1 => String::new(),
            rows => format!(", and at least {} more do", rows - 1),
        };
        Ok(format!("row {} of `{}` differs{others}", key.replace('\u{1f}', ", "), self.table))
    }
}

/// Steers questions to the target time, at most doubling or halving.
fn next_size(rows: u64, took: Duration, target: Duration) -> u64 {
    let next = match (took > target, took * 2 < target) {
        (true, _) => rows / 2,
        (_, true) => rows * 2,
        _ => rows,
    };
    next.clamp(*BOUNDS.start(), *BOUNDS.end())
}
