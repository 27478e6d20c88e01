//! Ranges of a table's key: where the next batch ends, and the condition that selects it.
//!
//! A key travels as text (the ledger keeps it), each value told by its form: digits, text in quotes, bytes in
//! `x''`; columns of a composite key are joined by a unit separator, which is escaped inside text.

use crate::database::{self, DatabaseError, Session, Value};
use crate::error::Error;
use crate::plan::Rows;
use crate::sql::Dialect;

use super::Trouble;

const SEPARATOR: char = '\u{1f}';

/// How a key column is fetched and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// As it is.
    Plain,
    /// Fetched as it is, compared as its own type: PostgreSQL would compare `citext` and `char` as text, in
    /// another order.
    Typed,
    /// Fetched as text, compared as its own type: uuid, timestamps.
    Cast,
    /// MySQL may compare a number with text by way of an inexact one.
    Unsigned,
}

#[derive(Debug, Clone)]
struct Column {
    quoted: String,
    data_type: String,
    family: Family,
}

/// The key of one table.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    dialect: Dialect,
    /// The table as FROM names it.
    table: String,
    /// What qualifies its columns.
    row: String,
    columns: Vec<Column>,
}

impl Ranges {
    /// Finds the table's key.
    pub(super) async fn of<S: Session>(session: &mut S, rows: &Rows) -> Result<Self, Trouble> {
        let (dialect, table) = (session.dialect(), &rows.table);
        let Some(key) = database::key_of(session, table).await? else {
            if !database::table_exists(session, table).await? {
                return Err(Error::input(format!("there is no table `{table}`")).into());
            }
            return Err(Error::input(format!(
                "table `{table}` has no primary key and no unique index without NULLs: its rows cannot be batched"
            ))
            .hint("add a primary key first, or write the backfill as a job of your own")
            .into());
        };
        let mut columns = Vec::new();
        for column in key.columns {
            let Some(family) = family(dialect, &column.data_type) else {
                return Err(Error::input(format!(
                    "key column `{}` of table `{table}` has type {}, by which rows cannot be batched yet",
                    column.name, column.data_type
                ))
                .hint("integers, text, uuid, dates and times can, and on MySQL binary keys")
                .into());
            };
            columns.push(Column { quoted: dialect.quote(&column.name), data_type: column.data_type, family });
        }
        let only = if rows.only { "ONLY " } else { "" };
        let name = dialect.quote_name(table);
        let own_name = rows.row == dialect.quote(&table.name);
        let alias = if own_name { String::new() } else { format!(" AS {}", rows.row) };
        Ok(Self { dialect, table: format!("{only}{name}{alias}"), row: rows.row.clone(), columns })
    }

    /// The greatest key, `None` in an empty table.
    pub(super) async fn greatest<S: Session>(&self, session: &mut S) -> Result<Option<String>, DatabaseError> {
        let sql = format!("SELECT {} FROM {} ORDER BY {} LIMIT 1", self.fetched(), self.table, self.order("DESC"));
        let rows = session.query(&sql, &[]).await?;
        Ok(rows.first().map(|row| encode(row)))
    }

