//! The real binary carries phased changes out on real servers: through gates, past crashes and other runners.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::report::progress;
use lockkeeper::run::{Event, Ledger};
use lockkeeper::sql::Dialect;

use super::servers::{self, TestDatabase};

/// A change directory of one test's own, and the database that it is run on.
pub(crate) struct Change {
    pub(crate) database: TestDatabase,
    directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

/// What the binary said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Change {
    /// The rename example of a dialect, on a table of `rows` rows.
    pub(crate) async fn rename(database: TestDatabase, dialect: Dialect, rows: u32) -> Self {
        let example =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("migrations-examples/rename-column-{dialect}"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0042_orders_status");
        fs::create_dir(&path).unwrap();
        for entry in fs::read_dir(&example).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                fs::copy(&file, path.join(file.file_name().unwrap())).unwrap();
            }
        }
        let mut session = database::connect(&database.url, "test set-up").await.unwrap();
        let table = fs::read_to_string(example.join("history/0001_orders.sql")).unwrap();
        for statement in lockkeeper::sql::read(&table, dialect) {
            session.execute(&table[statement.range], &[]).await.unwrap();
        }
        let change = Self { database, directory, path };
        change.insert(&mut session, rows).await;
        change
    }

    /// A change without files yet, on a database without tables.
    pub(crate) fn empty(database: TestDatabase) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_path_buf();
        Self { database, directory, path }
    }

    /// From now on it is the change of this name.
    pub(crate) fn named(&mut self, name: &str) {
        self.path = self.directory.path().join(name);
        fs::create_dir(&self.path).unwrap();
    }

    async fn insert(&self, session: &mut Connection, rows: u32) {
        for first in (1..=rows).step_by(1000) {
            let values: Vec<String> =
                (first..=rows.min(first + 999)).map(|id| format!("('customer {id}', 'state {}')", id % 5)).collect();
            let sql = format!("INSERT INTO orders (customer, old_status) VALUES {}", values.join(", "));
            session.execute(&sql, &[]).await.unwrap();
        }
    }

    /// A file of the change in place of what it was.
    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path.join(file), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(["--color", "never"]).arg(arguments[0]).arg(&self.path).args(&arguments[1..]);
        command.env("LOCKKEEPER_DATABASE_URL", &self.database.url).env("USER", "tester").env_remove("CI");
        command
    }

    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Both gates that only a person can open here.
    pub(crate) fn approve(&self) {
        for gate in ["approval", "db_sessions"] {
            let said = self.say(&["approve", "--gate", gate, "--reason", "a test"]);
            assert_eq!(said.code, 0, "{}", said.err);
            assert_eq!(said.err.contains("\nstands in for: "), gate == "db_sessions", "{}", said.err);
        }
    }

    pub(crate) async fn session(&self) -> Connection {
        database::connect(&self.database.url, "test").await.unwrap()
    }
}

pub(crate) fn expect(said: &Said, code: i32, words: &[&str]) {
    let all = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, code, "{all}");
    for word in words {
        assert!(all.contains(word), "`{word}` is not in: {all}");
    }
}

