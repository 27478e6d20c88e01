//! Several workers, in one process and in several, fill one table: every row exactly once, whoever is killed.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

const ROWS: i64 = 30_000;

/// A table of `ROWS` rows whose trigger counts in `hits` how often the backfill has come by, and in `by` over which
/// connection; an application writes `note` only.
async fn audited(database: TestDatabase, dialect: Dialect) -> Change {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let columns = "a varchar(40), b varchar(40), note int NOT NULL DEFAULT 0, hits int NOT NULL DEFAULT 0, worker int";
    execute(&mut session, &format!("CREATE TABLE t (id bigint PRIMARY KEY, {columns})")).await;
    match dialect {
        Dialect::Postgres => {
            let rows = format!("SELECT i * 3, 'value ' || i FROM generate_series(1, {ROWS}) i");
            execute(&mut session, &format!("INSERT INTO t (id, a) {rows}")).await;
            let body = "BEGIN IF NEW.note = OLD.note THEN NEW.hits := OLD.hits + 1; NEW.worker := pg_backend_pid(); END IF; RETURN NEW; END";
            execute(&mut session, &format!("CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"))
                .await;
            execute(&mut session, "CREATE TRIGGER audit BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION audit()")
                .await;
        }
        Dialect::Mysql => {
            let rows = format!("SELECT seq * 3, concat('value ', seq) FROM seq_1_to_{ROWS}");
            execute(&mut session, &format!("INSERT INTO t (id, a) {rows}")).await;
            let body = "IF NEW.note = OLD.note THEN SET NEW.hits = OLD.hits + 1, NEW.worker = connection_id(); END IF";
            execute(&mut session, &format!("CREATE TRIGGER audit BEFORE UPDATE ON t FOR EACH ROW {body}")).await;
        }
        Dialect::Sqlite => unreachable!("one writer at a time"),
    }
    let mut change = Change::empty(database);
    change.named("0001_fill");
    change.write(
        "change.toml",
        &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 100\nbatch-time = \"1ms\"\n"),
    );
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("backfill.sql", "UPDATE t SET b = a;");
    change
}

async fn execute(session: &mut Connection, sql: &str) -> u64 {
    session.execute(sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap()
}

fn ledger(dialect: Dialect, table: &str) -> String {
    if dialect == Dialect::Postgres { format!("lockkeeper.{table}") } else { format!("lockkeeper_{table}") }
}

/// Every row is filled, by exactly one committed batch; the ledger counted each once and keeps no range. Returns how
/// many connections took part.
async fn assert_each_once(change: &Change, dialect: Dialect) -> i64 {
    let mut session = change.session().await;
    let wrong = "SELECT id, a, b, hits FROM t WHERE hits <> 1 OR b IS NULL OR b <> a ORDER BY id LIMIT 5";
    let none: Vec<Vec<Value>> = Vec::new();
    assert_eq!(session.query(wrong, &[]).await.unwrap(), none);
    let left = format!("SELECT id, position, last_key, holder FROM {}", ledger(dialect, "range"));
    assert_eq!(session.query(&left, &[]).await.unwrap(), none);
    let counted = format!("SELECT rows_done, rows_total FROM {} WHERE id = 'backfill.1'", ledger(dialect, "step"));
    assert_eq!(session.query(&counted, &[]).await.unwrap(), [[Value::Int(ROWS), Value::Int(ROWS)]]);
    let workers = session.query("SELECT count(DISTINCT worker) FROM t", &[]).await.unwrap();
    let [[Value::Int(workers)]] = workers.as_slice().iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        panic!("{workers:?}")
    };
    *workers
}

/// Whole changes, until each of the three has filled something: on a busy machine the first may be done before the last
/// is there.
async fn in_one_process<D: AsyncFn() -> Option<TestDatabase>>(database: D, dialect: Dialect) {
    for _ in 0..20 {
        let Some(database) = database().await else { return };
        let change = audited(database, dialect).await;
        expect(&change.say(&["run", "--workers", "3"]), 0, &["finished"]);
        if assert_each_once(&change, dialect).await == 3 {
            return;
        }
    }
    panic!("the three never shared a backfill");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_share_a_backfill_on_postgres() {
    in_one_process(async || servers::postgres().await, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_share_a_backfill_on_mariadb() {
    in_one_process(async || servers::mariadb().await, Dialect::Mysql).await;
}

/// Writes `note` of any row, as an application does, until told to stop.
async fn write(url: String, stop: Arc<AtomicBool>) -> u32 {
    let mut session = database::connect(&url, "application").await.unwrap();
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        let sql = format!("UPDATE t SET note = note + 1 WHERE id = {}", fastrand::i64(1..=ROWS) * 3);
        // A write that did not get its lock did not happen.
        written += u32::from(session.execute(&sql, &[]).await.is_ok());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    written
}

/// A process that is started again whenever it has ended or was killed.
struct Process {
    arguments: &'static [&'static str],
    child: Child,
}

impl Process {
    fn start(change: &Change, arguments: &'static [&'static str]) -> Self {
        let child = change.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        Self { arguments, child }
    }

    fn kill(&mut self, change: &Change) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(change, self.arguments);
    }
}

