//! A statement, and a second session that looks what it waits for while it runs, and ends it where it is in the way.

use std::time::Duration;

use crate::database::{self, Blocker, DatabaseError, Session};
use crate::plan::Step;
use crate::run::{Context, Event};

/// The longest pause before each look: most statements have ended before the first.
const PAUSE: Duration = Duration::from_millis(500);

/// What was seen of a statement while it ran.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// For whom it waited at the last look at which it did.
    pub(super) by: Vec<Blocker>,
    /// It was ended, because readers or writers of rows queued because of it.
    pub(super) gave_way: bool,
}

/// Runs `sql`. `online`: it is one that keeps no reader or writer waiting; it is ended when some wait all the same,
/// because somebody else's statement queues between them and it.
pub(super) async fn execute<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    sql: &str,
    online: bool,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> (Result<u64, DatabaseError>, Watched) {
    let mut watched = Watched::default();
    let Some(id) = context.session else { return (session.execute(sql, &[]).await, watched) };
    // Several looks fit into the time for which it waits for a lock.
    let pause = PAUSE.min(context.plan.settings.ddl.lock_timeout / 4);
    let mut queued = Duration::ZERO;
    let mut second = None;
    let mut running = std::pin::pin!(session.execute(sql, &[]));
    loop {
        let look = async {
            tokio::time::sleep(pause).await;
            look(&mut second, context.url, id).await
        };
        let seen = tokio::select! {
            biased;
            done = &mut running => return (done, watched),
            seen = look => seen,
        };
        // A server that answers no second session is asked again; the statement has its own limits.
        let Ok((by, traffic)) = seen else {
            second = None;
            continue;
        };
        if !by.is_empty() {
            if by.iter().map(|one| one.id).ne(watched.by.iter().map(|one| one.id)) {
                on_event(Event::Blocked { step: step.id.clone(), by: by.clone() });
            }
            watched.by = by;
        }
        queued = if traffic > 0 { queued + pause } else { Duration::ZERO };
        watched.gave_way |= online && queued >= context.plan.settings.ddl.lock_timeout;
        if let (true, Some(second)) = (watched.gave_way, &mut second) {
            // It is asked for again at the next look, if this did not reach it.
            let _ = database::cancel(second, id).await;
        }
    }
}

/// For whom session `id` waits, and how many readers and writers wait for it.
async fn look(
    second: &mut Option<database::Connection>,
    url: &str,
    id: i64,
) -> Result<(Vec<Blocker>, u64), DatabaseError> {
    if second.is_none() {
        *second = database::connect(url, "lockkeeper watch").await.ok();
    }
    let Some(session) = second else { return Ok((Vec::new(), 0)) };
    Ok((database::blocking(session, id).await?, database::traffic_behind(session, id).await?))
}
