//! The few things that a runner asks of a database, one driver per dialect.
//!
//! A session is two questions wide, so that a test can stand in front of it and lose any answer:
//! everything else is SQL text in the rooms that need it. Transactions are `BEGIN` and `COMMIT`
//! through the same door. No error carries a URL or a password.

pub mod mysql;
pub mod postgres;
pub mod sqlite;
pub mod live;
pub mod temporary;

mod address;
mod blocker;
mod executing;
mod keys;
mod identity;
mod indexes;
mod rights;
mod cancel;
mod definition;
mod triggers;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::error;
use crate::plan::Expectation;
use crate::sql::{Dialect, Name};

pub use address::{dialect, redact};
pub use blocker::{Blocker, blocking, in_the_way, traffic_behind};
pub use cancel::{cancel, id};
pub use definition::{Fact, definition};
pub use executing::is_executing;
pub use identity::{Identity, Present, identity, search_path, why_read_only};
pub use indexes::indexes_over;
pub use keys::{Key, KeyColumn, Obstacle, keys_of, obstacle};
pub use triggers::{Cascade, Standing, cascades, own_functions, standing, write_position};

/// A value that goes to or comes from a database: our own tables and keys need no more.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One connection.
pub trait Session: Send + Sized {
    /// Whose SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs one statement and says how many rows it touched. Without parameters the text goes to the
    /// server as it is, so that DDL and trigger bodies pass.
    ///
    /// # Errors
    /// What the server or the connection said.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// Runs one query and fetches all its rows: integers as `Int`, text, numbers and times as `Text`.
    ///
    /// # Errors
    /// As `execute`.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, DatabaseError>> + Send;

    /// A further connection to the same database, as the same user.
    ///
    /// # Errors
    /// As `connect`.
    fn another(&self) -> impl Future<Output = error::Result<Self>> + Send;
}

/// What a server or a connection said, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    pub kind: DatabaseErrorKind,
    /// SQLSTATE; MySQL's error number; SQLite's extended code.
    pub code: Option<String>,
    /// The server's own message, without password or driver talk.
    pub message: String,
    /// 1-based character position in the text sent (PostgreSQL only).
    pub position: Option<usize>,
}

/// What a runner has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The connection is gone: whether the last statement took effect is unknown.
    ConnectionLost,
    /// A lock was not to be had in time: nothing happened, try again.
    LockTimeout,
    /// The server chose this transaction as a deadlock's victim: nothing happened, try again.
    Deadlock,
    /// No room is left for what it writes: nothing of the statement stays.
    DiskFull,
    /// Anything else that the server refused.
    Statement,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl DatabaseError {
    /// A refusal of our own: a value or a question that this database has no answer for.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { kind: DatabaseErrorKind::Statement, code: None, message: message.into(), position: None }
    }

    /// In place of a message that may quote values of rows, which are nobody's business but the run's own output:
    /// `None` where it does not. What a trigger of the user's own puts into an error of another code is not known.
    pub fn without_values(&self, dialect: Dialect) -> Option<String> {
        let code = self.code.as_deref()?;
        let quotes = match dialect {
            // Data, PL/pgSQL's RAISE, external routines. Constraints (23) have the values in the detail, which we drop.
            Dialect::Postgres => ["22", "P0", "38", "39"].iter().any(|class| code.starts_with(class)),
            // Duplicate entries, values that do not fit their type, JSON texts, SIGNAL.
            Dialect::Mysql => {
                let number = code.parse::<u16>().unwrap_or_default();
                matches!(
                    number,
                    1062 | 1169 | 1292 | 1366 | 1367 | 1411 | 1525 | 1586 | 1644 | 1690 | 1761 | 3140..=3158
                )
            }
            // RAISE.
            Dialect::Sqlite => code == "1811",
        };
        quotes.then(|| format!("the database refused a value ({code}); its message was only shown by the run"))
    }

    /// What the driver said where the server did not: nearly always that the connection is gone.
    fn of_driver(error: &sqlx::Error) -> Self {
        use sqlx::Error as E;
        let (kind, message) = match error {
            E::Io(error) => (DatabaseErrorKind::ConnectionLost, error.to_string()),
            E::Tls(error) => (DatabaseErrorKind::ConnectionLost, error.to_string()),
            E::Protocol(message) => (DatabaseErrorKind::ConnectionLost, message.clone()),
            E::WorkerCrashed | E::PoolClosed | E::PoolTimedOut => {
                (DatabaseErrorKind::ConnectionLost, "the connection is closed".to_string())
            }
            other => (DatabaseErrorKind::Statement, other.to_string()),
        };
        Self { kind, code: None, message, position: None }
    }
}

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a statement waits for a lock: the queue that it stands in also holds back the application.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a session may stand still inside a transaction before the server ends it: a runner that is
/// frozen in the middle of a batch must not hold the application's rows.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to one of the three.
pub struct Connection {
    driver: Driver,
    /// What it was opened with, for another one like it; it holds a password and is never shown.
    url: String,
    application_name: String,
}

