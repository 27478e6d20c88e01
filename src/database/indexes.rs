//! The indexes over some columns of a table: who writes the columns writes into them.

use super::{DatabaseError, Session, Value, optional, text};
use crate::sql::{Dialect, Name};

/// The indexes of `table` that hold one of `columns`, each with that column; none where there is no table.
///
/// # Errors
/// What the database said.
pub async fn indexes_over<S: Session>(
    session: &mut S,
    table: &Name,
    columns: &[String],
) -> Result<Vec<(String, String)>, DatabaseError> {
    let (sql, parameters) = match session.dialect() {
        Dialect::Postgres => (
            "SELECT c.relname::text, a.attname::text
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
            WHERE i.indrelid = to_regclass($1) AND (a.attnum = ANY (i.indkey) OR EXISTS (
                SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
            ORDER BY 1, a.attnum",
            vec![Value::Text(Dialect::Postgres.quote_name(table))],
        ),
        Dialect::Mysql => (
            "SELECT index_name, column_name FROM information_schema.statistics
            WHERE table_schema = coalesce(?, database()) AND table_name = ? AND column_name IS NOT NULL
            ORDER BY index_name, seq_in_index",
            vec![optional(table.schema.as_deref()), Value::Text(table.name.clone())],
        ),
        Dialect::Sqlite => (
            "SELECT l.name, i.name FROM pragma_index_list(?, ?) l, pragma_index_info(l.name, ?) i
            WHERE i.name IS NOT NULL ORDER BY l.name, i.seqno",
            vec![Value::Text(table.name.clone()), optional(table.schema.as_deref()), optional(table.schema.as_deref())],
        ),
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for row in session.query(sql, &parameters).await? {
        let (index, column) = (text(Some(&row), 0), text(Some(&row), 1));
        let is_written = columns.iter().any(|written| written.eq_ignore_ascii_case(&column));
        if is_written && found.last().is_none_or(|(last, _)| *last != index) {
            found.push((index, column));
        }
    }
    Ok(found)
}
