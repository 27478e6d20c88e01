//! Ranges of a table's rows: where the next batch ends, and the condition that selects it.
//!
//! A key travels as text (the ledger keeps it), each value told by its form: digits, text in quotes, bytes in
//! `x''`; columns of a composite key are joined by a unit separator, which is escaped inside text. Rows without a key
//! are told by the blocks that they lie in (`blocks`).

mod blocks;

use crate::database::{self, DatabaseError, Key, Session, Value};
use crate::error::Error;
use crate::plan::Rows;
use crate::sql::Dialect;

use super::Trouble;
use blocks::Blocks;

const SEPARATOR: char = '\u{1f}';

/// How a key column is fetched and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// As it is.
    Plain,
    /// Fetched as it is, compared as its own type: PostgreSQL would compare `char` as text, in another order.
    Typed,
    /// Fetched as text, compared as its own type: uuid, timestamps.
    Cast,
    /// The same on MySQL, which would compare an exact number with text by way of an inexact one.
    Decimal,
    /// MySQL may compare a number with text by way of an inexact one.
    Unsigned,
}

#[derive(Debug, Clone)]
struct Column {
    quoted: String,
    data_type: String,
    family: Family,
}

/// How the rows of one table are cut.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    dialect: Dialect,
    /// The table as FROM names it.
    table: String,
    /// What qualifies its columns.
    row: String,
    cut: Cut,
    /// What its places mean, in words: `id bigint`, or `ctid`.
    goes_by: String,
}

/// What the places of a table without a key mean.
const BY_BLOCKS: &str = "ctid";

#[derive(Debug, Clone)]
enum Cut {
    Key(Vec<Column>),
    Blocks(Blocks),
}

/// Settings under which PostgreSQL goes by the key's index, whatever the statistics say: a table that was never
/// analysed, or long ago, would be scanned or sorted whole for each batch, and a merge join would read the other
/// table's index from its beginning. With the last one, a row-level policy of any table that a batch reads is an
/// error; it would leave rows out.
const BY_KEY: [(&str, &str); 7] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("enable_mergejoin", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("row_security", "off"),
];

/// Makes the server go by the key's index in this session, and plan as it likes again.
pub(super) async fn go_by_key<S: Session>(session: &mut S, by_key: bool) -> Result<(), DatabaseError> {
    if session.dialect() != Dialect::Postgres {
        return Ok(());
    }
    let setting = |(name, value): (&str, &str)| match by_key {
        true => format!("SET {name} = {value}"),
        false => format!("RESET {name}"),
    };
    let sql: Vec<String> = BY_KEY.into_iter().map(setting).collect();
    session.execute(&sql.join("; "), &[]).await.map(drop)
}

impl Ranges {
    /// Finds out how the table's rows can be cut; the way in which they were cut `before`, where that is still one.
    pub(super) async fn of<S: Session>(session: &mut S, rows: &Rows, before: Option<&str>) -> Result<Self, Trouble> {
        let (dialect, table) = (session.dialect(), &rows.table);
        let mut keys = database::keys_of(session, table).await?;
        keys.sort_by_key(|key| before != Some(key.words().as_str()));
        if keys.is_empty() && !database::table_exists(session, table).await? {
            return Err(Error::input(format!("there is no table `{table}`"))
                .hint("a view is none: name the table below it")
                .into());
        }
        let by_key = before != Some(BY_BLOCKS);
        let key = keys.iter().filter(|_| by_key).find_map(|key| Some((key, columns(dialect, rows, key)?)));
        if let Some(obstacle) = database::obstacle(session, rows, key.as_ref().map(|(key, _)| *key)).await? {
            return Err(Error::input(obstacle.because).hint(obstacle.hint).into());
        }
        let goes_by = key.as_ref().map_or(BY_BLOCKS.to_string(), |(key, _)| key.words());
        let cut = match key {
            Some((_, columns)) => Cut::Key(columns),
            None if dialect == Dialect::Postgres => Cut::Blocks(Blocks::of(session, rows).await?),
            None => return Err(uncut(rows, &keys).into()),
        };
        let only = if rows.only { "ONLY " } else { "" };
        let name = dialect.quote_name(table);
        let alias = if rows.row == dialect.quote(&table.name) { String::new() } else { format!(" AS {}", rows.row) };
        Ok(Self { dialect, table: format!("{only}{name}{alias}"), row: rows.row.clone(), cut, goes_by })
    }

    /// Whether the rows are cut by this column, among others.
    pub(super) fn is_cut_by(&self, column: &str) -> bool {
        let quoted = self.dialect.quote(column);
        matches!(&self.cut, Cut::Key(columns) if columns.iter().any(|one| one.quoted.eq_ignore_ascii_case(&quoted)))
    }

    /// The greatest key, `None` in an empty table.
    pub(super) async fn greatest<S: Session>(&self, session: &mut S) -> Result<Option<String>, DatabaseError> {
        let columns = match &self.cut {
            Cut::Key(columns) => columns,
            Cut::Blocks(blocks) => return blocks.last(session).await,
        };
        let fetched = self.fetched(columns);
        let sql = format!("SELECT {fetched} FROM {} ORDER BY {} LIMIT 1", self.table, self.order(columns, "DESC"));
        let rows = session.query(&sql, &[]).await?;
        Ok(rows.first().map(|row| encode(row)))
    }

