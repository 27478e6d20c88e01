//! `autovacuum`: a vacuum is at work on the table, which a backfill makes work for and takes the disk from.

use super::{Look, Reading, number, refused};
use crate::database::{Session, Value};
use crate::sql::Dialect;

/// Of whoever may not see it, the server tells the database only.
const SQL: &str = "
    SELECT count(*) FILTER (WHERE relid = to_regclass($1)
               OR relid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(to_regclass($1)) t)),
           count(*) FILTER (WHERE relid IS NULL)
    FROM pg_catalog.pg_stat_progress_vacuum
    WHERE datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())";

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    let signal = "autovacuum";
    if !look.settings.autovacuum {
        return None;
    }
    let table = Dialect::Postgres.quote_name(&look.table);
    Some(match look.session.query(SQL, &[Value::Text(table.clone())]).await {
        Err(error) => Reading::unreadable(signal, refused(&error)),
        Ok(rows) => match rows.first().map(|row| (number(row, 0), number(row, 1))) {
            Some((Some(ours), Some(hidden))) if ours > 0.0 || hidden <= 0.0 => {
                Reading::switch(signal, ours > 0.0, format!("a vacuum works on {table}"))
            }
            Some((Some(_), Some(_))) => Reading::unreadable(
                signal,
                "the server hides which table a vacuum works on: GRANT pg_read_all_stats TO this user",
            ),
            _ => Reading::unreadable(signal, "the server gives no number"),
        },
    })
}
