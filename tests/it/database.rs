//! What a runner asks of a database, on real ones.

use lockkeeper::database::{
    Connection, DatabaseError, DatabaseErrorKind, Held, Key, KeyColumn, SeenSessions, Session, Value, connect, holds,
    key_of, server_version, sessions, table_exists,
};
use lockkeeper::error::Kind;
use lockkeeper::plan::Expectation;
use lockkeeper::sql::Name;

use crate::servers;

async fn open(url: &str) -> Connection {
    connect(url, "lockkeeper test").await.unwrap()
}

async fn run(session: &mut Connection, statements: &[&str]) {
    for sql in statements {
        session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

async fn fails(session: &mut Connection, sql: &str) -> DatabaseError {
    session.execute(sql, &[]).await.expect_err(sql)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_string())
}

/// The key as `name type, name type`.
async fn key(session: &mut Connection, table: &str) -> String {
    let column = |column: &KeyColumn| format!("{} {}", column.name, column.data_type);
    let show = |key: Key| key.columns.iter().map(column).collect::<Vec<_>>().join(", ");
    key_of(session, &name(table)).await.unwrap().map_or("none".to_string(), show)
}

fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_string()), name: name.to_string() },
        None => Name::plain(text),
    }
}

#[tokio::test]
async fn sqlite_values_come_back_as_they_went() {
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
async fn sqlite_errors_are_told_apart() {
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
async fn sqlite_finds_the_key() {
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
    assert_eq!(key(&mut session, "null_key").await, "none");
    assert_eq!(key(&mut session, "uniques").await, "b text");
    assert_eq!(key(&mut session, "keyless").await, "none");
    assert_eq!(key(&mut session, "missing").await, "none");
}

/// Every expectation, before and after what it expects.
fn expectations(table: &str) -> Vec<(&'static str, Expectation)> {
    let table = name(table);
    let some = Some(table.clone());
    let named = |text: &str| text.to_string();
    vec![
        ("table", Expectation::Table { table: table.clone(), exists: true }),
        ("column", Expectation::Column { table: table.clone(), column: named("b"), exists: true }),
        ("index", Expectation::Index { table: some.clone(), index: name("t_b"), exists: true }),
        ("index alone", Expectation::Index { table: None, index: name("t_b"), exists: true }),
        ("trigger", Expectation::Trigger { table: some, trigger: named("t_sync"), exists: true }),
        ("trigger alone", Expectation::Trigger { table: None, trigger: named("t_sync"), exists: true }),
        ("constraint", Expectation::Constraint { table: table.clone(), constraint: named("t_check"), exists: true }),
        ("function", Expectation::Function { function: name("t_function"), exists: true }),
        ("view", Expectation::View { view: name("t_view"), exists: true }),
        ("nullable", Expectation::Nullable { table: table.clone(), column: named("a"), nullable: true }),
        ("not null", Expectation::Nullable { table, column: named("a"), nullable: false }),
    ]
}

fn absent(expectation: &Expectation) -> Option<Expectation> {
    let mut absent = expectation.clone();
    match &mut absent {
        Expectation::Table { exists, .. }
        | Expectation::Column { exists, .. }
        | Expectation::Index { exists, .. }
        | Expectation::Trigger { exists, .. }
        | Expectation::Constraint { exists, .. }
        | Expectation::Function { exists, .. }
        | Expectation::View { exists, .. } => *exists = false,
        Expectation::Nullable { .. } => return None,
    }
    Some(absent)
}

/// What holds, by name; asserts on the way that the opposite expectation says the opposite.
async fn holding(session: &mut Connection, table: &str) -> Vec<&'static str> {
    let mut holding = Vec::new();
    for (name, expectation) in expectations(table) {
        let held = match holds(session, &expectation).await {
            Ok(held) => held,
            Err(error) if error.message.contains("cannot be asked") => continue,
            Err(error) => panic!("{name}: {error}"),
        };
        if let Some(absent) = absent(&expectation) {
            let opposite = if held == Held::Yes { Held::No } else { Held::Yes };
            assert_eq!(holds(session, &absent).await, Ok(opposite), "{name}, absent");
        }
        if held == Held::Yes {
            holding.push(name);
        }
    }
    holding
}

#[tokio::test]
async fn sqlite_expectations() {
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
async fn sqlite_has_no_sessions_to_ask_for() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    assert!(matches!(sessions(&mut session).await, Ok(SeenSessions::NotKnowable(_))));
}

#[tokio::test]
async fn a_missing_or_wrong_sqlite_file_is_refused_and_not_created() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("orders.db");
    for url in [format!("sqlite:{}", missing.display()), format!("sqlite://{}?mode=rwc", missing.display())] {
        let error = connect(&url, "lockkeeper test").await.err().unwrap();
        assert_eq!(error.kind, Kind::Connection);
        assert_eq!(error.message, format!("no database file `{}`", missing.display()));
        assert!(!missing.exists());
    }
    std::fs::write(&missing, "this is a text and not a database, however long it is".repeat(100)).unwrap();
    let error = connect(&format!("sqlite:{}", missing.display()), "lockkeeper test").await.err().unwrap();
    assert_eq!((error.kind, &error.causes[..]), (Kind::Connection, &["file is not a database".to_string()][..]));
}

#[tokio::test]
async fn every_server_says_what_it_is() {
    let version = async |url: &str| server_version(&mut open(url).await).await.unwrap();
    if let Some(database) = servers::postgres().await {
        assert!(version(&database.url).await.starts_with("PostgreSQL 1"));
    }
    if let Some(database) = servers::mariadb().await {
        assert!(version(&database.url).await.starts_with("MariaDB 1"));
    }
}
