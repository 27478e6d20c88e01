//! Histories to findings: order, phases, layouts, and what comments allow. The rules themselves are tested by their pages.

use crate::cli::run;

/// `rule line` of every finding, then the notes and the summary.
pub(crate) fn lint(dialect: &str, files: &[(&str, &str)]) -> String {
    shown(files, &["lint", "--dialect", dialect, "--format", "json", "db"])
}

/// The same of a command that prints JSON.
pub(crate) fn shown(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = run(files, arguments);
    let stdout = output.split_once("----- stdout -----\n").unwrap().1.split_once("----- stderr -----").unwrap().0;
    let mut shown = String::new();
    for line in stdout.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        if object["type"] == "finding" {
            let text = |key: &str| object[key].as_str().unwrap().to_string();
            shown += &format!("{}:{} {}\n", text("path"), object["line"], text("rule"));
        } else {
            for note in object["notes"].as_array().unwrap() {
                // Which layout was recognised is the business of `layouts.rs`.
                let note = note.as_str().unwrap();
                if !note.contains(" is read as plain (") {
                    shown += &format!("note: {note}\n");
                }
            }
            shown += &format!("{} files, {} suppressed", object["files"], object["suppressed"]);
            let others =
                [("excused_by_phase", "excused"), ("on_small_tables", "on small tables"), ("turned_off", "off")];
            for (key, word) in others.into_iter().filter(|(key, _)| object[key] != 0) {
                shown += &format!(", {} {word}", object[key]);
            }
            shown += "\n";
        }
    }
    shown
}

