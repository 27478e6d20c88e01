//! Holds a backfill back while the server, or a person, has a reason to.
//!
//! A connection of its own looks at the signals once a second, `judge` makes one verdict of them, and between two
//! batches the runner heeds the newest (`Watch::pass`), so that nothing is held while it waits. A person's pause and
//! the time windows also stand in front of every step (`before_step`). Invariant: what cannot be read holds, and says so.

mod judge;
mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Context, Event, Reminder, Trouble, sleep};
use crate::database::{self, DatabaseError, Session, Value};
use crate::error::{self, Error};
use crate::plan::{Plan, Throttle};
use crate::run::Ledger;
use crate::sql::{Dialect, Name};
pub use judge::{Hold, Reading, Verdict, judge};
use signals::Look;

/// How fast a run goes, and where it looks whether it may.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The database's URL, for the connection that looks.
    pub url: String,
    /// Rows a second, instead of what change.toml says.
    pub max_rate: Option<u64>,
}

/// From one look at the signals to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// From one look at the verdict, and at the user's wish to stop, to the next.
const NAP: Duration = Duration::from_millis(100);

/// How long a look may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reason that lasts is said again after this time, with its numbers of then.
const AGAIN: Duration = Duration::from_mins(1);

/// Watches the signals while a backfill goes on; stops when it is dropped.
pub(super) struct Watch {
    verdict: watch::Receiver<Option<Verdict>>,
    /// What the newest verdict was made of.
    readings: watch::Receiver<Vec<Reading>>,
    looking: Option<tokio::task::JoinHandle<()>>,
    ours: Arc<Mutex<BTreeSet<i64>>>,
    max_rate: Option<u64>,
    state: Mutex<Said>,
}

/// What the workers of a backfill share.
#[derive(Default)]
struct Said {
    /// Until when the rows of earlier batches last at the greatest rate.
    rate_until: Option<Instant>,
    /// Which signals were said to hold, whether for want of an answer, and when.
    told: BTreeMap<(String, bool), Instant>,
    /// What was said to slow it down: once is enough, it may tremble around its limit all night.
    slowed: BTreeSet<String>,
    holding_since: Option<Instant>,
    load: Vec<Reading>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(looking) = &self.looking {
            looking.abort();
        }
    }
}

