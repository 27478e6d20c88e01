//! REINDEX CONCURRENTLY: the schema looks the same before and after, but the indexes are others.

use super::online::{self, Locks};
use super::probed::await_server;
use super::{Tries, finish, mark_alone, wait_for_way};
use crate::database::{self, Session};
use crate::plan::Step;
use crate::run::ledger::{State, StepRecord};
use crate::run::{Context, Done, Event, Trouble, begin};
use crate::sql::Name;

/// Rebuilds an index, or all of a table's. `what`: whether the name is an index's, and the name.
pub(super) async fn reindex<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    record: &StepRecord,
    what: (bool, &Name),
    tries: &mut Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    let (is_index, name) = what;
    let plan = &context.plan.name;
    let before = database::indexes(session, name, is_index).await?;
    if record.state == State::Running {
        if let Some(table) = &before.table
            && !await_server(session, context, step, table, None, on_event).await?
        {
            return Ok(Done::Interrupted);
        }
        let now = database::indexes(session, name, is_index).await?;
        for left in &now.left_behind {
            online::drop_index(session, context, step, left, Locks::Unhurried, on_event).await?;
        }
        let noted = context.ledger.noted(session, plan, &step.id, State::Running).await?;
        if noted.is_some_and(|noted| noted.split(',').all(|old| !now.numbers.iter().any(|number| number == old))) {
            mark_alone(session, context, step, State::Done).await?;
            return Ok(Done::Yes { found: true });
        }
    }
    if let Some(done) = wait_for_way(session, context, step, tries, on_event).await? {
        return Ok(done);
    }
    let now = database::indexes(session, name, is_index).await?;
    begin(session).await?;
    let written = async {
        context.ledger.set_state(session, plan, &step.id, State::Running).await?;
        context.ledger.event(session, plan, &step.id, State::Running.name(), &now.numbers.join(",")).await?;
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await?;
    if let Err(trouble) = online::execute(session, context, step, &step.sql, Locks::Unhurried, on_event).await {
        if online::is_connected(&trouble) {
            let left = database::indexes(session, name, is_index).await?.left_behind;
            let before: Vec<&String> = now.left_behind.iter().collect();
            let mut all_gone = true;
            for index in left.iter().filter(|index| !before.contains(index)) {
                all_gone &= online::drop_index(session, context, step, index, Locks::InTime, on_event).await.is_ok();
            }
            if all_gone {
                mark_alone(session, context, step, State::Pending).await?;
            }
        }
        return Err(trouble);
    }
    mark_alone(session, context, step, State::Done).await?;
    Ok(Done::Yes { found: false })
}
