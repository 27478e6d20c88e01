//! `rollback-check`: whether a version would work on the schema as it is, from every state of a change; and never a yes
//! where nothing is known.

use std::fs;

use lockkeeper::database::Session;
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers;

const TWO_WAY: &str = "sync = \"two-way\"\n[versions]\nold = \"v1\"\nnew = \"v2\"\n";
const LADDER: &str = "[versions]\nold = \"v1\"\nboth-reads-old = \"v2\"\nboth-reads-new = \"v3\"\nnew = \"v4\"\n";

/// The exit codes for these versions.
fn codes(change: &Change, versions: &[&str]) -> Vec<i32> {
    versions.iter().map(|version| change.say(&["rollback-check", "--to", version]).code).collect()
}

fn check(change: &Change, version: &str) -> Said {
    change.say(&["rollback-check", "--to", version])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_with_a_sync() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("change.toml", TWO_WAY);
    expect(&check(&change, "v1"), 0, &["(not begun): yes, nothing of the change is done", "v1 works on the schema"]);
    expect(&check(&change, "v2"), 1, &["expand is not finished: the new shape is not there", "v2 does not work"]);
    expect(&check(&change, "v9"), 2, &["no change knows a version `v9`", "the versions are v1, v2"]);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(
        &check(&change, "v1"),
        0,
        &["(backfill): yes, it reads and writes the old shape, which the sync keeps alike"],
    );
    expect(&check(&change, "v2"), 1, &["the backfill is not finished"]);
    expect(&change.say(&["run"]), 3, &[]);
    assert_eq!(codes(&change, &["v1", "v2"]), [0, 0]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    expect(&check(&change, "v1"), 1, &["(contract done): no, ", "contract has done away with the old shape"]);
    let json = change.say(&["rollback-check", "--to", "v2", "--format", "json"]);
    expect(&json, 0, &[r#""works":true"#, r#""state":"contract done""#, r#""rung":"new""#]);
}

/// Half of contract is begun on MariaDB, whose steps commit one by one; and half of an undo.
#[tokio::test(flavor = "multi_thread")]
async fn half_of_contract_and_half_of_an_undo() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::rename(database, Dialect::Mysql, 20).await;
    change.write("change.toml", TWO_WAY);
    let revert = fs::read_to_string(change.path.join("revert.sql")).unwrap();
    let contract = fs::read_to_string(change.path.join("contract.sql")).unwrap();
    change.write("contract.sql", &format!("{contract}\nALTER TABLE nowhere RENAME COLUMN a TO b;\n"));
    change.write(
        "revert.sql",
        &revert.replace("ALTER TABLE orders DROP COLUMN new_status", "DROP TABLE IF EXISTS nothing"),
    );
    expect(&change.say(&["run"]), 3, &[]);
    expect(&change.say(&["revert", "--yes"]), 4, &["leaves behind"]);
    expect(&check(&change, "v1"), 0, &["(being undone): yes"]);
    expect(&check(&change, "v2"), 1, &["the change is being undone"]);
    change.write("revert.sql", &revert);
    expect(&change.say(&["revert", "--yes"]), 0, &[]);
    assert_eq!(codes(&change, &["v1", "v2"]), [0, 1]);
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 4, &["nowhere"]);
    expect(&check(&change, "v1"), 1, &["contract has begun with contract."]);
    assert_eq!(codes(&change, &["v2"]), [0]);
}

/// Without a sync the data decides: what only the new version wrote, an old one would not see.
#[tokio::test(flavor = "multi_thread")]
async fn four_versions_without_a_sync() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("change.toml", LADDER);
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN new_status text;");
    change.write("contract.sql", "DROP INDEX orders_old_status_idx; ALTER TABLE orders DROP COLUMN old_status;");
    change.write("revert.sql", "ALTER TABLE orders DROP COLUMN new_status;");
    let all = ["v1", "v2", "v3", "v4"];
    assert_eq!(codes(&change, &all), [0, 1, 1, 1]);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    assert_eq!(codes(&change, &all), [0, 0, 1, 1]);
    expect(&change.say(&["run"]), 3, &[]);
    assert_eq!(codes(&change, &all), [0, 0, 0, 0]);
    let mut session = change.session().await;
    session.execute("UPDATE orders SET new_status = 'v4 wrote this' WHERE id < 4", &[]).await.unwrap();
    assert_eq!(codes(&change, &all), [1, 1, 0, 0]);
    expect(&check(&change, "v2"), 1, &["3 values are in the new one alone: nothing keeps the shapes alike"]);
}

/// All changes of a directory have a say, and so has one that only the ledger knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_changes() {
    let mut change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("change.toml", TWO_WAY);
    let parent = change.path.parent().unwrap().to_path_buf();
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    let first = change.path.clone();
    change.named("0043_notes");
    change.write("change.toml", "[versions]\nold = \"v2\"\nnew = \"v3\"\n");
    change.write("expand.sql", "CREATE TABLE notes (id integer PRIMARY KEY);");
    change.path = parent;
    expect(&check(&change, "v1"), 1, &["0042_orders_status (contract done): no", "0043_notes (not begun): yes"]);
    expect(&check(&change, "v2"), 0, &["0042_orders_status (contract done): yes", "0043_notes (not begun): yes"]);
    expect(&check(&change, "v3"), 1, &["0042_orders_status (contract done): yes", "0043_notes (not begun): no"]);
    fs::rename(&first, first.with_file_name("elsewhere")).unwrap();
    fs::remove_file(first.with_file_name("elsewhere").join("expand.sql")).unwrap();
    expect(&check(&change, "v2"), 2, &["0042_orders_status: not known, the ledger knows it", "cannot be told"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_without_a_trigger_is_refused() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    change.write("change.toml", TWO_WAY);
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN new_status text;");
    expect(&check(&change, "v1"), 2, &["sync is \"two-way\", and expand.sql creates no trigger"]);
}
