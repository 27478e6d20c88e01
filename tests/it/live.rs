//! `lint` with a database: what it has had is not judged again, the rest is judged against its schema, drift is found.

use std::fs;
use std::path::Path;
use std::process::Command;

use lockkeeper::database::live::read_from;
use lockkeeper::database::{Connection, Session, connect};
use lockkeeper::history::live::{Applied, Versions};

use super::servers::{self, TestDatabase};

/// The migrations of sqlx, in order; the last one has not run.
const MIGRATIONS: [(&str, &str); 3] = [
    ("1_orders.sql", "CREATE TABLE orders (id int PRIMARY KEY, note varchar(20));\n"),
    ("2_total.sql", "ALTER TABLE orders ADD COLUMN total int;\n"),
    ("3_index.sql", "CREATE INDEX orders_total ON orders (total);\n"),
];

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("migrations")).unwrap();
    for (name, text) in MIGRATIONS {
        fs::write(directory.path().join("migrations").join(name), text).unwrap();
    }
    directory
}

async fn execute(session: &mut Connection, statements: &[&str]) {
    for sql in statements {
        session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The first two have run, and there are 1500 rows.
async fn prepare(session: &mut Connection) {
    execute(session, &[MIGRATIONS[0].1, MIGRATIONS[1].1]).await;
    let rows: Vec<String> = (1..=1500).map(|id| format!("({id})")).collect();
    let table = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text, success boolean)";
    execute(session, &[&format!("INSERT INTO orders (id) VALUES {}", rows.join(", ")), table]).await;
    execute(
        session,
        &["INSERT INTO _sqlx_migrations VALUES (1, 'orders', true), (2, 'total', true), (3, 'index', false)"],
    )
    .await;
}

/// Both streams and the exit code.
fn lint(directory: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["lint", "--layout", "sqlx"])
        .args(arguments)
        .current_dir(directory)
        .env_remove("LOCKKEEPER_DATABASE_URL")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

fn expect(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in\n{text}");
    }
}

/// What holds on each of the three.
async fn lint_follows_the_database(database: &TestDatabase, analyze: &str) {
    let directory = directory();
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    prepare(&mut session).await;
    execute(&mut session, &[analyze]).await;
    let (_, text) = lint(directory.path(), &["--database-url", &database.url]);
    expect(&text, &["2 of 3 migrations are applied (`_sqlx_migrations`): 1 is judged, against the live schema"]);
    expect(&text, &["in 1 file, 1 statement; replayed: 2 files"]);
    assert!(!text.contains("schema-drift"), "{text}");

    execute(&mut session, &["ALTER TABLE orders ADD COLUMN by_hand int", "CREATE TABLE copy (a int)"]).await;
    execute(&mut session, &["DROP TABLE _sqlx_migrations", "CREATE TABLE schema_migrations (version varchar(20))"])
        .await;
    execute(&mut session, &["INSERT INTO schema_migrations VALUES ('1'), ('2'), ('0009')"]).await;
    let (code, text) = lint(directory.path(), &["--database-url", &database.url, "--fail-on", "warn"]);
    assert_eq!(code, 1, "{text}");
    expect(
        &text,
        &["`orders` is not what the database has: the database has a column `by_hand` that no migration makes"],
    );
    expect(&text, &["the database has what no migration makes: `copy`"]);
    expect(&text, &["`schema_migrations` names versions that are not among these migrations: 9"]);

    execute(&mut session, &["DROP TABLE schema_migrations"]).await;
    let (_, text) = lint(directory.path(), &["--database-url", &database.url]);
    expect(
        &text,
        &["no table of a migration tool tells which migrations it has had: every migration is judged by replay"],
    );
    assert!(!text.contains("schema-drift"), "{text}");

    let read = read_from(&mut session).await.unwrap();
    assert_eq!(read.catalog.table(&super::catalog::name("orders")).unwrap().rows, Some(1500));
    let refused = session.execute("CREATE TABLE written (a int)", &[]).await;
    assert!(refused.is_err(), "the session that has read can write");
}

#[tokio::test]
async fn lint_follows_a_postgres_database() {
    let Some(database) = servers::postgres().await else { return };
    lint_follows_the_database(&database, "ANALYZE orders").await;
}

#[tokio::test]
async fn lint_follows_a_mariadb_database() {
    let Some(database) = servers::mariadb().await else { return };
    lint_follows_the_database(&database, "ANALYZE TABLE orders").await;
}

#[tokio::test]
async fn lint_follows_an_sqlite_database() {
    lint_follows_the_database(&servers::sqlite(), "ANALYZE").await;
}

#[tokio::test]
async fn a_finding_tells_how_many_rows_wait() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    prepare(&mut session).await;
    execute(&mut session, &["ANALYZE orders"]).await;
    let directory = directory();
    let (_, text) = lint(directory.path(), &["--database-url", &database.url]);
    expect(&text, &["SHARE on `orders`: blocks writes while about 1,500 rows are read"]);
    // By replay the sizes are known as well.
    execute(&mut session, &["DROP TABLE _sqlx_migrations"]).await;
    let (_, text) = lint(directory.path(), &["--database-url", &database.url]);
    expect(&text, &["SHARE on `orders`: blocks writes while about 1,500 rows are read"]);
}

#[tokio::test]
async fn reading_waits_for_no_lock() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    prepare(&mut session).await;
    execute(&mut session, &["CREATE INDEX i ON orders (lower(note)) WHERE note <> ''", "BEGIN"]).await;
    execute(&mut session, &["ALTER TABLE orders ADD COLUMN late int DEFAULT 3"]).await;
    let mut reader = connect(&database.url, "lockkeeper test").await.unwrap();
    let read = read_from(&mut reader).await.unwrap();
    assert_eq!(read.catalog.table(&super::catalog::name("orders")).unwrap().columns.len(), 3);
    assert_eq!(read.untold, ["`orders` is locked by somebody just now: its defaults and indexes are not told"]);
}

