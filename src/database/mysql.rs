//! MySQL and MariaDB: the connection, and the schema questions by `information_schema`.

pub(super) mod blockers;

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, MySql, Row, Type, TypeInfo, ValueRef};

use super::address::Place;
use super::{
    CONNECT_TIMEOUT, DatabaseError, DatabaseErrorKind, Held, IDLE_TIMEOUT, LOCK_TIMEOUT, SeenSession, SeenSessions,
    Session, Value,
};
use crate::error::{Error, Kind};
use crate::plan::Expectation;
use crate::sql::Name;

/// A connection to a MySQL or MariaDB server.
pub struct Connection {
    driver: MySqlConnection,
    /// Not MariaDB's.
    is_mysql: bool,
}

impl Connection {
    pub(super) async fn open(url: &str) -> crate::error::Result<Self> {
        let place = |options: Option<&MySqlConnectOptions>| Place {
            server: "MySQL",
            address: options.map_or_else(String::new, |options| match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            }),
            database: options.and_then(|options| options.get_database()).map(str::to_string),
            user: options.map_or_else(String::new, |options| options.get_username().to_string()),
        };
        let options = MySqlConnectOptions::from_str(url).map_err(|error| place(None).refused(url, &error))?;
        // The time zone is the driver's default, UTC.
        let options = options.pipes_as_concat(false).no_engine_substitution(false).disable_statement_logging();
        let place = place(Some(&options));
        if place.database.is_none() {
            return Err(
                Error::input(format!("the URL of {place} names no database")).hint("mysql://user@host/database")
            );
        }
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, options.connect())
            .await
            .map_err(|_| place.silent(CONNECT_TIMEOUT.as_secs()))?
            .map_err(|error| place.refused(url, &error))?;
        let mut connection = Self { driver: connection, is_mysql: false };
        let seconds = LOCK_TIMEOUT.as_secs();
        // The driver asks for IGNORE_SPACE, under which other words are reserved than in everybody else's sessions.
        // Only MariaDB ends a transaction in which nothing happens; MySQL does not read such a comment, see below.
        let settings = format!(
            "SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}, \
             sql_mode = @@GLOBAL.sql_mode /*M!100300 , idle_transaction_timeout = {} */",
            IDLE_TIMEOUT.as_secs()
        );
        let no_session =
            |error: DatabaseError| Error::new(Kind::Connection, format!("no session on {place}")).because(error);
        connection.execute(&settings, &[]).await.map_err(no_session)?;
        let flavour = "SELECT version() LIKE '%MariaDB%'";
        connection.is_mysql = connection.query(flavour, &[]).await.map_err(no_session)? == [[Value::Int(0)]];
        Ok(connection)
    }

    /// The statement stays prepared: its close has no answer, and over TCP the next statement would wait for
    /// the server's delayed acknowledgement, 40 ms each time.
    pub(super) async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        let sql = AssertSqlSafe(if self.is_mysql { with_idle_limit(sql) } else { sql.to_string() });
        let result = if parameters.is_empty() {
            sqlx::raw_sql(sql).execute(&mut self.driver).await
        } else {
            bind(sqlx::query(sql), parameters).execute(&mut self.driver).await
        };
        Ok(result.map_err(|error| database_error(&error))?.rows_affected())
    }

    pub(super) async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        let sql = AssertSqlSafe(sql.to_string());
        let rows = if parameters.is_empty() {
            sqlx::raw_sql(sql).fetch_all(&mut self.driver).await
        } else {
            bind(sqlx::query(sql), parameters).fetch_all(&mut self.driver).await
        };
        let rows = rows.map_err(|error| database_error(&error))?;
        let as_text = parameters.is_empty();
        rows.iter().map(|row| (0..row.len()).map(|column| decode(row, column, as_text)).collect()).collect()
    }
}

/// MySQL ends idle sessions, and does not ask whether they are in a transaction: the time that such a session has is cut
/// short from BEGIN to the end.
fn with_idle_limit(sql: &str) -> String {
    let seconds = IDLE_TIMEOUT.as_secs();
    match sql {
        "BEGIN" => format!(
            "SET @lockkeeper_idle = if(@@SESSION.wait_timeout = {seconds}, @lockkeeper_idle, @@SESSION.wait_timeout), \
             SESSION wait_timeout = {seconds}; BEGIN"
        ),
        "COMMIT" | "ROLLBACK" => {
            format!("{sql}; SET SESSION wait_timeout = coalesce(@lockkeeper_idle, @@GLOBAL.wait_timeout)")
        }
        _ => sql.to_string(),
    }
}

