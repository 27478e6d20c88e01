//! `revert`: a change in expand or backfill is undone, from any point of it; what is lost is said before; after contract
//! there is no way back.

use std::fs;

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// Tables, columns, indexes, triggers and functions, without the ledger's.
async fn schema(session: &mut Connection) -> Vec<Vec<Value>> {
    let sql = match session.dialect() {
        Dialect::Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
             UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
        }
        Dialect::Mysql => {
            "SELECT CONVERT(concat(table_name, '.', column_name) USING utf8mb4) AS what FROM information_schema.columns
                WHERE table_schema = database() AND table_name NOT LIKE 'lockkeeper%'
             UNION ALL SELECT CONVERT(concat(table_name, '.', index_name) USING utf8mb4) FROM information_schema.statistics
                WHERE table_schema = database() AND table_name NOT LIKE 'lockkeeper%'
             UNION ALL SELECT CONVERT(trigger_name USING utf8mb4) FROM information_schema.triggers
                WHERE trigger_schema = database() ORDER BY 1"
        }
        Dialect::Sqlite => {
            "SELECT name || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE '%lockkeeper%' ORDER BY 1"
        }
    };
    session.query(sql, &[]).await.unwrap()
}

async fn rows(change: &Change) -> Vec<Vec<Value>> {
    change.session().await.query("SELECT id, old_status FROM orders ORDER BY id", &[]).await.unwrap()
}