    /// Refuses rows that have nothing by which each could be named.
    pub(super) fn tell_rows_apart(&self) -> Result<(), Error> {
        match &self.cut {
            Cut::Key(_) => Ok(()),
            Cut::Blocks(_) => Err(Error::input(format!(
                "rows of {} cannot be quarantined: it has no key by which each could be named",
                self.table
            ))
            .hint("add a primary key, or leave `on-error` out of change.toml")),
        }
    }

    /// What its places mean: the columns of the key with their types, or `ctid`.
    pub(super) fn goes_by(&self) -> &str {
        &self.goes_by
    }

    /// Why places that the ledger knows, up to `place`, do not mean what they meant when the rows were cut `before`;
    /// `None`: they do. A table may get another key, or be written anew, in other blocks.
    pub(super) async fn moved<S: Session>(
        &self,
        session: &mut S,
        before: Option<&str>,
        place: &str,
    ) -> Result<Option<String>, DatabaseError> {
        if let Some(before) = before.filter(|before| *before != self.goes_by) {
            return Ok(Some(format!("{} is gone through by {} now, no longer by {before}", self.table, self.goes_by)));
        }
        Ok(match &self.cut {
            Cut::Blocks(blocks) if !blocks.still_mean(session, place).await? => Some(blocks::written_anew(&self.table)),
            Cut::Key(_) | Cut::Blocks(_) => None,
        })
    }

    /// Refuses to call a backfill done that ended with `final_key`, when the places meant others in between.
    pub(super) async fn see_to_the_end<S: Session>(
        &self,
        session: &mut S,
        rows: &Rows,
        final_key: &str,
    ) -> Result<(), Trouble> {
        let now = Self::of(session, rows, Some(&self.goes_by)).await?;
        match now.moved(session, Some(&self.goes_by), final_key).await? {
            Some(because) => Err(blocks::moved(because).into()),
            None => Ok(()),
        }
    }