/// The whole story on one engine.
async fn story(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 12_000).await;
    expect(&change.say(&["status"]), 0, &["not begun", "expand.1     pending"]);
    let waiting = ["gate approval: pending", "gate db_sessions: unknown", "waiting at a gate", "--gate db_sessions"];
    expect(&change.say(&["run"]), 3, &waiting);
    expect(&change.say(&["status"]), 0, &["done     12000 rows", "gate approval: pending", "not finished"]);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    expect(&change.say(&["run"]), 0, &["finished"]);
    expect(&change.say(&["status"]), 0, &["finished 2"]);
    let mut session = change.session().await;
    let rows = session.query("SELECT id, new_status FROM orders ORDER BY id", &[]).await.unwrap();
    assert_eq!(rows.len(), 12_000);
    for (row, id) in rows.iter().zip(1_i64..) {
        assert_eq!(row[..], [Value::Int(id), Value::Text(format!("state {}", id % 5))]);
    }
    assert!(session.query("SELECT old_status FROM orders", &[]).await.is_err(), "the old column is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    story(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    story(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_on_sqlite() {
    story(servers::sqlite(), Dialect::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_sql_file_is_refused_and_named() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    expect(&change.say(&["run"]), 3, &[]);
    change.write("contract.sql", "DROP TABLE orders;");
    expect(&change.say(&["run"]), 2, &["contract.sql changed after the plan had begun"]);
    let rows = change.session().await.query("SELECT count(*) FROM orders", &[]).await.unwrap();
    assert_eq!(rows, [[Value::Int(10)]], "nothing was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_change_toml_voids_approvals() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    change.write("change.toml", "dialect = \"sqlite\"\nstrategy = \"canary\"\n");
    expect(&change.say(&["run"]), 3, &["change.toml changed", "gate approval: pending"]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
}

/// A mistake in a file of a plan that has done nothing yet may be mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_has_done_nothing_may_be_mended() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let right = fs::read_to_string(change.path.join("expand.sql")).unwrap();
    change.write("change.toml", "");
    change.write("expand.sql", "ALTER TABLE orderz ADD COLUMN new_status text;");
    expect(&change.say(&["run"]), 4, &["step expand.1 (expand.sql:1) failed", "no such table: orderz"]);
    expect(&change.say(&["status"]), 0, &["last problem: step expand.1 (expand.sql:1) failed"]);
    change.write("expand.sql", &right);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_without_expand_sql_is_refused() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    fs::remove_file(change.path.join("expand.sql")).unwrap();
    expect(&change.say(&["run"]), 2, &["expand.sql"]);
    assert!(Ledger::find(&mut change.session().await).await.unwrap().is_none(), "no ledger was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_runner_says_who_holds_the_lease() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    let mut session = change.session().await;
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "pid 1 on another machine", None).await.unwrap().unwrap();
    expect(&change.say(&["run"]), 3, &["another runner holds the lease: pid 1 on another machine", "its lease ends"]);
    let waiting = change.command(&["run", "--wait", "--interval", "1", "--phase", "expand"]).output();
    let waiting = std::thread::spawn(move || Said::from(waiting.unwrap()));
    ledger.release(&mut session, &lease).await.unwrap();
    expect(&waiting.join().unwrap(), 0, &[]);
}

/// What was proved before a failure is proved again before the first thing is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_proof_does_not_open_contract() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 50).await;
    let contract = fs::read_to_string(change.path.join("contract.sql")).unwrap();
    change.write("contract.sql", &format!("DROP TABLE obstacle;\n{contract}"));
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 4, &["contract.1  done", "step contract.2 (contract.sql:1) failed"]);
    let mut session = change.session().await;
    session.execute("CREATE TABLE obstacle (id int)", &[]).await.unwrap();
    let triggers = session.query("SELECT name FROM sqlite_schema WHERE type = 'trigger'", &[]).await.unwrap();
    for row in &triggers {
        let Value::Text(name) = &row[0] else { panic!("a trigger") };
        session.execute(&format!("DROP TRIGGER {name}"), &[]).await.unwrap();
    }
    session.execute("UPDATE orders SET old_status = 'written by v1' WHERE id = 7", &[]).await.unwrap();
    expect(&change.say(&["run"]), 4, &["the backfill is not complete: row 7 of `orders` differs"]);
    let kept = session.query("SELECT old_status FROM orders WHERE id = 7", &[]).await.unwrap();
    assert_eq!(kept, [[Value::Text("written by v1".into())]], "nothing was dropped");
}

/// The census of the recorded rollout, through the whole command.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_pods_hold_and_open_the_gate() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    change.write(
        "change.toml",
        "dialect = \"sqlite\"\n[versions]\nold = \"v1\"\nnew = \"v2\"\n[[consumers]]\nname = \"order-service\"\n\
         [consumers.kubernetes]\nnamespace = \"rec\"\nselector = \"app=order-service\"\nversion-label = \"version\"\nevidence = \"pods.json\"\n",
    );
    expect(&change.say(&["run"]), 3, &["gate k8s_only_version:order-service: unknown"]);
    change.approve();
    for (recorded, code, word) in [
        ("03-v1-ready", 3, "k8s_only_version:order-service: pending"),
        ("05-step1", 3, "k8s_only_version:order-service: pending"),
        ("07-one-old-terminating", 3, "k8s_only_version:order-service: pending"),
        ("08-only-v2", 0, "k8s_only_version:order-service: pass"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/kubernetes/{recorded}.json"));
        // Written anew: evidence is as old as its file.
        change.write("pods.json", &fs::read_to_string(file).unwrap());
        expect(&change.say(&["run"]), code, &[word]);
    }
}