#[tokio::test]
async fn without_the_right_to_read_the_tool_s_table_that_is_said() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    prepare(&mut session).await;
    execute(&mut session, &["ANALYZE orders"]).await;
    let role = format!("reader_of_{}", database.name());
    execute(&mut session, &[&format!("CREATE ROLE {role} LOGIN")]).await;
    let mut url = url::Url::parse(&database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(None).unwrap();
    let directory = directory();
    let (_, text) = lint(directory.path(), &["--database-url", url.as_str()]);
    execute(&mut session, &[&format!("DROP ROLE {role}")]).await;
    expect(&text, &["`_sqlx_migrations` cannot be read: permission denied for table _sqlx_migrations (42501)"]);
    expect(&text, &["every migration is judged by replay"]);
    expect(&text, &["about 1,500 rows are read"]);
}

#[tokio::test]
async fn every_tool_s_own_table_is_understood() {
    let each = |versions: &[&str]| Some(Versions::Each(versions.iter().map(ToString::to_string).collect()));
    let table: &[(&[&str], &str, Option<Versions>)] = &[
        (
            &[
                "CREATE TABLE flyway_schema_history (installed_rank int, version text, script text, success bool)",
                "INSERT INTO flyway_schema_history VALUES (1, '1.2', 'V1.2__a.sql', 1), (2, NULL, 'R__b.sql', 1), (3, '2', 'V2__c.sql', 0)",
            ],
            "flyway_schema_history",
            each(&["1.2", "R__b.sql"]),
        ),
        (
            &[
                "CREATE TABLE _prisma_migrations (migration_name text, finished_at text, rolled_back_at text)",
                "INSERT INTO _prisma_migrations VALUES ('1_a', 'x', NULL), ('2_b', NULL, NULL), ('3_c', 'x', 'x')",
            ],
            "_prisma_migrations",
            each(&["1_a"]),
        ),
        (
            &[
                "CREATE TABLE refinery_schema_history (version int)",
                "INSERT INTO refinery_schema_history VALUES (1), (2)",
            ],
            "refinery_schema_history",
            each(&["1", "2"]),
        ),
        (
            &[
                "CREATE TABLE goose_db_version (id int, version_id int, is_applied bool)",
                "INSERT INTO goose_db_version VALUES (1, 0, 1), (2, 1, 1), (3, 2, 1), (4, 2, 0)",
            ],
            "goose_db_version",
            each(&["1"]),
        ),
        (
            &[
                "CREATE TABLE databasechangelog (id text, author text, filename text)",
                "INSERT INTO databasechangelog VALUES ('1', 'me', 'a.sql')",
            ],
            "databasechangelog",
            each(&["me:1"]),
        ),
        (
            &[
                "CREATE TABLE schema_migrations (version bigint, dirty bool)",
                "INSERT INTO schema_migrations VALUES (7, 0)",
            ],
            "schema_migrations",
            Some(Versions::UpTo(Some("7".into()))),
        ),
        (
            &["CREATE TABLE schema_migrations (version text)", "INSERT INTO schema_migrations VALUES ('007'), ('8')"],
            "schema_migrations",
            each(&["7", "8"]),
        ),
        (
            &[
                "CREATE TABLE __drizzle_migrations (id int, hash text)",
                "INSERT INTO __drizzle_migrations VALUES (1, 'a'), (2, 'b')",
            ],
            "__drizzle_migrations",
            Some(Versions::First(2)),
        ),
        (&["CREATE TABLE alembic_version (version_num text)"], "alembic_version", Some(Versions::UpTo(None))),
        (
            &["CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('a'), ('b')"],
            "alembic_version",
            None,
        ),
        (&["CREATE TABLE orders (version text)"], "", None),
    ];
    for (statements, name, versions) in table {
        let database = servers::sqlite();
        let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
        execute(&mut session, statements).await;
        let read = read_from(&mut session).await.unwrap();
        let expected = versions.clone().map(|versions| Applied { table: (*name).to_string(), versions });
        assert_eq!(read.applied, expected, "{}", statements[0]);
    }
}

#[test]
fn a_baseline_is_replayed_and_never_judged() {
    let directory = directory();
    let dump = "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.old (id int);\n\
                DROP TABLE public.gone;\nNO SQL AT ALL;\n";
    fs::write(directory.path().join("schema.sql"), dump).unwrap();
    fs::write(directory.path().join("migrations/3_index.sql"), "ALTER TABLE old ADD COLUMN id int;\n").unwrap();
    let (code, text) = lint(directory.path(), &["--dialect", "postgres", "--baseline", "schema.sql"]);
    assert_eq!(code, 0, "{text}");
    expect(&text, &["`schema.sql` is the baseline: 1 tables come from it; 1 of its statements could not be read"]);
    expect(&text, &["in 3 files, 3 statements; replayed: 1 file, of which 1 statement could not be read"]);
    let settings = "dialect = \"postgres\"\nbaseline = \"schema.sql\"\n";
    fs::write(directory.path().join("lockkeeper.toml"), settings).unwrap();
    expect(&lint(directory.path(), &[]).1, &["`schema.sql` is the baseline"]);
    let (code, text) = lint(directory.path(), &["--baseline", "nowhere.sql"]);
    assert_eq!(code, 2, "{text}");
    expect(&text, &["could not read `nowhere.sql`"]);
}
