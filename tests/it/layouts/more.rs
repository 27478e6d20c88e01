//! Tools whose files hold what undoes them, and Flyway's and Drizzle's other forms.

use lockkeeper::history::layout::Choice;

use super::{POSTGRES, files, fixture};

#[test]
fn sql_migrate() {
    insta::assert_snapshot!(fixture("sql-migrate", POSTGRES), @r#"
    1: sql-migrate/1_orders.sql (1)
    2: sql-migrate/2_function.sql (2)
    10: sql-migrate/10_index.sql (1, no transaction)
    sql-migrate/2_function.sql:5 drop-column
    note: `sql-migrate` is read as sql-migrate (by `-- +migrate`): in the order of the names, the sections below `-- +migrate Up`, each file in a transaction unless it says notransaction
    note: `sql-migrate/3_down.sql` not linted: no section `-- +migrate Up` in them
    3 files, postgres
    "#);
}

#[test]
fn tern() {
    insta::assert_snapshot!(fixture("tern", Choice::default()), @r#"
    001: tern/001_orders.sql (1)
    002: tern/002_index.sql (1, no transaction)
    004: tern/004_drop.sql (1)
    tern/004_drop.sql:1 missing-version
    tern/004_drop.sql:1 drop-column
    note: `tern` is read as tern (by `---- create above / drop below ----`): in the order of the numbers, down to the line `---- create above / drop below ----`, each file in a transaction unless it says disable-tx
    note: `tern/shared.sql` not linted: tern runs only `001_name.sql`
    3 files, postgres
    "#);
}

#[test]
fn node_pg_migrate() {
    insta::assert_snapshot!(fixture("node-pg-migrate", Choice::default()), @r#"
    1700000000000: node-pg-migrate/1700000000000_orders.sql (1)
    1700000000001: node-pg-migrate/1700000000001_drop.sql (1)
    1700000000002: node-pg-migrate/1700000000002_plain.sql (1)
    node-pg-migrate/1700000000001_drop.sql:4 drop-column
    node-pg-migrate/1700000000002_plain.sql:1 drop-table
    note: `node-pg-migrate` is read as node-pg-migrate (by `-- Up Migration`): in the order of the numbers, without what stands below `-- Down Migration`, all that are pending in one transaction
    3 files, postgres
    "#);
}

#[test]
fn pop() {
    insta::assert_snapshot!(fixture("pop", POSTGRES), @r#"
    20240101000000: pop/20240101000000_orders.up.sql (1)
    20240102000000: pop/20240102000000_drop.postgres.up.sql (1)
    20240104000000: pop/20240104000000_slow.postgres.autocommit.up.sql (1, no transaction)
    pop/20240102000000_drop.postgres.up.sql:1 drop-column
    note: `pop` is read as pop (by the database in a name): in the order of the versions as text, each file in a transaction unless its name says autocommit
    note: `pop/20240102000000_drop.mysql.up.sql` not linted: made for another kind of database, as their names say
    note: `pop/20240101000000_orders.down.sql` not linted: made to undo a migration
    note: `pop/20240102000000_drop.up.sql` not linted: the same version has a file for this kind of database, and pop runs that
    note: not read yet: `pop/20240103000000_items.up.fizz` of pop (fizz)
    3 files, postgres
    "#);
}

#[test]
fn drizzle_since_version_1() {
    insta::assert_snapshot!(fixture("drizzle-1", Choice::default()), @r#"
    20240101000000: drizzle-1/20240101000000_init/migration.sql (2)
    20240102000000: drizzle-1/20240102000000_drop/migration.sql (1)
    drizzle-1/20240102000000_drop/migration.sql:1 drop-column
    note: `drizzle-1` is read as drizzle (by snapshot.json beside migration.sql): in the order of the journal, or of the directories' names, all that are pending in one transaction
    2 files, postgres
    "#);
}

#[test]
fn flyway_with_names_of_its_own() {
    insta::assert_snapshot!(fixture("flyway-named", POSTGRES), @r#"
    1: flyway-named/db/M1-orders.sql (1, no transaction)
    2: flyway-named/db/M2-drop.sql (1)
    4: flyway-named/db/M4-perhaps.sql (1, no transaction)
    flyway-named/db/M2-drop.sql:1 drop-column
    flyway-named/db/M4-perhaps.sql:1 missing-version
    note: `flyway-named/db` is read as flyway (by flyway.toml): versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses
    note: by `flyway.toml`, scripts are `M1-name.sql` and `R-name.sql`, without a transaction
    note: Flyway runs files named `*.ddl` too: they are not read
    note: `flyway-named/db/M4-perhaps.sql` is judged as if `${environment}==production` held
    note: `flyway-named/db/beforeEachMigrate-log.sql` not linted: Flyway calls them back at its events, not as migrations
    note: `flyway-named/db/M3-never.sql` not linted: their `.conf` says shouldExecute=false
    note: `flyway-named/db/V5__usual.sql` not linted: their names are none of Flyway's scripts
    3 files, postgres
    "#);
}

#[test]
fn flyway_knows_what_refuses_a_transaction() {
    let scripts = [
        ("V1.1__a.sql", "CREATE TABLE a (b int);"),
        ("V2__b.sql", "REINDEX DATABASE shop;"),
        ("V3__c.sql", "VACUUM a;"),
        ("V4__d.sql", "DROP INDEX CONCURRENTLY i;"),
        ("V5__e.sql", "CREATE DATABASE other;"),
        ("V6__f.sql", "REINDEX TABLE a;"),
        ("V7.sql", "SELECT 1;"),
    ];
    insta::assert_snapshot!(files(&scripts, POSTGRES), @r#"
    1.1: db/V1.1__a.sql (1)
    2: db/V2__b.sql (1, no transaction)
    3: db/V3__c.sql (1, no transaction)
    4: db/V4__d.sql (1, no transaction)
    5: db/V5__e.sql (1, no transaction)
    6: db/V6__f.sql (1)
    7: db/V7.sql (1)
    db/V2__b.sql:1 reindex-blocking
    db/V6__f.sql:1 reindex-blocking
    note: `db` is read as flyway (by a dotted version): versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses
    7 files, postgres
    "#);
}

#[test]
fn prisma_since_7_4_sends_concurrent_indexes_apart() {
    let sql = |text| [("package.json", r#"{"devDependencies": {"prisma": "VERSION"}}"#), ("p/1_a/migration.sql", text)];
    let transaction = |version: &str, text| {
        let [(name, package), migration] = sql(text);
        let shown = files(&[(name, &package.replace("VERSION", version)), migration], POSTGRES);
        !shown.lines().next().unwrap_or_default().contains("no transaction")
    };
    let build = "CREATE INDEX CONCURRENTLY i ON a (b); CREATE INDEX CONCURRENTLY j ON a (c);";
    assert!(transaction("^6.19.0", build) && !transaction("~7.4.0", build) && !transaction("8.0.1", build));
    assert!(transaction("^7.5.0", "DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY j ON a (c);"));
    assert!(transaction("^7.5.0", "SELECT 1; SELECT 2;") && !transaction("^6.0.0", "SELECT 1;"));
}

#[test]
fn a_down_section_of_any_tool_ends_a_plain_file() {
    for marker in [
        "-- +goose Down",
        "-- migrate:down",
        "-- +migrate Down",
        "-- Down Migration",
        "---- create above / drop below ----",
    ] {
        let text = format!("SELECT 1;\n{marker}\nDROP TABLE a;\n");
        // Most of the files have no marker, so that the directory is no tool's.
        let shown = files(&[("a.sql", &text), ("b.sql", "SELECT 1;"), ("c.sql", "SELECT 1;")], POSTGRES);
        assert!(shown.contains("`db/a.sql` is linted up to line 2") && !shown.contains("drop-table"), "{shown}");
    }
}
