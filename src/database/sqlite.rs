//! SQLite: the connection, and the schema questions by `sqlite_schema` and the table-valued pragmas.

use std::path::Path;
use std::str::FromStr;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, TypeInfo, ValueRef};

use super::{CONNECT_TIMEOUT, DatabaseError, DatabaseErrorKind, Held, LOCK_TIMEOUT, Session, Value};
use crate::error::{Error, Kind};
use crate::plan::Expectation;
use crate::sql::{Dialect, Name};

/// A connection to a database file.
pub struct Connection(SqliteConnection);

impl Connection {
    /// Opens a file that exists: a typo must not make an empty database.
    pub(super) async fn open(url: &str) -> crate::error::Result<Self> {
        let place = url.split_once(':').map_or(url, |(_, rest)| rest);
        let options = SqliteConnectOptions::from_str(&format!("sqlite:{place}")).map_err(|error| {
            Error::input(format!("the database URL `{url}` cannot be read"))
                .because(error)
                .hint("sqlite:path/to/file.db")
        })?;
        let file = options.get_filename().to_path_buf();
        if !Path::new(&file).is_file() {
            return Err(Error::new(Kind::Connection, format!("no database file `{}`", file.display())).hint(
                "check the path, which is relative to the working directory; lockkeeper does not create databases",
            ));
        }
        // What the sqlite3 shell does by default: a migration that was tried there behaves the same here. Backfills turn
        // them on.
        let options = options.foreign_keys(false).busy_timeout(LOCK_TIMEOUT).disable_statement_logging();
        let refused = |why: String| {
            Error::new(Kind::Connection, format!("cannot open the database file `{}`", file.display())).because(why)
        };
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, options.connect())
            .await
            .map_err(|_| refused("no answer in time".to_string()))?
            .map_err(|error| refused(database_error(&error).message))?;
        let mut connection = Self(connection);
        // Opening reads nothing: ask now whether it is a database at all.
        connection
            .query("SELECT count(*) FROM sqlite_schema", &[])
            .await
            .map_err(|error| refused(error.message).hint("is it an SQLite database, and may this user read it?"))?;
        Ok(connection)
    }

    pub(super) async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        let sql = AssertSqlSafe(sql.to_string());
        let result = if parameters.is_empty() {
            sqlx::raw_sql(sql).execute(&mut self.0).await
        } else {
            bind(sqlx::query(sql).persistent(false), parameters).execute(&mut self.0).await
        };
        Ok(result.map_err(|error| database_error(&error))?.rows_affected())
    }

    pub(super) async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        let sql = AssertSqlSafe(sql.to_string());
        let rows = if parameters.is_empty() {
            sqlx::raw_sql(sql).fetch_all(&mut self.0).await
        } else {
            bind(sqlx::query(sql).persistent(false), parameters).fetch_all(&mut self.0).await
        };
        rows.map_err(|error| database_error(&error))?.iter().map(decode).collect()
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind<'q>(query: Query<'q>, parameters: &'q [Value]) -> Query<'q> {
    parameters.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
    })
}

fn decode(row: &SqliteRow) -> Result<Vec<Value>, DatabaseError> {
    (0..row.len())
        .map(|column| {
            let raw = row.try_get_raw(column)?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            let storage_class = raw.type_info().name().to_string();
            Ok(match storage_class.as_str() {
                "INTEGER" => Value::Int(row.try_get_unchecked(column)?),
                // As few digits as tell the number: SQLite reads a long row of them back inexactly.
                "REAL" => Value::Text(format!("{:?}", row.try_get_unchecked::<f64, _>(column)?)),
                "BLOB" => Value::Bytes(row.try_get_unchecked(column)?),
                _ => Value::Text(row.try_get_unchecked(column)?),
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|error| database_error(&error))
}

fn database_error(error: &sqlx::Error) -> DatabaseError {
    let sqlx::Error::Database(server) = error else { return DatabaseError::of_driver(error) };
    let code = server.code().map(|code| code.to_string());
    // The low byte of an extended code is the plain one: BUSY, LOCKED, IOERR.
    let kind = match code.as_deref().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => DatabaseErrorKind::LockTimeout,
        Some(10) => DatabaseErrorKind::ConnectionLost,
        Some(13) => DatabaseErrorKind::DiskFull,
        _ => DatabaseErrorKind::Statement,
    };
    DatabaseError { kind, code, message: server.message().to_string(), position: None }
}

pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) not_null: bool,
    /// 1-based place in the primary key; 0 outside.
    pub(super) key_position: i64,
}

