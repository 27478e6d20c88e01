//! PostgreSQL: the connection, and the schema questions by its catalogues.

pub(super) mod blockers;
pub(super) mod indexes;
mod pooler;

use std::str::FromStr;

use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow, PgSeverity, PgTypeInfo, PgValueFormat,
};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Row, TypeInfo, ValueRef};

use super::address::Place;
use super::{DatabaseError, DatabaseErrorKind, Held, SeenSession, SeenSessions, Session, Value};
use crate::plan::Expectation;
use crate::sql::{Dialect, Name};

/// A connection to a PostgreSQL server.
pub struct Connection(PgConnection);

impl Connection {
    pub(super) async fn open(url: &str, application_name: &str) -> crate::error::Result<Self> {
        let place = |options: Option<&PgConnectOptions>| Place {
            server: "PostgreSQL",
            address: options.map_or_else(String::new, |options| match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            }),
            database: options.and_then(|options| options.get_database()).map(str::to_string),
            user: options.map_or_else(String::new, |options| options.get_username().to_string()),
        };
        let options = PgConnectOptions::from_str(url).map_err(|error| place(None).refused(url, &error))?;
        let options = options.application_name(application_name).disable_statement_logging();
        let place = place(Some(&options));
        pooler::open(options, &place, url).await
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
        let rows = rows.map_err(|error| match database_error(&error) {
            // The driver looks up types that it does not know with the same unnamed statement, which is then gone.
            lost if lost.code.as_deref() == Some(NO_SUCH_STATEMENT) => DatabaseError::refused(
                "a column of the result is of a type that this database defines: cast it to text in the query",
            ),
            error => error,
        })?;
        rows.iter().map(|row| (0..row.len()).map(|column| decode(row, column)).collect()).collect()
    }
}

/// SQLSTATE invalid_sql_statement_name.
const NO_SUCH_STATEMENT: &str = "26000";

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, parameters: &'q [Value]) -> Query<'q> {
    parameters.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(Untyped),
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
    })
}

/// NULL of the type that the server finds for it: NULL declared as text does not fit an integer column.
struct Untyped;

impl sqlx::Type<sqlx::Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        /// The type `unknown`: the server resolves it from where the parameter stands.
        const UNKNOWN: Oid = Oid(705);
        PgTypeInfo::with_oid(UNKNOWN)
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for Untyped {
    fn encode_by_ref(
        &self,
        _: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        Ok(sqlx::encode::IsNull::Yes)
    }
}

/// Without parameters the server sends every value as text, with parameters in its type's binary form.
fn decode(row: &PgRow, column: usize) -> Result<Value, DatabaseError> {
    let wrong = |error: sqlx::Error| database_error(&error);
    let raw = row.try_get_raw(column).map_err(wrong)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let data_type = raw.type_info().into_owned();
    let name = data_type.name();
    Ok(match name {
        "INT2" => Value::Int(row.try_get::<i16, _>(column).map_err(wrong)?.into()),
        "INT4" => Value::Int(row.try_get::<i32, _>(column).map_err(wrong)?.into()),
        "INT8" => Value::Int(row.try_get(column).map_err(wrong)?),
        "OID" => Value::Int(row.try_get::<Oid, _>(column).map_err(wrong)?.0.into()),
        "BOOL" => Value::Int(row.try_get::<bool, _>(column).map_err(wrong)?.into()),
        "BYTEA" => Value::Bytes(row.try_get(column).map_err(wrong)?),
        "VOID" => Value::Null,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "\"CHAR\"" | "UNKNOWN" => Value::Text(text_of(&raw)?),
        _ if raw.format() == PgValueFormat::Text => Value::Text(text_of(&raw)?),
        _ => {
            let column = row.column(column).name().to_string();
            return Err(DatabaseError::refused(format!(
                "the column `{column}` is of type {}: cast it to text in the query",
                name.to_ascii_lowercase()
            )));
        }
    })
}

fn text_of(raw: &sqlx::postgres::PgValueRef<'_>) -> Result<String, DatabaseError> {
    raw.as_str().map(str::to_string).map_err(|error| DatabaseError::refused(error.to_string()))
}

fn database_error(error: &sqlx::Error) -> DatabaseError {
    let sqlx::Error::Database(server) = error else { return DatabaseError::of_driver(error) };
    let Some(server) = server.try_downcast_ref::<PgDatabaseError>() else { return DatabaseError::of_driver(error) };
    let code = server.code();
    let kind = match code {
        "55P03" => DatabaseErrorKind::LockTimeout,
        "40P01" | "40001" => DatabaseErrorKind::Deadlock,
        // The server ends the session after such an error, whatever its code.
        _ if matches!(server.severity(), PgSeverity::Fatal | PgSeverity::Panic) || code.starts_with("08") => {
            DatabaseErrorKind::ConnectionLost
        }
        "53100" => DatabaseErrorKind::DiskFull,
        _ => DatabaseErrorKind::Statement,
    };
    let position = match server.position() {
        Some(PgErrorPosition::Original(position)) => Some(position),
        _ => None,
    };
    let message = match server.detail().filter(|_| kind == DatabaseErrorKind::Statement && !shows_rows(code)) {
        Some(detail) => format!("{}: {}", server.message(), detail.lines().collect::<Vec<_>>().join("; ")),
        None => server.message().to_string(),
    };
    DatabaseError { kind, code: Some(code.to_string()), message, position }
}

