//! How a directory names and orders its migrations.
//!
//! Every `.sql` file below a directory is a migration, in natural order of its path (2 before 10), unless its
//! name says that it is something else: those files are counted in the notes, never passed over in silence.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{History, Migration, Phase};
use crate::error::{Error, Result};
use crate::sql::{self, Dialect};

/// The file that makes a directory a phased change.
const EXPAND: &str = "expand.sql";

/// Reads files and directories into one history, in the order in which they run.
///
/// # Errors
/// A path does not exist, or there is no migration under any of them: then nothing can be judged.
pub fn read(paths: &[PathBuf], dialect: Dialect) -> Result<History> {
    let mut found = Found::default();
    let mut paths = paths.to_vec();
    // Hooks name the changed files in an order of their own.
    if paths.iter().all(|path| path.is_file()) {
        paths.sort_by(|a, b| natural(a, b));
    }
    for path in &paths {
        let metadata = fs::metadata(path)
            .map_err(|error| Error::input(format!("could not read `{}`", path.display())).because(error))?;
        if metadata.is_dir() {
            found.directory(path);
        } else {
            found.file(path.clone(), &siblings(path));
        }
    }
    let mut history = History { dialect, migrations: Vec::new(), notes: found.notes(), unreadable: found.unreadable };
    if found.forward.is_empty() && history.unreadable.is_empty() {
        let places: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let error = Error::input(format!("no migration in {}", places.join(", ")));
        return Err(history.notes.into_iter().fold(error, Error::because).hint("a migration is a file named `*.sql`"));
    }
    for (path, phase) in found.forward {
        match read_file(&path, phase, dialect, &mut history.notes) {
            Ok(migration) => history.migrations.push(migration),
            Err(error) => history.unreadable.push(error),
        }
    }
    Ok(history)
}

/// What the paths hold.
#[derive(Default)]
struct Found {
    forward: Vec<(PathBuf, Option<Phase>)>,
    seen: BTreeSet<PathBuf>,
    /// Files that undo a migration.
    down: Vec<PathBuf>,
    /// Files of a phased change that are not run forward.
    beside: Vec<PathBuf>,
    links: Vec<PathBuf>,
    unreadable: Vec<Error>,
}

impl Found {
    fn directory(&mut self, directory: &Path) {
        let mut entries = match fs::read_dir(directory).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect::<Vec<_>>(),
            Err(error) => {
                let error = Error::input(format!("could not read `{}`", directory.display())).because(error);
                return self.unreadable.push(error);
            }
        };
        entries.retain(|path| !name(path).starts_with('.'));
        entries.sort_by(|a, b| natural(a, b));
        let names: Vec<String> = entries.iter().map(|path| name(path)).collect();
        if names.iter().any(|name| name == EXPAND) {
            // Backfill stands before contract in time, not in the alphabet.
            entries.sort_by_key(|path| (phase(path), !path.is_file()));
        }
        for path in entries {
            if !path.is_dir() {
                if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
                    self.file(path, &names);
                }
            } else if path.is_symlink() {
                self.links.push(path);
            } else {
                self.directory(&path);
            }
        }
    }

    /// Sorts a file in; `siblings` are the names in its directory.
    fn file(&mut self, path: PathBuf, siblings: &[String]) {
        if !self.seen.insert(path.clone()) {
            return;
        }
        if siblings.iter().any(|name| name == EXPAND) {
            match phase(&path) {
                Some(phase) => self.forward.push((path, Some(phase))),
                None => self.beside.push(path),
            }
        } else if is_down(&name(&path), siblings) {
            self.down.push(path);
        } else {
            self.forward.push((path, None));
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.down.is_empty() {
            notes.push(format!("{} not linted: made to undo a migration", files(&self.down)));
        }
        if !self.beside.is_empty() {
            notes.push(format!("{} of phased changes not linted: no phase runs them", files(&self.beside)));
        }
        if !self.links.is_empty() {
            notes.push(format!("{} not followed: symbolic links to directories", files(&self.links)));
        }
        notes
    }
}

