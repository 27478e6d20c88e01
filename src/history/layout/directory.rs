//! What lies in the directories: the SQL files that one tool would order together, and what is not read yet.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::order::{by_value, compare};
use super::{Claim, TRANSLATORS};
use crate::error::{Error, Result};
use crate::history::parallel::in_order;
use crate::history::{Phase, text};

/// The file that makes a directory a phased change.
const EXPAND: &str = "expand.sql";

/// Files of a migration that has a directory of its own.
const IN_OWN_DIRECTORY: [&str; 3] = ["up.sql", "down.sql", "migration.sql"];

/// SQL files that one tool would order together.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// In natural order.
    pub(super) entries: Vec<Entry>,
    /// The argument under which it was found.
    pub(super) argument: usize,
}

/// One SQL file.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// Its name; of a file in a directory of its own, that directory's name.
    pub(super) name: String,
    pub(super) kind: EntryKind,
    /// `None` where it was not asked for or could not be read.
    pub(super) text: Option<Arc<str>>,
}

/// Where an entry belongs, whatever the tool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Script,
    /// `up.sql`, `down.sql` or `migration.sql` in a directory of its own.
    Own(&'static str),
    /// A phase of a phased change; `None` for its other files.
    Phased(Option<Phase>),
}

impl Directory {
    /// Every entry was asked for, so that absence means something.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.iter().all(|entry| entry.text.is_some())
    }

    /// The migrations' own files fit, or at least half of those that no phased change claims; and one does.
    pub(super) fn mostly(&self, fits: impl Fn(&Entry) -> bool) -> bool {
        let scripts: Vec<_> = self.entries.iter().filter(|entry| !matches!(entry.kind, EntryKind::Phased(_))).collect();
        let fitting = scripts.iter().filter(|entry| fits(entry)).count();
        fitting > 0 && fitting * 2 >= scripts.len()
    }

    /// As `mostly`, of what the files say at their beginning.
    pub(super) fn mostly_says(&self, fits: impl Fn(&str) -> bool) -> bool {
        let own = self.entries.iter().filter(|entry| !matches!(entry.kind, EntryKind::Phased(_)));
        let read: Vec<_> = own.filter_map(Entry::head).collect();
        let fitting = read.iter().filter(|head| fits(head)).count();
        fitting > 0 && fitting * 2 >= read.len()
    }

    /// One of these files of the project around it names the tool: that file.
    pub(super) fn project_names(&self, tool: &str, manifests: &[&'static str]) -> Option<&'static str> {
        let path = self.path.canonicalize().ok()?;
        for directory in path.ancestors().take(6) {
            let says =
                |manifest: &&str| fs::read_to_string(directory.join(manifest)).is_ok_and(|text| text.contains(tool));
            if let Some(manifest) = manifests.iter().copied().find(says) {
                return Some(manifest);
            }
            if directory.join(".git").exists() {
                break;
            }
        }
        None
    }

    /// The nearest of these files in the project around it: its name and its text.
    pub(super) fn project_file(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        let path = self.path.canonicalize().ok()?;
        for directory in path.ancestors().take(6) {
            let text = |name: &&'static str| Some((*name, fs::read_to_string(directory.join(name)).ok()?));
            if let Some(found) = names.iter().find_map(text) {
                return Some(found);
            }
            if directory.join(".git").exists() {
                break;
            }
        }
        None
    }

    /// The text of a file beside the migrations; `None` where there is none.
    pub(super) fn beside(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path.join(name)).ok()
    }
}

impl Entry {
    /// As much of the text as headers need.
    fn head(&self) -> Option<&str> {
        const HEAD: usize = 4096;
        self.text.as_deref().map(|text| &text[..text.floor_char_boundary(HEAD)])
    }

    /// The order of siblings: phases in the order of time, not of the alphabet.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (path, phase) = self.place();
        let (its, later) = other.place();
        compare(path, its).then(phase.cmp(&later))
    }

    fn place(&self) -> (&Path, Option<Phase>) {
        match self.kind {
            EntryKind::Phased(phase) => (self.path.parent().unwrap_or(&self.path), phase),
            EntryKind::Script | EntryKind::Own(_) => (&self.path, None),
        }
    }

    /// It is a file of its own, named by the tool's pattern.
    pub(super) fn script(&self) -> Option<&str> {
        (self.kind == EntryKind::Script).then_some(&self.name)
    }
}

/// What the paths hold.
#[derive(Default)]
pub(super) struct Found {
    pub(super) directories: Vec<Directory>,
    by_path: HashMap<PathBuf, usize>,
    /// Where each file stands: its directory and its entry.
    seen: HashMap<PathBuf, (usize, usize)>,
    /// The files that are to be read, by their places.
    asked: Vec<(usize, usize)>,
    links: Vec<PathBuf>,
    /// Files that are not SQL and that a tool makes migrations of.
    pub(super) claims: Vec<Claim>,
    /// Migrations that are not SQL, by the words that say what they are.
    pub(super) foreign: BTreeMap<&'static str, Vec<PathBuf>>,
    /// Migrations that their tool can print, if it may run the project's code.
    pub(super) unasked: BTreeMap<&'static str, Vec<PathBuf>>,
    pub(super) errors: Vec<Error>,
}

