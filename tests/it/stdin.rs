//! `lint -`: SQL that a program prints, and what tools print of migrations that are not SQL.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use lockkeeper::history::stdin;
use lockkeeper::lint::{Given, lint};
use lockkeeper::settings::Settings;
use lockkeeper::sql::{Dialect, line_column};

use crate::cli::{command, run};

/// Runs `lint -` on what comes in.
fn pipe(input: &[u8], arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(directory.path(), &[&["lint"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses does not read to the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    format!(
        "{}{}exit code: {}",
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap()
    )
}

/// Each migration that a tool printed, its statements, and the findings.
fn printed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/printed").join(name);
    let text = fs::read_to_string(path).unwrap();
    let history = stdin::read(text.as_bytes(), Dialect::Postgres).unwrap();
    let mut shown = String::new();
    for migration in &history.migrations {
        let version = migration.version.as_deref().unwrap_or("-");
        shown += &format!("{version}{}\n", if migration.in_transaction { "" } else { ", no transaction" });
        for statement in &migration.statements {
            let sql = text[statement.range.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
            shown += &format!("  {}\n", sql.chars().take(60).collect::<String>());
        }
    }
    for finding in lint(&history, &Settings::default(), Given::default()).unwrap().findings {
        shown += &format!("{}:{} {}\n", finding.path, line_column(&text, finding.range.start).0, finding.rule);
    }
    history.notes.iter().fold(shown, |shown, note| shown + "note: " + note + "\n")
}

#[test]
fn sql_is_linted_as_it_comes_in() {
    let shown = pipe(b"SELECT 1;\nDROP TABLE a;\n", &["-", "--dialect", "postgres"]);
    assert!(shown.starts_with("drop-table\n") && shown.contains("╭─[<stdin>:2:1]\n"), "{shown}");
    assert!(shown.ends_with("\n1 finding (1 deny) in 1 file, 2 statements\nexit code: 1"), "{shown}");
    insta::assert_snapshot!(pipe(b"-- Up Migration\nSELECT 1;\n-- +goose Down\nDROP TABLE a;\n", &["-", "--dialect", "postgres"]), @r#"
    note: `<stdin>` is linted up to line 3, where its down section begins
    no findings in 1 file, 1 statement
    exit code: 0
    "#);
}

#[test]
fn what_comes_in_has_to_be_sql_in_a_dialect() {
    insta::assert_snapshot!(pipe(b"SELECT 1;", &["-"]), @r#"
    error: whose SQL is it? no dialect is given
    hint: give --dialect postgres, mysql or sqlite, or write `dialect = "postgres"` into lockkeeper.toml
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b" \n", &["-", "--dialect", "postgres"]), @r#"
    error: nothing came in on standard input
    hint: look whether the program before the `|` failed
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"DROP \xff", &["-", "--dialect", "postgres"]), @r#"
    error: `<stdin>` is not UTF-8: the first wrong byte is at offset 5
    hint: save the file as UTF-8; if it is Latin-1: `iconv -f ISO-8859-1 -t UTF-8`
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"PGDMP", &["-", "--dialect", "postgres"]), @r#"
    error: `<stdin>` is an archive of pg_dump, not SQL
    hint: make SQL of it: `pg_restore --file=dump.sql FILE`
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"SELECT 1;", &["-", "db", "--dialect", "postgres"]), @r#"
    error: standard input is read alone, not together with files
    hint: give `-`, or files and directories
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"SELECT 1;", &["-", "--layout", "flyway", "--dialect", "postgres"]), @r#"
    error: `--layout` is for files: standard input has no names
    hint: what node-pg-migrate, Alembic and Knex print is recognised
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"SELECT 1;", &["-", "--since", "main", "--dialect", "postgres"]), @r#"
    error: `--since main`: no migration has this path or version, and git knows nothing of standard input
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    let nul = pipe(b"SELECT 1;\nDROP TABLE a;\0\nDROP TABLE b;\n", &["-", "--dialect", "postgres"]);
    assert!(nul.contains("<stdin>:2:1") && nul.contains("; 1 statement could not be read"), "{nul}");
    let long = format!("{}DROP TABLE a;", "SELECT 1; ".repeat(20_000));
    assert!(
        pipe(long.as_bytes(), &["-", "--dialect", "postgres"])
            .contains("1 finding (1 deny) in 1 file, 20001 statements")
    );
}

