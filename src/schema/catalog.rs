//! The schema as known before a statement, replayed from the history or read from a live database.
//!
//! An unknown table exists, is big and busy: absence from the catalog is never a reason to be quiet. A change costs
//! as much as what it touches, never a look at all tables, so that a history is replayed in linear time.

mod apply;
mod dependents;
mod names;
mod object;
mod parts;
mod rebuild;
mod session;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::{Change, Clause, Column, Constraint, ConstraintKind, Dialect, Index, Name, conditions};

pub use object::{DataType, DataTypeKind, Sequence};
pub use rebuild::{Loss, Rebuild};
pub use session::{Session, Transaction};
pub(crate) use table::mentions;
pub use table::{Birth, Born, Kind, Table};

/// All tables known so far.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) dialect: Dialect,
    /// The clause that is being replayed.
    at: Birth,
    /// The first migration of the release that is being read.
    new_from: usize,
    release: Option<usize>,
    /// The next migration goes out together with the one before it.
    goes_together: bool,
    session: Session,
    /// By key: the folded name with its schema.
    pub(super) tables: BTreeMap<Name, Box<Table>>,
    /// The table of each index and of each key's index, both by key. MySQL's names are their table's own.
    indexes: BTreeMap<Name, Name>,
    /// The table of each trigger whose name is all that is needed to drop it.
    triggers: BTreeMap<String, Name>,
    data_types: BTreeMap<Name, DataType>,
    sequences: BTreeMap<Name, Sequence>,
    /// By key, the keys of what has ever named it: foreign keys, views, partitions, columns of its type. Some may have
    /// let go of it since.
    users: BTreeMap<Name, BTreeSet<Name>>,
    /// The keys of what a body has changed, if it ran, or a CASCADE has taken along, if it did: what they are, the history
    /// does not tell for sure.
    pub(super) conditional: BTreeSet<Name>,
    /// The keys of temporary tables, which the migration's session takes with it.
    pub(super) temporary: BTreeSet<Name>,
    /// What this migration puts in the place of a table, by that table's key.
    rebuilds: BTreeMap<Name, Rebuild>,
    /// The keys that this migration gave to tables by renaming them.
    renamed: BTreeSet<Name>,
    /// About how many rows a live database has in each table, by key.
    sizes: BTreeMap<Name, u64>,
    /// The catalog as it was when the transaction began; kept only where the migration can roll it back.
    undo: Option<Box<Self>>,
    can_roll_back: bool,
    /// Columns that this migration added, also to tables that the history never told of; table's key and folded name.
    new_columns: BTreeSet<(Name, String)>,
    /// The checks, by name, that the history puts on tables that it never told of.
    foreign_checks: BTreeMap<Name, BTreeMap<String, Constraint>>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            at: Birth::default(),
            new_from: 0,
            release: None,
            goes_together: false,
            session: Session::new(dialect),
            tables: BTreeMap::new(),
            indexes: BTreeMap::new(),
            triggers: BTreeMap::new(),
            data_types: BTreeMap::new(),
            sequences: BTreeMap::new(),
            users: BTreeMap::new(),
            conditional: BTreeSet::new(),
            temporary: BTreeSet::new(),
            rebuilds: BTreeMap::new(),
            renamed: BTreeSet::new(),
            sizes: BTreeMap::new(),
            undo: None,
            can_roll_back: false,
            new_columns: BTreeSet::new(),
            foreign_checks: BTreeMap::new(),
        }
    }

    /// The next migration goes out with this release; those of one number go out together. `None` is not known.
    pub fn next_release(&mut self, release: Option<usize>) {
        self.goes_together = release.is_some_and(|number| number > 0) && release == self.release;
        self.release = release;
    }

    /// Whether the releases are known, so that what is born in the same one is too.
    pub fn knows_release(&self) -> bool {
        self.release.is_some_and(|number| number > 0)
    }

    /// From here on, changes belong to the migration of this number, which holds `changes` and which its tool
    /// executes in one transaction or not.
    pub fn enter<'a>(&mut self, migration: usize, in_transaction: bool, changes: impl IntoIterator<Item = &'a Change>) {
        self.at = Birth { migration, ..Birth::default() };
        for key in std::mem::take(&mut self.temporary) {
            self.forget_table(&key, false);
        }
        self.session.next(in_transaction);
        self.renamed.clear();
        if !std::mem::take(&mut self.goes_together) {
            self.new_from = migration;
            self.new_columns.clear();
        }
        let changes: Vec<&Change> = changes.into_iter().collect();
        self.can_roll_back = self.dialect != Dialect::Mysql && changes.contains(&&Change::Rollback);
        self.undo = None;
        self.remember(in_transaction);
        self.rebuilds = rebuild::find(self, changes);
    }

    /// The migration that is being read goes on with `changes`.
    pub fn go_on<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        let more = rebuild::find(self, changes);
        self.rebuilds.extend(more);
    }

    /// Where a live database looks for names when no statement says otherwise.
    pub fn set_search_path(&mut self, path: Vec<String>) {
        self.session.with_usual_path(path);
    }

    /// Adds a table as a live database describes it, in `schema`; a `None` is the only one.
    pub fn insert(&mut self, schema: Option<&str>, mut table: Table) {
        let key = Name { schema: schema.map(|schema| self.fold(schema)), name: self.fold(&table.name.name) };
        table.name.schema = schema.filter(|schema| !self.session.is_usual(schema)).map(str::to_string);
        let keys = table.constraints.iter().filter(|(_, constraint)| constraint.using_index.is_some());
        for name in keys.map(|(name, _)| name).chain(table.indexes.keys()) {
            self.indexes.insert(Name { schema: key.schema.clone(), name: name.clone() }, key.clone());
        }
        for name in table.triggers.keys() {
            self.triggers.insert(name.clone(), key.clone());
        }
        for name in table.mentions_mut() {
            name.schema.take_if(|schema| self.session.is_usual(schema));
        }
        for name in table.mentions() {
            self.users.entry(self.settled_key(name)).or_default().insert(key.clone());
        }
        for column in table.columns.values() {
            if let Some(data_type) = self.data_type_key(&column.data_type) {
                self.users.entry(data_type).or_default().insert(key.clone());
            }
        }
        self.tables.insert(key, Box::new(table));
    }

    /// Adds a type as a live database describes it.
    pub fn insert_data_type(&mut self, schema: Option<&str>, data_type: DataType) {
        let schema = schema.map(|schema| self.fold(schema));
        self.data_types.insert(Name { schema, name: self.fold(&data_type.name.name) }, data_type);
    }

    /// Adds a sequence as a live database describes it.
    pub fn insert_sequence(&mut self, schema: Option<&str>, sequence: Sequence) {
        let key = Name { schema: schema.map(|schema| self.fold(schema)), name: self.fold(&sequence.name.name) };
        if let Some((table, _)) = &sequence.owned_by {
            self.users.entry(table.clone()).or_default().insert(key.clone());
        }
        self.sequences.insert(key, sequence);
    }

    /// Takes the sizes of the tables from another catalog of the same database.
    pub fn set_sizes(&mut self, other: &Self) {
        let known = other.tables.iter().filter_map(|(key, table)| Some((key.clone(), table.rows?)));
        self.sizes = other.sizes.clone().into_iter().chain(known).collect();
    }

    /// About how many rows a table has; `None` without a live database that told.
    pub fn rows(&self, name: &Name) -> Option<u64> {
        let known = self.table(name).and_then(|table| table.rows);
        known.or_else(|| self.sizes.get(&self.key(name)).copied().filter(|_| !self.is_new(name)))
    }

    /// Whose schema it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the statements so far have set.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// All tables and views, by schema and name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values().map(Box::as_ref)
    }

    /// The table of this name, if the history told of it.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(&self.key(name)).map(Box::as_ref)
    }

    /// The column of this name, if the history told of it.
    pub fn column(&self, table: &Name, column: &str) -> Option<&Column> {
        self.table(table)?.columns.get(&self.fold(column)).map(|born| &born.part)
    }

    /// The table that an index is on, if the history told of it.
    pub fn table_of_index(&self, index: &Name) -> Option<&Name> {
        Some(&self.tables.get(self.indexes.get(&self.index_key(index))?)?.name)
    }

    /// The table that a trigger is on, if the history told of it.
    pub fn table_of_trigger(&self, trigger: &str) -> Option<&Name> {
        Some(&self.tables.get(self.triggers.get(&self.fold(trigger))?)?.name)
    }

    /// The type of this name, if the history told of it.
    pub fn data_type(&self, name: &Name) -> Option<&DataType> {
        self.data_types.get(&self.resolve(name, |key| self.data_types.contains_key(key)))
    }

    /// The sequence of this name, if the history told of it.
    pub fn sequence(&self, name: &Name) -> Option<&Sequence> {
        self.sequences.get(&self.resolve(name, |key| self.sequences.contains_key(key)))
    }

    /// Made by the migration that is being read, or by one that goes out with it: no running version uses it yet.
    pub fn is_own(&self, born: &Birth) -> bool {
        born.migration >= self.new_from && born.migration > 0
    }

    /// The migration that is being read, or one that goes out with it, created this table: nobody else uses it yet.
    pub fn is_new(&self, name: &Name) -> bool {
        self.table(name).is_some_and(|table| self.is_own(&table.born))
    }

    /// The migration that is being read, or one that goes out with it, added this column or its whole table: nobody else
    /// uses it yet.
    pub fn is_new_column(&self, table: &Name, column: &str) -> bool {
        let column = self.fold(column);
        let born = self.table(table).and_then(|known| known.columns.get(&column));
        self.is_new(table)
            || born.is_some_and(|born| self.is_own(&born.at))
            || self.new_columns.contains(&(self.key(table), column))
    }

    /// The migration that is being read, or one that goes out with it, created this type: nobody else uses it yet.
    pub fn is_new_data_type(&self, name: &Name) -> bool {
        self.data_type(name).is_some_and(|data_type| self.is_own(&data_type.born))
    }

    /// The migration that is being read gave a table this name: the running version knows it by another.
    pub fn is_renamed(&self, name: &Name) -> bool {
        self.renamed.contains(&self.key(name))
    }

    /// Only this migration's session sees it.
    pub fn is_temporary(&self, name: &Name) -> bool {
        self.temporary.contains(&self.key(name))
    }

    /// What the migration that is being read puts in this table's place.
    pub fn rebuild(&self, name: &Name) -> Option<&Rebuild> {
        self.rebuilds.get(&self.key(name))
    }

    /// What a table's rebuild changes about it, in the words of ALTER TABLE, if this clause is the one that takes the
    /// old table away. `None` also where the rows are not copied or the history does not tell of all columns.
    pub fn rebuilt(&self, clause: &Clause) -> Option<Vec<Clause>> {
        let (Change::DropTable { table, .. } | Change::RenameTable { table, .. }) = &clause.change else { return None };
        let changes = self.differences(table)?;
        Some(changes.into_iter().map(|change| Clause { change, ..clause.clone() }).collect())
    }

    /// What a table's rebuild changes about it.
    pub fn differences(&self, table: &Name) -> Option<Vec<Change>> {
        let old = self.table(table).filter(|_| !self.is_new(table))?;
        self.rebuild(table)?.differences(self, old)
    }

    /// No two rows have the same value in this column. Of a table that the history never told of, `id` is taken
    /// for its key.
    pub fn is_unique(&self, table: &Name, column: &str) -> bool {
        let Some(known) = self.table(table) else { return self.same(column, "id") };
        let alone = |columns: &[String]| matches!(columns, [only] if self.same(only, column));
        let is_key = |index: &Index| index.unique && index.predicate.is_none() && alone(&index.columns);
        known.indexes.values().any(|index| is_key(index))
            || known.constraints.values().any(|constraint| match &constraint.kind {
                ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => alone(columns),
                _ => false,
            })
    }

    /// A NOT NULL, or a validated CHECK that demands `column IS NOT NULL`, alone or joined to other conditions by AND: no
    /// row holds NULL, and none can be written.
    pub fn proves_not_null(&self, table: &Name, column: &str) -> bool {
        let wanted = [format!("{column}isnotnull"), format!("not{column}isnull")];
        let proves = |constraint: &Constraint| match &constraint.kind {
            ConstraintKind::Check { expression } if !constraint.not_valid => {
                conditions(expression, self.dialect).iter().any(|condition| {
                    let bare: String =
                        condition.chars().filter(|c| !c.is_whitespace() && !"()\"`".contains(*c)).collect();
                    wanted.iter().any(|wanted| bare.eq_ignore_ascii_case(wanted))
                })
            }
            ConstraintKind::NotNull { column: named } if !constraint.not_valid => self.same(named, column),
            ConstraintKind::PrimaryKey { columns } => columns.iter().any(|named| self.same(named, column)),
            _ => false,
        };
        match self.table(table) {
            Some(known) => {
                known.constraints.values().any(|constraint| proves(&constraint.part))
                    || self.column(table, column).is_some_and(|column| column.not_null)
            }
            None => self.foreign_checks.get(&self.key(table)).is_some_and(|checks| checks.values().any(proves)),
        }
    }

    /// Whether two column names mean the same column.
    pub fn same(&self, a: &str, b: &str) -> bool {
        match self.dialect {
            Dialect::Postgres => a == b,
            Dialect::Mysql | Dialect::Sqlite => a.eq_ignore_ascii_case(b),
        }
    }

    fn fold(&self, name: &str) -> String {
        fold(self.dialect, name)
    }

    /// Under which a table is kept: the folded name in the schema where it is found, or where it would be created.
    pub(super) fn key(&self, name: &Name) -> Name {
        self.resolve(name, |key| self.tables.contains_key(key))
    }

    fn index_key(&self, name: &Name) -> Name {
        self.resolve(name, |key| self.indexes.contains_key(key))
    }

    fn resolve(&self, name: &Name, exists: impl Fn(&Name) -> bool) -> Name {
        let within = |schema: Option<String>| Name { schema, name: self.fold(&name.name) };
        if let Some(schema) = &name.schema {
            return within(Some(self.fold(schema)));
        }
        let mut path = self.session.search_path().iter().map(|schema| within(Some(schema.clone())));
        let temporary = || within(Some(self.temporary_schema()));
        let found = (!self.temporary.is_empty()).then(temporary).filter(&exists).or_else(|| path.clone().find(exists));
        found.or_else(|| path.next()).unwrap_or_else(|| within(None))
    }

    /// A name that does not change its meaning with the search path: without a schema it is in the usual one.
    fn settled(&self, name: &Name) -> Name {
        let schema = self.key(name).schema.filter(|schema| !self.session.is_usual(schema));
        Name { schema: name.schema.clone().or(schema), name: name.name.clone() }
    }

    /// The key of a settled name.
    fn settled_key(&self, name: &Name) -> Name {
        let schema = name.schema.as_deref().or_else(|| self.session.usual_schema()).map(|schema| self.fold(schema));
        Name { schema, name: self.fold(&name.name) }
    }

    fn temporary_schema(&self) -> String {
        if self.dialect == Dialect::Sqlite { "temp" } else { "pg_temp" }.into()
    }
}

fn fold(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Postgres => name.to_string(),
        Dialect::Mysql | Dialect::Sqlite => name.to_ascii_lowercase(),
    }
}