    /// The end of a range of about `rows` rows after `from`, never beyond `last`; and the rows in it.
    pub(super) async fn bound<S: Session>(
        &self,
        session: &mut S,
        from: Option<&str>,
        last: &str,
        rows: u64,
    ) -> Result<(String, u64), DatabaseError> {
        let (condition, values) = self.condition(from, Some(last));
        let sql = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {} LIMIT 1 OFFSET {}",
            self.fetched(),
            self.table,
            self.order("ASC"),
            rows.saturating_sub(1)
        );
        if let Some(row) = session.query(&sql, &values).await?.first() {
            return Ok((encode(row), rows));
        }
        // Fewer rows than asked for are left: a handful to count.
        let sql = format!("SELECT count(*) FROM {} WHERE {condition}", self.table);
        let left = match session.query(&sql, &values).await?.first().and_then(|row| row.first()) {
            Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        };
        Ok((last.to_string(), left))
    }

    /// One key that fulfils `wanted` in a range; `sources` is what FROM lists, the table among it.
    pub(super) async fn find<S: Session>(
        &self,
        session: &mut S,
        sources: &str,
        from: Option<&str>,
        to: Option<&str>,
        wanted: &str,
    ) -> Result<Option<String>, DatabaseError> {
        let (condition, values) = self.condition(from, to);
        let sql = format!("SELECT {} FROM {sources} WHERE {condition} AND ({wanted}) LIMIT 1", self.fetched());
        Ok(session.query(&sql, &values).await?.first().map(|row| encode(row)))
    }

    /// How many rows of a range fulfil `wanted`, counted up to `limit`.
    pub(super) async fn count<S: Session>(
        &self,
        session: &mut S,
        sources: &str,
        (from, to): (Option<&str>, Option<&str>),
        wanted: &str,
        limit: u64,
    ) -> Result<u64, DatabaseError> {
        let (condition, values) = self.condition(from, to);
        let rows = format!("SELECT 1 FROM {sources} WHERE {condition} AND ({wanted}) LIMIT {limit}");
        let rows = session.query(&format!("SELECT count(*) FROM ({rows}) AS differing"), &values).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        })
    }

    /// `key > from AND key <= to`, and its parameters.
    pub(super) fn condition(&self, from: Option<&str>, to: Option<&str>) -> (String, Vec<Value>) {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        for (bound, strict, loose) in [(from, ">", ">"), (to, "<", "<=")] {
            let Some(bound) = bound else { continue };
            let bound = decode(bound);
            parts.push(self.compare(&bound, strict, loose, &mut values));
        }
        if parts.is_empty() {
            parts.push("1 = 1".to_string());
        }
        (parts.join(" AND "), values)
    }

    /// A row comparison spelled out, which all three servers find in an index: `a >= x AND (a > x OR (a = x AND b > y))`.
    fn compare(&self, bound: &[Value], strict: &str, last: &str, values: &mut Vec<Value>) -> String {
        let column = |index: usize, operator: &str, values: &mut Vec<Value>| {
            values.push(bound.get(index).cloned().unwrap_or(Value::Null));
            format!("{} {operator} {}", self.qualified(index), self.placeholder(index, values.len()))
        };
        if self.columns.len() == 1 {
            return column(0, last, values);
        }
        let lead = column(0, &format!("{strict}="), values);
        let mut alternatives = Vec::new();
        for depth in 0..self.columns.len() {
            let mut terms: Vec<String> = (0..depth).map(|index| column(index, "=", values)).collect();
            let operator = if depth + 1 == self.columns.len() { last } else { strict };
            terms.push(column(depth, operator, values));
            alternatives.push(format!("({})", terms.join(" AND ")));
        }
        format!("{lead} AND ({})", alternatives.join(" OR "))
    }

    fn placeholder(&self, index: usize, number: usize) -> String {
        let column = &self.columns[index];
        match (column.family, self.dialect) {
            (Family::Typed | Family::Cast, Dialect::Postgres) => format!("CAST(${number} AS {})", column.data_type),
            (_, Dialect::Postgres) => format!("${number}"),
            (Family::Unsigned, _) => "CAST(? AS unsigned)".to_string(),
            _ => "?".to_string(),
        }
    }

    fn qualified(&self, index: usize) -> String {
        format!("{}.{}", self.row, self.columns[index].quoted)
    }

    fn fetched(&self) -> String {
        let column = |index: usize| match (self.columns[index].family, self.dialect) {
            (Family::Cast, Dialect::Postgres) => format!("CAST({} AS text)", self.qualified(index)),
            (Family::Cast | Family::Unsigned, Dialect::Mysql) => format!("CAST({} AS char)", self.qualified(index)),
            _ => self.qualified(index),
        };
        (0..self.columns.len()).map(column).collect::<Vec<_>>().join(", ")
    }

    /// By the table's own columns: PostgreSQL takes a bare name for the fetched text.
    fn order(&self, direction: &str) -> String {
        let column = |index: usize| format!("{} {direction}", self.qualified(index));
        (0..self.columns.len()).map(column).collect::<Vec<_>>().join(", ")
    }
}

/// How keys of this type are handled; `None` for a type whose text does not compare as its values do.
fn family(dialect: Dialect, data_type: &str) -> Option<Family> {
    let lower = data_type.to_ascii_lowercase();
    let word = lower.split(['(', ' ']).next().unwrap_or_default();
    Some(match (dialect, word) {
        // Any column holds values of any type, in one order.
        (Dialect::Sqlite, _) => Family::Plain,
        (Dialect::Mysql, "bigint") if lower.contains("unsigned") => Family::Unsigned,
        (_, "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint") => Family::Plain,
        (Dialect::Postgres, "text" | "character" | "citext") => Family::Typed,
        (Dialect::Mysql, "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext") => Family::Plain,
        (Dialect::Mysql, "binary" | "varbinary") => Family::Plain,
        (Dialect::Postgres, "uuid" | "date" | "timestamp" | "numeric") => Family::Cast,
        (Dialect::Mysql, "date" | "datetime" | "timestamp" | "uuid") => Family::Cast,
        _ => return None,
    })
}

fn encode(row: &[Value]) -> String {
    let column = |value: &Value| match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        // In quotes, so that an empty key is not taken for none.
        Value::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace(SEPARATOR, "\\u")),
        Value::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
    };
    row.iter().map(column).collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

fn decode(key: &str) -> Vec<Value> {
    let value = |part: &str| {
        let quoted = |prefix: &str| part.strip_prefix(prefix)?.strip_suffix('\'');
        match (quoted("'"), quoted("x'"), part.parse()) {
            (Some(text), ..) => Value::Text(unescape(text)),
            (_, Some(hex), _) => Value::Bytes(from_hex(hex)),
            (.., Ok(number)) => Value::Int(number),
            _ => Value::Null,
        }
    };
    key.split(SEPARATOR).map(value).collect()
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' if letters.next() == Some('u') => SEPARATOR,
            letter => letter,
        });
    }
    plain
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}
