//! Drizzle: `meta/_journal.json` orders the files, or since version 1 each migration is a directory `<time>_name` with
//! `migration.sql` and `snapshot.json`; `--> statement-breakpoint` ends a statement.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use serde_json::Value;

use super::directory::{Directory, Entry, EntryKind};
use super::order::{by_text, by_value};
use super::reading::{Place, Reading, Run, Transaction};
use super::{Sign, Tool};
use crate::error::Error;
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "drizzle",
    recursive: false,
    unique: true,
    sign,
    dialect,
    read,
    assumed: "in the order of the journal, or of the directories' names, all that are pending in one transaction",
};

const JOURNAL: &str = "meta/_journal.json";
const SNAPSHOT: &str = "snapshot.json";
const BREAKPOINT: &str = "--> statement-breakpoint";

fn sign(directory: &Directory) -> Option<Sign> {
    if directory.entries.iter().any(|entry| entry.script().is_some()) && directory.beside(JOURNAL).is_some() {
        return Some(Sign::Mark(JOURNAL));
    }
    directory.entries.iter().any(|entry| snapshot(entry).is_some()).then_some(Sign::Mark("snapshot.json beside migration.sql"))
}

fn dialect(directory: &Directory) -> Option<Dialect> {
    let says = |value: &Value| Dialect::from_word(value.get("dialect")?.as_str()?).ok();
    let of_snapshot = || serde_json::from_str(&snapshot(directory.entries.last()?)?).ok();
    journal(directory).ok().or_else(of_snapshot).as_ref().and_then(says)
}

/// What lies beside a migration that has a directory of its own.
fn snapshot(entry: &Entry) -> Option<String> {
    let is_own = entry.kind == EntryKind::Own("migration.sql");
    is_own.then(|| fs::read_to_string(entry.path.with_file_name(SNAPSHOT)).ok()).flatten()
}

fn read(directory: &Directory, _: Dialect) -> Reading {
    let is_own = |entry: &Entry| entry.kind == EntryKind::Own("migration.sql");
    if directory.beside(JOURNAL).is_none() && directory.entries.iter().any(is_own) {
        return Reading::of(directory, by_text, |entry, text| match entry.kind {
            EntryKind::Own("migration.sql") => {
                let version = entry.name.split('_').next().unwrap_or_default();
                let run = Run::new(version, Transaction::Always).ordered(by_text(&entry.name));
                Place::run(run.of_parts(between_breakpoints(text)))
            }
            _ => Place::Aside("Drizzle runs only `migration.sql` in a directory of its own"),
        });
    }
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
