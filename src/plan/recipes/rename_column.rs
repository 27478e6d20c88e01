//! A renamed column: a new column beside the old one, kept in sync both ways while both versions run.
//!
//! The textbook's fill of `WHERE new IS NULL` misses rows that the old version wrote after the new one had;
//! so the triggers are there first, and fill and proof compare the two columns.
//!
//! It refuses what would be lost on the way: keys, unique and foreign keys, checks, expression indexes,
//! collations, and on SQLite, which cannot change a column afterwards, NOT NULL and defaults.

mod mysql;
mod postgres;
mod sqlite;

use super::{Draft, Unsafe};
use crate::error::{Error, Result};
use crate::schema::Table;
use crate::sql::{self, Change, Column, ConstraintKind, Dialect, Index, Name};

/// The rename and all that the new column has to take over.
struct Rename<'a> {
    dialect: Dialect,
    table: &'a Name,
    old: &'a str,
    new: &'a str,
    column: Column,
    /// Plain indexes that the old column is part of.
    indexes: Vec<Index>,
    /// How a SQLite trigger finds its row again: `rowid`, or the primary key of a table without it.
    row_key: Vec<String>,
}

/// The SQL of the phases.
struct Phases {
    expand: String,
    /// Behind the UPDATE.
    indexes: String,
    contract: String,
    revert: String,
}

/// Rewrites `RENAME COLUMN`.
pub fn rewrite(subject: &Unsafe<'_>) -> Option<Result<Draft>> {
    let Change::RenameColumn { table, column, to } = subject.change else { return None };
    Some(
        Rename::read(subject, table, column, to)
            .map(|rename| Draft { files: rename.files(subject.title), ladder: rename.ladder() }),
    )
}

impl<'a> Rename<'a> {
    fn read(subject: &Unsafe<'a>, table: &'a Name, old: &'a str, new: &'a str) -> Result<Self> {
        let dialect = subject.dialect;
        let same = |a: &str, b: &str| match dialect {
            Dialect::Postgres => a == b,
            Dialect::Mysql | Dialect::Sqlite => a.eq_ignore_ascii_case(b),
        };
        let told = subject.table.and_then(|known| known.columns.values().find(|column| same(&column.name, old)));
        if let Some(known) = subject.table {
            if told.is_none() && subject.column_type.is_none() {
                return Err(Error::input(format!("the migrations before this one know no column {table}.{old}"))
                    .hint("if they are not all of them, give --type 'varchar(20) NOT NULL'"));
            }
            if known.columns.values().any(|column| same(&column.name, new)) {
                return Err(Error::input(format!("there is a column {table}.{new} already")));
            }
        }
        let column = match (told, subject.column_type) {
            (Some(column), None) => column.part.clone(),
            (Some(column), Some(_)) => {
                return Err(Error::input(format!(
                    "the migrations tell that {table}.{old} is {}: leave --type out",
                    column.data_type
                )));
            }
            (None, Some(written)) => as_written(dialect, written)?,
            (None, None) => {
                return Err(Error::input(format!("the type of {table}.{old} is not known")).hint(
                    "put the migration beside the one that creates the table, or give --type 'varchar(20) NOT NULL'",
                ));
            }
        };
        let mut rename = Self { dialect, table, old, new, column, indexes: Vec::new(), row_key: Vec::new() };
        rename.refuse_column()?;
        if let Some(known) = subject.table {
            rename.refuse_constraints(known)?;
            rename.take_indexes(known)?;
            rename.find_row_key(known, subject.created_by)?;
        }
        Ok(rename)
    }

    /// What cannot be carried over to a new column.
    fn refuse_column(&self) -> Result<()> {
        let Column { primary_key, unique, references, check, generated, identity, default, not_null, .. } =
            &self.column;
        let Column { collation, attributes, .. } = &self.column;
        let lost = [
            (*primary_key, "is a primary key"),
            (*unique, "is unique"),
            (references.is_some(), "has a foreign key"),
            (*check, "has a CHECK"),
            (generated.is_some(), "is generated"),
            (*identity, "is filled by the database itself"),
            (
                self.dialect == Dialect::Sqlite && *not_null,
                "is NOT NULL, which SQLite cannot add to the new column afterwards",
            ),
            (
                self.dialect == Dialect::Sqlite && default.is_some(),
                "has a DEFAULT, which SQLite cannot add to the new column afterwards",
            ),
            (
                self.dialect == Dialect::Postgres && incomparable(&self.column.data_type),
                "is of a type without a true `=`",
            ),
        ];
        let collation = collation.as_ref().map(|collation| format!("COLLATE {collation}"));
        match (lost.iter().find(|(is, _)| *is), attributes.first().cloned().or(collation)) {
            (Some((_, why)), _) => Err(self.refused(why)),
            (None, Some(attribute)) => Err(self.refused(&format!("has `{attribute}`"))),
            (None, None) => Ok(()),
        }
    }

