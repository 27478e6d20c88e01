//! `--since`: of a history, only what is new is judged; the rest is replayed, so that its tables are known.
//!
//! What is not certain to be old is judged.

mod git;
mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{History, Irregular, Migration, stdin};
use crate::error::{Error, Result};
use git::{Changes, Repository};
pub use releases::{Told, mark_releases};

/// Marks as replayed what is older than `word`: the path of a migration, the version of one, or a revision of git;
/// the first of these that there is.
///
/// # Errors
/// It is none of them, or git cannot tell what has changed since.
pub fn narrow(history: &mut History, word: &str) -> Result<()> {
    let by_path = at_path(history, word);
    let by_version = of_version(history, word);
    if by_path.is_empty() && by_version.is_empty() {
        return since_revision(history, word);
    }
    let (kind, found) = if by_path.is_empty() { ("version", by_version) } else { ("path", by_path) };
    let mut note = format!("judged: what comes after the {kind} `{word}`");
    let first = found.first().and_then(|at| history.migrations.get(*at));
    if let Some(name) = first.and_then(|migration| Repository::around(migration.file()).ok()?.full_name(word)) {
        note += &format!("; git knows a revision of that name too: `--since {name}` is that one");
    }
    history.notes.push(note);
    after(history, &found, word);
    duplicates_are_of_the_judged(&mut history.migrations);
    Ok(())
}

/// The migrations that a path means: a file, or the directory of a single migration.
fn at_path(history: &History, word: &str) -> Vec<usize> {
    let Ok(wanted) = fs::canonicalize(word) else { return Vec::new() };
    let is_wanted =
        |path: &Path| path.file_name() == wanted.file_name() && fs::canonicalize(path).is_ok_and(|path| path == wanted);
    let is_file = wanted.is_file();
    let found: Vec<_> = numbered(history)
        .filter(|(_, migration)| {
            let path = Path::new(migration.file());
            // An absolute path and a relative one may both have been typed.
            if is_file { is_wanted(path) } else { path.parent().is_some_and(is_wanted) }
        })
        .collect();
    let version = found.first().and_then(|(_, migration)| migration.version.as_ref());
    let is_one = is_file || version.is_some() && found.iter().all(|(_, other)| other.version.as_ref() == version);
    if is_one { found.into_iter().map(|(index, _)| index).collect() } else { Vec::new() }
}

/// The migrations that have a version; `5` is `0005` too.
fn of_version(history: &History, word: &str) -> Vec<usize> {
    let plain = |version: &str| {
        let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { version.trim_start_matches('0').to_string() } else { version.to_string() }
    };
    let wanted = plain(word);
    let has_it = |migration: &Migration| {
        let version = migration.version.as_deref().or_else(|| leading_number(&migration.path));
        version.is_some_and(|version| plain(version) == wanted)
    };
    numbered(history).filter(|(_, migration)| has_it(migration)).map(|(index, _)| index).collect()
}

/// The number that a plain file's name begins with: no tool says that it is a version, and people mean it.
fn leading_number(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next()?;
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let ends = name[digits..].starts_with(['_', '-', '.']);
    (digits > 0 && ends).then(|| &name[..digits])
}

fn numbered(history: &History) -> impl Iterator<Item = (usize, &Migration)> {
    history.migrations.iter().enumerate()
}

/// In every sequence, what stands up to the last one found is old.
fn after(history: &mut History, found: &[usize], word: &str) {
    for sequence in sequences(&history.migrations) {
        match found.iter().rev().find(|at| sequence.contains(at)) {
            Some(last) => {
                for migration in &mut history.migrations[sequence.start..=*last] {
                    migration.replayed = true;
                }
            }
            None => {
                let path = &history.migrations[sequence.start].path;
                history
                    .notes
                    .push(format!("`{word}` is not in the sequence that begins with `{path}`: all of it is judged"));
            }
        }
    }
}

