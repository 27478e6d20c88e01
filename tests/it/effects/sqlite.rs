//! SQLite: the pages that a statement writes and the steps that it takes, on a table of many pages; and who waits for it.

use lockkeeper::database::{Connection, Session, connect};
use lockkeeper::schema::{Answer, Blocks, Catalog};
use lockkeeper::sql::{self, Dialect};

use super::{claim, rows};
use crate::servers;

const SETUP: &str = "\
    CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT, n INT NOT NULL DEFAULT 1);\
    CREATE INDEX t_a ON t (a);\
    CREATE VIEW v AS SELECT id FROM t;\
    CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;";

const STATEMENTS: [&str; 26] = [
    "ALTER TABLE t ADD COLUMN x INT",
    "ALTER TABLE t ADD COLUMN x INT NOT NULL DEFAULT 0",
    "ALTER TABLE t ADD COLUMN x TEXT DEFAULT 'y'",
    "ALTER TABLE t ADD COLUMN x INT AS (a * 2)",
    "ALTER TABLE t ADD COLUMN x INT NOT NULL AS (id * 2)",
    "ALTER TABLE t ADD COLUMN x INT DEFAULT 1 CHECK (x > 0)",
    "ALTER TABLE t ADD COLUMN x INT REFERENCES t (id)",
    "ALTER TABLE t ADD COLUMN x TEXT COLLATE NOCASE",
    "ALTER TABLE t DROP COLUMN n",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t RENAME COLUMN b TO bb",
    "ALTER TABLE t RENAME TO t2",
    "CREATE INDEX i ON t (b)",
    "CREATE UNIQUE INDEX i ON t (id, a)",
    "CREATE INDEX i ON t (a) WHERE a > 4000",
    "DROP INDEX t_a",
    "CREATE TRIGGER h AFTER UPDATE ON t BEGIN SELECT 1; END",
    "DROP TRIGGER g",
    "CREATE VIEW w AS SELECT a FROM t",
    "DROP VIEW v",
    "DROP TABLE t",
    "REINDEX t_a",
    "CREATE TABLE c AS SELECT * FROM t",
    "CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INT REFERENCES t (id))",
    "UPDATE t SET a = a + 1",
    "DELETE FROM t WHERE a > 10",
];

#[tokio::test]
async fn the_database_does_what_we_claim() {
    let mut wrong = Vec::new();
    let mut unknown = Vec::new();
    for statement in STATEMENTS {
        let database = servers::sqlite();
        let (mut session, mut other) = pair(&database.url).await;
        let catalog = fill(&mut session).await;
        let Some(claim) = claim(statement, &catalog, Dialect::Sqlite.into()) else {
            unknown.push(statement);
            continue;
        };
        session.execute("BEGIN", &[]).await.unwrap();
        let pages = number(&mut session, "PRAGMA page_count").await;
        session.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let waits = other.execute("CREATE TABLE other (id INT)", &[]).await.is_err();
        let reads = other.query("SELECT count(*) FROM sqlite_master", &[]).await.is_ok();
        session.execute("COMMIT", &[]).await.unwrap();
        let written = number(&mut session, "PRAGMA wal_checkpoint(PASSIVE)").await;
        let rewrites = written > pages / 3 && statement.starts_with("ALTER");
        if (claim.blocks() == Blocks::Writes) != waits || !reads || (claim.rewrites == Answer::Yes) != rewrites {
            wrong.push(format!("{statement}: claimed {claim:?}; another writer waits: {waits}, reader reads: {reads}, {written} of {pages} pages written"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(STATEMENTS.len() > 4 * unknown.len(), "{unknown:?}");
}

async fn pair(url: &str) -> (Connection, Connection) {
    let mut session = connect(url, "lockkeeper test").await.unwrap();
    session.query("PRAGMA journal_mode = WAL", &[]).await.unwrap();
    let mut other = connect(url, "lockkeeper test").await.unwrap();
    for connection in [&mut session, &mut other] {
        connection.query("PRAGMA busy_timeout = 0", &[]).await.unwrap();
    }
    (session, other)
}

/// A table of some hundred pages, all of them in the file and none in the log.
async fn fill(session: &mut Connection) -> Catalog {
    let mut catalog = Catalog::new(Dialect::Sqlite);
    for statement in sql::read(SETUP, Dialect::Sqlite) {
        session.execute(&SETUP[statement.range], &[]).await.unwrap();
        statement.parsed.unwrap().iter().for_each(|clause| catalog.apply(clause));
    }
    catalog.enter(1, false, []);
    let rows = "WITH RECURSIVE s (g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM s WHERE g < 5000) \
        INSERT INTO t SELECT g, g, 'a text that fills pages: ' || g, g FROM s";
    session.execute(rows, &[]).await.unwrap();
    session.query("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await.unwrap();
    catalog
}

/// The last column of the first row: of a checkpoint, the pages that were in the log.
async fn number(session: &mut Connection, query: &str) -> usize {
    let row = rows(session, query).await.remove(0);
    row.last().unwrap().parse().unwrap()
}
