//! Which migrations go out together: what the settings list, what git's tags hold, or what `--released-up-to` says.
//! No running version uses what is born in its own release, and no expand is out before its contract there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::git::Repository;
use super::{History, at_path, of_version, sequences};
use crate::error::{Error, Result};

/// What is told about releases; nothing at all is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Each release with its last migration, by version or path.
    pub list: &'a BTreeMap<String, String>,
    /// The pattern of git's tags that are releases.
    pub tags: Option<&'a str>,
    /// The last migration that is released: its version, path or release, or a revision of git that holds all of them.
    pub up_to: Option<&'a str>,
}

/// Tells of each migration with which release it goes out.
///
/// # Errors
/// A release names a migration that is not there, or git cannot tell.
pub fn mark_releases(history: &mut History, told: &Told<'_>) -> Result<()> {
    if told.list.is_empty() && told.tags.is_none() && told.up_to.is_none() {
        return Ok(());
    }
    let mut last = BTreeSet::new();
    for (release, word) in told.list {
        last.append(&mut named(history, word).ok_or_else(|| {
            Error::input(format!("release `{release}`: no migration has the path or version `{word}`"))
                .hint("name the last migration that the release brings")
        })?);
    }
    if let Some(pattern) = told.tags {
        for tag in Repository::around(first_file(history)?)?.tags(pattern)? {
            last.append(&mut held_by(history, &tag)?);
        }
    }
    let mut limit = None;
    if let Some(word) = told.up_to {
        let by_name = named(history, told.list.get(word).map_or(word, String::as_str));
        let found = match by_name {
            Some(found) => found,
            None => {
                let no_meaning = |why: String| {
                    let message = format!("`--released-up-to {word}`: no release or migration is called so, and {why}");
                    Error::input(message)
                        .hint("give the version or path of the last migration that is released, or a tag")
                };
                let repository = Repository::around(first_file(history)?).map_err(|error| no_meaning(error.message))?;
                if !repository.knows(word) {
                    return Err(no_meaning(repository.unknown(word).message));
                }
                held_by(history, word)?
            }
        };
        last.extend(&found);
        limit = Some(found);
    }
    for sequence in sequences(&history.migrations) {
        let end = limit.as_ref().and_then(|limit| limit.range(sequence.clone()).next_back().copied());
        let up_to = end.map_or(sequence.end, |end| end + 1);
        let own: Vec<usize> = last.range(sequence.start..up_to).copied().collect();
        let Some(end) = own.last() else {
            let path = &history.migrations[sequence.start].path;
            history.notes.push(format!("no release is known of the sequence that begins with `{path}`"));
            continue;
        };
        let left = match sequence.end - end - 1 {
            0 => "nothing is after it".into(),
            1 => "the migration after it is not".into(),
            left => format!("the {left} migrations after it are not"),
        };
        history.notes.push(format!("released up to `{}`: {left}", history.migrations[*end].path));
        for index in sequence {
            history.migrations[index].release = Some(own.partition_point(|last| *last < index));
        }
    }
    Ok(())
}

/// The migrations that a path or a version means.
fn named(history: &History, word: &str) -> Option<BTreeSet<usize>> {
    let by_path = at_path(history, word);
    let found = if by_path.is_empty() { of_version(history, word) } else { by_path };
    (!found.is_empty()).then(|| found.into_iter().collect())
}

/// The last migration of each sequence that a revision has.
fn held_by(history: &History, revision: &str) -> Result<BTreeSet<usize>> {
    let files = Repository::around(first_file(history)?)?.files_at(revision)?;
    let is_held = |index: &usize| {
        let path: Option<PathBuf> = fs::canonicalize(history.migrations[*index].file()).ok();
        path.is_some_and(|path| files.contains(&path))
    };
    Ok(sequences(&history.migrations).into_iter().filter_map(|mut sequence| sequence.rfind(is_held)).collect())
}

fn first_file(history: &History) -> Result<&str> {
    let first = history.migrations.first().map(super::Migration::file);
    first.ok_or_else(|| Error::input("there is no migration that git could know"))
}