enum Driver {
    Postgres(postgres::Connection),
    Mysql(mysql::Connection),
    Sqlite(sqlite::Connection),
}

/// Connects to the database of `url`. The server knows the session by `application_name` (PostgreSQL only);
/// our own sessions begin with `lockkeeper`.
///
/// # Errors
/// A URL that cannot be read, or a server that cannot be reached or refuses us; never with the password.
pub async fn connect(url: &str, application_name: &str) -> error::Result<Connection> {
    let driver = match address::dialect(url)? {
        Dialect::Postgres => Driver::Postgres(postgres::Connection::open(url, application_name).await?),
        Dialect::Mysql => Driver::Mysql(mysql::Connection::open(url).await?),
        Dialect::Sqlite => Driver::Sqlite(sqlite::Connection::open(url).await?),
    };
    Ok(Connection { driver, url: url.to_string(), application_name: application_name.to_string() })
}

impl Session for Connection {
    fn dialect(&self) -> Dialect {
        match &self.driver {
            Driver::Postgres(_) => Dialect::Postgres,
            Driver::Mysql(_) => Dialect::Mysql,
            Driver::Sqlite(_) => Dialect::Sqlite,
        }
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        match &mut self.driver {
            Driver::Postgres(connection) => connection.execute(sql, parameters).await,
            Driver::Mysql(connection) => connection.execute(sql, parameters).await,
            Driver::Sqlite(connection) => connection.execute(sql, parameters).await,
        }
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        match &mut self.driver {
            Driver::Postgres(connection) => connection.query(sql, parameters).await,
            Driver::Mysql(connection) => connection.query(sql, parameters).await,
            Driver::Sqlite(connection) => connection.query(sql, parameters).await,
        }
    }

    async fn another(&self) -> error::Result<Self> {
        connect(&self.url, &self.application_name).await
    }
}

/// From now on a statement of this session waits for a lock for so long, where that is not what it does anyway.
///
/// # Errors
/// What the database said.
pub async fn set_lock_timeout<S: Session>(session: &mut S, timeout: Duration) -> Result<(), DatabaseError> {
    if timeout == LOCK_TIMEOUT {
        return Ok(());
    }
    let milliseconds = timeout.as_millis();
    let sql = match session.dialect() {
        Dialect::Postgres => format!("SET lock_timeout = '{milliseconds}ms'"),
        // In whole seconds.
        Dialect::Mysql => {
            let seconds = milliseconds.div_ceil(1000);
            format!("SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")
        }
        Dialect::Sqlite => format!("PRAGMA busy_timeout = {milliseconds}"),
    };
    session.execute(&sql, &[]).await.map(drop)
}

/// Whether an expectation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Yes,
    No,
    /// PostgreSQL: the index is there, but invalid; the partition is neither in its table nor out of it.
    HalfDone,
}

impl Held {
    fn when(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// The sessions of others that a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenSessions {
    /// This database has no sessions to ask for, and why.
    NotKnowable(String),
    /// The server hides other users' sessions from us, and what would help.
    Masked(String),
    Seen(Vec<SeenSession>),
}

/// One session of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSession {
    pub user: String,
    /// Empty where the session gave none, and on MySQL, which has none.
    pub application_name: String,
}

/// Whether what a statement promised is so.
///
/// # Errors
/// What the database said, or that it has no such thing.
pub async fn holds<S: Session>(session: &mut S, expectation: &Expectation) -> Result<Held, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::holds(session, expectation).await,
        Dialect::Mysql => mysql::holds(session, expectation).await,
        Dialect::Sqlite => sqlite::holds(session, expectation).await,
    }
}

/// The session that builds this index of a table, or any of its indexes, at this moment (PostgreSQL, of sessions that we
/// may see).
///
/// # Errors
/// What the database said.
pub async fn builder<S: Session>(
    session: &mut S,
    table: &Name,
    index: Option<&str>,
) -> Result<Option<i64>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::indexes::builder(session, table, index).await,
        Dialect::Mysql | Dialect::Sqlite => Ok(None),
    }
}

/// The full name of an index, as SQL has it, if it is invalid (PostgreSQL).
///
/// # Errors
/// What the database said.
pub async fn invalid_index<S: Session>(
    session: &mut S,
    table: Option<&Name>,
    index: &Name,
) -> Result<Vec<String>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::indexes::invalid(session, table, index).await,
        Dialect::Mysql | Dialect::Sqlite => Ok(Vec::new()),
    }
}

