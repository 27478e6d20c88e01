//! What the settings say about rules: by group, by rule, by path, by table, and how the team's runner wraps a file.

use crate::cli::run;
use crate::lint::shown;

const DROP: (&str, &str) = ("migrations/1_drop.sql", "DROP TABLE carts;\nCREATE INDEX i ON orders (a);\n");

/// What is found with these settings in `migrations`, the directory that is read without arguments.
fn lint(settings: &str, files: &[(&str, &str)]) -> String {
    let settings = format!("dialect = \"postgres\"\n{settings}");
    shown(&[files, &[("lockkeeper.toml", &settings)]].concat(), &["lint", "--format", "json"])
}

/// The error about these settings.
fn refused(settings: &str) -> String {
    run(&[DROP, ("lockkeeper.toml", settings)], &["lint", "--dialect", "postgres"])
}

#[test]
fn a_rule_counts_before_its_group() {
    insta::assert_snapshot!(lint("[lint.groups]\nlocking = \"off\"\ndata-loss = \"note\"", &[DROP]), @r#"
    migrations/1_drop.sql:1 drop-table
    1 files, 0 suppressed, 1 off
    "#);
    insta::assert_snapshot!(
        lint("[lint.groups]\nlocking = \"off\"\n[lint.rules]\ncreate-index-blocking = \"deny\"", &[DROP]),
        @r#"
    migrations/1_drop.sql:1 drop-table
    migrations/1_drop.sql:2 create-index-blocking
    1 files, 0 suppressed
    "#
    );
    let severities = run(
        &[DROP, ("lockkeeper.toml", "[lint.groups]\nlocking = \"warn\"\ndata-loss = \"note\"\n")],
        &["lint", "--dialect", "postgres"],
    );
    assert!(severities.contains("2 findings (1 warn, 1 note) in 1 file"), "{severities}");
}

#[test]
fn a_word_for_some_paths_counts_before_all_others() {
    let settings = "[lint.rules]\ndrop-table = \"warn\"\n\
        [[lint.paths]]\npaths = [\"migrations/legacy\", \"**/0_*.sql\"]\nreason = \"ran before there were users\"\n\
        groups = { data-loss = \"off\" }\n";
    let drop = "DROP TABLE carts;";
    let files = [DROP, ("migrations/legacy/a/2.sql", drop), ("migrations/0_old.sql", drop)];
    insta::assert_snapshot!(lint(settings, &files), @r#"
    migrations/1_drop.sql:1 drop-table
    migrations/1_drop.sql:2 create-index-blocking
    3 files, 2 suppressed
    "#);
}

#[test]
fn what_has_no_effect_in_the_settings_is_a_finding() {
    let settings = "[lint]\nsmall-tables = [\"countries\"]\n\
        [[lint.paths]]\npaths = [\"migrations/*.sql\", \"db/**\"]\nreason = \"old\"\nrules = { drop-table = \"off\" }\n\
        [[lint.paths]]\npaths = [\"migrations/**\"]\nreason = \"old\"\nrules = { drop-column = \"off\" }\n\
        [[lint.paths]]\npaths = [\"migrations/**\"]\nreason = \"old\"\nuntil = 2026-01-31\n\
        rules = { create-index-blocking = \"off\" }\n";
    insta::assert_snapshot!(lint(settings, &[DROP]), @r#"
    migrations/1_drop.sql:2 create-index-blocking
    lockkeeper.toml:3 unused-suppression
    lockkeeper.toml:5 unused-suppression
    lockkeeper.toml:8 unused-suppression
    lockkeeper.toml:12 expired-suppression
    1 files, 1 suppressed
    "#);
    // What is in vain is only known when all was judged.
    let settings = format!("dialect = \"postgres\"\n{settings}");
    let some = shown(&[DROP, ("lockkeeper.toml", &settings)], &["lint", "--format", "json", "migrations/1_drop.sql"]);
    insta::assert_snapshot!(some, @r#"
    migrations/1_drop.sql:2 create-index-blocking
    lockkeeper.toml:12 expired-suppression
    1 files, 1 suppressed
    "#);
    let text = run(&[DROP, ("lockkeeper.toml", &settings)], &["lint"]);
    assert!(text.contains("─[lockkeeper.toml:"), "{text}");
}

#[test]
fn waiting_for_a_lock_on_a_small_table_is_excused_and_counted() {
    let settings = "[lint]\nsmall-tables = [\"countries\", \"app.settings\"]\n";
    let sql = "CREATE INDEX i ON countries (a);\n\
        CREATE INDEX j ON public.countries (a);\n\
        CREATE INDEX k ON other.countries (a);\n\
        CREATE INDEX l ON app.settings (a);\n\
        ALTER TABLE countries ADD FOREIGN KEY (a) REFERENCES orders (id);\n\
        ALTER TABLE countries ALTER COLUMN a TYPE bigint;\n\
        ALTER TABLE countries DROP COLUMN b;\n\
        DROP INDEX i;\n";
    insta::assert_snapshot!(lint(settings, &[("migrations/1.sql", sql)]), @r#"
    migrations/1.sql:3 create-index-blocking
    migrations/1.sql:5 add-foreign-key-blocking
    migrations/1.sql:6 change-column-type
    migrations/1.sql:7 drop-column
    migrations/1.sql:8 drop-index-blocking
    1 files, 0 suppressed, 3 on small tables
    "#);
}

#[test]
fn the_settings_say_how_a_file_is_wrapped() {
    let index = ("migrations/2_index.sql", "CREATE INDEX CONCURRENTLY i ON orders (a);");
    insta::assert_snapshot!(lint("transaction = \"per-file\"", &[index]), @r#"
    migrations/2_index.sql:1 concurrently-in-transaction
    1 files, 0 suppressed
    "#);
    insta::assert_snapshot!(lint("layout = \"refinery\"\ntransaction = \"none\"", &[("migrations/V1__a.sql", index.1)]), @r#"
    note: `migrations` is read as refinery (as chosen): V and U in the order of their versions, each file in a transaction; but each statement its own transaction, as the settings say
    1 files, 0 suppressed
    "#);
    // What the file itself says stays.
    let own = format!("-- no-transaction\n{}", index.1);
    insta::assert_snapshot!(
        lint("layout = \"sqlx\"\ntransaction = \"per-file\"", &[("migrations/1_a.sql", &own)]),
        @r#"
    note: `migrations` is read as sqlx (as chosen): in the order of the numbers, each file in a transaction unless it begins with `-- no-transaction`; but each file in one transaction unless it refuses one itself, as the settings say
    1 files, 0 suppressed
    "#
    );
}

#[test]
fn a_name_that_is_wrong_is_told_with_its_line_and_the_nearest() {
    insta::assert_snapshot!(refused("[lint.groups]\nlocks = \"off\""), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: lockkeeper.toml:2: no group `locks`
    hint: did you mean `locking`?
    "#);
    insta::assert_snapshot!(refused("[[lint.paths]]\npaths = [\"a\"]\nreason = \"b\"\nrules = { drop-tabel = \"off\" }"), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: lockkeeper.toml:4: no rule `drop-tabel`
    hint: did you mean `drop-table`?
    "#);
}

#[test]
fn the_settings_name_something_to_read() {
    insta::assert_snapshot!(refused("migrations = []"), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: lockkeeper.toml:1: `migrations` is empty: there is nothing to read
    hint: name files or directories, or leave it out to read `migrations`
    "#);
}