type Query<'q> = sqlx::query::Query<'q, MySql, sqlx::mysql::MySqlArguments>;

fn bind<'q>(query: Query<'q>, parameters: &'q [Value]) -> Query<'q> {
    parameters.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<&str>),
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
    })
}

/// Without parameters the server sends every value as text, with parameters in its type's binary form.
fn decode(row: &MySqlRow, column: usize, as_text: bool) -> Result<Value, DatabaseError> {
    let wrong = |error: sqlx::Error| database_error(&error);
    let raw = row.try_get_raw(column).map_err(wrong)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let data_type = raw.type_info().into_owned();
    // A text column with a `_bin` collation is called binary by the driver, too; its character set tells.
    if <str as Type<MySql>>::compatible(&data_type) {
        return Ok(Value::Text(row.try_get_unchecked(column).map_err(wrong)?));
    }
    Ok(match data_type.name() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            Value::Int(row.try_get_unchecked(column).map_err(wrong)?)
        }
        name @ ("BIT" | "YEAR") if !as_text || name == "YEAR" => {
            unsigned(row.try_get_unchecked(column).map_err(wrong)?)
        }
        name if name.ends_with("UNSIGNED") => unsigned(row.try_get_unchecked(column).map_err(wrong)?),
        "BIT" | "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "GEOMETRY" => {
            Value::Bytes(row.try_get_unchecked(column).map_err(wrong)?)
        }
        name if as_text || matches!(name, "DECIMAL" | "ENUM" | "SET" | "JSON") => {
            Value::Text(row.try_get_unchecked(column).map_err(wrong)?)
        }
        name => {
            let column = row.column(column).name().to_string();
            return Err(DatabaseError::refused(format!(
                "the column `{column}` is of type {}: cast it to char in the query",
                name.to_ascii_lowercase()
            )));
        }
    })
}

fn unsigned(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int)
}

fn database_error(error: &sqlx::Error) -> DatabaseError {
    let sqlx::Error::Database(server) = error else { return DatabaseError::of_driver(error) };
    let Some(server) = server.try_downcast_ref::<MySqlDatabaseError>() else { return DatabaseError::of_driver(error) };
    let kind = match server.number() {
        // Lock wait timeout; NOWAIT.
        1205 | 3572 => DatabaseErrorKind::LockTimeout,
        // Deadlock; the row changed since the snapshot (MariaDB).
        1213 | 1020 => DatabaseErrorKind::Deadlock,
        // Server shutdown, aborted or killed connection, network errors, the client's own two, MySQL's idle session.
        1053 | 1152 | 1158..=1161 | 1927 | 2006 | 2013 | 4031 => DatabaseErrorKind::ConnectionLost,
        // The disk, or the file of a table that cannot grow.
        1021 | 1114 => DatabaseErrorKind::DiskFull,
        _ => DatabaseErrorKind::Statement,
    };
    let (code, message) = (Some(server.number().to_string()), server.message().to_string());
    DatabaseError { kind, code, message, position: None }
}

/// Schema and name as parameters; the schema is NULL for the session's own database.
fn qualified(name: &Name) -> [Value; 2] {
    [super::optional(name.schema.as_deref()), Value::Text(name.name.clone())]
}

pub(super) async fn holds<S: Session>(session: &mut S, expectation: &Expectation) -> Result<Held, DatabaseError> {
    let (found, expected) = match expectation {
        Expectation::Table { table, exists } => (found(session, TABLE, &qualified(table)).await?, *exists),
        Expectation::View { view, exists } => (found(session, VIEW, &qualified(view)).await?, *exists),
        Expectation::Function { function, exists } => (found(session, FUNCTION, &qualified(function)).await?, *exists),
        Expectation::Index { table, index, exists } => {
            let table_schema = table.as_ref().and_then(|table| table.schema.as_deref());
            let parameters = [
                super::optional(index.schema.as_deref().or(table_schema)),
                Value::Text(index.name.clone()),
                super::optional(table.as_ref().map(|table| table.name.as_str())),
            ];
            (found(session, INDEX, &parameters).await?, *exists)
        }
        Expectation::Trigger { table, trigger, exists } => {
            let parameters = [
                super::optional(table.as_ref().and_then(|table| table.schema.as_deref())),
                Value::Text(trigger.clone()),
                super::optional(table.as_ref().map(|table| table.name.as_str())),
            ];
            (found(session, TRIGGER, &parameters).await?, *exists)
        }
        Expectation::Constraint { table, constraint, exists } => {
            let [schema, name] = qualified(table);
            (found(session, CONSTRAINT, &[schema, name, Value::Text(constraint.clone())]).await?, *exists)
        }
        Expectation::Partition { table, partition, attached } => {
            let [schema, name] = qualified(table);
            (found(session, PARTITION, &[schema, name, Value::Text(partition.name.clone())]).await?, *attached)
        }
        Expectation::Column { table, column, exists } => (nullable(session, table, column).await?.is_some(), *exists),
        Expectation::Nullable { table, column, nullable: expected } => {
            return Ok(Held::when(nullable(session, table, column).await? == Some(*expected)));
        }
    };
    Ok(Held::when(found == expected))
}

