//! `slot-retained`: the WAL that replication slots keep the server from removing.

use super::{Look, Reading, number, refused, text};
use crate::database::{Session, Value};
use crate::plan::Limit;
use crate::sql::Dialect;

/// By way of JSON, because before version 13 a slot has fewer columns.
const SQL: &str = "
    SELECT slot_name::text, coalesce(to_jsonb(s) ->> 'wal_status', ''),
           (pg_catalog.pg_current_wal_lsn() - restart_lsn)::text, to_jsonb(s) ->> 'safe_wal_size'
    FROM pg_catalog.pg_replication_slots s WHERE restart_lsn IS NOT NULL ORDER BY slot_name";

/// The part of `max_slot_wal_keep_size` at which work stops, whatever the limit: beyond it the slot is lost.
const OF_KEEP_SIZE: f64 = 0.8;

pub(super) async fn read(look: &mut Look) -> Vec<Reading> {
    let Some(limit) = look.settings.slot_retained else { return Vec::new() };
    if look.session.dialect() != Dialect::Postgres {
        return Vec::new();
    }
    match look.session.query(SQL, &[]).await {
        Ok(rows) => rows.iter().filter_map(|row| of_slot(row, limit)).collect(),
        Err(error) => vec![Reading::unreadable("slot-retained", refused(&error))],
    }
}

fn of_slot(row: &[Value], limit: Limit) -> Option<Reading> {
    let (name, status) = (text(row, 0), text(row, 1));
    let signal = format!("slot-retained by {name}");
    if status == "lost" {
        // Nothing is left to protect.
        return None;
    }
    if status == "unreserved" {
        return Some(Reading::switch(
            &signal,
            true,
            format!("slot `{name}` is about to be lost: it keeps more WAL than max_slot_wal_keep_size"),
        ));
    }
    let Some(kept) = number(row, 2) else {
        return Some(Reading::unreadable(signal, "the server does not tell how much WAL it keeps"));
    };
    let room = number(row, 3).map_or(f64::INFINITY, |safe| (kept + safe.max(0.0)) * OF_KEEP_SIZE);
    let stop_above = limit.stop_above.min(room);
    let limit = Limit { stop_above, go_below: limit.go_below.min(stop_above / 2.0), unit: limit.unit };
    let what = format!("slot `{name}` keeps {} of WAL", limit.unit.show(kept));
    Some(Reading { signal, value: Ok(kept), limit: Some(limit), what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::settings::throttle::Unit;

    fn check(status: &str, kept: &str, safe: Option<&str>, expected: &str) {
        let text = |word: &str| Value::Text(word.into());
        let row = [text("s"), text(status), text(kept), safe.map_or(Value::Null, text)];
        let said = of_slot(&row, Limit::at(1000.0, Unit::Bytes)).map_or("nothing".to_string(), |reading| {
            let limit =
                reading.limit.map_or(String::new(), |limit| format!(" of {}..{}", limit.go_below, limit.stop_above));
            format!("{}{limit}", reading.value.map_or_else(|why| why, |_| reading.what))
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn a_slot_is_held_to_the_limit_and_to_what_the_server_keeps_for_it() {
        check("reserved", "300", None, "slot `s` keeps 300 bytes of WAL of 500..1000");
        check("extended", "300", Some("200"), "slot `s` keeps 300 bytes of WAL of 200..400");
        check("reserved", "300", Some("99700"), "slot `s` keeps 300 bytes of WAL of 500..1000");
        check(
            "unreserved",
            "300",
            Some("-5"),
            "slot `s` is about to be lost: it keeps more WAL than max_slot_wal_keep_size",
        );
        check("lost", "300", None, "nothing");
    }
}
