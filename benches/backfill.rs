//! `cargo bench --bench backfill`: what a backfill costs beside one plain UPDATE of the same rows, and what the
//! application notices of it, on durable servers of its own; prints a table.
//!
//! `LOCKKEEPER_BENCH_ROWS` (2,000,000; a quarter of it on MariaDB) and `LOCKKEEPER_BENCH_RUNS` (3) make a trial
//! shorter. The variants take turns in each run, and medians count. On MariaDB ALTER ... ALGORITHM=COPY and
//! pt-online-schema-change rebuild the table beside it (Debian's percona-toolkit).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on should stop")]

#[path = "backfill/durable.rs"]
mod durable;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use durable::Durable;
use lockkeeper::database::{Connection, Session, Value, connect};
use lockkeeper::sql::Dialect;

/// Connections of the application.
const WRITERS: usize = 2;
/// How long the application is looked at while nothing else goes on.
const IDLE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let number = |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (rows, runs) = (number("LOCKKEEPER_BENCH_ROWS", 2_000_000), number("LOCKKEEPER_BENCH_RUNS", 3));
    for (server, rows) in [(Durable::postgres(), rows), (Durable::mariadb(), rows / 4)] {
        match server {
            Ok(server) => compare(&server, rows, runs).await,
            Err(why) => println!("NOT MEASURED: {why}"),
        }
    }
}

/// One way to fill the column.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    Ours { sync: bool, workers: u32 },
    Copy,
    PtOnlineSchemaChange,
}

impl Way {
    fn of(dialect: Dialect) -> Vec<Self> {
        let mut ways = vec![
            Self::Plain,
            Self::Ours { sync: false, workers: 1 },
            Self::Ours { sync: true, workers: 1 },
            Self::Ours { sync: false, workers: 2 },
        ];
        if dialect == Dialect::Mysql {
            ways.extend([Self::Copy, Self::PtOnlineSchemaChange]);
        }
        ways
    }

    fn name(self) -> String {
        match self {
            Self::Plain => "one plain UPDATE".into(),
            Self::Ours { sync, workers } => {
                let sync = if sync { ", two-way sync" } else { "" };
                format!("lockkeeper, {workers} worker{}{sync}", if workers == 1 { "" } else { "s" })
            }
            Self::Copy => "ALTER TABLE ... ALGORITHM=COPY".into(),
            Self::PtOnlineSchemaChange => "pt-online-schema-change".into(),
        }
    }
}

/// What one way cost, and what the application noticed of it.
struct Cost {
    seconds: f64,
    latency: Latency,
}

#[derive(Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
    per_second: f64,
}

async fn compare(server: &Durable, rows: u64, runs: u64) {
    let ways = Way::of(server.dialect);
    let mut costs: Vec<Vec<Cost>> = ways.iter().map(|_| Vec::new()).collect();
    let (mut idle, mut idle_sync) = (Vec::new(), Vec::new());
    for run in 0..runs {
        for (way, costs) in ways.iter().zip(&mut costs) {
            table(server, rows).await;
            if matches!(way, Way::Plain) {
                idle.push(while_idle(server, rows).await);
            }
            match measure(server, *way, rows).await {
                Ok(cost) => costs.push(cost),
                Err(why) if run == 0 => println!("NOT MEASURED: {}: {why}", way.name()),
                Err(_) => {}
            }
            // The triggers stay behind when the backfill is done.
            if matches!(way, Way::Ours { sync: true, .. }) {
                idle_sync.push(while_idle(server, rows).await);
            }
        }
    }
    println!("\n{}, {rows} rows, {WRITERS} writers, medians of {runs}\n", server.version);
    println!("| way | seconds | ratio | writers: p50 ms | p99 ms | max ms | per second |");
    println!("|---|---|---|---|---|---|---|");
    let line = |name: &str, seconds: String, ratio: String, latency: Latency| {
        let Latency { p50, p99, max, per_second } = latency;
        println!("| {name} | {seconds} | {ratio} | {p50:.2} | {p99:.2} | {max:.1} | {per_second:.0} |");
    };
    line("nothing", String::new(), String::new(), typical(&idle));
    line("nothing, two-way sync", String::new(), String::new(), typical(&idle_sync));
    let seconds = |costs: &[Cost]| median(costs.iter().map(|cost| cost.seconds));
    let plain = seconds(&costs[0]);
    for (way, costs) in ways.iter().zip(&costs).filter(|(_, costs)| !costs.is_empty()) {
        let latencies: Vec<_> = costs.iter().map(|cost| cost.latency).collect();
        let took = seconds(costs);
        line(&way.name(), format!("{took:.1}"), format!("{:.2}", took / plain), typical(&latencies));
    }
}