const TABLE: &str = "information_schema.tables
    WHERE table_schema = coalesce(?, database()) AND table_name = ? AND table_type LIKE '%TABLE%'";
const VIEW: &str = "information_schema.views WHERE table_schema = coalesce(?, database()) AND table_name = ?";
/// Procedures as well.
const FUNCTION: &str =
    "information_schema.routines WHERE routine_schema = coalesce(?, database()) AND routine_name = ?";
const INDEX: &str = "information_schema.statistics
    WHERE table_schema = coalesce(?, database()) AND index_name = ? AND table_name = coalesce(?, table_name)";
const TRIGGER: &str = "information_schema.triggers
    WHERE trigger_schema = coalesce(?, database()) AND trigger_name = ?
      AND event_object_table = coalesce(?, event_object_table)";
const PARTITION: &str = "information_schema.partitions
    WHERE table_schema = coalesce(?, database()) AND table_name = ? AND partition_name = ?";
const CONSTRAINT: &str = "information_schema.table_constraints
    WHERE table_schema = coalesce(?, database()) AND table_name = ? AND constraint_name = ?";

async fn found<S: Session>(session: &mut S, place: &str, parameters: &[Value]) -> Result<bool, DatabaseError> {
    let rows = session.query(&format!("SELECT count(*) > 0 FROM {place}"), parameters).await?;
    Ok(rows == [[Value::Int(1)]])
}

/// Whether the column takes NULL; `None` when there is no such column.
async fn nullable<S: Session>(session: &mut S, table: &Name, column: &str) -> Result<Option<bool>, DatabaseError> {
    let sql = "SELECT is_nullable = 'YES' FROM information_schema.columns
        WHERE table_schema = coalesce(?, database()) AND table_name = ? AND column_name = ?";
    let [schema, name] = qualified(table);
    let rows = session.query(sql, &[schema, name, Value::Text(column.to_string())]).await?;
    Ok(rows.first().map(|row| row[0] == Value::Int(1)))
}

/// Without the PROCESS privilege the server shows a user its own sessions only, and says nothing about the rest.
pub(super) async fn sessions<S: Session>(session: &mut S) -> Result<SeenSessions, DatabaseError> {
    let grants = session.query("SHOW GRANTS", &[]).await?;
    let sees_all = grants.iter().any(|row| {
        let grant = super::text(Some(row), 0);
        grant.split_once(" ON *.* ").is_some_and(|(privileges, _)| {
            privileges.contains("ALL PRIVILEGES") || privileges.split([' ', ',']).any(|word| word == "PROCESS")
        })
    });
    if !sees_all {
        return Ok(SeenSessions::Masked(
            "this user does not see other users' sessions: GRANT PROCESS ON *.* TO it".to_string(),
        ));
    }
    // As on PostgreSQL, the sessions of this database; and those that have chosen none yet, which may be any's, except
    // replicas at their stream.
    let sql = "SELECT user FROM information_schema.processlist
        WHERE id <> connection_id() AND user NOT IN ('system user', 'event_scheduler')
        AND command NOT LIKE 'Binlog Dump%'
        AND (db = database() OR db IS NULL) ORDER BY user";
    let rows = session.query(sql, &[]).await?;
    let seen = |row: &Vec<Value>| SeenSession { user: super::text(Some(row), 0), application_name: String::new() };
    Ok(SeenSessions::Seen(rows.iter().map(seen).collect()))
}