/// An index, or all of a table's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Whose they are.
    pub table: Option<Name>,
    /// What the server numbers them; an index that is built anew has another number.
    pub numbers: Vec<String>,
    /// What a REINDEX that was cut off left beside them: full names, as SQL has them.
    pub left_behind: Vec<String>,
}

/// The index `name`, or the indexes of the table `name` (PostgreSQL).
///
/// # Errors
/// What the database said.
pub async fn indexes<S: Session>(session: &mut S, name: &Name, is_index: bool) -> Result<Indexes, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::indexes::of(session, name, is_index).await,
        Dialect::Mysql | Dialect::Sqlite => Ok(Indexes::default()),
    }
}

/// Lets the server end this session when it stands still for so long outside of a transaction; `None`: for as long
/// as the server's own settings say. PostgreSQL before 14 has no such limit, SQLite no server.
///
/// # Errors
/// What the database said.
pub async fn end_when_idle<S: Session>(session: &mut S, time: Option<Duration>) -> Result<(), DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => {
            let value = time.map_or("reset_val".to_string(), |time| format!("'{}ms'", time.as_millis()));
            let sql = format!(
                "SELECT set_config(name, {value}, false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout'"
            );
            session.query(&sql, &[]).await.map(drop)
        }
        Dialect::Mysql => {
            let value = time.map_or("@@GLOBAL.wait_timeout".to_string(), |time| time.as_secs().to_string());
            session.execute(&format!("SET SESSION wait_timeout = {value}"), &[]).await.map(drop)
        }
        Dialect::Sqlite => Ok(()),
    }
}

/// Whether there is a table of this name.
///
/// # Errors
/// What the database said.
pub async fn table_exists<S: Session>(session: &mut S, table: &Name) -> Result<bool, DatabaseError> {
    let expectation = Expectation::Table { table: table.clone(), exists: true };
    Ok(holds(session, &expectation).await? == Held::Yes)
}

/// The sessions of everybody else on this database.
///
/// # Errors
/// What the database said.
pub async fn sessions<S: Session>(session: &mut S) -> Result<SeenSessions, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres::sessions(session).await,
        Dialect::Mysql => mysql::sessions(session).await,
        Dialect::Sqlite => Ok(SeenSessions::NotKnowable(
            "SQLite has no sessions to ask for: any process may hold the file open".to_string(),
        )),
    }
}

/// About how many rows `table` has: what the server's planner believes, because counting would read them all.
/// `None` where it believes nothing; SQLite keeps no number and counts.
///
/// # Errors
/// What the database said.
pub async fn estimate_rows<S: Session>(session: &mut S, table: &Name) -> Result<Option<u64>, DatabaseError> {
    let dialect = session.dialect();
    let table = dialect.quote_name(table);
    let rows = match dialect {
        // The planner corrects stale statistics by the file's size of today.
        Dialect::Postgres => session.query(&format!("EXPLAIN SELECT 1 FROM {table}"), &[]).await?,
        Dialect::Mysql => session.query(&format!("EXPLAIN SELECT * FROM {table}"), &[]).await?,
        Dialect::Sqlite => session.query(&format!("SELECT count(*) FROM {table}"), &[]).await?,
    };
    let number = match dialect {
        Dialect::Postgres => text(rows.first(), 0)
            .split_once(" rows=")
            .and_then(|(_, rest)| rest.split(' ').next().and_then(|number| number.parse().ok())),
        // id, select_type, table, [partitions,] type, possible_keys, key, key_len, ref, rows, ...
        Dialect::Mysql => rows.first().and_then(|row| {
            row.iter().rev().find_map(|value| match value {
                Value::Int(number) => u64::try_from(*number).ok(),
                _ => None,
            })
        }),
        Dialect::Sqlite => text(rows.first(), 0).parse().ok(),
    };
    Ok(number)
}

/// The server's name and version, for people: `PostgreSQL 15.18`.
///
/// # Errors
/// What the database said.
pub async fn server_version<S: Session>(session: &mut S) -> Result<String, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)",
        Dialect::Mysql => {
            "SELECT CASE WHEN version() LIKE '%MariaDB%' THEN concat('MariaDB ', substring_index(version(), '-', 1)) \
             ELSE concat('MySQL ', version()) END"
        }
        Dialect::Sqlite => "SELECT 'SQLite ' || sqlite_version()",
    };
    let rows = session.query(sql, &[]).await?;
    Ok(text(rows.first(), 0))
}

/// The text in a column of a row of a catalogue; empty for NULL.
fn text(row: Option<&Vec<Value>>, column: usize) -> String {
    match row.and_then(|row| row.get(column)) {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A parameter that may be missing.
fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.to_string()))
}
