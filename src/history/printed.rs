//! What tools print of migrations that are not SQL: SQL, with lines of their own between.
//!
//! Every line is a part of a migration, or one of the tool's that we know.

pub(super) mod alembic;
mod knex;
mod node_pg_migrate;

use std::ops::Range;

/// It notes in SQL which migrations are done, so that none is without any.
pub(super) const NODE_PG_MIGRATE: &str = "node-pg-migrate";

/// Migrations that were printed, and by whom.
pub(super) struct Printed {
    pub(super) tool: &'static str,
    pub(super) sections: Vec<Section>,
}

/// One migration of what was printed.
#[derive(Default)]
pub(super) struct Section {
    /// `None` before the first heading, and where the tool does not print it.
    pub(super) version: Option<String>,
    pub(super) parts: Vec<Range<usize>>,
    /// A transaction is open where it begins.
    pub(super) in_transaction: bool,
    /// It undoes a migration.
    pub(super) is_down: bool,
}

/// Recognises a tool's output; `None` is SQL and nothing else.
pub(super) fn read(text: &str) -> Option<Printed> {
    let (tool, mut sections) = None
        .or_else(|| Some((NODE_PG_MIGRATE, node_pg_migrate::sections(text)?)))
        .or_else(|| Some(("alembic", alembic::sections(text)?)))
        .or_else(|| Some(("knex", knex::sections(text)?)))?;
    // What stands around the migrations may be nothing but blank.
    sections.retain(|section| section.version.is_some() || !section.is_blank(text));
    Some(Printed { tool, sections })
}

impl Section {
    /// It holds no SQL.
    pub(super) fn is_blank(&self, text: &str) -> bool {
        self.parts.iter().all(|part| text[part.clone()].trim().is_empty())
    }

    /// The next line; together with the one before it, if that was kept too.
    fn keep(&mut self, line: Range<usize>) {
        match self.parts.last_mut() {
            Some(last) if last.end == line.start => last.end = line.end,
            _ => self.parts.push(line),
        }
    }
}

/// The lines of a text with their places.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = at..at + line.len();
        at = range.end;
        (range, line)
    })
}
