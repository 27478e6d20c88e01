//! A fresh database for every test, on each of the three.
//!
//! `LOCKKEEPER_TEST_POSTGRES_URL` and `LOCKKEEPER_TEST_MARIADB_URL` name servers to use; otherwise a temporary
//! one is started, once for all tests of a run. Where that cannot be, tests say SKIP, and with `CI=true` or
//! `LOCKKEEPER_TEST_REQUIRE` they fail:
//!
//! ```ignore
//! let Some(database) = servers::postgres().await else { return };
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockkeeper::database::temporary::{Engine, Server, Share, start};
use lockkeeper::database::{Connection, Session, connect, server_version};
use lockkeeper::error::Result;
use lockkeeper::sql::Dialect;

/// A database of one test's own.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// Keeps an SQLite file's directory until the test ends.
    _directory: Option<tempfile::TempDir>,
    /// On somebody's own server: its URL and what is to be dropped there in the end.
    guest: Option<(String, String)>,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.guest.take() else { return };
        let leave = async move {
            let mut session = connect(&server, "lockkeeper test").await?;
            let force = if session.dialect() == Dialect::Postgres { " WITH (FORCE)" } else { "" };
            let sql = format!("DROP DATABASE {}{force}", session.dialect().quote(&name));
            session.execute(&sql, &[]).await.map_err(|error| lockkeeper::error::Error::input(error.to_string()))
        };
        // The test's own runtime may be on its way out.
        let left = std::thread::spawn(move || tokio::runtime::Runtime::new().unwrap().block_on(leave)).join();
        if !matches!(left, Ok(Ok(_))) {
            tell(&format!("a test's database was not dropped: {left:?}"));
        }
    }
}

impl TestDatabase {
    /// A database on a server that the test started itself.
    pub(crate) fn at(url: String) -> Self {
        Self { url, _directory: None, guest: None }
    }

    /// The database's name on its server.
    pub(crate) fn name(&self) -> &str {
        let path = self.url.split('?').next().unwrap();
        path.rsplit('/').next().unwrap()
    }
}

/// An empty SQLite file; in memory where the system has a place for that, since every commit waits for the disk.
pub(crate) fn sqlite() -> TestDatabase {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file: PathBuf = directory.path().join("test.db");
    std::fs::write(&file, "").unwrap();
    TestDatabase { url: format!("sqlite:{}", file.display()), _directory: Some(directory), guest: None }
}

/// An empty PostgreSQL database.
pub(crate) async fn postgres() -> Option<TestDatabase> {
    database(Engine::Postgres, "LOCKKEEPER_TEST_POSTGRES_URL").await
}

/// An empty MariaDB database.
pub(crate) async fn mariadb() -> Option<TestDatabase> {
    database(Engine::Mariadb, "LOCKKEEPER_TEST_MARIADB_URL").await
}

/// An empty database of what only MariaDB has, words or types; `LOCKKEEPER_TEST_MARIADB_URL` may name a MySQL.
pub(crate) async fn mariadb_itself() -> Option<TestDatabase> {
    let database = mariadb().await?;
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    if is_mariadb(&mut session).await {
        return Some(database);
    }
    skip(&"MariaDB", "the server is a MySQL");
    None
}

/// The temporary server of this test run, for tests of the server itself.
pub(crate) fn temporary(engine: Engine) -> Option<&'static Server> {
    // Static, so that the server stays while one test of the process has yet to ask for it.
    static POSTGRES: OnceLock<Result<Server>> = OnceLock::new();
    static MARIADB: OnceLock<Result<Server>> = OnceLock::new();
    let cell = match engine {
        Engine::Postgres => &POSTGRES,
        Engine::Mariadb => &MARIADB,
    };
    match cell.get_or_init(|| start(engine, &share())) {
        Ok(server) => Some(server),
        Err(error) => {
            skip(&engine, &error.to_string());
            None
        }
    }
}

/// One server for all processes of a test run: nextest starts one for each test.
fn share() -> Share {
    let (key, linger) = match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => (run, Duration::from_secs(10)),
        Err(_) => (format!("test-{}", std::process::id()), Duration::ZERO),
    };
    Share { key, linger, reaper: env!("CARGO_BIN_EXE_lockkeeper").into() }
}

async fn database(engine: Engine, variable: &str) -> Option<TestDatabase> {
    let name = unique_name();
    Some(match std::env::var(variable) {
        Ok(server) => {
            let url = create_on(&server, &name).await;
            TestDatabase { url, _directory: None, guest: Some((server, name)) }
        }
        Err(_) => {
            let url = temporary(engine)?.create_database(&name).await.unwrap();
            TestDatabase { url, _directory: None, guest: None }
        }
    })
}

/// MariaDB has a table `seq_1_to_350`; this is MySQL's.
pub(crate) fn numbers(first: u32, last: u32) -> String {
    format!(
        "(SELECT number - 1 + {first} AS seq FROM JSON_TABLE(concat('[', repeat('0,', {last} - {first}), '0]'), \
         '$[*]' COLUMNS (number FOR ORDINALITY)) AS numbers)"
    )
}

/// Those that the tests ask for.
const NUMBERS: [(u32, u32); 9] =
    [(0, 350), (1, 150), (1, 250), (1, 300), (1, 350), (1, 400), (1, 1_000), (1, 15_000), (1, 30_000)];

pub(crate) async fn is_mariadb(session: &mut Connection) -> bool {
    server_version(session).await.unwrap().starts_with("MariaDB")
}

/// A database on somebody's own server.
async fn create_on(server: &str, name: &str) -> String {
    let mut session = connect(server, "lockkeeper test").await.unwrap();
    let dialect: Dialect = session.dialect();
    session.execute(&format!("CREATE DATABASE {}", dialect.quote(name)), &[]).await.unwrap();
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(name);
    if dialect == Dialect::Mysql && !is_mariadb(&mut session).await {
        for (first, last) in NUMBERS {
            let view = format!("CREATE VIEW {name}.seq_{first}_to_{last} AS {}", numbers(first, last));
            session.execute(&view, &[]).await.unwrap();
        }
    }
    url.to_string()
}

fn unique_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("lockkeeper_test_{started}_{process}_{number}")
}

/// Never a silent pass.
pub(crate) fn skip(what: &dyn std::fmt::Display, why: &str) {
    let required = |variable| std::env::var(variable).is_ok_and(|value| !value.is_empty() && value != "0");
    let required = required("LOCKKEEPER_TEST_REQUIRE") || std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!required, "no {what} for this test: {why}");
    tell(&format!("SKIP: no {what} for this test: {why}"));
}

/// Past the capture of a passing test's output, which would swallow it.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
