//! One runner: what it writes is fenced, and those that wait for it stand in nobody's way.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use lockkeeper::database::{self, Connection, DatabaseError, Session, Value};
use lockkeeper::gate;
use lockkeeper::plan::{Action, Phase, Plan, directory};
use lockkeeper::run::{self, Ledger, Outcome, Request};
use lockkeeper::sql::Dialect;

use super::run::Change;
use super::servers::{self, TestDatabase};

/// A session that writes down what was sent.
struct Recorder {
    connection: Connection,
    sent: Vec<String>,
}

impl Session for Recorder {
    fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        self.sent.push(sql.to_string());
        self.connection.execute(sql, parameters).await
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        self.sent.push(sql.to_string());
        self.connection.query(sql, parameters).await
    }

    async fn another(&self) -> lockkeeper::error::Result<Self> {
        Ok(Self { connection: self.connection.another().await?, sent: Vec::new() })
    }
}

/// Whether a statement of a transaction, or one alone, only reads.
fn reads(sql: &str) -> bool {
    ["SELECT", "WITH", "EXPLAIN", "SHOW", "PRAGMA", "SET", "RESET", "BEGIN", "ROLLBACK"]
        .iter()
        .any(|word| sql.trim_start().starts_with(word))
}

fn renews(sql: &str) -> bool {
    sql.starts_with("UPDATE") && sql.contains("lease SET held_until") && sql.contains("token =")
}

/// Batches share the lease's row, so that workers do not wait for each other.
fn shares(sql: &str) -> bool {
    sql.starts_with("SELECT 1 FROM") && sql.contains("lease WHERE id = 1 AND token =")
}

/// What the run wrote without the fence: a transaction that does not end with it, or a statement outside of any that
/// is no step of the plan.
fn unfenced(sent: &[String], plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut transaction: Option<Vec<&String>> = None;
    for sql in sent {
        match (&mut transaction, sql.as_str()) {
            (None, "BEGIN" | "BEGIN IMMEDIATE") => transaction = Some(Vec::new()),
            (Some(statements), "COMMIT") => {
                if !statements.last().is_some_and(|last| renews(last) || shares(last))
                    && !statements.iter().all(|one| reads(one))
                {
                    wrong.push(format!("{statements:?}"));
                }
                transaction = None;
            }
            (Some(_), "ROLLBACK") => transaction = None,
            (Some(statements), _) => statements.push(sql),
            (None, sql) if reads(sql) || renews(sql) => {}
            (None, sql) => {
                let of_plan = plan.steps.iter().any(|step| {
                    matches!(step.action, Action::Statement { transactional: false }) && sql.contains(&step.sql)
                });
                if !of_plan {
                    wrong.push(sql.to_string());
                }
            }
        }
    }
    wrong
}

/// A whole run, and every write of it.
async fn every_write_is_fenced(url: &str, dialect: Dialect) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/crash").join(dialect.name()).join("everything");
    let plan = directory::read(&path, Some(dialect)).unwrap();
    let connection = database::connect(url, "lockkeeper audit").await.unwrap();
    let mut session = Recorder { connection, sent: Vec::new() };
    for sql in [
        "CREATE TABLE journal (what varchar(20))",
        "CREATE TABLE orders (id bigint PRIMARY KEY, old_status varchar(40))",
        "INSERT INTO orders (id, old_status) VALUES (3, 'a'), (6, 'b'), (9, NULL)",
        "CREATE INDEX orders_old_status ON orders (old_status)",
    ] {
        session.connection.execute(sql, &[]).await.unwrap();
    }
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "audit", None).await.unwrap().unwrap();
    session.sent.clear();
    let request = Request {
        plan: &plan,
        directory: path.clone(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url,
    };
    let outcome = run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting(_)), "{outcome:?}");
    let evidence = run::evidence(&mut session.connection, &ledger, &plan, &path).await.unwrap();
    for gate in gate::gates_of(&plan, Phase::Contract) {
        let missing = gate::without_stand_in(&gate, &evidence).gaps;
        ledger.approve(&mut session.connection, &plan, &gate.name, "audit", "a test", &missing).await.unwrap();
    }
    let outcome = run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(unfenced(&session.sent, &plan), Vec::<String>::new());
    let fences = session.sent.iter().filter(|sql| renews(sql)).count();
    assert!(fences > plan.steps.len(), "{fences} fences are too few to be all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_fenced_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    every_write_is_fenced(&database.url, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_fenced_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    every_write_is_fenced(&database.url, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_fenced_on_sqlite() {
    every_write_is_fenced(&servers::sqlite().url, Dialect::Sqlite).await;
}

