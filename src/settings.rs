//! `lockkeeper.toml`: what a team says once instead of on every command line.

mod file;
mod selection;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use time::Date;
use time::macros::format_description;
use toml::de::DeTable;

use file::{File, Value};

pub use selection::{ByPath, Level, Pattern, Patterns, Said, Selection, SmallTable};

use crate::error::{Error, Result};
use crate::history::Phase;
use crate::history::layout::{Layout, Wrapping};
use crate::sql::{Dialect, Engine};

/// The keys of the file.
const KEYS: &[&str] = &[
    "dialect",
    "engine",
    "layout",
    "transaction",
    "migrations",
    "baseline",
    "database-url",
    "releases",
    "release-tags",
    "lint",
];

/// The keys of its table `[lint]`.
const LINT_KEYS: &[&str] =
    &["fail-on", "phases", "forgotten-after", "groups", "rules", "paths", "small-tables", "known-findings"];

/// The settings file's name, looked for in the working directory.
pub const FILE_NAME: &str = "lockkeeper.toml";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Note,
    Warn,
    Deny,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warn, Self::Deny];

    /// The word of pages, options and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// The severity that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == word)
    }
}

/// The settings, with the defaults for what the file does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that was read; `None` where there is none.
    pub path: Option<String>,
    pub dialect: Option<Dialect>,
    /// The server that the migrations are for.
    pub engine: Option<Engine>,
    /// Which tool's files they are, where that is not to be found out.
    pub layout: Option<Layout>,
    /// How the team's runner wraps a file, where that is not what its tool does.
    pub transaction: Option<Wrapping>,
    /// Files and directories, as seen from the working directory.
    pub migrations: Vec<PathBuf>,
    /// A dump of the schema that is replayed before the first migration, as seen from the working directory.
    pub baseline: Option<PathBuf>,
    /// As written: a URL, or `env:NAME`. Use `database_url()`.
    pub database_url: Option<String>,
    /// Each release with its last migration, by version or path.
    pub releases: BTreeMap<String, String>,
    /// The pattern of git's tags that are releases.
    pub release_tags: Option<String>,
    /// The files of each phase, where neither their directory nor a comment says it.
    pub phases: Vec<(Phase, Patterns)>,
    /// A sync trigger, NOT VALID constraint or compatibility view that is open for more migrations than this is forgotten.
    pub forgotten_after: usize,
    /// The least severity that makes `lint` fail.
    pub fail_on: Severity,
    /// What `[lint.groups]` and `[lint.rules]` say.
    pub selection: Selection,
    /// What `[[lint.paths]]` says of some files.
    pub by_path: Vec<ByPath>,
    /// The file that records what was found before, as seen from the working directory.
    pub known_findings: Option<PathBuf>,
    /// Nobody waits long for a lock on these.
    pub small_tables: Vec<SmallTable>,
    /// The file's text, for what is found in it.
    pub text: Arc<str>,
    /// The directory of the file, from which its patterns count.
    directory: PathBuf,
    /// Where the paths of the migrations count from.
    working: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            dialect: None,
            engine: None,
            layout: None,
            transaction: None,
            migrations: vec![PathBuf::from("migrations")],
            baseline: None,
            database_url: None,
            releases: BTreeMap::new(),
            release_tags: None,
            phases: Vec::new(),
            forgotten_after: 20,
            fail_on: Severity::Deny,
            selection: Selection::default(),
            by_path: Vec::new(),
            known_findings: None,
            small_tables: Vec::new(),
            text: Arc::default(),
            directory: PathBuf::new(),
            working: PathBuf::new(),
        }
    }
}

