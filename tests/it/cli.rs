//! The command line as a script sees it: exit code, stdout and stderr of the real binary.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs lockkeeper in a directory that holds `files` and says what came of it.
pub(crate) fn run(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let directory = directory(files);
    let output = command(directory.path(), arguments).output().unwrap();
    format!(
        "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap()
    )
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(arguments).current_dir(directory);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "LOCKKEEPER_DATABASE_URL"] {
        command.env_remove(variable);
    }
    command
}

const RENAME: (&str, &str) =
    ("migrations/2_status.sql", "-- Next sprint.\nALTER TABLE orders\n    RENAME COLUMN a TO b;\n");

#[test]
fn findings_are_exit_code_1() {
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--dialect", "postgres"]), @r#"
    exit code: 1
    ----- stdout -----
    rename-column

      × `orders.a` becomes `b`: every query of the running version that names `a` fails
       ╭─[migrations/2_status.sql:3:5]
     3 │     RENAME COLUMN a TO b;
       ·     ────────────────────
       ╰────
      help: run `lockkeeper plan FILE` on a migration of `ALTER TABLE orders RENAME COLUMN a TO b` alone: it writes the rename as expand, backfill and contract
      lock: ACCESS EXCLUSIVE on `orders`: blocks reads and writes only for a moment, but whoever comes after it queues behind it
      breaks: the old version, while the new one is rolled out and after a rollback
      allowed when: never; instead a new column in expand, the old one dropped in contract

    note: `migrations` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    1 finding (1 deny) in 1 file, 1 statement
    ----- stderr -----
    "#);
}

#[test]
fn findings_as_json() {
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--dialect", "mysql", "--format", "json", "migrations"]), @r#"
    exit code: 1
    ----- stdout -----
    {"type":"finding","rule":"rename-column","group":"compatibility","severity":"deny","path":"migrations/2_status.sql","line":3,"column":5,"end_line":3,"end_column":25,"start":39,"end":59,"message":"`orders.a` becomes `b`: every query of the running version that names `a` fails","help":"run `lockkeeper plan FILE` on a migration of `ALTER TABLE orders RENAME COLUMN a TO b` alone: it writes the rename as expand, backfill and contract","lock":"ALGORITHM=INSTANT on `orders`: blocks reads and writes only for a moment, but whoever comes after it queues behind it","breaks":["rollout","rollback"],"allowed_when":"never; instead a new column in expand, the old one dropped in contract"}
    {"type":"summary","deny":1,"warn":0,"note":0,"suppressed":0,"known":0,"excused_by_phase":0,"excused_without_releases":0,"on_small_tables":0,"turned_off":0,"files":1,"statements":1,"replayed_files":0,"replayed_unreadable_statements":0,"unjudged_statements":0,"unjudged_kinds":[],"unreadable_statements":0,"unreadable_files":[],"notes":["`migrations` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction"]}
    ----- stderr -----
    "#);
}

