//! What a rebuild leaves behind: rows and values that go with the old table.

use super::Rebuild;
use crate::schema::catalog::{Catalog, Table, mentions};
use crate::sql::{Change, ConstraintKind, Name};

/// What goes with the old table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// The copy does not take all rows, or drops one for another.
    Rows,
    /// The column stays, and the copy leaves its values out.
    Values { column: String },
    /// The column stays, and the copy fills it from this other column.
    Mistaken { column: String, from: String },
}

impl Rebuild {
    /// What its copy of the rows leaves behind; nothing where no rows are copied at all.
    pub fn losses(&self, catalog: &Catalog, old: &Table) -> Vec<Loss> {
        if !self.copies_rows {
            return Vec::new();
        }
        let mut losses: Vec<Loss> = self.partial.then_some(Loss::Rows).into_iter().collect();
        if self.copied.is_empty() || !(self.columns_known && old.columns_known) {
            return losses;
        }
        for (folded, column) in &old.columns {
            let stays = self.columns.iter().any(|new| catalog.same(&new.name, &column.name) && new.generated.is_none());
            if !stays || column.generated.is_some() {
                continue;
            }
            let column = column.name.clone();
            match self.copied.get(folded) {
                Some(source) if source == folded || mentions(source, &column) => {}
                Some(source) if old.columns.contains_key(source) => {
                    losses.push(Loss::Mistaken { column, from: source.clone() });
                }
                // What is put together from other columns is meant so.
                Some(source) if old.columns.values().any(|other| mentions(source, &other.name)) => {}
                _ => losses.push(Loss::Values { column }),
            }
        }
        losses
    }

    /// The old table's keys that the new one lacks, as the changes that drop them.
    pub(super) fn lost_keys(&self, catalog: &Catalog, old: &Table) -> Vec<Change> {
        let key = |columns: &[String]| {
            let mut columns: Vec<String> = columns.iter().map(|column| catalog.fold(column)).collect();
            columns.sort();
            columns
        };
        let listed = self.keys.iter().map(|columns| key(columns));
        let indexed = self.indexes.iter().filter(|index| index.unique && index.predicate.is_none());
        let kept: Vec<_> = listed.chain(indexed.map(|index| key(&index.columns))).collect();
        let is_lost = |kind: &ConstraintKind| match kind {
            ConstraintKind::Unique { columns } | ConstraintKind::PrimaryKey { columns } => {
                !kept.contains(&key(columns))
            }
            _ => false,
        };
        let lost = old.constraints.iter().filter(|(_, constraint)| is_lost(&constraint.kind));
        let dropped = |name: &String| Change::DropConstraint {
            table: Name { schema: old.name.schema.clone(), name: old.name.name.clone() },
            name: name.clone(),
            if_exists: false,
            cascade: false,
        };
        lost.map(|(name, _)| dropped(name)).collect()
    }
}
