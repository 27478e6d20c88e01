//! The schema as known before a statement, replayed from the history.
//!
//! An unknown table exists, is big and busy: absence from the catalog is never a reason to be quiet.

use std::collections::BTreeMap;

use crate::sql::{Change, Column, Constraint, Dialect, Index, Name};

/// A table as the history left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: Name,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    pub indexes: Vec<Index>,
    pub triggers: Vec<String>,
    /// The number of the migration that created it.
    pub born: usize,
}

/// All tables known so far.
#[derive(Debug, Clone)]
pub struct Catalog {
    dialect: Dialect,
    /// The number of the migration that is being read.
    migration: usize,
    tables: BTreeMap<Name, Table>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, migration: 0, tables: BTreeMap::new() }
    }

    /// From here on, changes belong to the migration of this number.
    pub fn enter(&mut self, migration: usize) {
        self.migration = migration;
    }

    /// The table of this name, if the history told of it.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        let _ = self.dialect;
        self.tables.get(name)
    }

    /// The migration that is being read created this table: nobody else uses it yet.
    pub fn is_new(&self, name: &Name) -> bool {
        self.table(name).is_some_and(|table| table.born == self.migration)
    }

    /// Replays one change.
    pub fn apply(&mut self, change: &Change) {
        let _ = change;
    }
}
