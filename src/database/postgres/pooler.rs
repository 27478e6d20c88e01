//! A session of our own: the server's, or one that a pooler keeps for us as long as we are connected. Not one that
//! is anybody's after each transaction: there, what is SET stays behind for the application.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::super::address::Place;
use super::super::{CONNECT_TIMEOUT, DatabaseError, IDLE_TIMEOUT, LOCK_TIMEOUT, Value};
use super::Connection;
use crate::error::{Error, Kind, Result};

/// How long a pooler may look for a second session.
const SECOND_SESSION: Duration = Duration::from_secs(3);

/// Connects and sets what every session of ours has. What is asked for with the connection itself tells whether the
/// server answers: a pooler refuses such parameters, or keeps them from the server.
pub(super) async fn open(options: PgConnectOptions, place: &Place, url: &str) -> Result<Connection> {
    // Poolers refuse this one of the driver's, too; it asks for what is the server's default.
    let options = options.extra_float_digits(None);
    let mark = format!("{:016x}", fastrand::u64(..));
    let marked = options.clone().options([
        ("lockkeeper.session", mark.clone()),
        ("lock_timeout", format!("{}ms", LOCK_TIMEOUT.as_millis())),
        ("idle_in_transaction_session_timeout", format!("{}ms", IDLE_TIMEOUT.as_millis())),
    ]);
    let in_words = |error: DatabaseError| Error::new(Kind::Connection, format!("no session on {place}")).because(error);
    let connection = match connect(&marked, place).await? {
        Ok(mut connection) => {
            let seen = connection.query("SELECT current_setting('lockkeeper.session', true)", &[]).await;
            if seen.map_err(in_words)? == [[Value::Text(mark)]] {
                return Ok(connection);
            }
            connection
        }
        Err(error) if names_a_parameter(&error) => {
            connect(&options, place).await?.map_err(|error| place.refused(url, &error))?
        }
        Err(error) => return Err(place.refused(url, &error)),
    };
    behind_pooler(connection, &options, place, url).await
}

async fn connect(options: &PgConnectOptions, place: &Place) -> Result<Result<Connection, sqlx::Error>> {
    let connection: Result<PgConnection, sqlx::Error> = tokio::time::timeout(CONNECT_TIMEOUT, options.connect())
        .await
        .map_err(|_| place.silent(CONNECT_TIMEOUT.as_secs()))?;
    Ok(connection.map(Connection))
}

/// PgBouncer: `unsupported startup parameter: options`.
fn names_a_parameter(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.message().contains("startup parameter"))
}

async fn behind_pooler(
    mut connection: Connection,
    options: &PgConnectOptions,
    place: &Place,
    url: &str,
) -> Result<Connection> {
    let in_words = |error: DatabaseError| Error::new(Kind::Connection, format!("no session on {place}")).because(error);
    let other = connect(options, place).await?.map_err(|error| place.refused(url, &error))?;
    if is_shared(&mut connection, other).await.map_err(in_words)? {
        return Err(Error::new(Kind::Connection, format!("no session of its own on {place}"))
            .because(
                "a pooler in transaction mode stands in between, whose sessions are anybody's after each transaction",
            )
            .hint("connect to the server itself, by the host and port that the pooler has for this database")
            .hint("or to a database of the pooler with pool_mode=session"));
    }
    let settings = format!(
        "SET lock_timeout = '{}ms'; SET idle_in_transaction_session_timeout = '{}ms'",
        LOCK_TIMEOUT.as_millis(),
        IDLE_TIMEOUT.as_millis()
    );
    connection.execute(&settings, &[]).await.map_err(in_words)?;
    Ok(connection)
}

/// Whether a second connection meets the session that the first one had, or the first one loses it.
async fn is_shared(ours: &mut Connection, mut other: Connection) -> Result<bool, DatabaseError> {
    let first = backend(ours).await?;
    for _ in 0..3 {
        let theirs = match tokio::time::timeout(SECOND_SESSION, backend(&mut other)).await {
            Ok(theirs) => theirs?,
            // The pool has no other one to give away: ours stays ours.
            Err(_) => return Ok(false),
        };
        if theirs == first || backend(ours).await? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn backend(connection: &mut Connection) -> Result<Vec<Vec<Value>>, DatabaseError> {
    connection.query("SELECT pg_backend_pid()", &[]).await
}
