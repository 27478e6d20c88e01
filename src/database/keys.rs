//! By what the rows of a table can be gone through, and what stands against going through all of them.

use super::sqlite::{TableColumn, columns, of_table};
use super::{DatabaseError, Session, Value, optional, text};
use crate::plan::Rows;
use crate::sql::{Dialect, Name};

/// Columns that together tell a table's rows apart, are never NULL, and have an index in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub columns: Vec<KeyColumn>,
}

/// One column of a key, with the type as the server writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    pub name: String,
    pub data_type: String,
    /// Empty where the type has none.
    pub collation: String,
}

impl Key {
    /// Its columns with all that their values' order depends on: `id bigint, name text COLLATE "C"`.
    pub fn words(&self) -> String {
        let column = |KeyColumn { name, data_type, collation }: &KeyColumn| match collation.as_str() {
            "" => format!("{name} {data_type}"),
            collation => format!("{name} {data_type} COLLATE {collation}"),
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

/// Why not all rows of a table can be gone through in batches, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub because: String,
    pub hint: String,
}

/// The keys of `table`: its primary key first, then unique indexes over columns that cannot be NULL, the shortest
/// first.
///
/// # Errors
/// What the database said.
pub async fn keys_of<S: Session>(session: &mut S, table: &Name) -> Result<Vec<Key>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => of_postgres(session, table).await,
        Dialect::Mysql => of_mysql(session, table).await,
        Dialect::Sqlite => of_sqlite(session, table).await,
    }
}

/// What would leave rows out, or write them in a way that could not be taken back; `key` is what they would be cut by.
///
/// # Errors
/// What the database said.
pub async fn obstacle<S: Session>(
    session: &mut S,
    rows: &Rows,
    key: Option<&Key>,
) -> Result<Option<Obstacle>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => against_postgres(session, rows, key).await,
        Dialect::Mysql => against_mysql(session, &rows.table).await,
        Dialect::Sqlite => Ok(None),
    }
}

fn column(row: &[Value]) -> KeyColumn {
    let row = row.to_vec();
    KeyColumn { name: text(Some(&row), 1), data_type: text(Some(&row), 2), collation: text(Some(&row), 3) }
}

fn grouped(rows: &[Vec<Value>]) -> Vec<Key> {
    let keys = rows.chunk_by(|a, b| a[0] == b[0]);
    keys.map(|index| Key { columns: index.iter().map(|row| column(row)).collect() }).collect()
}

/// An index gives the order of its columns only with their own operators and collation, and all in one direction.
/// That a constraint is checked late is no matter: rows with the same key stay in the same batch.
async fn of_postgres<S: Session>(session: &mut S, table: &Name) -> Result<Vec<Key>, DatabaseError> {
    let sql = "
        SELECT c.relname::text, a.attname::text,
               CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                              ELSE format_type(a.atttypid, a.atttypmod) END,
               coalesce((SELECT o.collname FROM pg_catalog.pg_collation o WHERE o.oid = a.attcollation)::text, '')
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
        CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) AS k(n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1]
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indisready
          AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (
              SELECT 1 FROM generate_series(0, i.indnkeyatts - 1) AS o(n)
              JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[o.n]
              JOIN pg_catalog.pg_opclass p ON p.oid = i.indclass[o.n]
              WHERE NOT b.attnotnull OR NOT p.opcdefault OR i.indcollation[o.n] <> b.attcollation
                 OR i.indoption[o.n] NOT IN (0, 3) OR i.indoption[o.n] <> i.indoption[0])
        ORDER BY i.indisprimary DESC, i.indnkeyatts, c.relname, k.n";
    Ok(grouped(&session.query(sql, &[regclass(table)]).await?))
}

fn regclass(table: &Name) -> Value {
    Value::Text(Dialect::Postgres.quote_name(table))
}

