//! `lockkeeper plan` as a script sees it.

use crate::cli::run;

const CREATE: (&str, &str) = ("m/1_orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, a text);");
const RENAME: (&str, &str) = ("m/2_status.sql", "ALTER TABLE orders RENAME COLUMN a TO b;");

#[test]
fn a_small_change_is_printed_whole() {
    let files = [
        ("c/change.toml", "dialect = \"mysql\"\nstrategy = \"canary\"\n"),
        ("c/expand.sql", "ALTER TABLE t ADD COLUMN a int;\nALTER TABLE t ADD UNIQUE (a);\n"),
        ("c/contract.sql", "ALTER TABLE t DROP COLUMN b;\n"),
    ];
    insta::assert_snapshot!(run(&files, &["plan", "c"]), @r"
    exit code: 0
    ----- stdout -----
    c: a phased change for mysql, strategy canary
    plan digest 6d0571f6bd7ef0c3a63d1a6f0a839985bd3ec974b6e4b696c65299458582722a

    expand, no gate

      expand.1  runs, outside a transaction (expand.sql:1)
          ALTER TABLE t ADD COLUMN a int, ALGORITHM=INSTANT
        where the server refuses ALGORITHM=INSTANT: LOCK=NONE; where it refuses that: without it if `t` has at most 10000 rows, else not at all
        probe: column t.a exists
        digest: 2251d27f05db65a6

      expand.2  runs, outside a transaction (expand.sql:2)
          ALTER TABLE t ADD UNIQUE (a), LOCK=NONE
        where the server refuses LOCK=NONE: without it if `t` has at most 10000 rows, else not at all
        probe: none; `run` refuses this plan
        digest: 45ebdea5c4c01e03

    contract, gates: approval, db_sessions

      contract.1  runs, outside a transaction (contract.sql:1)
          ALTER TABLE t DROP COLUMN b, LOCK=NONE
        where the server refuses LOCK=NONE: without it if `t` has at most 10000 rows, else not at all
        probe: column t.b is gone
        digest: 09c4883a6ae37855

    ladder
      old             reads and writes the old shape, until contract
      both-reads-old  writes both shapes and reads the old one, once expand is done, until contract
      both-reads-new  writes both shapes and reads the new one, once backfill is done, until contract
      new             reads and writes the new shape, once backfill is done

    3 steps: 2 expand, 1 contract; 1 without a probe (expand.2)
    ----- stderr -----
    ");
}

#[test]
fn a_migration_is_rewritten_only_where_it_is_told_to() {
    let written = run(&[CREATE, RENAME], &["plan", "m/2_status.sql", "--dialect", "sqlite", "--output", "new/status"]);
    assert!(written.starts_with("exit code: 0\n"), "{written}");
    assert!(written.contains("\nstatus: a phased change for sqlite, strategy rolling\n"), "{written}");
    assert!(written.contains("\nversions:\n  1. v1 runs; it knows orders.a only\n"), "{written}");
    assert!(!written.contains("==> expand.sql"), "{written}");
    assert!(
        written.ends_with("----- stderr -----\nwrote new/status; it takes the place of m/2_status.sql\n"),
        "{written}"
    );

    let printed = run(&[CREATE, RENAME], &["plan", "m/2_status.sql", "--dialect", "sqlite"]);
    assert!(printed.contains("==> expand.sql\n-- 2_status: orders.a becomes b.\n"), "{printed}");
    assert!(printed.contains("\n2_status: a phased change for sqlite, strategy rolling\n"), "{printed}");
    assert!(printed.ends_with("nothing is written; give --output DIR to write it\n"), "{printed}");

    let json = run(&[CREATE, RENAME], &["plan", "m/2_status.sql", "--dialect", "sqlite", "--format", "json"]);
    let document = json.split("----- stdout -----\n").nth(1).unwrap().split("----- stderr").next().unwrap();
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["phases"][0]["phase"], "expand");
}

#[test]
fn what_cannot_be_planned_is_not_judged() {
    let taken = ("taken/README.md", "mine");
    let unread = ("m/0_old.sql", "CREATE TABEL x;");
    let cases: &[(&[&str], &str)] = &[
        (&["plan", "none"], "error: cannot read none\n  cause: No such file or directory (os error 2)\n"),
        (
            &["plan", "m/2_status.sql"],
            "error: the dialect of m/2_status.sql is not known\nhint: give --dialect postgres|mysql|sqlite, or say it in lockkeeper.toml\n",
        ),
        (
            &["plan", "m/2_status.sql", "--dialect", "posgres"],
            "error: no dialect `posgres`\nhint: did you mean `postgres`?\n",
        ),
        (
            &["plan", "m/2_status.sql", "--dialect", "postgres", "--output", "taken"],
            "error: taken exists already and is not overwritten\n",
        ),
        (
            &["plan", "m", "--dialect", "postgres", "--type", "int"],
            "error: --type is for a migration; m is a directory\n",
        ),
        (
            &["plan", "taken", "--dialect", "postgres"],
            "error: no expand.sql in taken\nhint: a phased change is a directory with at least expand.sql: additive statements in plain SQL\n",
        ),
        (
            &["plan", "m/1_orders.sql", "--dialect", "postgres"],
            "error: no recipe for what m/1_orders.sql does\nhint: the recipes are: rename-column\n",
        ),
    ];
    for (arguments, expected) in cases {
        let told = run(&[CREATE, RENAME, taken], arguments);
        assert_eq!(told, format!("exit code: 2\n----- stdout -----\n----- stderr -----\n{expected}"), "{arguments:?}");
    }
    let told = run(&[CREATE, RENAME, unread], &["plan", "m/2_status.sql", "--dialect", "postgres"]);
    assert!(
        told.contains("note: 1 earlier statement could not be read: what it did to the table is not known\n"),
        "{told}"
    );
}

#[test]
fn a_migration_finds_its_history_wherever_its_tool_keeps_it() {
    let files = [
        ("migrations/1_orders/up.sql", CREATE.1),
        ("migrations/2_status/up.sql", RENAME.1),
        ("migrations/2_status/down.sql", "ALTER TABLE orders RENAME COLUMN b TO a;"),
        ("other/1_orders/up.sql", "CREATE TABLE orders (id bigint, a date);"),
        ("other/2_status/up.sql", RENAME.1),
        ("src/db/sql/1.sql", "CREATE TABLE orders (id bigint, a time);"),
        ("src/db/sql/next/2.sql", RENAME.1),
    ];
    let settings = ("lockkeeper.toml", "migrations = [\"migrations\", \"src/db\"]");
    for (migration, title, data_type) in [
        ("migrations/2_status/up.sql", "2_status", "text"),
        ("other/2_status/up.sql", "2_status", "date"),
        ("src/db/sql/next/2.sql", "2", "time"),
    ] {
        let mut files = files.to_vec();
        files.push(settings);
        let told = run(&files, &["plan", migration, "--dialect", "postgres"]);
        assert!(told.contains(&format!("-- {title}: orders.a becomes b.\n")), "{told}");
        assert!(told.contains(&format!("ALTER TABLE orders ADD COLUMN b {data_type};")), "{told}");
    }
}
