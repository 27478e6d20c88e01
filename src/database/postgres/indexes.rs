//! What becomes of indexes that are built concurrently.

use super::regclass;
use crate::database::{DatabaseError, Indexes, Session, Value, text};
use crate::sql::Name;

/// Whether there is such an index, and whether it is valid. It lives in its table's schema, whatever the search path.
pub(super) async fn state<S: Session>(
    session: &mut S,
    table: Option<&Name>,
    index: &Name,
) -> Result<(bool, bool), DatabaseError> {
    let sql = format!("SELECT i.indisvalid AND i.indisready {OF_NAME}");
    let rows = session.query(&sql, &of_name(table, index)).await?;
    Ok((!rows.is_empty(), rows == [[Value::Int(1)]]))
}

/// An index by its table and name, or by its name where the search path finds it.
const OF_NAME: &str = "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE CASE WHEN $1::text IS NULL THEN c.oid = to_regclass($2)
               ELSE i.indrelid = to_regclass($1) AND c.relname = $3 END";

fn of_name(table: Option<&Name>, index: &Name) -> [Value; 3] {
    [table.map_or(Value::Null, regclass), regclass(index), Value::Text(index.name.clone())]
}

/// The full name of the index, as SQL has it, if it is invalid.
pub(in crate::database) async fn invalid<S: Session>(
    session: &mut S,
    table: Option<&Name>,
    index: &Name,
) -> Result<Vec<String>, DatabaseError> {
    let sql = format!("SELECT {FULL_NAME} {OF_NAME} AND NOT i.indisvalid");
    names(session.query(&sql, &of_name(table, index)).await?)
}

const FULL_NAME: &str = "quote_ident(c.relnamespace::regnamespace::text) || '.' || quote_ident(c.relname)";

fn names(rows: Vec<Vec<Value>>) -> Result<Vec<String>, DatabaseError> {
    Ok(rows.iter().map(|row| text(Some(row), 0)).collect())
}

/// The session that builds this index of the table, or any of its indexes, at this moment.
pub(in crate::database) async fn builder<S: Session>(
    session: &mut S,
    table: &Name,
    index: Option<&str>,
) -> Result<Option<i64>, DatabaseError> {
    let sql = "SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p
        LEFT JOIN pg_catalog.pg_class c ON c.oid = p.index_relid
        WHERE p.relid = to_regclass($1) AND ($2::text IS NULL OR c.relname = $2)";
    let rows = session.query(sql, &[regclass(table), crate::database::optional(index)]).await?;
    Ok(text(rows.first(), 0).parse().ok())
}

/// An index, or all of a table's, also of its partitions; and what a REINDEX that was cut off left beside them.
pub(in crate::database) async fn of<S: Session>(
    session: &mut S,
    name: &Name,
    is_index: bool,
) -> Result<Indexes, DatabaseError> {
    let meant = if is_index { "i.indexrelid" } else { "i.indrelid" };
    let tree = format!(
        "WITH tree AS (SELECT to_regclass($1) AS oid UNION SELECT relid FROM pg_partition_tree(to_regclass($1))),
            meant AS (SELECT i.indexrelid, i.indrelid FROM pg_catalog.pg_index i JOIN tree ON tree.oid = {meant})"
    );
    let left = "c.relname ~ '_cc(new|old)[0-9]*$' AND NOT i.indisvalid";
    let parameters = [regclass(name)];
    let numbers = format!(
        "{tree} SELECT i.indexrelid::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         WHERE i.indexrelid IN (SELECT indexrelid FROM meant) AND c.relkind = 'i' AND NOT ({left}) ORDER BY i.indexrelid"
    );
    let numbers = names(session.query(&numbers, &parameters).await?)?;
    let left_behind = format!(
        "{tree} SELECT {FULL_NAME} FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid IN (SELECT indrelid FROM meant) AND {left} ORDER BY 1"
    );
    let left_behind = names(session.query(&left_behind, &parameters).await?)?;
    let table = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = coalesce((SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass($1)), to_regclass($1))";
    let rows = session.query(table, &parameters).await?;
    let table = rows.first().map(|row| Name { schema: Some(text(Some(row), 0)), name: text(Some(row), 1) });
    Ok(Indexes { table, numbers, left_behind })
}

/// Whether a partition is still in its table; `None`: neither in nor out, because a DETACH CONCURRENTLY was cut off.
pub(super) async fn is_attached<S: Session>(
    session: &mut S,
    table: &Name,
    partition: &Name,
) -> Result<Option<bool>, DatabaseError> {
    // The column is PostgreSQL 14's, as the statement is.
    let sql = "SELECT coalesce((to_jsonb(h) ->> 'inhdetachpending')::boolean, false) FROM pg_catalog.pg_inherits h
        WHERE h.inhparent = to_regclass($1) AND h.inhrelid = to_regclass($2)";
    let rows = session.query(sql, &[regclass(table), regclass(partition)]).await?;
    Ok(match rows.first().map(|row| &row[0]) {
        None => Some(false),
        Some(Value::Int(0)) => Some(true),
        Some(_) => None,
    })
}
