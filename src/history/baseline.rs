//! `--baseline`: a dump of the schema as it was before the first migration.

use std::collections::BTreeSet;
use std::path::Path;

use super::{History, Migration, text};
use crate::error::Result;
use crate::sql::Change;

impl History {
    /// Puts a dump before all migrations: it is replayed and never judged.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn set_baseline(&mut self, path: &Path) -> Result<()> {
        let shown = path.display().to_string();
        let mut baseline = Migration::new(&shown, text::of_file(path)?, self.dialect);
        (baseline.baseline, baseline.replayed) = (true, true);
        // The directory of the migrations may hold it, too.
        let own = path.canonicalize().ok();
        self.migrations.retain(|other| own.is_none() || Path::new(&other.path).canonicalize().ok() != own);
        let changes = || baseline.statements.iter().flat_map(|statement| statement.parsed.iter().flatten());
        let tables = changes().filter_map(|clause| match &clause.change {
            Change::CreateTable { table, .. } => Some(table),
            _ => None,
        });
        let tables = tables.collect::<BTreeSet<_>>().len();
        let unread = baseline.statements.iter().filter(|statement| statement.parsed.is_err()).count();
        self.notes.push(match unread {
            0 => format!("`{shown}` is the baseline: {tables} tables come from it"),
            _ => format!(
                "`{shown}` is the baseline: {tables} tables come from it; {unread} of its statements could not be read"
            ),
        });
        self.migrations.insert(0, baseline);
        Ok(())
    }
}