/// So is every write of an undo.
async fn every_write_of_an_undo_is_fenced(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 10).await;
    let plan = directory::read(&change.path, Some(dialect)).unwrap();
    let mut session = Recorder { connection: change.session().await, sent: Vec::new() };
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "audit", None).await.unwrap().unwrap();
    let request = Request {
        plan: &plan,
        directory: change.path.clone(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url: &change.database.url,
    };
    run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap();
    session.sent.clear();
    let word = run::Word { by: "audit", reason: "a test" };
    let outcome = run::revert::undo(&mut session, &ledger, &lease, &request, word, &mut |_| {}).await.unwrap();
    assert_eq!(outcome, Outcome::Finished);
    // A person's word needs no lease.
    session.sent.retain(|sql| !(sql.starts_with("INSERT INTO") && sql.contains("approval")));
    let plan = Plan { steps: plan.revert.clone(), ..plan };
    assert_eq!(unfenced(&session.sent, &plan), Vec::<String>::new());
    assert!(session.sent.iter().any(|sql| renews(sql)));
    let alone = plan.steps.iter().any(|step| step.action == (Action::Statement { transactional: false }));
    let limited = |sql: &String| sql.contains("wait_timeout = 15") || sql.contains("'15000ms'");
    assert_eq!(session.sent.iter().any(limited), alone, "{:?}", session.sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_an_undo_is_fenced_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    every_write_of_an_undo_is_fenced(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_an_undo_is_fenced_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    every_write_of_an_undo_is_fenced(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_an_undo_is_fenced_on_sqlite() {
    every_write_of_an_undo_is_fenced(servers::sqlite(), Dialect::Sqlite).await;
}

/// The server's clock alone says when a lease ends: a runner whose clock is wrong takes none over, and loses none.
#[test]
fn the_ledger_asks_no_clock_of_ours() {
    let room = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/run/ledger");
    for entry in std::fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for clock in ["SystemTime", "now_utc", "Instant"] {
            assert!(!text.contains(clock), "{}: {clock}", path.display());
        }
    }
}

/// Lockkeeper only adds to these; who may do more is the DBA's to grant.
#[test]
fn events_and_evidence_are_only_added_to() {
    let room = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![room];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let text = text.replace("{{", "{").replace("}}", "}");
        for table in ["event", "evidence"] {
            for verb in ["UPDATE", "DELETE FROM", "TRUNCATE"] {
                let statement = format!("{verb} {{prefix}}{table}");
                assert!(!text.contains(&statement), "{}: {statement}", path.display());
            }
        }
    }
}

/// Before a statement that carries no fence, asks how long the session may stand still.
struct Watched {
    connection: Connection,
    steps: Vec<String>,
    limits: Vec<Value>,
}

impl Watched {
    async fn limit(&mut self) -> Value {
        let sql = match self.connection.dialect() {
            Dialect::Postgres => "SELECT setting::int FROM pg_settings WHERE name = 'idle_session_timeout'",
            _ => "SELECT @@wait_timeout * 1000",
        };
        self.connection.query(sql, &[]).await.unwrap()[0][0].clone()
    }
}

impl Session for Watched {
    fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        if self.steps.iter().any(|step| sql.contains(step)) {
            let limit = self.limit().await;
            self.limits.push(limit);
        }
        self.connection.execute(sql, parameters).await
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        self.connection.query(sql, parameters).await
    }

    async fn another(&self) -> lockkeeper::error::Result<Self> {
        Ok(Self { connection: self.connection.another().await?, steps: self.steps.clone(), limits: Vec::new() })
    }
}

/// A runner that stood still for longer than its lease lives cannot send what carries no fence: its session is gone.
async fn no_unfenced_statement_after_a_standstill(
    database: TestDatabase,
    dialect: Dialect,
    expand: &str,
    count: usize,
) {
    let change = Change::rename(database, dialect, 10).await;
    change.write("change.toml", "");
    change.write("expand.sql", expand);
    let plan = directory::read(&change.path, Some(dialect)).unwrap();
    let alone = plan.steps.iter().filter(|step| matches!(step.action, Action::Statement { transactional: false }));
    let steps: Vec<String> = alone.filter(|step| step.phase == Phase::Expand).map(|step| step.sql.clone()).collect();
    let mut session = Watched { connection: change.session().await, steps, limits: Vec::new() };
    let usual = session.limit().await;
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "watched", None).await.unwrap().unwrap();
    let expand = Some(Phase::Expand);
    let request = Request {
        plan: &plan,
        directory: change.path.clone(),
        phase: expand,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url: &change.database.url,
    };
    let outcome = run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(session.limits, vec![Value::Int(15_000); count]);
    assert_eq!(session.limit().await, usual);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unfenced_statement_after_a_standstill_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let expand = "CREATE INDEX CONCURRENTLY by_customer ON orders (customer);";
    no_unfenced_statement_after_a_standstill(database, Dialect::Postgres, expand, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unfenced_statement_after_a_standstill_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let expand = "ALTER TABLE orders ADD COLUMN x int;\nALTER TABLE orders ADD COLUMN y int;";
    no_unfenced_statement_after_a_standstill(database, Dialect::Mysql, expand, 2).await;
}

/// A lease that cannot be renewed from the side is told, and the run goes on with what it can still write.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_gets_no_connection_is_told() {
    let Some(database) = servers::postgres().await else { return };
    let mut admin = database::connect(&database.url, "test").await.unwrap();
    let (name, role) = (database.name().to_string(), format!("h_{}", database.name()));
    for sql in [
        format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 1"),
        format!("GRANT CREATE ON DATABASE {name} TO {role}"),
        format!("GRANT CREATE ON SCHEMA public TO {role}"),
    ] {
        admin.execute(&sql, &[]).await.unwrap();
    }
    let mut change = Change::empty(database);
    change.named("0001");
    change.write("change.toml", "");
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("contract.sql", "DROP TABLE u;");
    let url = change.database.url.replace("postgres://postgres@", &format!("postgres://{role}@"));
    let mut command = change.command(&["run", "--wait", "--interval", "1"]);
    command.env("LOCKKEEPER_DATABASE_URL", url);
    let mut runner = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(runner.stderr.take().unwrap()).lines();
    let told = lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains("lease could not be renewed")));
    assert!(told.unwrap().contains("too many connections for role"));
    change.approve();
    assert!(lines.any(|line| line.unwrap().contains("finished")));
    assert_eq!(runner.wait().unwrap().code(), Some(0));
    for sql in [format!("DROP OWNED BY {role} CASCADE"), format!("DROP ROLE {role}")] {
        admin.execute(&sql, &[]).await.unwrap();
    }
}