/// Looks through files and directories.
///
/// # Errors
/// A path does not exist.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    let mut paths = paths.to_vec();
    // Hooks name the changed files in an order of their own.
    if paths.iter().all(|path| path.is_file()) {
        paths.sort_by(|one, other| compare(one, other));
    }
    for (argument, path) in paths.iter().enumerate() {
        let metadata = fs::metadata(path).map_err(|error| not_there(path, error))?;
        if metadata.is_dir() {
            found.walk(path, argument);
        } else if !found.is_claimed(path, usize::MAX) && !found.is_foreign(path) {
            found.named(path);
        }
    }
    found.read();
    for directory in &mut found.directories {
        directory.entries.sort_by(|one, other| one.compare(other).then_with(|| one.path.cmp(&other.path)));
    }
    // The entries have moved.
    found.seen.clear();
    Ok(found)
}

fn not_there(path: &Path, error: io::Error) -> Error {
    let absent = error.kind() == io::ErrorKind::NotFound;
    let unread = Error::input(format!("could not read `{}`", path.display())).because(error);
    if absent {
        unread.hint("give a file or directory of migrations, as seen from the working directory")
    } else {
        unread
    }
}

impl Found {
    fn walk(&mut self, directory: &Path, argument: usize) {
        let mut paths = match visible(directory) {
            Ok(paths) => paths,
            Err(error) => {
                let error = Error::input(format!("could not read `{}`", directory.display())).because(error);
                return self.errors.push(error);
            }
        };
        paths.sort_by_cached_key(|(path, _)| by_value(&name(path)));
        let phased = paths.iter().any(|(path, _)| path.ends_with(EXPAND));
        for (path, kind) in paths {
            let is_link = kind.is_some_and(|kind| kind.is_symlink());
            let is_directory = if is_link { path.is_dir() } else { kind.is_some_and(|kind| kind.is_dir()) };
            if is_directory && is_link {
                self.links.push(path);
            } else if is_directory {
                self.walk(&path, argument);
            } else if is_sql(&path) {
                self.file(path, phased, argument);
            } else if !self.is_claimed(&path, argument) {
                self.is_foreign(&path);
            }
        }
    }

    /// Notes whose a file is that is not SQL, if it is a tool's that makes migrations of it.
    fn is_claimed(&mut self, path: &Path, argument: usize) -> bool {
        let Some(translator) = TRANSLATORS.iter().find(|translator| (translator.claims)(path)) else { return false };
        let known =
            self.claims.iter_mut().find(|claim| claim.argument == argument && claim.translator.name == translator.name);
        match known {
            Some(claim) => {
                claim.paths.insert(path.to_path_buf());
            }
            None => self.claims.push(Claim { translator, argument, paths: BTreeSet::from([path.to_path_buf()]) }),
        }
        true
    }

    /// Notes whose a file is that nobody makes migrations of yet.
    fn is_foreign(&mut self, path: &Path) -> bool {
        let tool = foreign(path);
        if let Some(tool) = tool {
            self.foreign.entry(tool).or_default().push(path.to_path_buf());
        }
        tool.is_some()
    }

    /// A file that was named itself: its directory tells the layout, but is not judged.
    fn named(&mut self, path: &Path) {
        let phased = path.with_file_name(EXPAND).is_file();
        let (home, ..) = home(path, phased);
        if !self.by_path.contains_key(&home) {
            for sibling in fs::read_dir(&home).into_iter().flatten().flatten() {
                // As it would be typed: `home` may be a `.` that the path does not show.
                let name_alone = path.parent().is_some_and(|parent| parent.as_os_str().is_empty());
                let beside = if name_alone { sibling.file_name().into() } else { home.join(sibling.file_name()) };
                let is_file = |kind: FileType| kind.is_file() || kind.is_symlink() && beside.is_file();
                if is_sql(&beside) && sibling.file_type().is_ok_and(is_file) {
                    let entry = Entry { name: name(&beside), path: beside, kind: EntryKind::Script, text: None };
                    self.enter(&home, entry, usize::MAX);
                }
            }
        }
        self.file(path.to_path_buf(), phased, usize::MAX);
    }

    fn file(&mut self, path: PathBuf, phased: bool, argument: usize) {
        let (home, name, kind) = home(&path, phased);
        let place = self.enter(&home, Entry { path, name, kind, text: None }, argument);
        self.asked.push(place);
    }

