//! A table gets another key between two runs of a backfill, or under one: no row is passed over.

use std::sync::atomic::{AtomicUsize, Ordering};

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::error::Result;
use lockkeeper::plan::{Plan, directory};
use lockkeeper::run::{self, Event, Helper, Lease, Ledger, Outcome, Request};
use lockkeeper::sql::Dialect;

use super::run::Change;
use super::servers::{self, TestDatabase};
use super::shapes::{self, Case};

/// A run of one change over a table `t`, by parts.
struct Filling {
    change: Change,
    plan: Plan,
    session: Connection,
    ledger: Ledger,
    lease: Lease,
}

impl Filling {
    async fn of(database: TestDatabase, dialect: Dialect, set_up: &str) -> Self {
        let mut session = database::connect(&database.url, "test set-up").await.unwrap();
        shapes::execute(&mut session, set_up).await;
        let mut change = Change::empty(database);
        change.named("0001");
        let (expand, backfill) = ("ALTER TABLE t ADD COLUMN b text", "UPDATE t SET b = a");
        let case = Case { set_up: "", expand, backfill, verify: "", wrong: "" };
        shapes::write(&change, dialect, &case);
        let plan = directory::read(&change.path, None).unwrap();
        let ledger = Ledger::open(&mut session).await.unwrap();
        let lease = ledger.acquire(&mut session, "test", None).await.unwrap().unwrap();
        Self { change, plan, session, ledger, lease }
    }

    /// Runs; after the second batch these statements are carried out by somebody else, and the run is stopped or not.
    async fn run(&mut self, meanwhile: &str, stops: bool) -> (Result<Outcome>, Vec<Event>) {
        let batches = AtomicUsize::new(0);
        let stop = || stops && batches.load(Ordering::SeqCst) >= 2;
        let mut other = self.change.session().await;
        let mut seen = Vec::new();
        let mut on_event = |event: Event| {
            if matches!(event, Event::Batch { .. }) && batches.fetch_add(1, Ordering::SeqCst) == 1 {
                let statements = shapes::execute(&mut other, meanwhile);
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(statements));
            }
            seen.push(event);
        };
        let request = Request {
            plan: &self.plan,
            directory: self.change.path.clone(),
            phase: None,
            wait: None,
            pace: None,
            workers: 1,
            stop: &stop,
            url: &self.change.database.url,
        };
        let outcome = run::carry_out(&mut self.session, &self.ledger, &self.lease, &request, &mut on_event).await;
        (outcome, seen)
    }

    async fn assert_filled(&mut self) {
        let wrong = "SELECT count(*) FROM t WHERE b IS NULL OR b <> a";
        assert_eq!(self.session.query(wrong, &[]).await.unwrap(), [[Value::Int(0)]]);
    }
}

/// Why the backfill began again, if it did.
fn begun_again(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        Event::BegunAgain { because, .. } => Some(because.as_str()),
        _ => None,
    })
}

