//! `[throttle]` of `change.toml`: which signals hold a backfill up, from which value on, and when it may run at all.

use serde::Deserialize;

pub use super::window::Window;
use crate::error::{Error, Result, closest};

/// What `[throttle]` says; the signals that need no word of the user are on by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// `replica-lag`: how far behind a standby may be in time; 5 s.
    pub replica_lag: Option<Limit>,
    /// `replica-lag-bytes`: and in bytes of WAL (PostgreSQL); 1 GB.
    pub replica_lag_bytes: Option<Limit>,
    /// `ignore-replicas`: standbys that may lag, by the name that they connect with.
    pub ignore_replicas: Vec<String>,
    /// `replicas`: URLs of replicas to ask, for MySQL, whose primary does not know their lag.
    pub replicas: Vec<String>,
    /// `slot-retained`: WAL that a replication slot may hold back (PostgreSQL); 10 GB.
    pub slot_retained: Option<Limit>,
    /// `lock-waits`: how many sessions may wait for a lock of ours; 2.
    pub lock_waits: Option<Limit>,
    /// `active-sessions`: how many sessions of others may be at work; off.
    pub active_sessions: Option<Limit>,
    /// `wal-rate`: bytes of WAL, or of MySQL's redo log, a second, everybody's; off.
    pub wal_rate: Option<Limit>,
    /// `autovacuum`: wait while a vacuum works on the table (PostgreSQL); off.
    pub autovacuum: bool,
    pub queries: Vec<Query>,
    pub prometheus: Vec<Prometheus>,
    /// `file`: wait while it exists; relative to the change directory.
    pub file: Option<String>,
    /// `windows`: when there may be work; always where there is none.
    pub windows: Vec<Window>,
    /// `max-rate`: rows a second.
    pub max_rate: Option<u64>,
}

/// Two bounds, so that a value that trembles around one does not stop and start the work with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Work stops above it,
    pub stop_above: f64,
    /// and goes on when the value is not above this one.
    pub go_below: f64,
    pub unit: Unit,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Bytes,
    BytesPerSecond,
    Number,
}

/// `[[throttle.queries]]`: a query that returns one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub name: String,
    pub sql: String,
    pub limit: Limit,
}

/// `[[throttle.prometheus]]`: a query to a Prometheus server that returns one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Prometheus {
    pub name: String,
    /// The server, or `env:NAME`.
    pub url: String,
    pub query: String,
    pub limit: Limit,
}

impl Limit {
    /// Goes on below half of where it stops.
    pub const fn at(stop_above: f64, unit: Unit) -> Self {
        Self { stop_above, go_below: stop_above / 2.0, unit }
    }
}

impl Unit {
    /// A value with its unit, for people.
    pub fn show(self, value: f64) -> String {
        match self {
            // Those of a user's own queries may be of any size.
            Self::Number if value.abs() < 0.001 => format!("{value}"),
            Self::Number => format!("{}", (value * 1000.0).round() / 1000.0),
            Self::Seconds if value < 1.0 => format!("{} ms", short(value * 1000.0)),
            Self::Seconds => format!("{} s", short(value)),
            Self::Bytes => bytes(value),
            Self::BytesPerSecond => format!("{}/s", bytes(value)),
        }
    }

    /// What a user writes: a number, or a number with a unit in quotes.
    fn read(self, value: &toml::Value) -> Option<f64> {
        match (self, value) {
            (Self::Number, toml::Value::Integer(number)) => number.to_string().parse().ok(),
            (Self::Number, toml::Value::Float(number)) => number.is_finite().then_some(*number),
            (_, toml::Value::String(text)) => {
                let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
                let number: f64 = text[..digits].parse().ok()?;
                let unit = text[digits..].trim();
                let factor = UNITS.iter().find(|(of, word, _)| *of == self && *word == unit)?.2;
                Some(number * factor)
            }
            _ => None,
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Seconds => "\"500ms\", \"5s\", \"2m\" or \"1h\"",
            Self::Bytes => "\"512kB\", \"64MB\" or \"2GB\", as PostgreSQL writes them",
            Self::BytesPerSecond => "\"512kB/s\", \"64MB/s\" or \"2GB/s\"",
            Self::Number => "a number",
        }
    }
}

