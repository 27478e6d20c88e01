//! `lint --risk`: a level for each migration, why, and the strategy that goes with it.

use lockkeeper::history::{History, Migration};
use lockkeeper::lint::risk::risks;
use lockkeeper::lint::{Finding, Given, Outcome, Severity, lint};
use lockkeeper::settings::Settings;
use lockkeeper::sql::Dialect;

use crate::cli::run;

#[test]
fn every_level_has_its_reasons_and_its_strategy() {
    let files = [
        (
            "db/1_low.sql",
            "CREATE TABLE orders (id bigint PRIMARY KEY, note text, old text);\nCREATE TABLE carts (id bigint);",
        ),
        ("db/2_low.sql", "ALTER TABLE orders ADD COLUMN amount bigint;"),
        ("db/3_medium.sql", "UPDATE orders SET amount = 0;"),
        ("db/4_high.sql", "CREATE INDEX orders_amount ON orders (amount);"),
        ("db/5_high.sql", "ALTER TABLE orders RENAME COLUMN old TO older;"),
        ("db/6_high.sql", "-- lockkeeper: phase=contract\nALTER TABLE orders DROP COLUMN note;"),
        ("db/7_critical.sql", "DROP TABLE carts;"),
        ("db/8_low.sql", "CREATE TABLE scratch (id bigint);\nDROP TABLE scratch;"),
    ];
    let output = run(&files, &["lint", "--dialect", "postgres", "--risk", "db"]);
    let shown = output.split("\n\n").next().unwrap();
    insta::assert_snapshot!(shown, @r#"
    exit code: 1
    ----- stdout -----
    risk of `db/1_low.sql`: LOW
      strategy: rolling, with a fast maxSurge
    risk of `db/2_low.sql`: LOW
      strategy: rolling, with a fast maxSurge
    risk of `db/3_medium.sql`: MEDIUM
      because: update-unbatched: one UPDATE goes through all of `orders` in one transaction: writes of the running version to the same rows wait until it commits
      strategy: canary at 5%, 25%, 100%, with automated rollback
    risk of `db/4_high.sql`: HIGH
      because: create-index-blocking: `orders` gets an index built while nobody can write it: every INSERT and UPDATE of the running version waits
      strategy: blue-green, with manual smoke tests before the cutover
    risk of `db/5_high.sql`: HIGH
      because: rename-column: `orders.old` becomes `older`: every query of the running version that names `old` fails
      strategy: blue-green as one complete switch, or recreate where downtime is acceptable: rolling and canary run both versions on one schema
    risk of `db/6_high.sql`: HIGH
      because: no rollback brings back the values of `orders.note`
      strategy: blue-green, with manual smoke tests before the cutover
    risk of `db/7_critical.sql`: CRITICAL
      because: drop-table: `carts` is dropped: every query of the running version that names it fails, and its rows are gone
      because: no rollback brings back the rows of `carts`
      strategy: blue-green as one complete switch, or recreate where downtime is acceptable: rolling and canary run both versions on one schema
    risk of `db/8_low.sql`: LOW
      strategy: rolling, with a fast maxSurge
    "#);
    let output = run(&files[6..7], &["lint", "--dialect", "postgres", "--risk", "--format", "json", "db"]);
    insta::assert_snapshot!(output.lines().nth(2).unwrap(), @r#"
    {"type":"risk","path":"db/7_critical.sql","level":"CRITICAL","reasons":["drop-table: `carts` is dropped: every query of the running version that names it fails, and its rows are gone","no rollback brings back the rows of `carts`"],"strategy":"blue-green as one complete switch, or recreate where downtime is acceptable: rolling and canary run both versions on one schema"}
    "#);
}

#[test]
fn what_finding_makes_which_level() {
    let check = |rule: &'static str, severity, rows, sql: &str, level: &str| {
        let migrations = vec![Migration::new("1.sql", sql, Dialect::Postgres)];
        let history = History { migrations, ..empty() };
        let (path, message, help) = ("1.sql".to_string(), String::new(), String::new());
        let finding = Finding { rule, severity, path, range: 0..0, statement: 0..0, message, help, lock: None, rows };
        let outcome = Outcome { findings: vec![finding], ..Outcome::default() };
        let risks: Vec<_> = risks(&history, &outcome).iter().map(|risk| risk.level.name()).collect();
        assert_eq!(risks, [level], "{rule} {severity:?} {rows:?} {sql}");
    };
    let drop = "ALTER TABLE orders DROP COLUMN note";
    check("drop-table", Severity::Deny, None, "SELECT 1", "CRITICAL");
    check("rename-column", Severity::Deny, None, "SELECT 1", "HIGH");
    check("rename-column", Severity::Deny, None, drop, "CRITICAL");
    check("create-index-blocking", Severity::Deny, None, "SELECT 1", "HIGH");
    check("create-index-blocking", Severity::Deny, Some(10_000), "SELECT 1", "HIGH");
    check("create-index-blocking", Severity::Deny, Some(9_999), "SELECT 1", "MEDIUM");
    check("update-unbatched", Severity::Warn, None, "SELECT 1", "MEDIUM");
    check("opaque-statement", Severity::Note, None, "SELECT 1", "MEDIUM");
    check("unused-suppression", Severity::Note, None, "SELECT 1", "LOW");
    check("unused-suppression", Severity::Note, None, drop, "HIGH");
}

#[test]
fn what_is_only_replayed_has_no_risk() {
    let replayed = Migration { replayed: true, ..Migration::new("1.sql", "DROP TABLE a", Dialect::Postgres) };
    let history = History { migrations: vec![replayed], ..empty() };
    let outcome = lint(&history, &Settings::default(), Given::default()).unwrap();
    assert_eq!(risks(&history, &outcome), []);
}

fn empty() -> History {
    let (notes, unreadable) = (Vec::new(), Vec::new());
    History { dialect: Dialect::Postgres, migrations: Vec::new(), notes, unreadable, live: None }
}
