//! The three SQL dialects, and the few things in which they differ for everyone else.

use std::fmt;

use crate::error::{Error, Result, closest};

mod clause;
mod cursor;
mod filter;
pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod sqlite;
mod sqlparser;
mod tokens;

pub(super) use cursor::unquote;

/// Whose SQL it is. MariaDB is spoken to as MySQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    Postgres,
    Mysql,
    Sqlite,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Mysql, Self::Sqlite];

    /// The name that settings, options and rule pages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// The dialect that a user's word means: its name or a usual alias.
    ///
    /// # Errors
    /// A word that is none.
    pub fn from_word(word: &str) -> Result<Self> {
        match word.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" | "pg" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::Mysql),
            "sqlite" | "sqlite3" => Ok(Self::Sqlite),
            other => {
                let error = Error::input(format!("no dialect `{word}`"));
                Err(match closest(other, ["postgres", "mysql", "mariadb", "sqlite"]) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint("the dialects are postgres, mysql (also for MariaDB) and sqlite"),
                })
            }
        }
    }

    /// The dialect of a database URL's scheme; `None` for a scheme that is no database of ours.
    pub fn of_url(url: &str) -> Option<Self> {
        let scheme = url.split_once(':')?.0;
        Self::from_word(scheme).ok()
    }

    /// `name` as this dialect reads it back unchanged: quoted where it has to be.
    pub fn quote(self, name: &str) -> String {
        let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !RESERVED.contains(&name);
        match self {
            _ if plain => name.to_string(),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A possibly qualified name, quoted where it has to be.
    pub fn quote_name(self, name: &super::Name) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.quote(schema), self.quote(&name.name)),
            None => self.quote(&name.name),
        }
    }

    /// The condition that two expressions differ, NULL being a value like any other.
    pub fn distinct(self, left: &str, right: &str) -> String {
        match self {
            Self::Mysql => format!("NOT ({left} <=> ({right}))"),
            Self::Postgres | Self::Sqlite => format!("{left} IS DISTINCT FROM ({right})"),
        }
    }

    /// DDL can be rolled back, so a step and its ledger row commit together.
    pub fn transactional_ddl(self) -> bool {
        self != Self::Mysql
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Words that at least one of the three reserves; quoting one too many is harmless.
const RESERVED: &[&str] = &[
    "all",
    "alter",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "change",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "database",
    "default",
    "delete",
    "desc",
    "describe",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "function",
    "grant",
    "group",
    "groups",
    "having",
    "if",
    "in",
    "index",
    "inner",
    "insert",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "keys",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "lock",
    "match",
    "natural",
    "new",
    "not",
    "null",
    "of",
    "off",
    "offset",
    "old",
    "on",
    "only",
    "option",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "placing",
    "primary",
    "range",
    "rank",
    "read",
    "references",
    "rename",
    "replace",
    "returning",
    "right",
    "row",
    "rows",
    "schema",
    "select",
    "session_user",
    "set",
    "some",
    "system",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "trigger",
    "true",
    "union",
    "unique",
    "update",
    "usage",
    "use",
    "user",
    "using",
    "values",
    "variadic",
    "view",
    "when",
    "where",
    "window",
    "with",
    "write",
];
