//! Statements that change the schema, on real servers: nobody queues behind them, who is in the way is named, and what
//! a cut-off one left behind is mended.

mod manner;
mod online;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockkeeper::database::{self, Connection, Session, Value};

use super::run::{Change, Said, expect};
use super::servers::{self, TestDatabase};

/// A change on a table `t` of 1,000 rows; `expand` is its only file, besides settings that give up quickly.
async fn change(database: TestDatabase, expand: &str, settings: &str) -> Change {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let series = match session.dialect() {
        lockkeeper::sql::Dialect::Postgres => "SELECT g, g FROM generate_series(1, 1000) g",
        lockkeeper::sql::Dialect::Mysql => "SELECT seq, seq FROM seq_1_to_1000",
        lockkeeper::sql::Dialect::Sqlite => {
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 1000) SELECT n, n FROM g"
        }
    };
    execute(&mut session, &["CREATE TABLE t (id int PRIMARY KEY, a int)", &format!("INSERT INTO t {series}")]).await;
    let mut change = Change::empty(database);
    change.named("0001");
    change.write("expand.sql", expand);
    change.write("change.toml", settings);
    change
}

async fn execute(session: &mut Connection, statements: &[&str]) {
    for statement in statements {
        session.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

async fn connect(change: &Change, name: &str) -> Connection {
    database::connect(&change.database.url, name).await.unwrap()
}

/// The binary in the background.
fn start(change: &Change) -> std::thread::JoinHandle<Said> {
    let mut command = change.command(&["run"]);
    std::thread::spawn(move || Said::from(command.output().unwrap()))
}

/// Asks until the first column of the first row is not 0; panics after a minute.
async fn until(session: &mut Connection, sql: &str) {
    for _ in 0..1200 {
        let rows = session.query(sql, &[]).await.unwrap();
        if !matches!(rows.first().map(|row| &row[0]), None | Some(Value::Int(0) | Value::Null)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never so: {sql}");
}

/// While a long report reads the table, the ALTER is not even tried, so that no other reader ever waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_queues_while_a_long_reader_is_there_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "ALTER TABLE t ADD COLUMN b int;", "").await;
    let mut report = connect(&change, "nightly report").await;
    execute(&mut report, &["BEGIN", "SELECT count(*) FROM t", "SELECT pg_sleep(2.1)"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut application = connect(&change, "application").await;
    let readers = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            while !stop.load(Ordering::SeqCst) {
                application.query("SELECT count(*) FROM t WHERE id = 7", &[]).await.unwrap();
            }
        }
    });
    let run = start(&change);
    let mut look = connect(&change, "look").await;
    until(
        &mut look,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockkeeper' AND datname = current_database()",
    )
    .await;
    for _ in 0..60 {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND relation = 't'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(look.query(waiting, &[]).await.unwrap(), [[Value::Int(0)]], "nobody waits for a lock on t");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    execute(&mut report, &["COMMIT"]).await;
    let said = run.join().unwrap();
    stop.store(true, Ordering::SeqCst);
    readers.await.unwrap();
    let named = ["in the way: session ", "application nightly report): idle in transaction, its transaction began "];
    expect(&said, 0, &named);
    assert!(!said.err.contains("was given up"), "{}", said.err);
}

/// Who came after the look is met by the time limit, and named, too; when the time is up, the run says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_never_gets_its_lock_names_who_was_in_the_way_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let settings = "[ddl]\nlock-timeout = \"1s\"\nretry-for = \"3s\"\n";
    // The lock of the other side of the foreign key is one that the statement does not tell.
    let change = change(database, "ALTER TABLE c DROP CONSTRAINT c_t;", settings).await;
    let mut session = change.session().await;
    execute(&mut session, &["CREATE TABLE c (t int CONSTRAINT c_t REFERENCES t)"]).await;
    let mut busy = connect(&change, "batch job").await;
    execute(&mut busy, &["BEGIN", "SELECT count(*) FROM t"]).await;
    let said = change.say(&["run"]);
    let named = [
        "try 1 was given up",
        "step expand.1 (expand.sql:1) did not get its lock in 3 s, in ",
        "in the way: session ",
        "application batch job): idle in transaction",
        "hint: when what is in the way has ended",
    ];
    expect(&said, 4, &named);
    expect(
        &change.say(&["status"]),
        0,
        &["last problem: step expand.1 (expand.sql:1) did not get its lock", "batch job"],
    );
    execute(&mut busy, &["COMMIT"]).await;
    expect(&change.say(&["run"]), 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_and_a_waiting_statement_are_in_the_way_too() {
    let Some(database) = servers::postgres().await else { return };
    let change = change(database, "ALTER TABLE t ADD COLUMN b int;", "").await;
    let mut holder = connect(&change, "holder").await;
    let mut waiter = connect(&change, "somebody's migration").await;
    execute(&mut holder, &["BEGIN", "SELECT count(*) FROM t"]).await;
    let migration = tokio::spawn(async move {
        execute(&mut waiter, &["SET lock_timeout = 0", "ALTER TABLE t ADD COLUMN theirs int"]).await;
    });
    let mut look = connect(&change, "look").await;
    until(&mut look, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await;
    let table = lockkeeper::sql::Name::plain("t");
    let by = database::in_the_way(&mut look, &table, "SHARE UPDATE EXCLUSIVE").await.unwrap();
    assert_eq!(by.iter().map(|one| one.application_name.as_str()).collect::<Vec<_>>(), ["somebody's migration"]);
    let by = database::in_the_way(&mut look, &table, "ACCESS EXCLUSIVE").await.unwrap();
    assert_eq!(
        by.iter().map(|one| one.application_name.as_str()).collect::<Vec<_>>(),
        ["holder", "somebody's migration"]
    );
    assert!(by[0].stays(Duration::ZERO) && !by[0].stays(Duration::from_hours(1)), "{by:?}");
    migration.abort();
}

/// MariaDB tells who holds a table only with a plugin; without it, which transactions may be it.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_never_gets_its_lock_names_who_may_be_in_the_way_on_mariadb() {
    let Some(database) = servers::mariadb_itself().await else { return };
    let settings = "[ddl]\nlock-timeout = \"1s\"\nretry-for = \"1s\"\n";
    let change = change(database, "ALTER TABLE t ADD COLUMN b int;", settings).await;
    let mut busy = connect(&change, "").await;
    execute(&mut busy, &["BEGIN", "SELECT count(*) FROM t"]).await;
    let named = [
        "did not get its lock in 1 s",
        "in the way: session ",
        "idle in transaction",
        "whether it uses this table the server does not tell",
    ];
    expect(&change.say(&["run"]), 4, &named);
    execute(&mut busy, &["COMMIT"]).await;
    expect(&change.say(&["run"]), 0, &[]);
}

/// Foreign keys are off on our session from the beginning, because inside the transaction nothing turns them off: the
/// table that a rebuild drops takes no child with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_keeps_the_children_on_sqlite() {
    let change = change(servers::sqlite(), "CREATE TABLE other (id int);", "").await;
    let rebuild = "BEGIN;\nCREATE TABLE t_new (id int PRIMARY KEY, a text);\nINSERT INTO t_new SELECT id, a FROM t;\n\
        DROP TABLE t;\nALTER TABLE t_new RENAME TO t;\nCOMMIT;\n";
    change.write("contract.sql", rebuild);
    let mut session = change.session().await;
    let child = "CREATE TABLE child (t int REFERENCES t (id) ON DELETE CASCADE)";
    execute(&mut session, &[child, "INSERT INTO child SELECT id FROM t"]).await;
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    let orphans = "SELECT count(*), (SELECT count(*) FROM pragma_foreign_key_check) FROM child";
    let rows = change.session().await.query(orphans, &[]).await.unwrap();
    assert_eq!(rows, [[Value::Int(1000), Value::Int(0)]]);
}

/// What no foreign key refuses there is found before the commit; what was wrong before is not the step's doing.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_leaves_rows_behind_is_rolled_back_on_sqlite() {
    let change = change(servers::sqlite(), "CREATE TABLE other (id int);", "").await;
    let rebuild = |rows| {
        format!(
            "BEGIN;\nCREATE TABLE t_new (id int PRIMARY KEY, a text);\nINSERT INTO t_new SELECT id, a FROM t{rows};\n\
             DROP TABLE t;\nALTER TABLE t_new RENAME TO t;\nCOMMIT;\n"
        )
    };
    change.write("contract.sql", &rebuild(" WHERE id <> 7"));
    let mut session = change.session().await;
    let child = "CREATE TABLE child (t int REFERENCES t (id))";
    execute(&mut session, &[child, "INSERT INTO child SELECT id FROM t", "INSERT INTO child VALUES (-1)"]).await;
    change.approve();
    let said = ["would refer to a row of `t` that is not there", "nothing was changed"];
    expect(&change.say(&["run"]), 4, &said);
    let rows = change.session().await.query("SELECT count(*) FROM t", &[]).await.unwrap();
    assert_eq!(rows, [[Value::Int(1000)]]);
}

/// A DELETE takes the children with it, as the schema says, and as it does for the application.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_heeds_foreign_keys_on_sqlite() {
    let change = change(servers::sqlite(), "CREATE TABLE other (id int);", "").await;
    let mut session = change.session().await;
    let child = "CREATE TABLE child (t int REFERENCES t (id) ON DELETE CASCADE)";
    execute(&mut session, &[child, "INSERT INTO child SELECT id FROM t"]).await;
    change.write("backfill.sql", "DELETE FROM t WHERE id < 500;\n");
    expect(&change.say(&["run"]), 0, &["finished"]);
    let orphans = "SELECT count(*), (SELECT count(*) FROM pragma_foreign_key_check) FROM child";
    let rows = change.session().await.query(orphans, &[]).await.unwrap();
    assert_eq!(rows, [[Value::Int(501), Value::Int(0)]]);
}
