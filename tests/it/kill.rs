//! `kill -9` of the real binary at random moments, under writers of two versions: the same command goes on,
//! and in the end every row is what was written to it last.
//!
//! `LOCKKEEPER_KILLS` says how many kills it shall be on each engine.

use std::process::Stdio;
use std::time::Duration;

use lockkeeper::sql::Dialect;

use super::run::Change;
use super::servers::{self, TestDatabase};
use super::writers::{Book, OPERATIONS, Version, Writer};

const ROWS: u32 = 6_000;

/// The runs of one phase, killed and started again until one ends by itself.
struct Killer {
    kills: u32,
}

impl Fault for Killer {
    async fn run(&mut self, change: &Change, book: &Book, arguments: &[&str], code: i32) {
        // The later a kill, the more it has to hit; some come before anything was done.
        let mut patience = 60.0;
        loop {
            let mut command = change.command(arguments);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let kill = tokio::time::Instant::now() + Duration::from_secs_f64(fastrand::f64() * patience / 1000.0);
            while child.try_wait().unwrap().is_none() && tokio::time::Instant::now() < kill {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // One that has ended has its exit code.
            child.kill().unwrap();
            let said = child.wait_with_output().unwrap();
            if let Some(ended) = said.status.code() {
                let said = String::from_utf8_lossy(&said.stderr);
                // What was refused says one row; the book knows them all.
                assert!(
                    ended == code,
                    "{ended} after {} kills: {said}{:#?}",
                    self.kills,
                    book.differences(&change.database.url, true).await
                );
                return;
            }
            self.kills += 1;
            patience *= 1.08;
        }
    }
}

/// What happens to runs.
pub(crate) trait Fault {
    /// Runs, with this fault again and again, until a run ends as it should: with this exit code.
    async fn run(&mut self, change: &Change, book: &Book, arguments: &[&str], code: i32);
}

/// A change from its first step to its last, disturbed again and again. Returns what the writers of each version did.
pub(crate) async fn round(database: TestDatabase, dialect: Dialect, killer: &mut impl Fault) -> [[u32; OPERATIONS]; 2] {
    let book = Book::open(&database.url, ROWS).await;
    let change = change(database, dialect);
    let writers = |version| [0; 2].map(|_| book.writer(&change.database.url, version));
    let old = writers(Version::Old);
    killer.run(&change, &book, &["run", "--phase", "expand"], 0).await;
    // From expand on, whoever writes one column writes both.
    let new = writers(Version::New);
    // The gates are closed.
    killer.run(&change, &book, &["run"], 3).await;
    let old = end(old).await;
    book.compare(&change.database.url, true).await;
    change.approve();
    killer.run(&change, &book, &["run"], 0).await;
    let new = end(new).await;
    book.compare(&change.database.url, false).await;
    [old, new]
}

async fn end(writers: [Writer; 2]) -> [u32; OPERATIONS] {
    let [one, two] = writers;
    let (one, two) = (one.end().await, two.end().await);
    std::array::from_fn(|operation| one[operation] + two[operation])
}

/// `item.price` becomes `item.cents`.
fn change(database: TestDatabase, dialect: Dialect) -> Change {
    let mut change = Change::empty(database);
    change.named("0043_item_cents");
    let files = format!("{}/fixtures/writers/{dialect}", env!("CARGO_MANIFEST_DIR"));
    for file in ["change.toml", "expand.sql", "backfill.sql", "contract.sql"] {
        change.write(file, &std::fs::read_to_string(format!("{files}/{file}")).unwrap());
    }
    change
}

#[expect(clippy::print_stdout, reason = "how many kills it was")]
async fn killed_at_random<F: AsyncFn() -> Option<TestDatabase>>(database: F, dialect: Dialect, kills: u32) {
    let wanted = std::env::var("LOCKKEEPER_KILLS").map_or(kills, |text| text.parse().expect("a number of kills"));
    let mut killer = Killer { kills: 0 };
    let (mut rounds, mut written) = (0, [[0; OPERATIONS]; 2]);
    while killer.kills < wanted {
        let Some(database) = database().await else { return };
        for (sum, counts) in written.iter_mut().zip(round(database, dialect, &mut killer).await) {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        rounds += 1;
        println!("{dialect}: {} kills in {rounds} changes; writes of each kind: {written:?}, none lost", killer.kills);
    }
    assert!(written.as_flattened().iter().all(|count| *count > 0), "each kind of write, of each version: {written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_postgres() {
    killed_at_random(async || servers::postgres().await, Dialect::Postgres, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_mariadb() {
    killed_at_random(async || servers::mariadb().await, Dialect::Mysql, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_sqlite() {
    killed_at_random(async || Some(servers::sqlite()), Dialect::Sqlite, 50).await;
}
