//! Tables that a migration builds anew under their old name, as SQLite's manual tells it: create, copy, drop, rename;
//! or rename, create, copy, drop. Whoever asks gets what such a rebuild changes, in the words of ALTER TABLE.

mod losses;

use std::collections::{BTreeMap, BTreeSet};

pub use losses::Loss;

use super::{Catalog, Table};
use crate::sql::{Change, Column, ColumnsFrom, ConstraintKind, Index, Name, Query};

/// What a migration puts in the place of a table that it drops or renames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rebuild {
    /// Its rows come from the old table, or from a table that is older than the migration.
    pub copies_rows: bool,
    /// The copy may leave some of them out.
    partial: bool,
    columns: Vec<Column>,
    /// There are no other columns.
    columns_known: bool,
    indexes: Vec<Index>,
    /// The columns of its primary and unique keys.
    keys: Vec<Vec<String>>,
    triggers: BTreeSet<String>,
    /// Of each new column, by folded name, the folded name of the old one that it is copied from.
    copied: BTreeMap<String, String>,
}

/// Who has a name in the course of a migration.
enum Holder {
    /// The table that had this key before the migration.
    Old(Name),
    New(New),
}

/// A table that the migration has made.
#[derive(Default)]
struct New {
    rebuild: Rebuild,
    /// The columns that each of its columns is copied from, by folded name, with the key of an older table.
    sources: BTreeMap<String, (Name, String)>,
    /// The older tables whose rows it has.
    rows_of: BTreeSet<Name>,
}

/// What the changes put in the place of each table that they take away, by its key.
pub(super) fn find<'a>(catalog: &Catalog, changes: impl IntoIterator<Item = &'a Change>) -> BTreeMap<Name, Rebuild> {
    let mut course = Course { catalog, holders: BTreeMap::new(), gone: BTreeSet::new() };
    for change in changes {
        course.follow(change);
    }
    let Course { holders, gone, .. } = course;
    let replaced = holders.into_iter().filter(|(key, _)| gone.contains(key));
    replaced.filter_map(|(key, holder)| Some((key.clone(), replacement(catalog, &key, holder)?))).collect()
}

/// What now has the name of a table that is gone.
fn replacement(catalog: &Catalog, key: &Name, holder: Holder) -> Option<Rebuild> {
    match holder {
        Holder::Old(older) if older == *key => None,
        Holder::Old(older) => {
            let table = catalog.tables.get(&older);
            Some(Rebuild {
                copies_rows: true,
                columns: table.into_iter().flat_map(|it| it.columns.values()).map(|it| it.part.clone()).collect(),
                columns_known: table.is_some_and(|it| it.columns_known),
                indexes: table.into_iter().flat_map(|it| it.indexes.values()).map(|it| it.part.clone()).collect(),
                triggers: table.into_iter().flat_map(|it| it.triggers.keys().cloned()).collect(),
                keys: table
                    .into_iter()
                    .flat_map(|it| it.constraints.values())
                    .filter_map(|it| key_columns(&it.kind))
                    .collect(),
                ..Rebuild::default()
            })
        }
        Holder::New(new) => Some(Rebuild {
            copies_rows: new.rows_of.contains(key),
            copied: new
                .sources
                .into_iter()
                .filter(|(_, (table, _))| table == key)
                .map(|(column, (_, source))| (column, source))
                .collect(),
            ..new.rebuild
        }),
    }
}

struct Course<'a> {
    catalog: &'a Catalog,
    holders: BTreeMap<Name, Holder>,
    /// The keys from which the migration took the table away.
    gone: BTreeSet<Name>,
}

