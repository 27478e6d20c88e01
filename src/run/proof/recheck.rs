//! The proofs once more, with the locks of the step held that takes something away.
//!
//! Cheap, because everybody waits for these locks: either every row is asked, where that takes no longer than
//! `proof.lock-time`, or only the rows beyond the last key that was proved, where sync triggers that fire for every
//! row written to every table that the proof reads have stood since it was taken. Where neither can be had, nothing is
//! taken away. PostgreSQL ends a question whose time is up; on the others the time that the proof took has to tell.

use std::time::{Duration, Instant};

use super::vouching::{Vouching, vouching};
use super::{any, fills};
use crate::database::{DatabaseError, Session};
use crate::error::{Error, Kind};
use crate::plan::{Action, Phase, Step, Verify};
use crate::run::ledger::{ProofOutcome, ProofRecord};
use crate::run::range::Ranges;
use crate::run::{Context, Event, Trouble, begin, finish};
use crate::sql::Dialect;

/// Inside the transaction of `step`, before its first statement.
///
/// # Errors
/// No proof of this fill in the ledger, a row that differs, or rows that nobody can vouch for: nothing may be taken away.
pub(in crate::run) async fn recheck<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    let Some(tables) = &step.recheck else { return Ok(()) };
    let plan = context.plan;
    if session.dialect() == Dialect::Postgres {
        // The step takes this lock anyway. SQLite's transaction has locked the file already.
        for table in tables {
            let table = session.dialect().quote_name(table);
            session.execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"), &[]).await?;
        }
    }
    let taken = context.ledger.proofs(session, &plan.name).await?;
    let filled = context.ledger.filled(session, &plan.name, &fills(plan)).await?;
    let mut proofs = Vec::new();
    for step in plan.steps_of(Phase::Contract) {
        let Action::Verify(verify) = &step.action else { continue };
        let stands = |proof: &&ProofRecord| {
            proof.step == step.id
                && proof.digest == step.digest
                && proof.outcome == ProofOutcome::Proved
                && proof.filled == filled
        };
        let Some(proof) = taken.iter().find(stands) else {
            return Err(Trouble::Unproved(format!(
                "the ledger has no proof {} of what backfill.sql has filled",
                step.id
            )));
        };
        proofs.push((step, verify, proof));
    }
    let end = Instant::now() + plan.settings.proof_lock_time;
    for (of, verify, proof) in proofs {
        let how = again(session, context, of, verify, proof, end).await?;
        context.ledger.event(session, &plan.name, &step.id, "rechecked", how).await?;
        on_event(Event::Rechecked { step: step.id.clone(), proof: of.id.clone(), how });
    }
    Ok(())
}

/// The same before a statement that cannot share a transaction with its ledger row: nothing is locked yet.
pub(in crate::run) async fn recheck_before<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    if step.recheck.is_none() {
        return Ok(());
    }
    begin(session).await?;
    let written = async {
        recheck(session, context, step, on_event).await?;
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await
}

/// One proof again, before `end`; in words, what was looked at.
async fn again<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    of: &Step,
    verify: &Verify,
    proof: &ProofRecord,
    end: Instant,
) -> Result<&'static str, Trouble> {
    let left = || end.saturating_duration_since(Instant::now());
    // What took longer without the locks would take longer with them.
    if Duration::from_millis(proof.milliseconds) < left() {
        match ask(session, of, verify, None, left()).await? {
            Some(false) => return Ok("every row"),
            Some(true) => return Err(since(of)),
            None => {}
        }
    }
    let versions = match vouching(session, context.plan, verify).await? {
        Vouching::By(versions) => versions,
        Vouching::Nobody(because) => return Err(nobody_vouches(context, of, proof, &because).into()),
    };
    if versions != proof.kept_by {
        return Err(Trouble::Unproved(format!(
            "a sync trigger was replaced, disabled or enabled since proof {}, or the table got another key",
            of.id
        )));
    }
    match ask(session, of, verify, proof.last_key.as_deref(), left()).await? {
        Some(false) => Ok("the rows that came since, and the sync triggers, which stand as they stood"),
        Some(true) => Err(since(of)),
        None => Err(nobody_vouches(context, of, proof, "too many rows have come since").into()),
    }
}

fn since(of: &Step) -> Trouble {
    Trouble::Unproved(format!("a row differs that did not when proof {} was taken", of.id))
}

fn nobody_vouches(context: &Context<'_>, of: &Step, proof: &ProofRecord, because: &str) -> Error {
    let limit = context.plan.settings.proof_lock_time.as_millis();
    Error::new(
        Kind::Refused,
        format!(
            "nothing says that the rows are still as proof {} found them: to look at all of them takes about {} ms, \
             longer than the {limit} ms for which their tables may be locked, and {because}",
            of.id, proof.milliseconds
        ),
    )
    .hint("allow for a longer lock: `lock-time` below [proof] in change.toml")
}

/// Whether a row differs, beyond a key or anywhere; `None` when the time was not enough.
async fn ask<S: Session>(
    session: &mut S,
    of: &Step,
    verify: &Verify,
    beyond: Option<&str>,
    time: Duration,
) -> Result<Option<bool>, Trouble> {
    let limited = session.dialect() == Dialect::Postgres;
    if limited {
        session.execute("SAVEPOINT lockkeeper_recheck", &[]).await?;
        // 0 would be no limit at all.
        let limit = format!("SET LOCAL statement_timeout = '{}ms'", time.as_millis().max(1));
        session.execute(&limit, &[]).await?;
    }
    let answer = match verify {
        Verify::Query => any(session, &of.sql).await,
        Verify::Derived { rows, sources, condition, .. } => {
            let ranges = Ranges::of(session, rows, None).await?;
            ranges.find(session, sources, beyond, None, condition).await.map(|key| key.is_some())
        }
    };
    match answer {
        Err(error) if limited && is_timeout(&error) => {
            session.execute("ROLLBACK TO SAVEPOINT lockkeeper_recheck", &[]).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
        Ok(differs) => {
            if limited {
                // It takes the time limit back, too.
                session.execute("ROLLBACK TO SAVEPOINT lockkeeper_recheck", &[]).await?;
            }
            Ok(Some(differs))
        }
    }
}

/// SQLSTATE query_canceled.
fn is_timeout(error: &DatabaseError) -> bool {
    error.code.as_deref() == Some("57014")
}
