//! Where two catalogs of one database disagree: what the history makes, and what a live database has.
//!
//! Only what both can tell is compared: a type by its meaning and not by its spelling, a key by its columns and not
//! by a name that servers choose differently, an expression by the name of its index alone.

mod spelling;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::catalog::{Birth, Born, Catalog, Kind, Table};
use crate::sql::{Column, Constraint, ConstraintKind, Dialect, Index, Name};

/// One table about which the two disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    pub table: Name,
    /// Where the history made the table, or what differs in it; `None` if it did not.
    pub born: Option<Birth>,
    pub what: What,
}

/// How they disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The history makes the table, and the database lacks it.
    Missing,
    /// The database has the table, and the history does not make it.
    Unknown,
    /// What differs inside, a fragment each.
    Differs(Vec<String>),
}

/// What `replayed` and `live` disagree about, by the tables' keys; `ignored` are tables that are nobody's business.
pub fn drift(replayed: &Catalog, live: &Catalog, ignored: &[Name]) -> Vec<Drift> {
    // Whether a body has run, the history does not tell; and a session's tables are gone with it.
    let ignored: BTreeSet<Name> = ignored.iter().map(|name| live.key(name)).collect();
    let ignored =
        |key: &Name| ignored.contains(key) || replayed.conditional.contains(key) || replayed.temporary.contains(key);
    let mut drifts = Vec::new();
    let mut schemas = BTreeSet::new();
    for (key, table) in &replayed.tables {
        schemas.insert(&key.schema);
        if ignored(key) {
            continue;
        }
        let found = |born: &Birth, what| Drift { table: table.name.clone(), born: Some(born.clone()), what };
        match live.tables.get(key) {
            None => drifts.push(found(&table.born, What::Missing)),
            Some(other) => {
                let differences = differences(live.dialect, table, other);
                if let Some(first) = differences.first() {
                    let born = first.born.clone().unwrap_or_else(|| table.born.clone());
                    drifts.push(found(&born, What::Differs(differences.into_iter().map(|it| it.text).collect())));
                }
            }
        }
    }
    for (key, table) in &live.tables {
        // A schema that the history never touches is somebody else's.
        if !replayed.tables.contains_key(key) && schemas.contains(&key.schema) && !ignored(key) {
            drifts.push(Drift { table: table.name.clone(), born: None, what: What::Unknown });
        }
    }
    drifts
}

/// One thing that differs, and where the history made it.
struct Difference {
    born: Option<Birth>,
    text: String,
}

impl Difference {
    fn made(born: &Birth, text: String) -> Self {
        Self { born: Some(born.clone()), text }
    }

    fn unmade(text: String) -> Self {
        Self { born: None, text }
    }
}

fn differences(dialect: Dialect, history: &Table, live: &Table) -> Vec<Difference> {
    // What a view's columns are, the history does not tell.
    if history.kind != Kind::Table || live.kind != Kind::Table {
        return Vec::new();
    }
    let mut found = columns(dialect, history, live);
    // A partition has its parent's keys, which the history does not repeat.
    if history.parts_known && live.parts_known && history.partition_of.is_none() && live.partition_of.is_none() {
        keys(dialect, history, live, &mut found);
        indexes(dialect, history, live, &mut found);
    }
    found
}

fn columns(dialect: Dialect, history: &Table, live: &Table) -> Vec<Difference> {
    let mut found = Vec::new();
    for (key, column) in &history.columns {
        let name = &column.name;
        let Some(other) = live.columns.get(key) else {
            found.push(Difference::made(&column.at, format!("the database lacks the column `{name}`")));
            continue;
        };
        if !spelling::same_type(dialect, &column.data_type, &other.data_type) {
            let text = format!("`{name}` is {} here and {} in the database", column.data_type, other.data_type);
            found.push(Difference::made(&column.at, text));
        }
        // Whether SQLite's key refuses NULL depends on more than its definition.
        let is_key = || history.primary_key().iter().any(|key| key.eq_ignore_ascii_case(name));
        let told = dialect != Dialect::Sqlite || !is_key();
        if told && refuses_null(dialect, column) != refuses_null(dialect, other) {
            let words = |column: &Column| if column.not_null { "NOT NULL" } else { "nullable" };
            let text = format!("`{name}` is {} here and {} in the database", words(column), words(other));
            found.push(Difference::made(&column.at, text));
        }
    }
    if history.columns_known {
        let extra = live.columns.iter().filter(|(key, _)| !history.columns.contains_key(*key));
        found.extend(extra.map(|(_, column)| {
            Difference::unmade(format!("the database has a column `{}` that no migration makes", column.name))
        }));
    }
    found
}

/// What a generated column refuses, servers do not tell alike.
fn refuses_null(dialect: Dialect, column: &Column) -> bool {
    column.not_null && !(column.generated.is_some() && dialect == Dialect::Mysql)
}