impl Course<'_> {
    fn follow(&mut self, change: &Change) {
        match change {
            Change::CreateTable { table, columns, constraints, indexes, columns_from, .. } => {
                let keyed = constraints.iter().filter_map(|constraint| match &constraint.kind {
                    ConstraintKind::PrimaryKey { columns } => Some(columns),
                    _ => None,
                });
                let mut columns = columns.clone();
                for name in keyed.flatten() {
                    let named = columns.iter_mut().filter(|column| self.catalog.same(&column.name, name));
                    named.for_each(|column| column.primary_key = true);
                }
                let columns_known = !columns.is_empty() && !columns_from.contains(&ColumnsFrom::Query);
                let alone = columns.iter().filter(|column| column.unique || column.primary_key);
                let keys = alone.map(|column| vec![column.name.clone()]);
                let keys = keys.chain(constraints.iter().filter_map(|it| key_columns(&it.kind))).collect();
                let rebuild = Rebuild { columns, columns_known, indexes: indexes.clone(), keys, ..Rebuild::default() };
                self.holders.insert(self.catalog.key(table), Holder::New(New { rebuild, ..New::default() }));
            }
            Change::DropTable { table, .. } => {
                let key = self.catalog.key(table);
                if !matches!(self.holders.remove(&key), Some(Holder::New(_))) {
                    self.gone.insert(key);
                }
            }
            Change::RenameTable { table, to } => {
                let key = self.catalog.key(table);
                let holder = self.holders.remove(&key).unwrap_or_else(|| {
                    self.gone.insert(key.clone());
                    Holder::Old(key)
                });
                let schema = to.schema.clone().or_else(|| table.schema.clone());
                self.holders.insert(self.catalog.key(&Name { schema, name: to.name.clone() }), holder);
            }
            Change::Insert { table, columns, query: Some(query), on_conflict } => {
                self.copy(table, columns, query, query.partial || on_conflict.is_some());
            }
            Change::CreateIndex { table, index, .. } => {
                if let Some(new) = self.new_table(table) {
                    new.rebuild.indexes.push(index.clone());
                }
            }
            Change::CreateTrigger { table, name } => {
                let name = self.catalog.fold(name);
                if let Some(new) = self.new_table(table) {
                    new.rebuild.triggers.insert(name);
                }
            }
            Change::AddColumn { table, column, .. } => {
                if let Some(new) = self.new_table(table) {
                    new.rebuild.columns.push(column.clone());
                }
            }
            Change::DropColumn { table, column, .. } => {
                let catalog = self.catalog;
                if let Some(new) = self.new_table(table) {
                    new.rebuild.columns.retain(|known| !catalog.same(&known.name, column));
                }
            }
            _ => {}
        }
    }

    fn new_table(&mut self, name: &Name) -> Option<&mut New> {
        match self.holders.get_mut(&self.catalog.key(name)) {
            Some(Holder::New(new)) => Some(new),
            _ => None,
        }
    }

    /// Rows are copied into a table: `INSERT INTO new (a, b) SELECT a, c FROM old`.
    fn copy(&mut self, table: &Name, columns: &[String], query: &Query, partial: bool) {
        let catalog = self.catalog;
        let [from] = query.reads.as_slice() else { return self.copy_rows(table, query, partial) };
        let from = catalog.key(from);
        let selects: Vec<String> = match query.selects.as_slice() {
            [all] if all == "*" || all.ends_with(".*") => self.columns_of(&from),
            [] => columns.iter().map(|column| catalog.fold(column)).collect(),
            listed => listed.iter().map(|column| catalog.fold(column)).collect(),
        };
        let sources: Vec<_> = selects.into_iter().map(|column| self.source(&from, column)).collect();
        self.copy_rows(table, query, partial);
        let Some(new) = self.new_table(table) else { return };
        let listed: Vec<String> = match columns.is_empty() {
            true => new.rebuild.columns.iter().map(|column| catalog.fold(&column.name)).collect(),
            false => columns.iter().map(|column| catalog.fold(column)).collect(),
        };
        new.sources.extend(listed.into_iter().zip(sources).filter_map(|(to, source)| Some((to, source?))));
    }

    /// The older table's column that an item selects from a table, if it is a column at all.
    fn source(&self, from: &Name, item: String) -> Option<(Name, String)> {
        match self.holders.get(from) {
            Some(Holder::New(new)) => new.sources.get(&item).cloned(),
            Some(Holder::Old(old)) => Some((old.clone(), item)),
            None => Some((from.clone(), item)),
        }
    }

    fn columns_of(&self, table: &Name) -> Vec<String> {
        let old = match self.holders.get(table) {
            Some(Holder::New(new)) => {
                return new.rebuild.columns.iter().map(|column| self.catalog.fold(&column.name)).collect();
            }
            Some(Holder::Old(old)) => old,
            None => table,
        };
        self.catalog.tables.get(old).map(|old| old.columns.keys().cloned().collect()).unwrap_or_default()
    }

    fn copy_rows(&mut self, table: &Name, query: &Query, mut partial: bool) {
        let mut rows_of = BTreeSet::new();
        for read in &query.reads {
            let key = self.catalog.key(read);
            match self.holders.get(&key) {
                Some(Holder::New(new)) => {
                    partial |= new.rebuild.partial;
                    rows_of.extend(new.rows_of.iter().cloned());
                }
                Some(Holder::Old(old)) => {
                    rows_of.insert(old.clone());
                }
                None => {
                    rows_of.insert(key);
                }
            }
        }
        if let Some(new) = self.new_table(table) {
            new.rows_of.extend(rows_of);
            new.rebuild.partial |= partial;
        }
    }
}

