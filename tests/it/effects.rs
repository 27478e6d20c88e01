//! A claim about a lock is checked against the server, not believed.
//!
//! PostgreSQL: `pg_locks`, the table's file and its scans, before the transaction is rolled back.
//! MariaDB: it refuses an ALGORITHM or LOCK that a change cannot be done with.

use lockkeeper::database::{Connection, Session, Value, connect};
use lockkeeper::schema::{Blocks, Catalog, Effect, effect};
use lockkeeper::sql::{self, Change, Dialect};

use crate::servers;

const POSTGRES: &str = "\
    CREATE TABLE p (id bigint PRIMARY KEY);\
    INSERT INTO p SELECT generate_series(1, 100);\
    CREATE TABLE t (id bigint PRIMARY KEY, a bigint, note text, status varchar(20), checked varchar(20), \
        searched varchar(20), amount numeric(10,2), at timestamp, proved text, p_id bigint REFERENCES p);\
    INSERT INTO t SELECT i, 1, 'x', 'x', 'x', 'x', 1, now(), 'x', 1 FROM generate_series(1, 100) i;\
    ALTER TABLE t ADD CONSTRAINT short CHECK (length(checked) > 0);\
    ALTER TABLE t ADD CONSTRAINT proof CHECK (proved IS NOT NULL);\
    ALTER TABLE t ADD CONSTRAINT later CHECK (a > 0) NOT VALID;\
    CREATE INDEX t_a ON t (a);\
    CREATE INDEX t_status ON t (status);\
    CREATE INDEX t_searched ON t (lower(searched));\
    CREATE UNIQUE INDEX t_unique ON t (id);\
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";