    fn refuse_constraints(&self, known: &Table) -> Result<()> {
        for constraint in known.constraints.values() {
            let alone = |columns: &[String]| columns.len() == 1 && self.is_in(columns);
            let lost = match &constraint.kind {
                ConstraintKind::PrimaryKey { columns } if alone(columns) => "is a primary key",
                ConstraintKind::Unique { columns } if alone(columns) => "is unique",
                ConstraintKind::ForeignKey { columns, .. } if alone(columns) => "has a foreign key",
                ConstraintKind::Check { expression } if expression == self.old => "has a CHECK",
                ConstraintKind::PrimaryKey { columns } if self.is_in(columns) => "is part of the primary key",
                ConstraintKind::Unique { columns } if self.is_in(columns) => "is part of a unique key",
                ConstraintKind::ForeignKey { columns, .. } if self.is_in(columns) => "is part of a foreign key",
                ConstraintKind::Check { expression } if self.is_mentioned(expression) => "stands in a CHECK",
                ConstraintKind::Exclude => "may stand in the table's EXCLUDE constraint",
                _ => continue,
            };
            return Err(self.refused(lost));
        }
        Ok(())
    }

    fn take_indexes(&mut self, known: &Table) -> Result<()> {
        for index in known.indexes.values() {
            if !index.columns.iter().any(|column| self.is_mentioned(column)) {
                // The condition of a partial index is not told: it may name the column.
                if index.predicate.is_some() {
                    return Err(self.refused("may stand in the condition of a partial index"));
                }
                continue;
            }
            if index.unique && index.columns.len() == 1 {
                return Err(self.refused("is unique"));
            }
            if index.unique {
                return Err(self.refused("is part of a unique index"));
            }
            if !index.plain || !self.is_in(&index.columns) {
                return Err(self.refused("is part of an index that is more than names of columns"));
            }
            self.indexes.push(index.part.clone());
        }
        Ok(())
    }

