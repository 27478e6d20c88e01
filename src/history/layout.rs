//! How a directory names and orders its migrations: which tool it was written for, and what that tool runs.
//!
//! A layout is recognised from the directory and stated in the notes with what was assumed. Every SQL file is
//! either a migration or counted in the notes, never passed over in silence. To add a layout: its file in
//! `src/history/layout/`, and one line here.

mod alembic;
mod database;
mod directory;
mod django;
mod dump;
mod order;
mod python;
mod reading;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::parallel::in_order;
use super::{History, Migration};
use crate::error::{Error, Result, closest};
use crate::sql::Dialect;
use directory::{Directory, Entry, Found, files};
use reading::{Reading, Translation, Unit};

pub use directory::home_of;
pub(super) use plain::down_section;

/// Declares each tool's module. Where two tools' names fit a directory alike, the first one here is taken.
macro_rules! layouts {
    ($($module:ident,)*) => {
        $(mod $module;)*
        const TOOLS: &[&Tool] = &[$(&$module::TOOL,)*];
    };
}

layouts! {
    plain,
    liquibase,
    goose,
    dbmate,
    sql_migrate,
    tern,
    node_pg_migrate,
    drizzle,
    prisma,
    diesel,
    supabase,
    atlas,
    flyway,
    refinery,
    golang_migrate,
    pop,
    sqlx,
}

/// A tool that runs migrations, and how it reads a directory.
struct Tool {
    /// The word of options and settings.
    name: &'static str,
    /// Directories below belong to the same sequence.
    recursive: bool,
    /// A version may occur only once.
    unique: bool,
    /// By what a directory is recognised, `None` if it is another tool's.
    sign: fn(&Directory) -> Option<Sign>,
    /// Whose SQL it is, where the directory says so.
    dialect: fn(&Directory) -> Option<Dialect>,
    /// What the tool makes of the files.
    read: fn(&Directory, Dialect) -> Reading,
    /// The order and the transactions that are taken for granted.
    assumed: &'static str,
}

/// A tool whose migrations are not SQL files: it makes migrations of them itself.
struct Translator {
    /// The word of the layout.
    name: &'static str,
    /// Whether a file is the tool's. Files that other tools may have as well are told by their beginning.
    claims: fn(&Path) -> bool,
    /// Whose SQL it is, where the files say so.
    dialect: fn(&BTreeSet<PathBuf>) -> Option<Dialect>,
    /// All that it claims below one argument, into migrations in the order in which they run.
    read: fn(&BTreeSet<PathBuf>, Dialect) -> Translation,
    /// It runs the project's code, and that needs the user's word: how the tool is called in a sentence.
    needs_python: Option<&'static str>,
}

/// The tools that are asked whose a file is that is not SQL.
const TRANSLATORS: &[&Translator] = &[&liquibase::CHANGELOGS, &alembic::REVISIONS, &django::MIGRATIONS];

/// By what a directory is recognised; a later kind counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// The files' names, which other tools use too.
    Names,
    /// The names, and the file that says that the project around them uses the tool.
    Project(&'static str),
    /// A file or a comment that only this tool writes.
    Mark(&'static str),
}

impl Sign {
    fn rank(self) -> u8 {
        match self {
            Self::Names => 0,
            Self::Project(_) => 1,
            Self::Mark(_) => 2,
        }
    }
}

/// A layout, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout(&'static str);

impl Layout {
    /// The layout that a user's word means.
    ///
    /// # Errors
    /// A word that is none.
    pub fn from_word(word: &str) -> Result<Self> {
        if let Some(tool) = TOOLS.iter().find(|tool| tool.name == word) {
            return Ok(Self(tool.name));
        }
        let error = Error::input(format!("no layout `{word}`"));
        Err(match closest(word, TOOLS.iter().map(|tool| tool.name)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("the layouts are {}", Self::words())),
        })
    }

    /// All words, for a sentence.
    pub fn words() -> String {
        TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
    }

    fn tool(self) -> &'static Tool {
        TOOLS.iter().find(|tool| tool.name == self.0).expect("only names of tools are layouts")
    }
}

/// How a team's own runner wraps a file, whatever the layout's tool would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Each file is one transaction.
    PerFile,
    /// Each statement is its own.
    None,
}

