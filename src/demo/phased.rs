//! The same change as a phased change: planned by the recipe, carried out by the runner, contract behind
//! its gates while the rolling update goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::book::{Book, Comparison, schema};
use super::cluster::Cluster;
use super::place::Place;
use super::pod::Version;
use super::{Chapter, Event, Listener, broken, open};
use crate::database::{self, Connection, Session};
use crate::error::{Error, Kind, Result};
use crate::gate;
use crate::history::layout;
use crate::plan::{Phase, Plan, directory, recipes};
use crate::run::{self, Ledger, Outcome, Request};
use crate::sql::Dialect;

const V1: Version = Version { name: "v1", reads: "old_status", writes: &["old_status"] };
const V2: Version = Version { name: "v2", reads: "new_status", writes: &["new_status"] };

const MIGRATION: &str = "ALTER TABLE orders RENAME COLUMN old_status TO new_status";

/// How long the versions work undisturbed between two things.
const WHILE: Duration = Duration::from_millis(1200);

/// How often the waiting runner looks at its gates.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long after the last pod of v1 the gates may still be closed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which version is which, and where the simulated cluster says what runs.
const CONSUMER: &str = r#"
[versions]
old = "v1"
new = "v2"

[backfill]
batch-rows = 500
batch-time = "5ms"

[[consumers]]
name = "orders"
application-name = "orders/{version}"

[consumers.kubernetes]
namespace = "shop"
selector = "app=orders"
evidence = "../pods.json"
"#;

pub(super) async fn tell(place: &Place, book: &Arc<Book>, listener: &Listener<'_>) -> Result<Comparison> {
    let mut session = database::connect(&place.url, "lockkeeper demo").await?;
    open(&mut session, book, listener).await?;

    listener.tell(Event::Chapter(Chapter::FirstVersion));
    let directory = place.directory.path();
    let evidence = directory.join("pods.json");
    let mut cluster = Cluster::deploy(&place.url, evidence, Arc::clone(book), listener, &V1).await?;
    listener.pause(WHILE).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::Plan));
    let change = Change::write(directory, &place.url, session.dialect(), listener)?;

    listener.tell(Event::Chapter(Chapter::ExpandAndBackfill));
    for phase in [Phase::Expand, Phase::Backfill] {
        change.run(&mut session, listener, Some(phase), None).await?;
    }
    listener.pause(WHILE).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::ContractTooEarly));
    if change.run(&mut session, listener, None, None).await? == Outcome::Finished {
        return Err(Error::new(Kind::Step, "contract was not held back although v1 runs"));
    }
    change.approve(&mut session, listener).await?;

    listener.tell(Event::Chapter(Chapter::Rollout));
    roll_out(&change, &mut session, &mut cluster, listener).await?;

    listener.tell(Event::Chapter(Chapter::Afterwards));
    listener.pause(WHILE).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::End));
    cluster.shut_down().await?;
    book.compare(&mut session, V2.reads).await.map_err(|error| broken("the table cannot be compared", &error))
}

/// The rolling update, and beside it the runner that waits for its gates.
async fn roll_out(
    change: &Change,
    session: &mut Connection,
    cluster: &mut Cluster<'_>,
    listener: &Listener<'_>,
) -> Result<()> {
    let (ended, hopeless) = (AtomicBool::new(false), AtomicBool::new(false));
    let stop = || (listener.stop)() || hopeless.load(Ordering::SeqCst);
    let waiting = Listener { stop: &stop, on_event: listener.on_event };
    let contract = async {
        let outcome = change.run(session, &waiting, None, Some(INTERVAL)).await;
        ended.store(true, Ordering::SeqCst);
        outcome
    };
    let rollout = async {
        let rolled_out = cluster.roll_out(&V2).await;
        if rolled_out.is_ok() {
            run::sleep(PATIENCE, &|| stop() || ended.load(Ordering::SeqCst)).await;
        }
        hopeless.store(true, Ordering::SeqCst);
        rolled_out
    };
    let (outcome, rolled_out) = tokio::join!(contract, rollout);
    rolled_out?;
    match outcome? {
        Outcome::Finished => Ok(()),
        _ => {
            listener.pause(Duration::ZERO).await?;
            Err(Error::new(Kind::Waiting, format!("the gates did not open within {} s", PATIENCE.as_secs()))
                .hint("the last judgement above says why"))
        }
    }
}

