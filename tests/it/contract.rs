//! The moment before the drop: whoever comes back while contract waits for its lock is still heard.

use std::time::Duration;

use lockkeeper::database::{self, Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers;

const CONSUMERS: &str = "dialect = \"postgres\"\n[versions]\nold = \"v1\"\nnew = \"v2\"\n[[consumers]]\nname = \"order-service\"\n\
     application-name = \"order-service/{version}\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_comes_back_during_the_wait_for_a_lock_closes_the_gate() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    change.write("change.toml", CONSUMERS);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--phase", "backfill"]), 0, &[]);
    let said = change.say(&["approve", "--reason", "v1 is gone"]);
    assert_eq!(said.code, 0, "{}", said.err);

    // The new version reads, and contract's first lock has to wait for it.
    let mut new = database::connect(&change.database.url, "order-service/v2 pod=b").await.unwrap();
    new.execute("SET idle_in_transaction_session_timeout = 0", &[]).await.unwrap();
    new.execute("BEGIN", &[]).await.unwrap();
    new.query("SELECT count(*) FROM orders", &[]).await.unwrap();
    let mut command = change.command(&["run"]);
    let run = std::thread::spawn(move || Said::from(command.output().unwrap()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut old = database::connect(&change.database.url, "order-service/v1 pod=a").await.unwrap();
    let write = "INSERT INTO orders (customer, old_status) VALUES ('late', 'paid') RETURNING id";
    let written = old.query(write, &[]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    new.execute("COMMIT", &[]).await.unwrap();

    expect(&run.join().unwrap(), 3, &["gate db_sessions: pass", "gate db_sessions: pending"]);
    let Value::Int(id) = written[0][0] else { panic!("{written:?}") };
    let both = format!("SELECT old_status, new_status FROM orders WHERE id = {id}");
    let paid = || Value::Text("paid".into());
    assert_eq!(old.query(&both, &[]).await.unwrap(), [[paid(), paid()]], "nothing is lost or dropped");
}

/// Between the last look at the gates and the COMMIT there is all the time that the step takes.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_comes_back_during_the_step_undoes_it() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    change.write("change.toml", CONSUMERS);
    let slow = "ALTER TABLE orders ADD CONSTRAINT slow CHECK (pg_sleep(0.3) IS NOT NULL);\nCOMMIT;";
    let contract = std::fs::read_to_string(change.path.join("contract.sql")).unwrap();
    change.write("contract.sql", &contract.replace("COMMIT;", slow));
    for phase in ["expand", "backfill"] {
        expect(&change.say(&["run", "--phase", phase, "--force", "--reason", "a test"]), 0, &[]);
    }
    expect(&change.say(&["approve", "--reason", "v1 is gone"]), 0, &[]);

    let mut new = database::connect(&change.database.url, "order-service/v2 pod=b").await.unwrap();
    let mut command = change.command(&["run"]);
    let run = std::thread::spawn(move || Said::from(command.output().unwrap()));
    let at_it = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'ALTER%pg_sleep(0.3)%'";
    while new.query(at_it, &[]).await.unwrap().is_empty() {
        assert!(!run.is_finished(), "{}", run.join().unwrap().err);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut old = database::connect(&change.database.url, "order-service/v1 pod=a").await.unwrap();
    expect(&run.join().unwrap(), 3, &["gate db_sessions: pass", "gate db_sessions: pending"]);
    let write = "INSERT INTO orders (customer, old_status) VALUES ('late', 'paid') RETURNING new_status";
    assert_eq!(old.query(write, &[]).await.unwrap(), [[Value::Text("paid".into())]], "nothing is dropped");
}

/// A step of several statements is all or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_between_begin_and_commit_happens_together() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let mut session = change.session().await;
    session.execute("CREATE VIEW statuses AS SELECT id, old_status FROM orders", &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 4, &["step contract.2", "statuses"]);
    let sync = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";
    assert_eq!(change.session().await.query(sync, &[]).await.unwrap(), [[Value::Int(3)]], "the sync still stands");
    session.execute("DROP VIEW statuses", &[]).await.unwrap();
    expect(&change.say(&["run"]), 0, &["finished"]);
}
