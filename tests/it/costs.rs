//! What filling a column costs over which an index stands, said before anything is done.

use lockkeeper::database;
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};
use super::shapes;

const NOTE: &str = "note: filling `b` writes every row into this index, too";

async fn indexes_are_told(database: TestDatabase, dialect: Dialect) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let set_up = "CREATE TABLE t (id int PRIMARY KEY, a int, c int, d int);;CREATE INDEX over_c ON t (d, c);;CREATE INDEX over_d ON t (d);;
        INSERT INTO t (id, a) VALUES (1, 7)";
    shapes::execute(&mut session, set_up).await;
    let mut change = Change::empty(database);
    let settings = format!("dialect = \"{dialect}\"");
    change.named("0001_before");
    change.write("change.toml", &settings);
    change.write(
        "expand.sql",
        "ALTER TABLE t ADD COLUMN b int;\nCREATE INDEX over_b ON t (a, b);\nCREATE INDEX over_a ON t (a);",
    );
    change.write("backfill.sql", "UPDATE t SET b = a, c = a;");
    let said = change.say(&["plan"]);
    expect(&said, 0, &[NOTE]);
    assert_eq!(said.out.matches("note: ").count(), 1, "{}", said.out);
    expect(&change.say(&["plan", "--format", "json"]), 0, &["\"note\": \"filling `b` writes"]);
    let said = change.say(&["run", "--force", "--reason", "a small table"]);
    expect(
        &said,
        0,
        &[
            "advice: expand.2: filling `b`",
            "advice: backfill.1: filling `c` writes every row into index over_c of t, too",
        ],
    );
    assert_eq!(
        said.err.matches("writes every row into").count() + said.out.matches("writes every row into").count(),
        2
    );
    // Built when all is filled, it costs nothing more; and a run that goes on says nothing again.
    change.named("0002_behind");
    change.write("change.toml", &settings);
    change.write("expand.sql", "ALTER TABLE t ADD COLUMN e int;");
    change.write("backfill.sql", "UPDATE t SET e = a;\nCREATE INDEX over_e ON t (e);");
    let said = change.say(&["plan"]);
    assert!(said.code == 0 && !said.out.contains("note: "), "{}{}", said.out, said.err);
    let said = change.say(&["run", "--force", "--reason", "a small table"]);
    expect(&said, 0, &["finished"]);
    assert!(!format!("{}{}", said.out, said.err).contains("writes every row into"));
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_told_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    indexes_are_told(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_told_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    indexes_are_told(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_told_on_sqlite() {
    indexes_are_told(servers::sqlite(), Dialect::Sqlite).await;
}