/// The phased change on disk.
struct Change {
    url: String,
    path: PathBuf,
    plan: Plan,
}

impl Change {
    /// Does what `lockkeeper plan MIGRATION --output DIR` does, and fills in who uses the database.
    fn write(directory: &Path, url: &str, dialect: Dialect, listener: &Listener<'_>) -> Result<Self> {
        let migrations = directory.join("migrations");
        let first: String = schema(dialect).map(|sql| format!("{sql};\n")).concat();
        write(&migrations.join("0041_orders.sql"), &first)?;
        let migration = migrations.join("0042_orders_status.sql");
        write(&migration, &format!("{MIGRATION};\n"))?;

        let history = layout::read(&[migrations], dialect)?;
        let path = directory.join("0042_orders_status");
        let rewritten = recipes::rewrite(&migration, &history, None, &path)?;
        for (name, text) in &rewritten.draft.files {
            let consumer = if *name == "change.toml" { CONSUMER } else { "" };
            write(&path.join(name), &format!("{text}{consumer}"))?;
        }
        let plan = directory::read(&path, Some(dialect))?;
        listener.tell(Event::Planned { migration: MIGRATION, plan: Box::new(plan.clone()) });
        Ok(Self { url: url.to_string(), path, plan })
    }

    /// Does what `lockkeeper run` does.
    async fn run(
        &self,
        session: &mut Connection,
        listener: &Listener<'_>,
        phase: Option<Phase>,
        wait: Option<Duration>,
    ) -> Result<Outcome> {
        let ledger = Ledger::open(session).await?;
        let lease = ledger.acquire(session, "lockkeeper demo", None).await;
        let lease = lease
            .map_err(|error| broken("the lease cannot be taken", &error))?
            .map_err(|held| Error::new(Kind::Waiting, format!("another runner holds the lease: {}", held.shown())))?;
        let directory = self.path.clone();
        let request = Request {
            plan: &self.plan,
            directory,
            phase,
            wait,
            pace: None,
            workers: 1,
            stop: listener.stop,
            url: &self.url,
        };
        let outcome = run::carry_out(session, &ledger, &lease, &request, &mut |event| {
            listener.tell(Event::Run(event));
        })
        .await?;
        ledger.release(session, &lease).await.map_err(|error| broken("the lease cannot be given back", &error))?;
        Ok(outcome)
    }

    /// A person's part: the approval, and a word for the sessions where the database does not know them.
    async fn approve(&self, session: &mut Connection, listener: &Listener<'_>) -> Result<()> {
        let ledger = Ledger::open(session).await?;
        let blind = session.dialect() != Dialect::Postgres;
        let evidence = run::evidence(session, &ledger, &self.plan, &self.path)
            .await
            .map_err(|error| broken("the gates cannot be looked at", &error))?;
        for gate in gate::gates_of(&self.plan, Phase::Contract) {
            let reason = match gate.name.as_str() {
                "approval" => "it may go as soon as v1 is gone",
                "db_sessions" if blind => "this database cannot tell v1's sessions from v2's; the pods are counted",
                _ => continue,
            };
            let missing = gate::without_stand_in(&gate, &evidence).gaps;
            ledger
                .approve(session, &self.plan, &gate.name, "demo", reason, &missing)
                .await
                .map_err(|error| broken("the approval was not written", &error))?;
            listener.tell(Event::Approved { gate: gate.name, reason });
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text))
        .map_err(|error| Error::input(format!("cannot write {}", path.display())).because(error))
}