/// An estimate that was too low is not shown as if it had been counted.
#[tokio::test(flavor = "multi_thread")]
async fn rows_past_the_estimate_are_told_as_such() {
    let words = |rows_done, rows_total| {
        let event = Event::Batch { step: "backfill.1".into(), rows_done, rows_total, rows: 1000, milliseconds: 8 };
        progress::lines(&event).concat()
    };
    let batch = "(last batch: 1000 rows in 8 ms)";
    assert_eq!(words(4000, None), format!("  backfill.1  4000 rows {batch}"));
    assert_eq!(words(4000, Some(5000)), format!("  backfill.1  4000 of about 5000 rows {batch}"));
    assert_eq!(words(5001, Some(5000)), format!("  backfill.1  5001 rows, more than the 5000 estimated {batch}"));

    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    expect(&change.say(&["run"]), 3, &[]);
    let running = "UPDATE lockkeeper_step SET state = 'running', rows_total = 4 WHERE id = 'backfill.1'";
    assert_eq!(change.session().await.execute(running, &[]).await.unwrap(), 1);
    expect(&change.say(&["status"]), 0, &["running  10 rows, more than the 4 estimated"]);
    expect(&change.say(&["status", "--format", "json"]), 0, &["\"rows_done\":10,\"rows_total\":4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_needs_a_name() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    for user in [None, Some("")] {
        let mut command = change.command(&["approve", "--reason", "a test"]);
        match user {
            None => command.env_remove("USER"),
            Some(user) => command.env("USER", user),
        };
        let said = Said::from(command.output().unwrap());
        expect(&said, 2, &["nobody is named who approves: USER is not set", "hint: pass --by with a person's name"]);
    }
    expect(&change.say(&["approve", "--reason", "a test", "--by", "anna"]), 0, &["anna approved gate approval"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_old_version_holds_the_gate_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    change.write(
        "change.toml",
        "dialect = \"postgres\"\n[versions]\nold = \"v1\"\nnew = \"v2\"\n[[consumers]]\nname = \"order-service\"\n\
         application-name = \"order-service/{version}\"\n",
    );
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--phase", "backfill"]), 0, &[]);
    change.approve();
    let blank = ["approve", "--gate", "db_sessions", "--reason", "surely gone"];
    let old = database::connect(&change.database.url, "order-service/v1 pod=a").await.unwrap();
    // Nobody can stand in for what is seen.
    expect(&change.say(&blank), 1, &["evidence to the contrary", "pending, 1 session of v1 is still connected"]);
    let new = database::connect(&change.database.url, "order-service/v2 pod=b").await.unwrap();
    // The approval of db_sessions does not help: this is evidence to the contrary.
    expect(&change.say(&["run"]), 3, &["gate db_sessions: pending", "v1"]);
    drop(old);
    // The server takes a moment to notice that the session is gone.
    let mut said = change.say(&blank);
    for _ in 0..50 {
        if !said.err.contains("still connected") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        said = change.say(&blank);
    }
    expect(&said, 1, &["gate db_sessions is open: nothing has to be stood in for"]);
    expect(&change.say(&["run"]), 0, &["gate db_sessions: pass", "finished"]);
    drop(new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_old_version_holds_the_gate_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::rename(database, Dialect::Mysql, 10).await;
    change.write(
        "change.toml",
        "dialect = \"mysql\"\n[versions]\nold = \"v1\"\nnew = \"v2\"\n[[consumers]]\nname = \"order-service\"\nuser = \"orders_{version}\"\n",
    );
    let mut session = change.session().await;
    for version in ["v1", "v2"] {
        session.execute(&format!("DROP USER IF EXISTS orders_{version}@localhost"), &[]).await.unwrap();
        session.execute(&format!("CREATE USER orders_{version}@localhost"), &[]).await.unwrap();
        session.execute(&format!("GRANT SELECT ON *.* TO orders_{version}@localhost"), &[]).await.unwrap();
    }
    drop(session);
    let as_user = |user: &str| {
        let mut url = url::Url::parse(&change.database.url).unwrap();
        url.set_username(user).unwrap();
        url.set_password(None).unwrap();
        url.to_string()
    };
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--phase", "backfill"]), 0, &[]);
    change.approve();
    let old = database::connect(&as_user("orders_v1"), "").await.unwrap();
    expect(&change.say(&["run"]), 3, &["gate db_sessions: pending", "orders_v1"]);
    drop(old);
}

/// A table that somebody works on is waited for in short tries, and then the step goes through.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_is_tried_again() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    let mut busy = change.session().await;
    busy.execute("BEGIN", &[]).await.unwrap();
    busy.execute("LOCK TABLE orders IN SHARE MODE", &[]).await.unwrap();
    let mut command = change.command(&["run", "--phase", "expand"]);
    let run = std::thread::spawn(move || Said::from(command.output().unwrap()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    busy.execute("COMMIT", &[]).await.unwrap();
    expect(&run.join().unwrap(), 0, &["was given up so that nobody queues behind it", "expand.1  done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_no_probe_can_tell_is_refused_before_anything_is_done() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::rename(database, Dialect::Mysql, 10).await;
    change.write("change.toml", "");
    change.write(
        "expand.sql",
        "ALTER TABLE orders ADD COLUMN new_status varchar(20);\nALTER TABLE orders REMOVE PARTITIONING;\n",
    );
    let said = change.say(&["run", "--force", "--reason", "a test"]);
    expect(&said, 2, &["expand.sql:2", "nothing could tell whether this statement took effect"]);
    assert!(change.session().await.query("SELECT new_status FROM orders", &[]).await.is_err(), "nothing was done");
}