const KB: f64 = 1024.0;

const UNITS: &[(Unit, &str, f64)] = &[
    (Unit::Seconds, "ms", 0.001),
    (Unit::Seconds, "s", 1.0),
    (Unit::Seconds, "m", 60.0),
    (Unit::Seconds, "h", 3600.0),
    (Unit::Bytes, "kB", KB),
    (Unit::Bytes, "MB", KB * KB),
    (Unit::Bytes, "GB", KB * KB * KB),
    (Unit::Bytes, "TB", KB * KB * KB * KB),
    (Unit::BytesPerSecond, "kB/s", KB),
    (Unit::BytesPerSecond, "MB/s", KB * KB),
    (Unit::BytesPerSecond, "GB/s", KB * KB * KB),
];

fn bytes(value: f64) -> String {
    let sizes = UNITS.iter().filter(|(unit, ..)| *unit == Unit::Bytes);
    match sizes.rev().find(|(_, _, factor)| value >= *factor) {
        Some((_, word, factor)) => format!("{} {word}", short(value / factor)),
        None => format!("{} bytes", short(value)),
    }
}

/// One digit after the point where it says something.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            replica_lag: Some(Limit::at(5.0, Unit::Seconds)),
            replica_lag_bytes: Some(Limit::at(KB * KB * KB, Unit::Bytes)),
            ignore_replicas: Vec::new(),
            replicas: Vec::new(),
            slot_retained: Some(Limit::at(10.0 * KB * KB * KB, Unit::Bytes)),
            lock_waits: Some(Limit::at(2.0, Unit::Number)),
            active_sessions: None,
            wal_rate: None,
            autovacuum: false,
            queries: Vec::new(),
            prometheus: Vec::new(),
            file: None,
            windows: Vec::new(),
            max_rate: None,
        }
    }
}

