//! Who is in the way, as far as the server tells: MySQL by performance_schema, MariaDB by its plugin metadata_lock_info,
//! and without those only which transactions are old enough to be it.

use std::time::Duration;

use crate::database::{Blocker, DatabaseError, Session, Value, text};
use crate::sql::Name;

/// Who holds a metadata lock on the table; empty where no table of the server tells.
pub(in crate::database) async fn in_the_way<S: Session>(
    session: &mut S,
    relation: &Name,
) -> Result<Vec<Blocker>, DatabaseError> {
    let Some(source) = source(session).await? else { return Ok(Vec::new()) };
    let holders = match source {
        Source::PerformanceSchema => {
            "SELECT DISTINCT t.processlist_id AS id FROM performance_schema.metadata_locks l
             JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
             WHERE l.object_type = 'TABLE' AND l.object_schema = coalesce(?, database()) AND l.object_name = ?"
        }
        Source::Plugin => {
            "SELECT DISTINCT l.thread_id AS id FROM information_schema.metadata_lock_info l
             WHERE l.table_schema = coalesce(?, database()) AND l.table_name = ?"
        }
    };
    told(session, holders, &super::qualified(relation), true).await
}

/// For whom session `id` waits: for a row's lock the server tells, for a table's it need not.
pub(in crate::database) async fn blocking<S: Session>(session: &mut S, id: i64) -> Result<Vec<Blocker>, DatabaseError> {
    let state =
        session.query("SELECT state FROM information_schema.processlist WHERE id = ?", &[Value::Int(id)]).await?;
    if !text(state.first(), 0).contains("metadata lock") {
        return Ok(Vec::new());
    }
    let me = [Value::Int(id)];
    match source(session).await? {
        Some(Source::PerformanceSchema) => {
            let holders = "SELECT DISTINCT t.processlist_id AS id
                FROM performance_schema.metadata_locks mine
                JOIN performance_schema.threads me ON me.thread_id = mine.owner_thread_id AND me.processlist_id = ?
                JOIN performance_schema.metadata_locks l ON l.object_type = mine.object_type
                  AND l.object_schema = mine.object_schema AND l.object_name = mine.object_name
                  AND l.lock_status = 'GRANTED' AND l.owner_thread_id <> mine.owner_thread_id
                JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
                WHERE mine.lock_status = 'PENDING'";
            told(session, holders, &me, true).await
        }
        // Which lock is waited for it does not tell, nor does anybody else.
        Some(Source::Plugin) | None => {
            let old = "SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx
                WHERE trx_mysql_thread_id NOT IN (0, ?)";
            told(session, old, &me, false).await
        }
    }
}

enum Source {
    PerformanceSchema,
    Plugin,
}

/// What of the server tells who holds a metadata lock. A refusal to tell is as good as nothing.
async fn source<S: Session>(session: &mut S) -> Result<Option<Source>, DatabaseError> {
    let instrumented = "SELECT count(*) FROM performance_schema.setup_instruments
        WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES' AND @@performance_schema = 1";
    if session.query(instrumented, &[]).await.is_ok_and(|rows| text(rows.first(), 0) == "1")
        && session.query("SELECT 1 FROM performance_schema.metadata_locks LIMIT 0", &[]).await.is_ok()
    {
        return Ok(Some(Source::PerformanceSchema));
    }
    let plugin = "SELECT count(*) FROM information_schema.plugins
        WHERE plugin_name = 'METADATA_LOCK_INFO' AND plugin_status = 'ACTIVE'";
    let rows = session.query(plugin, &[]).await?;
    Ok((text(rows.first(), 0) == "1").then_some(Source::Plugin))
}

/// What is known of the sessions that `holders` selects, oldest first.
async fn told<S: Session>(
    session: &mut S,
    holders: &str,
    parameters: &[Value],
    certain: bool,
) -> Result<Vec<Blocker>, DatabaseError> {
    let sql = format!(
        "SELECT CAST(w.id AS char), coalesce(p.user, ''),
            CASE WHEN p.command = 'Sleep' AND x.trx_started IS NOT NULL THEN 'idle in transaction'
                 ELSE lower(coalesce(p.command, '')) END,
            CAST(timestampdiff(MICROSECOND, x.trx_started, now(6)) DIV 1000 AS char),
            CAST(utc_timestamp() - INTERVAL p.time SECOND AS char)
         FROM ({holders}) w LEFT JOIN information_schema.processlist p ON p.id = w.id
         LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = w.id
         WHERE w.id <> connection_id() ORDER BY x.trx_started, w.id"
    );
    let rows = session.query(&sql, parameters).await?;
    let blocker = |row: &Vec<Value>| Blocker {
        id: text(Some(row), 0).parse().ok(),
        user: text(Some(row), 1),
        application_name: String::new(),
        state: text(Some(row), 2),
        age: text(Some(row), 3).parse().ok().map(Duration::from_millis),
        query_start: Some(text(Some(row), 4)).filter(|start| !start.is_empty()),
        certain,
    };
    Ok(rows.iter().map(blocker).collect())
}
