//! Liquibase: formatted SQL, and changelogs in XML, YAML or JSON. A changeset is a migration of its own.
//!
//! A change of a changelog is written out as the SQL that Liquibase sends for it, and that SQL is read like any other:
//! its effects are those of the statement, its place is that of the change in the changelog.

mod change;
mod changelog;
mod changeset;
mod data_type;
mod element;
mod formatted;
mod node;
mod property;
mod resource;
mod xml;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::directory::{Directory, Entry};
use super::reading::{Place, Reading};
use super::{Sign, Tool, Translator};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "liquibase",
    recursive: true,
    unique: false,
    sign: |directory: &Directory| {
        directory.mostly_says(formatted::is_formatted).then_some(Sign::Mark("`--liquibase formatted sql`"))
    },
    dialect: |_| None,
    read,
    assumed: "files in natural order of their paths, each changeset in a transaction unless it says runInTransaction:false; \
              contexts and preconditions are taken to hold",
};

pub(super) static CHANGELOGS: Translator =
    Translator { name: "liquibase", claims: is_changelog, dialect: |_| None, read: changelog::read, needs_python: None };

fn read(directory: &Directory, dialect: Dialect) -> Reading {
    let mut others = Vec::new();
    let mut reading = Reading::of(directory, |_| Vec::new(), |entry, text| place(entry, text, dialect, &mut others));
    reading.notes = others;
    reading
}

fn place(entry: &Entry, text: &str, dialect: Dialect, notes: &mut Vec<String>) -> Place {
    if !formatted::is_formatted(text) {
        return Place::Aside("no `--liquibase formatted sql` on the first line");
    }
    let (runs, others) = formatted::read(text, dialect);
    notes.extend(others_note(others, runs.len(), &entry.path, dialect));
    Place::Forward(runs)
}

/// That changesets are for other databases, if any are.
fn others_note(others: usize, ours: usize, path: &Path, dialect: Dialect) -> Option<String> {
    let (all, path) = (others + ours, path.display());
    let note =
        || format!("{others} of {all} changesets in `{path}` not linted: their `dbms` or context is not {dialect}");
    (others > 0).then(note)
}

/// Whether a file says at its beginning that it is a changelog. Its encoding does not matter: one that we cannot read
/// is a changelog that we cannot read.
fn is_changelog(path: &Path) -> bool {
    const HEAD: u64 = 16 * 1024;
    if !changelog::is_changelog_name(path) || !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    if File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).is_err() {
        return false;
    }
    head.retain(|byte| *byte != 0);
    let head = String::from_utf8_lossy(&head);
    head.match_indices("databaseChangeLog").any(|(at, name)| {
        let (before, after) = (&head[..at], head[at + name.len()..].trim_start_matches(['"', '\'', ' ']));
        let line = before.rsplit('\n').next().unwrap_or_default().trim_start_matches(['\u{feff}', '\u{fffd}', ' ', '{', '"', '\'', '\t']);
        let is_element = line.rsplit('<').next().is_some_and(|prefix| line.contains('<') && !prefix.contains([' ', '>']));
        is_element || (line.is_empty() && after.starts_with(':'))
    })
}

/// Whether a changeset is for this dialect. `dbms` says so; teams say it with a context as well, and contexts that
/// name databases are the only ones that we can judge by.
fn is_meant(dbms: Option<&str>, contexts: Option<&str>, dialect: Dialect) -> bool {
    const OTHERS: [&str; 9] =
        ["h2", "oracle", "mssql", "sqlserver", "db2", "hsqldb", "derby", "cockroachdb", "firebird"];
    let is_database = |context: &str| {
        let word = context.trim().trim_start_matches('!').to_ascii_lowercase();
        Dialect::from_word(&word).is_ok() || OTHERS.contains(&word.as_str())
    };
    let contexts = contexts.filter(|list| list.split(',').all(is_database));
    dbms.into_iter().chain(contexts).all(|list| is_for(list, dialect))
}

/// Whether a list like `postgresql,h2` or `!mysql` means this dialect.
fn is_for(list: &str, dialect: Dialect) -> bool {
    let (mut wanted, mut allowed) = (false, false);
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.strip_prefix('!') {
            Some(other) if Dialect::from_word(other).is_ok_and(|other| other == dialect) => return false,
            Some(_) => {}
            None => {
                wanted = true;
                allowed |= word == "all" || Dialect::from_word(word).is_ok_and(|word| word == dialect);
            }
        }
    }
    allowed || !wanted
}
