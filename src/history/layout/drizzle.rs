//! Drizzle: `meta/_journal.json` orders the files; `--> statement-breakpoint` ends a statement.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::directory::Directory;
use super::order::by_value;
use super::reading::{Place, Reading, Run, Transaction};
use super::{Sign, Tool};
use crate::error::Error;
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "drizzle",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let has_script = directory.entries.iter().any(|entry| entry.script().is_some());
        (has_script && directory.beside(JOURNAL).is_some()).then_some(Sign::Mark(JOURNAL))
    },
    dialect: |directory| Dialect::from_word(journal(directory).ok()?.get("dialect")?.as_str()?).ok(),
    read,
    assumed: "in the order of the journal, all that are pending in one transaction",
};

const JOURNAL: &str = "meta/_journal.json";
const BREAKPOINT: &str = "--> statement-breakpoint";

fn read(directory: &Directory, _: Dialect) -> Reading {
    let journal = journal(directory);
    let listed = journal.as_ref().ok().and_then(|journal| journal.get("entries")?.as_array());
    let mut places = BTreeMap::new();
    for entry in listed.into_iter().flatten() {
        if let (Some(tag), Some(index)) = (entry["tag"].as_str(), entry["idx"].as_u64()) {
            places.insert(format!("{tag}.sql"), index.to_string());
        }
    }
    let mut reading = Reading::of(directory, by_value, |entry, text| match places.get(&entry.name) {
        // Without the journal the names' own numbers have to do.
        None if journal.is_err() => {
            let number = entry.name.split('_').next().unwrap_or_default();
            Place::run(Run::new(number, Transaction::Always).of_parts(between_breakpoints(text)))
        }
        Some(index) => Place::run(Run::new(index, Transaction::Always).of_parts(between_breakpoints(text))),
        None => Place::Aside("the journal does not name them, so that Drizzle never runs them"),
    });
    for name in directory.entries.iter().map(|entry| &entry.name) {
        places.remove(name);
    }
    let missing = places.keys().map(|name| {
        let place = directory.path.join(name);
        Error::input(format!("could not read `{}`", place.display()))
            .because(format!("{JOURNAL} names it, and it is not there"))
    });
    reading.errors.extend(journal.err());
    reading.errors.extend(missing);
    reading
}

fn journal(directory: &Directory) -> Result<Value, Error> {
    let path = directory.path.join(JOURNAL);
    let text = directory.beside(JOURNAL).unwrap_or_default();
    serde_json::from_str(&text)
        .map_err(|error| Error::input(format!("could not read `{}`", path.display())).because(error))
}

/// The parts of a text between the lines that end a statement, with or without its `;`.
fn between_breakpoints(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, mark) in text.match_indices(BREAKPOINT) {
        parts.push(start..at);
        start = at + mark.len();
    }
    parts.push(start..text.len());
    parts
}
