//! Dumps of a whole schema among the migrations: Rails' and dbmate's, or what pg_dump and mysqldump wrote.
//!
//! A dump is no migration. It tells what the schema is after the versions that it lists, and before all others.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::{Directory, Entry};
use super::files;
use crate::history::{History, Migration};

/// A dump that lies below an argument.
pub(super) struct Dump {
    path: PathBuf,
    argument: usize,
    text: Arc<str>,
}

/// Migrations of one sequence, in the history.
pub(super) struct Stretch {
    pub(super) argument: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Takes the dumps out of what was found. A file that the user names is judged, whatever it is.
pub(super) fn take(directories: &mut Vec<Directory>) -> Vec<Dump> {
    let mut dumps = Vec::new();
    for directory in directories.iter_mut().filter(|directory| directory.argument != usize::MAX) {
        let argument = directory.argument;
        let (found, others) = std::mem::take(&mut directory.entries).into_iter().partition(is_dump);
        directory.entries = others;
        let found: Vec<Entry> = found;
        dumps
            .extend(found.into_iter().filter_map(|entry| Some(Dump { path: entry.path, argument, text: entry.text? })));
    }
    directories.retain(|directory| !directory.entries.is_empty());
    dumps
}

/// Lays each dump behind the last migration that it covers, or before all of them.
pub(super) fn enter(dumps: Vec<Dump>, stretches: &[Stretch], history: &mut History) {
    // From the end, so that the places before it stay what they are.
    let mut placed: Vec<(usize, Migration)> = Vec::new();
    for dump in dumps {
        let path = files(std::slice::from_ref(&dump.path));
        let is_with_it = |stretch: &&Stretch| stretch.argument == dump.argument && stretch.start < stretch.end;
        let with_it: Vec<_> = stretches.iter().filter(is_with_it).collect();
        let [stretch] = with_it[..] else {
            let why = if with_it.is_empty() { "no migrations" } else { "several sequences of migrations" };
            history.notes.push(format!("{path} is a dump, and not read: {why} lie with it"));
            continue;
        };
        let versions = versions(&dump.text);
        let covered = |index: &usize| {
            let version = history.migrations[*index].version.as_deref();
            version.is_some_and(|version| versions.contains(version.trim_start_matches('0')))
        };
        let place = (stretch.start..stretch.end).rev().find(covered).map_or(stretch.start, |last| last + 1);
        let behind = match place.checked_sub(1).filter(|_| place > stretch.start) {
            Some(last) => format!("what the schema is after `{}`", history.migrations[last].path),
            None => "what the schema was before all migrations".into(),
        };
        history.notes.push(format!("{path} is a dump: it is not judged, and taken for {behind}"));
        let mut migration = Migration::new(dump.path.display().to_string(), dump.text, history.dialect);
        (migration.baseline, migration.replayed) = (true, true);
        placed.push((place, migration));
    }
    placed.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    for (place, migration) in placed {
        history.migrations.insert(place, migration);
    }
}

const HEADERS: [&str; 3] = ["-- PostgreSQL database dump", "-- MySQL dump ", "-- MariaDB dump "];
const VERSIONS: &str = "schema_migrations";

fn is_dump(entry: &Entry) -> bool {
    let Some((name, text)) = entry.script().zip(entry.text.as_deref()) else { return false };
    // A first migration is often a dump, and named as one of the tool's: it is run.
    let is_numbered =
        name.trim_start_matches(['V', 'B', 'U', 'R']).starts_with(|c: char| c.is_ascii_digit() || c == '_');
    let by_name = ["structure.sql", "schema.sql"].iter().any(|ending| name.ends_with(ending));
    !is_numbered && (HEADERS.iter().any(|header| head(text).contains(header)) || by_name && !versions(text).is_empty())
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(1000)]
}

/// What `INSERT INTO schema_migrations` lists, without leading zeros.
fn versions(text: &str) -> BTreeSet<&str> {
    let inserts = text.match_indices("INSERT INTO ").filter_map(|(at, _)| text[at..].split(';').next());
    let inserts = inserts.filter(|insert| insert.lines().next().is_some_and(|line| line.contains(VERSIONS)));
    inserts.flat_map(|insert| insert.split('\'').skip(1).step_by(2)).map(|word| word.trim_start_matches('0')).collect()
}