fn typical(all: &[Latency]) -> Latency {
    let of = |figure: fn(&Latency) -> f64| median(all.iter().map(figure));
    Latency {
        p50: of(|one| one.p50),
        p99: of(|one| one.p99),
        max: of(|one| one.max),
        per_second: of(|one| one.per_second),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn execute(session: &mut Connection, sql: &str) {
    session.execute(sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
}

/// A fresh table, as after a vacuum, and nothing of an earlier run.
async fn table(server: &Durable, rows: u64) {
    let mut session = connect(&server.url, "bench").await.unwrap();
    let postgres = server.dialect == Dialect::Postgres;
    let ledger = if postgres {
        vec!["DROP SCHEMA IF EXISTS lockkeeper CASCADE".to_string()]
    } else {
        objects(&mut session).await
    };
    for sql in ledger {
        execute(&mut session, &sql).await;
    }
    execute(&mut session, "DROP TABLE IF EXISTS t").await;
    execute(&mut session, "CREATE TABLE t (id bigint PRIMARY KEY, old varchar(40), n int NOT NULL DEFAULT 0)").await;
    let filled = if postgres {
        format!("INSERT INTO t (id, old) SELECT i, md5(i::text) FROM generate_series(1, {rows}) i")
    } else {
        format!("INSERT INTO t (id, old) SELECT seq, md5(seq) FROM seq_1_to_{rows}")
    };
    execute(&mut session, &filled).await;
    for sql in if postgres { &["VACUUM ANALYZE t", "CHECKPOINT"][..] } else { &["ANALYZE TABLE t"] } {
        execute(&mut session, sql).await;
    }
}

/// What drops the ledger where it has no schema of its own.
async fn objects(session: &mut Connection) -> Vec<String> {
    let sql = "SELECT table_name, table_type FROM information_schema.tables
        WHERE table_schema = database() AND table_name LIKE 'lockkeeper%'";
    let rows = session.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| match row.as_slice() {
            [Value::Text(name), Value::Text(kind)] if kind == "VIEW" => format!("DROP VIEW {name}"),
            [Value::Text(name), _] => format!("DROP TABLE {name}"),
            _ => unreachable!("a name and a kind"),
        })
        .collect()
}

async fn while_idle(server: &Durable, rows: u64) -> Latency {
    let writers = Writers::start(server, rows);
    tokio::time::sleep(IDLE).await;
    writers.stop().await
}

/// Fills the column while the application writes.
async fn measure(server: &Durable, way: Way, rows: u64) -> Result<Cost, String> {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("fill");
    if let Way::Ours { sync, .. } = way {
        change(&place, server.dialect, sync);
        // Column and triggers are there before the clock starts.
        lockkeeper(server, &place, &["--phase", "expand"])?;
    } else if matches!(way, Way::Plain) {
        execute(&mut connect(&server.url, "bench").await.unwrap(), "ALTER TABLE t ADD COLUMN new varchar(40)").await;
    }
    let writers = Writers::start(server, rows);
    let filled = fill(server, way, &place).await;
    let latency = writers.stop().await;
    Ok(Cost { seconds: filled?, latency })
}

/// How many seconds it takes. Ours are those of the step, by the ledger: the proof that follows has no counterpart.
async fn fill(server: &Durable, way: Way, place: &Path) -> Result<f64, String> {
    let mut session = connect(&server.url, "bench").await.unwrap();
    let begun = Instant::now();
    match way {
        Way::Plain => execute(&mut session, "UPDATE t SET new = upper(old)").await,
        Way::Copy => execute(&mut session, "ALTER TABLE t ADD COLUMN new varchar(40), ALGORITHM=COPY").await,
        Way::PtOnlineSchemaChange => pt_online_schema_change(server)?,
        Way::Ours { workers, .. } => {
            lockkeeper(server, place, &["--phase", "backfill", "--workers", &workers.to_string()])?;
            let sql = if server.dialect == Dialect::Postgres {
                "SELECT CAST(extract(epoch FROM finished_at - started_at) * 1000 AS bigint) FROM lockkeeper.step WHERE id = 'backfill.1'"
            } else {
                "SELECT TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) DIV 1000 FROM lockkeeper_step WHERE id = 'backfill.1'"
            };
            let rows = session.query(sql, &[]).await.unwrap();
            let Some([Value::Int(milliseconds)]) = rows.first().map(Vec::as_slice) else { panic!("{rows:?}") };
            return Ok(Duration::from_millis(u64::try_from(*milliseconds).unwrap()).as_secs_f64());
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn lockkeeper(server: &Durable, change: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.arg("run").arg(change).args(arguments).env("LOCKKEEPER_DATABASE_URL", &server.url);
    said(command)
}

fn pt_online_schema_change(server: &Durable) -> Result<(), String> {
    let mut command = Command::new("pt-online-schema-change");
    let place = format!("S={},u=root,D=bench,t=t", server.socket().display());
    command.args([
        "--execute",
        "--alter",
        "ADD COLUMN new varchar(40)",
        "--max-load",
        "",
        "--critical-load",
        "",
        &place,
    ]);
    said(command)
}

fn said(mut command: Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The change directory; `sync` keeps both columns equal, whoever writes which.
fn change(place: &Path, dialect: Dialect, sync: bool) {
    fs::create_dir(place).unwrap();
    let column = "ALTER TABLE t ADD COLUMN new varchar(40);\n";
    let triggers = match (sync, dialect) {
        (false, _) => "",
        (true, Dialect::Postgres) => include_str!("backfill/sync-postgres.sql"),
        (true, _) => include_str!("backfill/sync-mysql.sql"),
    };
    fs::write(place.join("change.toml"), format!("dialect = \"{dialect}\"\n")).unwrap();
    fs::write(place.join("expand.sql"), format!("{column}{triggers}")).unwrap();
    fs::write(place.join("backfill.sql"), "UPDATE t SET new = upper(old);\n").unwrap();
}

/// The application: single-row updates of any row, one after the other.
struct Writers {
    stop: Arc<AtomicBool>,
    begun: Instant,
    tasks: Vec<tokio::task::JoinHandle<Vec<f64>>>,
}

impl Writers {
    fn start(server: &Durable, rows: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |_| tokio::spawn(write(server.url.clone(), rows, Arc::clone(&stop)));
        let tasks = (0..WRITERS).map(task).collect();
        Self { stop, begun: Instant::now(), tasks }
    }

    async fn stop(self) -> Latency {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.unwrap());
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        all.sort_by(f64::total_cmp);
        let at = |share: usize| all.get(all.len() * share / 100).copied().unwrap_or(f64::NAN);
        #[expect(clippy::cast_precision_loss, reason = "a number of writes")]
        let per_second = all.len() as f64 / seconds;
        Latency { p50: at(50), p99: at(99), max: all.last().copied().unwrap_or(f64::NAN), per_second }
    }
}

/// Milliseconds of each write. A table that is swapped under it costs a write, which is counted as any other.
async fn write(url: String, rows: u64, stop: Arc<AtomicBool>) -> Vec<f64> {
    let mut session = connect(&url, "shop").await.unwrap();
    let _ = session
        .execute(
            if session.dialect() == Dialect::Postgres {
                "SET lock_timeout = 0"
            } else {
                "SET innodb_lock_wait_timeout = 600, lock_wait_timeout = 600"
            },
            &[],
        )
        .await;
    let mut took = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let sql = format!("UPDATE t SET n = n + 1 WHERE id = {}", fastrand::u64(1..=rows));
        let begun = Instant::now();
        let _ = session.execute(&sql, &[]).await;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    took
}