impl Watch {
    /// Begins to look at what a backfill of `table` does, which `session` writes; without a `Pace` nothing is watched.
    pub(super) async fn begin<S: Session>(
        session: &mut S,
        context: &Context<'_>,
        table: &Name,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Self, DatabaseError> {
        let settings = &context.plan.settings.throttle;
        let ours = Arc::new(Mutex::new(BTreeSet::new()));
        let (sender, verdict) = watch::channel(None);
        let (seen, readings) = watch::channel(Vec::new());
        let max_rate = context.pace.and_then(|pace| pace.max_rate).or(settings.max_rate);
        let looking = context.pace.map(|pace| {
            tokio::spawn(keep_looking(
                Place {
                    url: pace.url.clone(),
                    settings: settings.clone(),
                    ledger: context.ledger.clone(),
                    plan: context.plan.name.clone(),
                    token: context.lease.token,
                    directory: context.directory.to_path_buf(),
                    table: table.clone(),
                    ours: Arc::clone(&ours),
                },
                sender,
                seen,
            ))
        });
        let watch = Self { verdict, readings, looking, ours, max_rate, state: Mutex::default() };
        watch.join(session).await?;
        if watch.looking.is_some()
            && settings.replica_lag.is_some()
            && settings.replicas.is_empty()
            && let Some(because) = signals::unwatched(session).await?
        {
            on_event(Event::NotWatched { because });
        }
        Ok(watch)
    }

    /// Another session that writes: MySQL tells sessions apart by number only.
    pub(super) async fn join<S: Session>(&self, session: &mut S) -> Result<(), DatabaseError> {
        if session.dialect() == Dialect::Mysql
            && self.looking.is_some()
            && let Some([Value::Int(id)]) =
                session.query("SELECT connection_id()", &[]).await?.first().map(Vec::as_slice)
        {
            self.ours.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
        }
        Ok(())
    }

    /// The most rows that a batch may have: a second's worth at the greatest rate.
    pub(super) fn rows_at_once(&self) -> u64 {
        self.max_rate.unwrap_or(u64::MAX)
    }

    /// Between two batches, in no transaction: returns when the next may begin; false when the user asked to stop.
    /// `rows` and `took` are the last batch's.
    pub(super) async fn pass(
        &self,
        rows: u64,
        took: Duration,
        stop: &(dyn Fn() -> bool + Sync),
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> bool {
        if self.looking.is_none() {
            return !stop();
        }
        let mut nap = Duration::ZERO;
        let mut verdict = self.verdict.clone();
        loop {
            if stop() {
                return false;
            }
            self.tell_load(on_event);
            let current = verdict.borrow_and_update().clone();
            match current {
                // Nobody looks any more.
                _ if verdict.has_changed().is_err() => {
                    let because = "the load cannot be read: the look-out has ended".to_string();
                    self.hold(&[Hold { signal: "the load".into(), because, unreadable: true }], on_event);
                }
                Some(Verdict::Go) => break,
                Some(Verdict::Slow { share, signal, because }) => {
                    nap = took.mul_f64(1.0 / share - 1.0);
                    self.slow(&signal, because, on_event);
                    break;
                }
                Some(Verdict::Hold(holds)) => self.hold(&holds, on_event),
                // The first look is under way.
                None => {}
            }
            tokio::time::sleep(NAP).await;
        }
        let since = {
            let mut state = self.held();
            state.told.clear();
            state.holding_since.take()
        };
        if let Some(since) = since {
            on_event(Event::WentOn { milliseconds: since.elapsed().as_millis() });
        }
        let rate = self.rate_nap(rows, took);
        if let Some(most) = self.max_rate.filter(|_| rate > nap) {
            nap = rate;
            let because = format!("kept to {most} rows a second");
            self.slow("max-rate", because, on_event);
        }
        nap.is_zero() || sleep(nap, stop).await
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Said> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the newest look saw, where that is something else than before.
    fn tell_load(&self, on_event: &mut (dyn FnMut(Event) + Send)) {
        let readings = self.readings.borrow().clone();
        let is_new = std::mem::replace(&mut self.held().load, readings.clone()) != readings;
        if is_new {
            on_event(Event::Load { readings });
        }
    }

    /// Says what is new, and once a minute what lasts; one worker for all.
    fn hold(&self, holds: &[Hold], on_event: &mut (dyn FnMut(Event) + Send)) {
        for hold in holds {
            let key = (hold.signal.clone(), hold.unreadable);
            let mut state = self.held();
            state.holding_since.get_or_insert_with(Instant::now);
            if state.told.get(&key).is_none_or(|at| at.elapsed() >= AGAIN) {
                state.told.insert(key, Instant::now());
                drop(state);
                let Hold { signal, because, unreadable } = hold.clone();
                on_event(Event::Throttled { signal, because, unreadable });
            }
        }
    }

    fn slow(&self, signal: &str, because: String, on_event: &mut (dyn FnMut(Event) + Send)) {
        let is_new = self.held().slowed.insert(signal.to_string());
        if is_new {
            on_event(Event::Slowed { because });
        }
    }

    /// How long until the rows of all batches so far are within the greatest rate.
    fn rate_nap(&self, rows: u64, took: Duration) -> Duration {
        let Some(rate) = self.max_rate else { return Duration::ZERO };
        #[expect(clippy::cast_precision_loss, reason = "rows of a batch")]
        let worth = Duration::from_secs_f64(rows as f64 / rate as f64);
        let now = Instant::now();
        let mut state = self.held();
        let until = state.rate_until.unwrap_or(now).max(now.checked_sub(took).unwrap_or(now)) + worth;
        state.rate_until = Some(until);
        until.saturating_duration_since(now)
    }

    /// Ends the looking and, on MySQL, waits until the server knows that: its gates would count our connection as an
    /// application's.
    pub(super) async fn end<S: Session>(mut self, session: &mut S) -> Result<(), DatabaseError> {
        let Some(looking) = self.looking.take() else { return Ok(()) };
        looking.abort();
        let _ = looking.await;
        if session.dialect() != Dialect::Mysql {
            return Ok(());
        }
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for id in ours {
            let sql = format!(
                "SELECT count(*) FROM information_schema.processlist WHERE id = {id} AND id <> connection_id()"
            );
            for _ in 0..50 {
                if session.query(&sql, &[]).await? == [[Value::Int(0)]] {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// What the look-out needs to begin, also anew after its connection was lost.
struct Place {
    url: String,
    settings: Throttle,
    ledger: Ledger,
    plan: String,
    token: i64,
    directory: PathBuf,
    table: Name,
    ours: Arc<Mutex<BTreeSet<i64>>>,
}

/// Looks, judges and tells, until nobody listens.
async fn keep_looking(place: Place, verdict: watch::Sender<Option<Verdict>>, seen: watch::Sender<Vec<Reading>>) {
    let mut look: Option<Look> = None;
    let mut holding = BTreeSet::new();
    let mut noted = None;
    loop {
        let readings = match tokio::time::timeout(PATIENCE, look_once(&place, &mut look)).await {
            Ok(readings) => readings,
            Err(_) => {
                look = None;
                vec![Reading::unreadable("the load", format!("no answer in {} seconds", PATIENCE.as_secs()))]
            }
        };
        let judged = judge(&readings, &mut holding);
        if let Some(look) = &mut look {
            note(&place, look, &judged, &mut noted).await;
        }
        if seen.send(readings).is_err() || verdict.send(Some(judged)).is_err() {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look_once(place: &Place, look: &mut Option<Look>) -> Vec<Reading> {
    if look.is_none() {
        let mut session = match database::connect(&place.url, "lockkeeper throttle").await {
            Ok(session) => session,
            Err(error) => return vec![Reading::unreadable("the load", error.to_string())],
        };
        if session.dialect() == Dialect::Mysql {
            let id = session.query("SELECT connection_id()", &[]).await;
            if let Some([Value::Int(id)]) = id.as_deref().ok().and_then(|rows| rows.first()).map(Vec::as_slice) {
                place.ours.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
            }
        }
        *look = Some(Look::new(session, place));
    }
    let Some(looking) = look else { return Vec::new() };
    looking.ours = place.ours.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // A connection that is lost is made anew at the next look; until then what it did not answer holds.
    if let Err(error) = looking.session.query("SELECT 1", &[]).await {
        *look = None;
        return vec![Reading::unreadable("the load", error.to_string())];
    }
    signals::read(looking).await
}

/// Keeps the reason of a wait in the ledger, for `status` elsewhere. Where that fails, `status` lacks a sentence.
async fn note(place: &Place, look: &mut Look, verdict: &Verdict, noted: &mut Option<(String, Instant)>) {
    let because = match verdict {
        Verdict::Hold(holds) => Some(holds.iter().map(|hold| hold.because.as_str()).collect::<Vec<_>>().join("; and ")),
        Verdict::Go | Verdict::Slow { .. } => None,
    };
    let due = match (&because, &*noted) {
        (Some(_), Some((_, at))) => at.elapsed() >= PATIENCE,
        (because, noted) => because.is_some() != noted.is_some(),
    };
    if due {
        let _ = place.ledger.throttled(&mut look.session, &place.plan, place.token, because.as_deref()).await;
        *noted = because.map(|because| (because, Instant::now()));
    }
}

/// What stands in front of a step.
pub(super) enum Ahead {
    Free,
    /// Nobody wants to wait, and why there is something to wait for.
    Held(String),
    Interrupted,
}

/// In front of a step: a person's pause and the time windows. What a run finds at its beginning is waited for where
/// the user wants that; what comes up later is waited for in any case.
pub(super) async fn before_step<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    wait: bool,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Ahead, Trouble> {
    // An undo waits for no window.
    let windows = if context.reverting { &[][..] } else { &context.plan.settings.throttle.windows };
    let mut reminder = Reminder::default();
    let mut waited = false;
    let began = Instant::now();
    loop {
        let pause = context.ledger.paused(session, &context.plan.name).await?;
        let because = match pause {
            Some(pause) => Some(("pause", signals::paused(&pause))),
            None => signals::closed(session, windows).await?.map(|because| ("windows", because)),
        };
        let Some((signal, because)) = because else {
            if waited {
                on_event(Event::WentOn { milliseconds: began.elapsed().as_millis() });
            }
            return Ok(Ahead::Free);
        };
        if !wait {
            return Ok(Ahead::Held(because));
        }
        waited = true;
        if reminder.is_due(&because, Instant::now()) {
            on_event(Event::Throttled { signal: signal.to_string(), because, unreadable: false });
        }
        if !sleep(INTERVAL, context.stop).await {
            return Ok(Ahead::Interrupted);
        }
        if !context.ledger.renew(session, context.lease).await? {
            return Err(Trouble::LeaseLost);
        }
    }
}

/// Signals that were asked for and that the engine does not have: to leave one out in silence would be to pass it.
pub(super) fn check(plan: &Plan) -> error::Result<()> {
    let settings = &plan.settings.throttle;
    let asked = [
        ("active-sessions", settings.active_sessions.is_some(), &[Dialect::Sqlite][..]),
        ("wal-rate", settings.wal_rate.is_some(), &[Dialect::Sqlite]),
        ("autovacuum", settings.autovacuum, &[Dialect::Sqlite, Dialect::Mysql]),
        ("replicas", !settings.replicas.is_empty(), &[Dialect::Sqlite, Dialect::Postgres]),
    ];
    for (key, set, missing) in asked {
        if set && missing.contains(&plan.dialect) {
            return Err(Error::input(format!("change.toml: `throttle.{key}` has no meaning on {}", plan.dialect))
                .hint(match (key, plan.dialect) {
                    ("replicas", Dialect::Postgres) => "PostgreSQL tells of its standbys by itself: see `replica-lag`",
                    _ => "leave it out",
                }));
        }
    }
    Ok(())
}
