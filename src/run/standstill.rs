//! A statement that carries no fence, on a session that does not outlive the lease of a runner that stands still.

use std::time::Duration;

use super::ledger::StepRecord;
use super::{Context, Done, Event, Trouble, statement};
use crate::database::{self, Session};
use crate::plan::Step;

/// How long a runner may stand still before such a statement: with a heartbeat just before, its lease lives longer.
const LIMIT: Duration = Duration::from_secs(15);

/// Performs the step; the server ends the session meanwhile when it hears nothing of it for too long.
pub(super) async fn probed<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    record: &StepRecord,
    tries: &mut statement::Tries,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Done, Trouble> {
    database::end_when_idle(session, Some(LIMIT)).await?;
    let done = statement::probed(session, context, step, record, tries, on_event).await;
    let reset = database::end_when_idle(session, None).await;
    done.and_then(|done| Ok(reset.map(|()| done)?))
}