    fn find_row_key(&mut self, known: &Table, created_by: Option<&str>) -> Result<()> {
        let words: Vec<String> = created_by
            .unwrap_or_default()
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_uppercase)
            .collect();
        if self.dialect != Dialect::Sqlite || !words.windows(2).any(|pair| pair == ["WITHOUT", "ROWID"]) {
            return Ok(());
        }
        self.row_key = known.primary_key().to_vec();
        if self.row_key.is_empty() {
            return Err(Error::input(format!("{} has no rowid and no primary key that is known", self.table)));
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Error {
        Error::input(format!("{}.{} {why}: this recipe would lose that", self.table, self.old))
            .hint("write the phased change by hand: a directory with expand.sql, backfill.sql and contract.sql")
    }

    fn is_in(&self, columns: &[String]) -> bool {
        columns.iter().any(|column| match self.dialect {
            Dialect::Postgres => column == self.old,
            Dialect::Mysql | Dialect::Sqlite => column.eq_ignore_ascii_case(self.old),
        })
    }

    /// The old column's name is a word of `expression`; one too many is refused, none is overlooked.
    fn is_mentioned(&self, expression: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let (expression, old) = (expression.to_lowercase(), self.old.to_lowercase());
        expression.match_indices(&old).any(|(at, found)| {
            !expression[..at].ends_with(is_part) && !expression[at + found.len()..].starts_with(is_part)
        })
    }

    fn files(&self, title: &str) -> Vec<(&'static str, String)> {
        let phases = match self.dialect {
            Dialect::Postgres => postgres::phases(self),
            Dialect::Mysql => mysql::phases(self),
            Dialect::Sqlite => sqlite::phases(self),
        };
        vec![
            ("change.toml", self.settings()),
            ("expand.sql", self.headed(title, "expand: the new column beside the old one", &phases.expand)),
            ("backfill.sql", self.backfill(title, &phases.indexes)),
            ("contract.sql", self.headed(title, "contract: the old column goes", &phases.contract)),
            ("revert.sql", self.headed(title, "revert: undoes expand, before contract has begun", &phases.revert)),
        ]
    }

    fn ladder(&self) -> Vec<String> {
        let Self { table, old, new, .. } = self;
        vec![
            format!("v1 runs; it knows {table}.{old} only"),
            "expand and backfill run; from now on both columns are kept equal, whichever is written".into(),
            format!("v2 rolls out; it knows {table}.{new} only; v1 may run beside it, and v2 may be rolled back to v1"),
            "nothing of v1 is left and nobody will roll back to it: contract runs".into(),
        ]
    }

    fn headed(&self, title: &str, phase: &str, sql: &str) -> String {
        let Self { table, old, new, .. } = self;
        format!("-- {title}: {table}.{old} becomes {new}.\n-- {phase}.\n\n{sql}")
    }

    fn backfill(&self, title: &str, indexes: &str) -> String {
        let (table, old, new) = self.quoted();
        let differs = match self.dialect {
            Dialect::Mysql => mysql::differs(&self.column.data_type, &new, &old),
            Dialect::Postgres | Dialect::Sqlite => format!("{new} IS DISTINCT FROM {old}"),
        };
        let sql = format!(
            "\
-- The runner cuts this into short batches by key. It compares the columns and does not ask for
-- {new} IS NULL: a row that both versions have written has no NULL and can still be wrong. The proof
-- at the end is the same comparison: no such row is left.
UPDATE {table} SET {new} = {old} WHERE {differs};
{indexes}"
        );
        self.headed(title, "backfill: the rows that nobody has written since expand", &sql)
    }

    fn settings(&self) -> String {
        let dialect = self.dialect;
        let by_name = match dialect {
            Dialect::Postgres => "# application-name = \"order-service/{version}\"\n",
            Dialect::Mysql | Dialect::Sqlite => "",
        };
        let mut text = format!(
            "\
dialect = \"{dialect}\"

# How the new version is introduced: recreate, rolling, blue-green, canary, shadow, feature-flag or ab-test.
strategy = \"rolling\"

# The triggers of expand.sql keep both columns equal, so that no version has to write both.
sync = \"two-way\"

# What the two versions are called in pod labels, database users and session names.
# [versions]
# old = \"v1\"
# new = \"v2\"

# [backfill]
# batch-rows = 1000      # of the first batch; the later ones are sized by time
# batch-time = \"100ms\"
"
        );
        if dialect != Dialect::Sqlite {
            text += &format!(
                "
# Everything that uses this database. contract.sql waits until no session and no pod of another version
# than `new` is left; a session that nothing here explains holds it too.
# [[consumers]]
# name = \"order-service\"
{by_name}# user = \"app_{{version}}\"
#
# [consumers.kubernetes]
# namespace = \"shop\"
# selector = \"app=order-service\"
# version-label = \"app.kubernetes.io/version\"
"
            );
        }
        text
    }

    /// Table, old and new column as they stand in SQL.
    fn quoted(&self) -> (String, String, String) {
        let quote = |name| self.dialect.quote(name);
        (self.dialect.quote_name(self.table), quote(self.old), quote(self.new))
    }

    /// A name made of the table's and the new column's, cut to what the dialect allows.
    fn named(&self, before: &str, after: &str) -> String {
        let limit = if self.dialect == Dialect::Mysql { 64 } else { 63 };
        let mut stem = format!("{}_{}", self.table.name, self.new);
        while before.len() + stem.len() + after.len() > limit {
            stem.pop();
        }
        format!("{before}{stem}{after}")
    }

    /// The twin of an index: its name and its columns.
    fn twin(&self, index: &Index, number: usize) -> (String, String) {
        let after = if number == 0 { "_idx".to_string() } else { format!("_idx{}", number + 1) };
        let columns: Vec<String> = index
            .columns
            .iter()
            .map(|column| if self.is_in(std::slice::from_ref(column)) { self.new } else { column })
            .map(|column| self.dialect.quote(column))
            .collect();
        (self.dialect.quote(&self.named("", &after)), columns.join(", "))
    }

    /// The indexes on the new column, dropped: one over several columns would outlive its column on MySQL, and SQLite
    /// drops no column that an index needs.
    fn without_twins(&self, drop: impl Fn(&str) -> String) -> String {
        let twins = self.indexes.iter().enumerate().map(|(number, index)| self.twin(index, number).0);
        twins.map(|name| format!("{};\n", drop(&name))).collect()
    }

    /// The indexes on the new column, built by `create`.
    fn twins(&self, create: &str) -> String {
        if self.indexes.is_empty() {
            return String::new();
        }
        let (table, ..) = self.quoted();
        let mut text = "\n-- Built after the fill: an index that is there before makes the fill about twice as dear.\n"
            .to_string();
        for (number, index) in self.indexes.iter().enumerate() {
            let (name, columns) = self.twin(index, number);
            text += &format!("{create} {name} ON {table} ({columns});\n");
        }
        text
    }
}

/// PostgreSQL types whose `=` is missing, or compares something else than the value.
fn incomparable(data_type: &str) -> bool {
    let base = data_type.split(['(', '[', ' ']).next().unwrap_or_default();
    let base = base.rsplit('.').next().unwrap_or_default().trim_matches('"');
    ["json", "xml", "point", "box", "circle", "path", "polygon", "citext", "interval"].contains(&base)
}

/// The column that `--type` describes.
fn as_written(dialect: Dialect, written: &str) -> Result<Column> {
    let statements = sql::read(&format!("ALTER TABLE t ADD COLUMN c {written}"), dialect);
    let clauses = match statements.as_slice() {
        [statement] => statement.parsed.as_ref().map_err(|unread| unread.reason.clone()),
        _ => Err("it is more than a type".to_string()),
    };
    match clauses.map(Vec::as_slice) {
        Ok([sql::Clause { change: Change::AddColumn { column, .. }, .. }]) if !column.data_type.is_empty() => {
            Ok(column.clone())
        }
        Ok(_) => Err(Error::input(format!("--type `{written}` is no type of a column"))),
        Err(reason) => Err(Error::input(format!("--type `{written}` is no type of a column")).because(reason)),
    }
}