/// Whether the detail of such an error quotes values of the table, which belong in no log: those of classes 22
/// (data) and 23 (constraints).
fn shows_rows(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("23")
}

/// The name as `to_regclass` reads it, which then follows the search path.
fn regclass(name: &Name) -> Value {
    Value::Text(Dialect::Postgres.quote_name(name))
}

pub(super) async fn holds<S: Session>(session: &mut S, expectation: &Expectation) -> Result<Held, DatabaseError> {
    let (found, expected) = match expectation {
        Expectation::Table { table, exists } => (relation(session, table, "r,p,f").await?, *exists),
        Expectation::View { view, exists } => (relation(session, view, "v,m").await?, *exists),
        Expectation::Index { table, index, exists } => {
            let (found, valid) = indexes::state(session, table.as_ref(), index).await?;
            if *exists && found && !valid {
                return Ok(Held::HalfDone);
            }
            (found, *exists)
        }
        Expectation::Partition { table, partition, attached } => {
            return Ok(match indexes::is_attached(session, table, partition).await? {
                Some(is_attached) => Held::when(is_attached == *attached),
                None => Held::HalfDone,
            });
        }
        Expectation::Column { table, column, exists } => (not_null(session, table, column).await?.is_some(), *exists),
        Expectation::Nullable { table, column, nullable } => {
            let not_null = not_null(session, table, column).await?;
            return Ok(Held::when(not_null == Some(!nullable)));
        }
        Expectation::Trigger { table, trigger, exists } => {
            let on = table.as_ref().map_or(Value::Null, regclass);
            let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND t.tgname = $1
                AND CASE WHEN $2::text IS NULL THEN pg_table_is_visible(t.tgrelid) ELSE t.tgrelid = to_regclass($2) END)";
            (yes(session, sql, &[Value::Text(trigger.clone()), on]).await?, *exists)
        }
        Expectation::Constraint { table, constraint, exists } => {
            let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint
                WHERE conrelid = to_regclass($1) AND conname = $2)";
            (yes(session, sql, &[regclass(table), Value::Text(constraint.clone())]).await?, *exists)
        }
        Expectation::Function { function, exists } => {
            let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_proc p
                JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.proname = $1
                AND CASE WHEN $2::text IS NULL THEN pg_function_is_visible(p.oid) ELSE n.nspname = $2 END)";
            let schema = super::optional(function.schema.as_deref());
            (yes(session, sql, &[Value::Text(function.name.clone()), schema]).await?, *exists)
        }
    };
    Ok(Held::when(found == expected))
}

async fn yes<S: Session>(session: &mut S, sql: &str, parameters: &[Value]) -> Result<bool, DatabaseError> {
    Ok(session.query(sql, parameters).await? == [[Value::Int(1)]])
}

/// There is a relation of this name, of one of these kinds.
async fn relation<S: Session>(session: &mut S, name: &Name, kinds: &str) -> Result<bool, DatabaseError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class
        WHERE oid = to_regclass($1) AND relkind::text = ANY (string_to_array($2, ',')))";
    yes(session, sql, &[regclass(name), Value::Text(kinds.to_string())]).await
}

/// Whether the column refuses NULL; `None` when there is no such column.
async fn not_null<S: Session>(session: &mut S, table: &Name, column: &str) -> Result<Option<bool>, DatabaseError> {
    let sql = "SELECT attnotnull FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass($1) AND attname = $2 AND attnum > 0 AND NOT attisdropped";
    let rows = session.query(sql, &[regclass(table), Value::Text(column.to_string())]).await?;
    Ok(rows.first().map(|row| row[0] == Value::Int(1)))
}

/// A role without rights still sees user and application name of every session, but not its kind.
pub(super) async fn sessions<S: Session>(session: &mut S) -> Result<SeenSessions, DatabaseError> {
    let sql = "SELECT usename::text, coalesce(application_name, '') FROM pg_catalog.pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
          AND (backend_type IS NULL OR backend_type = 'client backend')
        ORDER BY 1, 2";
    let rows = session.query(sql, &[]).await?;
    let seen =
        |row: &Vec<Value>| SeenSession { user: super::text(Some(row), 0), application_name: super::text(Some(row), 1) };
    Ok(SeenSessions::Seen(rows.iter().map(seen).collect()))
}
