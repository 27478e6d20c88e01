//! The schema as known before a statement, replayed from the history.
//!
//! An unknown table exists, is big and busy: absence from the catalog is never a reason to be quiet.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::{Change, Column, Constraint, ConstraintKind, Dialect, Index, Name};

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

/// What a migration puts in the place of a table that it drops or renames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Another table gets the name, with the rows that the migration has copied into it; otherwise an empty
    /// table is created under it.
    pub by_rename: bool,
    columns: Vec<String>,
}

/// All tables known so far.
#[derive(Debug, Clone)]
pub struct Catalog {
    dialect: Dialect,
    /// The number of the migration that is being read.
    migration: usize,
    /// By folded name.
    tables: BTreeMap<Name, Table>,
    /// The table of each index, both by folded name.
    indexes: BTreeMap<String, Name>,
    /// What this migration puts in the place of a table, by that table's folded name.
    replacements: BTreeMap<Name, Replacement>,
    /// The folded names that this migration gave to tables by renaming them.
    renamed: BTreeSet<Name>,
    /// Columns that this migration added, also to tables that the history never told of; folded names.
    new_columns: BTreeSet<(Name, String)>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            migration: 0,
            tables: BTreeMap::new(),
            indexes: BTreeMap::new(),
            replacements: BTreeMap::new(),
            renamed: BTreeSet::new(),
            new_columns: BTreeSet::new(),
        }
    }

    /// From here on, changes belong to the migration of this number, which holds `changes`.
    pub fn enter<'a>(&mut self, migration: usize, changes: impl IntoIterator<Item = &'a Change>) {
        self.migration = migration;
        self.replacements.clear();
        self.renamed.clear();
        self.new_columns.clear();
        for change in changes {
            let (name, by_rename, columns) = match change {
                Change::CreateTable { table, columns, .. } => (table, false, names(columns)),
                Change::RenameTable { table, to } => {
                    let created = self.replacements.get(&self.key(table)).map(|created| created.columns.clone());
                    let known = || self.table(table).map(|known| names(&known.columns));
                    (to, true, created.or_else(known).unwrap_or_default())
                }
                _ => continue,
            };
            self.replacements.insert(self.key(name), Replacement { by_rename, columns });
        }
    }

    /// Whose schema it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The table of this name, if the history told of it.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(&self.key(name))
    }

    /// The column of this name, if the history told of it.
    pub fn column(&self, table: &Name, column: &str) -> Option<&Column> {
        self.table(table)?.columns.iter().find(|known| self.same(&known.name, column))
    }

    /// The table that an index is on, if the history told of it.
    pub fn table_of_index(&self, index: &Name) -> Option<&Name> {
        Some(&self.tables.get(self.indexes.get(&self.fold(&index.name))?)?.name)
    }

    /// The migration that is being read created this table: nobody else uses it yet.
    pub fn is_new(&self, name: &Name) -> bool {
        self.table(name).is_some_and(|table| table.born == self.migration)
    }

    /// The migration that is being read added this column, or its whole table: nobody else uses it yet.
    pub fn is_new_column(&self, table: &Name, column: &str) -> bool {
        self.is_new(table) || self.new_columns.contains(&(self.key(table), self.fold(column)))
    }

    /// The migration that is being read gave a table this name: the running version knows it by another.
    pub fn is_renamed(&self, name: &Name) -> bool {
        self.renamed.contains(&self.key(name))
    }

    /// What the migration that is being read puts in this table's place.
    pub fn replacement(&self, name: &Name) -> Option<&Replacement> {
        self.replacements.get(&self.key(name))
    }

    /// The columns that the table has and its replacement lacks; `None` if the history does not tell.
    pub fn lost_columns(&self, name: &Name, replacement: &Replacement) -> Option<Vec<&str>> {
        let columns = &self.table(name)?.columns;
        let is_lost = |column: &&Column| !replacement.columns.iter().any(|kept| self.same(kept, &column.name));
        let lost = columns.iter().filter(is_lost).map(|column| column.name.as_str()).collect();
        (!columns.is_empty() && !replacement.columns.is_empty()).then_some(lost)
    }

    /// No two rows have the same value in this column. Of a table that the history never told of, `id` is taken
    /// for its key.
    pub fn is_unique(&self, table: &Name, column: &str) -> bool {
        let Some(known) = self.table(table) else { return self.same(column, "id") };
        let alone = |columns: &[String]| matches!(columns, [only] if self.same(only, column));
        self.column(table, column).is_some_and(|column| column.primary_key || column.unique)
            || known.indexes.iter().any(|index| index.unique && index.predicate.is_none() && alone(&index.columns))
            || known.constraints.iter().any(|constraint| match &constraint.kind {
                ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => alone(columns),
                _ => false,
            })
    }

    /// A NOT NULL, or a validated `CHECK (column IS NOT NULL)`: no row holds NULL, and none can be written.
    pub fn proves_not_null(&self, table: &Name, column: &str) -> bool {
        let Some(known) = self.table(table) else { return false };
        let wanted = self.fold(&format!("{column}isnotnull"));
        let checked = known.constraints.iter().any(|constraint| match &constraint.kind {
            ConstraintKind::Check { expression } if !constraint.not_valid => {
                let bare: String = expression.chars().filter(|c| !c.is_whitespace() && !"()\"`".contains(*c)).collect();
                bare.eq_ignore_ascii_case(&wanted)
            }
            ConstraintKind::NotNull { column: named } if !constraint.not_valid => self.same(named, column),
            _ => false,
        });
        checked || self.column(table, column).is_some_and(|column| column.not_null || column.primary_key)
    }

    /// Whether two column names mean the same column.
    pub fn same(&self, a: &str, b: &str) -> bool {
        match self.dialect {
            Dialect::Postgres => a == b,
            Dialect::Mysql | Dialect::Sqlite => a.eq_ignore_ascii_case(b),
        }
    }

    /// Replays one change. What names a table that the history never told of changes nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateTable { table, columns, constraints, indexes, if_not_exists, .. } => {
                if !(*if_not_exists && self.table(table).is_some()) {
                    self.create(table, columns, constraints, indexes);
                }
            }
            // A materialized view can have indexes, and a new one has no users yet.
            Change::CreateView { view, .. } if self.table(view).is_none() => self.create(view, &[], &[], &[]),
            Change::DropTable { table: name, .. } | Change::DropView { view: name, .. } => self.drop_table(name),
            Change::RenameTable { table, to } => self.rename_table(table, to),
            Change::CreateIndex { table, index, .. } => self.add_index(table, index),
            Change::DropIndex { table, name, .. } => self.drop_index(table.as_ref(), name),
            Change::DropTrigger { table: None, name, .. } => {
                for table in self.tables.values_mut() {
                    table.triggers.retain(|known| known != name);
                }
            }
            other => {
                if let Change::AddColumn { table, column, .. } = other {
                    self.new_columns.insert((self.key(table), self.fold(&column.name)));
                }
                self.alter(other);
            }
        }
    }

    /// Replays a change of one table's inside.
    fn alter(&mut self, change: &Change) {
        let dialect = self.dialect;
        let Some(table) = of_table(change).map(|name| self.key(name)).and_then(|key| self.tables.get_mut(&key)) else {
            return;
        };
        let same = |a: &str, b: &str| fold(dialect, a) == fold(dialect, b);
        match change {
            Change::AddColumn { column, .. } if !table.columns.iter().any(|known| same(&known.name, &column.name)) => {
                table.columns.push(column.clone());
            }
            Change::DropColumn { column, .. } => {
                table.columns.retain(|known| !same(&known.name, column));
                table.indexes.retain(|index| !index.columns.iter().any(|known| same(known, column)));
            }
            Change::RenameColumn { column, to, .. } => rename_column(table, column, to, same),
            Change::AddConstraint { constraint, .. } => table.constraints.push(constraint.clone()),
            Change::DropConstraint { name, .. } => {
                table.constraints.retain(|known| !known.name.as_deref().is_some_and(|known| same(known, name)));
            }
            Change::ValidateConstraint { name, .. } => {
                for constraint in &mut table.constraints {
                    if constraint.name.as_deref().is_some_and(|known| same(known, name)) {
                        constraint.not_valid = false;
                    }
                }
            }
            Change::CreateTrigger { name, .. } => table.triggers.push(name.clone()),
            Change::DropTrigger { name, .. } => table.triggers.retain(|known| known != name),
            Change::ChangeType { column, .. }
            | Change::SetNotNull { column, .. }
            | Change::DropNotNull { column, .. }
            | Change::SetDefault { column, .. }
            | Change::DropDefault { column, .. } => {
                if let Some(known) = table.columns.iter_mut().find(|known| same(&known.name, column)) {
                    alter_column(known, change);
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, name: &Name, columns: &[Column], constraints: &[Constraint], indexes: &[Index]) {
        let table = Table {
            name: name.clone(),
            columns: columns.to_vec(),
            constraints: constraints.to_vec(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            born: self.migration,
        };
        self.tables.insert(self.key(name), table);
        for index in indexes {
            self.add_index(name, index);
        }
    }

    fn drop_table(&mut self, name: &Name) {
        let Some(table) = self.tables.remove(&self.key(name)) else { return };
        for index in table.indexes.iter().filter_map(|index| index.name.as_deref()) {
            self.indexes.remove(&self.fold(index));
        }
    }

    fn rename_table(&mut self, name: &Name, to: &Name) {
        self.renamed.insert(self.key(to));
        let Some(mut table) = self.tables.remove(&self.key(name)) else { return };
        // PostgreSQL's RENAME TO names no schema: the table stays where it is.
        let to = Name { schema: to.schema.clone().or(name.schema.clone()), name: to.name.clone() };
        let key = self.key(&to);
        self.renamed.insert(key.clone());
        table.name = to;
        for index in table.indexes.iter().filter_map(|index| index.name.as_deref()) {
            self.indexes.insert(self.fold(index), key.clone());
        }
        self.tables.insert(key, table);
    }

    fn add_index(&mut self, table: &Name, index: &Index) {
        let key = self.key(table);
        let Some(known) = self.tables.get_mut(&key) else { return };
        known.indexes.push(index.clone());
        if let Some(name) = &index.name {
            self.indexes.insert(fold(self.dialect, name), key);
        }
    }

    fn drop_index(&mut self, table: Option<&Name>, index: &Name) {
        let folded = self.fold(&index.name);
        let found = self.indexes.remove(&folded);
        let Some(key) = table.map(|name| self.key(name)).or(found) else { return };
        let dialect = self.dialect;
        if let Some(table) = self.tables.get_mut(&key) {
            table.indexes.retain(|known| known.name.as_deref().map(|name| fold(dialect, name)) != Some(folded.clone()));
        }
    }

    fn fold(&self, name: &str) -> String {
        fold(self.dialect, name)
    }

    /// The name under which a table is kept: without the schema that is searched anyway.
    fn key(&self, name: &Name) -> Name {
        let usual = match self.dialect {
            Dialect::Postgres => Some("public"),
            Dialect::Sqlite => Some("main"),
            Dialect::Mysql => None,
        };
        let schema = name.schema.as_deref().map(|schema| self.fold(schema));
        Name { schema: schema.filter(|schema| Some(schema.as_str()) != usual), name: self.fold(&name.name) }
    }
}

fn fold(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Postgres => name.to_string(),
        Dialect::Mysql | Dialect::Sqlite => name.to_ascii_lowercase(),
    }
}

/// The table whose inside a change alters.
fn of_table(change: &Change) -> Option<&Name> {
    match change {
        Change::AddColumn { table, .. }
        | Change::DropColumn { table, .. }
        | Change::RenameColumn { table, .. }
        | Change::ChangeType { table, .. }
        | Change::SetNotNull { table, .. }
        | Change::DropNotNull { table, .. }
        | Change::SetDefault { table, .. }
        | Change::DropDefault { table, .. }
        | Change::AddConstraint { table, .. }
        | Change::DropConstraint { table, .. }
        | Change::ValidateConstraint { table, .. }
        | Change::CreateTrigger { table, .. }
        | Change::DropTrigger { table: Some(table), .. } => Some(table),
        _ => None,
    }
}

fn alter_column(column: &mut Column, change: &Change) {
    match change {
        Change::ChangeType { to, .. } => column.data_type.clone_from(to),
        Change::SetNotNull { .. } => column.not_null = true,
        Change::DropNotNull { .. } => column.not_null = false,
        Change::SetDefault { expression, .. } => column.default = Some(expression.clone()),
        Change::DropDefault { .. } => column.default = None,
        _ => {}
    }
}

fn rename_column(table: &mut Table, from: &str, to: &str, same: impl Fn(&str, &str) -> bool) {
    let rename = |name: &mut String| {
        if same(name, from) {
            *name = to.to_string();
        }
    };
    table.columns.iter_mut().for_each(|column| rename(&mut column.name));
    table.indexes.iter_mut().flat_map(|index| &mut index.columns).for_each(rename);
    for constraint in &mut table.constraints {
        match &mut constraint.kind {
            ConstraintKind::ForeignKey { columns, .. }
            | ConstraintKind::Unique { columns }
            | ConstraintKind::PrimaryKey { columns } => columns.iter_mut().for_each(rename),
            ConstraintKind::NotNull { column } => rename(column),
            ConstraintKind::Check { .. } | ConstraintKind::Exclude => {}
        }
    }
}

fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}
