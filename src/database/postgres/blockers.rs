//! Who is in the way, by `pg_locks` and `pg_stat_activity`.

use std::time::Duration;

use crate::database::blocker::{AUTOVACUUM, FREEZE};
use crate::database::{Blocker, DatabaseError, Session, Value, text};
use crate::sql::Name;

/// The modes of `pg_locks` with which one that LOCK TABLE calls by these words conflicts.
const CONFLICTS: [(&str, &[&str]); 8] = [
    ("ACCESS SHARE", &["AccessExclusiveLock"]),
    ("ROW SHARE", &["ExclusiveLock", "AccessExclusiveLock"]),
    ("ROW EXCLUSIVE", &["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]),
    (
        "SHARE UPDATE EXCLUSIVE",
        &["ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"],
    ),
    (
        "SHARE",
        &[
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ],
    ),
    (
        "SHARE ROW EXCLUSIVE",
        &[
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ],
    ),
    (
        "EXCLUSIVE",
        &[
            "RowShareLock",
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ],
    ),
    (
        "ACCESS EXCLUSIVE",
        &[
            "AccessShareLock",
            "RowShareLock",
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ],
    ),
];

/// A table, or the table of an index, and with a strong lock the partitions and children that are locked with it.
pub(in crate::database) async fn in_the_way<S: Session>(
    session: &mut S,
    relation: &Name,
    mode: &str,
) -> Result<Vec<Blocker>, DatabaseError> {
    let conflicting = CONFLICTS.iter().find(|(words, _)| *words == mode).map_or(&[][..], |(_, modes)| modes);
    let with_children = mode != "SHARE UPDATE EXCLUSIVE";
    let holders = format!(
        "WITH RECURSIVE locked(oid) AS (
            SELECT coalesce((SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass($1)), to_regclass($1))
            UNION SELECT h.inhrelid FROM pg_catalog.pg_inherits h JOIN locked ON h.inhparent = locked.oid
            WHERE {with_children}),
        w AS (
            SELECT DISTINCT l.pid, l.virtualtransaction AS xact FROM pg_catalog.pg_locks l JOIN locked ON l.relation = locked.oid
            WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
              AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
              AND l.mode = ANY (string_to_array($2, ',')))"
    );
    let parameters = [super::regclass(relation), Value::Text(conflicting.join(","))];
    told(session, &holders, &parameters).await
}

/// Also the holders of old snapshots for which a concurrent build waits.
pub(in crate::database) async fn blocking<S: Session>(session: &mut S, id: i64) -> Result<Vec<Blocker>, DatabaseError> {
    // The number 0 stands for every prepared transaction.
    let holders = "WITH b AS (SELECT DISTINCT unnest(pg_blocking_pids($1::int)) AS pid),
        w AS (SELECT nullif(b.pid, 0) AS pid, '-1/' || p.transaction::text AS xact FROM b
              LEFT JOIN pg_catalog.pg_prepared_xacts p ON b.pid = 0 AND p.database = current_database())";
    told(session, holders, &[Value::Text(id.to_string())]).await
}

/// What is known of the transactions in `w (pid, xact)`, oldest first.
async fn told<S: Session>(session: &mut S, holders: &str, parameters: &[Value]) -> Result<Vec<Blocker>, DatabaseError> {
    let sql = format!(
        "{holders}
        SELECT w.pid, coalesce(a.usename::text, p.owner::text, ''), coalesce(a.application_name, ''),
            CASE WHEN p.gid IS NOT NULL THEN 'prepared transaction ' || quote_literal(p.gid)
                 WHEN a.query LIKE 'autovacuum:%(to prevent wraparound)%' THEN '{FREEZE}'
                 WHEN a.backend_type = 'autovacuum worker' THEN '{AUTOVACUUM}'
                 ELSE coalesce(a.state, '') END,
            (1000 * extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start)))::bigint,
            to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        FROM w LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid
            LEFT JOIN pg_catalog.pg_prepared_xacts p ON w.pid IS NULL AND '-1/' || p.transaction::text = w.xact
        ORDER BY coalesce(p.prepared, a.xact_start), w.pid"
    );
    let rows = session.query(&sql, parameters).await?;
    let blocker = |row: &Vec<Value>| {
        let number = |column: usize| match row[column] {
            Value::Int(number) => Some(number),
            _ => None,
        };
        Blocker {
            id: number(0),
            user: text(Some(row), 1),
            application_name: text(Some(row), 2),
            state: text(Some(row), 3),
            age: number(4).map(|age| Duration::from_millis(u64::try_from(age).unwrap_or(0))),
            query_start: Some(text(Some(row), 5)).filter(|start| !start.is_empty()),
            certain: true,
        }
    };
    Ok(rows.iter().map(blocker).collect())
}

/// Those who wait in a table's queue for a lock of a reader or writer of rows, behind us or behind who waits for us.
pub(in crate::database) async fn traffic_behind<S: Session>(session: &mut S, id: i64) -> Result<u64, DatabaseError> {
    let sql = "WITH RECURSIVE waiting AS (
            SELECT DISTINCT pid, pg_blocking_pids(pid) AS behind FROM pg_catalog.pg_locks WHERE NOT granted),
        queue(pid) AS (SELECT pid FROM waiting WHERE $1::int = ANY (behind)
            UNION SELECT waiting.pid FROM waiting JOIN queue ON queue.pid = ANY (waiting.behind))
        SELECT count(DISTINCT l.pid) FROM pg_catalog.pg_locks l JOIN queue ON queue.pid = l.pid
        WHERE NOT l.granted AND l.locktype = 'relation'
          AND l.mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')";
    let rows = session.query(sql, &[Value::Text(id.to_string())]).await?;
    Ok(text(rows.first(), 0).parse().unwrap_or(0))
}
