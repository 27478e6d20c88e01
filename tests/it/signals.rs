//! Ctrl-c and SIGTERM sent to the real binary: in a batch, in front of a lock, in a concurrent index build, in a long
//! query, and while it waits for another runner. Whenever it comes: exit code 130, a free lease, nothing of ours left
//! at work on the server, and the same command goes on.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use lockkeeper::database::{Connection, Session, Value};
use lockkeeper::run::Ledger;
use lockkeeper::sql::Dialect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run::{Change, Said, expect};
use super::servers;

/// A run in the background.
struct Running(Child);

impl Running {
    fn start(change: &Change, arguments: &[&str]) -> Self {
        let mut all = vec!["run", "--events", "-"];
        all.extend(arguments);
        let events = fs::File::create(change.path.join("../events")).unwrap();
        let mut command = change.command(&all);
        Self(command.stdout(events).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    fn end(self) -> Said {
        self.0.wait_with_output().unwrap().into()
    }
}

/// Polls until it is so; only a hang ends it otherwise.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: never");
}

/// Until the run has told an event of this kind.
async fn told(change: &Change, kind: &str) {
    let kind = format!("\"kind\":\"{kind}\"");
    until(&kind, async || fs::read_to_string(change.path.join("../events")).unwrap().contains(&kind)).await;
}

/// Our sessions that are at work on the server at this moment.
async fn at_work(session: &mut Connection) -> i64 {
    let sql = match session.dialect() {
        Dialect::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
             AND application_name LIKE 'lockkeeper%'"
        }
        Dialect::Mysql => {
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND command = 'Query' \
             AND id <> connection_id()"
        }
        Dialect::Sqlite => return 0,
    };
    let rows = session.query(sql, &[]).await.unwrap();
    let [Value::Int(count)] = rows[0][..] else { panic!("{rows:?}") };
    count
}

/// What must be so after every interruption.
async fn interrupted(change: &Change, said: &Said) {
    expect(said, 130, &["interrupted; what is done is in the ledger. To go on: lockkeeper --color never run "]);
    let events = fs::read_to_string(change.path.join("../events")).unwrap();
    assert!(events.contains("\"kind\":\"stopping\""), "{events}");
    let last = events.lines().last().unwrap();
    assert!(last.contains("\"kind\":\"ended\"") && last.contains("\"exit_code\":130"), "{last}");
    let mut session = change.session().await;
    until("nothing of ours is at work", async || at_work(&mut session).await == 0).await;
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "the test", None).await.unwrap();
    let lease = lease.unwrap_or_else(|held| panic!("the lease is not free: {held:?}"));
    ledger.release(&mut session, &lease).await.unwrap();
}

/// A second session of the test's that holds a transaction open, for as long as the test takes.
async fn transaction(change: &Change, sql: &str) -> Connection {
    let mut session = change.session().await;
    session.execute("SET idle_in_transaction_session_timeout = 0", &[]).await.unwrap();
    session.execute("BEGIN", &[]).await.unwrap();
    session.query(sql, &[]).await.unwrap();
    session
}

