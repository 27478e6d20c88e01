//! The tables that are locked although the statement does not name them.

use std::collections::BTreeSet;

use crate::schema::{Catalog, Table};
use crate::sql::{ConstraintKind, Name};

/// The partitions and heirs of a table, and theirs.
pub(super) fn descendants(catalog: &Catalog, table: &Name) -> Vec<Name> {
    closure(table, |of| {
        let is_child = |user: &&Table| {
            user.partition_of.iter().chain(&user.inherits).any(|parent| catalog.is_same_table(parent, of))
        };
        catalog.users(of).filter(is_child).map(|user| user.name.clone()).collect()
    })
}

/// The tables with a foreign key to this one.
pub(super) fn referencing<'a>(catalog: &'a Catalog, table: &'a Name) -> impl Iterator<Item = &'a Table> {
    let points_here = |user: &&Table| user.references().any(|target| catalog.is_same_table(target, table));
    catalog.users(table).filter(points_here)
}

/// Those, and the ones with a foreign key to them.
pub(super) fn referencing_closure(catalog: &Catalog, table: &Name) -> Vec<Name> {
    closure(table, |of| referencing(catalog, of).map(|user| user.name.clone()).collect())
}

/// What CASCADE reaches: the tables that point here by a foreign key, and the views that read from here, and theirs.
pub(super) fn dependents(catalog: &Catalog, table: &Name) -> Vec<Name> {
    let mut found: Vec<Name> = referencing(catalog, table).map(|user| user.name.clone()).collect();
    found.extend(closure(table, |of| {
        let reads = |user: &&Table| user.reads.iter().any(|read| catalog.is_same_table(read, of));
        catalog.users(of).filter(reads).map(|user| user.name.clone()).collect()
    }));
    found
}

/// The tables that this table's foreign keys over one of `columns` point to.
pub(super) fn targets_of(catalog: &Catalog, table: &Name, is_meant: impl Fn(&[String]) -> bool) -> Vec<Name> {
    let constraints = catalog.table(table).into_iter().flat_map(|known| known.constraints.values());
    let target = |kind: &ConstraintKind| match kind {
        ConstraintKind::ForeignKey { columns, references } if is_meant(columns) => Some(references.clone()),
        _ => None,
    };
    constraints.filter_map(|constraint| target(&constraint.kind)).collect()
}

pub(super) fn has_index(catalog: &Catalog, table: &Name, index: &str) -> bool {
    catalog.table(table).is_some_and(|known| known.indexes.contains_key(index) || known.constraints.contains_key(index))
}

fn closure(start: &Name, next: impl Fn(&Name) -> Vec<Name>) -> Vec<Name> {
    let mut seen = BTreeSet::from([start.clone()]);
    let mut found = Vec::new();
    let mut open = vec![start.clone()];
    while let Some(of) = open.pop() {
        for name in next(&of) {
            if seen.insert(name.clone()) {
                found.push(name.clone());
                open.push(name);
            }
        }
    }
    found
}
