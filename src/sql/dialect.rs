//! The three SQL dialects, and the few things in which they differ for everyone else.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use crate::error::{Error, Result, closest};

mod clause;
mod cursor;
mod dml;
mod filter;
pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod sqlite;
mod sqlparser;
mod tokens;

pub(super) use cursor::unquote;
pub use dml::{Dml, Verb, dml, tables_read};
pub use filter::conditions;

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
            && !is_reserved(name);
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

    /// The condition that a column differs from an expression, NULL being a value like any other; text by
    /// its bytes, whatever a collation takes for equal.
    pub fn distinct(self, column: &str, expression: &str) -> String {
        match self {
            Self::Postgres => format!("{column} IS DISTINCT FROM ({expression})"),
            Self::Mysql => {
                let bytes = |text: &str| format!("CAST(CONVERT({text} USING utf8mb4) AS BINARY)");
                format!(
                    "(NOT ({column} <=> ({expression})) OR COLLATION({column}) <> 'binary' AND NOT ({} <=> {}))",
                    bytes(column),
                    bytes(expression)
                )
            }
            Self::Sqlite => format!("{column} IS DISTINCT FROM ({expression}) COLLATE BINARY"),
        }
    }

    /// The condition that columns differ from what a query in parentheses gives for them; MySQL assigns no rows.
    pub fn row_distinct(self, columns: &[String], query: &str) -> String {
        if self == Self::Sqlite {
            return format!("({}) IS NOT {query}", columns.join(", "));
        }
        let names: Vec<String> = (1..=columns.len()).map(|number| format!("value_{number}")).collect();
        let same =
            columns.iter().zip(&names).map(|(column, value)| format!("{column} IS NOT DISTINCT FROM written.{value}"));
        let null = columns.iter().map(|column| format!("{column} IS NULL"));
        // A query without a row assigns NULL.
        format!(
            "NOT EXISTS (SELECT 1 FROM {query} AS written ({}) WHERE {}) AND NOT (NOT EXISTS {query} AND {})",
            names.join(", "),
            same.collect::<Vec<_>>().join(" AND "),
            null.collect::<Vec<_>>().join(" AND "),
        )
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

fn is_reserved(word: &str) -> bool {
    static WORDS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| RESERVED.split(' ').collect());
    WORDS.contains(word)
}

/// Words that at least one of the three, or a newer version of it, reserves; quoting one too many is harmless.
const RESERVED: &str = "\
    accessible add all alter analyse analyze and any array as asc asensitive asymmetric authorization \
    autoincrement before between bigint binary blob both by call cascade case cast change char character check \
    collate collation column commit concurrently condition constraint continue convert create cross cube \
    cume_dist current_catalog current_date current_role current_schema current_time current_timestamp \
    current_user cursor database databases day_hour day_microsecond day_minute day_second dec decimal declare \
    default deferrable delayed delete delete_domain_id dense_rank desc describe deterministic distinct \
    distinctrow div do do_domain_ids double drop dual each else elseif empty enclosed end escape escaped except \
    exists exit explain false fetch first_value float float4 float8 for force foreign freeze from full fulltext \
    function generated get grant group grouping groups having high_priority hour_microsecond hour_minute \
    hour_second if ignore ignore_domain_ids ilike in index indexed infile initially inner inout insensitive \
    insert int int1 int2 int3 int4 int8 integer intersect interval into io_after_gtids io_before_gtids is isnull \
    iterate join json_table key keys kill lag last_value lateral lead leading leave left library like limit \
    linear lines load localtime localtimestamp lock long longblob longtext loop low_priority manual master_bind \
    master_demote_to_replica master_demote_to_slave master_ssl_verify_server_cert match maxvalue mediumblob \
    mediumint mediumtext middleint minute_microsecond minute_second mod modifies natural new no_write_to_binlog \
    not nothing notnull nth_value ntile null numeric of off offset old on only optimize optimizer_costs option \
    optionally or order out outer outfile over overlaps page_checksum parallel parse_vcol_expr partition \
    percent_rank placing portion precision primary procedure purge qualify raise range rank read read_write \
    reads real recursive ref_system_id references regexp release rename repeat replace require resignal restrict \
    return returning revoke right rlike row row_number rownum rows schema schemas second_microsecond select \
    sensitive separator session_user set show signal similar smallint some spatial specific sql sql_big_result \
    sql_calc_found_rows sql_small_result sqlexception sqlstate sqlwarning ssl starting stats_auto_recalc \
    stats_persistent stats_sample_pages stored straight_join symmetric system system_user table tablesample \
    terminated then tinyblob tinyint tinytext to trailing transaction trigger true undo union unique unlock \
    unsigned update usage use user using utc_date utc_time utc_timestamp values varbinary varchar varcharacter \
    variadic varying verbose view virtual when where while window with write xor year_month zerofill";
