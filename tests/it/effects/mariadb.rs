//! MariaDB: it refuses an ALGORITHM or LOCK that a change cannot be done with.

use lockkeeper::database::{Connection, Session, connect};
use lockkeeper::schema::{Blocks, Catalog, Effect, effect};
use lockkeeper::sql::{self, Dialect};

use crate::servers;

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
        let claimed = claim(sql, &catalog).unwrap_or_else(|| panic!("no claim: {sql}"));
        let lock = claimed.locks[0].mode;
        let accepted = session.execute(&format!("{sql}, {}", lock), &[]).await;
        if let Err(error) = accepted {
            wrong.push(format!("{sql}\n  claimed {}: {}", lock, error.message));
        }
        session.execute("DROP TABLE t, p", &[]).await.unwrap();
        prepare(&mut session, MARIADB, Dialect::Mysql).await;
        let cheaper = if claimed.blocks() == Blocks::Writes { ", ALGORITHM=INPLACE" } else { ", ALGORITHM=INSTANT" };
        if lock != "ALGORITHM=INSTANT" && session.execute(&format!("{sql}{cheaper}"), &[]).await.is_ok() {
            wrong.push(format!("{sql}\n  claimed {}, which{cheaper} does as well", lock));
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

/// The dearest effect of the statement's changes: all are carried out in its way.
fn claim(sql: &str, catalog: &Catalog) -> Option<Effect> {
    let statements = sql::read(sql, Dialect::Mysql);
    let clauses = statements[0].parsed.as_ref().unwrap();
    let effects = clauses.iter().filter_map(|clause| effect::effect(&clause.change, catalog, Dialect::Mysql.into()));
    effects.max_by_key(|effect| (effect.blocks_for_long(), effect.rewrites, effect.scans))
}
