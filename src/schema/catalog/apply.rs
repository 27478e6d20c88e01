//! Replaying: which part of the catalog a change is about.

use super::{Birth, Catalog, Kind, Table};
use crate::sql::{Change, Clause, ColumnsFrom, Constraint, ConstraintKind, Dialect, Name, Object};

impl Catalog {
    /// Replays one clause. What names a table that the history never told of changes nothing.
    pub fn apply(&mut self, clause: &Clause) {
        self.at = Birth { migration: self.at.migration, range: clause.range.clone(), in_body: clause.in_body };
        self.session.apply(&clause.change);
        match clause.change {
            Change::Begin => self.remember(self.undo.is_none()),
            Change::Commit => self.undo = None,
            Change::Rollback if !clause.in_body => self.undo(),
            _ => {}
        }
        if clause.in_body {
            let of_index = match &clause.change {
                Change::DropIndex { table: None, name, .. } => self.table_of_index(name),
                _ => None,
            };
            let key = clause.change.table().or(of_index).map(|name| self.key(name));
            self.conditional.extend(key);
        }
        if !self.apply_to_table(&clause.change) && !self.apply_to_object(&clause.change) {
            self.apply_to_inside(&clause.change);
        }
    }

    /// Keeps what the transaction that begins here may take back.
    pub(super) fn remember(&mut self, begins: bool) {
        if begins && self.can_roll_back {
            self.undo = Some(Box::new(self.clone()));
        }
    }

    /// Takes back what the transaction has done.
    fn undo(&mut self) {
        let Some(before) = self.undo.take() else { return };
        let session = self.session.clone();
        *self = Self { session, ..*before };
    }

    /// Replays what makes, renames and drops tables, views and indexes; false where it is none of these.
    fn apply_to_table(&mut self, change: &Change) -> bool {
        match change {
            Change::CreateTable { .. } => self.create_table(change),
            Change::CreateView { view, materialized, reads, columns, .. } => {
                self.create_view(view, *materialized, reads, self.given(reads, columns));
            }
            Change::DropTable { table: name, cascade, .. } | Change::DropView { view: name, cascade, .. } => {
                self.forget_table(&self.key(name), *cascade);
            }
            Change::RenameTable { table, to } => self.rename_table(table, to),
            Change::RenameObject { object, name, table, to } => self.rename_object(*object, name, table.as_ref(), to),
            Change::MoveToSchema { object, name, schema } => self.move_to_schema(*object, name, schema),
            Change::DropObject { object, name, table, cascade, .. } => {
                self.drop_object(*object, name, table.as_ref(), *cascade);
            }
            Change::AttachPartition { table, partition } => {
                let (parent, key, settled) = (self.key(table), self.key(partition), self.settled(table));
                if let Some(known) = self.tables.get_mut(&key) {
                    known.partition_of = Some(settled);
                    // The parent's indexes come with it.
                    known.parts_known = false;
                    self.users.entry(parent).or_default().insert(key);
                }
            }
            Change::DetachPartition { partition, .. } => {
                let key = self.key(partition);
                if let Some(known) = self.tables.get_mut(&key) {
                    known.partition_of = None;
                }
            }
            _ => return false,
        }
        true
    }