/// Primary and foreign keys, by their columns.
fn keys(dialect: Dialect, history: &Table, live: &Table, found: &mut Vec<Difference>) {
    let shape = |constraint: &Constraint| shape(dialect, constraint);
    compare(&history.constraints, &live.constraints, shape, found);
}

/// A primary or foreign key in words; `None` for what is not compared.
fn shape(dialect: Dialect, constraint: &Constraint) -> Option<String> {
    let list = |columns: &[String]| columns.join(", ");
    let words = match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } => format!("primary key ({})", list(columns)),
        ConstraintKind::ForeignKey { columns, references } => {
            format!("foreign key ({}) to `{}`", list(columns), references.name)
        }
        _ => return None,
    };
    Some(if dialect == Dialect::Postgres { words } else { words.to_ascii_lowercase() })
}

/// What one has and the other lacks, each as often as it has it.
fn compare<T>(
    history: &IndexMap<String, Born<T>>,
    live: &IndexMap<String, Born<T>>,
    shape: impl Fn(&T) -> Option<String>,
    found: &mut Vec<Difference>,
) {
    let mut left: Vec<String> = live.values().filter_map(|part| shape(&part.part)).collect();
    for part in history.values() {
        let Some(wanted) = shape(&part.part) else { continue };
        match left.iter().position(|shape| *shape == wanted) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => found.push(Difference::made(&part.at, format!("the database lacks the {wanted}"))),
        }
    }
    found.extend(left.into_iter().map(|shape| Difference::unmade(format!("no migration makes the {shape}"))));
}

/// Indexes and unique keys: one with an expression or a condition by its name, any other by its columns.
fn indexes(dialect: Dialect, history: &Table, live: &Table, found: &mut Vec<Difference>) {
    let (ours, theirs) = (all_indexes(history), all_indexes(live));
    let mut left: Vec<(&String, &Index)> = theirs.iter().map(|(name, index)| (name, &index.part)).collect();
    let mut unmatched = Vec::new();
    for (name, index) in &ours {
        match left.iter().position(|(other, _)| *other == name) {
            Some(at) => {
                let (_, other) = left.swap_remove(at);
                if is_simple(index) && is_simple(other) && words(dialect, index) != words(dialect, other) {
                    let text = format!(
                        "`{name}` is the {} here and the {} in the database",
                        words(dialect, index),
                        words(dialect, other)
                    );
                    found.push(Difference::made(&index.at, text));
                }
            }
            None => unmatched.push((name, index)),
        }
    }
    for (name, index) in unmatched {
        let twin = |(_, other): &(&String, &Index)| is_simple(other) && words(dialect, other) == words(dialect, index);
        match left.iter().position(twin).filter(|_| is_simple(index)) {
            Some(at) => {
                left.swap_remove(at);
            }
            // MySQL drops an index that it made for a foreign key when another one serves.
            None if dialect == Dialect::Mysql && serves_foreign_key(history, index) => {}
            None => found.push(Difference::made(
                &index.at,
                format!("the database lacks the {}{}", words(dialect, index), named(name)),
            )),
        }
    }
    let left = left.into_iter().filter(|(_, index)| dialect != Dialect::Mysql || !serves_foreign_key(live, index));
    found.extend(left.map(|(name, index)| {
        Difference::unmade(format!("no migration makes the {}{}", words(dialect, index), named(name)))
    }));
}

/// The indexes, and those behind unique keys.
fn all_indexes(table: &Table) -> IndexMap<String, Born<Index>> {
    let mut all = table.indexes.clone();
    for (name, constraint) in &table.constraints {
        if let ConstraintKind::Unique { columns } = &constraint.kind {
            let columns = columns.clone();
            let index =
                Index { name: None, columns, unique: true, method: None, predicate: None, plain: true, only: false };
            all.insert(name.clone(), Born { part: index, at: constraint.at.clone() });
        }
    }
    all
}

/// Nothing but columns and no condition: both sides write it alike.
fn is_simple(index: &Index) -> bool {
    let is_name = |part: &String| part.chars().all(|c| c.is_alphanumeric() || "_$ -.".contains(c));
    index.predicate.is_none() && index.columns.iter().all(is_name)
}

fn words(dialect: Dialect, index: &Index) -> String {
    let unique = if index.unique { "unique " } else { "" };
    let columns = index.columns.join(", ");
    format!("{unique}index on ({})", if dialect == Dialect::Postgres { columns } else { columns.to_ascii_lowercase() })
}

/// The end of a sentence about an index; SQLite's keys have no names.
fn named(name: &str) -> String {
    if name.starts_with('#') { String::new() } else { format!(", `{name}`") }
}

fn serves_foreign_key(table: &Table, index: &Index) -> bool {
    table.constraints.values().any(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey { columns, .. } => {
            columns.len() == index.columns.len()
                && columns.iter().zip(&index.columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
        }
        _ => false,
    })
}