/// The file's own shape.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct File {
    replica_lag: Option<toml::Value>,
    replica_lag_bytes: Option<toml::Value>,
    ignore_replicas: Vec<String>,
    replicas: Vec<String>,
    slot_retained: Option<toml::Value>,
    lock_waits: Option<toml::Value>,
    active_sessions: Option<toml::Value>,
    wal_rate: Option<toml::Value>,
    autovacuum: bool,
    queries: Vec<QueryTable>,
    prometheus: Vec<PrometheusTable>,
    file: Option<String>,
    windows: Vec<String>,
    max_rate: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct QueryTable {
    name: String,
    sql: String,
    stop_above: toml::Value,
    go_below: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PrometheusTable {
    name: String,
    url: String,
    query: String,
    stop_above: toml::Value,
    go_below: Option<toml::Value>,
}

impl File {
    pub(super) fn read(self, path: &str) -> Result<Throttle> {
        let defaults = Throttle::default();
        let limit = |key: &str, value: Option<toml::Value>, unit, default: Option<Limit>| match value {
            None => Ok(default),
            Some(toml::Value::String(word)) if word == "off" => Ok(None),
            Some(toml::Value::Table(table)) => from_table(key, &table, unit, path).map(Some),
            Some(value) => bounds(key, &value, None, unit, path).map(Some),
        };
        let throttle = Throttle {
            replica_lag: limit("replica-lag", self.replica_lag, Unit::Seconds, defaults.replica_lag)?,
            replica_lag_bytes: limit(
                "replica-lag-bytes",
                self.replica_lag_bytes,
                Unit::Bytes,
                defaults.replica_lag_bytes,
            )?,
            ignore_replicas: self.ignore_replicas,
            replicas: self.replicas,
            slot_retained: limit("slot-retained", self.slot_retained, Unit::Bytes, defaults.slot_retained)?,
            lock_waits: limit("lock-waits", self.lock_waits, Unit::Number, defaults.lock_waits)?,
            active_sessions: limit("active-sessions", self.active_sessions, Unit::Number, defaults.active_sessions)?,
            wal_rate: limit("wal-rate", self.wal_rate, Unit::BytesPerSecond, defaults.wal_rate)?,
            autovacuum: self.autovacuum,
            queries: self.queries.into_iter().map(|table| table.read(path)).collect::<Result<_>>()?,
            prometheus: self.prometheus.into_iter().map(|table| table.read(path)).collect::<Result<_>>()?,
            file: self.file,
            windows: self.windows.iter().map(|text| Window::read(text, path)).collect::<Result<_>>()?,
            max_rate: self.max_rate,
        };
        throttle.consistent(path)?;
        Ok(throttle)
    }
}

impl QueryTable {
    fn read(self, path: &str) -> Result<Query> {
        let key = format!("queries.{}", self.name);
        let limit = bounds(&key, &self.stop_above, self.go_below.as_ref(), Unit::Number, path)?;
        Ok(Query { name: self.name, sql: self.sql, limit })
    }
}

impl PrometheusTable {
    fn read(self, path: &str) -> Result<Prometheus> {
        let key = format!("prometheus.{}", self.name);
        let limit = bounds(&key, &self.stop_above, self.go_below.as_ref(), Unit::Number, path)?;
        Ok(Prometheus { name: self.name, url: self.url, query: self.query, limit })
    }
}

impl Throttle {
    /// What no key alone can tell.
    fn consistent(&self, path: &str) -> Result<()> {
        let refuse = |what: String| Err(Error::input(format!("{path}: {what}")));
        if self.max_rate == Some(0) {
            return refuse("`throttle.max-rate` has to be at least one row a second".into());
        }
        if !self.replicas.is_empty() && self.replica_lag.is_none() {
            return refuse(
                "`throttle.replicas` are there to be asked for their lag, and `replica-lag` is \"off\"".into(),
            );
        }
        let names = self.queries.iter().map(|one| ("queries", &one.name));
        let mut seen = Vec::new();
        for (table, name) in names.chain(self.prometheus.iter().map(|one| ("prometheus", &one.name))) {
            if name.trim().is_empty() {
                return refuse(format!("`throttle.{table}`: a `name` is empty"));
            }
            if seen.contains(&name) {
                return refuse(format!("two signals of `throttle` are called `{name}`"));
            }
            seen.push(name);
        }
        Ok(())
    }
}

/// `{ stop-above = .., go-below = .. }`.
fn from_table(key: &str, table: &toml::Table, unit: Unit, path: &str) -> Result<Limit> {
    const KEYS: [&str; 2] = ["stop-above", "go-below"];
    if let Some(word) = table.keys().find(|word| !KEYS.contains(&word.as_str())) {
        let error = Error::input(format!("{path}: no setting `{word}` in `throttle.{key}`"));
        return Err(error.hint(match closest(word, KEYS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the settings here are {}", KEYS.join(", ")),
        }));
    }
    let Some(stop_above) = table.get(KEYS[0]) else {
        return Err(Error::input(format!("{path}: `throttle.{key}` lacks `stop-above`")));
    };
    bounds(key, stop_above, table.get(KEYS[1]), unit, path)
}

fn bounds(key: &str, stop: &toml::Value, go: Option<&toml::Value>, unit: Unit, path: &str) -> Result<Limit> {
    let number = |value: &toml::Value| {
        unit.read(value).ok_or_else(|| {
            Error::input(format!("{path}: `throttle.{key}` cannot be {value}")).hint(format!(
                "write it as {}{}",
                unit.example(),
                if key.contains('.') { "" } else { ", or \"off\"" }
            ))
        })
    };
    let stop_above = number(stop)?;
    let go_below = match go {
        Some(go) => number(go)?,
        // Half of less than nothing is more.
        None => stop_above.min(stop_above / 2.0),
    };
    if go_below > stop_above {
        return Err(Error::input(format!("{path}: `throttle.{key}` goes on at more than what stops it"))
            .hint("`go-below` may not be greater than `stop-above`"));
    }
    Ok(Limit { stop_above, go_below, unit })
}