impl Wrapping {
    /// The wrapping that a user's word means.
    ///
    /// # Errors
    /// A word that is none.
    pub fn from_word(word: &str) -> Result<Self> {
        let words = [("per-file", Self::PerFile), ("none", Self::None)];
        if let Some((_, wrapping)) = words.into_iter().find(|(known, _)| *known == word) {
            return Ok(wrapping);
        }
        let error = Error::input(format!("no transaction `{word}`"));
        Err(match closest(word, words.map(|(known, _)| known)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("write `per-file` where the runner puts each file into one transaction, else `none`"),
        })
    }

    /// What it does, as the end of a sentence.
    pub(super) fn assumed(self) -> &'static str {
        match self {
            Self::PerFile => "but each file in one transaction unless it refuses one itself, as the settings say",
            Self::None => "but each statement its own transaction, as the settings say",
        }
    }
}

/// What the user says about the migrations; `None` is to be found out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    pub dialect: Option<Dialect>,
    pub layout: Option<Layout>,
    pub transaction: Option<Wrapping>,
    /// Alembic and Django may print their migrations, which runs the project's Python.
    pub run_python: bool,
}

impl From<Dialect> for Choice {
    fn from(dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ..Self::default() }
    }
}

/// Directories that are one sequence of versions, and the tool whose they are.
struct Sequence {
    tool: &'static Tool,
    directory: Directory,
    /// Why this tool: the end of a sentence.
    why: String,
}

/// Reads files and directories into one history, in the order in which they run.
///
/// # Errors
/// A path does not exist, there is no migration under any of them, or nobody says whose SQL it is.
pub fn read(paths: &[PathBuf], choice: impl Into<Choice>) -> Result<History> {
    let choice = choice.into();
    let mut found = directory::find(paths)?;
    let mut notes = Vec::new();
    let claims = claims(&mut found, choice);
    let dumps = dump::take(&mut found.directories);
    let mut aside = BTreeMap::new();
    if let Some(dialect) = choice.dialect {
        database::set_others_aside(&mut found.directories, dialect, &mut aside);
    }
    let sequences = sequences(std::mem::take(&mut found.directories), choice.layout);
    let told = choice.dialect.or_else(|| claims.iter().find_map(|claim| (claim.translator.dialect)(&claim.paths)));
    let dialect = dialect(&sequences, told, &mut notes);
    let mut history = History {
        // Without any file there is nothing that another dialect would read differently.
        dialect: match dialect {
            Some(dialect) => dialect,
            None if sequences.is_empty() && claims.is_empty() => Dialect::Postgres,
            None => return Err(no_dialect()),
        },
        migrations: Vec::new(),
        notes,
        unreadable: Vec::new(),
        live: None,
    };
    let mut arguments = BTreeSet::new();
    let mut stretches = Vec::new();
    for source in sources(sequences, claims, history.dialect) {
        // Two sequences in one place are for two databases, or nobody knows in which order they run.
        let argument = source.argument();
        let anew = !arguments.insert(argument);
        let first = history.migrations.len();
        match source {
            Source::Files(sequence) => read_sequence(sequence, choice.transaction, &mut history, &mut aside),
            Source::Translated(_, translation) => translation.enter(&mut history, &mut aside),
        }
        if let Some(migration) = history.migrations.get_mut(first) {
            migration.starts_anew = anew;
        }
        stretches.push(dump::Stretch { argument, start: first, end: history.migrations.len() });
    }
    dump::enter(dumps, &stretches, &mut history);
    for (reason, paths) in &aside {
        history.notes.push(format!("{} not linted: {reason}", files(paths)));
    }
    let is_empty = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty();
    let empty = history.migrations.iter().filter(|migration| !migration.printed && is_empty(&migration.text));
    let empty: Vec<_> = empty.map(|migration| migration.path.clone().into()).collect();
    if !empty.is_empty() {
        history.notes.push(format!("nothing stands in {}", files(&empty)));
    }
    history.notes.extend(found.notes());
    history.unreadable.append(&mut found.errors);
    if history.migrations.is_empty() && history.unreadable.is_empty() {
        let places: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let error = Error::input(format!("no migration in {}", places.join(", ")));
        return Err(history.notes.into_iter().fold(error, Error::because).hint("a migration is a file named `*.sql`"));
    }
    Ok(history)
}

