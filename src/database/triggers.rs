//! What keeps the rows of a table as they are: its triggers, and what gets past them. And where the server is in what
//! it has written.

use super::{DatabaseError, Session, Value, text};
use crate::sql::{Dialect, Name, mentions};

/// An enabled trigger, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Another one when the trigger, or the function that it calls, was replaced, disabled or enabled since.
    pub version: String,
    /// Whether it fires for each and every row of the table that is inserted, updated, deleted: no WHEN, no list of
    /// columns, no table of rows that inherits without it.
    pub events: [bool; 3],
}

/// The trigger of that name. `None`: there is no such trigger, or it does not fire.
///
/// # Errors
/// What the database said.
pub async fn standing<S: Session>(
    session: &mut S,
    table: &Name,
    trigger: &str,
) -> Result<Option<Standing>, DatabaseError> {
    let dialect = session.dialect();
    let of_trigger = Value::Text(trigger.to_string());
    let rows = match dialect {
        // Every ALTER writes the catalogue's row anew, and xmin is who wrote it. A trigger that fires only for
        // replicas does not see the application. A partition has a trigger of its own, by the same name; any other
        // child has none. In `tgtype`: 1 is FOR EACH ROW, 4 INSERT, 8 DELETE, 16 UPDATE.
        Dialect::Postgres => {
            let sql = "WITH tree AS (SELECT to_regclass($1) AS oid UNION SELECT relid FROM pg_catalog.pg_partition_tree(to_regclass($1))),
                found AS (
                    SELECT t.tgrelid, t.tgenabled IN ('O', 'A') AS fires, concat_ws(' ', t.oid, t.xmin, p.oid, p.xmin) AS version,
                        CASE WHEN t.tgtype & 1 = 1 AND t.tgqual IS NULL AND t.tgattr::text = '' THEN t.tgtype ELSE 0 END AS type
                    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                    WHERE t.tgrelid IN (SELECT oid FROM tree) AND t.tgname = $2),
                every AS (
                    SELECT string_agg(version, ' ' ORDER BY tgrelid) AS version,
                        CASE WHEN bool_and(fires) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i
                                JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
                                WHERE i.inhparent IN (SELECT oid FROM tree) AND NOT c.relispartition)
                            THEN bit_and(type) ELSE 0 END AS type
                    FROM found)
                SELECT version, CASE WHEN type & 4 <> 0 THEN 1 ELSE 0 END, CASE WHEN type & 16 <> 0 THEN 1 ELSE 0 END,
                    CASE WHEN type & 8 <> 0 THEN 1 ELSE 0 END
                FROM every WHERE EXISTS (SELECT 1 FROM found WHERE tgrelid = to_regclass($1) AND fires)";
            session.query(sql, &[Value::Text(dialect.quote_name(table)), of_trigger]).await?
        }
        // MySQL has no md5() from 9.6 on.
        Dialect::Mysql => {
            let sql = "SELECT concat_ws(' ', created, sha2(action_statement, 256)),
                    CASE WHEN event_manipulation = 'INSERT' THEN 1 ELSE 0 END,
                    CASE WHEN event_manipulation = 'UPDATE' THEN 1 ELSE 0 END,
                    CASE WHEN event_manipulation = 'DELETE' THEN 1 ELSE 0 END
                FROM information_schema.triggers
                WHERE event_object_schema = coalesce(?, database()) AND event_object_table = ? AND trigger_name = ?";
            let schema = super::optional(table.schema.as_deref());
            session.query(sql, &[schema, Value::Text(table.name.clone()), of_trigger]).await?
        }
        // Its triggers have WHEN and columns as a rule (they cannot change the row that is written, and must come to
        // rest), and its catalogue has no more than their text: none is known to fire for every row.
        Dialect::Sqlite => {
            let sql = "SELECT sql, 0, 0, 0 FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?)
                AND lower(name) = lower(?)";
            session.query(sql, &[Value::Text(table.name.clone()), of_trigger]).await?
        }
    };
    let Some(row) = rows.first() else { return Ok(None) };
    let mut events = [1, 2, 3].map(|at| row.get(at) == Some(&Value::Int(1)));
    events[1] = events[1] && !(dialect == Dialect::Mysql && names_columns(session, table, trigger).await?);
    Ok(Some(Standing { version: text(Some(row), 0), events }))
}

/// MariaDB 12 knows `UPDATE OF column`; information_schema does not tell it.
async fn names_columns<S: Session>(session: &mut S, table: &Name, trigger: &str) -> Result<bool, DatabaseError> {
    let dialect = session.dialect();
    let name = Name { schema: table.schema.clone(), name: trigger.to_string() };
    let rows = session.query(&format!("SHOW CREATE TRIGGER {}", dialect.quote_name(&name)), &[]).await?;
    let statement = text(rows.first(), 2);
    let head =
        statement.split_inclusive(char::is_whitespace).take_while(|word| !word.trim().eq_ignore_ascii_case("each"));
    Ok(mentions(dialect, &head.collect::<String>(), "of"))
}