#[test]
fn node_pg_migrate() {
    insta::assert_snapshot!(printed("node-pg-migrate.txt"), @r#"
    1700000000000_orders
      CREATE TABLE "orders" ( "id" serial PRIMARY KEY, "note" varc
      CREATE INDEX "orders_note_index" ON "orders" ("note")
      INSERT INTO "public"."pgmigrations" (name, run_on) VALUES ('
    1700000000001_more, no transaction
      COMMIT
      CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$
      ALTER TABLE "orders" ADD "extra" text
      CREATE INDEX CONCURRENTLY "orders_extra_index" ON "orders" U
      INSERT INTO "public"."pgmigrations" (name, run_on) VALUES ('
      BEGIN
    1700000000002_plain
      ALTER TABLE orders DROP COLUMN note
      INSERT INTO "public"."pgmigrations" (name, run_on) VALUES ('
    <stdin>:29 drop-column
    note: `<stdin>` is read as what node-pg-migrate prints
    "#);
    let down = "### MIGRATION 1_a (DOWN) ###\nDROP TABLE a;\n\n\n### MIGRATION 0_b (DOWN) ###\nDROP TABLE b;\n";
    insta::assert_snapshot!(pipe(down.as_bytes(), &["-", "--dialect", "postgres"]), @r#"
    note: `<stdin>` is read as what node-pg-migrate prints
    note: 2 of 2 migrations not linted: made to undo a migration
    no findings in 0 files, 0 statements
    exit code: 0
    "#);
    let silent = "> Migrating files:\n> - 1_a\n### MIGRATION 1_a (UP) ###\nMigrations complete!\n";
    insta::assert_snapshot!(pipe(silent.as_bytes(), &["-", "--dialect", "postgres"]), @r#"
    note: `<stdin>` is read as what node-pg-migrate prints
    no findings in 1 file, 0 statements; 1 file could not be read
    error: 1 of 1 migrations came without their SQL
    hint: let node-pg-migrate print it: it does unless told `--no-verbose`
    exit code: 2
    "#);
    insta::assert_snapshot!(pipe(b"dry run\nNo migrations to run!\n", &["-", "--dialect", "postgres"]), @r#"
    note: `<stdin>` is read as what node-pg-migrate prints
    no findings in 0 files, 0 statements
    exit code: 0
    "#);
}

#[test]
fn alembic() {
    insta::assert_snapshot!(printed("alembic.txt"), @r#"
    -, no transaction
      BEGIN
      CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT N
    aa11
      CREATE TABLE orders ( id BIGSERIAL NOT NULL, note VARCHAR(20
      CREATE INDEX ix_note ON orders (note)
      INSERT INTO orders (id) VALUES (1)
    cc33
      COMMIT
      CREATE INDEX CONCURRENTLY ix_id ON orders (id)
      BEGIN
      UPDATE orders SET id = id
    bb22
      ALTER TABLE orders DROP COLUMN note
    dd44
    <stdin>:26 redundant-index
    <stdin>:30 update-unbatched
    <stdin>:36 drop-column
    note: `<stdin>` is read as what alembic prints
    "#);
    insta::assert_snapshot!(printed("alembic-transactions.txt"), @r#"
    -, no transaction
      BEGIN
      CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT N
    aa11
      CREATE TABLE orders ( id BIGSERIAL NOT NULL, note VARCHAR(20
      CREATE INDEX ix_note ON orders (note)
      INSERT INTO orders (id) VALUES (1)
    cc33
      COMMIT
      CREATE INDEX CONCURRENTLY ix_id ON orders (id)
      BEGIN
      UPDATE orders SET id = id
    bb22
      ALTER TABLE orders DROP COLUMN note
    dd44
    <stdin>:30 redundant-index
    <stdin>:34 update-unbatched
    <stdin>:44 drop-column
    note: `<stdin>` is read as what alembic prints
    "#);
    let since = pipe(
        b"-- Running upgrade a -> b\n\nDROP TABLE a;\n\n-- Running upgrade b -> c\n\nDROP TABLE b;\n",
        &["-", "--dialect", "postgres", "--since", "b"],
    );
    assert!(since.contains("<stdin>:7:1") && since.contains("1 finding"), "{since}");
}

#[test]
fn knex() {
    insta::assert_snapshot!(printed("knex.txt"), @r#"
    -
      create table "korders" ("id" serial primary key, "note" varc
      create index "korders_note_index" on "korders" ("note")
      insert into "korders" ("note") values ($1)
    -, no transaction
      create function kf() returns int as $$ begin return 1; end $
      create index concurrently kix on korders (id)
      update "korders" set "note" = $1
    <stdin>:18 redundant-index
    <stdin>:19 update-unbatched
    note: `<stdin>` is read as what knex prints
    "#);
}

#[test]
fn nothing_else_is_taken_for_what_a_tool_prints() {
    let sql = [("a.sql", "-- Running upgrades\n-- knex is gone\nSELECT '### MIGRATION a (UP) ###';\n")];
    assert!(run(&sql, &["lint", "--dialect", "postgres", "a.sql"]).contains("no findings in 1 file, 1 statement"));
    let piped = pipe(sql[0].1.as_bytes(), &["-", "--dialect", "postgres"]);
    assert_eq!(piped, "no findings in 1 file, 1 statement\nexit code: 0");
}