#[test]
fn migrations_run_in_the_order_of_their_numbers() {
    let files = [
        ("db/10_wider.sql", "ALTER TABLE orders ALTER COLUMN status TYPE varchar(40);"),
        ("db/2_create.sql", "CREATE TABLE orders (id bigint, status varchar(20));"),
        ("db/11_narrower.sql", "ALTER TABLE orders ALTER COLUMN status TYPE varchar(30);"),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/10_wider.sql:1 prepared-select-breaks
    db/11_narrower.sql:1 change-column-type
    db/11_narrower.sql:1 narrow-type
    3 files, 0 suppressed
    "#);
}

#[test]
fn a_phased_change_is_judged_by_phase() {
    let files = [
        ("db/1_status/expand.sql", "ALTER TABLE orders ADD COLUMN b text;\nALTER TABLE orders DROP COLUMN c;"),
        ("db/1_status/backfill.sql", "UPDATE orders SET b = a;\nUPDATE orders SET d = a;"),
        ("db/1_status/contract.sql", "ALTER TABLE orders DROP COLUMN a;\nUPDATE orders SET d = b;"),
        ("db/1_status/revert.sql", "ALTER TABLE orders DROP COLUMN b;"),
        ("db/1_status/verify.sql", "SELECT 1 FROM orders WHERE b IS DISTINCT FROM a;"),
        ("db/2_after.sql", "ALTER TABLE orders DROP COLUMN b;"),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/1_status/expand.sql:2 drop-column
    db/1_status/contract.sql:2 update-unbatched
    db/2_after.sql:1 drop-column
    note: 2 files (`db/1_status/revert.sql`, ...) not linted: no phase of a phased change runs them
    4 files, 0 suppressed, 3 excused
    "#);
}

#[test]
fn what_undoes_a_migration_is_counted_and_not_judged() {
    let drop = "DROP TABLE orders;";
    let files = [
        ("db/1.sql", "SELECT 1;"),
        ("db/1_down.sql", drop),
        ("db/2.down.sql", drop),
        ("db/5_two.sql", "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nDROP TABLE orders;"),
        ("db/.hidden/6.sql", drop),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    note: `db/5_two.sql` is linted up to line 3, where its down section begins
    note: 2 files (`db/1_down.sql`, ...) not linted: made to undo a migration
    2 files, 0 suppressed
    "#);
}

#[test]
fn a_table_is_new_in_its_own_migration_only() {
    let files = [
        ("db/1.sql", "CREATE TABLE a (id int);\nALTER TABLE a DROP COLUMN id;"),
        (
            "db/2.sql",
            "CREATE TABLE b (id int);\nALTER TABLE a RENAME TO c;\nALTER TABLE c DROP COLUMN x;\nDROP TABLE b;",
        ),
        ("db/3.sql", "DROP TABLE IF EXISTS b;\nCREATE TABLE b (id int);\nCREATE INDEX i ON b (id);"),
        ("db/4.sql", "CREATE TABLE IF NOT EXISTS b (id int);\nCREATE INDEX j ON b (id);"),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/2.sql:2 rename-table
    db/2.sql:3 drop-column
    db/3.sql:1 drop-table
    db/4.sql:2 create-index-blocking
    db/4.sql:2 redundant-index
    4 files, 0 suppressed
    "#);
}

#[test]
fn a_comment_allows_its_own_statement_only() {
    let files = [(
        "db/1.sql",
        "-- lockkeeper: allow drop-table: never released\n\
         DROP TABLE a;\n\
         DROP TABLE b;\n\
         DROP TABLE c; -- lockkeeper: allow drop-table: never released\n\
         ALTER TABLE d -- lockkeeper: allow drop-column, rename-column: never released\n\
         DROP COLUMN x,\n\
         ADD CHECK (y > 0);\n\
         -- lockkeeper: allow drop-table\n\
         DROP TABLE e;\n",
    )];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/1.sql:3 drop-table
    db/1.sql:5 unused-suppression
    db/1.sql:7 add-check-blocking
    db/1.sql:8 suppression-without-reason
    db/1.sql:9 drop-table
    1 files, 3 suppressed
    "#);
}

#[test]
fn a_phase_in_a_comment_excuses_only_from_above_the_first_statement_and_is_counted() {
    let drops = "DROP TABLE a;\nALTER TABLE b DROP COLUMN c;\n";
    let first = run(
        &[("db/1.sql", &format!("-- Last.\n-- lockkeeper: phase=contract\n{drops}"))],
        &["lint", "--dialect", "postgres", "db"],
    );
    assert!(
        first.contains("no findings in 1 file, 2 statements; 2 findings excused by their phase (whether"),
        "{first}"
    );
    let late = [("db/1.sql", &*format!("{drops}-- lockkeeper: phase=contract\nDROP TABLE d;\n"))];
    insta::assert_snapshot!(lint("postgres", &late), @r#"
    db/1.sql:1 drop-table
    db/1.sql:2 drop-column
    db/1.sql:3 unknown-directive
    db/1.sql:4 drop-table
    1 files, 0 suppressed
    "#);
}

/// The end of the summary line: what was not judged.
fn not_judged(dialect: &str, sql: &str) -> String {
    let output = run(&[("db/1.sql", sql)], &["lint", "--dialect", dialect, "db"]);
    let line = output.lines().find(|line| line.contains(" in 1 file, ")).unwrap();
    line.split_once("statement").unwrap().1.trim_start_matches('s').to_string()
}

#[test]
fn a_statement_that_no_rule_looks_at_is_counted_and_named() {
    let postgres = "TRUNCATE orders; CREATE TRIGGER g BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();\n\
        ALTER TABLE orders REPLICA IDENTITY FULL; ALTER TABLE orders SET SCHEMA old, OWNER TO app; DROP OWNED BY app;\n\
        ALTER TABLE orders ATTACH PARTITION p DEFAULT; DROP DATABASE d; ALTER TABLE orders DISABLE TRIGGER ALL;\n";
    insta::assert_snapshot!(not_judged("postgres", postgres), @"; not judged: 3 statements (ALTER TABLE OWNER TO, ALTER TABLE REPLICA IDENTITY FULL, DROP OWNED BY)");
    let mysql = "TRUNCATE orders; ALTER TABLE orders ENGINE=InnoDB; ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4;\n\
        ALTER TABLE orders DROP PARTITION p0; OPTIMIZE TABLE orders; LOCK TABLES orders WRITE; UNLOCK TABLES;\n\
        ALTER TABLE orders ADD COLUMN c int, ALGORITHM=INSTANT, LOCK=NONE; DROP DATABASE d;";
    insta::assert_snapshot!(not_judged("mysql", mysql), @"; not judged: 2 statements (ALTER TABLE DROP PARTITION, OPTIMIZE)");
    insta::assert_snapshot!(not_judged("sqlite", "VACUUM; PRAGMA foreign_keys = on; DROP VIEW v;"), @"; not judged: 1 statement (VACUUM)");
}

#[test]
fn what_can_neither_lock_nor_change_is_not_counted() {
    let harmless = "COMMENT ON TABLE orders IS 'x'; GRANT SELECT ON orders TO app; SET lock_timeout = '1s';\n\
        CREATE EXTENSION citext; CREATE TYPE t AS ENUM ('a'); ALTER TYPE t ADD VALUE 'b'; CREATE SEQUENCE s;\n\
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT 1; CREATE SCHEMA x; ANALYZE orders;\n";
    assert_eq!(not_judged("postgres", harmless), "");
    assert_eq!(not_judged("sqlite", "PRAGMA foreign_keys = on; SELECT 1;"), "");
    assert_eq!(not_judged("mysql", "SET NAMES utf8mb4; USE shop; GRANT SELECT ON a.* TO b;"), "");
}

#[test]
fn a_suppression_of_a_rule_that_is_off_is_no_finding() {
    let files = [
        ("db/1.sql", "-- lockkeeper: allow drop-table: never released\nDROP TABLE a;"),
        ("lockkeeper.toml", "[lint.rules]\ndrop-table = \"off\"\n"),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r"1 files, 1 suppressed");
}

#[test]
fn what_a_rule_that_is_off_would_have_found_is_counted() {
    let files =
        [("db/1.sql", "DROP TABLE a;\nDROP TABLE b;"), ("lockkeeper.toml", "[lint.rules]\ndrop-table = \"off\"\n")];
    let output = run(&files, &["lint", "--dialect", "sqlite", "db"]);
    assert!(output.contains("no findings in 1 file, 2 statements; 2 findings of rules that are off\n"), "{output}");
}

#[test]
fn a_file_is_judged_once_however_often_it_is_named() {
    let output = run(
        &[("db/10.sql", "DROP TABLE a;"), ("db/9.sql", "SELECT 1;")],
        &["lint", "--dialect", "sqlite", "db", "db/10.sql", "db"],
    );
    assert!(output.contains("1 finding (1 deny) in 2 files, 2 statements"), "{output}");
}

#[test]
fn what_a_span_points_at_is_the_clause() {
    let files = [("db/1.sql", "\u{feff}ALTER TABLE \"Bücher\"\r\n\tADD COLUMN a int,\r\n\tDROP COLUMN größe;\r\n")];
    insta::assert_snapshot!(run(&files, &["lint", "--dialect", "postgres", "db"]), @r#"
    exit code: 1
    ----- stdout -----
    drop-column

      × `Bücher.größe` is dropped: every query of the running version that names it fails, and its values are gone
       ╭─[db/1.sql:3:2]
     3 │     DROP COLUMN größe;
       ·     ─────────────────
       ╰────
      help: release a version that does not use it, then drop it in a contract phase, when no process of the old one is left
      lock: ACCESS EXCLUSIVE on `Bücher`: blocks reads and writes only for a moment, but whoever comes after it queues behind it
      breaks: the old version, while the new one is rolled out and after a rollback
      allowed when: contract, when no process of a version that names the column is live or wanted

    note: `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    1 finding (1 deny) in 1 file, 1 statement
    ----- stderr -----
    "#);
}

#[test]
fn a_type_change_without_the_old_type_says_so() {
    let change = ("db/2.sql", "ALTER TABLE orders ALTER COLUMN note TYPE varchar(40);");
    let alone = run(&[change], &["lint", "--dialect", "postgres", "db"]);
    assert!(alone.contains("to varchar(40), which may rewrite every row: "), "{alone}");
    assert!(alone.contains("lint the directory: the old type"), "{alone}");
    let created = ("db/1.sql", "CREATE TABLE orders (id int, note text);");
    let both = run(&[created, change], &["lint", "--dialect", "postgres", "db"]);
    assert!(both.contains("from text to varchar(40), which rewrites every row: "), "{both}");
    assert!(!both.contains("lint the directory"), "{both}");
}

#[test]
fn a_statement_of_mysql_has_one_lock() {
    for sql in [
        "ALTER TABLE orders MODIFY status varchar(20) NOT NULL;",
        "ALTER TABLE orders CHANGE a b varchar(20), DROP COLUMN c;",
    ] {
        let output = run(&[("db/1.sql", sql)], &["lint", "--dialect", "mysql", "db"]);
        let locks: Vec<&str> = output.lines().filter(|line| line.starts_with("  lock: ")).collect();
        assert!(locks.len() > 1, "{output}");
        assert!(
            locks.iter().all(|lock| lock.starts_with("  lock: ALGORITHM=COPY, LOCK=SHARED on `orders`")),
            "{output}"
        );
    }
}

#[test]
fn what_a_rename_is_told_to_do_works() {
    let create = ("db/1.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, a varchar(20));");
    let change = ("db/2.sql", "ALTER TABLE orders CHANGE COLUMN a b varchar(20);");
    let told = run(&[create, change], &["lint", "--dialect", "mysql", "db"]);
    let sql = told.split_once("on a migration of `").unwrap().1.split_once('`').unwrap().0.to_string() + ";";
    assert_eq!(sql, "ALTER TABLE orders RENAME COLUMN a TO b;");
    let planned = run(&[create, ("db/2.sql", &sql)], &["plan", "--dialect", "mysql", "db/2.sql"]);
    assert!(planned.starts_with("exit code: 0\n"), "{planned}");
}