async fn against_postgres<S: Session>(
    session: &mut S,
    rows: &Rows,
    key: Option<&Key>,
) -> Result<Option<Obstacle>, DatabaseError> {
    let table = &rows.table;
    let sql = "SELECT row_security_active(c.oid), current_user::text, c.relkind::text
        FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)";
    let found = session.query(sql, &[regclass(table)]).await?;
    let Some(row) = found.first() else { return Ok(None) };
    if row[0] == Value::Int(1) {
        return Ok(Some(Obstacle {
            because: format!(
                "row-level security hides rows of table `{table}` from role `{}`: they would be left out",
                text(Some(row), 1)
            ),
            hint: "run as the owner of the table, or as a role with BYPASSRLS".into(),
        }));
    }
    let Some(key) = key.filter(|_| !rows.only) else { return Ok(None) };
    // The tables below it: partitions have the index of their parent, tables that inherit have their own or none.
    let names: Vec<String> = key.columns.iter().map(|column| column.name.clone()).collect();
    let sql = "
        WITH RECURSIVE below(oid) AS (
            SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass($1)
            UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON i.inhparent = b.oid)
        SELECT b.oid::regclass::text, c.relkind = 'f'
        FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.oid
        WHERE c.relkind = 'f' OR c.relkind = 'r' AND NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_index i
            WHERE i.indrelid = b.oid AND i.indisvalid AND i.indpred IS NULL
              AND NOT EXISTS (
                  SELECT 1 FROM unnest(string_to_array($2, chr(31))) WITH ORDINALITY AS k(name, n)
                  LEFT JOIN pg_catalog.pg_attribute a
                    ON a.attrelid = b.oid AND a.attname = k.name AND a.attnotnull AND a.attnum = i.indkey[k.n - 1]
                  WHERE a.attname IS NULL))
        ORDER BY 1 LIMIT 1";
    let below = session.query(sql, &[regclass(table), Value::Text(names.join("\u{1f}"))]).await?;
    Ok(below.first().map(|row| {
        let child = text(Some(row), 0);
        if row[1] == Value::Int(1) {
            return Obstacle {
                because: format!("{child}, which belongs to table `{table}`, is a foreign table: what is written there does not commit together with the ledger"),
                hint: "fill it on its own server, and here the other tables one by one".into(),
            };
        }
        Obstacle {
            because: format!(
                "table {child} inherits from `{table}` and has no index by which its rows could be batched together with it"
            ),
            hint: format!(
                "give {child} an index over ({}), its columns NOT NULL, or write one UPDATE ONLY for each of the tables",
                names.join(", ")
            ),
        }
    }))
}

async fn of_mysql<S: Session>(session: &mut S, table: &Name) -> Result<Vec<Key>, DatabaseError> {
    let sql = "SELECT s.index_name, s.column_name, c.column_type, coalesce(c.collation_name, ''),
          s.sub_part IS NULL AND c.is_nullable = 'NO' AND s.index_type = 'BTREE'
        FROM information_schema.statistics s LEFT JOIN information_schema.columns c
          ON c.table_schema = s.table_schema AND c.table_name = s.table_name AND c.column_name = s.column_name
        WHERE s.table_schema = coalesce(?, database()) AND s.table_name = ? AND s.non_unique = 0
        ORDER BY s.index_name <> 'PRIMARY', s.index_name, s.seq_in_index";
    let rows = session.query(sql, &[optional(table.schema.as_deref()), Value::Text(table.name.clone())]).await?;
    // Whole columns that cannot be NULL; an expression has no column.
    let whole = rows.chunk_by(|a, b| a[0] == b[0]).filter(|index| index.iter().all(|row| row[4] == Value::Int(1)));
    let mut keys: Vec<Key> = whole.flat_map(grouped).collect();
    if let [_primary, others @ ..] = keys.as_mut_slice() {
        others.sort_by_key(|key| key.columns.len());
    }
    Ok(keys)
}

