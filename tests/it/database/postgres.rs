//! PostgreSQL.

use lockkeeper::database::{
    Connection, DatabaseErrorKind, Held, SeenSessions, Session, Value, connect, holds, sessions, table_exists,
};
use lockkeeper::plan::Expectation;

use super::{fails, holding, key, name, open, run, text};
use crate::servers;

#[tokio::test]
async fn values_come_back_as_they_went() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TABLE t (i bigint, small smallint, s text, b bytea, nothing int, yes boolean)"]).await;
    let values = [Value::Int(i64::MIN), Value::Int(-7), text("grüße"), Value::Bytes(vec![0, 255]), Value::Null];
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, true)";
    assert_eq!(session.execute(insert, &values).await, Ok(1));
    let mut expected = values.to_vec();
    expected.push(Value::Int(1));
    assert_eq!(session.query("SELECT * FROM t", &[]).await, Ok(vec![expected.clone()]));
    assert_eq!(session.query("SELECT * FROM t WHERE i = $1", &values[..1]).await, Ok(vec![expected]));
    let other =
        "SELECT 'a'::varchar(9), 'b'::char(2), 'c'::name, 7::oid, 1.50::numeric::text, pg_sleep(0), 'd'::\"char\"";
    let expected = [text("a"), text("b "), text("c"), Value::Int(7), text("1.50")];
    let one = [Value::Int(1)];
    for row in [session.query(other, &[]).await, session.query(&format!("{other} WHERE $1 = 1"), &one).await] {
        let row = row.unwrap().remove(0);
        assert_eq!((&row[..5], &row[6]), (&expected[..], &text("d")));
    }
}

#[tokio::test]
async fn a_type_that_cannot_be_read_is_named() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TYPE mood AS ENUM ('happy')"]).await;
    // As text without parameters; in binary form with them.
    assert_eq!(
        session.query("SELECT 1.50::numeric, 'happy'::mood", &[]).await,
        Ok(vec![vec![text("1.50"), text("happy")]])
    );
    let error = session.query("SELECT 1.50::numeric AS price WHERE $1 = 1", &[Value::Int(1)]).await.unwrap_err();
    assert_eq!(error.to_string(), "the column `price` is of type numeric: cast it to text in the query");
    let mood = session.query("SELECT 'happy'::mood WHERE $1 = 1", &[Value::Int(1)]).await.unwrap_err();
    let expected = "a column of the result is of a type that this database defines: cast it to text in the query";
    assert_eq!(mood.to_string(), expected);
}

#[tokio::test]
async fn a_session_waits_two_seconds_for_a_lock_and_has_our_name() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    let settings = "SELECT current_setting('lock_timeout'), current_setting('application_name')";
    assert_eq!(session.query(settings, &[]).await, Ok(vec![vec![text("2s"), text("lockkeeper test")]]));
}

#[tokio::test]
async fn errors_are_told_apart() {
    let Some(database) = servers::postgres().await else { return };
    let (mut first, mut second) = (open(&database.url).await, open(&database.url).await);
    run(&mut first, &["CREATE TABLE t (id int PRIMARY KEY)", "BEGIN", "LOCK TABLE t"]).await;
    let locked = fails(&mut second, "ALTER TABLE t ADD COLUMN x int").await;
    assert_eq!((locked.kind, locked.code.as_deref()), (DatabaseErrorKind::LockTimeout, Some("55P03")));
    run(&mut first, &["COMMIT"]).await;

    let missing = fails(&mut second, "SELECT /* ü */ nope FROM t").await;
    assert_eq!(missing.kind, DatabaseErrorKind::Statement);
    assert_eq!(missing.position, Some(16));
    assert_eq!(missing.to_string(), "column \"nope\" does not exist (42703)");
}