#[tokio::test]
async fn postgres_takes_the_locks_that_we_say() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let catalog = prepare(&mut session, POSTGRES, Dialect::Postgres).await;
    let mut wrong = Vec::new();
    for sql in [
        "ALTER TABLE t ADD COLUMN x text",
        "ALTER TABLE t ADD COLUMN x text NOT NULL DEFAULT 'a'",
        "ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now()",
        "ALTER TABLE t ADD COLUMN x timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE t ADD COLUMN x double precision DEFAULT random()",
        "ALTER TABLE t ADD COLUMN x bigserial",
        "ALTER TABLE t ADD COLUMN x bigint GENERATED ALWAYS AS (a * 2) STORED",
        "ALTER TABLE t ADD COLUMN x int CHECK (x > 0)",
        "ALTER TABLE t ADD COLUMN x int UNIQUE",
        "ALTER TABLE t ADD COLUMN x bigint REFERENCES p",
        "ALTER TABLE t ADD COLUMN x bigint NOT NULL DEFAULT 1 REFERENCES p",
        "ALTER TABLE t DROP COLUMN note",
        "ALTER TABLE t RENAME COLUMN note TO x",
        "ALTER TABLE t RENAME TO x",
        "ALTER TABLE t ALTER COLUMN a TYPE numeric",
        "ALTER TABLE t ALTER COLUMN status TYPE varchar(40)",
        "ALTER TABLE t ALTER COLUMN status TYPE varchar(10)",
        "ALTER TABLE t ALTER COLUMN status TYPE text USING status::text",
        "ALTER TABLE t ALTER COLUMN status TYPE text USING upper(status)",
        "ALTER TABLE t ALTER COLUMN checked TYPE varchar(40)",
        "ALTER TABLE t ALTER COLUMN searched TYPE varchar(40)",
        "ALTER TABLE t ALTER COLUMN amount TYPE numeric(12,2)",
        "ALTER TABLE t ALTER COLUMN amount TYPE numeric(12,3)",
        "ALTER TABLE t ALTER COLUMN at TYPE timestamp(3)",
        "ALTER TABLE t ALTER COLUMN note SET NOT NULL",
        "ALTER TABLE t ALTER COLUMN proved SET NOT NULL",
        "ALTER TABLE t ALTER COLUMN note SET DEFAULT 'a'",
        "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)",
        "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT later",
        "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES p",
        "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES p NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (id)",
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX t_unique",
        "ALTER TABLE t DROP CONSTRAINT short",
        "CREATE INDEX x ON t (note)",
        "DROP INDEX t_a",
        "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "UPDATE t SET note = 'y'",
        "DELETE FROM t",
        "DROP TABLE t",
    ] {
        let claimed = claim(sql, &catalog);
        session.execute("BEGIN", &[]).await.unwrap();
        let measured = measure(&mut session, sql, &claimed).await;
        session.execute("ROLLBACK", &[]).await.unwrap();
        let claimed =
            format!("{} scans={} rewrites={}", claimed.lock, claimed.scans || claimed.rewrites, claimed.rewrites);
        if measured != claimed {
            wrong.push(format!("{sql}\n  claimed  {claimed}\n  measured {measured}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the statement does to the tables of the claim; every one of them has to be locked that way.
async fn measure(session: &mut Connection, sql: &str, claimed: &Effect) -> String {
    let tables: Vec<_> = claimed.tables.iter().map(|table| format!("'{}'::regclass", table.name)).collect();
    // The statement may rename or drop what the claim names.
    let ids = strings(session, &format!("SELECT unnest(ARRAY[{}])::oid::text", tables.join(", "))).await;
    let file = "SELECT relfilenode::text FROM pg_class WHERE oid = ";
    let before = strings(session, &format!("{file}{}", ids[0])).await;
    let rows_read = format!("SELECT pg_stat_get_xact_tuples_returned({})::text", ids[0]);
    let rows_read_before = strings(session, &rows_read).await;
    session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let after = strings(session, &format!("{file}{}", ids[0])).await;
    let read = strings(session, &rows_read).await != rows_read_before;
    let mut locks = Vec::new();
    for id in &ids {
        let modes = format!("SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = {id} AND granted");
        let modes = strings(session, &modes).await;
        locks.push(
            STRENGTH.iter().find(|(mode, _)| modes.iter().any(|held| held == mode)).map_or("none", |(_, name)| name),
        );
    }
    locks.dedup();
    let rewrites = !after.is_empty() && before != after;
    format!("{} scans={} rewrites={rewrites}", locks.join(" and "), rewrites || read)
}

/// The strongest first.
const STRENGTH: [(&str, &str); 7] = [
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("AccessShareLock", "ACCESS SHARE"),
];

const MARIADB: &str = "\
    CREATE TABLE p (id bigint PRIMARY KEY);\
    INSERT INTO p VALUES (1);\
    CREATE TABLE t (id bigint PRIMARY KEY, a bigint, note text, status varchar(50) NOT NULL, wide varchar(300), \
        count int, p_id bigint, KEY p_id (p_id)) DEFAULT CHARSET=utf8mb4;\
    INSERT INTO t VALUES (1, 1, 'x', 'x', 'x', 1, 1);";

#[tokio::test]
async fn mariadb_accepts_what_we_say_and_nothing_cheaper() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let mut wrong = Vec::new();
    for sql in [
        "ALTER TABLE t ADD COLUMN x text",
        "ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 1",
        "ALTER TABLE t ADD COLUMN x bigint AS (a * 2) STORED",
        "ALTER TABLE t ADD COLUMN x int UNIQUE",
        "ALTER TABLE t DROP COLUMN note",
        "ALTER TABLE t RENAME COLUMN note TO x",
        "ALTER TABLE t MODIFY status varchar(60) NOT NULL",
        "ALTER TABLE t MODIFY status varchar(64) NOT NULL",
        "ALTER TABLE t MODIFY status varchar(10) NOT NULL",
        "ALTER TABLE t MODIFY wide varchar(400)",
        "ALTER TABLE t MODIFY count int DEFAULT 1",
        "ALTER TABLE t MODIFY count bigint",
        "ALTER TABLE t MODIFY count int NOT NULL",
        "ALTER TABLE t ALTER COLUMN count SET DEFAULT 1",
        "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)",
        "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (p_id) REFERENCES p (id)",
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)",
        "ALTER TABLE t ADD INDEX x (a)",
        "ALTER TABLE t DROP INDEX p_id",
    ] {
        let catalog = prepare(&mut session, MARIADB, Dialect::Mysql).await;
        let claimed = claim(sql, &catalog);
        let accepted = session.execute(&format!("{sql}, {}", claimed.lock), &[]).await;
        if let Err(error) = accepted {
            wrong.push(format!("{sql}\n  claimed {}: {}", claimed.lock, error.message));
        }
        session.execute("DROP TABLE t, p", &[]).await.unwrap();
        prepare(&mut session, MARIADB, Dialect::Mysql).await;
        let cheaper = if claimed.blocks == Blocks::Writes { ", ALGORITHM=INPLACE" } else { ", ALGORITHM=INSTANT" };
        if claimed.lock != "ALGORITHM=INSTANT" && session.execute(&format!("{sql}{cheaper}"), &[]).await.is_ok() {
            wrong.push(format!("{sql}\n  claimed {}, which{cheaper} does as well", claimed.lock));
        }
        session.execute("DROP TABLE t, p", &[]).await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the statements, and replays them into a catalog as an earlier migration.
async fn prepare(session: &mut Connection, setup: &str, dialect: Dialect) -> Catalog {
    let mut catalog = Catalog::new(dialect);
    for statement in sql::read(setup, dialect) {
        session.execute(&setup[statement.range], &[]).await.unwrap();
        statement.parsed.unwrap().iter().for_each(|clause| catalog.apply(clause));
    }
    catalog.enter(1, false, []);
    catalog
}

/// The dearest effect of the statement's changes.
fn claim(sql: &str, catalog: &Catalog) -> Effect {
    let statements = sql::read(sql, catalog.dialect());
    let clauses = statements[0].parsed.as_ref().unwrap();
    let effects = clauses.iter().map(|clause| &clause.change).filter(|change| !matches!(change, Change::Other { .. }));
    let dearest = |effect: &Effect| (effect.rewrites && effect.blocks != Blocks::Nobody, effect.rewrites, effect.scans);
    effects
        .filter_map(|change| effect(change, catalog))
        .max_by_key(dearest)
        .unwrap_or_else(|| panic!("no claim: {sql}"))
}

async fn strings(session: &mut Connection, query: &str) -> Vec<String> {
    let rows = session.query(query, &[]).await.unwrap();
    rows.into_iter()
        .map(|row| match row.into_iter().next() {
            Some(Value::Text(text)) => text,
            other => panic!("{query}: {other:?}"),
        })
        .collect()
}
