//! What a runner asks of a database, on real ones: a file per engine.

mod connect;
mod live;
mod mariadb;
mod postgres;
mod sqlite;

use lockkeeper::database::{
    Connection, DatabaseError, DatabaseErrorKind, Held, Key, KeyColumn, Session, Value, connect as connect_to, holds,
    keys_of, server_version,
};
use lockkeeper::plan::Expectation;
use lockkeeper::sql::Name;

use crate::servers;

async fn open(url: &str) -> Connection {
    connect_to(url, "lockkeeper test").await.unwrap()
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
    // MySQL shows no width of integers.
    let column = |column: &KeyColumn| {
        let data_type = column.data_type.replace("int(20)", "int").replace("int(11)", "int");
        format!("{} {data_type}", column.name)
    };
    let show = |key: Key| key.columns.iter().map(column).collect::<Vec<_>>().join(", ");
    keys_of(session, &name(table)).await.unwrap().into_iter().next().map_or("none".to_string(), show)
}

fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_string()), name: name.to_string() },
        None => Name::plain(text),
    }
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
        Expectation::Partition { attached, .. } => *attached = false,
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
async fn every_server_says_what_it_is() {
    let version = async |url: &str| server_version(&mut open(url).await).await.unwrap();
    if let Some(database) = servers::postgres().await {
        assert!(version(&database.url).await.starts_with("PostgreSQL 1"));
    }
    if let Some(database) = servers::mariadb().await {
        assert!(version(&database.url).await.starts_with("MariaDB 1"));
    }
}

/// Two transactions that each wait for the other's row of `t`: one of them is the victim.
async fn deadlock(first: &mut Connection, second: &mut Connection) {
    run(first, &["BEGIN", "UPDATE t SET n = 1 WHERE id = 1"]).await;
    run(second, &["BEGIN", "UPDATE t SET n = 1 WHERE id = 2"]).await;
    let (one, other) = tokio::join!(
        first.execute("UPDATE t SET n = 1 WHERE id = 2", &[]),
        second.execute("UPDATE t SET n = 1 WHERE id = 1", &[])
    );
    let victim = one.err().or(other.err()).expect("one of them has to give way");
    assert_eq!(victim.kind, DatabaseErrorKind::Deadlock, "{victim}");
}

/// Runs `sql` as soon as the count that `condition` asks for is one.
async fn when(session: &mut Connection, condition: &str, sql: &str) {
    while session.query(condition, &[]).await.unwrap() != [[Value::Int(1)]] {}
    run(session, &[sql]).await;
}
