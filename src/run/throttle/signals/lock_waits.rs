//! `lock-waits`: sessions of others that wait for a lock of ours at this moment.

use super::{Look, Reading, number, refused};
use crate::database::{DatabaseError, Session};
use crate::sql::Dialect;

/// Everybody may read `pg_locks`; our sessions are known by their name.
const POSTGRES: &str = "
    WITH ours AS (SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'lockkeeper%')
    SELECT count(DISTINCT w.pid) FROM pg_catalog.pg_locks w
    WHERE NOT w.granted AND w.pid NOT IN (SELECT pid FROM ours)
      AND pg_catalog.pg_blocking_pids(w.pid) && ARRAY(SELECT pid FROM ours)";

/// The server's own count of all waits for rows, ours included: more than those that we cause, never fewer.
const MYSQL_ALL: &str = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'";

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    let limit = Some(look.settings.lock_waits?);
    let signal = "lock-waits";
    let (answer, whose) = match look.session.dialect() {
        Dialect::Postgres => (first(look, POSTGRES, 0).await, "sessions wait for a lock of ours"),
        Dialect::Mysql => match mysql(look).await {
            Ok(count) => (Ok(count), "sessions wait for a lock of ours"),
            Err(_) => (first(look, MYSQL_ALL, 1).await, "row locks of anybody are waited for on this server"),
        },
        // One writer at a time: who waits is not told.
        Dialect::Sqlite => return None,
    };
    Some(match answer {
        Ok(Some(count)) => Reading { signal: signal.into(), value: Ok(count), limit, what: format!("{count} {whose}") },
        Ok(None) => Reading::unreadable(signal, "the server gives no number"),
        Err(error) => Reading::unreadable(signal, refused(&error)),
    })
}

async fn first(look: &mut Look, sql: &str, column: usize) -> Result<Option<f64>, DatabaseError> {
    let rows = look.session.query(sql, &[]).await?;
    Ok(rows.first().and_then(|row| number(row, column)))
}

/// By whom each wait is caused, which the right PROCESS shows, on MySQL also SELECT on `performance_schema`.
async fn mysql(look: &mut Look) -> Result<Option<f64>, DatabaseError> {
    let ours: Vec<String> = look.ours.iter().map(i64::to_string).collect();
    let ours = ours.join(", ");
    let mariadb = format!(
        "SELECT count(DISTINCT r.trx_mysql_thread_id) FROM information_schema.innodb_lock_waits w
         JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id
         JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id
         WHERE b.trx_mysql_thread_id IN ({ours}) AND r.trx_mysql_thread_id NOT IN ({ours})"
    );
    match first(look, &mariadb, 0).await {
        // MySQL 8 has moved the table.
        Err(error) if error.code.as_deref() == Some("1109") => {
            let mysql = format!(
                "SELECT count(DISTINCT r.processlist_id) FROM performance_schema.data_lock_waits w
                 JOIN performance_schema.threads b ON b.thread_id = w.blocking_thread_id
                 JOIN performance_schema.threads r ON r.thread_id = w.requesting_thread_id
                 WHERE b.processlist_id IN ({ours}) AND r.processlist_id NOT IN ({ours})"
            );
            first(look, &mysql, 0).await
        }
        answer => answer,
    }
}
