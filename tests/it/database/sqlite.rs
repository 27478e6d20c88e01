//! SQLite.

use lockkeeper::database::{
    DatabaseErrorKind, Held, SeenSessions, Session, Value, holds, server_version, sessions, table_exists,
};
use lockkeeper::plan::Expectation;

use super::{fails, holding, key, name, open, run, text};
use crate::servers;

#[tokio::test]
async fn values_come_back_as_they_went() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TABLE t (i integer, s text, b blob, r real)"]).await;
    let values = [Value::Int(i64::MIN), text("grüße"), Value::Bytes(vec![0, 255]), Value::Null];
    assert_eq!(session.execute("INSERT INTO t VALUES (?, ?, ?, ?)", &values).await, Ok(1));
    assert_eq!(session.query("SELECT i, s, b, r FROM t", &[]).await.unwrap(), std::slice::from_ref(&values));
    assert_eq!(session.query("SELECT i, s, b, r FROM t WHERE i = ?", &values[..1]).await.unwrap(), [values]);
    assert_eq!(session.query("SELECT 1.5", &[]).await.unwrap(), [[text("1.5")]]);
    assert_eq!(session.query("PRAGMA foreign_keys", &[]).await.unwrap(), [[Value::Int(0)]]);
    assert!(server_version(&mut session).await.unwrap().starts_with("SQLite 3."));
}

#[tokio::test]
async fn errors_are_told_apart() {
    let database = servers::sqlite();
    let (mut first, mut second) = (open(&database.url).await, open(&database.url).await);
    run(&mut first, &["CREATE TABLE t (id integer PRIMARY KEY)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"]).await;
    let busy = fails(&mut second, "INSERT INTO t VALUES (2)").await;
    assert_eq!((busy.kind, busy.code.as_deref()), (DatabaseErrorKind::LockTimeout, Some("5")));
    run(&mut first, &["COMMIT"]).await;
    let unique = fails(&mut second, "INSERT INTO t VALUES (1)").await;
    assert_eq!(unique.kind, DatabaseErrorKind::Statement);
    assert_eq!(unique.to_string(), "UNIQUE constraint failed: t.id (1555)");
}

#[tokio::test]
async fn finds_the_key() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    run(
        &mut session,
        &[
            "CREATE TABLE single (id INTEGER PRIMARY KEY, x text)",
            "CREATE TABLE composite (b text NOT NULL, a int NOT NULL, PRIMARY KEY (a, b))",
            "CREATE TABLE \"Odd \"\"Name\" (\"the key\" text PRIMARY KEY)",
            "CREATE TABLE null_key (id text PRIMARY KEY)",
            "INSERT INTO null_key VALUES (NULL)",
            "CREATE TABLE uniques (a text UNIQUE, b text NOT NULL UNIQUE)",
            "CREATE TABLE keyless (a text)",
        ],
    )
    .await;
    assert_eq!(key(&mut session, "single").await, "id integer");
    assert_eq!(key(&mut session, "main.single").await, "id integer");
    assert_eq!(key(&mut session, "composite").await, "a int, b text");
    assert_eq!(key(&mut session, "Odd \"Name").await, "the key text");
    assert!(key(&mut session, "null_key").await.starts_with("rowid of schema version "));
    assert_eq!(key(&mut session, "uniques").await, "b text");
    assert!(key(&mut session, "keyless").await.starts_with("rowid of schema version "));
    assert_eq!(key(&mut session, "missing").await, "none");
}

#[tokio::test]
async fn expectations() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    assert_eq!(holding(&mut session, "t").await, [""; 0]);
    assert_eq!(table_exists(&mut session, &name("t")).await, Ok(false));
    run(
        &mut session,
        &["CREATE TABLE t (a text)", "CREATE TABLE other (b text)", "CREATE VIEW not_a_table AS SELECT * FROM other"],
    )
    .await;
    assert_eq!(holding(&mut session, "t").await, ["table", "nullable"]);
    assert_eq!(table_exists(&mut session, &name("not_a_table")).await, Ok(false));
    run(
        &mut session,
        &[
            "DROP TABLE t",
            "CREATE TABLE t (a text NOT NULL, b text)",
            "CREATE INDEX t_b ON t (b)",
            "CREATE TRIGGER t_sync AFTER INSERT ON t BEGIN UPDATE t SET b = new.a; DELETE FROM other; END",
            "CREATE VIEW t_view AS SELECT 1",
        ],
    )
    .await;
    let all = ["table", "column", "index", "index alone", "trigger", "trigger alone", "view", "not null"];
    assert_eq!(holding(&mut session, "T").await, all);
    assert_eq!(holding(&mut session, "main.t").await, all);
    let elsewhere = Expectation::Index { table: Some(name("other")), index: name("t_b"), exists: true };
    assert_eq!(holds(&mut session, &elsewhere).await, Ok(Held::No));
}

#[tokio::test]
async fn has_no_sessions_to_ask_for() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    assert!(matches!(sessions(&mut session).await, Ok(SeenSessions::NotKnowable(_))));
}
