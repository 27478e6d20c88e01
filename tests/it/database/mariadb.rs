//! MariaDB.

use lockkeeper::database::{DatabaseErrorKind, SeenSession, SeenSessions, Session, Value, sessions, table_exists};

use super::{fails, holding, key, name, open, run, text};
use crate::servers;

#[tokio::test]
async fn values_come_back_as_they_went() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    let table =
        "CREATE TABLE t (i bigint, u bigint unsigned, tiny boolean, s varchar(20) COLLATE utf8mb4_bin, l longtext,
        b varbinary(20), bl blob, nothing int, d decimal(9, 2), e enum('x', 'y'), y year, c char(3))";
    run(&mut session, &[table]).await;
    let values = [
        Value::Int(i64::MIN),
        Value::Int(i64::MAX),
        Value::Int(-1),
        text("grüße"),
        text("lang"),
        Value::Bytes(vec![0, 255]),
        Value::Bytes(b"bytes".to_vec()),
        Value::Null,
        text("1.50"),
        text("y"),
        Value::Int(2026),
        text("abc"),
    ];
    assert_eq!(session.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", &values).await, Ok(1));
    assert_eq!(session.query("SELECT * FROM t", &[]).await, Ok(vec![values.to_vec()]));
    assert_eq!(session.query("SELECT * FROM t WHERE i = ?", &values[..1]).await, Ok(vec![values.to_vec()]));
    let above = "SELECT 18446744073709551615";
    assert_eq!(session.query(above, &[]).await, Ok(vec![vec![text("18446744073709551615")]]));
    let catalogue = "SELECT table_name, replace(column_type, '(20)', '') FROM information_schema.columns
        WHERE table_schema = database() AND column_name = ?";
    assert_eq!(session.query(catalogue, &[text("i")]).await, Ok(vec![vec![text("t"), text("bigint")]]));
}

#[tokio::test]
async fn a_type_that_cannot_be_read_is_named() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    let sql = "SELECT timestamp '2026-11-23 15:00:00' AS at";
    assert_eq!(session.query(sql, &[]).await, Ok(vec![vec![text("2026-11-23 15:00:00")]]));
    let error = session.query(&format!("{sql} WHERE ? = 1"), &[Value::Int(1)]).await.unwrap_err();
    assert_eq!(error.to_string(), "the column `at` is of type datetime: cast it to char in the query");
}

#[tokio::test]
async fn a_session_is_as_the_server_sets_it_up_but_for_locks_and_time_zone() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    let settings =
        "SELECT @@lock_wait_timeout, @@innodb_lock_wait_timeout, @@time_zone, @@sql_mode = @@global.sql_mode";
    let expected = vec![Value::Int(2), Value::Int(2), text("+00:00"), Value::Int(1)];
    assert_eq!(session.query(settings, &[]).await, Ok(vec![expected]));
}

