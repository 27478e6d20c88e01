//! Columns, constraints and indexes: what a change does inside of a table.

use super::table::{Born, Table, mentions, rename_word};
use super::{Catalog, fold, names};
use crate::sql::{Change, Column, ColumnAction, Constraint, ConstraintKind, Dialect, Index, Name};

impl Catalog {
    /// Replays a change of the inside of the table that is kept under `key`.
    pub(super) fn alter(&mut self, key: &Name, change: &Change) {
        // It is taken out meanwhile, so that the rest of the catalog can be asked and told.
        let Some(mut table) = self.tables.remove(key) else { return self.alter_unknown(key, change) };
        match change {
            Change::AddColumn { column, .. } => self.add_column(key, &mut table, column),
            Change::DropColumn { column, cascade, .. } => self.drop_column(key, &mut table, column, *cascade),
            Change::RenameColumn { column, to, .. } => self.rename_column(&mut table, column, to),
            Change::AddConstraint { constraint, .. } => self.add_constraint(key, &mut table, constraint.clone()),
            Change::DropConstraint { name, .. } => self.drop_constraint(key, &mut table, name),
            Change::ValidateConstraint { name, .. } => {
                if let Some(known) = table.constraints.get_mut(&self.fold(name)) {
                    known.part.not_valid = false;
                    let kind = known.kind.clone();
                    self.demand_not_null(&mut table, &kind);
                }
            }
            Change::CreateIndex { index, if_not_exists, .. } => {
                let exists = |name: &String| table.indexes.contains_key(&self.fold(name));
                if !(*if_not_exists && index.name.as_ref().is_some_and(exists)) {
                    self.add_index(key, &mut table, index.clone());
                }
            }
            Change::DropIndex { name, .. } => self.drop_index(key, &mut table, &name.name),
            Change::CreateTrigger { name, .. } => {
                self.triggers.insert(self.fold(name), key.clone());
                table.triggers.insert(self.fold(name), self.at.clone());
            }
            Change::DropTrigger { name, .. } => {
                table.triggers.remove(&self.fold(name));
            }
            Change::CreatePolicy { name, .. } => {
                table.policies.insert(name.clone(), self.at.clone());
            }
            Change::AlterTable { action, .. } if action.ends_with("ROW LEVEL SECURITY") => {
                table.row_security = !action.starts_with("DISABLE");
            }
            Change::AlterTable { action, value: Some(value), .. } => {
                let converts = action.starts_with("CONVERT TO CHARACTER SET");
                table.options.insert(if converts { "CHARACTER SET" } else { action }.to_string(), value.clone());
            }
            Change::AlterTable { action, .. } if action == "ADD SYSTEM VERSIONING" => {
                table.options.insert("SYSTEM VERSIONING".into(), String::new());
            }
            Change::AlterTable { action, .. } if action == "DROP SYSTEM VERSIONING" => {
                table.options.remove("SYSTEM VERSIONING");
            }
            // What the other table gives it is not told.
            Change::AlterTable { action, .. } if ["INHERIT", "OF"].contains(&action.as_str()) => {
                (table.columns_known, table.parts_known) = (false, false);
            }
            other => self.alter_column(key, &mut table, other),
        }
        self.tables.insert(key.clone(), table);
    }

    /// Of a table that the history did not make, the checks are kept: a validated one proves that a column holds no NULL.
    fn alter_unknown(&mut self, key: &Name, change: &Change) {
        match change {
            Change::AddConstraint { constraint, .. } => {
                if let (Some(name), ConstraintKind::Check { .. }) = (&constraint.name, &constraint.kind) {
                    let name = self.fold(name);
                    self.foreign_checks.entry(key.clone()).or_default().insert(name, constraint.clone());
                }
            }
            Change::ValidateConstraint { name, .. } => {
                let name = self.fold(name);
                if let Some(check) = self.foreign_checks.get_mut(key).and_then(|checks| checks.get_mut(&name)) {
                    check.not_valid = false;
                }
            }
            Change::DropConstraint { name, .. } => {
                let name = self.fold(name);
                self.foreign_checks.get_mut(key).and_then(|checks| checks.remove(&name));
            }
            Change::DropColumn { column, .. } => {
                if let Some(checks) = self.foreign_checks.get_mut(key) {
                    checks.retain(|_, check| {
                        !matches!(&check.kind, ConstraintKind::Check { expression } if mentions(expression, column))
                    });
                }
            }
            _ => {}
        }
    }

