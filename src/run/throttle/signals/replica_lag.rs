//! `replica-lag` and `replica-lag-bytes`: how far each standby of PostgreSQL is behind.
//!
//! The server's own `replay_lag` is that of the last reply: of a standby that has stopped replaying it does not grow.
//! So the time is also measured here, from the positions that earlier looks saw.

use super::{Look, Position, Reading, number, refused, text, wal};
use crate::database::{Session, Value};
use crate::plan::Throttle;
use crate::sql::Dialect;

/// Without the right to see it, everything but the row itself is NULL. A base backup replays nothing; what only
/// receives (pg_receivewal) flushes.
const SQL: &str = "
    SELECT coalesce(application_name, ''), coalesce(client_addr::text, 'pid ' || pid), state,
           (coalesce(replay_lsn, flush_lsn, write_lsn) - '0/0'::pg_lsn)::text,
           extract(epoch FROM replay_lag)::text
    FROM pg_catalog.pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY pid";

pub(super) async fn read(look: &mut Look, now: Option<Position>) -> Vec<Reading> {
    let unwanted = look.settings.replica_lag.is_none() && look.settings.replica_lag_bytes.is_none();
    if unwanted || look.session.dialect() != Dialect::Postgres {
        return Vec::new();
    }
    let (now, rows) = match (now, look.session.query(SQL, &[]).await) {
        (Some((_, now)), Ok(rows)) => (now, rows),
        (None, Ok(_)) => return vec![Reading::unreadable("replica-lag", "the server tells no position in its log")],
        (_, Err(error)) => return vec![Reading::unreadable("replica-lag", refused(&error))],
    };
    rows.iter()
        .flat_map(|row| of_standby(row, &look.settings, now, |replayed| wal::behind(&look.positions, replayed)))
        .collect()
}

/// One standby's row; `behind` measures its lag by the looks of before.
fn of_standby(row: &[Value], settings: &Throttle, now: f64, behind: impl Fn(f64) -> f64) -> Vec<Reading> {
    let (name, address) = (text(row, 0), text(row, 1));
    if settings.ignore_replicas.contains(&name) {
        return Vec::new();
    }
    let id = format!("{name} {address}");
    if matches!(row.get(2), Some(Value::Null)) {
        let why = "the server hides how far its standbys are: GRANT pg_read_all_stats TO this user";
        return vec![Reading::unreadable(format!("replica-lag of {id}"), why)];
    }
    let Some(replayed) = number(row, 3) else {
        return vec![Reading::unreadable(format!("replica-lag of {id}"), "it has not told yet how far it is")];
    };
    let mut readings = Vec::new();
    let bytes = (now - replayed).max(0.0);
    if let Some(limit) = settings.replica_lag {
        let told = if bytes > 0.0 { number(row, 4).unwrap_or(0.0) } else { 0.0 };
        let lag = behind(replayed).max(told);
        let what = format!("standby `{name}` ({address}) is {} behind", limit.unit.show(lag));
        readings.push(Reading { signal: format!("replica-lag of {id}"), value: Ok(lag), limit: Some(limit), what });
    }
    if let Some(limit) = settings.replica_lag_bytes {
        let what = format!("standby `{name}` ({address}) is {} of WAL behind", limit.unit.show(bytes));
        let signal = format!("replica-lag-bytes of {id}");
        readings.push(Reading { signal, value: Ok(bytes), limit: Some(limit), what });
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: Value, replayed: Value, told: Value, measured: f64, expected: &[&str]) {
        let row = [Value::Text("s1".into()), Value::Text("10.0.0.2".into()), state, replayed, told];
        let readings = of_standby(&row, &Throttle::default(), 1_000_000.0, |_| measured);
        let words = |reading: &Reading| reading.value.as_ref().map_or_else(Clone::clone, |_| reading.what.clone());
        assert_eq!(readings.iter().map(words).collect::<Vec<_>>(), expected, "{row:?}");
    }

    #[test]
    fn a_standby_says_how_far_it_is() {
        let text = |word: &str| Value::Text(word.into());
        let streaming = || text("streaming");
        let words = |lag: &str, bytes: &str| {
            [
                format!("standby `s1` (10.0.0.2) is {lag} behind"),
                format!("standby `s1` (10.0.0.2) is {bytes} of WAL behind"),
            ]
        };
        let check_both = |replayed: &str, told: Value, measured: f64, lag: &str, bytes: &str| {
            let words = words(lag, bytes);
            check(streaming(), text(replayed), told, measured, &[&words[0], &words[1]]);
        };
        // Idle: NULL is no lag, and neither is what was measured before it had caught up.
        check_both("1000000", Value::Null, 0.0, "0 ms", "0 bytes");
        check_both("1000000", text("7.5"), 0.0, "0 ms", "0 bytes");
        check_both("900000", text("0.25"), 0.0, "250 ms", "97.7 kB");
        // It stopped replaying: its last reply was quick, and that was long ago.
        check_both("900000", text("0.25"), 61.5, "61.5 s", "97.7 kB");
        check(
            Value::Null,
            Value::Null,
            Value::Null,
            0.0,
            &["the server hides how far its standbys are: GRANT pg_read_all_stats TO this user"],
        );
        check(text("catchup"), Value::Null, Value::Null, 0.0, &["it has not told yet how far it is"]);
    }
}
