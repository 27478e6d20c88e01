//! Directories that are named after a kind of database: `migrations/mysql` beside `migrations/postgres`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use crate::sql::Dialect;

/// Kinds of databases whose SQL we do not read.
const FOREIGN: [&str; 6] = ["h2", "oracle", "sqlserver", "mssql", "cockroach", "cockroachdb"];

/// Whether a directory of this name, in lower case, is made for one kind of database.
pub(super) fn names_one(name: &str) -> bool {
    FOREIGN.contains(&name) || Dialect::from_word(name).is_ok()
}

/// Takes out the directories of other kinds of databases that lie beside one of ours below the same argument: nobody
/// runs both.
pub(super) fn set_others_aside(
    directories: &mut Vec<Directory>,
    ours: Dialect,
    aside: &mut BTreeMap<&'static str, Vec<PathBuf>>,
) {
    let place_of_ours = |directory: &Directory| {
        let (place, database) = made_for(&directory.path)?;
        (database == Some(ours)).then(|| (directory.argument, place.to_path_buf()))
    };
    let places: BTreeSet<_> = directories.iter().filter_map(place_of_ours).collect();
    let is_other = |directory: &mut Directory| {
        made_for(&directory.path).is_some_and(|(place, database)| {
            database != Some(ours) && places.contains(&(directory.argument, place.to_path_buf()))
        })
    };
    for directory in directories.extract_if(.., is_other) {
        let reason = "made for another kind of database, as their directories say";
        aside.entry(reason).or_default().extend(directory.entries.into_iter().map(|entry| entry.path));
    }
}

/// The directory that holds the last one that is named after a kind of database, and which that is; `None` is a foreign
/// one.
fn made_for(directory: &Path) -> Option<(&Path, Option<Dialect>)> {
    let named = directory.ancestors().find(|directory| {
        directory.file_name().and_then(OsStr::to_str).is_some_and(|name| names_one(&name.to_ascii_lowercase()))
    })?;
    let name = named.file_name()?.to_str()?;
    Some((named.parent()?, Dialect::from_word(name).ok()))
}