/// Runs to the gates, undoes, begins anew, undoes from half of expand, and at last goes through.
async fn there_and_back(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 300).await;
    expect(&change.say(&["revert", "--yes"]), 2, &["has not begun on this database"]);
    let before = (schema(&mut change.session().await).await, rows(&change).await);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    change.approve();

    let asked = change.say(&["revert"]);
    expect(&asked, 2, &["lost with column orders.new_status: nothing: every value in it is what old_status gives"]);
    expect(&asked, 2, &["gate revert_db_sessions: unknown", "nobody is there to be asked", "say --yes"]);
    expect(&change.say(&["status"]), 0, &["backfill.1   done"]);
    expect(&change.say(&["revert", "--yes", "--reason", "a bug"]), 0, &["gate revert_db_sessions: pass", "undone"]);
    assert_eq!((schema(&mut change.session().await).await, rows(&change).await), before);
    expect(&change.say(&["status"]), 0, &["not begun", "UTC by tester: a bug"]);
    expect(&change.say(&["revert", "--yes"]), 0, &["undone 2", "begins it anew"]);

    // Anew, and the word that was given before is void.
    let void = "gate approval: pending, the approval on record was void when the change was undone: approve it anew";
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    let status = change.say(&["status"]);
    expect(&status, 0, &["begun anew after it was undone 2", void]);
    assert!(!status.out.contains("proved"), "of this round, nothing is: {}", status.out);
    expect(&change.say(&["run"]), 3, &[void, "gate db_sessions: unknown"]);
    expect(&change.say(&["pause", "--reason", "look first"]), 0, &[]);
    expect(&change.say(&["revert", "--yes"]), 3, &["held: paused by tester", "look first"]);
    expect(&change.say(&["status"]), 0, &["revert.1     pending"]);
    expect(&change.say(&["resume"]), 0, &[]);
    expect(&change.say(&["revert", "--yes"]), 0, &["undone"]);
    assert_eq!((schema(&mut change.session().await).await, rows(&change).await), before);

    // Half of expand: its last statement is refused.
    let expand = fs::read_to_string(change.path.join("expand.sql")).unwrap();
    change.write("expand.sql", &format!("{expand}\nALTER TABLE nowhere ADD COLUMN x int;"));
    expect(&change.say(&["run"]), 4, &["nowhere"]);
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 0, &["undone"]);
    assert_eq!(said.err.contains("there was nothing to undo"), dialect != Dialect::Postgres, "{}", said.err);
    assert_eq!((schema(&mut change.session().await).await, rows(&change).await), before);
    change.write("expand.sql", &expand);
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    there_and_back(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    there_and_back(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_on_sqlite() {
    there_and_back(servers::sqlite(), Dialect::Sqlite).await;
}

async fn after_contract(database: TestDatabase, dialect: Dialect, gone: &str) {
    let change = Change::rename(database, dialect, 20).await;
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    let said = change.say(&["revert", "--yes"]);
    let words =
        ["cannot be undone: contract has begun with contract.", "took away, at 2", gone, "point-in-time recovery"];
    expect(&said, 1, &words);
    assert!(change.session().await.query("SELECT new_status FROM orders", &[]).await.is_ok(), "nothing was undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_back_after_contract() {
    let gone = "the column orders.old_status with its values";
    after_contract(servers::sqlite(), Dialect::Sqlite, gone).await;
    if let Some(database) = servers::mariadb().await {
        after_contract(database, Dialect::Mysql, gone).await;
    }
    if let Some(database) = servers::postgres().await {
        after_contract(database, Dialect::Postgres, gone).await;
    }
}

/// Without a sync, what the new version wrote is only there.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_only_the_new_version_wrote_are_counted() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("change.toml", "");
    change.write(
        "expand.sql",
        "ALTER TABLE orders ADD COLUMN new_status text; CREATE TABLE notes (id integer PRIMARY KEY);",
    );
    change.write("contract.sql", "ALTER TABLE orders DROP COLUMN old_status;");
    change.write(
        "revert.sql",
        "DROP INDEX orders_new_status_idx; ALTER TABLE orders DROP COLUMN new_status; DROP TABLE notes;",
    );
    expect(&change.say(&["run"]), 3, &[]);
    let mut session = change.session().await;
    session.execute("UPDATE orders SET new_status = 'only here' WHERE id IN (3, 5)", &[]).await.unwrap();
    session.execute("INSERT INTO notes VALUES (1)", &[]).await.unwrap();
    let lost = "lost with column orders.new_status: its values in 2 rows, which are not what old_status gives";
    expect(&change.say(&["revert"]), 2, &[lost, "lost with table notes: its values, in 1 row"]);
    assert_eq!(session.query("SELECT count(new_status) FROM orders", &[]).await.unwrap(), [[Value::Int(20)]]);
}

/// Without revert.sql it is said what it would be; it may be written then, and it works.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wrote_is_proposed() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 20).await;
    let before = schema(&mut change.session().await).await;
    fs::remove_file(change.path.join("revert.sql")).unwrap();
    expect(&change.say(&["run"]), 3, &[]);
    let said = change.say(&["revert", "--yes"]);
    expect(
        &said,
        2,
        &["has no revert.sql", "from what expand and backfill have changed it would be:\nDROP INDEX CONCURRENTLY"],
    );
    let proposed = said.err.split_once("it would be:\n").unwrap().1;
    change.write("revert.sql", proposed);
    expect(&change.say(&["revert", "--yes"]), 0, &["undone"]);
    assert_eq!(schema(&mut change.session().await).await, before);
}

/// What revert.sql forgets is found; until that is mended, the change is neither old nor new and does not run.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_behind_is_named() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    let revert = fs::read_to_string(change.path.join("revert.sql")).unwrap();
    let column = "ALTER TABLE orders DROP COLUMN new_status;\n";
    assert!(revert.contains(column));
    change.write("revert.sql", &revert.replace(column, ""));
    expect(&change.say(&["run"]), 3, &[]);
    let left = "leaves behind: column orders.new_status (expand.sql:6)";
    expect(&change.say(&["revert", "--yes"]), 4, &[left]);
    expect(&change.say(&["run"]), 1, &["is being undone, since 2", "lockkeeper revert"]);
    expect(&change.say(&["status"]), 0, &["being undone since", "revert.1     done"]);
    change.write("revert.sql", &revert);
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 0, &["4 done by earlier runs", "revert.5  ALTER TABLE orders DROP COLUMN new_status", "undone"]);
}

/// A new version that is connected holds the undo back, whatever is said; when it is gone, it is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_connected_new_version_holds_it_back() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 20).await;
    change.write(
        "change.toml",
        "[versions]\nold = \"v1\"\nnew = \"v2\"\n[[consumers]]\nname = \"o\"\napplication-name = \"o/{version}\"\n",
    );
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    let connect = |name: &'static str| database::connect(&change.database.url, name);
    let (_old, new) = (connect("o/v1").await.unwrap(), connect("o/v2").await.unwrap());
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 3, &["gate revert_db_sessions: pending, 1 session of v2 is still connected", "waiting until"]);
    // Nothing was begun: the change can still go on.
    expect(&change.say(&["status"]), 0, &["expand.1     done"]);
    assert!(!change.say(&["status"]).out.contains("undone"));
    drop(new);
    expect(
        &change.say(&["revert", "--yes", "--wait"]),
        0,
        &["gate revert_db_sessions: pass, 1 session of v1", "undone"],
    );
}

/// The word that opened contract's gate is none for the undo's, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_for_contract_is_none_for_the_undo() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["revert"]), 2, &["gate revert_db_sessions: unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_in_revert_sql_is_refused() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("revert.sql", "UPDATE orders SET old_status = new_status;");
    expect(&change.say(&["run"]), 2, &["revert.sql:1: an UPDATE in revert.sql would be one long transaction"]);
}