#[tokio::test]
async fn a_killed_connection_is_lost() {
    let Some(database) = servers::postgres().await else { return };
    let mut killer = open(&database.url).await;
    for within_a_statement in [false, true] {
        let mut victim = open(&database.url).await;
        let pid = victim.query("SELECT pg_backend_pid()", &[]).await.unwrap();
        let Value::Int(pid) = pid[0][0] else { panic!("{pid:?}") };
        let kill = format!("SELECT pg_terminate_backend({pid})");
        let killed = if within_a_statement {
            let running = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'");
            let ((), killed) =
                tokio::join!(super::when(&mut killer, &running, &kill), fails(&mut victim, "SELECT pg_sleep(60)"));
            killed
        } else {
            run(&mut killer, &[&kill]).await;
            fails(&mut victim, "SELECT 1").await
        };
        assert_eq!(killed.kind, DatabaseErrorKind::ConnectionLost, "{killed}");
        let after = fails(&mut victim, "SELECT 1").await;
        assert_eq!(after.kind, DatabaseErrorKind::ConnectionLost, "{after}");
    }
}

#[tokio::test]
async fn a_deadlock_is_one() {
    let Some(database) = servers::postgres().await else { return };
    let (mut first, mut second) = (open(&database.url).await, open(&database.url).await);
    run(&mut first, &["CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 0), (2, 0)"]).await;
    super::deadlock(&mut first, &mut second).await;
}

#[tokio::test]
async fn a_transaction_holds_across_questions() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TABLE t (id int)", "BEGIN"]).await;
    session.execute("INSERT INTO t VALUES ($1)", &[Value::Int(1)]).await.unwrap();
    run(&mut session, &["ALTER TABLE t ADD COLUMN x int", "ROLLBACK"]).await;
    assert_eq!(session.query("SELECT count(*) FROM t", &[]).await, Ok(vec![vec![Value::Int(0)]]));
    fails(&mut session, "SELECT x FROM t").await;
    // Alone and outside a transaction, which a driver's prepared statement or a batch would not allow.
    run(&mut session, &["CREATE INDEX CONCURRENTLY t_id ON t (id)"]).await;
}

#[tokio::test]
async fn the_key_is_found() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(
        &mut session,
        &[
            "CREATE TABLE single (x text, id bigint PRIMARY KEY)",
            "CREATE TABLE composite (b varchar(20), a uuid, c int, PRIMARY KEY (a, b) INCLUDE (c))",
            "CREATE TABLE \"Odd \"\"Name\" (\"The Key\" text PRIMARY KEY)",
            "CREATE TABLE uniques (a int UNIQUE, b int NOT NULL, c int NOT NULL)",
            "CREATE UNIQUE INDEX partial ON uniques (b) WHERE b > 0",
            "CREATE UNIQUE INDEX whole ON uniques (c, b)",
            "CREATE TABLE keyless (a text)",
            "CREATE TABLE parted (id int, day date, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)",
            "CREATE SCHEMA hidden",
            "CREATE TABLE hidden.elsewhere (id int PRIMARY KEY)",
        ],
    )
    .await;
    assert_eq!(key(&mut session, "single").await, "id bigint");
    assert_eq!(key(&mut session, "public.single").await, "id bigint");
    assert_eq!(key(&mut session, "composite").await, "a uuid, b character varying(20)");
    assert_eq!(key(&mut session, "Odd \"Name").await, "The Key text");
    assert_eq!(key(&mut session, "odd \"name").await, "none");
    assert_eq!(key(&mut session, "uniques").await, "c integer, b integer");
    assert_eq!(key(&mut session, "keyless").await, "none");
    assert_eq!(key(&mut session, "parted").await, "day date, id integer");
    assert_eq!(key(&mut session, "elsewhere").await, "none");
    assert_eq!(key(&mut session, "hidden.elsewhere").await, "id integer");
    run(&mut session, &["SET search_path = hidden"]).await;
    assert_eq!(key(&mut session, "elsewhere").await, "id integer");
}

