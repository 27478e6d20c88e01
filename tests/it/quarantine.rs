//! Rows that a backfill cannot fill: the others are, they are named and kept, and nothing is proved while one is left.

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::plan::directory;
use lockkeeper::run::{Ledger, Outcome};
use lockkeeper::sql::Dialect;

use super::crash::{Fault, Lost, run_past};
use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

async fn execute(session: &mut Connection, sql: &str) {
    session.execute(sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
}

async fn number(session: &mut Connection, sql: &str) -> i64 {
    let rows = session.query(sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
    match rows.as_slice().first().map(Vec::as_slice) {
        Some([Value::Int(number)]) => *number,
        other => panic!("{sql}: {other:?}"),
    }
}

/// A table of `rows` rows with a check that the fill breaks where `a` is 1000 or more.
async fn checked(database: TestDatabase, dialect: Dialect, rows: u32) -> (Change, Connection) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    execute(
        &mut session,
        "CREATE TABLE t (id bigint, k bigint, a bigint, b bigint CHECK (b < 1000), PRIMARY KEY (k, id))",
    )
    .await;
    let list: Vec<String> = (1..=rows).map(|id| format!("({id}, 7, {})", id % 100)).collect();
    execute(&mut session, &format!("INSERT INTO t (id, k, a) VALUES {}", list.join(", "))).await;
    let mut change = Change::empty(database);
    change.named("0001_fill");
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("backfill.sql", "UPDATE t SET b = a;");
    stops_or_goes_on(&change, dialect, "quarantine");
    (change, session)
}

fn stops_or_goes_on(change: &Change, dialect: Dialect, word: &str) {
    change.write(
        "change.toml",
        &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 500\non-error = \"{word}\"\n"),
    );
}