/// One that runs, with two workers, and two that help; one of them is killed again and again, and every claim runs
/// out each time, also those of the living: whose range was taken over, must not write to it.
#[expect(clippy::print_stdout, reason = "how many kills it was")]
async fn killed_at_random(database: TestDatabase, dialect: Dialect) {
    let change = audited(database, dialect).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(change.database.url.clone(), Arc::clone(&stop)));
    let mut processes = [
        Process::start(&change, &["run", "--workers", "2", "--wait", "--interval", "1"]),
        Process::start(&change, &["run", "--join", "--wait", "--interval", "1"]),
        Process::start(&change, &["run", "--join", "--workers", "2", "--wait", "--interval", "1"]),
    ];
    let mut session = change.session().await;
    let mut kills = 0;
    let code = loop {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(fastrand::u64(50..400));
        let ended = loop {
            if let Some(status) = processes[0].child.try_wait().unwrap() {
                break Some(status.code().unwrap_or(-1));
            }
            if tokio::time::Instant::now() >= deadline {
                break None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        if let Some(code) = ended {
            break code;
        }
        // Towards the end they are left alone, so that there is one.
        if kills < 15 {
            let victim = fastrand::usize(0..processes.len());
            processes[victim].kill(&change);
            kills += 1;
        }
        let past = if dialect == Dialect::Postgres { "timestamptz 'epoch'" } else { "'2000-01-01'" };
        let _ = session.execute(&format!("UPDATE {} SET held_until = {past}", ledger(dialect, "range")), &[]).await;
    };
    for helper in &mut processes[1..] {
        let _ = helper.child.kill();
        helper.child.wait().unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let written = writer.await.unwrap();
    assert_eq!(code, 0, "{}", change.say(&["run"]).err);
    let connections = assert_each_once(&change, dialect).await;
    assert!(connections >= 2, "only {connections} connections took part");
    println!("{dialect}: {kills} kills, {connections} connections took part, {written} writes beside them");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_lose_nothing_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    killed_at_random(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_lose_nothing_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    killed_at_random(database, Dialect::Mysql).await;
}

/// There is nothing to help with, or it is another change: said, and nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_help_with_nothing_is_told() {
    let database = servers::sqlite();
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    execute(&mut session, "CREATE TABLE t (id integer PRIMARY KEY, a text, b text)").await;
    let mut change = Change::empty(database);
    change.named("0001_fill");
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("backfill.sql", "UPDATE t SET b = a;");
    expect(&change.say(&["run", "--join"]), 3, &["nothing to help with: no run of 0001_fill is under way"]);
    expect(&change.say(&["run", "--workers", "2"]), 2, &["SQLite has one writer at a time"]);
    expect(&change.say(&["run"]), 0, &["finished"]);
}

/// A row that the statement fails on, in the middle of a batch: its key is named, with what the server says of it; the
/// ledger keeps no value of it, and once it is mended the same command goes on, each row once.
async fn the_failing_row_is_named(database: TestDatabase, dialect: Dialect, says: &str) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    execute(&mut session, "CREATE TABLE t (id bigint PRIMARY KEY, a varchar(40), b int CHECK (b < 1000))").await;
    for first in (1..=2_000).step_by(500) {
        let rows: Vec<String> = (first..first + 500).map(|id| format!("({id}, '{}')", id % 100)).collect();
        execute(&mut session, &format!("INSERT INTO t (id, a) VALUES {}", rows.join(", "))).await;
    }
    let mut change = Change::empty(database);
    change.named("0001_fill");
    change.write("change.toml", &format!("dialect = \"{dialect}\""));
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("backfill.sql", "UPDATE t SET b = CAST(a AS decimal(9, 0));");
    for (bad, mended) in [("secret", "7"), ("5000", "8")] {
        // Two of them: the first is named.
        execute(&mut session, &format!("UPDATE t SET a = '{bad}' WHERE id IN (1234, 1300)")).await;
        let said = change.say(&["run"]);
        let says = if bad == "secret" { says } else { "b" };
        expect(&said, 4, &["step backfill.1 (backfill.sql:1): row 1234 of `t` cannot be filled", says]);
        let kept = format!("SELECT problem FROM {} WHERE id = 'backfill.1'", ledger(dialect, "step"));
        let kept = format!("{:?}", session.query(&kept, &[]).await.unwrap());
        assert!(kept.contains("row 1234 of `t`") && !kept.contains("secret"), "{kept}");
        execute(&mut session, &format!("UPDATE t SET a = '{mended}' WHERE id IN (1234, 1300)")).await;
    }
    expect(&change.say(&["run"]), 0, &["finished"]);
    let wrong = session.query("SELECT count(*) FROM t WHERE b IS NULL OR b <> CAST(a AS decimal(9, 0))", &[]).await;
    assert_eq!(wrong.unwrap(), [[Value::Int(0)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failing_row_is_named_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    the_failing_row_is_named(database, Dialect::Postgres, "invalid input syntax for type numeric: \"secret\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failing_row_is_named_on_mariadb() {
    let Some(database) = servers::mariadb_itself().await else { return };
    the_failing_row_is_named(database, Dialect::Mysql, "'secret'").await;
}
