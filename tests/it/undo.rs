//! An undo that is cut off anywhere: every answer of the database is lost once, and the real binary is killed in the
//! middle; the same command goes on, and each statement of revert.sql takes effect exactly once.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::error::{Error, Kind};
use lockkeeper::plan::{Phase, Plan, directory};
use lockkeeper::run::{self, Ledger, Outcome, Request, Word, revert};
use lockkeeper::sql::Dialect;

use super::crash::{Fault, Flaky, Lost};
use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// A change whose undo says in a table of its own that it was carried out.
async fn change(database: TestDatabase, dialect: Dialect) -> Change {
    let mut change = Change::empty(database);
    change.named("0045_undone");
    let concurrently = if dialect == Dialect::Postgres { "CONCURRENTLY " } else { "" };
    let on = if dialect == Dialect::Mysql { " ON orders" } else { "" };
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN new_status varchar(40);\n");
    change.write(
        "backfill.sql",
        &format!("UPDATE orders SET new_status = status;\nCREATE INDEX {concurrently}filled ON orders (new_status);\n"),
    );
    change.write("contract.sql", "ALTER TABLE orders DROP COLUMN status;\n");
    change.write(
        "revert.sql",
        &format!(
            "INSERT INTO journal VALUES ('undone');\nDROP INDEX {concurrently}filled{on};\n\
             ALTER TABLE orders DROP COLUMN new_status;\n"
        ),
    );
    let mut session = change.session().await;
    for sql in [
        "CREATE TABLE orders (id bigint PRIMARY KEY, status varchar(40))",
        "INSERT INTO orders VALUES (1, 'new'), (2, NULL), (3, 'paid')",
        "CREATE TABLE journal (what varchar(20))",
    ] {
        session.execute(sql, &[]).await.unwrap();
    }
    change
}

/// Ledger, lease, and the phases before contract or their undo, on one session, as the commands do it.
async fn once<S: Session>(session: &mut S, change: &Change, plan: &Plan, undo: bool) -> Result<Outcome, Error> {
    let ledger = Ledger::open(session).await?;
    let lease = ledger.acquire(session, "the crash loop", None).await;
    let lease = lease.map_err(|error| Error::new(Kind::Step, error.to_string()))?.unwrap();
    let request = |phase| Request {
        plan,
        directory: change.path.clone(),
        phase: Some(phase),
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url: &change.database.url,
    };
    if undo {
        let word = Word { by: "the crash loop", reason: "a test" };
        return revert::undo(session, &ledger, &lease, &request(Phase::Expand), word, &mut |_| {}).await;
    }
    for phase in [Phase::Expand, Phase::Backfill] {
        let outcome = run::carry_out(session, &ledger, &lease, &request(phase), &mut |_| {}).await?;
        assert_eq!(outcome, Outcome::Finished);
    }
    ledger.release(session, &lease).await.unwrap();
    Ok(Outcome::Finished)
}

/// Undone, completely and once for each time.
async fn assert_undone(session: &mut Connection, times: i64) {
    let columns = session.query("SELECT * FROM orders ORDER BY id", &[]).await.unwrap();
    let text = |text: &str| Value::Text(text.to_string());
    assert_eq!(
        columns,
        [[Value::Int(1), text("new")], [Value::Int(2), Value::Null], [Value::Int(3), text("paid")]],
        "undone {times} times"
    );
    let journal = session.query("SELECT count(*) FROM journal", &[]).await.unwrap();
    assert_eq!(journal, [[Value::Int(times)]], "each undo carries a statement out once");
    let ledger = if session.dialect() == Dialect::Postgres { "lockkeeper." } else { "lockkeeper_" };
    let undone = format!("SELECT count(*) FROM {ledger}revert WHERE finished_at IS NOT NULL");
    assert_eq!(session.query(&undone, &[]).await.unwrap(), [[Value::Int(1)]]);
    let plans = format!("SELECT count(*) FROM {ledger}plan");
    assert_eq!(session.query(&plans, &[]).await.unwrap(), [[Value::Int(0)]]);
}

/// Undoes with this fault, and again until it is done; at most one try fails, by the fault.
async fn undo(change: &Change, plan: &Plan, fault: &Fault) {
    let place = format!("answer {} {:?}", fault.number, fault.lost);
    let mut failures = 0;
    loop {
        let connection = database::connect(&change.database.url, "lockkeeper crash loop").await.unwrap();
        let mut session = Flaky { connection: Some(connection), dialect: plan.dialect, fault };
        match once(&mut session, change, plan, true).await {
            Ok(outcome) => return assert_eq!(outcome, Outcome::Finished, "{place}"),
            Err(error) => {
                failures += 1;
                assert!(session.connection.is_none() && failures == 1, "{place}: {error}");
            }
        }
    }
}

/// Loses every answer of an undo.
async fn every_answer(database: TestDatabase, dialect: Dialect) {
    let change = change(database, dialect).await;
    let plan = directory::read(&change.path, Some(dialect)).unwrap();
    let mut times = 0;
    for number in 0.. {
        let mut counted = 0;
        for lost in [Lost::After, Lost::Before] {
            let mut session = change.session().await;
            assert_eq!(once(&mut session, &change, &plan, false).await.unwrap(), Outcome::Finished);
            let fault = Fault::at(number, lost);
            undo(&change, &plan, &fault).await;
            times += 1;
            if dialect == Dialect::Mysql {
                // A column that was dropped instantly still counts for the size of a row.
                change.session().await.execute("ALTER TABLE orders FORCE", &[]).await.unwrap();
            }
            // sqlx trips over `SELECT *` where another connection has changed SQLite's columns.
            assert_undone(&mut change.session().await, times).await;
            counted = fault.counted.load(Ordering::SeqCst);
            if fault.only_reads.into_inner() {
                break;
            }
        }
        if counted < number {
            assert!(number > 30, "{number} answers are too few to be all of them");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_lost_once_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    every_answer(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_lost_once_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    every_answer(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_lost_once_on_sqlite() {
    every_answer(servers::sqlite(), Dialect::Sqlite).await;
}

/// Kills the binary in the middle of an undo, until three kills have hit one that had begun.
async fn killed(database: TestDatabase, dialect: Dialect) {
    let change = change(database, dialect).await;
    let (mut hits, mut times, mut patience) = (0, 0, 20.0);
    while hits < 3 {
        for phase in ["expand", "backfill"] {
            expect(&change.say(&["run", "--phase", phase]), 0, &[]);
        }
        times += 1;
        loop {
            let mut command = change.command(&["revert", "--yes", "--wait", "--interval", "1"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let kill = tokio::time::Instant::now() + Duration::from_secs_f64(fastrand::f64() * patience / 1000.0);
            while child.try_wait().unwrap().is_none() && tokio::time::Instant::now() < kill {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            child.kill().unwrap();
            let said = child.wait_with_output().unwrap();
            if let Some(code) = said.status.code() {
                assert_eq!(code, 0, "{}", String::from_utf8_lossy(&said.stderr));
                break;
            }
            hits += u32::from(change.say(&["status"]).out.contains("being undone since"));
            // The slower the machine, the later an undo begins.
            patience *= 1.3;
        }
        // Not that it never hits again.
        patience *= 0.5;
        assert_undone(&mut change.session().await, times).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    killed(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    killed(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_on_sqlite() {
    killed(servers::sqlite(), Dialect::Sqlite).await;
}
