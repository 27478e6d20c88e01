//! Standard input as a history: SQL, or what a tool prints of its migrations.

use std::io::Read;
use std::sync::Arc;

use super::layout::{Choice, Wrapping};
use super::printed::{self, Section};
use super::{History, Migration, layout, text};
use crate::error::{Error, Result};
use crate::sql::Dialect;

/// What stands for a path.
pub const NAME: &str = "<stdin>";

/// Reads all that comes in.
///
/// # Errors
/// It is empty, too long or no text, or nobody says whose SQL it is.
pub fn read(stream: impl Read, choice: impl Into<Choice>) -> Result<History> {
    let choice = choice.into();
    let dialect = choice.dialect.ok_or_else(layout::no_dialect)?;
    let text = text::of_stream(stream, NAME)?;
    if text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty() {
        let error = Error::input("nothing came in on standard input");
        return Err(error.hint("look whether the program before the `|` failed"));
    }
    let mut history =
        History { dialect, migrations: Vec::new(), notes: Vec::new(), unreadable: Vec::new(), live: None };
    let Some(printed) = printed::read(&text) else {
        plain(text, choice.transaction, &mut history);
        return Ok(history);
    };
    history.notes.push(format!("`{NAME}` is read as what {} prints", printed.tool));
    let down = printed.sections.iter().filter(|section| section.is_down).count();
    if down > 0 {
        history
            .notes
            .push(format!("{down} of {} migrations not linted: made to undo a migration", printed.sections.len()));
    }
    let forward: Vec<_> = printed.sections.into_iter().filter(|section| !section.is_down).collect();
    let silent = forward.iter().filter(|section| section.is_blank(&text)).count();
    // Of others it may be that a migration does nothing.
    if silent > 0 && printed.tool == printed::NODE_PG_MIGRATE {
        let error = Error::input(format!("{silent} of {} migrations came without their SQL", forward.len()));
        history.unreadable.push(error.hint("let node-pg-migrate print it: it does unless told `--no-verbose`"));
    }
    history.migrations.extend(forward.into_iter().map(|section| migration(&text, section, dialect)));
    Ok(history)
}

fn migration(text: &Arc<str>, section: Section, dialect: Dialect) -> Migration {
    let mut migration = Migration::of_parts(NAME, text.clone(), section.parts, dialect);
    migration.printed = true;
    migration.version = section.version;
    migration.in_transaction = section.in_transaction;
    migration
}

fn plain(text: Arc<str>, wrapping: Option<Wrapping>, history: &mut History) {
    let end = match layout::down_section(&text) {
        Some(at) => {
            let line = 1 + text[..at].matches('\n').count();
            history.notes.push(format!("`{NAME}` is linted up to line {line}, where its down section begins"));
            at
        }
        None => text.len(),
    };
    let mut migration = Migration::of_parts(NAME, text, std::iter::once(0..end).collect(), history.dialect);
    migration.in_transaction = wrapping == Some(Wrapping::PerFile);
    history.migrations.push(migration);
}