impl Settings {
    /// Reads `file`, or `lockkeeper.toml` in the working directory when there is one.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or says something that we do not know.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let path = file.unwrap_or(Path::new(FILE_NAME));
        let settings = match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path)?,
            Err(error) if error.kind() == ErrorKind::NotFound && file.is_none() => Self::default(),
            Err(error) => {
                return Err(Error::input(format!("could not read the settings `{}`", path.display())).because(error));
            }
        };
        let working = std::env::current_dir().unwrap_or_default();
        Ok(Self { directory: lexical(&working.join(path.parent().unwrap_or(Path::new("")))), working, ..settings })
    }

    /// A path of a migration as the patterns of the file see it.
    pub fn place(&self, path: &str) -> PathBuf {
        let place = lexical(&self.working.join(path));
        place.strip_prefix(&self.directory).map(Path::to_path_buf).unwrap_or(place)
    }

    /// The phase that `[lint.phases]` gives a migration; the first that fits.
    pub fn phase(&self, path: &str) -> Option<Phase> {
        if self.phases.is_empty() {
            return None;
        }
        let place = self.place(path);
        let fits = |patterns: &Patterns| patterns.iter().any(|pattern| pattern.matches(&place));
        self.phases.iter().find(|(_, patterns)| fits(patterns)).map(|(phase, _)| *phase)
    }

    /// The database URL; an `env:NAME` is looked up now.
    ///
    /// # Errors
    /// The environment variable is not set. The message never holds the URL.
    pub fn database_url(&self) -> Result<Option<String>> {
        self.database_url.as_deref().map(resolve_url).transpose()
    }

    /// Reads the text of the settings file at `path`.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let file = File { text, path };
        let root = DeTable::parse(text)
            .map_err(|error| file.error(error.span().unwrap_or_default(), error.message().to_lowercase()))?;
        let mut settings = Self { path: Some(path.display().to_string()), text: text.into(), ..Self::default() };
        let directory = path.parent().unwrap_or(Path::new(""));
        settings.migrations = vec![directory.join("migrations")];
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "dialect" => {
                    settings.dialect = Some(file.word(value, Dialect::from_word)?);
                }
                "engine" => settings.engine = Some(file.word(value, Engine::from_words)?),
                "layout" => settings.layout = Some(file.word(value, Layout::from_word)?),
                "transaction" => settings.transaction = Some(file.word(value, Wrapping::from_word)?),
                "migrations" => {
                    let paths = file.strings(value, "a list of paths")?;
                    if paths.is_empty() {
                        let error = file.error(value.span(), "`migrations` is empty: there is nothing to read");
                        return Err(error.hint("name files or directories, or leave it out to read `migrations`"));
                    }
                    settings.migrations = paths.into_iter().map(|(path, _)| directory.join(path)).collect();
                }
                "baseline" => settings.baseline = Some(directory.join(file.string(value)?)),
                "database-url" => settings.database_url = Some(file.string(value)?.to_string()),
                "releases" => {
                    for (release, value) in file.table(value)? {
                        settings.releases.insert(release.get_ref().to_string(), file.string(value)?.to_string());
                    }
                }
                "release-tags" => settings.release_tags = Some(file.string(value)?.to_string()),
                "lint" => settings.read_lint(&file, value)?,
                _ => return Err(file.unknown(key, KEYS)),
            }
        }
        if let (Some(dialect), Some(engine)) = (settings.dialect, settings.engine)
            && dialect != engine.dialect()
        {
            let said = format!("the dialect is {dialect}, and the engine's is {}", engine.dialect());
            let error = Error::input(format!("{}: {said}", path.display()));
            return Err(error.hint("leave `dialect` out: the engine tells it"));
        }
        settings.dialect = settings.dialect.or(settings.engine.map(Engine::dialect));
        Ok(settings)
    }

    fn read_lint(&mut self, file: &File<'_>, value: &Value<'_>) -> Result<()> {
        for (key, value) in file.table(value)? {
            match key.get_ref().as_ref() {
                "fail-on" => {
                    if let Level::At(severity) = file.level(value, &["deny", "warn", "note"])? {
                        self.fail_on = severity;
                    }
                }
                "phases" => {
                    for (key, value) in file.table(value)? {
                        let phase = Phase::ALL.into_iter().find(|phase| phase.name() == key.get_ref().as_ref());
                        let phase = phase.ok_or_else(|| file.unknown(key, &Phase::ALL.map(Phase::name)))?;
                        self.phases.push((phase, Patterns::read(file, value)?));
                    }
                }
                "forgotten-after" => {
                    let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
                    self.forgotten_after = file.expect(value, number, "a number of migrations")?;
                }
                "groups" => self.selection.read_groups(file, value)?,
                "rules" => self.selection.read_rules(file, value)?,
                "paths" => self.by_path = ByPath::read_all(file, value)?,
                "known-findings" => {
                    let directory = file.path.parent().unwrap_or(Path::new(""));
                    self.known_findings = Some(directory.join(file.string(value)?));
                }
                "small-tables" => self.small_tables = selection::small_tables(file, value)?,
                _ => return Err(file.unknown(key, LINT_KEYS)),
            }
        }
        Ok(())
    }
}

/// A date as comments and settings write it: `2027-01-31`.
pub fn date(word: &str) -> Option<Date> {
    Date::parse(word, format_description!("[year]-[month]-[day]")).ok()
}