    /// Where the entry stands, in the place of one for the same file.
    fn enter(&mut self, home: &Path, entry: Entry, argument: usize) -> (usize, usize) {
        if let Some(&(directory, place)) = self.seen.get(&entry.path) {
            self.directories[directory].entries[place] = entry;
            return (directory, place);
        }
        let index = self.by_path.get(home).copied().unwrap_or_else(|| {
            self.directories.push(Directory { path: home.to_path_buf(), entries: Vec::new(), argument });
            self.by_path.insert(home.to_path_buf(), self.directories.len() - 1);
            self.directories.len() - 1
        });
        let entries = &mut self.directories[index].entries;
        self.seen.insert(entry.path.clone(), (index, entries.len()));
        entries.push(entry);
        (index, entries.len() - 1)
    }

    /// Reads the files that were asked for, each once.
    fn read(&mut self) {
        let mut asked = std::mem::take(&mut self.asked);
        let mut known = HashSet::new();
        asked.retain(|place| known.insert(*place));
        let directories = &self.directories;
        let texts = in_order(&asked, |(directory, entry)| text::of_file(&directories[*directory].entries[*entry].path));
        for ((directory, entry), text) in asked.into_iter().zip(texts) {
            match text {
                Ok(text) => self.directories[directory].entries[entry].text = Some(text),
                Err(error) => self.errors.push(error),
            }
        }
    }

    /// What was found and is not judged, one sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (tool, paths) in &self.foreign {
            notes.push(format!("not read yet: {} of {tool}", files(paths)));
        }
        for (tool, paths) in &self.unasked {
            notes.push(format!(
                "not judged: {} of {tool}: `--run-python` lets {tool} print their SQL, which runs the project's code",
                files(paths)
            ));
        }
        if !self.links.is_empty() {
            notes.push(format!("{} not followed: symbolic links to directories", files(&self.links)));
        }
        notes
    }
}

/// What a directory shows, and what kind of entry each is.
fn visible(directory: &Path) -> io::Result<Vec<(PathBuf, Option<FileType>)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push((entry.path(), entry.file_type().ok()));
        }
    }
    Ok(paths)
}

/// The directory that orders a file, its name there, and what it is.
fn home(path: &Path, phased: bool) -> (PathBuf, String, EntryKind) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let above = || match parent.parent() {
        Some(above) if !above.as_os_str().is_empty() => above.to_path_buf(),
        _ if parent == Path::new(".") => PathBuf::from(".."),
        _ => PathBuf::from("."),
    };
    let file = name(path);
    if phased {
        let phase = Phase::ALL.into_iter().find(|phase| file == format!("{}.sql", phase.name()));
        return (above(), name(parent), EntryKind::Phased(phase));
    }
    let own = IN_OWN_DIRECTORY.into_iter().find(|own| file == *own);
    match own.filter(|_| name(parent).starts_with(|c: char| c.is_ascii_digit())) {
        Some(own) => (above(), name(parent), EntryKind::Own(own)),
        None => (parent.to_path_buf(), file, EntryKind::Script),
    }
}

/// The directory whose files are ordered together with this one.
pub fn home_of(path: &Path) -> PathBuf {
    home(path, path.with_file_name(EXPAND).is_file()).0
}

fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
}

/// Whose migration a file is that is not SQL; `None` where it is none.
fn foreign(path: &Path) -> Option<&'static str> {
    let name = name(path).to_ascii_lowercase();
    let (stem, extension) = name.rsplit_once('.')?;
    let parent = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let numbered = stem.starts_with(|c: char| c.is_ascii_digit()) && stem.contains(['_', '-']);
    match extension {
        // The changelogs among them have been claimed.
        "xml" | "yaml" | "yml" | "json" if stem.contains("changelog") => Some("Liquibase, without `databaseChangeLog`"),
        "groovy" if stem.contains("changelog") || parent.contains("changelog") => Some("Liquibase in Groovy"),
        "pgsql" | "psql" | "ddl" => Some("a tool whose files do not end in `.sql`"),
        "gz" | "bz2" | "xz" | "zst" | "zip" if stem.ends_with(".sql") => Some("a tool that packs its SQL"),
        "fizz" if numbered => Some("pop (fizz)"),
        "rb" if numbered => Some("Rails"),
        "js" | "ts" | "mjs" | "cjs" if numbered => Some("Knex or another tool in JavaScript"),
        "go" if numbered => Some("goose or another tool in Go"),
        "rs" | "java" | "kt" if stem.starts_with(['v', 'u', 'r']) && stem.contains("__") => {
            Some("refinery or Flyway in code")
        }
        _ => None,
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Files as a sentence's subject.
pub(super) fn files(paths: &[PathBuf]) -> String {
    match paths {
        [path] => format!("`{}`", path.display()),
        [path, ..] => format!("{} files (`{}`, ...)", paths.len(), path.display()),
        [] => "no file".into(),
    }
}