/// The runs of migrations that are for one database.
fn sequences(migrations: &[Migration]) -> Vec<Range<usize>> {
    let mut starts: Vec<_> = (1..migrations.len()).filter(|index| migrations[*index].starts_anew).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([migrations.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).filter(|sequence| !sequence.is_empty()).collect()
}

/// Judges what is not as it was where this branch left the one of the revision.
fn since_revision(history: &mut History, word: &str) -> Result<()> {
    if history.migrations.iter().any(|migration| migration.path == stdin::NAME) {
        return Err(no_meaning(word, Error::input("git knows nothing of standard input")));
    }
    let mut repositories: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for (index, migration) in history.migrations.iter().enumerate() {
        let parent = git::parent(migration.file());
        let top = known.entry(parent.to_path_buf()).or_insert_with(|| git::top(parent)).clone();
        repositories.entry(top).or_default().push(index);
    }
    for indexes in repositories.values() {
        let paths: Vec<_> = indexes.iter().map(|index| history.migrations[*index].file().to_string()).collect();
        let repository = Repository::around(&paths[0]).map_err(|error| no_meaning(word, error))?;
        if !repository.knows(word) {
            return Err(no_meaning(word, repository.unknown(word)));
        }
        let base = repository.base(word)?;
        let changes = repository.changes(&base, &paths)?;
        let short = base.get(..10).unwrap_or(&base);
        history
            .notes
            .push(format!("judged: what is new or changed since `{word}` (where this branch left it: {short})"));
        history.notes.extend(changes.notes(&repository));
        mark(history, indexes, &repository, &base, &changes);
        let new: BTreeSet<usize> =
            indexes.iter().copied().filter(|index| changes.is_new(history.migrations[*index].file())).collect();
        mark_late(&mut history.migrations, &new);
    }
    duplicates_are_of_the_judged(&mut history.migrations);
    Ok(())
}

fn mark(history: &mut History, indexes: &[usize], repository: &Repository, base: &str, changes: &Changes) {
    let mut files: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for index in indexes {
        files.entry(history.migrations[*index].file().to_string()).or_default().push(*index);
    }
    for (path, indexes) in files {
        let old = match changes.is_unchanged(&path) {
            true => None,
            // A changelog grows at its end: what stands in it as before is old.
            false if indexes.len() > 1 => Some(repository.text_at(base, &path).unwrap_or_default()),
            false => continue,
        };
        let mut end = 0;
        for index in indexes {
            let migration = &mut history.migrations[index];
            migration.replayed = old.as_ref().is_none_or(|old| old.contains(slice(migration, &mut end)));
        }
    }
}

/// Tells of the new migrations which stand before one that was there already.
pub fn mark_late(migrations: &mut [Migration], new: &BTreeSet<usize>) {
    for sequence in sequences(migrations) {
        let mut later: Option<usize> = None;
        for index in sequence.rev() {
            let Migration { counted: true, path, version, .. } = &migrations[index] else { continue };
            match later {
                _ if !new.contains(&index) => later = later.or(Some(index)),
                // Of two with one version another rule tells.
                Some(later) if !may_come_late(path) && migrations[later].version != *version => {
                    let path = migrations[later].path.clone();
                    migrations[index].irregular.push(Irregular::Late { path });
                }
                _ => {}
            }
        }
    }
}

/// refinery's `U2__name.sql`.
fn may_come_late(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix('U').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What a file says of one of its migrations: from the end of the one before it, so that its head counts.
fn slice<'a>(migration: &'a Migration, end: &mut usize) -> &'a str {
    let own = migration.parts.first().map_or(0, |part| part.start);
    let start = std::mem::replace(end, migration.parts.last().map_or(*end, |part| part.end));
    migration.text[start.min(own)..*end].trim()
}

/// Of two migrations with one version, the new one is told.
fn duplicates_are_of_the_judged(migrations: &mut [Migration]) {
    let places: BTreeMap<_, _> =
        migrations.iter().enumerate().rev().map(|(index, migration)| (migration.path.clone(), index)).collect();
    for index in 0..migrations.len() {
        if !migrations[index].replayed {
            continue;
        }
        for irregular in std::mem::take(&mut migrations[index].irregular) {
            let Irregular::Duplicate { path } = &irregular else { continue };
            let Some(other) = places.get(path).copied().filter(|other| !migrations[*other].replayed) else { continue };
            let path = migrations[index].path.clone();
            migrations[other].irregular.push(Irregular::Duplicate { path });
        }
    }
}

fn no_meaning(word: &str, error: Error) -> Error {
    let what = if Path::new(word).is_file() {
        "this file is none of the migrations"
    } else {
        "no migration has this path or version"
    };
    let message = format!("`--since {word}`: {what}, and {}", error.message);
    Error { message, ..error }
        .hint("give a revision of git, or the version or the path of a migration (the new one, if it was renamed)")
}