/// The first row, the last, two beside each other and one alone: all others are filled at once.
async fn rows_are_quarantined(database: TestDatabase, dialect: Dialect, says: &str) {
    let (change, mut session) = checked(database, dialect, 2_000).await;
    let bad = "id IN (1, 700, 701, 1234, 2000)";
    execute(&mut session, &format!("UPDATE t SET a = 5000 WHERE {bad}")).await;
    // Without the setting, the run stops at the first.
    stops_or_goes_on(&change, dialect, "stop");
    expect(&change.say(&["run"]), 4, &["row 7, 1 of `t` cannot be filled"]);
    stops_or_goes_on(&change, dialect, "quarantine");
    let said = change.say(&["run"]);
    let names =
        "row 7, 1, row 7, 700, row 7, 701, row 7, 1234, row 7, 2000 of `t` cannot be filled and are quarantined";
    expect(&said, 4, &["quarantined: row 7, 700 cannot be filled", names, says, "the same command tries only them"]);
    assert_eq!(number(&mut session, &format!("SELECT count(*) FROM t WHERE b IS NULL AND {bad}")).await, 5);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t WHERE b = a").await, 1_995);
    expect(&change.say(&["status"]), 0, &["quarantined: row 7, 1234: ", "backfill.1   running"]);
    expect(&change.say(&["status", "--format", "json"]), 0, &["\"row\":\"7, 1234\""]);
    let view = if dialect == Dialect::Postgres { "lockkeeper.quarantined_row" } else { "lockkeeper_quarantined_row" };
    let count = format!("SELECT count(*) FROM {view}");
    assert_eq!(number(&mut session, &count).await, 5);
    // Mended, gone, and failing still.
    execute(&mut session, "UPDATE t SET a = 5 WHERE id IN (1, 700, 2000)").await;
    execute(&mut session, "DELETE FROM t WHERE id = 701").await;
    expect(&change.say(&["run"]), 4, &[": row 7, 1234 of `t` cannot be filled and are quarantined"]);
    assert_eq!(number(&mut session, &count).await, 1);
    execute(&mut session, "UPDATE t SET a = 6 WHERE id = 1234").await;
    expect(&change.say(&["run"]), 0, &["no row differs: 1999 rows", "finished"]);
    assert_eq!(number(&mut session, &count).await, 0);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t WHERE b <> a OR b IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_quarantined_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    rows_are_quarantined(database, Dialect::Postgres, "violates check constraint").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_quarantined_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    rows_are_quarantined(database, Dialect::Mysql, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_quarantined_on_sqlite() {
    rows_are_quarantined(servers::sqlite(), Dialect::Sqlite, "CHECK constraint failed").await;
}

/// More than a hundred are no matter of single rows; and what has no key cannot be named.
#[tokio::test(flavor = "multi_thread")]
async fn not_any_number_of_rows_is_quarantined() {
    let Some(database) = servers::postgres().await else { return };
    let (mut change, mut session) = checked(database, Dialect::Postgres, 400).await;
    execute(&mut session, "UPDATE t SET a = 5000 WHERE id > 200").await;
    expect(&change.say(&["run"]), 4, &["row 7, 301 of `t` cannot be filled, and 100 are quarantined"]);
    assert_eq!(number(&mut session, "SELECT count(*) FROM lockkeeper.quarantined_row").await, 100);
    execute(&mut session, "UPDATE t SET a = 5 WHERE a >= 1000").await;
    expect(&change.say(&["run"]), 0, &["finished"]);

    execute(&mut session, "CREATE TABLE heap (a int, b int)").await;
    change.named("0002_heap");
    change.write("expand.sql", "CREATE TABLE v (id int);");
    change.write("backfill.sql", "UPDATE heap SET b = a;");
    stops_or_goes_on(&change, Dialect::Postgres, "quarantine");
    expect(&change.say(&["run"]), 2, &["rows of heap cannot be quarantined: it has no key", "add a primary key"]);
    stops_or_goes_on(&change, Dialect::Postgres, "go on");
    expect(&change.say(&["plan"]), 2, &["no `backfill.on-error = \"go on\"`", "it is \"stop\", or \"quarantine\""]);
}

/// Whatever answer is lost, exactly the failing row is quarantined, the others are filled, and once it is mended it is, too.
#[tokio::test(flavor = "multi_thread")]
async fn no_lost_answer_loses_a_row() {
    let (change, mut session) = checked(servers::sqlite(), Dialect::Sqlite, 8).await;
    let plan = directory::read(&change.path, None).unwrap();
    let ledger = Ledger::open(&mut session).await.unwrap();
    for number in 1.. {
        let mut hit = false;
        for lost in [Lost::Before, Lost::After] {
            for sql in [
                "DELETE FROM lockkeeper_step",
                "DELETE FROM lockkeeper_plan",
                "DELETE FROM lockkeeper_plan_file",
                "DROP TABLE IF EXISTS u",
                "UPDATE t SET b = NULL, a = CASE id WHEN 3 THEN 5000 ELSE id END",
            ] {
                execute(&mut session, sql).await;
            }
            let fault = Fault::at(number, lost);
            let error = run_past(&change.database.url, &plan, &change.path, &fault).await.unwrap_err().to_string();
            assert!(
                error.contains("row 7, 3 of `t` cannot be filled and are quarantined"),
                "{number} {lost:?}: {error}"
            );
            let kept = ledger.quarantined(&mut session, &plan.name).await.unwrap();
            assert_eq!(kept.iter().map(|row| row.row()).collect::<Vec<_>>(), ["7, 3"], "{number} {lost:?}");
            assert_eq!(number_of(&mut session, "b = a").await, 7, "{number} {lost:?}");
            execute(&mut session, "UPDATE t SET a = 3 WHERE id = 3").await;
            let outcome = run_past(&change.database.url, &plan, &change.path, &fault).await;
            assert_eq!(outcome, Ok(Outcome::Finished), "{number} {lost:?}");
            assert_eq!(number_of(&mut session, "b = a").await, 8, "{number} {lost:?}");
            assert_eq!(ledger.quarantined(&mut session, &plan.name).await, Ok(Vec::new()), "{number} {lost:?}");
            hit |= fault.has_hit();
        }
        if !hit {
            break;
        }
    }
}

async fn number_of(session: &mut Connection, condition: &str) -> i64 {
    number(session, &format!("SELECT count(*) FROM t WHERE {condition}")).await
}
