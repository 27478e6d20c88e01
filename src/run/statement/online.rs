//! PostgreSQL's statements that may take long because they keep no reader or writer waiting: they have their own time,
//! and what they leave behind when they are cut off is found and mended.

use std::time::Instant;

use super::{trouble, watch};
use crate::database::{self, DatabaseErrorKind, Held, Session};
use crate::error::{Error, Kind};
use crate::plan::{Expectation, Step};
use crate::run::{Context, Event, Trouble};
use crate::sql::{self, Change, Dialect, Name};

/// Nothing of the step keeps readers or writers waiting for longer than its lock takes to get.
pub(super) fn is_online(step: &Step, dialect: Dialect) -> bool {
    let changes = changes(step, dialect);
    dialect == Dialect::Postgres
        && !changes.is_empty()
        && changes.iter().all(|change| {
            matches!(
                change,
                Change::ValidateConstraint { .. }
                    | Change::CreateIndex { concurrently: true, .. }
                    | Change::DropIndex { concurrently: true, .. }
                    | Change::Reindex { concurrently: true, .. }
                    | Change::DetachPartition { concurrently: true, .. }
            )
        })
}

fn changes(step: &Step, dialect: Dialect) -> Vec<Change> {
    let clauses = sql::read(&step.sql, dialect).into_iter().flat_map(|statement| statement.parsed.unwrap_or_default());
    clauses.map(|clause| clause.change).collect()
}

/// Instead of a limit that the server has for the statements of this user: those are meant for the application's.
pub(super) fn own_time(context: &Context<'_>, set: &str) -> String {
    format!("{set} statement_timeout = '{}ms'", context.plan.settings.ddl.concurrent_timeout.as_millis())
}

/// Whether a statement that refuses a transaction may wait for its locks as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    /// Nobody who reads or writes rows waits behind it, and a limit would count its waits for old snapshots and leave
    /// an invalid index (facts: postgres-waits).
    Unhurried,
    /// At its end it takes a lock for which the application would queue.
    InTime,
}

/// Runs a statement that refuses a transaction, in its own time.
pub(super) async fn execute<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    sql: &str,
    locks: Locks,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    let usual = format!("SET lock_timeout = '{}ms'", context.plan.settings.ddl.lock_timeout.as_millis());
    let waiting = if locks == Locks::Unhurried { "SET lock_timeout = 0" } else { &usual };
    session.execute(&format!("{waiting}; {}", own_time(context, "SET")), &[]).await?;
    let began = Instant::now();
    let (result, watched) = watch::execute(session, context, step, sql, true, on_event).await;
    let back = session.execute(&format!("{usual}; RESET statement_timeout"), &[]).await;
    match result {
        Ok(_) => back.map(drop).map_err(Trouble::from),
        Err(error) => Err(trouble(step, context, error, watched, Some(began))),
    }
}

/// `CREATE INDEX IF NOT EXISTS` says yes to an index of that name that is invalid.
pub(super) async fn no_half_index<S: Session>(session: &mut S, step: &Step) -> Result<(), Trouble> {
    if session.dialect() != Dialect::Postgres {
        return Ok(());
    }
    for change in changes(step, Dialect::Postgres) {
        let Change::CreateIndex { table, index, if_not_exists: true, .. } = change else { continue };
        let Some(name) = index.name else { continue };
        let built = Expectation::Index {
            index: Name { schema: table.schema.clone(), name: name.clone() },
            table: Some(table),
            exists: true,
        };
        if database::holds(session, &built).await? == Held::HalfDone {
            let place = format!("step {} ({}:{})", step.id, step.file, step.line);
            let message =
                format!("{place}: the index `{name}` is there, but invalid, and IF NOT EXISTS passes over it");
            return Err(Error::new(Kind::Step, message)
                .hint("when nobody builds it, drop it with DROP INDEX CONCURRENTLY and run again")
                .into());
        }
    }
    Ok(())
}

/// What became of what was half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mended {
    /// It is as if the statement had not begun.
    Undone,
    /// The statement has taken effect.
    Finished,
}

/// Brings what a cut-off statement of ours left behind to its beginning or to its end. `locks`: how long it may wait
/// for that.
pub(super) async fn mend<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    expectations: &[Expectation],
    locks: Locks,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Mended, Trouble> {
    let mut mended = Mended::Undone;
    for expectation in expectations {
        match expectation {
            Expectation::Index { table, index, exists: true } => {
                for invalid in database::invalid_index(session, table.as_ref(), index).await? {
                    drop_index(session, context, step, &invalid, locks, on_event).await?;
                }
            }
            Expectation::Partition { table, partition, attached: false } => {
                let dialect = context.plan.dialect;
                let finalize = format!(
                    "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
                    dialect.quote_name(table),
                    dialect.quote_name(partition)
                );
                // It waits in the partition's own queue.
                execute(session, context, step, &finalize, Locks::InTime, on_event).await?;
                on_event(Event::Repaired { step: step.id.clone(), what: finalize });
                mended = Mended::Finished;
            }
            _ => {}
        }
    }
    Ok(mended)
}

/// Drops an index that nothing uses; `index` is its name as the server quotes it.
pub(super) async fn drop_index<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    index: &str,
    locks: Locks,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    let drop_it = format!("DROP INDEX CONCURRENTLY IF EXISTS {index}");
    execute(session, context, step, &drop_it, locks, on_event).await?;
    on_event(Event::Repaired { step: step.id.clone(), what: drop_it });
    Ok(())
}

/// Whether the connection still answers after this.
pub(super) fn is_connected(trouble: &Trouble) -> bool {
    !matches!(trouble, Trouble::Database(error) if error.kind == DatabaseErrorKind::ConnectionLost)
}
