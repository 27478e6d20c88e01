//! `active-sessions`: sessions that are at work at this moment, against a ceiling.

use super::{Look, Reading, number, refused};
use crate::database::Session;
use crate::sql::Dialect;

/// A session's state is hidden from whoever may not see it; that it is there is not.
const POSTGRES: &str = "
    SELECT count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state IS NULL)
    FROM pg_catalog.pg_stat_activity
    WHERE application_name NOT LIKE 'lockkeeper%' AND usename IS NOT NULL
      AND (backend_type IS NULL OR backend_type = 'client backend')";

/// Without the one that asks.
const MYSQL: &str = "SHOW GLOBAL STATUS LIKE 'Threads_running'";

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    let limit = Some(look.settings.active_sessions?);
    let signal = "active-sessions";
    let (sql, column) = match look.session.dialect() {
        Dialect::Postgres => (POSTGRES, 0),
        Dialect::Mysql => (MYSQL, 1),
        Dialect::Sqlite => return None,
    };
    let rows = match look.session.query(sql, &[]).await {
        Ok(rows) => rows,
        Err(error) => return Some(Reading::unreadable(signal, refused(&error))),
    };
    let row = rows.first().map(Vec::as_slice).unwrap_or_default();
    let hidden = if column == 0 { number(row, 1).unwrap_or(0.0) } else { 0.0 };
    let ourselves = if column == 0 { 0.0 } else { 1.0 };
    Some(match number(row, column) {
        _ if hidden > 0.0 => Reading::unreadable(
            signal,
            format!("the server hides what {hidden} sessions of other users do: GRANT pg_read_all_stats TO this user"),
        ),
        Some(count) => {
            let count = (count - ourselves).max(0.0);
            Reading { signal: signal.into(), value: Ok(count), limit, what: format!("{count} sessions are at work") }
        }
        None => Reading::unreadable(signal, "the server gives no number"),
    })
}