/// How many sessions of runners are in this state.
async fn runners(watcher: &mut Connection, condition: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lockkeeper' AND {condition}"
    );
    match watcher.query(&sql, &[]).await.unwrap()[0][0] {
        Value::Int(count) => count,
        _ => 0,
    }
}

/// A runner that waits, with the first line that says so.
fn waiting_runner(change: &Change) -> Child {
    let mut command = change.command(&["run", "--phase", "expand", "--wait", "--interval", "1"]);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("another runner holds the lease: pid "), "{first}");
    // What it says later is nobody's business, but the pipe must not fill or break.
    std::thread::spawn(move || lines.count());
    child
}

/// Peers that wait in a blocking lock call deadlock with a concurrent build, which waits for their snapshots.
#[tokio::test(flavor = "multi_thread")]
async fn three_runners_wait_while_an_index_is_built() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 100).await;
    change.write("change.toml", "");
    change.write("expand.sql", "CREATE INDEX CONCURRENTLY by_customer ON orders (customer);");
    let mut reader = database::connect(&change.database.url, "reader").await.unwrap();
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", &[]).await.unwrap();
    reader.execute("SET LOCAL idle_in_transaction_session_timeout = 0", &[]).await.unwrap();
    reader.query("SELECT count(*) FROM orders", &[]).await.unwrap();
    let mut builder = change.command(&["run", "--phase", "expand"]);
    let builder = builder.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watcher = change.session().await;
    while runners(&mut watcher, "wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'").await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let waiting = [waiting_runner(&change), waiting_runner(&change), waiting_runner(&change)];
    // Idle, and without a snapshot that the build would have to wait for.
    while runners(&mut watcher, "state = 'idle' AND backend_xmin IS NULL AND backend_xid IS NULL").await != 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // They look again meanwhile, and the build is still at it.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(runners(&mut watcher, "query LIKE 'CREATE INDEX%' AND state = 'active'").await, 1);
    reader.execute("COMMIT", &[]).await.unwrap();
    let built = builder.wait_with_output().unwrap();
    assert_eq!(built.status.code(), Some(0), "{}", String::from_utf8_lossy(&built.stderr));
    for mut child in waiting {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_customer'::regclass";
    assert_eq!(watcher.query(valid, &[]).await.unwrap(), [[Value::Int(1)]]);
    let begun = "SELECT count(*) FROM lockkeeper.event WHERE step = 'expand.1' AND kind = 'running'";
    assert_eq!(watcher.query(begun, &[]).await.unwrap(), [[Value::Int(1)]], "it was built once");
}

