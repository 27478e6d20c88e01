//! One worker of a backfill: claims a range, goes through it in batches, and claims the next.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::{self, Batch, Steering};
use super::{Job, Trouble};
use crate::database::{DatabaseError, Session};
use crate::run::ledger::range::Range;
use crate::run::range;
use crate::run::{Event, begin, finish, sleep};
use crate::sql::Dialect;

/// How many batches a range is claimed for: what one worker still has to do when the others have nothing left, and
/// how seldom a worker writes to what the others write to.
const BATCHES: u64 = 3;

/// How often a worker that has nothing to claim looks whether a range was left behind.
const LOOK: Duration = Duration::from_millis(200);

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    NothingLeft,
    /// The user asked to stop, or another worker is in trouble.
    Interrupted,
}

pub(super) async fn work<S: Session>(session: &mut S, job: &Job<'_>) -> Result<Ended, Trouble> {
    strictly(session, true).await?;
    let ended = walk(session, job).await?;
    strictly(session, false).await?;
    Ok(ended)
}

/// Makes PostgreSQL go by the key, SQLite heed foreign keys, as it does for an application that asks it to, and MySQL
/// refuse a value that does not fit: a server that only warns would cut it short, and take the rest for the same in
/// the proof.
pub(in crate::run) async fn strictly<S: Session>(session: &mut S, strict: bool) -> Result<(), DatabaseError> {
    range::go_by_key(session, strict).await?;
    let sql = match (session.dialect(), strict) {
        (Dialect::Postgres, _) => return Ok(()),
        (Dialect::Mysql, true) => "SET SESSION sql_mode = concat(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')",
        (Dialect::Mysql, false) => "SET SESSION sql_mode = @@GLOBAL.sql_mode",
        (Dialect::Sqlite, true) => "PRAGMA foreign_keys = ON",
        (Dialect::Sqlite, false) => "PRAGMA foreign_keys = OFF",
    };
    session.execute(sql, &[]).await.map(drop)
}

async fn walk<S: Session>(session: &mut S, job: &Job<'_>) -> Result<Ended, Trouble> {
    let mut steering = Steering::new(job);
    let mut told = None;
    while !job.stopping() {
        match next(session, job, steering.size).await? {
            Next::Range(range) => {
                told = None;
                through(session, job, range, &mut steering).await?;
            }
            Next::Busy => {}
            Next::Nothing => return Ok(Ended::NothingLeft),
            Next::HeldBy(holder) => {
                if told.as_ref() != Some(&holder) {
                    let step = &job.step.id;
                    job.tell(Event::Waiting {
                        because: format!("{step}: the last rows, which {holder} is at work on"),
                    });
                    told = Some(holder);
                }
                sleep(LOOK, job.stop).await;
            }
        }
    }
    Ok(Ended::Interrupted)
}

/// What there is for a worker.
enum Next {
    Range(Range),
    /// Somebody else was faster.
    Busy,
    /// Everything is claimed; this other process is at work on a part.
    HeldBy(String),
    Nothing,
}

async fn next<S: Session>(session: &mut S, job: &Job<'_>, size: u64) -> Result<Next, Trouble> {
    let (plan, step, course) = (&job.plan.name, &job.step.id, job.course());
    let Some(ranges) = job.ledger.ranges(session, plan, step, course, job.claimant).await? else {
        // A helper is told so when the runner has finished the step; a runner when another one has.
        return if job.claimant.lease.is_some() { Err(Trouble::LeaseLost) } else { Ok(Next::Nothing) };
    };
    job.rows_done.store(ranges.rows_done, Ordering::SeqCst);
    let frontier = ranges.frontier.as_deref();
    let to = match (&ranges.abandoned, frontier == Some(job.final_key.as_str())) {
        (None, true) => {
            // A helper need not see to it that all of it is done.
            return Ok(match ranges.held_by {
                Some(holder) if job.claimant.lease.is_some() => Next::HeldBy(holder),
                _ => Next::Nothing,
            });
        }
        (None, false) => job.ranges.bound(session, frontier, &job.final_key, size * BATCHES).await?.0,
        (Some(_), _) => String::new(),
    };
    begin(session).await?;
    let written = async {
        let range = match ranges.abandoned.clone() {
            Some(abandoned) => job.ledger.take_over(session, abandoned, job.claimant).await?,
            None => job.ledger.claim(session, (plan, step, course), frontier, &to, job.claimant).await?,
        };
        if let Some(lease) = job.claimant.lease {
            job.ledger.fence(session, lease).await?;
        }
        Ok(range)
    }
    .await;
    Ok(finish(session, written).await?.map_or(Next::Busy, Next::Range))
}

/// Goes through a range to its end, or until it is somebody else's or the user asked to stop.
async fn through<S: Session>(
    session: &mut S,
    job: &Job<'_>,
    mut range: Range,
    steering: &mut Steering,
) -> Result<(), Trouble> {
    while range.position.as_ref() != Some(&range.last) {
        let stopping = || job.stopping();
        let batch = match job.watch.pass(steering.rows, steering.took, &stopping, &mut |event| job.tell(event)).await {
            true => batch::carry_out(session, job, &range, steering).await,
            false => Ok(Batch::Interrupted),
        };
        match batch {
            Ok(Batch::Done(moved)) => range = moved,
            Ok(Batch::TakenOver) => return Ok(()),
            Ok(Batch::Interrupted) => {
                job.ledger.leave(session, &range).await?;
                return Ok(());
            }
            Err(trouble) => {
                // On a lost connection the range is left when its time is over.
                let _ = job.ledger.leave(session, &range).await;
                return Err(trouble);
            }
        }
        if session.dialect() == Dialect::Sqlite {
            // One writer at a time: a moment in which the application's turn comes.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    Ok(())
}