#[tokio::test]
async fn expectations() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    assert_eq!(holding(&mut session, "t").await, [""; 0]);
    run(&mut session, &["CREATE TABLE t (a text)", "CREATE VIEW not_a_table AS SELECT 1"]).await;
    assert_eq!(holding(&mut session, "t").await, ["table", "nullable"]);
    assert_eq!(table_exists(&mut session, &name("not_a_table")).await, Ok(false));
    run(
        &mut session,
        &[
            "ALTER TABLE t ADD COLUMN b text, ALTER COLUMN a SET NOT NULL, ADD CONSTRAINT t_check CHECK (b <> '')",
            "CREATE INDEX t_b ON t (b)",
            "CREATE FUNCTION t_function() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END; $$",
            // A second one of the name: to_regproc would not know which.
            "CREATE FUNCTION t_function(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
            "CREATE TRIGGER t_sync BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_function()",
            "CREATE MATERIALIZED VIEW t_view AS SELECT 1",
        ],
    )
    .await;
    let all = [
        "table",
        "column",
        "index",
        "index alone",
        "trigger",
        "trigger alone",
        "constraint",
        "function",
        "view",
        "not null",
    ];
    assert_eq!(holding(&mut session, "t").await, all);
    assert_eq!(holding(&mut session, "public.t").await, all);
    run(&mut session, &["ALTER TABLE t DROP COLUMN b"]).await;
    assert_eq!(holding(&mut session, "t").await, ["table", "trigger", "trigger alone", "function", "view", "not null"]);
}

#[tokio::test]
async fn an_invalid_index_is_half_done() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)"]).await;
    fails(&mut session, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)").await;
    let index = |exists| Expectation::Index { table: Some(name("t")), index: name("t_a"), exists };
    assert_eq!(holds(&mut session, &index(true)).await, Ok(Held::HalfDone));
    assert_eq!(holds(&mut session, &index(false)).await, Ok(Held::No));
    run(&mut session, &["DROP INDEX CONCURRENTLY t_a"]).await;
    assert_eq!(holds(&mut session, &index(true)).await, Ok(Held::No));
    assert_eq!(holds(&mut session, &index(false)).await, Ok(Held::Yes));
}

/// The application names of everybody else.
async fn others(session: &mut Connection) -> Vec<String> {
    let SeenSessions::Seen(seen) = sessions(session).await.unwrap() else { panic!("PostgreSQL shows sessions") };
    seen.into_iter().map(|session| format!("{} {}", session.user, session.application_name)).collect()
}

#[tokio::test]
async fn sessions_of_others_are_seen_also_without_rights() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    let admin = session.query("SELECT current_user::text", &[]).await.unwrap();
    let Value::Text(admin) = &admin[0][0] else { panic!() };
    assert_eq!(others(&mut session).await, [""; 0]);
    let _old = connect(&database.url, "orders/v1 pod=a").await.unwrap();
    let _other_database = servers::postgres().await.unwrap();
    assert_eq!(others(&mut session).await, [format!("{admin} orders/v1 pod=a")]);

    let role = format!("role_{}", database.name());
    run(&mut session, &[&format!("CREATE ROLE {role}"), &format!("SET SESSION AUTHORIZATION {role}")]).await;
    assert_eq!(others(&mut session).await, [format!("{admin} orders/v1 pod=a")]);
    run(&mut session, &["RESET SESSION AUTHORIZATION", &format!("DROP ROLE {role}")]).await;
}

/// The server's detail says what stands in the way; where it quotes a row, it is left out.
#[tokio::test]
async fn a_refusal_comes_with_its_detail_and_without_rows() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    run(&mut session, &["CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE)", "CREATE VIEW vo AS SELECT a FROM t"])
        .await;
    let error = fails(&mut session, "ALTER TABLE t DROP COLUMN a").await;
    assert!(error.message.ends_with("depend on it: view vo depends on column a of table t"), "{error}");
    run(&mut session, &["INSERT INTO t VALUES (1, 'anna@example.org')"]).await;
    let error = fails(&mut session, "INSERT INTO t VALUES (2, 'anna@example.org')").await;
    assert!(error.message.ends_with("violates unique constraint \"t_a_key\""), "{error}");
}