/// Files of one tool below one argument, which it makes migrations of itself.
struct Claim {
    translator: &'static Translator,
    argument: usize,
    paths: BTreeSet<PathBuf>,
}

/// The files that a tool makes migrations of; a layout that the user has chosen leaves the others' alone, and code is
/// not run without the user's word.
fn claims(found: &mut Found, choice: Choice) -> Vec<Claim> {
    let mut claims = Vec::new();
    for claim in std::mem::take(&mut found.claims) {
        let is_chosen = choice.layout.is_none_or(|layout| layout.0 == claim.translator.name);
        match claim.translator.needs_python {
            Some(tool) if !choice.run_python => found.unasked.entry(tool).or_default().extend(claim.paths),
            _ if !is_chosen => found.foreign.entry(claim.translator.name).or_default().extend(claim.paths),
            _ => claims.push(claim),
        }
    }
    claims
}

/// Where migrations come from.
enum Source {
    Files(Sequence),
    /// With its argument.
    Translated(usize, Translation),
}

impl Source {
    fn argument(&self) -> usize {
        match self {
            Self::Files(sequence) => sequence.directory.argument,
            Self::Translated(argument, _) => *argument,
        }
    }
}

/// Everything in the order of the arguments; what a translation runs itself is no migration of its own.
fn sources(mut sequences: Vec<Sequence>, claims: Vec<Claim>, dialect: Dialect) -> Vec<Source> {
    let translated: Vec<_> =
        claims.into_iter().map(|claim| (claim.argument, (claim.translator.read)(&claim.paths, dialect))).collect();
    let taken: BTreeSet<&PathBuf> = translated.iter().flat_map(|(_, translation)| &translation.taken).collect();
    if !taken.is_empty() {
        let is_taken = |entry: &Entry| entry.path.canonicalize().is_ok_and(|path| taken.contains(&path));
        for sequence in &mut sequences {
            sequence.directory.entries.retain(|entry| !is_taken(entry));
        }
        sequences.retain(|sequence| !sequence.directory.entries.is_empty());
    }
    let mut sources: Vec<_> = sequences.into_iter().map(Source::Files).collect();
    for (argument, translation) in translated.into_iter().rev() {
        let place = sources.iter().position(|source| source.argument() >= argument).unwrap_or(sources.len());
        sources.insert(place, Source::Translated(argument, translation));
    }
    sources
}

/// Tells each directory's tool, and puts together what one tool would read as one sequence.
fn sequences(directories: Vec<Directory>, chosen: Option<Layout>) -> Vec<Sequence> {
    let mut sequences: Vec<Sequence> = Vec::new();
    let mut open: BTreeMap<(usize, &str, PathBuf), usize> = BTreeMap::new();
    for directory in directories {
        let (tool, why) = match chosen {
            Some(layout) => (layout.tool(), "as chosen".to_string()),
            None => recognise(&directory),
        };
        // Plain files are one sequence wherever they lie: nothing tells another one.
        let root = if tool.unique { root(&directory.path) } else { PathBuf::new() };
        let key = (directory.argument, tool.name, root);
        match open.get(&key).filter(|_| tool.recursive) {
            Some(&first) => {
                let sequence = &mut sequences[first].directory;
                let shared = sequence.path.components().zip(directory.path.components());
                sequence.path = shared.take_while(|(a, b)| a == b).map(|(part, _)| part).collect();
                sequence.entries.extend(directory.entries);
            }
            None => {
                open.insert(key, sequences.len());
                sequences.push(Sequence { tool, directory, why });
            }
        }
    }
    sequences
}

/// Up to where a directory is a place of its own among those of one tool: every service of a repository has its
/// `migrations`, and every database below them its name. Without such a part, all are one place.
fn root(path: &Path) -> PathBuf {
    let parts: Vec<_> = path.components().collect();
    let last = parts.iter().rposition(|part| {
        let name = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        name.starts_with("migration") || database::names_one(&name)
    });
    parts.into_iter().take(last.map_or(0, |last| last + 1)).collect()
}

