//! PostgreSQL: whose open transactions a statement waits for, and which changes a prepared SELECT does not survive.

use lockkeeper::database::{Connection, Session, connect, server_version};
use lockkeeper::schema::{Catalog, WaitsFor};
use lockkeeper::sql::{self, Dialect, Engine, Flavour};

use super::claim;
use crate::servers;

const SETUP: &str = "\
    DROP SCHEMA public CASCADE; CREATE SCHEMA public;\
    CREATE TABLE other (id int); INSERT INTO other VALUES (1);\
    CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1); CREATE INDEX t_a ON t (a);\
    ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID;\
    CREATE TABLE pt (id int, k int) PARTITION BY RANGE (k);\
    CREATE TABLE pt1 PARTITION OF pt FOR VALUES FROM (1) TO (10); INSERT INTO pt VALUES (1, 1);\
    CREATE TABLE pt2 PARTITION OF pt FOR VALUES FROM (10) TO (20);";

/// What another session has done and not ended: an older snapshot of another table, a read, a write.
const OPEN: [&[&str]; 3] = [
    &["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM other"],
    &["BEGIN", "SELECT * FROM t", "SELECT * FROM pt"],
    &["BEGIN", "UPDATE t SET a = 2", "UPDATE pt SET id = 2"],
];

#[tokio::test]
async fn a_statement_waits_for_whom_we_say() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let mut other = connect(&database.url, "lockkeeper test").await.unwrap();
    let engine = Engine::from_words(&server_version(&mut session).await.unwrap()).unwrap();
    for (run, from) in [
        ("CREATE INDEX CONCURRENTLY t_b ON t (a)", 12),
        ("DROP INDEX CONCURRENTLY t_a", 12),
        ("REINDEX INDEX CONCURRENTLY t_a", 12),
        ("REINDEX TABLE CONCURRENTLY t", 12),
        ("ALTER TABLE pt DETACH PARTITION pt1 CONCURRENTLY", 14),
        ("ALTER TABLE t VALIDATE CONSTRAINT ck", 12),
        ("ALTER TABLE t SET (fillfactor = 90)", 12),
    ] {
        if !engine.may_be_from(Flavour::Postgres, from) {
            continue;
        }
        let mut waits = Vec::new();
        let mut claimed = None;
        for open in OPEN {
            let catalog = prepare(&mut session).await;
            claimed = claim(run, &catalog, engine).map(|claim| claim.waits_for);
            for sql in open {
                other.execute(sql, &[]).await.unwrap();
            }
            // It waits, or it does not: how long does not matter.
            session.execute("SET lock_timeout = '100ms'", &[]).await.unwrap();
            let outcome = session.execute(run, &[]).await;
            session.execute("SET lock_timeout = 0", &[]).await.unwrap();
            other.execute("ROLLBACK", &[]).await.unwrap();
            waits.push(match outcome {
                Ok(_) => false,
                Err(error) if error.code.as_deref() == Some("55P03") => true,
                Err(error) => panic!("{run}: {error}"),
            });
        }
        let expected = match claimed.unwrap() {
            WaitsFor::Nobody => [false, false, false],
            WaitsFor::UsersOfTable => [false, true, true],
            WaitsFor::WritersAndSnapshots => [true, false, true],
            WaitsFor::UsersAndSnapshots => [true, true, true],
        };
        assert_eq!(waits, expected, "{run}: an older snapshot, a reader, a writer");
    }
}

#[tokio::test]
async fn a_prepared_select_survives_what_no_finding_is_about() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    for (run, statement, survives) in [
        ("ALTER TABLE t ALTER v TYPE varchar(40)", "SELECT v FROM t", false),
        ("ALTER TABLE t ALTER v TYPE text", "SELECT v FROM t", false),
        ("ALTER TABLE t ALTER v TYPE varchar(20) COLLATE \"C\"", "SELECT v FROM t", false),
        ("ALTER TABLE t ALTER n TYPE numeric(12, 2)", "SELECT n FROM t", false),
        ("ALTER TABLE t ALTER id TYPE bigint", "SELECT id + 1 FROM t", false),
        ("ALTER TABLE t ALTER id TYPE bigint", "INSERT INTO t VALUES (2) RETURNING id", false),
        ("ALTER TABLE t ALTER v TYPE text", "SELECT id FROM t WHERE v = 'a'", true),
        ("ALTER TABLE t ALTER v TYPE text", "UPDATE t SET v = 'b'", true),
        ("ALTER TABLE t ALTER v TYPE character varying(20)", "SELECT v FROM t", true),
        ("ALTER TABLE t ALTER id TYPE int4", "SELECT id FROM t", true),
        ("ALTER TABLE t ADD COLUMN z int", "SELECT * FROM t", false),
        ("ALTER TABLE t ADD COLUMN z int", "SELECT id, v FROM t", true),
        ("ALTER TABLE t ALTER v SET DEFAULT 'x', ALTER v SET NOT NULL", "SELECT * FROM t", true),
    ] {
        for sql in [
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            "CREATE TABLE t (id int, v varchar(20), n numeric(10, 2))",
            "INSERT INTO t VALUES (1, 'a', 1)",
            "DEALLOCATE ALL",
            &format!("PREPARE old AS {statement}"),
            "EXECUTE old",
            run,
        ] {
            session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        // It does not mend itself: the second time is like the first.
        for time in [1, 2] {
            let outcome = session.execute("EXECUTE old", &[]).await.map_err(|error| error.message);
            match (survives, outcome) {
                (true, Ok(_)) => {}
                (false, Err(message)) if message == "cached plan must not change result type" => {}
                (_, outcome) => panic!("{run}, {statement}, time {time}: {outcome:?}"),
            }
        }
    }
}

/// The tables anew, and the catalog of an earlier migration.
async fn prepare(session: &mut Connection) -> Catalog {
    let mut catalog = Catalog::new(Dialect::Postgres);
    for statement in sql::read(SETUP, Dialect::Postgres) {
        session.execute(&SETUP[statement.range], &[]).await.unwrap();
        statement.parsed.unwrap().iter().for_each(|clause| catalog.apply(clause));
    }
    catalog.enter(1, false, []);
    catalog
}