    /// The end of a range of about `rows` rows after `from`, never beyond `last`; and the rows in it.
    pub(super) async fn bound<S: Session>(
        &self,
        session: &mut S,
        from: Option<&str>,
        last: &str,
        rows: u64,
    ) -> Result<(String, u64), Trouble> {
        let columns = match &self.cut {
            Cut::Key(columns) => columns,
            Cut::Blocks(blocks) => return blocks.bound(session, &self.table, &self.row, from, last, rows).await,
        };
        let (condition, values) = self.condition(from, Some(last));
        let sql = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {} LIMIT 1 OFFSET {}",
            self.fetched(columns),
            self.table,
            self.order(columns, "ASC"),
            rows.saturating_sub(1)
        );
        if let Some(row) = session.query(&sql, &values).await?.first() {
            return Ok((encode(row), rows));
        }
        // Fewer rows than asked for are left: a handful to count.
        let sql = format!("SELECT count(*) FROM {} WHERE {condition}", self.table);
        let left = session.query(&sql, &values).await?;
        Ok((last.to_string(), count(left.first().and_then(|row| row.first()))))
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
        let key = match &self.cut {
            Cut::Key(columns) => self.fetched(columns),
            Cut::Blocks(_) => format!("CAST({}.ctid AS text)", self.row),
        };
        let sql = format!("SELECT {key} FROM {sources} WHERE {condition} AND ({wanted}) LIMIT 1");
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
        let columns = match &self.cut {
            Cut::Key(columns) => columns,
            Cut::Blocks(_) => return (blocks::condition(&self.row, from, to), Vec::new()),
        };
        let mut parts = Vec::new();
        let mut values = Vec::new();
        for (bound, strict, last) in [(from, ">", ">"), (to, "<", "<=")] {
            let Some(bound) = bound else { continue };
            let bound = decode(bound);
            parts.push(match (columns.len(), self.dialect) {
                (1, _) => self.compare(columns, 0, last, &bound, &mut values),
                (_, Dialect::Mysql) => self.spelled_out(columns, strict, last, &bound, &mut values),
                (_, Dialect::Postgres | Dialect::Sqlite) => self.by_row(columns, last, &bound, &mut values),
            });
        }
        if parts.is_empty() {
            parts.push("1 = 1".to_string());
        }
        (parts.join(" AND "), values)
    }

    fn compare(
        &self,
        columns: &[Column],
        index: usize,
        operator: &str,
        bound: &[Value],
        values: &mut Vec<Value>,
    ) -> String {
        let column = &columns[index];
        format!("{} {operator} {}", self.qualified(column), self.placeholder(column, index, bound, values))
    }

    /// `(a, b) > (x, y)`, which PostgreSQL and SQLite find in an index to the row.
    fn by_row(&self, columns: &[Column], operator: &str, bound: &[Value], values: &mut Vec<Value>) -> String {
        let names: Vec<String> = columns.iter().map(|column| self.qualified(column)).collect();
        let place = |(index, column)| self.placeholder(column, index, bound, values);
        let places: Vec<String> = columns.iter().enumerate().map(place).collect();
        format!("({}) {operator} ({})", names.join(", "), places.join(", "))
    }

    /// The same spelled out, which MySQL and MariaDB find: `a >= x AND (a > x OR (a = x AND b > y))`.
    fn spelled_out(
        &self,
        columns: &[Column],
        strict: &str,
        last: &str,
        bound: &[Value],
        values: &mut Vec<Value>,
    ) -> String {
        let lead = self.compare(columns, 0, &format!("{strict}="), bound, values);
        let mut alternatives = Vec::new();
        for depth in 0..columns.len() {
            let mut terms: Vec<String> =
                (0..depth).map(|index| self.compare(columns, index, "=", bound, values)).collect();
            let operator = if depth + 1 == columns.len() { last } else { strict };
            terms.push(self.compare(columns, depth, operator, bound, values));
            alternatives.push(format!("({})", terms.join(" AND ")));
        }
        format!("{lead} AND ({})", alternatives.join(" OR "))
    }

    /// A parameter for one value of a key.
    fn placeholder(&self, column: &Column, index: usize, bound: &[Value], values: &mut Vec<Value>) -> String {
        values.push(bound.get(index).cloned().unwrap_or(Value::Null));
        let number = values.len();
        match (column.family, self.dialect) {
            (Family::Typed | Family::Cast, Dialect::Postgres) => format!("CAST(${number} AS {})", column.data_type),
            (_, Dialect::Postgres) => format!("${number}"),
            (Family::Unsigned, _) => "CAST(? AS unsigned)".to_string(),
            (Family::Decimal, _) => {
                let of_type = column.data_type.split(" unsigned").next().unwrap_or_default();
                format!("CAST(? AS {of_type})")
            }
            _ => "?".to_string(),
        }
    }

    fn qualified(&self, column: &Column) -> String {
        format!("{}.{}", self.row, column.quoted)
    }

    fn fetched(&self, columns: &[Column]) -> String {
        let fetched = |column: &Column| match (column.family, self.dialect) {
            (Family::Cast, Dialect::Postgres) => format!("CAST({} AS text)", self.qualified(column)),
            (Family::Cast | Family::Unsigned | Family::Decimal, Dialect::Mysql) => {
                format!("CAST({} AS char)", self.qualified(column))
            }
            _ => self.qualified(column),
        };
        columns.iter().map(fetched).collect::<Vec<_>>().join(", ")
    }

    /// By the table's own columns: PostgreSQL takes a bare name for the fetched text.
    fn order(&self, columns: &[Column], direction: &str) -> String {
        let column = |column: &Column| format!("{} {direction}", self.qualified(column));
        columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

/// How the columns of a key are handled; `None` for a key that the statement itself writes, and for types whose text
/// does not compare as their values do.
fn columns(dialect: Dialect, rows: &Rows, key: &Key) -> Option<Vec<Column>> {
    let column = |column: &database::KeyColumn| {
        let (name, data_type) = (&column.name, column.data_type.clone());
        if rows.written.iter().any(|written| written.eq_ignore_ascii_case(name)) {
            return None;
        }
        Some(Column { quoted: dialect.quote(name), family: family(dialect, &data_type)?, data_type })
    };
    key.columns.iter().map(column).collect()
}

/// Why none of the table's keys will do.
fn uncut(rows: &Rows, keys: &[Key]) -> Error {
    let table = &rows.table;
    let Some(key) = keys.first() else {
        return Error::input(format!(
            "table `{table}` has no primary key and no unique index without NULLs: its rows cannot be batched"
        ))
        .hint("add a primary key first, or write the backfill as a job of your own");
    };
    let names: Vec<String> = key.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    Error::input(format!("rows of table `{table}` cannot be batched by its key ({})", names.join(", "))).hint(
        "a key serves that the statement does not write, of integers, decimals, text, bytes, uuid, dates and times",
    )
}

/// The statement may be the one that makes the table.
pub(super) fn may_make(sql: &str, table: &str) -> bool {
    let in_a_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    sql.split(|letter| !in_a_name(letter)).any(|word| word.eq_ignore_ascii_case(table))
        || !table.chars().all(in_a_name) && sql.contains(table)
}

fn count(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
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
        (_, "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "year") => Family::Plain,
        (Dialect::Postgres, "text" | "character") => Family::Typed,
        // Every type of PostgreSQL comes back unchanged from its own text.
        (Dialect::Postgres, _) => Family::Cast,
        (Dialect::Mysql, "decimal") => Family::Decimal,
        (Dialect::Mysql, "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext") => Family::Plain,
        (Dialect::Mysql, "binary" | "varbinary") => Family::Plain,
        (Dialect::Mysql, "date" | "datetime" | "time" | "timestamp" | "uuid" | "inet4" | "inet6") => Family::Cast,
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