    fn alter_column(&mut self, key: &Name, table: &mut Table, change: &Change) {
        let (Change::ChangeType { column, .. }
        | Change::SetNotNull { column, .. }
        | Change::DropNotNull { column, .. }
        | Change::SetDefault { column, .. }
        | Change::DropDefault { column, .. }
        | Change::AlterColumn { column, .. }) = change
        else {
            return;
        };
        let Some(known) = table.columns.get_mut(&self.fold(column)) else { return };
        let known = &mut known.part;
        match change {
            Change::ChangeType { to, collation, attributes, .. } => {
                known.data_type.clone_from(to);
                known.collation.clone_from(collation);
                known.attributes.clone_from(attributes);
                if let Some(data_type) = self.data_type_key(to) {
                    self.users.entry(data_type).or_default().insert(key.clone());
                }
            }
            Change::SetNotNull { .. } => known.not_null = true,
            Change::DropNotNull { .. } => {
                known.not_null = false;
                let lifted =
                    |kind: &ConstraintKind| matches!(kind, ConstraintKind::NotNull { column: of } if of == column);
                table.constraints.retain(|_, constraint| !lifted(&constraint.kind));
            }
            Change::SetDefault { expression, .. } => known.default = Some(expression.clone()),
            Change::DropDefault { .. } => {
                known.default = None;
                // A serial is no more than its default.
                known.identity &= !known.data_type.contains("serial");
            }
            Change::AlterColumn { action, .. } => match action {
                ColumnAction::AddIdentity => (known.identity, known.not_null) = (true, true),
                ColumnAction::DropIdentity => known.identity = false,
                ColumnAction::DropExpression => known.generated = None,
                ColumnAction::SetExpression | ColumnAction::Other(_) => {}
            },
            _ => {}
        }
    }

    /// A column, and what its definition demands as the constraints that the server makes of it.
    pub(super) fn add_column(&mut self, key: &Name, table: &mut Table, definition: &Column) {
        let folded = self.fold(&definition.name);
        if table.columns.contains_key(&folded) {
            return;
        }
        if let Some(data_type) = self.data_type_key(&definition.data_type) {
            self.users.entry(data_type).or_default().insert(key.clone());
        }
        let mut column = definition.clone();
        let unique = std::mem::take(&mut column.unique);
        let primary_key = std::mem::take(&mut column.primary_key);
        let references = column.references.take();
        let check = std::mem::take(&mut column.check);
        table.columns.insert(folded, Born { part: column, at: self.at.clone() });
        let columns = || vec![definition.name.clone()];
        let kinds = [
            primary_key.then(|| ConstraintKind::PrimaryKey { columns: columns() }),
            unique.then(|| ConstraintKind::Unique { columns: columns() }),
            // What an inline CHECK says is not told, only whose it is.
            check.then(|| ConstraintKind::Check { expression: definition.name.clone() }),
            references.map(|references| ConstraintKind::ForeignKey { columns: columns(), references }),
        ];
        for kind in kinds.into_iter().flatten() {
            let constraint = Constraint { name: None, kind, not_valid: false, using_index: None };
            if !self.is_repeated(table, &constraint) {
                self.add_constraint(key, table, constraint);
            }
        }
    }

    /// A definition may demand the same key twice, and gets one of it; MySQL makes both.
    pub(super) fn is_repeated(&self, table: &Table, constraint: &Constraint) -> bool {
        let ConstraintKind::Unique { columns } = &constraint.kind else { return false };
        let is_same = |other: &ConstraintKind| match other {
            ConstraintKind::PrimaryKey { columns: key } | ConstraintKind::Unique { columns: key } => {
                key.len() == columns.len() && key.iter().zip(columns).all(|(a, b)| self.same(a, b))
            }
            _ => false,
        };
        self.dialect != Dialect::Mysql && table.constraints.values().any(|other| is_same(&other.kind))
    }

