//! `replicas`: the lag of MySQL's and MariaDB's replicas, which only they know.

use super::{Look, Reading, number, refused, text};
use crate::database::{self, Connection, DatabaseError, Session, Value};
use crate::plan::Limit;
use crate::sql::Dialect;

/// A replica to ask.
pub(super) struct Replica {
    /// What the settings call it: the variable, or the server's address without the password.
    name: String,
    url: Result<String, String>,
    session: Option<Connection>,
}

impl Replica {
    pub(super) fn new(word: &str) -> Self {
        let name = match word.strip_prefix("env:") {
            Some(variable) => variable.to_string(),
            None => database::redact(word),
        };
        let url = crate::settings::resolve_url(word).map_err(|_| format!("the variable {name} is not set"));
        Self { name, url, session: None }
    }
}

/// MariaDB's of all sources, MySQL's, and that of older ones; the first has two columns more in front.
const STATEMENTS: [(&str, usize); 3] =
    [("SHOW ALL REPLICAS STATUS", 2), ("SHOW REPLICA STATUS", 0), ("SHOW SLAVE STATUS", 0)];

/// Where the columns are, in every version since 5.0.
const IO_RUNNING: usize = 10;
const SQL_RUNNING: usize = 11;
const SECONDS_BEHIND: usize = 32;

const SYNTAX_ERROR: &str = "1064";

pub(super) async fn read(look: &mut Look) -> Vec<Reading> {
    let Some(limit) = look.settings.replica_lag else { return Vec::new() };
    let mut readings = Vec::new();
    for replica in &mut look.replicas {
        let signal = format!("replica-lag of {}", replica.name);
        match ask(replica).await {
            Ok(lags) => readings.extend(lags.into_iter().enumerate().map(|(at, lag)| {
                let signal = if at == 0 { signal.clone() } else { format!("{signal}, source {}", at + 1) };
                reading(signal, &replica.name, lag, limit)
            })),
            Err(why) => {
                // Asked anew over a new connection.
                replica.session = None;
                readings.push(Reading::unreadable(signal, why));
            }
        }
    }
    readings
}

/// Replicas that nobody was told to ask: where the right PROCESS shows that somebody reads the binary log.
pub(in crate::run) async fn unwatched<S: Session>(session: &mut S) -> Result<Option<String>, DatabaseError> {
    if session.dialect() != Dialect::Mysql {
        return Ok(None);
    }
    let sql = "SELECT count(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    let rows = session.query(sql, &[]).await?;
    let readers = rows.first().and_then(|row| number(row, 0)).unwrap_or(0.0);
    Ok((readers > 0.0).then(|| {
        format!("the lag of {readers} readers of the binary log, which only they know: see `throttle.replicas` of change.toml")
    }))
}

fn reading(signal: String, name: &str, lag: Result<f64, String>, limit: Limit) -> Reading {
    match lag {
        Ok(lag) => {
            let what = format!("replica {name} is {} behind", limit.unit.show(lag));
            Reading { signal, value: Ok(lag), limit: Some(limit), what }
        }
        Err(why) => Reading::unreadable(signal, why),
    }
}

/// The lag behind each of its sources.
async fn ask(replica: &mut Replica) -> Result<Vec<Result<f64, String>>, String> {
    let url = replica.url.clone()?;
    if replica.session.is_none() {
        let session = database::connect(&url, "lockkeeper throttle").await.map_err(|error| error.to_string())?;
        replica.session = Some(session);
    }
    let Some(session) = &mut replica.session else { return Err("no connection".to_string()) };
    let (rows, shift) = status(session).await.map_err(|error| refused(&error))?;
    if rows.is_empty() {
        return Err("it is no replica of anything".to_string());
    }
    Ok(rows.iter().map(|row| of_row(row, shift)).collect())
}

async fn status(session: &mut Connection) -> Result<(Vec<Vec<Value>>, usize), DatabaseError> {
    let mut last = DatabaseError::refused("it does not know how to tell its lag");
    for (statement, shift) in STATEMENTS {
        match session.query(statement, &[]).await {
            Ok(rows) => return Ok((rows, shift)),
            Err(error) if error.code.as_deref() == Some(SYNTAX_ERROR) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn of_row(row: &[Value], shift: usize) -> Result<f64, String> {
    let (receives, applies) = (text(row, shift + IO_RUNNING), text(row, shift + SQL_RUNNING));
    if receives != "Yes" || applies != "Yes" {
        return Err(format!("replication does not run there (receiving: {receives}, applying: {applies})"));
    }
    number(row, shift + SECONDS_BEHIND).ok_or_else(|| "it does not tell its lag".to_string())
}