/// A path without `.` and `..`, whatever is there.
fn lexical(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

/// A database URL as options and settings write it: as it is, or `env:NAME`.
///
/// # Errors
/// The environment variable is not set.
pub fn resolve_url(word: &str) -> Result<String> {
    let Some(name) = word.strip_prefix("env:") else { return Ok(word.to_string()) };
    std::env::var(name).map_err(|_| {
        Error::input(format!("the environment variable `{name}` of the database URL is not set"))
            .hint(format!("set {name}, or give --database-url"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let outcome = match Settings::parse(text, Path::new("lockkeeper.toml")) {
            Ok(settings) => format!("{settings:?}"),
            Err(error) => format!("{error} | {}", error.hints.join(" ")),
        };
        assert!(outcome.contains(expected), "{text:?}\n{outcome}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        check("\ndialekt = \"mysql\"", "lockkeeper.toml:2: no setting `dialekt` | did you mean `dialect`?");
        check("dialect = \"postgras\"", "lockkeeper.toml:1: no dialect `postgras` | did you mean `postgres`?");
        check("\nlayout = \"fliway\"", "lockkeeper.toml:2: no layout `fliway` | did you mean `flyway`?");
        check("layout = \"maven\"", "no layout `maven` | the layouts are plain, liquibase, goose, ");
        check(
            "engine = \"mysql eight\"",
            "lockkeeper.toml:1: no version `eight` of MySQL | write it like `postgres 14`",
        );
        let contrary = "lockkeeper.toml: the dialect is mysql, and the engine's is postgres | leave `dialect` out";
        check("dialect = \"mysql\"\nengine = \"postgres 14\"", contrary);
        check("dialect = 3", "lockkeeper.toml:1: expected a string, found integer");
        check("[lint]\nfailon = \"deny\"", "lockkeeper.toml:2: no setting `failon` | did you mean `fail-on`?");
        check("[lint.rules]\ndrop-table = \"warning\"", "lockkeeper.toml:2: no severity `warning`");
        check("[lint]\nfail-on = \"off\"", "lockkeeper.toml:2: no severity `off`");
        check("dialect = ", "lockkeeper.toml:1: ");
        check("[releases]\n1 = 2", "lockkeeper.toml:2: expected a string, found integer");
        check("[lint.phases]\nexpnad = []", "lockkeeper.toml:2: no setting `expnad` | did you mean `expand`?");
        check("[lint]\nforgotten-after = \"5\"", "lockkeeper.toml:2: expected a number of migrations, found string");
        check("\nmigrations = []", "lockkeeper.toml:2: `migrations` is empty: there is nothing to read | name files");
        check("transaction = \"perfile\"", "lockkeeper.toml:1: no transaction `perfile` | did you mean `per-file`?");
        check("[lint.groups]\nstyle = \"yes\"", "lockkeeper.toml:2: no severity `yes` | write one of off, on, deny");
        check("[lint.rules]\ndrop-table = \"on\"", "lockkeeper.toml:2: no severity `on` | write one of off, deny");
        check("[lint]\nsmall-tables = \"a\"", "lockkeeper.toml:2: expected a list of tables' names, found string");
        let by_path = |rest: &str| format!("[lint]\n[[lint.paths]]\n{rest}");
        check(&by_path("pats = []"), "lockkeeper.toml:3: no setting `pats` | did you mean `paths`?");
        check(&by_path("paths = []"), "lockkeeper.toml:2: no `paths` | write which: ");
        check(&by_path("paths = [\"a[\"]"), "lockkeeper.toml:3: no pattern `a[`: unclosed character class");
        check(&by_path("paths = [\"a\"]"), "lockkeeper.toml:2: no `reason` | ");
        check(&by_path("paths = [\"a\"]\nreason = \"b\""), "lockkeeper.toml:2: no `rules` and no `groups` | ");
        check(&by_path("until = \"tomorrow\""), "lockkeeper.toml:3: no date `tomorrow` | write it as 2027-01-31");
        check(&by_path("until = 2027-02-30"), "lockkeeper.toml:3: ");
    }

    #[test]
    fn what_is_right_is_read() {
        check("layout = \"flyway\"", "layout: Some(Layout(\"flyway\"))");
        check(
            "engine = \"mariadb 10.11\"",
            "dialect: Some(Mysql), engine: Some(Engine { dialect: Mysql, flavour: Some(Mariadb)",
        );
        check("dialect = \"mariadb\"", "dialect: Some(Mysql)");
        check("migrations = [\"db\", \"more\"]", "migrations: [\"db\", \"more\"]");
        check("baseline = \"db/schema.sql\"", "baseline: Some(\"db/schema.sql\")");
        check("", "migrations: [\"migrations\"]");
        check("[lint.rules]\n\ndrop-table = \"off\"", "\"drop-table\": Said { level: Off, line: 3 }");
        check("[lint.groups]\nstyle = \"on\"", "groups: {\"style\": Said { level: On, line: 2 }}");
        check("transaction = \"per-file\"", "transaction: Some(PerFile)");
        let legacy = "[[lint.paths]]\npaths = [\"db/legacy/**\"]\nreason = \"ran long ago\"\nuntil = 2027-01-31\n";
        check(&format!("{legacy}rules = {{ drop-table = \"off\" }}"), "until: Some(2027-01-31)");
        check("[lint]\nfail-on = \"note\"", "fail_on: Note");
    }
}
