//! pop (Buffalo, soda): `1_name.up.sql`, or `1_name.postgres.up.sql` for one kind of database; Ory's adds
//! `1_name.autocommit.up.sql`, without a transaction.

use std::collections::BTreeSet;

use super::directory::{Directory, Entry};
use super::order::by_text;
use super::reading::{DOWN, Place, Reading, Run, Transaction};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "pop",
    recursive: false,
    unique: true,
    sign,
    dialect: |_| None,
    read,
    assumed: "in the order of the versions as text, each file in a transaction unless its name says autocommit",
};

fn read(directory: &Directory, dialect: Dialect) -> Reading {
    let named = directory.entries.iter().filter_map(|entry| entry.script().and_then(Name::of));
    let own: BTreeSet<String> =
        named.filter(|name| !name.is_down && name.is_for(dialect)).map(|name| name.version.to_string()).collect();
    Reading::of(directory, by_text, |entry, _| place(entry, dialect, &own))
}

fn sign(directory: &Directory) -> Option<Sign> {
    if !directory.mostly(|entry| entry.script().and_then(Name::of).is_some()) {
        return None;
    }
    // No other tool has a kind of database in its names.
    let of_one = |entry: &Entry| entry.script().and_then(Name::of).is_some_and(|name| name.database.is_some());
    if directory.entries.iter().any(of_one) {
        return Some(Sign::Mark("the database in a name"));
    }
    directory.project_names("gobuffalo/pop", &["go.mod"]).map(Sign::Project)
}

/// What a file's name says.
struct Name<'a> {
    version: &'a str,
    database: Option<&'a str>,
    no_transaction: bool,
    is_down: bool,
}

impl<'a> Name<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let (version, rest) = super::reading::numbered(file)?;
        let (rest, direction) = rest.rsplit_once('.')?;
        let (rest, no_transaction) = rest.strip_suffix(".autocommit").map_or((rest, false), |rest| (rest, true));
        let (name, database) = rest.split_once('.').map_or((rest, None), |(name, database)| (name, Some(database)));
        let is_one = !name.is_empty() && database.is_none_or(is_database);
        let is_down = direction == "down";
        (is_one && (is_down || direction == "up")).then_some(Self { version, database, no_transaction, is_down })
    }

    /// It is made for databases of this dialect only.
    fn is_for(&self, dialect: Dialect) -> bool {
        self.database.and_then(|database| Dialect::from_word(database).ok()) == Some(dialect)
    }
}

fn is_database(word: &str) -> bool {
    word == "cockroach" || Dialect::from_word(word).is_ok()
}

/// `own` are the versions that have a file for this dialect only: pop sorts it in front of the file for all, which it
/// then finds applied (`UpMigrations.Less` in `migration_info.go`), and Ory's pop leaves the file for all out.
fn place(entry: &Entry, dialect: Dialect, own: &BTreeSet<String>) -> Place {
    let Some(name) = entry.script().and_then(Name::of) else {
        return Place::Aside("pop runs only `1_name.up.sql` and `1_name.postgres.up.sql`");
    };
    if name.is_down {
        return Place::Aside(DOWN);
    }
    if name.database.is_some() && !name.is_for(dialect) {
        return Place::Aside("made for another kind of database, as their names say");
    }
    if name.database.is_none() && own.contains(name.version) {
        return Place::Aside("the same version has a file for this kind of database, and pop runs that");
    }
    Place::run(Run::new(name.version, Transaction::unless(name.no_transaction)).ordered(by_text(name.version)))
}