/// A lease that nobody renews is taken over, and what its holder then does not know, its next write tells.
async fn a_lost_lease_stops_the_next_write(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 1_000).await;
    let plan = directory::read(&change.path, Some(dialect)).unwrap();
    let (mut first, mut second) = (change.session().await, change.session().await);
    let ledger = Ledger::open(&mut first).await.unwrap();
    let lease = ledger.acquire(&mut first, "first", None).await.unwrap().unwrap();
    let held = ledger.acquire(&mut second, "second", None).await.unwrap().unwrap_err();
    assert_eq!(held.holder, "first");
    let table = if dialect == Dialect::Postgres { "lockkeeper.lease" } else { "lockkeeper_lease" };
    second.execute(&format!("UPDATE {table} SET held_until = '2000-01-01 00:00:00'"), &[]).await.unwrap();
    let taken = ledger.acquire(&mut second, "second", None).await.unwrap().unwrap();
    assert_eq!(taken.token, lease.token + 1, "the token grows");
    let request = Request {
        plan: &plan,
        directory: change.path.clone(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url: &change.database.url,
    };
    let error = run::carry_out(&mut first, &ledger, &lease, &request, &mut |_| {}).await.unwrap_err();
    assert_eq!((error.exit_code(), error.message.ends_with("another runner has taken over")), (3, true), "{error}");
    assert!(!ledger.renew(&mut first, &lease).await.unwrap());
    assert!(ledger.steps(&mut second, &plan.name).await.unwrap().is_empty(), "the first one wrote");
    run::carry_out(&mut second, &ledger, &taken, &request, &mut |_| {}).await.unwrap();
    // A release by the first one is none.
    ledger.release(&mut first, &lease).await.unwrap();
    assert!(ledger.renew(&mut second, &taken).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_stops_the_next_write_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    a_lost_lease_stops_the_next_write(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_stops_the_next_write_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    a_lost_lease_stops_the_next_write(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_stops_the_next_write_on_sqlite() {
    a_lost_lease_stops_the_next_write(servers::sqlite(), Dialect::Sqlite).await;
}