#[test]
fn clean_is_exit_code_0() {
    let files = [("migrations/1.sql", "CREATE TABLE orders (id bigint);")];
    insta::assert_snapshot!(run(&files, &["lint", "--dialect", "sqlite"]), @r#"
    exit code: 0
    ----- stdout -----
    note: `migrations` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    no findings in 1 file, 1 statement
    ----- stderr -----
    "#);
}

#[test]
fn the_settings_and_fail_on_decide_what_fails() {
    let update = ("migrations/1.sql", "UPDATE orders SET a = 1;");
    let settings = |text| ("lockkeeper.toml", text);
    let exit_code = |files: &[(&str, &str)], arguments: &[&str]| {
        run(files, arguments).lines().next().unwrap().strip_prefix("exit code: ").unwrap().to_string()
    };
    let pg = "dialect = \"postgres\"\n";
    assert_eq!(exit_code(&[update, settings(pg)], &["lint"]), "0", "a warning is no failure by default");
    assert_eq!(exit_code(&[update, settings(pg)], &["lint", "--fail-on", "warn"]), "1");
    assert_eq!(exit_code(&[update, settings(pg)], &["lint", "--fail-on", "note"]), "1");
    let warn = format!("{pg}[lint]\nfail-on = \"warn\"\n");
    assert_eq!(exit_code(&[update, settings(&warn)], &["lint"]), "1");
    assert_eq!(exit_code(&[update, settings(&warn)], &["lint", "--fail-on", "deny"]), "0");
    let off = format!("{warn}[lint.rules]\nupdate-unbatched = \"off\"\n");
    assert_eq!(exit_code(&[update, settings(&off)], &["lint"]), "0");
    let deny = format!("{pg}[lint.rules]\nupdate-unbatched = \"deny\"\n");
    assert_eq!(exit_code(&[update, settings(&deny)], &["lint"]), "1");
    let elsewhere = [("db/1.sql", "DROP TABLE a;"), settings("dialect = \"pg\"\nmigrations = [\"db\"]\n")];
    assert_eq!(exit_code(&elsewhere, &["lint"]), "1");
    let elsewhere = [("conf/db/1.sql", "DROP TABLE a;"), ("conf/x.toml", "dialect = \"pg\"\nmigrations = [\"db\"]\n")];
    assert_eq!(
        exit_code(&elsewhere, &["lint", "--config", "conf/x.toml"]),
        "1",
        "paths are those of the settings file"
    );
}

#[test]
fn a_missing_path_is_not_judged() {
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--dialect", "postgres", "migrations", "nowhere"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: could not read `nowhere`
      cause: No such file or directory (os error 2)
    hint: give a file or directory of migrations, as seen from the working directory
    "#);
}

#[test]
fn an_empty_directory_is_not_judged() {
    insta::assert_snapshot!(run(&[("empty/README.md", "")], &["lint", "--dialect", "postgres", "empty"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no migration in `empty`
    hint: a migration is a file named `*.sql`
    "#);
}

#[test]
fn a_directory_of_down_files_is_not_judged() {
    let files = [("migrations/1.down.sql", "DROP TABLE a;")];
    insta::assert_snapshot!(run(&files, &["lint", "--dialect", "postgres"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no migration in `migrations`
      cause: `migrations` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
      cause: `migrations/1.down.sql` not linted: made to undo a migration
    hint: a migration is a file named `*.sql`
    "#);
}

#[test]
fn a_file_that_is_not_utf_8_does_not_stop_the_others() {
    let directory = directory(&[RENAME]);
    fs::write(directory.path().join("migrations/1_latin.sql"), b"-- caf\xe9\nDROP TABLE a;").unwrap();
    let output = command(directory.path(), &["lint", "--dialect", "postgres"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @r#"
    error: `migrations/1_latin.sql` is not UTF-8: the first wrong byte is at offset 6
    hint: save the file as UTF-8; if it is Latin-1: `iconv -f ISO-8859-1 -t UTF-8`
    "#);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("`orders.a` becomes `b`"), "{stdout}");
    insta::assert_snapshot!(stdout.lines().last().unwrap(), @r"1 finding (1 deny) in 1 file, 1 statement; 1 file could not be read");
}

#[test]
fn when_no_file_can_be_read_nothing_was_judged() {
    let directory = directory(&[]);
    fs::write(directory.path().join("1.sql"), b"DROP \xff").unwrap();
    let output = command(directory.path(), &["lint", "--dialect", "postgres", "1.sql"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap().lines().last().unwrap(), @"nothing was judged: 1 file could not be read");
}

#[test]
fn settings_that_nobody_knows_are_named() {
    let lint = |settings| run(&[RENAME, ("lockkeeper.toml", settings)], &["lint"]);
    insta::assert_snapshot!(lint("dialect = \"postgres\"\nmigratoins = [\"db\"]\n"), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: lockkeeper.toml:2: no setting `migratoins`
    hint: did you mean `migrations`?
    "#);
    insta::assert_snapshot!(lint("dialect = \"postgres\"\n[lint.rules]\ndrop-colum = \"off\"\n"), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: lockkeeper.toml:3: no rule `drop-colum`
    hint: did you mean `drop-column`?
    "#);
}

#[test]
fn settings_that_are_missing_are_named() {
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--config", "other.toml"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: could not read the settings `other.toml`
      cause: No such file or directory (os error 2)
    "#);
}

#[test]
fn the_dialect_has_to_be_known() {
    insta::assert_snapshot!(run(&[RENAME], &["lint"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: whose SQL is it? no dialect is given
    hint: give --dialect postgres, mysql or sqlite, or write `dialect = "postgres"` into lockkeeper.toml
    "#);
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--dialect", "postgers"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no dialect `postgers`
    hint: did you mean `postgres`?
    "#);
}

#[test]
fn the_engine_tells_the_dialect_and_what_its_version_decides() {
    let detach = ("migrations/1.sql", "ALTER TABLE orders DETACH PARTITION orders_2020;");
    let lock = |arguments: &[&str], settings: &str| {
        let output = run(&[detach, ("lockkeeper.toml", settings)], &[&["lint"], arguments].concat());
        output.lines().find_map(|line| line.trim().strip_prefix("lock: ")).map_or(output.clone(), str::to_string)
    };
    let either = lock(&["--dialect", "postgres"], "");
    assert!(either.ends_with("; before PostgreSQL 14 reads of the partition itself go on"), "{either}");
    let newer = lock(&["--engine", "postgres 14"], "");
    assert!(newer.starts_with("ACCESS EXCLUSIVE on `orders` and `orders_2020`:") && !newer.contains("14"), "{newer}");
    let older = lock(&[], "engine = \"postgres 13\"");
    assert!(older.starts_with("ACCESS EXCLUSIVE on `orders`:") && !older.contains("14"), "{older}");
    assert_eq!(lock(&["--engine", "pg 14"], "engine = \"postgres 13\""), newer, "the command line counts first");
    let other = lock(&["--dialect", "postgres"], "engine = \"mysql 8.0\"");
    assert_eq!(other, either, "another dialect's engine says nothing");
    let old = run(&[detach], &["lint", "--engine", "postgres 9.6"]);
    assert!(old.contains("note: this PostgreSQL is older than 12, the oldest that is known: it is judged"), "{old}");
    let contrary = lock(&["--dialect", "mysql", "--engine", "postgres 14"], "");
    assert!(contrary.contains("error: --dialect says mysql, and --engine postgres\n"), "{contrary}");
    let contrary = lock(&["--engine", "mysql 8.0", "--database-url", "sqlite:shop.db"], "");
    assert!(contrary.contains("error: --engine says mysql, and the database is sqlite\n"), "{contrary}");
}

#[test]
fn a_database_url_is_read_and_never_shown() {
    // Nobody listens on this port.
    let url = "mysql://me:secret@127.0.0.1:1/shop";
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--database-url", url]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no connection to MySQL at 127.0.0.1:1, database `shop`, as `me`
      cause: Connection refused (os error 111)
    hint: check host and port, and that the server is running and listens there
    "#);
    let settings = ("lockkeeper.toml", "database-url = \"sqlite:shop.db\"\n");
    assert!(run(&[RENAME, settings], &["lint"]).contains("the write lock"), "the settings only tell the dialect");
    let contrary = run(&[RENAME], &["lint", "--dialect", "sqlite", "--database-url", url]);
    assert!(contrary.contains("error: --dialect says sqlite, and the database is mysql"), "{contrary}");
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--database-url", "oracle://me:secret@localhost/shop"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the database URL `oracle://me:***@localhost/shop` cannot be read: it names no database that lockkeeper knows
    hint: postgres://user:password@host/database, mysql://user:password@host/database, or sqlite:path/to/file.db
    hint: in a user or password, `/`, `?`, `#`, `@` and `%` are written %2F, %3F, %23, %40 and %25
    "#);
    insta::assert_snapshot!(run(&[RENAME], &["lint", "--database-url", "env:NOBODY_SET_THIS"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the environment variable `NOBODY_SET_THIS` of the database URL is not set
    hint: set NOBODY_SET_THIS, or give --database-url
    "#);
    let directory = directory(&[RENAME]);
    let help = command(directory.path(), &["lint", "--help"]).env("LOCKKEEPER_DATABASE_URL", url).output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("secret"));
}

#[test]
fn what_cannot_be_read_is_never_a_pass() {
    let files = [("migrations/1.sql", "SELECT 1;\nALTER TABLE orders ADD;\nSELECT 2;\n")];
    insta::assert_snapshot!(run(&files, &["lint", "--dialect", "mysql"]), @r#"
    exit code: 1
    ----- stdout -----
    unreadable-statement

      × this statement could not be read: expected a column, found the end
       ╭─[migrations/1.sql:2:20]
     2 │ ALTER TABLE orders ADD;
       ·                    ───
       ╰────
      help: no rule has looked at it; read it yourself, and if it is right say so: `-- lockkeeper: allow unreadable-statement: <reason>`

    note: `migrations` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    1 finding (1 deny) in 1 file, 3 statements; 1 statement could not be read
    ----- stderr -----
    "#);
}

#[test]
fn usage_is_exit_code_2() {
    insta::assert_snapshot!(run(&[], &["lint", "--fail-on", "error"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'error' for '--fail-on <SEVERITY>': it is deny, warn or note

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(run(&[], &["lintt"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'lintt'

      tip: a similar subcommand exists: 'lint'

    Usage: lockkeeper [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
}

#[test]
fn a_rule_is_explained_up_to_its_cases() {
    let page = run(&[], &["explain", "rename-column"]);
    assert!(page.contains("# Renaming a column") && page.contains("## Good") && !page.contains("## Cases"), "{page}");
    assert!(!page.contains("severity: deny"), "the front matter is not for readers\n{page}");
    assert_eq!(run(&[], &["explain"]), run(&[], &["rules"]));
    insta::assert_snapshot!(run(&[], &["explain", "rename-colum"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no rule `rename-colum`
    hint: did you mean `rename-column`?
    "#);
}

#[test]
fn rules_are_listed() {
    let list = run(&[], &["rules"]);
    let line = list.lines().find(|line| line.trim_start().starts_with("drop-column ")).unwrap();
    assert_eq!(
        line.trim(),
        "drop-column                  deny  data-loss      Dropping a column that the running version may use"
    );
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")).unwrap().count();
    // Beside the exit code and the names of the two streams.
    assert_eq!(list.trim().lines().count(), pages + 3, "{list}");
}

#[test]
fn the_help_shows_the_exit_codes() {
    let help = run(&[], &["--help"]);
    insta::assert_snapshot!(help.split_once("Exit codes:").unwrap().1, @r#"
        0  clean, or finished
        1  findings at or above --fail-on, or a phase refused by a failed gate
        2  not judged, or not all of it: usage, settings, unreadable file or directory, no connection
        3  waiting at a gate, for another runner, or for a pause or time window to end; run the same
        command again
        4  a step failed; the ledger says which
      130  interrupted; run the same command again
    ----- stderr -----
    "#);
}

#[test]
fn the_help_of_run_states_the_bounds_of_a_batch() {
    use lockkeeper::plan::Settings;
    use lockkeeper::plan::settings::BATCH_ROWS;
    let help = run(&[], &["run", "--help"]).replace(',', "");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let Settings { batch_rows, batch_time, .. } = Settings::default();
    for told in [
        format!("begins with a batch of {batch_rows} rows"),
        format!("between {} and {}", BATCH_ROWS.start(), BATCH_ROWS.end()),
        format!("in {} ms", batch_time.as_millis()),
    ] {
        assert!(help.contains(&told), "`{told}` is missing in {help}");
    }
}

#[test]
fn colour_is_used_when_asked_for() {
    assert!(!run(&[RENAME], &["lint", "--dialect", "pg"]).contains('\u{1b}'), "a pipe is no terminal");
    assert!(run(&[RENAME], &["lint", "--dialect", "pg", "--color", "always"]).contains("\u{1b}["));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    // More than a pipe holds, so that the write meets the closed end.
    let many = "DROP TABLE a;\n".repeat(2000);
    let directory = directory(&[("migrations/1.sql", &many)]);
    let mut child = command(directory.path(), &["lint", "--dialect", "postgres"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(1), "the verdict does not depend on the reader");
}
