//! What the statements so far have set: the search path, the transaction, and settings such as `lock_timeout`.
//!
//! A setting holds until its migration ends: the next one may run on another day and another connection, so that
//! nobody can rely on what an earlier one has set.

use std::collections::BTreeMap;

use crate::sql::{Change, Dialect};

/// Whose transaction a statement is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// The statement's own.
    None,
    /// That of the migration's tool.
    Runner,
    /// One that the migration has begun.
    Explicit,
}

/// The session that runs a migration, as far as its statements tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    dialect: Dialect,
    transaction: Transaction,
    savepoints: Vec<String>,
    /// By name in lower case, as set by SET.
    settings: BTreeMap<String, String>,
    /// As set by SET LOCAL, which goes with the transaction.
    local: BTreeMap<String, String>,
    /// Where names are looked for when nobody says otherwise.
    usual_path: Vec<String>,
    search_path: Vec<String>,
}

impl Session {
    /// A session that has just begun, outside of any transaction.
    pub(super) fn new(dialect: Dialect) -> Self {
        let usual: &[&str] = match dialect {
            Dialect::Postgres => &["public"],
            Dialect::Sqlite => &["main"],
            Dialect::Mysql => &[],
        };
        let usual: Vec<String> = usual.iter().map(ToString::to_string).collect();
        Self {
            dialect,
            transaction: Transaction::None,
            savepoints: Vec::new(),
            settings: BTreeMap::new(),
            local: BTreeMap::new(),
            usual_path: usual.clone(),
            search_path: usual,
        }
    }

    /// The database's own search path, which holds where no statement sets another.
    pub(super) fn with_usual_path(&mut self, path: Vec<String>) {
        self.usual_path = path;
        self.resolve_path();
    }

    /// The session of the next migration.
    pub(super) fn next(&mut self, in_transaction: bool) {
        self.settings.clear();
        self.end();
        if in_transaction {
            self.transaction = Transaction::Runner;
        }
    }

    /// Whose transaction the next statement is in.
    pub fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// The next statement shares a transaction with others: it can be undone with them, and keeps its locks until
    /// they end.
    pub fn in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// The savepoints that can be gone back to, the last one last.
    pub fn savepoints(&self) -> &[String] {
        &self.savepoints
    }

    /// What a setting was set to; `None` if this migration has not set it. The name in lower case: `lock_timeout`,
    /// `foreign_keys`, `sql_mode`.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.local.get(name).or_else(|| self.settings.get(name)).map(String::as_str)
    }

    /// The schemas in which a name without one is looked for, the one that new things get first. Empty where
    /// nobody knows the database's name (MySQL), and where it was set to nothing.
    pub fn search_path(&self) -> &[String] {
        &self.search_path
    }

    /// The schema that need not be named.
    pub(super) fn usual_schema(&self) -> Option<&str> {
        self.usual_path.first().map(String::as_str)
    }

    /// Whether it is that schema.
    pub(super) fn is_usual(&self, schema: &str) -> bool {
        self.usual_schema() == Some(schema)
    }

    /// What a change does to the session.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            // Inside of another it only warns, and the other goes on (PostgreSQL), or it fails (SQLite).
            Change::Begin if self.dialect != Dialect::Mysql && self.in_transaction() => {}
            Change::Begin => {
                self.end();
                self.transaction = Transaction::Explicit;
            }
            Change::Commit | Change::Rollback => self.end(),
            Change::Savepoint { name } => {
                // Outside of a transaction SQLite's SAVEPOINT begins one.
                if self.dialect == Dialect::Sqlite && self.transaction == Transaction::None {
                    self.transaction = Transaction::Explicit;
                }
                self.savepoints.push(name.clone());
            }
            Change::Release { name } => self.forget(name, false),
            Change::RollbackTo { name } => self.forget(name, true),
            // Inside of a transaction SQLite passes over it in silence.
            Change::Set { name, .. } if name == "foreign_keys" && self.in_transaction() => {}
            Change::Set { name, value, local } => self.set(name, value.as_deref(), *local),
            // DDL commits what stands before it.
            other if self.dialect == Dialect::Mysql && is_ddl(other) => self.end(),
            _ => {}
        }
    }

    fn end(&mut self) {
        self.transaction = Transaction::None;
        self.savepoints.clear();
        self.local.clear();
        self.resolve_path();
    }

    fn forget(&mut self, name: &str, keep: bool) {
        let same = |known: &String| known.eq_ignore_ascii_case(name);
        if let Some(at) = self.savepoints.iter().rposition(same) {
            self.savepoints.truncate(at + usize::from(keep));
        }
    }

    fn set(&mut self, name: &str, value: Option<&str>, local: bool) {
        let settings = if local { &mut self.local } else { &mut self.settings };
        let all = name == "all" && value.is_none();
        match value {
            _ if all => settings.clear(),
            Some(value) if !value.trim().eq_ignore_ascii_case("default") => {
                settings.insert(name.to_string(), value.trim().to_string());
            }
            _ => {
                settings.remove(name);
            }
        }
        if !local {
            // A later SET counts more than an earlier SET LOCAL.
            self.local.remove(name);
        }
        if all || name == "search_path" {
            self.resolve_path();
        }
    }

    fn resolve_path(&mut self) {
        let set = self.setting("search_path").map(schemas);
        self.search_path = set.unwrap_or_else(|| self.usual_path.clone());
    }
}

/// `a, "B"` into its schemas; `"$user"` is nobody's that we know.
fn schemas(list: &str) -> Vec<String> {
    let schema = |item: &str| {
        let item = item.trim();
        let quoted = item.len() > 1 && item.starts_with(['"', '\'']);
        if quoted { item[1..item.len() - 1].replace("\"\"", "\"") } else { item.to_ascii_lowercase() }
    };
    list.split(',').map(schema).filter(|schema| !schema.is_empty() && schema != "$user").collect()
}

/// What commits implicitly on MySQL: everything but reading and writing rows, and settings.
fn is_ddl(change: &Change) -> bool {
    !matches!(
        change,
        Change::Insert { .. }
            | Change::Update { .. }
            | Change::Delete { .. }
            | Change::Opaque { .. }
            | Change::Other { .. }
            | Change::AlterMode { .. }
            | Change::CreateTable { temporary: true, .. }
    )
}