    /// Replays a change of one table's inside, and of its partitions' and heirs'.
    fn apply_to_inside(&mut self, change: &Change) {
        let key = match change {
            Change::DropIndex { table: None, name, .. } => self.indexes.get(&self.index_key(name)).cloned(),
            Change::DropTrigger { table: None, name, .. } => self.triggers.remove(&self.fold(name)),
            _ => change.table().map(|name| self.key(name)),
        };
        let Some(key) = key else { return };
        if let Change::AddColumn { column, .. } = change {
            self.new_columns.insert((key.clone(), self.fold(&column.name)));
        }
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            self.alter(&key, change);
            if is_inherited(change) {
                open.extend(self.children(&key));
            }
        }
    }

    fn create_table(&mut self, change: &Change) {
        let Change::CreateTable {
            table: name,
            columns,
            constraints,
            indexes,
            columns_from,
            partitioned,
            options,
            temporary,
            if_not_exists,
        } = change
        else {
            return;
        };
        let key = match temporary {
            true => Name { schema: Some(self.temporary_schema()), name: self.fold(&name.name) },
            false => self.key(name),
        };
        if self.tables.contains_key(&key) {
            if *if_not_exists {
                return;
            }
            self.forget_table(&key, false);
        }
        let mut table = Table::new(name.clone(), Kind::Table, self.at.clone());
        table.partitioned = *partitioned;
        table.options = options.iter().cloned().collect();
        // Only PostgreSQL has tables without columns; elsewhere they come from what is not told, such as a module.
        table.columns_known = !columns.is_empty() || !columns_from.is_empty() || self.dialect == Dialect::Postgres;
        for from in columns_from {
            self.take_columns(&key, &mut table, from);
        }
        for column in columns {
            self.add_column(&key, &mut table, column);
        }
        // The indexes first: MySQL makes none for a foreign key that finds one.
        for index in indexes {
            self.add_index(&key, &mut table, index.clone());
        }
        for constraint in constraints {
            if !self.is_repeated(&table, constraint) {
                self.add_constraint(&key, &mut table, constraint.clone());
            }
        }
        if *temporary {
            self.temporary.insert(key.clone());
        }
        // Most tables stay as they are: a map makes room for parts that never come.
        table.columns.shrink_to_fit();
        table.constraints.shrink_to_fit();
        table.indexes.shrink_to_fit();
        self.tables.insert(key, Box::new(table));
    }

    /// Gives a new table the columns of another one.
    fn take_columns(&mut self, key: &Name, table: &mut Table, from: &ColumnsFrom) {
        let source = match from {
            ColumnsFrom::PartitionOf(parent) => {
                table.partition_of = Some(self.settled(parent));
                parent
            }
            ColumnsFrom::Inherits(parent) => {
                table.inherits.push(self.settled(parent));
                parent
            }
            ColumnsFrom::Like(source) => source,
            ColumnsFrom::Type(_) | ColumnsFrom::Query => {
                table.columns_known = false;
                return;
            }
        };
        let source_key = self.key(source);
        if !matches!(from, ColumnsFrom::Like(_)) {
            self.users.entry(source_key.clone()).or_default().insert(key.clone());
        }
        let Some(source) = self.tables.get(&source_key).cloned() else {
            (table.columns_known, table.parts_known) = (false, false);
            return;
        };
        table.columns_known &= source.columns_known;
        for column in source.columns.values() {
            self.add_column(key, table, &column.part);
        }
        if self.dialect == Dialect::Mysql {
            table.options.clone_from(&source.options);
            for index in source.indexes.values() {
                self.add_index(key, table, index.part.clone());
            }
        } else {
            // LIKE takes what its INCLUDING says; a partition gets indexes of its own.
            table.parts_known = false;
        }
        for constraint in source.constraints.values() {
            let goes = match (&constraint.kind, from) {
                (ConstraintKind::Check { .. }, ColumnsFrom::Like(_)) => self.dialect == Dialect::Mysql,
                (ConstraintKind::PrimaryKey { .. }, ColumnsFrom::Like(_)) => self.dialect == Dialect::Mysql,
                (ConstraintKind::Check { .. }, _) => true,
                (ConstraintKind::NotNull { .. }, _) => true,
                (_, ColumnsFrom::PartitionOf(_)) => true,
                _ => false,
            };
            if goes {
                let keeps_name = matches!(constraint.kind, ConstraintKind::Check { .. });
                let name = constraint.name.clone().filter(|_| keeps_name);
                self.add_constraint(key, table, Constraint { name, using_index: None, ..constraint.part.clone() });
            }
        }
    }

    fn create_view(&mut self, view: &Name, materialized: bool, reads: &[Name], gives: Vec<String>) {
        let key = self.key(view);
        let kind = if materialized { Kind::MaterializedView } else { Kind::View };
        let reads: Vec<Name> = reads.iter().map(|read| self.settled(read)).collect();
        for read in &reads {
            self.users.entry(self.settled_key(read)).or_default().insert(key.clone());
        }
        let born = self.at.clone();
        let known = self.tables.entry(key).or_insert_with(|| Box::new(Table::new(view.clone(), kind, born)));
        known.reads = reads;
        known.gives = gives;
    }

    fn rename_table(&mut self, name: &Name, to: &Name) {
        let key = self.key(name);
        // PostgreSQL's RENAME TO names no schema: the table stays where it is.
        let shown = Name { schema: to.schema.clone().or(name.schema.clone()), name: to.name.clone() };
        let schema = to.schema.as_deref().map(|schema| self.fold(schema)).or(key.schema.clone());
        let new = Name { schema, name: self.fold(&to.name) };
        self.renamed.insert(new.clone());
        if self.tables.contains_key(&key) {
            self.move_table(&key, &new, shown);
        } else if self.indexes.contains_key(&self.index_key(name)) {
            self.rename_index(name, None, &to.name);
        }
    }

    fn rename_object(&mut self, object: Object, name: &Name, table: Option<&Name>, to: &str) {
        match object {
            Object::View | Object::MaterializedView => self.rename_table(name, &Name::plain(to)),
            Object::Index => self.rename_index(name, table, to),
            Object::Constraint => self.rename_constraint(name, table, to),
            Object::Trigger => {
                let Some(known) = table.map(|table| self.key(table)).and_then(|key| self.tables.get_mut(&key)) else {
                    return;
                };
                if let Some(birth) = known.triggers.remove(&name.name) {
                    known.triggers.insert(to.to_string(), birth);
                }
            }
            Object::Policy => {
                let Some(known) = table.map(|table| self.key(table)).and_then(|key| self.tables.get_mut(&key)) else {
                    return;
                };
                if let Some(birth) = known.policies.remove(&name.name) {
                    known.policies.insert(to.to_string(), birth);
                }
            }
            Object::Type | Object::Domain => self.rename_data_type(name, to),
            Object::Sequence => {
                let key = self.resolve(name, |key| self.sequences.contains_key(key));
                if let Some(mut sequence) = self.sequences.remove(&key) {
                    sequence.name.name = to.to_string();
                    if let Some((table, _)) = &sequence.owned_by {
                        let renamed = Name { schema: key.schema.clone(), name: to.to_string() };
                        self.users.entry(table.clone()).or_default().insert(renamed);
                    }
                    self.sequences.insert(Name { schema: key.schema, name: to.to_string() }, sequence);
                }
            }
            Object::Schema => {
                let keys: Vec<Name> = self.keys_in(&self.fold(&name.name));
                for key in keys {
                    let new = Name { schema: Some(self.fold(to)), name: key.name.clone() };
                    let Some(known) = self.tables.get(&key) else { continue };
                    let shown = Name { schema: Some(to.to_string()), name: known.name.name.clone() };
                    self.move_table(&key, &new, shown);
                }
            }
            _ => {}
        }
    }

    fn rename_index(&mut self, name: &Name, table: Option<&Name>, to: &str) {
        let index_key = self.index_key(name);
        let found = table.map(|table| self.key(table)).or_else(|| self.indexes.get(&index_key).cloned());
        let Some(key) = found else { return };
        let (old, new) = (self.fold(&name.name), self.fold(to));
        let Some(known) = self.tables.get_mut(&key) else { return };
        if let Some(mut index) = known.indexes.shift_remove(&old) {
            index.part.name = Some(to.to_string());
            known.indexes.insert(new.clone(), index);
        } else if let Some(mut constraint) = known.constraints.shift_remove(&old) {
            constraint.part.name = Some(to.to_string());
            constraint.part.using_index = Some(to.to_string());
            known.constraints.insert(new.clone(), constraint);
        }
        if known.invalid_indexes.remove(&old) {
            known.invalid_indexes.insert(new.clone());
        }
        if self.indexes.remove(&index_key).is_some() {
            self.indexes.insert(Name { schema: key.schema.clone(), name: new }, key);
        }
    }

    fn rename_constraint(&mut self, name: &Name, table: Option<&Name>, to: &str) {
        let Some(key) = table.map(|table| self.key(table)) else { return };
        let Some(constraint) = self.tables.get(&key).and_then(|known| known.constraints.get(&name.name)) else {
            return;
        };
        if constraint.using_index.is_some() {
            let index = Name { schema: key.schema.clone(), name: name.name.clone() };
            return self.rename_index(&index, table, to);
        }
        if let Some(known) = self.tables.get_mut(&key)
            && let Some(mut constraint) = known.constraints.shift_remove(&name.name)
        {
            constraint.part.name = Some(to.to_string());
            known.constraints.insert(to.to_string(), constraint);
        }
    }

    fn rename_data_type(&mut self, name: &Name, to: &str) {
        let key = self.resolve(name, |key| self.data_types.contains_key(key));
        let Some(mut data_type) = self.data_types.remove(&key) else { return };
        data_type.name.name = to.to_string();
        let new = Name { schema: key.schema.clone(), name: to.to_string() };
        self.data_types.insert(new.clone(), data_type);
        let users = self.users.remove(&key).unwrap_or_default();
        for user in &users {
            let Some(known) = self.tables.get_mut(user) else { continue };
            for column in known.columns.values_mut() {
                super::table::rename_word(&mut column.part.data_type, &name.name, to);
            }
        }
        self.users.insert(new, users);
    }

    fn move_to_schema(&mut self, object: Object, name: &Name, schema: &str) {
        match object {
            Object::Other("TABLE") | Object::View | Object::MaterializedView => {
                let key = self.key(name);
                let new = Name { schema: Some(self.fold(schema)), name: key.name.clone() };
                let shown = (!self.session.is_usual(schema)).then(|| schema.to_string());
                self.move_table(&key, &new, Name { schema: shown, name: name.name.clone() });
            }
            Object::Type | Object::Domain => {
                let key = self.resolve(name, |key| self.data_types.contains_key(key));
                if let Some(data_type) = self.data_types.remove(&key) {
                    self.data_types.insert(Name { schema: Some(schema.to_string()), name: key.name }, data_type);
                }
            }
            _ => {}
        }
    }

    fn drop_object(&mut self, object: Object, name: &Name, table: Option<&Name>, cascade: bool) {
        match object {
            Object::Schema | Object::Database if cascade || self.dialect == Dialect::Mysql => {
                for key in self.keys_in(&self.fold(&name.name)) {
                    self.forget_table(&key, true);
                }
            }
            Object::Type | Object::Domain => {
                let key = self.resolve(name, |key| self.data_types.contains_key(key));
                self.data_types.remove(&key);
                if cascade {
                    self.drop_columns_of(&key, &name.name);
                }
            }
            Object::Sequence => {
                let key = self.resolve(name, |key| self.sequences.contains_key(key));
                self.sequences.remove(&key);
            }
            Object::Policy => {
                if let Some(known) = table.map(|table| self.key(table)).and_then(|key| self.tables.get_mut(&key)) {
                    known.policies.remove(&name.name);
                }
            }
            _ => {}
        }
    }

    /// `DROP TYPE ... CASCADE` drops the columns of the type.
    fn drop_columns_of(&mut self, data_type: &Name, written: &str) {
        for user in self.users.get(data_type).cloned().unwrap_or_default() {
            let Some(known) = self.tables.get(&user) else { continue };
            let of_type = |text: &str| super::table::mentions(text, written);
            let columns = known.columns.values().filter(|column| of_type(&column.data_type));
            for column in columns.map(|column| column.name.clone()).collect::<Vec<_>>() {
                let change = Change::DropColumn { table: user.clone(), column, if_exists: true, cascade: true };
                self.alter(&user, &change);
            }
        }
    }

    /// The keys of the tables in a schema.
    fn keys_in(&self, schema: &str) -> Vec<Name> {
        let first = Name { schema: Some(schema.to_string()), name: String::new() };
        let keys = self.tables.range(first..).map(|(key, _)| key);
        keys.take_while(|key| key.schema.as_deref() == Some(schema)).cloned().collect()
    }
}

/// PostgreSQL hands it on to partitions and heirs.
fn is_inherited(change: &Change) -> bool {
    match change {
        Change::AddColumn { .. }
        | Change::DropColumn { .. }
        | Change::RenameColumn { .. }
        | Change::ChangeType { .. }
        | Change::SetNotNull { .. }
        | Change::DropNotNull { .. }
        | Change::SetDefault { .. }
        | Change::DropDefault { .. } => true,
        Change::AddConstraint { constraint, .. } => {
            matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. })
        }
        _ => false,
    }
}
