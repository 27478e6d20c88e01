//! A table, view or materialized view as the catalog knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, Range};

use indexmap::IndexMap;

use crate::sql::{Column, Constraint, ConstraintKind, Index, Name};

/// Where the history made something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Birth {
    /// The number of the migration.
    pub migration: usize,
    /// The clause, as a byte range in the migration's file.
    pub range: Range<usize>,
    /// In the body of a DO or a function: whether it has run, the history does not tell.
    pub in_body: bool,
}

/// A part of a table, and where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Born<T> {
    pub part: T,
    pub at: Birth,
}

impl<T> Deref for Born<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.part
    }
}

/// What rows can be selected from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    View,
    MaterializedView,
}

/// A table, a view or a materialized view. The maps are by folded name and in the order of the definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// As its creator wrote it.
    pub name: Name,
    pub kind: Kind,
    /// What an inline constraint demands stands in `constraints`, not in the column.
    pub columns: IndexMap<String, Born<Column>>,
    /// There are no other columns. Not so of views, and of what a query made.
    pub columns_known: bool,
    /// Each with its name, chosen as the server chooses it where the statement gave none. The index behind
    /// a key is in `using_index` and not among `indexes`; MySQL's unique keys are indexes.
    pub constraints: IndexMap<String, Born<Constraint>>,
    pub indexes: IndexMap<String, Born<Index>>,
    /// There are no other constraints and indexes.
    pub parts_known: bool,
    /// Indexes whose build failed or has not ended, by folded name; only a live database tells.
    pub invalid_indexes: BTreeSet<String>,
    /// Indexes that MySQL has made for a foreign key, by folded name: it drops them when another one serves.
    pub generated_indexes: BTreeSet<String>,
    pub triggers: BTreeMap<String, Birth>,
    pub policies: BTreeMap<String, Birth>,
    /// Row-level security is switched on.
    pub row_security: bool,
    /// It has partitions of its own, and their folded names.
    pub partitioned: bool,
    pub partition_of: Option<Name>,
    /// MySQL's table options, names in upper case and values in lower case: `ROW_FORMAT` is `compressed`.
    pub options: BTreeMap<String, String>,
    /// The tables that it inherits from.
    pub inherits: Vec<Name>,
    /// The tables and views that a view's query names.
    pub reads: Vec<Name>,
    /// The columns that a view gives, by name; empty where they are not known.
    pub gives: Vec<String>,
    /// About how many rows it has, as a live database believes.
    pub rows: Option<u64>,
    /// What it takes on disk with its indexes.
    pub bytes: Option<u64>,
    pub born: Birth,
}

impl Table {
    /// A table without anything in it.
    pub fn new(name: Name, kind: Kind, born: Birth) -> Self {
        Self {
            name,
            kind,
            columns: IndexMap::new(),
            columns_known: kind == Kind::Table,
            constraints: IndexMap::new(),
            indexes: IndexMap::new(),
            parts_known: true,
            invalid_indexes: BTreeSet::new(),
            generated_indexes: BTreeSet::new(),
            triggers: BTreeMap::new(),
            policies: BTreeMap::new(),
            row_security: false,
            partitioned: false,
            partition_of: None,
            options: BTreeMap::new(),
            inherits: Vec::new(),
            reads: Vec::new(),
            gives: Vec::new(),
            rows: None,
            bytes: None,
            born,
        }
    }

    /// The columns of the primary key; none without one.
    pub fn primary_key(&self) -> &[String] {
        let key = self.constraints.values().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns } => Some(columns.as_slice()),
            _ => None,
        });
        key.unwrap_or_default()
    }

    /// The tables that its foreign keys point to.
    pub fn references(&self) -> impl Iterator<Item = &Name> {
        self.constraints.values().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey { references, .. } => Some(references),
            _ => None,
        })
    }

    /// The tables and views that are named in it.
    pub(super) fn mentions(&self) -> impl Iterator<Item = &Name> {
        self.references().chain(&self.partition_of).chain(&self.inherits).chain(&self.reads)
    }

    /// Every mention of another table, to be renamed.
    pub(super) fn mentions_mut(&mut self) -> impl Iterator<Item = &mut Name> {
        let references = self.constraints.values_mut().filter_map(|constraint| match &mut constraint.part.kind {
            ConstraintKind::ForeignKey { references, .. } => Some(references),
            _ => None,
        });
        references.chain(&mut self.partition_of).chain(&mut self.inherits).chain(&mut self.reads)
    }
}

/// Whether `name` is a word of `expression`, in whatever case.
pub(crate) fn mentions(expression: &str, name: &str) -> bool {
    occurrences(expression, name).next().is_some()
}

/// `expression` with every word `from` replaced by `to`.
pub(super) fn rename_word(expression: &mut String, from: &str, to: &str) {
    let places: Vec<_> = occurrences(expression, from).collect();
    for at in places.into_iter().rev() {
        expression.replace_range(at..at + from.len(), to);
    }
}

fn occurrences<'a>(expression: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let bytes = expression.as_bytes();
    let starts = expression.char_indices().map(|(at, _)| at);
    starts.filter(move |&at| {
        let end = at + name.len();
        !name.is_empty()
            && bytes.get(at..end).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
            && !expression[..at].ends_with(is_part)
            && expression.get(end..).is_some_and(|rest| !rest.starts_with(is_part))
    })
}