fn recognise(directory: &Directory) -> (&'static Tool, String) {
    let signs: Vec<_> = TOOLS.iter().filter_map(|tool| Some((*tool, (tool.sign)(directory)?))).collect();
    let Some(best) = signs.iter().map(|(_, sign)| sign.rank()).max() else {
        return (&plain::TOOL, "no tool's names or marks are there".into());
    };
    let mut best = signs.into_iter().filter(|(_, sign)| sign.rank() == best);
    let (tool, sign) = best.next().expect("the greatest rank is somebody's");
    let mut why = match sign {
        Sign::Names => "by the names of its files".to_string(),
        Sign::Project(manifest) => format!("by the names of its files and {manifest}"),
        Sign::Mark(mark) => format!("by {mark}"),
    };
    let others: Vec<_> = best.map(|(tool, _)| tool.name).collect();
    if !others.is_empty() {
        why += &format!("; it could be {} too: `--layout` or `layout` in lockkeeper.toml decides", others.join(" or "));
    }
    (tool, why)
}

/// What the user says counts; else what the first directory says that says anything.
fn dialect(sequences: &[Sequence], chosen: Option<Dialect>, notes: &mut Vec<String>) -> Option<Dialect> {
    let says: Vec<_> = sequences.iter().map(|sequence| (sequence.tool.dialect)(&sequence.directory)).collect();
    let dialect = chosen.or(says.iter().flatten().copied().next())?;
    for (sequence, says) in sequences.iter().zip(says) {
        let place = sequence.directory.path.display();
        match says {
            Some(says) if says != dialect => {
                notes.push(format!("`{place}` says that it is {says}, and is read as {dialect}"));
            }
            None if chosen.is_none() => {
                notes.push(format!("`{place}` does not say whose SQL it is, and is read as {dialect}"));
            }
            _ => {}
        }
    }
    Some(dialect)
}

/// Nobody says whose SQL it is.
pub(super) fn no_dialect() -> Error {
    Error::input("whose SQL is it? no dialect is given")
        .hint("give --dialect postgres, mysql or sqlite, or write `dialect = \"postgres\"` into lockkeeper.toml")
}

fn read_sequence(
    sequence: Sequence,
    wrapping: Option<Wrapping>,
    history: &mut History,
    aside: &mut BTreeMap<&'static str, Vec<PathBuf>>,
) {
    let Sequence { tool, directory, why } = sequence;
    let mut reading = (tool.read)(&directory, history.dialect);
    let place = directory.path.display();
    let but = wrapping.map_or_else(String::new, |wrapping| format!("; {}", wrapping.assumed()));
    history.notes.push(format!("`{place}` is read as {} ({why}): {}{but}", tool.name, tool.assumed));
    history.notes.append(&mut reading.notes);
    history.unreadable.append(&mut reading.errors);
    for (reason, mut paths) in reading.aside {
        aside.entry(reason).or_default().append(&mut paths);
    }
    let mut units = reading.units;
    units.sort_by(|one, other| one.compare(other, &directory));
    let mut irregular = if tool.unique { version::irregular(&units, &directory) } else { BTreeMap::new() };
    let migrations = in_order(&units, |unit| migration(unit, &directory, wrapping, history.dialect));
    history.migrations.reserve(units.len());
    for (index, mut migration) in migrations.enumerate() {
        migration.counted = tool.unique && migration.version.is_some();
        migration.irregular = irregular.remove(&index).unwrap_or_default();
        history.migrations.push(migration);
    }
}

fn migration(unit: &Unit, directory: &Directory, wrapping: Option<Wrapping>, dialect: Dialect) -> Migration {
    let entry = &directory.entries[unit.entry];
    let text = entry.text.clone().unwrap_or_default();
    let parts = unit.parts.clone().unwrap_or_else(|| std::iter::once(0..text.len()).collect::<Vec<Range<usize>>>());
    let mut migration = Migration::of_parts(entry.path.display().to_string(), text, parts, dialect);
    migration.in_transaction = unit.transaction.wrapped(wrapping).holds(&migration.statements);
    migration.version.clone_from(&unit.version);
    if let directory::EntryKind::Phased(phase) = entry.kind {
        migration.phase = phase;
    }
    migration
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A number of files.
fn counted(files: usize) -> String {
    if files == 1 { "1 file".into() } else { format!("{files} files") }
}