impl Rebuild {
    /// What it changes about the old table; `None` where the rows are not copied or not all columns are known.
    pub(super) fn differences(&self, catalog: &Catalog, old: &Table) -> Option<Vec<Change>> {
        if !(self.copies_rows && self.columns_known && old.columns_known) {
            return None;
        }
        let table = || old.name.clone();
        let mut changes = Vec::new();
        let mut renamed = BTreeSet::new();
        for (folded, column) in &old.columns {
            let is_copied = |new: &&Column| {
                let new = catalog.fold(&new.name);
                !old.columns.contains_key(&new) && self.copied.get(&new) == Some(folded)
            };
            if let Some(new) = self.columns.iter().find(|new| catalog.same(&new.name, &column.name)) {
                changes.extend(column_differences(catalog, old, &column.part, new));
            } else if let Some(new) = self.columns.iter().find(is_copied) {
                renamed.insert(catalog.fold(&new.name));
                let (column, to) = (column.name.clone(), new.name.clone());
                changes.push(Change::RenameColumn { table: table(), column, to });
            } else {
                let column = column.name.clone();
                changes.push(Change::DropColumn { table: table(), column, if_exists: false, cascade: false });
            }
        }
        for new in &self.columns {
            let folded = catalog.fold(&new.name);
            if !old.columns.contains_key(&folded) && !renamed.contains(&folded) {
                changes.extend(added(&old.name, new));
            }
        }
        changes.extend(self.lost_keys(catalog, old));
        changes.extend(self.lost_parts(catalog, old));
        Some(changes)
    }

    /// Indexes and triggers that are not made again.
    fn lost_parts(&self, catalog: &Catalog, old: &Table) -> Vec<Change> {
        let again = |lost: &Index| {
            let same = |(new, lost): (&String, &String)| catalog.same(new, lost);
            self.indexes.iter().any(|new| {
                new.unique == lost.unique
                    && new.predicate.is_some() == lost.predicate.is_some()
                    && new.columns.len() == lost.columns.len()
                    && new.columns.iter().zip(&lost.columns).all(same)
            })
        };
        let lost = old.indexes.values().filter(|index| !again(index)).filter_map(|index| index.name.clone());
        let dropped = |name: String| Change::DropIndex {
            table: Some(old.name.clone()),
            name: Name { schema: old.name.schema.clone(), name },
            concurrently: false,
            if_exists: false,
            cascade: false,
        };
        let silenced = old
            .triggers
            .keys()
            .filter(|name| !self.triggers.contains(*name))
            .map(|name| Change::DropTrigger { table: Some(old.name.clone()), name: name.clone(), if_exists: false });
        lost.map(dropped).chain(silenced).collect()
    }
}

/// The columns of a key.
fn key_columns(kind: &ConstraintKind) -> Option<Vec<String>> {
    match kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => Some(columns.clone()),
        _ => None,
    }
}

/// A column that the old table lacks. Its NOT NULL is told apart: the rows are copied, only new ones can fail.
fn added(table: &Name, column: &Column) -> Vec<Change> {
    let filled = column.default.is_some() || column.generated.is_some() || column.identity || column.primary_key;
    let nullable = Column { not_null: false, ..column.clone() };
    let mut changes =
        vec![Change::AddColumn { table: table.clone(), column: nullable, if_not_exists: false, positioned: false }];
    if column.not_null && !filled {
        changes.push(Change::SetNotNull { table: table.clone(), column: column.name.clone() });
    }
    changes
}

fn column_differences(catalog: &Catalog, old: &Table, before: &Column, after: &Column) -> Vec<Change> {
    let table = || old.name.clone();
    let column = || after.name.clone();
    let mut changes = Vec::new();
    if !before.data_type.eq_ignore_ascii_case(&after.data_type) {
        let to = after.data_type.clone();
        let collation = after.collation.clone();
        changes.push(Change::ChangeType {
            table: table(),
            column: column(),
            to,
            collation,
            using: None,
            attributes: Vec::new(),
            positioned: false,
        });
    }
    // A key is NOT NULL without saying so, or, in SQLite, says so without being it.
    let was_key = old.primary_key().iter().any(|name| catalog.same(name, &before.name));
    if after.not_null && !before.not_null && !was_key {
        changes.push(Change::SetNotNull { table: table(), column: column() });
    } else if before.not_null && !after.not_null && !after.primary_key {
        changes.push(Change::DropNotNull { table: table(), column: column() });
    }
    match (&before.default, &after.default) {
        (Some(before), Some(after)) if before == after => {}
        (_, Some(expression)) => {
            let expression = expression.clone();
            changes.push(Change::SetDefault { table: table(), column: column(), expression });
        }
        (Some(_), None) => changes.push(Change::DropDefault { table: table(), column: column() }),
        (None, None) => {}
    }
    changes
}
