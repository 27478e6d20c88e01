//! Liquibase: formatted SQL, and changelogs in XML, YAML or JSON. A changeset is a migration of its own.
//!
//! A change of a changelog is written out as the SQL that Liquibase sends for it, and that SQL is read like any other:
//! its effects are those of the statement, its place is that of the change in the changelog.

mod formatted;

use super::directory::{Directory, Entry};
use super::reading::{Place, Reading};
use super::{Sign, Tool};
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
    if others > 0 {
        let path = entry.path.display();
        let all = runs.len() + others;
        notes.push(format!("{others} of {all} changesets in `{path}` not linted: their `dbms` is not {dialect}"));
    }
    Place::Forward(runs)
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
