//! Directories as real tools write them: which tool is recognised, what it runs, in which order and in which
//! transaction, what it does not run, and what is said about it.

mod changelogs;

use std::fs;
use std::path::Path;

use lockkeeper::history::layout::{self, Choice, Layout};
use lockkeeper::lint::{Given, lint};
use lockkeeper::settings::Settings;
use lockkeeper::sql::{Dialect, line_column};

use crate::cli::run;

mod dumps;
mod more;

const POSTGRES: Choice =
    Choice { dialect: Some(Dialect::Postgres), layout: None, transaction: None, run_python: false };

/// Reads a directory of `fixtures/layouts/` and shows it.
fn fixture(name: &str, choice: Choice) -> String {
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layouts").join(name), &directory.path().join(name));
    show(directory.path(), name, choice)
}

/// Reads files that a test writes and shows them.
fn files(files: &[(&str, &str)], choice: Choice) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join("db").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    show(directory.path(), "db", choice)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Each migration with its version and transaction, the findings, the notes, and what could not be read.
fn show(root: &Path, name: &str, choice: Choice) -> String {
    // The project of the fixture ends here: what lies around it is not asked.
    fs::create_dir_all(root.join(".git")).unwrap();
    let history = match layout::read(&[root.join(name)], choice) {
        Ok(history) => history,
        Err(error) => return format!("error: {error}").replace(&format!("{}/", root.display()), ""),
    };
    let mut shown = String::new();
    for migration in &history.migrations {
        let version = migration.version.as_deref().unwrap_or("-");
        let transaction = if migration.in_transaction { "" } else { ", no transaction" };
        let statements = migration.statements.len();
        shown += &format!("{version}: {} ({statements}{transaction})\n", migration.path);
    }
    let outcome = lint(&history, &Settings::default(), Given::default()).unwrap();
    for finding in &outcome.findings {
        let text = &history.migrations.iter().find(|migration| migration.path == finding.path).unwrap().text;
        shown += &format!("{}:{} {}\n", finding.path, line_column(text, finding.range.start).0, finding.rule);
    }
    for note in &history.notes {
        shown += &format!("note: {note}\n");
    }
    for error in &history.unreadable {
        shown += &format!("unreadable: {error}\n");
    }
    shown += &format!("{} files, {}", outcome.files, history.dialect);
    shown.replace(&format!("{}/", root.display()), "")
}

