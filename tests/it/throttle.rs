//! The real binary holds a backfill back for each of its signals, says why, goes on, and ends complete.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lockkeeper::database::{Connection, DatabaseError, Session, Value, connect};
use lockkeeper::sql::Dialect;
use tokio::task::JoinHandle;

use super::replica::Replicated;
use super::run::{Change, Said, expect};
use super::servers::{self, TestDatabase};
use super::standby::Cluster;

/// A run in the background, and what it says as it says it.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

/// Ends a hang, and nothing else.
const PATIENCE: Duration = Duration::from_secs(60);

impl Running {
    pub(crate) fn start(change: &Change, arguments: &[&str]) -> Self {
        let mut child = change.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: String::new() }
    }

    /// Waits for a line with these words.
    pub(crate) fn hears(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {words:?} in {}", self.said));
            self.said += &format!("{line}\n");
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn ends(mut self) -> Said {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said += &format!("{line}\n");
        }
        Said { code: self.child.wait().unwrap().code().unwrap_or(-1), out: String::new(), err: self.said }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

/// A change whose expand is done, with these settings besides.
pub(crate) async fn ready(database: TestDatabase, dialect: Dialect, rows: u32, settings: &str) -> Change {
    let change = Change::rename(database, dialect, rows).await;
    change.write("change.toml", &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 200\n{settings}"));
    expect(&change.say(&["run", "--phase", "expand"]), 0, &["expand.1"]);
    change
}

/// Rows that are not filled yet.
pub(crate) async fn left(change: &Change) -> i64 {
    let sql = "SELECT count(*) FROM orders WHERE new_status IS NULL";
    match change.session().await.query(sql, &[]).await.unwrap()[0][0] {
        Value::Int(count) => count,
        _ => panic!("a number"),
    }
}

const BACKFILL: &[&str] = &["run", "--phase", "backfill"];

async fn paused_and_resumed(database: TestDatabase, dialect: Dialect) {
    let change = ready(database, dialect, 3_000, "[throttle]\nmax-rate = 1000\n").await;
    let mut run = Running::start(&change, BACKFILL);
    run.hears("slower: kept to 1000 rows a second");
    expect(&change.say(&["pause", "--by", "anna", "--reason", "Black Friday"]), 0, &["anna paused 0042_orders_status"]);
    run.hears("held: paused by anna: Black Friday");
    let halted = left(&change).await;
    assert!((1..3_000).contains(&halted), "in the middle, not before or after: {halted}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(left(&change).await, halted, "nothing is written while it is paused");
    expect(&change.say(&["status"]), 0, &["UTC by anna: Black Friday", "held since", "running"]);
    expect(
        &change.say(&["status", "--format", "json"]),
        0,
        &["\"pause\":{\"at\":\"", "\"held\":[{\"because\":\"paused by anna"],
    );
    expect(&change.say(&["resume", "--by", "ben"]), 0, &["ben resumed"]);
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
    expect(&change.say(&["resume", "--by", "ben"]), 0, &["was not paused"]);
    let status = change.say(&["status"]);
    assert!(!status.out.contains("held"), "{}", status.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_resumed_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    paused_and_resumed(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_resumed_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    paused_and_resumed(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_resumed_on_sqlite() {
    paused_and_resumed(servers::sqlite(), Dialect::Sqlite).await;
}

/// A change that has not begun is held as well, and ctrl-c ends a wait at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_paused_change_exits_or_waits() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 100).await;
    expect(&change.say(&["pause", "--by", "anna", "--reason", "not today"]), 0, &[]);
    let held = change.say(&["run"]);
    expect(&held, 3, &["held: paused by anna: not today", "hint: run the same command again later, or with --wait"]);
    assert!(change.session().await.query("SELECT new_status FROM orders", &[]).await.is_err(), "nothing was done");
    let mut run = Running::start(&change, &["run", "--wait"]);
    run.hears("held: paused by anna: not today");
    run.signal(nix::sys::signal::Signal::SIGINT);
    expect(&run.ends(), 130, &["interrupted"]);
    let mut run = Running::start(&change, &["run", "--wait", "--phase", "expand"]);
    run.hears("held: paused by anna");
    expect(&change.say(&["resume", "--by", "anna"]), 0, &[]);
    expect(&run.ends(), 0, &["going on after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_the_backfill_and_ctrl_c_ends_the_wait() {
    let change = ready(servers::sqlite(), Dialect::Sqlite, 1_000, "[throttle]\nfile = \"hold\"\n").await;
    change.write("hold", "");
    let mut run = Running::start(&change, BACKFILL);
    run.hears("held: the file hold exists");
    assert_eq!(left(&change).await, 1_000);
    run.signal(nix::sys::signal::Signal::SIGINT);
    expect(&run.ends(), 130, &["To go on: lockkeeper"]);
    let mut run = Running::start(&change, BACKFILL);
    run.hears("held: the file hold exists");
    std::fs::remove_file(change.path.join("hold")).unwrap();
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

/// A query of the user's own: above its limit, between its bounds, unreadable, and down again.
async fn a_query_holds(database: TestDatabase, dialect: Dialect) {
    let query =
        "[[throttle.queries]]\nname = \"queue\"\nsql = \"SELECT length FROM queue\"\nstop-above = 10\ngo-below = 5\n";
    let change = ready(database, dialect, 1_000, query).await;
    let mut session = change.session().await;
    session.execute("CREATE TABLE queue (length int)", &[]).await.unwrap();
    session.execute("INSERT INTO queue VALUES (20)", &[]).await.unwrap();
    let mut run = Running::start(&change, BACKFILL);
    run.hears("held: queue is 20; stops above 10, goes on at 5");
    session.execute("UPDATE queue SET length = 7", &[]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(left(&change).await, 1_000);
    session.execute("DELETE FROM queue", &[]).await.unwrap();
    run.hears("held: query queue cannot be read: the query returns 0 rows, not one number");
    session.execute("INSERT INTO queue VALUES (5)", &[]).await.unwrap();
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_holds_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    a_query_holds(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_holds_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    a_query_holds(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_holds_on_sqlite() {
    a_query_holds(servers::sqlite(), Dialect::Sqlite).await;
}

/// Writers that our batches block are given room.
async fn waits_that_we_cause_hold(database: TestDatabase, dialect: Dialect, slow: &[&str]) {
    let change = ready(database, dialect, 400, "batch-time = \"1ms\"\n[throttle]\nlock-waits = 0\n").await;
    let mut session = change.session().await;
    for statement in slow {
        session.execute(statement, &[]).await.unwrap();
    }
    let url = change.database.url.clone();
    let writer = tokio::spawn(async move {
        let mut session = connect(&url, "order-service/v1").await.unwrap();
        loop {
            let id = fastrand::i64(1..=400);
            let _ = session.execute(&format!("UPDATE orders SET customer = 'x' WHERE id = {id}"), &[]).await;
        }
    });
    let run = Running::start(&change, BACKFILL);
    let said = run.ends();
    writer.abort();
    expect(&said, 0, &["held: 1 sessions wait for a lock of ours; stops above 0, goes on at 0", "going on after"]);
    assert_eq!(left(&change).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_we_cause_hold_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let slow = [
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'begin perform pg_sleep(0.01); return new; end'",
        "CREATE TRIGGER slow BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION slow()",
    ];
    waits_that_we_cause_hold(database, Dialect::Postgres, &slow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_we_cause_hold_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let slow = ["CREATE TRIGGER slow AFTER UPDATE ON orders FOR EACH ROW SET @slept = sleep(0.01)"];
    waits_that_we_cause_hold(database, Dialect::Mysql, &slow).await;
}

/// A standby that stops replaying holds the backfill, by the time that passes, although its last reply was quick; one
/// that nobody may see holds it as well, and one that is ignored does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_standby_holds_on_postgres() {
    let Some(primary) = Cluster::primary(&[]).await else { return };
    let standby = primary.standby("reader", &["hot_standby=on"]).await;
    let mut admin = connect(&primary.url("postgres"), "test").await.unwrap();
    admin.execute("CREATE DATABASE app", &[]).await.unwrap();
    let database = TestDatabase::at(primary.url("app"));
    let change = ready(database, Dialect::Postgres, 4_000, "[throttle]\nreplica-lag = \"1s\"\nmax-rate = 1000\n").await;

    let mut replica = connect(&standby.url("postgres"), "test").await.unwrap();
    replica.query("SELECT pg_wal_replay_pause()", &[]).await.unwrap();
    let mut run = Running::start(&change, BACKFILL);
    let said = run.hears("held: standby `reader`");
    assert!(said.contains(" behind; stops above 1 s, goes on at 500 ms"), "{said}");
    expect(&change.say(&["status"]), 0, &["running"]);
    replica.query("SELECT pg_wal_replay_resume()", &[]).await.unwrap();
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);

    // To a user without the right the server shows that there is a standby, and nothing else.
    let mut session = change.session().await;
    for statement in [
        "ALTER TABLE orders DISABLE TRIGGER ALL",
        "DROP INDEX orders_new_status_idx",
        "UPDATE orders SET new_status = NULL",
        "UPDATE lockkeeper.step SET state = 'pending', last_key = NULL, final_key = NULL WHERE phase = 'backfill'",
        "CREATE ROLE plain LOGIN",
        "ALTER TABLE orders OWNER TO plain",
        "GRANT ALL ON SCHEMA lockkeeper, public TO plain",
        "GRANT ALL ON ALL TABLES IN SCHEMA lockkeeper, public TO plain",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA lockkeeper TO plain",
    ] {
        session.execute(statement, &[]).await.unwrap();
    }
    let plain = change.database.url.replace("postgres@", "plain@");
    let mut run = Running::start(&change, &[BACKFILL, &["--database-url", &plain]].concat());
    let said = run.hears("cannot be read: the server hides how far its standbys are");
    assert!(said.contains("GRANT pg_read_all_stats TO this user"), "{said}");
    assert_eq!(left(&change).await, 4_000);
    admin.execute("GRANT pg_read_all_stats TO plain", &[]).await.unwrap();
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

/// A slot that nobody reads keeps the log; one that the server is about to give up holds whatever the limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_keeps_the_log_holds() {
    let Some(primary) = Cluster::primary(&["max_slot_wal_keep_size=64MB"]).await else { return };
    let mut admin = connect(&primary.url("postgres"), "test").await.unwrap();
    admin.execute("CREATE DATABASE app", &[]).await.unwrap();
    let change =
        ready(TestDatabase::at(primary.url("app")), Dialect::Postgres, 500, "[throttle]\nslot-retained = \"4MB\"\n")
            .await;
    admin.query("SELECT pg_create_physical_replication_slot('gone', true)", &[]).await.unwrap();
    let write = "CREATE TABLE ballast AS SELECT repeat(md5(n::text), 20) AS text FROM generate_series(1, 12000) n";
    admin.execute(write, &[]).await.unwrap();
    let mut run = Running::start(&change, BACKFILL);
    let said = run.hears("held: slot `gone` keeps ");
    assert!(said.contains(" MB of WAL; stops above 4 MB, goes on at 2 MB"), "{said}");
    assert_eq!(left(&change).await, 500);
    admin.query("SELECT pg_drop_replication_slot('gone')", &[]).await.unwrap();
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

/// The connection that looks is lost: nothing is known, so nothing is written, until another one is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_out_that_is_cut_off_holds_and_comes_back() {
    let Some(database) = servers::postgres().await else { return };
    let change = ready(database, Dialect::Postgres, 3_000, "[throttle]\nmax-rate = 500\n").await;
    let mut session = change.session().await;
    let mut run = Running::start(&change, BACKFILL);
    run.hears("slower: kept to 500 rows a second");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'lockkeeper throttle' AND datname = current_database()";
    assert_eq!(session.query(kill, &[]).await.unwrap().len(), 1);
    run.hears("the load cannot be read: ");
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

fn refused(settings: &str, what: &str, hint: &str) {
    let error = lockkeeper::plan::Settings::read(settings, "change.toml").unwrap_err();
    let said = (error.message.as_str(), error.hints.join(" "));
    assert_eq!(said, (what, hint.to_string()), "{settings}");
}

#[test]
fn what_is_wrong_in_the_settings_is_told() {
    let table = [
        ("replica-lagg = \"1s\"", "change.toml:2: no setting `replica-lagg`", "did you mean `replica-lag`?"),
        (
            "replica-lag = 5",
            "change.toml: `throttle.replica-lag` cannot be 5",
            "write it as \"500ms\", \"5s\", \"2m\" or \"1h\", or \"off\"",
        ),
        (
            "wal-rate = \"64MB\"",
            "change.toml: `throttle.wal-rate` cannot be \"64MB\"",
            "write it as \"512kB/s\", \"64MB/s\" or \"2GB/s\", or \"off\"",
        ),
        (
            "lock-waits = { stop-above = 1, go-blow = 0 }",
            "change.toml: no setting `go-blow` in `throttle.lock-waits`",
            "did you mean `go-below`?",
        ),
        ("lock-waits = { go-below = 0 }", "change.toml: `throttle.lock-waits` lacks `stop-above`", ""),
        (
            "lock-waits = { stop-above = 1, go-below = 2 }",
            "change.toml: `throttle.lock-waits` goes on at more than what stops it",
            "`go-below` may not be greater than `stop-above`",
        ),
        ("max-rate = 0", "change.toml: `throttle.max-rate` has to be at least one row a second", ""),
        (
            "replica-lag = \"off\"\nreplicas = [\"env:A\"]",
            "change.toml: `throttle.replicas` are there to be asked for their lag, and `replica-lag` is \"off\"",
            "",
        ),
        (
            "[[throttle.queries]]\nname = \"a\"\nsql = \"SELECT 1\"\nstop-above = \"much\"",
            "change.toml: `throttle.queries.a` cannot be \"much\"",
            "write it as a number",
        ),
    ];
    for (settings, what, hint) in table {
        refused(&format!("[throttle]\n{settings}\n"), what, hint);
    }
}

/// What an engine does not have is not left out in silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_the_engine_lacks_is_refused() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    change.write("change.toml", "dialect = \"sqlite\"\n[throttle]\nwal-rate = \"1MB/s\"\n");
    expect(
        &change.say(&["run"]),
        2,
        &["change.toml: `throttle.wal-rate` has no meaning on sqlite", "hint: leave it out"],
    );
}

/// Two servers' clocks agree on when it is not: a window on another day.
#[tokio::test(flavor = "multi_thread")]
async fn outside_its_window_a_run_exits_or_waits() {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let today = change.session().await.query("SELECT CAST(strftime('%w', 'now') AS integer)", &[]).await.unwrap();
    let Value::Int(today) = today[0][0] else { panic!("a day") };
    let day = DAYS[(usize::try_from(today).unwrap() + 3) % 7];
    change.write("change.toml", &format!("dialect = \"sqlite\"\n[throttle]\nwindows = [\"{day} 03:00-05:00 UTC\"]\n"));
    let held = format!("outside its time windows; \"{day} 03:00-05:00 UTC\" opens at ");
    expect(&change.say(&["run"]), 3, &["held: ", &held, "T03:00:00Z"]);
    let mut run = Running::start(&change, &["run", "--wait"]);
    run.hears(&held);
    run.signal(nix::sys::signal::Signal::SIGINT);
    expect(&run.ends(), 130, &[]);
    change.write("change.toml", "dialect = \"sqlite\"\n[throttle]\nwindows = [\"00:00-24:00 Europe/Berlin\"]\n");
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
}

/// A replica that applies nothing cannot tell its lag; one that applies late tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_replica_holds_on_mariadb() {
    let Some(pair) = Replicated::start().await else { return };
    let replicas = pair.replica_url("shop");
    let settings = format!("[throttle]\nreplicas = [\"{replicas}\"]\nreplica-lag = \"1s\"\nmax-rate = 500\n");
    let change = ready(TestDatabase::at(pair.url("shop")), Dialect::Mysql, 3_000, &settings).await;
    let mut replica = connect(&replicas, "test").await.unwrap();
    replica.execute("STOP SLAVE SQL_THREAD", &[]).await.unwrap();
    let mut run = Running::start(&change, BACKFILL);
    run.hears("cannot be read: replication does not run there (receiving: Yes, applying: No)");
    assert_eq!(left(&change).await, 3_000);
    let delay = async |replica: &mut Connection, seconds: u32| {
        for statement in ["STOP SLAVE", &format!("CHANGE MASTER TO MASTER_DELAY = {seconds}"), "START SLAVE"] {
            replica.execute(statement, &[]).await.unwrap();
        }
    };
    delay(&mut replica, 5).await;
    let said = run.hears(" s behind; stops above 1 s, goes on at 500 ms");
    assert!(said.contains("held: replica mysql://root@localhost/shop"), "{said}");
    delay(&mut replica, 0).await;
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);
}

/// A session of the application that is busy with this for a while.
async fn at_work(url: &str, sql: &'static str) -> JoinHandle<Result<u64, DatabaseError>> {
    let mut session = connect(url, "order-service/v1").await.unwrap();
    tokio::spawn(async move { session.execute(sql, &[]).await })
}

/// What is over its limit says so: sessions at work, the growth of the log.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_at_work_and_the_log_hold_on_postgres() {
    let Some(primary) = Cluster::primary(&[]).await else { return };
    let settings =
        "[throttle]\nactive-sessions = { stop-above = 1, go-below = 0 }\nwal-rate = \"64kB/s\"\nautovacuum = true\n";
    let mut change = ready(TestDatabase::at(primary.url("postgres")), Dialect::Postgres, 500, settings).await;
    let url = primary.url("postgres");
    let sleepers = [at_work(&url, "SELECT pg_sleep(60)").await, at_work(&url, "SELECT pg_sleep(60)").await];
    let mut run = Running::start(&change, BACKFILL);
    run.hears("held: 2 sessions are at work; stops above 1, goes on at 0");
    let session = &mut change.session().await;
    let writing = at_work(
        &url,
        "DO $$ BEGIN FOR n IN 1..60 LOOP CREATE TABLE t AS SELECT repeat('x', 90) FROM generate_series(1, 20000);
        DROP TABLE t; COMMIT; PERFORM pg_sleep(0.1); END LOOP; END $$",
    )
    .await;
    let said = run.hears("held: the server writes ");
    assert!(said.contains("/s of log; stops above 64 kB/s, goes on at 32 kB/s"), "{said}");
    let stop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'order-service%'";
    session.query(stop, &[]).await.unwrap();
    for task in sleepers.into_iter().chain([writing]) {
        assert!(task.await.unwrap().is_err(), "it was ended");
    }
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
    assert_eq!(left(&change).await, 0);

    // A vacuum that takes its time.
    change.write("change.toml", "dialect = \"postgres\"\n[throttle]\nautovacuum = true\n");
    change.named("0043_orders_customer");
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN client text;");
    change.write("backfill.sql", "UPDATE orders SET client = customer WHERE client IS NULL;");
    change.write("change.toml", "dialect = \"postgres\"\n[throttle]\nautovacuum = true\n");
    let forced = ["run", "--phase", "expand", "--force", "--reason", "the one before is not finished"];
    let slowly = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; SET vacuum_cost_page_hit = 1; SET vacuum_cost_page_dirty = 20";
    let mut vacuum = connect(&primary.url("postgres"), "order-service/vacuum").await.unwrap();
    for statement in slowly.split("; ") {
        vacuum.execute(statement, &[]).await.unwrap();
    }
    expect(&change.say(&forced), 0, &[]);
    let vacuum = tokio::spawn(async move { vacuum.execute("VACUUM orders", &[]).await });
    let mut run = Running::start(&change, BACKFILL);
    run.hears("held: a vacuum works on orders");
    session.query(stop, &[]).await.unwrap();
    let _ = vacuum.await;
    run.hears("going on after");
    expect(&run.ends(), 0, &[]);
}
