//! A runner that stands still, or whose statement goes on without it: whoever needs its rows gets them, another runner takes over, and when it
//! wakes up it writes nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::sql::Dialect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run::Change;
use super::servers::{self, TestDatabase};

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Waits until somebody but `session` waits for a lock.
async fn somebody_waits(session: &mut Connection) {
    let sql = match session.dialect() {
        Dialect::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        }
        _ => {
            "SELECT count(*) FROM information_schema.innodb_trx t
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
             WHERE trx_state = 'LOCK WAIT' AND db = database()"
        }
    };
    while session.query(sql, &[]).await.unwrap() == [[Value::Int(0)]] {
        // MariaDB looks at its transactions anew only after a tenth of a second without a question.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn frozen_in_a_batch(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 3_000).await;
    assert_eq!(change.say(&["run", "--phase", "expand"]).code, 0);
    let mut application = database::connect(&change.database.url, "app").await.unwrap();
    application.execute("BEGIN", &[]).await.unwrap();
    application.execute("UPDATE orders SET customer = 'busy' WHERE id = 3000", &[]).await.unwrap();
    let mut command = change.command(&["run"]);
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watcher = change.session().await;
    // Its batch has written the rows before 3000 and waits for that one; frozen, it never commits.
    somebody_waits(&mut watcher).await;
    signal(&child, Signal::SIGSTOP);
    application.execute("COMMIT", &[]).await.unwrap();

    let mut written = Err(());
    for _ in 0..20 {
        // Each try waits for two seconds at most.
        let update = "UPDATE orders SET old_status = 'while frozen' WHERE id = 1";
        written = application.execute(update, &[]).await.map_err(drop);
        if written.is_ok() {
            break;
        }
    }
    assert_eq!(written, Ok(1), "the frozen runner holds the row");

    // As after half a minute.
    let lease = if dialect == Dialect::Postgres { "lockkeeper.lease" } else { "lockkeeper_lease" };
    let ended = format!("UPDATE {lease} SET held_until = '2000-01-01 00:00:00'");
    watcher.execute(&ended, &[]).await.unwrap();
    let other = change.say(&["run"]);
    assert_eq!(other.code, 3, "{}", other.err);
    assert!(other.err.contains("gate approval: pending"), "{}", other.err);
    let steps =
        format!("SELECT id, state, last_key, rows_done, problem FROM {} ORDER BY id", lease.replace("lease", "step"));
    let before = watcher.query(&steps, &[]).await.unwrap();

    signal(&child, Signal::SIGCONT);
    let woken = child.wait_with_output().unwrap();
    let said = String::from_utf8(woken.stderr).unwrap();
    assert_eq!(woken.status.code(), Some(3), "{said}");
    assert!(said.contains("another runner has taken over"), "{said}");
    assert_eq!(watcher.query(&steps, &[]).await.unwrap(), before, "the woken runner wrote into the ledger");
    let wrong = "SELECT count(*) FROM orders WHERE new_status IS NULL OR new_status <> old_status";
    assert_eq!(watcher.query(wrong, &[]).await.unwrap(), [[Value::Int(0)]]);
    change.approve();
    assert_eq!(change.say(&["run"]).code, 0);
    let row = watcher.query("SELECT new_status FROM orders WHERE id = 1", &[]).await.unwrap();
    assert_eq!(row, [[Value::Text("while frozen".to_string())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_in_a_batch_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    frozen_in_a_batch(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_in_a_batch_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    frozen_in_a_batch(database, Dialect::Mysql).await;
}

/// The server does not notice that the runner was killed; the next one waits for the index instead of dropping it.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_still_being_built_is_waited_for() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 100).await;
    change.write("change.toml", "");
    change.write("expand.sql", "CREATE INDEX CONCURRENTLY slow ON orders (customer);");
    // A build waits for every snapshot that is older than it.
    let mut reader = database::connect(&change.database.url, "reader").await.unwrap();
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", &[]).await.unwrap();
    reader.execute("SET LOCAL idle_in_transaction_session_timeout = 0", &[]).await.unwrap();
    reader.query("SELECT count(*) FROM orders", &[]).await.unwrap();
    let mut child = change.command(&["run", "--phase", "expand"]).stderr(Stdio::null()).spawn().unwrap();
    let mut watcher = change.session().await;
    somebody_waits(&mut watcher).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let mut command = change.command(&["run", "--phase", "expand"]);
    let next = std::thread::spawn(move || command.output().unwrap());
    while watcher
        .query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lockkeeper'", &[])
        .await
        .unwrap()
        != [[Value::Int(2)]]
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    reader.execute("COMMIT", &[]).await.unwrap();
    let output = next.join().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("still building the index of an earlier run"), "{said}");
    assert!(!said.contains("removed what was left half done"), "{said}");
}

/// A killed runner holds nothing, also while its parent has not asked for its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_does_not_hold_the_lease() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let mut runner = change.command(&["run", "--wait"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(runner.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting for")), "it waits at its gates and holds the lease");
    let held = change.say(&["run"]);
    let host = nix::unistd::gethostname().unwrap();
    let holder = format!("holds the lease: pid {} on {}\n", runner.id(), host.to_string_lossy());
    assert!(held.code == 3 && held.err.contains(&holder), "{}", held.err);
    runner.kill().unwrap();
    let state = format!("/proc/{}/stat", runner.id());
    while !std::fs::read_to_string(&state).unwrap().contains(") Z ") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let next = change.say(&["run"]);
    runner.wait().unwrap();
    assert!(next.code == 3 && next.err.contains("gate approval: pending"), "{}", next.err);
}