fn read_file(path: &Path, phase: Option<Phase>, dialect: Dialect, notes: &mut Vec<String>) -> Result<Migration> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Error::input(format!("could not read `{shown}`")).because(error))?;
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(format!("`{shown}` is not UTF-8: the first wrong byte is at offset {at}"))
            .hint("save the file as UTF-8")
    })?;
    if let Some(at) = down_section(&text) {
        let line = 1 + text[..at].matches('\n').count();
        notes.push(format!("`{shown}` is linted up to line {line}, where its down section begins"));
        text.truncate(at);
    }
    let statements = sql::read(&text, dialect);
    Ok(Migration { path: shown, text, phase, statements })
}

/// Where the part begins that goose, dbmate or sql-migrate run to undo the file.
fn down_section(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let comment = line.trim_start().strip_prefix("--").map(|rest| rest.trim().to_ascii_lowercase());
        if comment.is_some_and(|comment| ["+goose down", "migrate:down", "+migrate down"].contains(&comment.as_str())) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Whether a file undoes a migration, by its name and the names beside it.
fn is_down(name: &str, siblings: &[String]) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower == "down.sql" || lower.ends_with(".down.sql") || lower.ends_with("_down.sql") {
        return true;
    }
    // Flyway's `U2__name.sql` undoes `V2__name.sql`; refinery's, without such a V, is an ordinary migration.
    name.strip_prefix('U').and_then(|rest| rest.split_once("__")).is_some_and(|(version, _)| {
        version.starts_with(|c: char| c.is_ascii_digit())
            && siblings.iter().any(|sibling| sibling.starts_with(&format!("V{version}__")))
    })
}

fn phase(path: &Path) -> Option<Phase> {
    Phase::ALL.into_iter().find(|phase| name(path) == format!("{}.sql", phase.name()))
}

fn siblings(path: &Path) -> Vec<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| name(&entry.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn files(paths: &[PathBuf]) -> String {
    match paths {
        [path] => format!("`{}`", path.display()),
        [path, ..] => format!("{} files (`{}`, ...)", paths.len(), path.display()),
        [] => "no file".into(),
    }
}

/// Compares paths part by part, runs of digits by their value.
fn natural(a: &Path, b: &Path) -> Ordering {
    let parts =
        |path: &Path| path.components().map(|part| key(&part.as_os_str().to_string_lossy())).collect::<Vec<_>>();
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

/// A part of a name: digits compare by value (fewer significant digits first) and before text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(usize, String),
    Text(String),
}

fn key(name: &str) -> Vec<Part> {
    // `V` and refinery's `U` share one sequence of versions.
    let versioned = name.strip_prefix(['V', 'U']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut rest = versioned.unwrap_or(name);
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let run = &rest[..end];
        rest = &rest[end..];
        parts.push(if digits {
            let significant = run.trim_start_matches('0');
            Part::Number(significant.len(), significant.to_string())
        } else {
            Part::Text(run.to_string())
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let mut names =
            ["10_b.sql", "2_a.sql", "V3__c.sql", "U4__d.sql", "0001.sql", "x/2.sql", "x/10.sql", "x/1/y.sql"]
                .map(Path::new);
        names.sort_by(|a, b| natural(a, b));
        let sorted = names.map(|path| path.display().to_string()).join(" ");
        assert_eq!(sorted, "0001.sql 2_a.sql V3__c.sql U4__d.sql 10_b.sql x/1/y.sql x/2.sql x/10.sql");
    }

    #[test]
    fn files_that_undo_are_told_by_name() {
        let table: &[(&str, &[&str], bool)] = &[
            ("down.sql", &[], true),
            ("0001_x.down.sql", &[], true),
            ("0001_x_down.sql", &[], true),
            ("0001_slow_down_everything.sql", &[], false),
            ("U2__x.sql", &["V2__x.sql"], true),
            ("U2__x.sql", &["V3__x.sql"], false),
            ("Users__x.sql", &["Vsers__x.sql"], false),
        ];
        for (name, siblings, expected) in table {
            let siblings: Vec<String> = siblings.iter().map(|name| (*name).to_string()).collect();
            assert_eq!(is_down(name, &siblings), *expected, "{name} beside {siblings:?}");
        }
    }

    #[test]
    fn a_down_section_is_found_by_its_marker() {
        assert_eq!(down_section("-- +goose Up\nSELECT 1;\n-- +goose Down\nDROP TABLE t;"), Some(23));
        assert_eq!(down_section("-- migrate:down is what dbmate says\n"), None);
    }
}