    pub(super) fn add_constraint(&mut self, key: &Name, table: &mut Table, mut constraint: Constraint) {
        if let Some(index) = constraint.using_index.take() {
            self.take_over_index(key, table, &mut constraint, &index);
        }
        if let (Dialect::Mysql, ConstraintKind::Unique { columns }) = (self.dialect, &constraint.kind) {
            let (name, columns) = (constraint.name, columns.clone());
            let index = Index { name, columns, unique: true, method: None, predicate: None, plain: true, only: false };
            return self.add_index(key, table, index);
        }
        let is_relation = |name: &str| {
            let name = Name { schema: key.schema.clone(), name: name.to_string() };
            self.indexes.contains_key(&name) || self.tables.contains_key(&name)
        };
        // MySQL calls every primary key PRIMARY, whatever the statement says.
        if self.dialect == Dialect::Mysql && matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
            constraint.name = None;
        }
        let chosen = || names::constraint(self.dialect, table, &constraint.kind, is_relation);
        let name = constraint.name.take().or_else(chosen);
        if let ConstraintKind::ForeignKey { columns, references } = &mut constraint.kind {
            *references = self.settled(references);
            self.users.entry(self.settled_key(references)).or_default().insert(key.clone());
            if self.dialect == Dialect::Mysql {
                self.index_for_foreign_key(key, table, name.as_deref(), columns);
            }
        }
        if !constraint.not_valid {
            self.demand_not_null(table, &constraint.kind);
        }
        // What has no name has a number.
        let unnamed = || format!("#{}", table.constraints.len() + 1);
        let folded = name.as_deref().map_or_else(unnamed, |name| self.fold(name));
        if has_index(&constraint.kind) && self.dialect == Dialect::Postgres {
            constraint.using_index.clone_from(&name);
            self.indexes.insert(Name { schema: key.schema.clone(), name: folded.clone() }, key.clone());
        }
        constraint.name = name;
        table.constraints.insert(folded, Born { part: constraint, at: self.at.clone() });
    }

    /// `USING INDEX`: the index becomes the constraint's, under the constraint's name.
    fn take_over_index(&mut self, key: &Name, table: &mut Table, constraint: &mut Constraint, index: &str) {
        let folded = self.fold(index);
        constraint.name.get_or_insert_with(|| index.to_string());
        self.indexes.remove(&Name { schema: key.schema.clone(), name: folded.clone() });
        let taken = table.indexes.shift_remove(&folded);
        if let (ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns }, Some(taken)) =
            (&mut constraint.kind, taken)
        {
            *columns = taken.part.columns;
        }
    }

    /// MySQL wants an index that begins with the foreign key's columns, and makes one where there is none.
    fn index_for_foreign_key(&mut self, key: &Name, table: &mut Table, name: Option<&str>, columns: &[String]) {
        let mut written = table.indexes.iter().filter(|(name, _)| !table.generated_indexes.contains(*name));
        if leads(columns, table.primary_key()) || written.any(|(_, index)| leads(columns, &index.columns)) {
            return;
        }
        let generated = format!("{}_ibfk_", key.name);
        let name = name.filter(|name| !name.to_ascii_lowercase().starts_with(&generated)).map(str::to_string);
        let columns = columns.to_vec();
        self.add_index(
            key,
            table,
            Index { name, columns, unique: false, method: None, predicate: None, plain: true, only: false },
        );
        table.generated_indexes.extend(table.indexes.last().map(|(name, _)| name.clone()));
    }

    fn demand_not_null(&self, table: &mut Table, kind: &ConstraintKind) {
        let columns = match kind {
            ConstraintKind::NotNull { column } => std::slice::from_ref(column),
            // SQLite lets NULL into a primary key.
            ConstraintKind::PrimaryKey { columns } if self.dialect != Dialect::Sqlite => columns,
            _ => return,
        };
        for column in columns {
            if let Some(known) = table.columns.get_mut(&self.fold(column)) {
                known.part.not_null = true;
            }
        }
    }

    fn drop_constraint(&mut self, key: &Name, table: &mut Table, name: &str) {
        let folded = self.fold(name);
        let Some(dropped) = table.constraints.shift_remove(&folded) else {
            // MySQL's unique keys are indexes; elsewhere an index is no constraint, and stays.
            if self.dialect == Dialect::Mysql {
                self.drop_index(key, table, name);
            }
            return;
        };
        self.indexes.remove(&Name { schema: key.schema.clone(), name: folded });
        if let ConstraintKind::NotNull { column } = &dropped.kind
            && let Some(column) = table.columns.get_mut(&self.fold(column))
        {
            column.part.not_null = false;
        }
    }

    pub(super) fn add_index(&mut self, key: &Name, table: &mut Table, mut index: Index) {
        let is_relation = |name: &str| {
            let name = Name { schema: key.schema.clone(), name: name.to_string() };
            self.indexes.contains_key(&name) || self.tables.contains_key(&name)
        };
        let name = index.name.take().unwrap_or_else(|| names::index(self.dialect, table, &index, is_relation));
        let folded = self.fold(&name);
        index.name = Some(name);
        if self.dialect != Dialect::Mysql {
            self.indexes.insert(Name { schema: key.schema.clone(), name: folded.clone() }, key.clone());
        }
        if !table.generated_indexes.is_empty() && index.plain {
            let served = |name: &String| table.indexes.get(name).is_some_and(|it| leads(&it.columns, &index.columns));
            let served: Vec<String> = table.generated_indexes.iter().filter(|name| served(name)).cloned().collect();
            for name in served {
                table.generated_indexes.remove(&name);
                table.indexes.shift_remove(&name);
            }
        }
        table.indexes.insert(folded, Born { part: index, at: self.at.clone() });
    }

    pub(super) fn drop_index(&mut self, key: &Name, table: &mut Table, name: &str) {
        let folded = self.fold(name);
        self.indexes.remove(&Name { schema: key.schema.clone(), name: folded.clone() });
        table.invalid_indexes.remove(&folded);
        if table.indexes.shift_remove(&folded).is_none() && self.dialect == Dialect::Mysql {
            table.constraints.shift_remove(&folded);
        }
    }

    fn drop_column(&mut self, key: &Name, table: &mut Table, column: &str, cascade: bool) {
        let folded = self.fold(column);
        if table.columns.shift_remove(&folded).is_none() && table.columns_known {
            return;
        }
        let dialect = self.dialect;
        let is_it = |named: &String| fold(dialect, named) == folded;
        let mysql = self.dialect == Dialect::Mysql;
        let mut gone = Vec::new();
        for (name, constraint) in &mut table.constraints {
            let goes = match &mut constraint.part.kind {
                // MySQL takes the column out of the key.
                ConstraintKind::PrimaryKey { columns } if mysql => {
                    columns.retain(|named| !is_it(named));
                    columns.is_empty()
                }
                ConstraintKind::PrimaryKey { columns }
                | ConstraintKind::Unique { columns }
                | ConstraintKind::ForeignKey { columns, .. } => columns.iter().any(is_it),
                ConstraintKind::NotNull { column } => is_it(column),
                ConstraintKind::Check { expression } => mentions(expression, column),
                ConstraintKind::Exclude => false,
            };
            if goes {
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.drop_constraint(key, table, &name);
        }
        let mut gone = Vec::new();
        for (name, index) in &mut table.indexes {
            let index = &mut index.part;
            if mysql && index.columns.len() > 1 {
                index.columns.retain(|named| !is_it(named));
            }
            let named = |part: &String| is_it(part) || (!index.plain && mentions(part, column));
            if index.columns.iter().any(named) || index.predicate.as_ref().is_some_and(|text| mentions(text, column)) {
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.drop_index(key, table, &name);
        }
        if cascade {
            self.cascade_from_column(key);
        }
    }

    fn rename_column(&self, table: &mut Table, from: &str, to: &str) {
        let folded = self.fold(from);
        // Of a table that a query made the columns are not known, and its indexes are.
        if let Some((at, _, mut column)) = table.columns.shift_remove_full(&folded) {
            column.part.name = to.to_string();
            table.columns.insert_before(at, self.fold(to), column);
        }
        let rename = |name: &mut String| {
            if self.fold(name) == folded {
                *name = to.to_string();
            }
        };
        for constraint in table.constraints.values_mut() {
            match &mut constraint.part.kind {
                ConstraintKind::ForeignKey { columns, .. }
                | ConstraintKind::Unique { columns }
                | ConstraintKind::PrimaryKey { columns } => columns.iter_mut().for_each(rename),
                ConstraintKind::NotNull { column } => rename(column),
                ConstraintKind::Check { expression } => rename_word(expression, from, to),
                ConstraintKind::Exclude => {}
            }
        }
        for index in table.indexes.values_mut() {
            for part in &mut index.part.columns {
                match table.columns.contains_key(&self.fold(part)) || self.fold(part) == folded {
                    true => rename(part),
                    false => rename_word(part, from, to),
                }
            }
            if let Some(predicate) = &mut index.part.predicate {
                rename_word(predicate, from, to);
            }
        }
    }
}

/// Whether an index on `indexed` finds rows by `columns`.
fn leads(columns: &[String], indexed: &[String]) -> bool {
    indexed.len() >= columns.len() && indexed.iter().zip(columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The server builds an index for it.
fn has_index(kind: &ConstraintKind) -> bool {
    matches!(kind, ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } | ConstraintKind::Exclude)
}