#[tokio::test]
async fn errors_are_told_apart() {
    let Some(database) = servers::mariadb().await else { return };
    let (mut first, mut second) = (open(&database.url).await, open(&database.url).await);
    let start = ["CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "BEGIN", "UPDATE t SET id = 2"];
    run(&mut first, &start).await;
    for waits in ["UPDATE t SET id = 3", "ALTER TABLE t ADD COLUMN x int"] {
        let locked = fails(&mut second, waits).await;
        assert_eq!((locked.kind, locked.code.as_deref()), (DatabaseErrorKind::LockTimeout, Some("1205")), "{waits}");
    }
    run(&mut first, &["COMMIT"]).await;
    let missing = fails(&mut second, "SELECT nope FROM t").await;
    assert_eq!(missing.kind, DatabaseErrorKind::Statement);
    let said = missing.to_string().replace("'field list'", "'SELECT'");
    assert_eq!(said, "Unknown column 'nope' in 'SELECT' (1054)");
}

#[tokio::test]
async fn a_killed_connection_is_lost() {
    let Some(database) = servers::mariadb().await else { return };
    let mut killer = open(&database.url).await;
    for within_a_statement in [false, true] {
        let mut victim = open(&database.url).await;
        let id = victim.query("SELECT connection_id()", &[]).await.unwrap();
        let Value::Int(id) = id[0][0] else { panic!("{id:?}") };
        let kill = format!("KILL {id}");
        let killed = if within_a_statement {
            let running =
                format!("SELECT count(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE 'DO%'");
            let ((), killed) =
                tokio::join!(super::when(&mut killer, &running, &kill), fails(&mut victim, "DO sleep(60)"));
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
    let Some(database) = servers::mariadb().await else { return };
    let (mut first, mut second) = (open(&database.url).await, open(&database.url).await);
    run(&mut first, &["CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 0), (2, 0)"]).await;
    super::deadlock(&mut first, &mut second).await;
}

#[tokio::test]
async fn the_key_is_found() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    run(
        &mut session,
        &[
            "CREATE TABLE single (x text, id bigint unsigned PRIMARY KEY)",
            "CREATE TABLE composite (b varchar(20), a int, PRIMARY KEY (a, b))",
            "CREATE TABLE `Odd ``Name` (`The Key` varchar(9) PRIMARY KEY)",
            "CREATE TABLE uniques (a int UNIQUE, b varchar(99) NOT NULL, c int NOT NULL, UNIQUE a_prefix (b(3)), UNIQUE whole (c, b))",
            "CREATE TABLE keyless (a text)",
        ],
    )
    .await;
    assert_eq!(key(&mut session, "single").await, "id bigint unsigned");
    assert_eq!(key(&mut session, &format!("{}.single", database.name())).await, "id bigint unsigned");
    assert_eq!(key(&mut session, "composite").await, "a int, b varchar(20)");
    assert_eq!(key(&mut session, "Odd `Name").await, "The Key varchar(9)");
    assert_eq!(key(&mut session, "uniques").await, "c int, b varchar(99)");
    assert_eq!(key(&mut session, "keyless").await, "none");
    assert_eq!(key(&mut session, "missing").await, "none");
}

#[tokio::test]
async fn expectations() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    assert_eq!(holding(&mut session, "t").await, [""; 0]);
    run(&mut session, &["CREATE TABLE t (a int)", "CREATE VIEW not_a_table AS SELECT 1"]).await;
    assert_eq!(holding(&mut session, "t").await, ["table", "nullable"]);
    assert_eq!(table_exists(&mut session, &name("not_a_table")).await, Ok(false));
    run(
        &mut session,
        &[
            "ALTER TABLE t ADD COLUMN b int, MODIFY a int NOT NULL, ADD CONSTRAINT t_check CHECK (b > 0), ADD INDEX t_b (b)",
            "CREATE FUNCTION t_function() RETURNS int DETERMINISTIC RETURN 1",
            "CREATE TRIGGER t_sync BEFORE INSERT ON t FOR EACH ROW BEGIN SET new.a = 1; SET new.b = 2; END",
            "CREATE VIEW t_view AS SELECT 1",
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
    assert_eq!(holding(&mut session, &format!("{}.t", database.name())).await, all);
    run(&mut session, &["ALTER TABLE t DROP CONSTRAINT t_check", "DROP INDEX t_b ON t", "DROP FUNCTION t_function"])
        .await;
    let left = ["table", "column", "trigger", "trigger alone", "view", "not null"];
    assert_eq!(holding(&mut session, "t").await, left);
}

#[tokio::test]
async fn sessions_of_others_need_a_privilege() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    let user = format!("u{}", std::process::id());
    let grant = format!("GRANT SELECT ON {}.* TO {user}@localhost", database.name());
    run(&mut session, &[&format!("CREATE USER {user}@localhost IDENTIFIED BY 'secret'"), &grant]).await;
    let theirs = database.url.replace("root@", &format!("{user}:secret@"));
    let mut other = open(&theirs).await;

    let SeenSessions::Seen(seen) = sessions(&mut session).await.unwrap() else { panic!("root sees all") };
    assert!(seen.contains(&SeenSession { user: user.clone(), application_name: String::new() }), "{seen:?}");
    let masked = sessions(&mut other).await.unwrap();
    assert!(matches!(&masked, SeenSessions::Masked(why) if why.contains("PROCESS")), "{masked:?}");

    run(&mut session, &[&format!("GRANT PROCESS ON *.* TO {user}@localhost")]).await;
    let mut other = open(&theirs).await;
    assert!(matches!(sessions(&mut other).await, Ok(SeenSessions::Seen(_))));
    run(&mut session, &[&format!("DROP USER {user}@localhost")]).await;
}