/// Stopped after two batches, changed, and run to its end: every row is filled, and the run says that it began again
/// exactly where it had to.
async fn changed_between(
    database: TestDatabase,
    dialect: Dialect,
    (set_up, between): (&str, &str),
    says: Option<&str>,
) {
    let mut filling = Filling::of(database, dialect, set_up).await;
    let (outcome, _) = filling.run("SELECT 1", true).await;
    assert_eq!(outcome, Ok(Outcome::Interrupted));
    shapes::execute(&mut filling.session, between).await;
    let (outcome, events) = filling.run("SELECT 1", false).await;
    assert_eq!(outcome, Ok(Outcome::Finished), "{between}");
    let said = begun_again(&events);
    let as_expected = says.map_or(said.is_none(), |says| said.is_some_and(|said| said.starts_with(says)));
    assert!(as_expected, "{between}: {said:?}");
    filling.assert_filled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_another_key_are_not_gone_on_from_on_postgres() {
    let rows = "INSERT INTO t (id, k, name, a) SELECT i, 2001 - i, chr(65 + i % 26) || chr(97 + i % 7) || i, 'v' || i FROM generate_series(1, 2000) i";
    let table =
        |keys| format!("CREATE TABLE t (id int NOT NULL, k int NOT NULL, name text NOT NULL, a text{keys});;{rows}");
    let by_id = table(", CONSTRAINT key PRIMARY KEY (id)");
    for (set_up, between, says) in [
        // The blocks are where they were.
        (table(""), "ALTER TABLE t ADD PRIMARY KEY (k)", None),
        (
            table(""),
            "ALTER TABLE t ADD PRIMARY KEY (k);;CLUSTER t USING t_pkey",
            Some("t, which is gone through block by block, was written anew: by VACUUM FULL, CLUSTER or ALTER TABLE"),
        ),
        (
            by_id.clone(),
            "ALTER TABLE t DROP CONSTRAINT key, ADD PRIMARY KEY (k)",
            Some("t is gone through by k integer now, no longer by id integer"),
        ),
        // The former key is still one.
        (
            by_id.clone(),
            "CREATE UNIQUE INDEX by_id ON t (id);;ALTER TABLE t DROP CONSTRAINT key, ADD PRIMARY KEY (k)",
            None,
        ),
        (
            by_id.clone(),
            "ALTER TABLE t ALTER COLUMN id TYPE bigint",
            Some("t is gone through by id bigint now, no longer by id integer"),
        ),
        (by_id, "ALTER TABLE t DROP CONSTRAINT key", Some("t is gone through by ctid now, no longer by id integer")),
        (
            table(", PRIMARY KEY (name)"),
            "ALTER TABLE t ALTER COLUMN name TYPE text COLLATE \"C\"",
            Some("t is gone through by name text COLLATE C now, no longer by name text COLLATE default"),
        ),
    ] {
        let Some(database) = servers::postgres().await else { return };
        changed_between(database, Dialect::Postgres, (&set_up, between), says).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_another_key_are_not_gone_on_from_on_mariadb() {
    let set_up = "CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, a varchar(40));;
        INSERT INTO t SELECT seq, 2001 - seq, concat('v', seq) FROM seq_1_to_2000";
    for (between, says) in [
        ("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (k)", "t is gone through by k int"),
        ("ALTER TABLE t MODIFY id varchar(20)", "t is gone through by id varchar(20) COLLATE "),
    ] {
        let Some(database) = servers::mariadb().await else { return };
        changed_between(database, Dialect::Mysql, (set_up, between), Some(says)).await;
    }
}

/// VACUUM numbers the rows of a table without a key anew.
#[tokio::test(flavor = "multi_thread")]
async fn row_numbers_are_not_gone_on_from_after_a_vacuum_on_sqlite() {
    let series = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)";
    let set_up = format!(
        "CREATE TABLE t (a text);;INSERT INTO t {series} SELECT 'v' || i FROM s;;DELETE FROM t WHERE rowid % 3 > 0"
    );
    let mut filling = Filling::of(servers::sqlite(), Dialect::Sqlite, &set_up).await;
    assert_eq!(filling.run("SELECT 1", true).await.0, Ok(Outcome::Interrupted));
    shapes::execute(&mut filling.session, "VACUUM").await;
    let (outcome, events) = filling.run("SELECT 1", false).await;
    assert_eq!(outcome, Ok(Outcome::Finished));
    let said = begun_again(&events).unwrap();
    assert!(said.starts_with("t is gone through by rowid of schema version "), "{said}");
    filling.assert_filled().await;
}

/// The key is swapped while a run is under way: it does not call the backfill done, and the same command begins again.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_swapped_under_a_run_is_found_at_its_end() {
    let Some(database) = servers::postgres().await else { return };
    let set_up = "CREATE TABLE t (id int CONSTRAINT key PRIMARY KEY, k int NOT NULL, a text);;
        INSERT INTO t SELECT i, 2001 - i, 'v' || i FROM generate_series(1, 2000) i";
    let mut filling = Filling::of(database, Dialect::Postgres, set_up).await;
    let (outcome, _) = filling.run("ALTER TABLE t DROP CONSTRAINT key, ADD PRIMARY KEY (k)", false).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("gone through by k integer now, no longer by id integer"), "{error}");
    // Who helps is not led on either: the ledger's places are those of the former key.
    let helper = Helper {
        plan: &filling.plan,
        directory: &filling.change.path,
        holder: "helper",
        workers: 1,
        pace: None,
        stop: &|| false,
    };
    let refused = run::help(&mut filling.change.session().await, &helper, &mut |_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("no longer by id integer"), "{refused}");
    let (outcome, events) = filling.run("SELECT 1", false).await;
    assert_eq!(outcome, Ok(Outcome::Finished));
    assert!(begun_again(&events).is_some());
    filling.assert_filled().await;
}
