//! What runs concurrently on PostgreSQL: cut off in the middle, it is mended by the next run.

use lockkeeper::database::{Session, Value};

use super::{change, connect, execute, start, until};
use crate::run::expect;
use crate::servers;

/// The runner is killed and its backend ended while the build waits for an old snapshot; the next run drops what is
/// left and builds it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_was_cut_off_is_built_again() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);", "").await;
    let mut writer = connect(&change, "writer").await;
    execute(&mut writer, &["BEGIN", "INSERT INTO t VALUES (2000, 1)"]).await;
    let mut child = change.command(&["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut look = connect(&change, "look").await;
    let building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass AND lockers_total > 0";
    until(&mut look, building).await;
    child.kill().unwrap();
    child.wait().unwrap();
    until(&mut look, "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass) x").await;
    until(&mut look, "SELECT (SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass) = 0")
        .await;
    until(&mut look, "SELECT count(*) FROM pg_index WHERE indexrelid = 't_a'::regclass AND NOT indisvalid").await;
    execute(&mut writer, &["COMMIT"]).await;
    expect(
        &change.say(&["run"]),
        0,
        &["removed what was left half done: DROP INDEX CONCURRENTLY IF EXISTS public.t_a"],
    );
    until(&mut look, "SELECT count(*) FROM pg_index WHERE indexrelid = 't_a'::regclass AND indisvalid").await;
}

/// The server goes on with the build of a runner that was killed; the next one waits for it, and builds nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_goes_on_is_waited_for() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "CREATE INDEX CONCURRENTLY t_a ON t (a);", "").await;
    let mut writer = connect(&change, "writer").await;
    execute(&mut writer, &["BEGIN", "INSERT INTO t VALUES (2000, 1)"]).await;
    let mut child = change.command(&["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut look = connect(&change, "look").await;
    until(
        &mut look,
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass AND lockers_total > 0",
    )
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    let number = look.query("SELECT 't_a'::regclass::oid", &[]).await.unwrap();
    let run = start(&change);
    // It has looked for whom the build waits.
    until(&mut look, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockkeeper' AND datname = current_database() AND state = 'idle' AND query LIKE '%pg_blocking_pids%'").await;
    execute(&mut writer, &["COMMIT"]).await;
    let waited = [
        "the server is still building the index of an earlier run",
        "(user",
        "application writer)",
        "had taken effect",
    ];
    expect(&run.join().unwrap(), 0, &waited);
    assert_eq!(look.query("SELECT 't_a'::regclass::oid", &[]).await.unwrap(), number, "built once");
}

/// A unique index that cannot be built enforces itself all the same as long as it is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_unique_index_does_not_stay() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);", "").await;
    let mut look = connect(&change, "look").await;
    execute(&mut look, &["UPDATE t SET a = 1 WHERE id = 2"]).await;
    expect(&change.say(&["run"]), 4, &["could not create unique index", "removed what was left half done: DROP INDEX"]);
    assert_eq!(look.query("SELECT to_regclass('t_a') IS NULL", &[]).await.unwrap(), [[Value::Int(1)]]);
    execute(&mut look, &["UPDATE t SET a = 2 WHERE id = 2"]).await;
    expect(&change.say(&["run"]), 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_index_is_not_hidden_by_if_not_exists() {
    let Some(database) = servers::postgres().await else { return };
    let expand =
        "-- lockkeeper: allow create-index-blocking: nobody writes yet\nCREATE INDEX IF NOT EXISTS t_a ON t (a);";
    let change = change(database, expand, "").await;
    let mut look = connect(&change, "look").await;
    execute(&mut look, &["UPDATE t SET a = 1 WHERE id = 2"]).await;
    look.execute("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)", &[]).await.unwrap_err();
    expect(&change.say(&["run"]), 4, &["the index `t_a` is there, but invalid, and IF NOT EXISTS passes over it"]);
    execute(&mut look, &["DROP INDEX t_a"]).await;
    expect(&change.say(&["run"]), 0, &[]);
}

/// Its own time is up: the build is ended, and what it left is taken away.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_has_its_own_time() {
    let Some(database) = servers::postgres().await else { return };
    let settings = "[ddl]\nconcurrent-timeout = \"1500ms\"\n";
    let change = change(database, "CREATE INDEX CONCURRENTLY t_a ON t (a);", settings).await;
    let mut look = connect(&change, "look").await;
    // The limit for the application's statements is not the build's.
    let alter = format!("ALTER DATABASE {} SET statement_timeout = '100ms'", change.database.name());
    execute(&mut look, &[&alter]).await;
    let mut report = connect(&change, "nightly report").await;
    execute(&mut report, &["SET statement_timeout = 0", "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"]).await;
    let words = [
        "in the way: session ",
        "step expand.1 (expand.sql:1) did not end in 1500 ms",
        "application nightly report): idle in transaction",
        "`ddl.concurrent-timeout` in change.toml",
    ];
    expect(&change.say(&["run"]), 4, &words);
    assert_eq!(look.query("SELECT to_regclass('t_a') IS NULL", &[]).await.unwrap(), [[Value::Int(1)]]);
    execute(&mut report, &["COMMIT"]).await;
    expect(&change.say(&["run"]), 0, &[]);
}

/// Somebody else's ALTER queues behind the build, and the application behind that: the build gives way.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_gives_way_to_traffic_that_queues_because_of_it() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "CREATE INDEX CONCURRENTLY t_a ON t (a);", "").await;
    let mut report = connect(&change, "nightly report").await;
    execute(&mut report, &["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"]).await;
    let run = start(&change);
    let mut look = connect(&change, "look").await;
    until(
        &mut look,
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass AND lockers_total > 0",
    )
    .await;
    let mut other = connect(&change, "another migration").await;
    let migration = tokio::spawn(async move {
        execute(&mut other, &["SET lock_timeout = 0", "ALTER TABLE t ADD COLUMN theirs int"]).await;
    });
    until(&mut look, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await;
    let mut application = connect(&change, "application").await;
    execute(&mut application, &["SET lock_timeout = 0"]).await;
    application.query("SELECT count(*) FROM t", &[]).await.unwrap();
    migration.await.unwrap();
    execute(&mut report, &["COMMIT"]).await;
    expect(&run.join().unwrap(), 0, &["readers or writers queued behind somebody who waited for it", "expand.1  done"]);
}

/// REINDEX: what was left beside the index is dropped, and a rebuild whose answer was lost is not done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_that_was_cut_off_is_mended() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "REINDEX INDEX CONCURRENTLY t_pkey;", "").await;
    let mut writer = connect(&change, "writer").await;
    let mut look = connect(&change, "look").await;
    let number = look.query("SELECT 't_pkey'::regclass::oid", &[]).await.unwrap();
    execute(&mut writer, &["BEGIN", "INSERT INTO t VALUES (2000, 1)"]).await;
    let mut child = change.command(&["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    until(
        &mut look,
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass AND lockers_total > 0",
    )
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    until(&mut look, "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = 't'::regclass) x").await;
    until(&mut look, "SELECT count(*) FROM pg_class WHERE relname = 't_pkey_ccnew'").await;
    execute(&mut writer, &["COMMIT"]).await;
    expect(
        &change.say(&["run"]),
        0,
        &["removed what was left half done: DROP INDEX CONCURRENTLY IF EXISTS public.t_pkey_ccnew"],
    );
    let rebuilt = look.query("SELECT 't_pkey'::regclass::oid", &[]).await.unwrap();
    assert_ne!(rebuilt, number);
    let left = look.query("SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)'", &[]).await.unwrap();
    assert_eq!(left, [[Value::Int(0)]]);
    // As if the answer had been lost.
    execute(&mut look, &["UPDATE lockkeeper.step SET state = 'running'"]).await;
    expect(&change.say(&["run"]), 0, &["it had taken effect before its answer was lost"]);
    assert_eq!(look.query("SELECT 't_pkey'::regclass::oid", &[]).await.unwrap(), rebuilt);
}

/// DETACH CONCURRENTLY: a pending one is ended with FINALIZE.
#[tokio::test(flavor = "multi_thread")]
async fn a_detach_that_was_cut_off_is_finalized() {
    let Some(database) = servers::postgres().await else { return };
    // The reader counts as one who goes, however long the run takes to get there.
    let settings = "[ddl]\nlock-timeout = \"1m\"\n";
    let change = change(database, "CREATE TABLE other (id int);", settings).await;
    change.write("contract.sql", "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;");
    let mut look = connect(&change, "look").await;
    execute(
        &mut look,
        &[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10)",
            "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
            "INSERT INTO p SELECT generate_series(1, 19)",
        ],
    )
    .await;
    change.approve();
    let mut reader = connect(&change, "reader").await;
    execute(&mut reader, &["BEGIN", "SELECT count(*) FROM p"]).await;
    let mut child = change.command(&["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    until(&mut look, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending").await;
    child.kill().unwrap();
    child.wait().unwrap();
    until(&mut look, "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lockkeeper' AND datname = current_database()) x").await;
    execute(&mut reader, &["COMMIT"]).await;
    change.approve();
    expect(&change.say(&["run"]), 0, &["ALTER TABLE p DETACH PARTITION p1 FINALIZE", "finished"]);
    let rows = look
        .query("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM p1), (SELECT count(*) FROM pg_inherits)", &[]);
    assert_eq!(rows.await.unwrap(), [[Value::Int(10), Value::Int(9), Value::Int(1)]]);
}