/// Functions that somebody made and `expression` may call, of which nobody knows what they read. PostgreSQL's that say
/// IMMUTABLE are believed.
///
/// # Errors
/// What the database said.
pub async fn own_functions<S: Session>(session: &mut S, expression: &str) -> Result<Vec<String>, DatabaseError> {
    let dialect = session.dialect();
    let sql = match dialect {
        Dialect::Postgres => {
            "SELECT DISTINCT proname::text FROM pg_catalog.pg_proc WHERE pronamespace <> 'pg_catalog'::regnamespace
                AND provolatile <> 'i' AND position(lower(proname) in lower($1)) > 0 ORDER BY 1"
        }
        Dialect::Mysql => {
            "SELECT DISTINCT routine_name FROM information_schema.routines WHERE routine_type = 'FUNCTION'
                AND locate(lower(routine_name), lower(?)) > 0 ORDER BY 1"
        }
        Dialect::Sqlite => return Ok(Vec::new()),
    };
    let rows = session.query(sql, &[Value::Text(expression.to_string())]).await?;
    let names = rows.iter().map(|row| text(Some(row), 0));
    Ok(names.filter(|name| mentions(dialect, expression, name)).collect())
}

/// A foreign key that changes the rows of its own table, and no trigger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cascade {
    pub foreign_key: String,
    /// The columns that it writes, and the generated ones made from them; none where it only deletes rows.
    pub columns: Vec<String>,
    pub deletes: bool,
}

/// InnoDB fires no trigger for what a foreign key does to the rows of its table: ON UPDATE and ON DELETE with CASCADE or
/// SET NULL. From MySQL 9.7 on somebody may have told it to (`enable_cascade_triggers`): that is a setting of a session,
/// and nobody knows those of others. PostgreSQL and SQLite fire them.
///
/// # Errors
/// What the database said.
pub async fn cascades<S: Session>(session: &mut S, table: &Name) -> Result<Vec<Cascade>, DatabaseError> {
    let dialect = session.dialect();
    if dialect != Dialect::Mysql {
        return Ok(Vec::new());
    }
    let of_table = [super::optional(table.schema.as_deref()), Value::Text(table.name.clone())];
    let sql = "SELECT r.constraint_name, k.column_name,
            CASE WHEN r.update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
                OR r.delete_rule IN ('SET NULL', 'SET DEFAULT') THEN 1 ELSE 0 END,
            CASE WHEN r.delete_rule = 'CASCADE' THEN 1 ELSE 0 END
        FROM information_schema.referential_constraints r
        JOIN information_schema.key_column_usage k ON k.constraint_schema = r.constraint_schema
            AND k.table_name = r.table_name AND k.constraint_name = r.constraint_name
        WHERE r.constraint_schema = coalesce(?, database()) AND r.table_name = ?
        ORDER BY r.constraint_name, k.ordinal_position";
    let keys = session.query(sql, &of_table).await?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT column_name, generation_expression FROM information_schema.columns
        WHERE table_schema = coalesce(?, database()) AND table_name = ? AND generation_expression <> ''";
    let generated = session.query(sql, &of_table).await?;
    let mut found: Vec<Cascade> = Vec::new();
    for row in &keys {
        let [foreign_key, column] = [0, 1].map(|at| text(Some(row), at));
        let [writes, deletes] = [2, 3].map(|at| row.get(at) == Some(&Value::Int(1)));
        if found.last().is_none_or(|last| last.foreign_key != foreign_key) {
            found.push(Cascade { foreign_key, columns: Vec::new(), deletes });
        }
        if let Some(last) = found.last_mut().filter(|_| writes) {
            let made = generated.iter().filter(|made| mentions(dialect, &text(Some(made), 1), &column));
            last.columns.extend(made.map(|made| text(Some(made), 0)));
            last.columns.push(column);
        }
    }
    found.retain(|cascade| cascade.deletes || !cascade.columns.is_empty());
    Ok(found)
}

/// How far the server has written: the LSN, the GTIDs. `None` where it does not count.
///
/// # Errors
/// What the database said.
pub async fn write_position<S: Session>(session: &mut S) -> Result<Option<String>, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT pg_current_wal_lsn()::text",
        // MariaDB's name and MySQL's; the value is in the second column.
        Dialect::Mysql => "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_binlog_pos', 'gtid_executed')",
        Dialect::Sqlite => return Ok(None),
    };
    let rows = session.query(sql, &[]).await?;
    let position = rows.first().map(|row| text(Some(row), row.len().saturating_sub(1)));
    Ok(position.filter(|position| !position.is_empty()))
}