#[test]
fn plain() {
    insta::assert_snapshot!(fixture("plain", POSTGRES), @r#"
    -: plain/2_orders.sql (1, no transaction)
    -: plain/10_wider.sql (1, no transaction)
    plain/10_wider.sql:1 prepared-select-breaks
    note: `plain` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    note: `plain/2_orders_down.sql` not linted: made to undo a migration
    2 files, postgres
    "#);
}

#[test]
fn refinery() {
    insta::assert_snapshot!(fixture("refinery", POSTGRES), @r#"
    1: refinery/migrations/V1__orders.sql (1)
    2: refinery/migrations/U2__late.sql (1)
    3: refinery/migrations/V3__items.sql (1)
    10: refinery/migrations/V10__carts.sql (1)
    refinery/migrations/U2__late.sql:1 drop-column
    note: `refinery/migrations` is read as refinery (by the names of its files and Cargo.toml): V and U in the order of their versions, each file in a transaction
    note: `refinery/migrations/seed.sql` not linted: refinery runs only `V1__name.sql` and `U1__name.sql`
    4 files, postgres
    "#);
}

#[test]
fn sqlx() {
    insta::assert_snapshot!(fixture("sqlx", POSTGRES), @r#"
    1: sqlx/1_orders.sql (1)
    2: sqlx/2_index.sql (1, no transaction)
    3: sqlx/3_drop.up.sql (1)
    sqlx/3_drop.up.sql:1 drop-column
    note: `sqlx` is read as sqlx (by `-- no-transaction`): in the order of the numbers, each file in a transaction unless it begins with `-- no-transaction`
    note: `sqlx/3_drop.down.sql` not linted: made to undo a migration
    3 files, postgres
    "#);
}

#[test]
fn flyway() {
    insta::assert_snapshot!(fixture("flyway", POSTGRES), @r#"
    1: flyway/V1__orders.sql (1)
    1.2: flyway/sub/V1_2__index.sql (1, no transaction)
    1.3: flyway/V1.3__check.sql (1, no transaction)
    1.10: flyway/V1.10__drop.sql (1)
    -: flyway/R__a_view.sql (1)
    flyway/V1.10__drop.sql:1 drop-column
    note: `flyway` is read as flyway (by a repeatable `R__` script): versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses
    note: `flyway/afterMigrate.sql` not linted: Flyway calls them back at its events, not as migrations
    note: `flyway/B1.10__baseline.sql` not linted: a baseline stands for versions that are linted one by one
    note: `flyway/U1.10__drop.sql` not linted: made to undo a migration
    5 files, postgres
    "#);
}

#[test]
fn golang_migrate() {
    insta::assert_snapshot!(fixture("golang-migrate", POSTGRES), @r#"
    000001: golang-migrate/000001_orders.up.sql (1, no transaction)
    000002: golang-migrate/000002_drop.up.sql (2)
    000004: golang-migrate/000004_carts.up.sql (1, no transaction)
    000004: golang-migrate/000004_drafts.up.sql (1, no transaction)
    golang-migrate/000002_drop.up.sql:1 drop-column
    golang-migrate/000004_carts.up.sql:1 missing-version
    golang-migrate/000004_drafts.up.sql:1 duplicate-version
    note: `golang-migrate` is read as golang-migrate (by the names of its files; it could be sqlx too: `--layout` or `layout` in lockkeeper.toml decides): in the order of the numbers, each file sent at once (on PostgreSQL several statements are one transaction)
    note: `golang-migrate/README.sql` not linted: golang-migrate runs only `1_name.up.sql`
    note: 2 files (`golang-migrate/000001_orders.down.sql`, ...) not linted: made to undo a migration
    4 files, postgres
    "#);
}

#[test]
fn goose() {
    insta::assert_snapshot!(fixture("goose", POSTGRES), @r#"
    00001: goose/00001_orders.sql (1)
    00002: goose/00002_function.sql (2)
    00003: goose/00003_index.sql (1, no transaction)
    goose/00002_function.sql:9 drop-column
    note: `goose` is read as goose (by `-- +goose`): in the order of the numbers, down to `-- +goose Down`, each file in a transaction unless it says NO TRANSACTION
    note: not read yet: `goose/00004_code.go` of goose or another tool in Go
    3 files, postgres
    "#);
}

#[test]
fn dbmate() {
    insta::assert_snapshot!(fixture("dbmate", POSTGRES), @r#"
    20240101000000: dbmate/20240101000000_orders.sql (1)
    20240102000000: dbmate/20240102000000_index.sql (1, no transaction)
    20240103000000: dbmate/20240103000000_drop.sql (1)
    dbmate/20240103000000_drop.sql:2 drop-column
    note: `dbmate` is read as dbmate (by `-- migrate:up`): in the order of the names as text, down to `-- migrate:down`, each file in a transaction unless it says transaction:false
    3 files, postgres
    "#);
}

#[test]
fn diesel() {
    insta::assert_snapshot!(fixture("diesel", POSTGRES), @r#"
    20240101000000: diesel/2024-01-01-000000_orders/up.sql (1)
    20240102000000: diesel/2024-01-02-000000_index/up.sql (1, no transaction)
    20240103000000: diesel/2024-01-03-000000_drop/up.sql (1)
    diesel/2024-01-03-000000_drop/up.sql:1 drop-column
    note: `diesel` is read as diesel (by directories with `up.sql`): in the order of the versions as text, each in a transaction unless its metadata.toml refuses
    note: 3 files (`diesel/2024-01-01-000000_orders/down.sql`, ...) not linted: made to undo a migration
    3 files, postgres
    "#);
}

#[test]
fn prisma() {
    insta::assert_snapshot!(fixture("prisma", Choice::default()), @r#"
    20240101000000: prisma/20240101000000_init/migration.sql (1, no transaction)
    20240102000000: prisma/20240102000000_drop/migration.sql (1, no transaction)
    prisma/20240102000000_drop/migration.sql:1 drop-column
    note: `prisma` is read as prisma (by migration_lock.toml): in the order of the names as text, each file sent at once (on PostgreSQL several statements are one transaction; since Prisma 7.4 not with CREATE INDEX CONCURRENTLY)
    2 files, mysql
    "#);
}

#[test]
fn drizzle() {
    insta::assert_snapshot!(fixture("drizzle", Choice::default()), @r#"
    0: drizzle/0000_quick_fox.sql (3)
    1: drizzle/0001_lazy_dog.sql (2)
    drizzle/0001_lazy_dog.sql:1 rename-column
    drizzle/0001_lazy_dog.sql:2 drop-table
    note: `drizzle` is read as drizzle (by meta/_journal.json): in the order of the journal, or of the directories' names, all that are pending in one transaction
    note: `drizzle/0002_by_hand.sql` not linted: the journal does not name them, so that Drizzle never runs them
    2 files, mysql
    "#);
}

#[test]
fn atlas() {
    insta::assert_snapshot!(fixture("atlas", POSTGRES), @r#"
    20240101000000: atlas/20240101000000_orders.sql (1)
    20240102000000: atlas/20240102000000_index.sql (1, no transaction)
    20240102120000: atlas/20240102120000_note.sql (1)
    20240103000000: atlas/20240103000000_drop.sql (1)
    atlas/20240103000000_drop.sql:1 drop-column
    note: `atlas` is read as atlas (by atlas.sum): in the order of the names as text, each file in a transaction unless it says `-- atlas:txmode none`
    note: `atlas/20240104000000_checkpoint.sql` not linted: a checkpoint stands for versions that are linted one by one
    4 files, postgres
    "#);
}

#[test]
fn supabase() {
    insta::assert_snapshot!(fixture("supabase", Choice::default()), @r#"
    20240101000000: supabase/migrations/20240101000000_orders.sql (1)
    20240102000000: supabase/migrations/20240102000000_drop.sql (1)
    supabase/migrations/20240102000000_drop.sql:1 drop-column
    note: `supabase/migrations` is read as supabase (by the directory supabase/migrations): in the order of the names as text, each file in one pipeline, which is a transaction
    note: `supabase/migrations/notes.sql` not linted: Supabase runs only `<time>_name.sql`
    2 files, postgres
    "#);
}

#[test]
fn liquibase() {
    insta::assert_snapshot!(fixture("liquibase", POSTGRES), @r#"
    ann:1: liquibase/1_orders.sql (1)
    ann:2: liquibase/1_orders.sql (1, no transaction)
    "bob b":3: liquibase/1_orders.sql (1)
    ann:1: liquibase/2_carts.sql (1)
    liquibase/1_orders.sql:13 drop-column
    liquibase/2_carts.sql:3 drop-table
    note: `liquibase` is read as liquibase (by `--liquibase formatted sql`): files in natural order of their paths, each changeset in a transaction unless it says runInTransaction:false; contexts and preconditions are taken to hold
    note: 1 of 4 changesets in `liquibase/1_orders.sql` not linted: their `dbms` or context is not postgres
    2 files, postgres
    "#);
    // What MySQL takes for SQL, Liquibase takes for its own.
    insta::assert_snapshot!(fixture("liquibase", Dialect::Mysql.into()), @r#"
    ann:1: liquibase/1_orders.sql (1)
    ann:2: liquibase/1_orders.sql (1, no transaction)
    bob:4: liquibase/1_orders.sql (1)
    ann:1: liquibase/2_carts.sql (1)
    liquibase/1_orders.sql:9 unreadable-statement
    liquibase/1_orders.sql:16 drop-table
    liquibase/2_carts.sql:3 drop-table
    note: `liquibase` is read as liquibase (by `--liquibase formatted sql`): files in natural order of their paths, each changeset in a transaction unless it says runInTransaction:false; contexts and preconditions are taken to hold
    note: 1 of 4 changesets in `liquibase/1_orders.sql` not linted: their `dbms` or context is not mysql
    2 files, mysql
    "#);
}

#[test]
fn two_layouts_that_fit_are_both_said() {
    let names = [("1_a.up.sql", "SELECT 1;"), ("1_a.down.sql", "SELECT 2;")];
    insta::assert_snapshot!(files(&names, POSTGRES), @r#"
    1: db/1_a.up.sql (1, no transaction)
    note: `db` is read as golang-migrate (by the names of its files; it could be sqlx too: `--layout` or `layout` in lockkeeper.toml decides): in the order of the numbers, each file sent at once (on PostgreSQL several statements are one transaction)
    note: `db/1_a.down.sql` not linted: made to undo a migration
    1 files, postgres
    "#);
    let choice = Choice { layout: Some(Layout::from_word("sqlx").unwrap()), ..POSTGRES };
    insta::assert_snapshot!(files(&names, choice), @r#"
    1: db/1_a.up.sql (1)
    note: `db` is read as sqlx (as chosen): in the order of the numbers, each file in a transaction unless it begins with `-- no-transaction`
    note: `db/1_a.down.sql` not linted: made to undo a migration
    1 files, postgres
    "#);
    insta::assert_snapshot!(files(&[("V1__a.sql", "SELECT 1;"), ("V2__b.sql", "SELECT 2;")], POSTGRES), @r#"
    1: db/V1__a.sql (1)
    2: db/V2__b.sql (1)
    note: `db` is read as flyway (by the names of its files; it could be refinery too: `--layout` or `layout` in lockkeeper.toml decides): versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses
    2 files, postgres
    "#);
}

#[test]
fn a_phased_change_has_its_place_in_every_layout() {
    let change = [
        ("1_orders.up.sql", "CREATE TABLE orders (id bigint, note text);"),
        ("2_note/expand.sql", "ALTER TABLE orders ADD COLUMN remark text;"),
        ("2_note/backfill.sql", "UPDATE orders SET remark = note WHERE remark IS NULL;"),
        ("2_note/contract.sql", "ALTER TABLE orders DROP COLUMN note;"),
        ("2_note/revert.sql", "ALTER TABLE orders DROP COLUMN remark;"),
        ("10_after.up.sql", "ALTER TABLE orders DROP COLUMN id;"),
        ("2_again.up.sql", "SELECT 1;"),
    ];
    insta::assert_snapshot!(files(&change, POSTGRES), @r#"
    1: db/1_orders.up.sql (1, no transaction)
    2: db/2_again.up.sql (1, no transaction)
    2: db/2_note/expand.sql (1, no transaction)
    2: db/2_note/backfill.sql (1, no transaction)
    2: db/2_note/contract.sql (1, no transaction)
    10: db/10_after.up.sql (1, no transaction)
    db/2_note/expand.sql:1 duplicate-version
    db/10_after.up.sql:1 drop-column
    note: `db` is read as golang-migrate (by the names of its files; it could be sqlx too: `--layout` or `layout` in lockkeeper.toml decides): in the order of the numbers, each file sent at once (on PostgreSQL several statements are one transaction)
    note: `db/2_note/revert.sql` not linted: no phase of a phased change runs them
    6 files, postgres
    "#);
}

#[test]
fn what_is_not_sql_is_said_and_alone_it_is_not_judged() {
    let alone = |name| files(&[(name, "")], POSTGRES);
    insta::assert_snapshot!(alone("db.changelog-master.xml"), @"error: no migration in `db`: not read yet: `db/db.changelog-master.xml` of Liquibase, without `databaseChangeLog`");
    insta::assert_snapshot!(alone("alembic/versions/1a2b_orders.py"), @"error: no migration in `db`: not judged: `db/alembic/versions/1a2b_orders.py` of Alembic: `--run-python` lets Alembic print their SQL, which runs the project's code");
    insta::assert_snapshot!(alone("shop/migrations/0001_initial.py"), @"error: no migration in `db`: not judged: `db/shop/migrations/0001_initial.py` of Django: `--run-python` lets Django print their SQL, which runs the project's code");
    insta::assert_snapshot!(alone("migrate/20240101000000_create_orders.rb"), @"error: no migration in `db`: not read yet: `db/migrate/20240101000000_create_orders.rb` of Rails");
    insta::assert_snapshot!(alone("20240101000000_orders.js"), @"error: no migration in `db`: not read yet: `db/20240101000000_orders.js` of Knex or another tool in JavaScript");
    insta::assert_snapshot!(files(&[("0001_initial.go", ""), ("2.sql", "SELECT 1;")], POSTGRES), @r#"
    -: db/2.sql (1, no transaction)
    note: `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    note: not read yet: `db/0001_initial.go` of goose or another tool in Go
    1 files, postgres
    "#);
    let named = run(&[("db/changelog.yaml", "")], &["lint", "--dialect", "postgres", "db/changelog.yaml"]);
    insta::assert_snapshot!(named, @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no migration in `db/changelog.yaml`
      cause: not read yet: `db/changelog.yaml` of Liquibase, without `databaseChangeLog`
    hint: a migration is a file named `*.sql`
    "#);
}

#[test]
fn a_file_that_is_named_is_read_as_its_directory_tells() {
    let files = [
        ("db/V1__a.sql", "SELECT 1;"),
        ("db/V3__b.sql", "SELECT 1;"),
        ("db/R__c.sql", "SELECT 1;"),
        ("db/U3__b.sql", "DROP TABLE a;"),
    ];
    let named = run(&files, &["lint", "--dialect", "postgres", "db/U3__b.sql", "db/V3__b.sql", "db/V1__a.sql"]);
    insta::assert_snapshot!(named, @r#"
    exit code: 0
    ----- stdout -----
    note: `db` is read as flyway (by a repeatable `R__` script): versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses
    note: `db/U3__b.sql` not linted: made to undo a migration
    no findings in 2 files, 2 statements
    ----- stderr -----
    "#);
}

#[test]
fn the_layout_can_be_chosen() {
    let files = [("db/V1__a.sql", "SELECT 1;"), ("lockkeeper.toml", "layout = \"refinery\"\n")];
    let read_as = |arguments: &[&str]| {
        let shown = run(&files, arguments);
        shown.lines().find_map(|line| line.strip_prefix("note: `db` is read as ")).unwrap_or(&shown).to_string()
    };
    let with = ["lint", "--dialect", "postgres", "db"];
    insta::assert_snapshot!(read_as(&with), @"refinery (as chosen): V and U in the order of their versions, each file in a transaction");
    insta::assert_snapshot!(read_as(&[&with[..], &["--layout", "plain"]].concat()), @"plain (as chosen): in natural order of the paths, each statement its own transaction");
    insta::assert_snapshot!(read_as(&[&with[..], &["--layout", "fliway"]].concat()), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no layout `fliway`
    hint: did you mean `flyway`?
    "#);
}

#[test]
fn a_journal_that_names_a_missing_file_is_not_judged_in_full() {
    let journal = |text| files(&[("meta/_journal.json", text), ("0000_a.sql", "SELECT 1;")], POSTGRES);
    let entry = r#"{"entries":[{"idx":0,"tag":"0000_a"},{"idx":1,"tag":"0001_b"}]}"#;
    insta::assert_snapshot!(journal(entry), @r#"
    0: db/0000_a.sql (1)
    note: `db` is read as drizzle (by meta/_journal.json): in the order of the journal, or of the directories' names, all that are pending in one transaction
    unreadable: could not read `db/0001_b.sql`: meta/_journal.json names it, and it is not there
    1 files, postgres
    "#);
    insta::assert_snapshot!(journal("{"), @r#"
    0000: db/0000_a.sql (1)
    note: `db` is read as drizzle (by meta/_journal.json): in the order of the journal, or of the directories' names, all that are pending in one transaction
    unreadable: could not read `db/meta/_journal.json`: EOF while parsing an object at line 1 column 1
    1 files, postgres
    "#);
}

#[test]
fn two_databases_in_one_place_know_nothing_of_each_other() {
    let widened = "CREATE TABLE a (b varchar(20));";
    let wider = "ALTER TABLE a ALTER COLUMN b TYPE varchar(40);";
    let one = [("x/1/up.sql", widened), ("x/2/up.sql", wider)];
    assert!(!files(&one, POSTGRES).contains("change-column-type"), "{}", files(&one, POSTGRES));
    let two = [("x/1/up.sql", widened), ("y/1/up.sql", "SELECT 1;"), ("y/2/up.sql", wider)];
    assert!(files(&two, POSTGRES).contains("y/2/up.sql:1 change-column-type"), "{}", files(&two, POSTGRES));
    assert!(!files(&two, POSTGRES).contains("duplicate-version"), "{}", files(&two, POSTGRES));
}

#[test]
fn a_dialect_that_only_one_directory_tells_is_said() {
    let lock = ("p/migration_lock.toml", "provider = \"sqlite\"");
    let both = [lock, ("p/1_a/migration.sql", "SELECT 1;"), ("q/1_b.sql", "SELECT 1;")];
    let shown = files(&both, Choice::default());
    assert!(shown.contains("note: `db/q` does not say whose SQL it is, and is read as sqlite\n"), "{shown}");
    let shown = files(&both, POSTGRES);
    assert!(shown.contains("note: `db/p` says that it is sqlite, and is read as postgres\n"), "{shown}");
}

#[test]
fn services_and_databases_have_versions_of_their_own() {
    let apart = [
        ("a/migration/V1.1__x.sql", "SELECT 1;"),
        ("b/migration/V1.1__x.sql", "SELECT 1;"),
        ("c/migration/mysql/V1.1__x.sql", "SELECT 1;"),
        ("c/migration/postgresql/V1.1__x.sql", "SELECT 1;"),
    ];
    let shown = files(&apart, POSTGRES);
    assert!(!shown.contains("duplicate-version"), "{shown}");
    let together = [("a/migration/1/V1.1__x.sql", "SELECT 1;"), ("a/migration/2/V1.1__y.sql", "SELECT 1;")];
    let shown = files(&together, POSTGRES);
    assert!(shown.contains("db/a/migration/2/V1.1__y.sql:1 duplicate-version"), "{shown}");
}

#[test]
fn beside_a_directory_for_our_database_those_for_others_are_not_linted() {
    let all = [
        ("common/1.sql", "SELECT 1;"),
        ("postgres/deep/2.sql", "SELECT 1;"),
        ("mysql/2.sql", "SELECT 1;"),
        ("H2/2.sql", "SELECT 1;"),
    ];
    insta::assert_snapshot!(files(&all, POSTGRES), @r"
    -: db/common/1.sql (1, no transaction)
    -: db/postgres/deep/2.sql (1, no transaction)
    note: `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    note: 2 files (`db/H2/2.sql`, ...) not linted: made for another kind of database, as their directories say
    2 files, postgres
    ");
    let alone = files(&[("mysql/2.sql", "SELECT 1;")], POSTGRES);
    assert!(alone.contains("1 files, postgres"), "a directory that is named is read: {alone}");
}

#[test]
fn sql_under_another_name_is_said() {
    let shown = files(&[("1.sql", "SELECT 1;"), ("2.ddl", "DROP TABLE a;"), ("3.sql.gz", "")], POSTGRES);
    assert!(shown.contains("note: not read yet: `db/2.ddl` of a tool whose files do not end in `.sql`\n"), "{shown}");
    assert!(shown.contains("note: not read yet: `db/3.sql.gz` of a tool that packs its SQL\n"), "{shown}");
}
