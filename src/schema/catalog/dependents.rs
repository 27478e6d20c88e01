//! What hangs on a table: views that read it, foreign keys that point to it, its partitions and heirs. A rename goes
//! on to them, a drop takes them along.

use std::collections::BTreeSet;

use super::{Catalog, Kind, Table};
use crate::sql::{ConstraintKind, Dialect, Name};

impl Catalog {
    /// The tables and views that name this table or type: by a foreign key, as what they read, as their parent, as the
    /// type of a column.
    pub fn users(&self, name: &Name) -> impl Iterator<Item = &Table> {
        let key = match self.data_type(name) {
            Some(_) if self.table(name).is_none() => self.resolve(name, |key| self.data_types.contains_key(key)),
            _ => self.key(name),
        };
        self.users.get(&key).into_iter().flatten().filter_map(|user| self.tables.get(user).map(Box::as_ref))
    }

    /// The names of the columns that a view gives which reads these and says `columns`; empty where they are not known.
    pub fn given(&self, reads: &[Name], columns: &[String]) -> Vec<String> {
        if !columns.iter().any(|column| column == "*") {
            return columns.to_vec();
        }
        let [only] = reads else { return Vec::new() };
        let Some(read) = self.table(only) else { return Vec::new() };
        let all: Vec<String> = match read.kind {
            Kind::Table if read.columns_known => read.columns.values().map(|column| column.name.clone()).collect(),
            Kind::Table => Vec::new(),
            Kind::View | Kind::MaterializedView => read.gives.clone(),
        };
        if all.is_empty() {
            return all;
        }
        columns.iter().filter(|column| *column != "*").cloned().chain(all).collect()
    }

    /// Whether two names mean the same table.
    pub fn is_same_table(&self, a: &Name, b: &Name) -> bool {
        self.key(a) == self.key(b)
    }

    /// The partitions and heirs of a table.
    pub(super) fn children(&self, key: &Name) -> Vec<Name> {
        let is_child = |user: &&Name| {
            let known = self.tables.get(user);
            known.is_some_and(|known| {
                known.partition_of.iter().chain(&known.inherits).any(|parent| self.settled_key(parent) == *key)
            })
        };
        self.users.get(key).into_iter().flatten().filter(is_child).cloned().collect()
    }

    /// Takes a table or a view away, and what cannot be without it. With `cascade`, what the server takes along.
    pub(super) fn forget_table(&mut self, key: &Name, cascade: bool) {
        let mut open = vec![key.clone()];
        while let Some(key) = open.pop() {
            let Some(table) = self.tables.remove(&key) else { continue };
            let constraints = table.constraints.keys().chain(table.indexes.keys());
            for name in constraints {
                self.indexes.remove(&Name { schema: key.schema.clone(), name: name.clone() });
            }
            self.sequences_of(&key);
            self.temporary.remove(&key);
            if self.dialect != Dialect::Postgres {
                continue;
            }
            for user in self.users.get(&key).cloned().unwrap_or_default() {
                let Some(known) = self.tables.get(&user) else { continue };
                let points_here = |name: &Name| self.settled_key(name) == key;
                if known.partition_of.iter().any(points_here)
                    || (cascade && known.inherits.iter().chain(&known.reads).any(points_here))
                {
                    open.push(user);
                } else if cascade {
                    self.forget_foreign_keys(&user, &key);
                }
            }
        }
    }

    fn forget_foreign_keys(&mut self, of: &Name, to: &Name) {
        let Some(mut table) = self.tables.remove(of) else { return };
        table.constraints.retain(|_, constraint| match &constraint.kind {
            ConstraintKind::ForeignKey { references, .. } => self.settled_key(references) != *to,
            _ => true,
        });
        self.tables.insert(of.clone(), table);
    }

    /// Which views read a column that is dropped with CASCADE, the history does not tell: they may be gone.
    pub(super) fn cascade_from_column(&mut self, key: &Name) {
        for user in self.users.get(key).cloned().unwrap_or_default() {
            if self.tables.get(&user).is_some_and(|known| known.kind != Kind::Table) {
                self.conditional.insert(user.clone());
                self.forget_table(&user, true);
            }
        }
    }

    /// Takes away the sequences that go with a table.
    fn sequences_of(&mut self, key: &Name) {
        for user in self.users.get(key).into_iter().flatten() {
            let owned = self.sequences.get(user).and_then(|sequence| sequence.owned_by.as_ref());
            if owned.is_some_and(|(table, _)| table == key) {
                self.sequences.remove(user);
            }
        }
    }

    /// Keeps a table under another name, and tells all that name it.
    pub(super) fn move_table(&mut self, from: &Name, to: &Name, shown: Name) {
        if from == to {
            return;
        }
        let Some(mut table) = self.tables.remove(from) else { return };
        let mentioned: Vec<Name> = table.mentions().map(|name| self.settled_key(name)).collect();
        // It may name itself.
        let own = table.mentions_mut().zip(&mentioned).filter(|(_, key)| *key == from);
        own.for_each(|(name, _)| *name = shown.clone());
        table.name = shown.clone();
        if self.dialect == Dialect::Mysql {
            rename_numbered_keys(&mut table, &from.name, &to.name);
        }
        for name in table.constraints.keys().chain(table.indexes.keys()) {
            let index = |schema: &Option<String>| Name { schema: schema.clone(), name: name.clone() };
            if self.indexes.remove(&index(&from.schema)).is_some() {
                self.indexes.insert(index(&to.schema), to.clone());
            }
        }
        for name in table.triggers.keys() {
            self.triggers.insert(name.clone(), to.clone());
        }
        if self.temporary.remove(from) {
            self.temporary.insert(to.clone());
        }
        self.tables.insert(to.clone(), table);
        for name in mentioned {
            self.users.entry(name).or_default().insert(to.clone());
        }
        self.rename_mentions(from, to, &shown);
    }

    /// Foreign keys, views, partitions and sequences follow a table to its new name.
    fn rename_mentions(&mut self, from: &Name, to: &Name, shown: &Name) {
        let users: BTreeSet<Name> = self.users.remove(from).unwrap_or_default();
        for user in &users {
            if let Some((of, _)) = self.sequences.get_mut(user).and_then(|sequence| sequence.owned_by.as_mut())
                && of == from
            {
                of.clone_from(to);
            }
            let Some(mut known) = self.tables.remove(user) else { continue };
            // A view of MySQL or SQLite is a text, and goes on naming what is gone.
            if self.dialect == Dialect::Postgres || known.kind == Kind::Table {
                let keys: Vec<Name> = known.mentions().map(|name| self.settled_key(name)).collect();
                for (name, key) in known.mentions_mut().zip(keys) {
                    if key == *from {
                        *name = shown.clone();
                    }
                }
            }
            self.tables.insert(user.clone(), known);
        }
        self.users.entry(to.clone()).or_default().extend(users);
    }
}

/// MySQL's own names of foreign keys begin with the table's.
fn rename_numbered_keys(table: &mut super::Table, from: &str, to: &str) {
    let stem = format!("{from}_ibfk_");
    let constraints = std::mem::take(&mut table.constraints);
    for (name, mut constraint) in constraints {
        let renamed = name.strip_prefix(&stem).map(|number| format!("{to}_ibfk_{number}"));
        if let Some(renamed) = &renamed {
            constraint.part.name = Some(renamed.clone());
        }
        table.constraints.insert(renamed.unwrap_or(name), constraint);
    }
}