async fn in_a_batch(database: servers::TestDatabase, dialect: Dialect, signal: Signal) {
    let change = Change::rename(database, dialect, 20_000).await;
    let settings = "[backfill]\nbatch-rows = 100\nbatch-time = \"1ms\"\n";
    change.write("change.toml", &format!("dialect = \"{dialect}\"\n{settings}"));
    let run = Running::start(&change, &[]);
    told(&change, "batch").await;
    run.signal(signal);
    let said = run.end();
    interrupted(&change, &said).await;
    let stopping = "stopping when the batch at hand of backfill.1 has ended; once more to cut it off";
    expect(&said, 130, &[stopping]);
    expect(&change.say(&["run"]), 3, &["backfill.1  UPDATE", "(going on)", "gate approval: pending"]);
    let mut session = change.session().await;
    let sql = "SELECT count(*) FROM orders WHERE new_status = old_status";
    assert_eq!(session.query(sql, &[]).await.unwrap(), [[Value::Int(20_000)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    in_a_batch(database, Dialect::Postgres, Signal::SIGINT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    in_a_batch(database, Dialect::Mysql, Signal::SIGTERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_on_sqlite() {
    in_a_batch(servers::sqlite(), Dialect::Sqlite, Signal::SIGINT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_front_of_a_lock() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    let busy = transaction(&change, "LOCK TABLE orders IN SHARE MODE").await;
    let run = Running::start(&change, &["--phase", "expand"]);
    told(&change, "step_started").await;
    run.signal(Signal::SIGTERM);
    interrupted(&change, &run.end()).await;
    drop(busy);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
}

/// The first signal lets the build go on and says so, the second ends it on the server.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_concurrent_index_build() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    change.write("change.toml", "");
    change.write("expand.sql", "CREATE INDEX CONCURRENTLY orders_customer ON orders (customer);");
    for file in ["backfill.sql", "contract.sql", "revert.sql"] {
        let _ = fs::remove_file(change.path.join(file));
    }
    // A write of another transaction is what such a build waits for.
    let busy = transaction(&change, "UPDATE orders SET customer = 'busy' WHERE id = 1").await;
    let run = Running::start(&change, &[]);
    let mut session = change.session().await;
    // The ledger's tables have indexes, too, which are built in the beginning.
    let building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = 'orders'::regclass";
    let mut is_building = async || session.query(building, &[]).await.unwrap() == [[Value::Int(1)]];
    until("the index is being built", &mut is_building).await;
    run.signal(Signal::SIGTERM);
    told(&change, "stopping").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    if !is_building().await {
        panic!("the first signal ends no build, but: {:?}", run.end().err);
    }
    run.signal(Signal::SIGTERM);
    let said = run.end();
    interrupted(&change, &said).await;
    let first = "stopping when expand.1 (CREATE INDEX CONCURRENTLY orders_customer ON orders (customer)) has ended";
    expect(&said, 130, &[first, "ending the statement on the server", "cut off: step expand.1"]);
    assert!(!is_building().await, "the second signal ends it");
    drop(busy);
    expect(&change.say(&["run"]), 0, &["(going on)", "finished"]);
    let sql = "SELECT count(*) FROM pg_index WHERE indexrelid = 'orders_customer'::regclass AND indisvalid";
    assert_eq!(session.query(sql, &[]).await.unwrap(), [[Value::Int(1)]]);
}

/// A proof by the user's own query, which may take any time.
async fn in_a_long_query(database: servers::TestDatabase, dialect: Dialect, slow: &str, quick: &str) {
    let change = Change::rename(database, dialect, 10).await;
    change.write("verify.sql", slow);
    let run = Running::start(&change, &[]);
    let mut session = change.session().await;
    let verifying = async || {
        let events = fs::read_to_string(change.path.join("../events")).unwrap();
        events.lines().last().is_some_and(|line| line.contains("\"kind\":\"step_started\"") && line.contains(slow))
    };
    until("the proof has begun", verifying).await;
    until("the server is at work on it", async || at_work(&mut session).await == 1).await;
    run.signal(Signal::SIGINT);
    told(&change, "stopping").await;
    run.signal(Signal::SIGINT);
    interrupted(&change, &run.end()).await;
    // Nothing of the change has been asked for twice: what was done stays done.
    change.write("verify.sql", quick);
    expect(&change.say(&["run"]), 2, &["verify.sql changed after the plan had begun"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_long_query_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let slow = "SELECT id FROM orders, pg_sleep(600) WHERE id < 0";
    in_a_long_query(database, Dialect::Postgres, slow, "SELECT id FROM orders WHERE id < 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_long_query_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let slow = "SELECT id FROM orders WHERE sleep(60) = 7";
    in_a_long_query(database, Dialect::Mysql, slow, "SELECT id FROM orders WHERE id < 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_for_another_runner() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let mut session = change.session().await;
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "pid 1 on another machine", None).await.unwrap().unwrap();
    let run = Running::start(&change, &["--wait"]);
    told(&change, "waiting").await;
    run.signal(Signal::SIGTERM);
    let said = run.end();
    expect(&said, 130, &["waiting for the lease: another runner holds the lease: pid 1 on another machine"]);
    ledger.release(&mut session, &lease).await.unwrap();
    interrupted(&change, &said).await;
}
