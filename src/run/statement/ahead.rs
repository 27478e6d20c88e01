//! The look before a try: who would keep the statement from its lock, and with it everybody who queues behind it.

use super::{Tries, given_up};
use crate::database::{self, Blocker, DatabaseError, Session};
use crate::plan::Step;
use crate::run::{Context, Event, Trouble, sleep};
use crate::schema::{self, Catalog};
use crate::sql::{self, Change, Dialect, Engine, Name};

/// What a look comes to.
pub(super) enum Way {
    Clear,
    /// It is clear now, after a wait: what was known before may have changed.
    ClearAgain,
    /// The user asked to stop.
    Interrupted,
}

/// Waits, outside any queue, until nobody is in the way who has been there for longer than a statement waits.
pub(super) async fn clear<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    tries: &mut Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Way, Trouble> {
    let ddl = &context.plan.settings.ddl;
    let mut waited = false;
    loop {
        let mut by = look(session, step).await?;
        by.retain(|blocker| blocker.certain && blocker.stays(ddl.lock_timeout));
        if by.is_empty() {
            return Ok(if waited { Way::ClearAgain } else { Way::Clear });
        }
        waited = true;
        if tries.is_news(&by) {
            on_event(Event::Blocked { step: step.id.clone(), by: by.clone() });
        }
        if tries.lasted() >= ddl.retry_for {
            return Err(given_up(step, context, tries, None, &by).into());
        }
        if !sleep(tries.pause(super::LOOK_PAUSE), context.stop).await {
            return Ok(Way::Interrupted);
        }
    }
}

/// Everybody whose lock conflicts with one that the statement names.
pub(super) async fn look<S: Session>(session: &mut S, step: &Step) -> Result<Vec<Blocker>, DatabaseError> {
    let mut all: Vec<Blocker> = Vec::new();
    for (relation, mode) in locks(&step.sql, session.dialect()) {
        for blocker in database::in_the_way(session, &relation, mode).await? {
            if !all.iter().any(|known| known.id == blocker.id && known.state == blocker.state) {
                all.push(blocker);
            }
        }
    }
    Ok(all)
}

/// The locks that the text of a step tells, each relation and mode once. Which ones follow from the schema, such as
/// those on the other side of a foreign key, is left to the try itself.
fn locks(text: &str, dialect: Dialect) -> Vec<(Name, &'static str)> {
    let catalog = Catalog::new(dialect);
    let mut locks: Vec<(Name, &'static str)> = Vec::new();
    let clauses = sql::read(text, dialect).into_iter().flat_map(|statement| statement.parsed.unwrap_or_default());
    for clause in clauses {
        let effect = schema::effect(&clause.change, &catalog, Engine::from(dialect));
        let told = effect.iter().flat_map(|effect| &effect.locks);
        let mut found: Vec<_> = told.filter_map(|lock| Some((lock.relation.clone()?, lock.mode))).collect();
        match &clause.change {
            // The statement names no table; the database knows it.
            Change::DropIndex { table: None, name, concurrently, .. } => {
                found.push((name.clone(), index(*concurrently)))
            }
            Change::Reindex { name: Some(name), concurrently: true, .. } => found.push((name.clone(), index(true))),
            // At its end, when it has waited for who uses the parent.
            Change::DetachPartition { partition, concurrently: true, .. } => {
                found.push((partition.clone(), "ACCESS EXCLUSIVE"));
            }
            _ => {}
        }
        for lock in found {
            if !locks.contains(&lock) {
                locks.push(lock);
            }
        }
    }
    locks
}

fn index(concurrently: bool) -> &'static str {
    if concurrently { "SHARE UPDATE EXCLUSIVE" } else { "ACCESS EXCLUSIVE" }
}