pub(super) async fn columns<S: Session>(session: &mut S, table: &Name) -> Result<Vec<TableColumn>, DatabaseError> {
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?, ?) ORDER BY cid";
    let rows = session.query(sql, &of_table(table)).await?;
    Ok(rows
        .iter()
        .map(|row| TableColumn {
            name: super::text(Some(row), 0),
            data_type: super::text(Some(row), 1).to_ascii_lowercase(),
            not_null: row[2] == Value::Int(1),
            key_position: if let Value::Int(position) = row[3] { position } else { 0 },
        })
        .collect())
}

/// The arguments of a table-valued pragma; without a schema, all attached databases are searched.
pub(super) fn of_table(table: &Name) -> [Value; 2] {
    [Value::Text(table.name.clone()), super::optional(table.schema.as_deref())]
}

pub(super) async fn holds<S: Session>(session: &mut S, expectation: &Expectation) -> Result<Held, DatabaseError> {
    let (found, expected) = match expectation {
        Expectation::Table { table, exists } => (object(session, "table", table, None).await?, *exists),
        Expectation::View { view, exists } => (object(session, "view", view, None).await?, *exists),
        Expectation::Index { table, index, exists } => {
            let schema = index.schema.clone().or_else(|| table.as_ref().and_then(|table| table.schema.clone()));
            let index = Name { schema, name: index.name.clone() };
            (object(session, "index", &index, table.as_ref()).await?, *exists)
        }
        Expectation::Trigger { table, trigger, exists } => {
            let schema = table.as_ref().and_then(|table| table.schema.clone());
            let trigger = Name { schema, name: trigger.clone() };
            (object(session, "trigger", &trigger, table.as_ref()).await?, *exists)
        }
        Expectation::Column { table, column, exists } => (column_of(session, table, column).await?.is_some(), *exists),
        Expectation::Nullable { table, column, nullable } => {
            return Ok(match column_of(session, table, column).await? {
                Some(column) => Held::when(column.not_null != *nullable),
                None => Held::No,
            });
        }
        // SQLite stores no functions and has no partitions.
        Expectation::Function { exists, .. } => (false, *exists),
        Expectation::Partition { attached, .. } => (false, *attached),
        Expectation::Constraint { table, constraint, .. } => {
            return Err(DatabaseError::refused(format!(
                "SQLite cannot be asked for the constraint `{constraint}` of `{table}`"
            )));
        }
    };
    Ok(Held::when(found == expected))
}

async fn column_of<S: Session>(
    session: &mut S,
    table: &Name,
    name: &str,
) -> Result<Option<TableColumn>, DatabaseError> {
    Ok(columns(session, table).await?.into_iter().find(|column| column.name.eq_ignore_ascii_case(name)))
}

async fn object<S: Session>(
    session: &mut S,
    kind: &str,
    name: &Name,
    table: Option<&Name>,
) -> Result<bool, DatabaseError> {
    let schema = name.schema.as_deref().unwrap_or("main");
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {}.sqlite_schema \
         WHERE type = ? AND name = ? COLLATE NOCASE AND tbl_name = coalesce(?, tbl_name) COLLATE NOCASE)",
        Dialect::Sqlite.quote(schema)
    );
    let table = super::optional(table.map(|table| table.name.as_str()));
    let parameters = [Value::Text(kind.to_string()), Value::Text(name.name.clone()), table];
    Ok(session.query(&sql, &parameters).await? == [[Value::Int(1)]])
}
