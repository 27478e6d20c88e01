//! `kill -9` of the real binary at random moments, under writers of two versions: the same command goes on,
//! and in the end every row is what was written to it last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use lockkeeper::database::{self, Session, Value};
use lockkeeper::sql::Dialect;
use tokio::sync::Mutex;

use super::run::Change;
use super::servers::{self, TestDatabase};

const ROWS: u32 = 20_000;

/// Rows that the writers fight over; the rest is the backfill's alone.
const HOT: usize = 300;

/// What was last written to each hot row: locked while it is written, so that the order is known.
type Book = Arc<Vec<Mutex<String>>>;

/// Writes one column of random hot rows until told to stop; returns how many writes succeeded.
async fn write(url: String, dialect: Dialect, column: &'static str, book: Book, stop: Arc<AtomicBool>) -> u32 {
    let mut session = database::connect(&url, "a version").await.unwrap();
    let placeholders = if dialect == Dialect::Postgres { ["$1", "$2"] } else { ["?", "?"] };
    let sql = format!("UPDATE orders SET {column} = {} WHERE id = {}", placeholders[0], placeholders[1]);
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        let row = fastrand::usize(0..HOT);
        let mut last = book[row].lock().await;
        let value = format!("{column} {}", fastrand::u32(..1_000_000));
        let parameters = [Value::Text(value.clone()), Value::Int(i64::try_from(row + 1).unwrap())];
        // A write that did not get its lock did not happen.
        if session.execute(&sql, &parameters).await.is_ok() {
            *last = value;
            written += 1;
        }
        drop(last);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    written
}

/// Runs and kills until a run ends by itself; returns its exit code.
async fn run_and_kill(change: &Change, arguments: &[&str], kills: &AtomicU32) -> i32 {
    loop {
        let mut command = change.command(arguments);
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Longer with every kill, so that each gets on a little further than the one before.
        let patience = Duration::from_millis(fastrand::u64(5..150 + 10 * u64::from(kills.load(Ordering::SeqCst))));
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                let code = status.code().unwrap();
                if code == 4 {
                    let said = child.wait_with_output().unwrap();
                    panic!("{}", String::from_utf8_lossy(&said.stderr));
                }
                return code;
            }
            if tokio::time::Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills.fetch_add(1, Ordering::SeqCst);
    }
}

#[expect(clippy::print_stdout, reason = "how many kills it was")]
async fn killed_at_random(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, ROWS).await;
    change.write(
        "change.toml",
        &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 100\nbatch-time = \"1ms\"\n"),
    );
    let book: Book = Arc::new((1..=HOT).map(|id| Mutex::new(format!("state {}", id % 5))).collect());
    let kills = AtomicU32::new(0);
    let writer = |column| {
        let stop = Arc::new(AtomicBool::new(false));
        let url = change.database.url.clone();
        let task = tokio::spawn(write(url, dialect, column, Arc::clone(&book), Arc::clone(&stop)));
        (task, stop)
    };

    let old = writer("old_status");
    assert_eq!(run_and_kill(&change, &["run", "--phase", "expand"], &kills).await, 0);
    // From expand on, whoever writes one column writes both.
    let new = writer("new_status");
    assert_eq!(run_and_kill(&change, &["run"], &kills).await, 3, "the gates are closed");
    old.1.store(true, Ordering::SeqCst);
    let old_writes = old.0.await.unwrap();
    change.approve();
    assert_eq!(run_and_kill(&change, &["run"], &kills).await, 0);
    new.1.store(true, Ordering::SeqCst);
    let new_writes = new.0.await.unwrap();

    let mut session = change.session().await;
    let rows = session.query("SELECT id, new_status FROM orders ORDER BY id", &[]).await.unwrap();
    assert_eq!(rows.len(), ROWS as usize);
    for (index, row) in rows.iter().enumerate() {
        let expected = match book.get(index) {
            Some(last) => last.lock().await.clone(),
            None => format!("state {}", (index + 1) % 5),
        };
        assert_eq!(row[1], Value::Text(expected), "row {}", index + 1);
    }
    let kills = kills.load(Ordering::SeqCst);
    assert!(kills >= 5, "{kills} kills are too few to have hit anything");
    assert!(old_writes > 0 && new_writes > 0, "{old_writes} and {new_writes} writes");
    println!("{dialect}: {kills} kills, {old_writes} writes of the old version and {new_writes} of the new, none lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    killed_at_random(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    killed_at_random(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_sqlite() {
    killed_at_random(servers::sqlite(), Dialect::Sqlite).await;
}