async fn against_mysql<S: Session>(session: &mut S, table: &Name) -> Result<Option<Obstacle>, DatabaseError> {
    let sql =
        "SELECT t.engine FROM information_schema.tables t JOIN information_schema.engines e ON e.engine = t.engine
        WHERE t.table_schema = coalesce(?, database()) AND t.table_name = ? AND NOT e.transactions <=> 'YES'";
    let found = session.query(sql, &[optional(table.schema.as_deref()), Value::Text(table.name.clone())]).await?;
    Ok(found.first().map(|row| Obstacle {
        because: format!(
            "table `{table}` is stored by {}, which has no transactions: a batch could be half written, or written twice",
            text(Some(row), 0)
        ),
        hint: "ALTER TABLE ... ENGINE=InnoDB first".into(),
    }))
}

/// A table without any key has the numbers of its rows.
async fn of_sqlite<S: Session>(session: &mut S, table: &Name) -> Result<Vec<Key>, DatabaseError> {
    let columns = columns(session, table).await?;
    let mut primary: Vec<&TableColumn> = columns.iter().filter(|column| column.key_position > 0).collect();
    primary.sort_by_key(|column| column.key_position);
    let mut keys = Vec::new();
    if !primary.is_empty() && !holds_null(session, table, &primary).await? {
        keys.push(key(&primary));
    }
    let sql = "SELECT name FROM pragma_index_list(?, ?) WHERE \"unique\" = 1 AND partial = 0 AND origin <> 'pk' ORDER BY name";
    for index in session.query(sql, &of_table(table)).await? {
        let sql = "SELECT name FROM pragma_index_info(?, ?) ORDER BY seqno";
        let parameters = [index[0].clone(), optional(table.schema.as_deref())];
        let names = session.query(sql, &parameters).await?;
        let of_name = |row: &Vec<Value>| {
            columns.iter().find(|column| row[0] == Value::Text(column.name.clone()) && column.not_null)
        };
        if let Some(indexed) = names.iter().map(of_name).collect::<Option<Vec<_>>>() {
            keys.push(key(&indexed));
        }
    }
    keys.extend(row_number(session, table, &columns).await?);
    Ok(keys)
}

fn key(columns: &[&TableColumn]) -> Key {
    let column = |column: &&TableColumn| KeyColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        collation: String::new(),
    };
    Key { columns: columns.iter().map(column).collect() }
}

/// The number of each row, by one of its names that no column has; a table WITHOUT ROWID and a view have none.
async fn row_number<S: Session>(
    session: &mut S,
    table: &Name,
    columns: &[TableColumn],
) -> Result<Option<Key>, DatabaseError> {
    let sql = "SELECT wr = 0 AND type = 'table' FROM pragma_table_list WHERE name = ? COLLATE NOCASE AND coalesce(schema = ?, 1)";
    if session.query(sql, &of_table(table)).await?.first() != Some(&vec![Value::Int(1)]) {
        return Ok(None);
    }
    let free = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let name = ["rowid", "_rowid_", "oid"].into_iter().find(free);
    let Some(name) = name else { return Ok(None) };
    // VACUUM numbers the rows anew, and nothing but the schema's version tells of it.
    let version = session.query("SELECT schema_version FROM pragma_schema_version", &[]).await?;
    let data_type = format!("of schema version {}", text(version.first(), 0));
    Ok(Some(Key { columns: vec![KeyColumn { name: name.to_string(), data_type, collation: String::new() }] }))
}

/// A primary key of SQLite may hold NULL unless it is the row's own number or says NOT NULL; rows
/// without a key would never be visited.
async fn holds_null<S: Session>(
    session: &mut S,
    table: &Name,
    primary: &[&TableColumn],
) -> Result<bool, DatabaseError> {
    if primary.iter().all(|column| column.not_null) || (primary.len() == 1 && primary[0].data_type == "integer") {
        return Ok(false);
    }
    let dialect = Dialect::Sqlite;
    let null: Vec<String> = primary.iter().map(|column| format!("{} IS NULL", dialect.quote(&column.name))).collect();
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {})", dialect.quote_name(table), null.join(" OR "));
    Ok(session.query(&sql, &[]).await? == [[Value::Int(1)]])
}
