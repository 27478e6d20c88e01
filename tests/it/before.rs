//! What is judged before the first step: expand that breaks or blocks, and contract that adds.

use std::fs;

use lockkeeper::database::{Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers::{self, TestDatabase};

/// A change of these statements alone.
async fn only(database: TestDatabase, dialect: Dialect, expand: &str) -> Change {
    let change = Change::rename(database, dialect, 10).await;
    for file in ["backfill.sql", "contract.sql", "revert.sql"] {
        fs::remove_file(change.path.join(file)).unwrap();
    }
    change.write("change.toml", "");
    change.write("expand.sql", expand);
    change.session().await.execute("CREATE TABLE wide (name varchar(20))", &[]).await.unwrap();
    change
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_that_adds_is_refused_before_the_first_step() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let contract = fs::read_to_string(change.path.join("contract.sql")).unwrap();
    change.write("contract.sql", &format!("ALTER TABLE orders ADD COLUMN note text;\n{contract}"));
    let planned = change.command(&["plan"]).env_remove("LOCKKEEPER_DATABASE_URL").output().unwrap().into();
    expect(&planned, 0, &["against it: contract.sql:1: `orders.note` is added", "begins what it does not excuse"]);
    expect(
        &change.say(&["run"]),
        1,
        &["contract.sql:1: `orders.note` is added in contract (additive-in-contract)", "--force --reason"],
    );
    expect(&change.say(&["status"]), 0, &["not begun"]);
    expect(&change.say(&["run", "--force"]), 2, &["--reason"]);
    expect(&change.say(&["run", "--reason", "why"]), 2, &["--force"]);
    expect(&change.say(&["run", "--force", "--reason", ""]), 2, &["--reason"]);
    let forced = ["forced by tester: nobody reads it", "against it: contract.sql:1: `orders.note` is added"];
    expect(&change.say(&["run", "--force", "--reason", "nobody reads it"]), 3, &forced);
    expect(&change.say(&["status"]), 0, &["forced by tester: nobody reads it"]);
    expect(&change.say(&["status", "--format", "json"]), 0, &["\"forced\":", "contract.sql:1: `orders.note`"]);
    // It has begun: nobody asks again.
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expand_that_breaks_or_blocks_is_refused_before_the_first_step() {
    for (expand, because) in [
        ("\nALTER TABLE orders ADD COLUMN note text NOT NULL;", "(add-column-not-null)"),
        ("\nALTER TABLE wide ALTER COLUMN name SET NOT NULL;", "(set-not-null)"),
        ("\nALTER TABLE orders ALTER COLUMN customer TYPE varchar(90);", "(change-column-type)"),
        ("\nCREATE INDEX orders_customer ON orders (customer);", "(create-index-blocking)"),
    ] {
        let Some(database) = servers::postgres().await else { return };
        let change = only(database, Dialect::Postgres, expand).await;
        expect(&change.say(&["run"]), 1, &["expand.sql:2: ", because, "lockkeeper explain"]);
        let steps = "SELECT count(*) FROM lockkeeper.step";
        assert_eq!(change.session().await.query(steps, &[]).await.unwrap(), [[Value::Int(0)]], "{expand}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hurts_nobody_is_not_refused() {
    for expand in [
        "ALTER TABLE orders ADD COLUMN note text;",
        "CREATE TABLE notes (id bigint PRIMARY KEY, orders bigint NOT NULL); CREATE INDEX notes_orders ON notes (orders);",
        // lint with the database says why, too: a table of ten rows has not been analysed.
        "-- lockkeeper: allow create-index-blocking: nobody writes at night\nCREATE INDEX orders_customer ON orders (customer);",
        "ALTER TABLE orders ADD CONSTRAINT named CHECK (customer <> '') NOT VALID;",
        "ALTER TABLE wide ALTER COLUMN name TYPE varchar(90);",
    ] {
        let Some(database) = servers::postgres().await else { return };
        let change = only(database, Dialect::Postgres, expand).await;
        expect(&change.say(&["run"]), 0, &["finished"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_and_sqlite_refuse_it_too() {
    let sqlite = only(servers::sqlite(), Dialect::Sqlite, "ALTER TABLE orders ADD COLUMN note text NOT NULL;").await;
    expect(&sqlite.say(&["run"]), 1, &["expand.sql:1: ", "(add-column-not-null)"]);
    let Some(database) = servers::mariadb().await else { return };
    let change = only(database, Dialect::Mysql, "ALTER TABLE orders MODIFY customer bigint;").await;
    expect(&change.say(&["run"]), 1, &["expand.sql:1: ", "(change-column-type)"]);
}

/// Where backfill.sql enforces, behind its proof, the files alone cannot tell what the check in front of it proves.
#[test]
fn plan_has_nothing_against_the_examples() {
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-examples")).unwrap() {
        let example = entry.unwrap().path();
        if example.is_dir() {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
            let said: Said = command.arg("plan").arg(&example).output().unwrap().into();
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", example.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_null_that_reads_every_row_under_the_lock_is_refused_behind_the_proof_too() {
    let Some(database) = servers::postgres().await else { return };
    let change = only(database, Dialect::Postgres, "ALTER TABLE wide ADD COLUMN more int;").await;
    change.write(
        "backfill.sql",
        "UPDATE wide SET name = 'none' WHERE name IS NULL;\nALTER TABLE wide ALTER COLUMN name SET NOT NULL;",
    );
    expect(&change.say(&["run"]), 1, &["backfill.sql:2: ", "every row is read under the lock (set-not-null)"]);
}

/// Another change on the same table that is not finished is waited for, or gone past by a person's word.
async fn another_change_is_in_the_way(database: TestDatabase, dialect: Dialect) {
    let mut change = Change::rename(database, dialect, 10).await;
    let first = change.path.clone();
    change.named("0043_note");
    let second = change.path.clone();
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN note text;");
    change.write("change.toml", &format!("dialect = \"{dialect}\""));
    change.named("0044_other");
    let third = change.path.clone();
    change.write("expand.sql", "CREATE TABLE parcels (id int);");
    change.write("change.toml", &format!("dialect = \"{dialect}\""));
    change.path.clone_from(&first);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    change.path = third;
    expect(&change.say(&["run"]), 0, &["finished"]);
    change.path.clone_from(&second);
    let said =
        ["is not begun: another change is in its way", "0042_orders_status has begun on orders and is not finished"];
    expect(&change.say(&["run"]), 3, &said);
    expect(&change.say(&["status"]), 0, &["not begun"]);
    // Undone, it is in nobody's way; begun again and finished, neither.
    change.path.clone_from(&first);
    expect(&change.say(&["revert", "--yes"]), 0, &["undone"]);
    change.path.clone_from(&second);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    change.path = first;
    // All of its steps are done, and its end is not written yet.
    let said = ["0043_note has begun on orders and is not finished"];
    let table = if dialect == Dialect::Postgres { "lockkeeper.plan" } else { "lockkeeper_plan" };
    let not_yet = format!("UPDATE {table} SET finished_at = NULL WHERE name = '0043_note'");
    change.session().await.execute(&not_yet, &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &said);
    expect(&change.say(&["run", "--force", "--reason", "other columns"]), 3, &["forced", "gate approval: pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_change_is_in_the_way_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    another_change_is_in_the_way(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_change_is_in_the_way_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    another_change_is_in_the_way(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_change_is_in_the_way_on_sqlite() {
    another_change_is_in_the_way(servers::sqlite(), Dialect::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_begins_after_those_that_it_depends_on() {
    let mut change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let first = change.path.clone();
    change.named("0043_note");
    let second = change.path.clone();
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN note text;");
    change.write("change.toml", "depends-on = [\"0042_orders_statu\"]\n");
    expect(&change.say(&["run"]), 2, &["no change beside it is called", "did you mean `0042_orders_status`?"]);
    change.write("change.toml", "depends-on = [\"0042_orders_status\"]\n");
    expect(&change.say(&["run"]), 3, &["0043_note depends on 0042_orders_status, which has not begun here"]);
    change.path.clone_from(&first);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    change.path.clone_from(&second);
    expect(&change.say(&["run"]), 3, &["0043_note depends on 0042_orders_status, which is not finished"]);
    let added = "SELECT count(*) FROM pragma_table_info('orders') WHERE name = 'note'";
    assert_eq!(change.session().await.query(added, &[]).await.unwrap(), [[Value::Int(0)]]);
    change.path = first;
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    change.path = second;
    expect(&change.say(&["run"]), 0, &["finished"]);
}
