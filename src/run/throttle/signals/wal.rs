//! `wal-rate`, and the position of the write-ahead log over time, from which a standby's lag is read as well.

use std::time::Duration;

use super::{Look, Reading, number, refused};
use crate::database::{DatabaseError, Session};
use crate::sql::Dialect;

/// A position in the log and when the server was there, in seconds since the first look.
pub(super) type Position = (f64, f64);

/// Positions kept: an hour of looks.
const KEPT: usize = 3600;

const POSTGRES: &str = "SELECT (pg_catalog.pg_current_wal_lsn() - '0/0'::pg_lsn)::text";

/// MariaDB's name, MySQL's, and that of older ones, which count what was written; each has only some of them.
const MYSQL: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN
    ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn', 'Innodb_os_log_written')";

/// Looks where the log is now.
pub(super) async fn mark(look: &mut Look) -> Result<Option<Position>, DatabaseError> {
    let (sql, column) = match look.session.dialect() {
        Dialect::Postgres => (POSTGRES, 0),
        Dialect::Mysql => (MYSQL, 1),
        Dialect::Sqlite => return Ok(None),
    };
    let rows = look.session.query(sql, &[]).await?;
    let Some(position) = rows.first().and_then(|row| number(row, column)) else { return Ok(None) };
    let now = (look.began.elapsed().as_secs_f64(), position);
    if look.positions.len() >= KEPT {
        look.positions.pop_front();
    }
    look.positions.push_back(now);
    Ok(Some(now))
}

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    let limit = look.settings.wal_rate?;
    let signal = "wal-rate";
    if look.positions.len() < 2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if let Err(error) = mark(look).await {
            return Some(Reading::unreadable(signal, refused(&error)));
        }
    }
    let newest = look.positions.len().checked_sub(2).and_then(|at| look.positions.get(at).zip(look.positions.back()));
    Some(match newest {
        Some(((before, from), (now, to))) if now > before && to >= from => {
            let rate = (to - from) / (now - before);
            let what = format!("the server writes {} of log", limit.unit.show(rate));
            Reading { signal: signal.into(), value: Ok(rate), limit: Some(limit), what }
        }
        _ => Reading::unreadable(signal, "the server tells no position in its log"),
    })
}

/// For how long the log has been beyond `replayed`: since the first look at which it was.
pub(super) fn behind<'a>(positions: impl IntoIterator<Item = &'a Position>, replayed: f64) -> f64 {
    let mut beyond = positions.into_iter().skip_while(|(_, position)| *position <= replayed).map(|(when, _)| *when);
    match beyond.next() {
        Some(since) => beyond.last().unwrap_or(since) - since,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_standby_is_behind_since_the_log_went_past_it() {
        let positions = [(0.0, 100.0), (1.0, 100.0), (2.0, 200.0), (3.0, 300.0), (9.5, 300.0)];
        for (replayed, expected) in [(300.0, 0.0), (400.0, 0.0), (299.0, 6.5), (200.0, 6.5), (199.0, 7.5), (50.0, 9.5)]
        {
            assert!((behind(&positions, replayed) - expected).abs() < 1e-9, "{replayed}");
        }
        assert!(behind(&[], 5.0).abs() < 1e-9);
    }
}
