//! A migration as a whole: what stands before and behind a statement, found by the table that it is about.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::sql::{Change, Name};

/// All changes of a migration in the order of its text.
#[derive(Debug, Default)]
pub struct Whole<'a> {
    changes: Vec<&'a Change>,
    /// Where the changes of a table are, by its bare name in lower case. Most migrations are never asked.
    by_table: OnceCell<BTreeMap<String, Vec<usize>>>,
    /// The next file goes on with it.
    pub goes_on: bool,
    /// Its BEGIN and COMMIT are its tool's own.
    pub printed: bool,
}

impl<'a> Whole<'a> {
    pub(super) fn new(changes: impl Iterator<Item = &'a Change>, goes_on: bool, printed: bool) -> Self {
        Self { changes: changes.collect(), by_table: OnceCell::new(), goes_on, printed }
    }

    /// All changes, also those before.
    pub fn all(&self) -> &[&'a Change] {
        &self.changes
    }

    /// What the changes in `places` do to a table of this name; whether it is that of the same schema, the catalog tells.
    pub fn of(&self, table: &Name, places: Range<usize>) -> impl Iterator<Item = &'a Change> {
        let by_table = self.by_table.get_or_init(|| self.index());
        let all = by_table.get(&table.name.to_lowercase()).map_or(&[][..], Vec::as_slice);
        let (from, to) = (all.partition_point(|at| *at < places.start), all.partition_point(|at| *at < places.end));
        all[from..to.max(from)].iter().map(|at| self.changes[*at])
    }

    fn index(&self) -> BTreeMap<String, Vec<usize>> {
        let mut by_table: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, change) in self.changes.iter().enumerate() {
            if let Some(table) = change.table() {
                by_table.entry(table.name.to_lowercase()).or_default().push(at);
            }
        }
        by_table
    }
}
