//! `lockkeeper.toml`: what a team says once instead of on every command line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result, closest};
use crate::history::layout::Layout;
use crate::sql::{Dialect, Engine};

/// The keys of the file.
const KEYS: &[&str] = &["dialect", "engine", "layout", "migrations", "baseline", "database-url", "lint"];

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
    /// Files and directories, as seen from the working directory.
    pub migrations: Vec<PathBuf>,
    /// A dump of the schema that is replayed before the first migration, as seen from the working directory.
    pub baseline: Option<PathBuf>,
    /// As written: a URL, or `env:NAME`. Use `database_url()`.
    pub database_url: Option<String>,
    /// The least severity that makes `lint` fail.
    pub fail_on: Severity,
    /// What `[lint.rules]` says of each rule.
    pub rules: BTreeMap<String, RuleSetting>,
}

/// What `[lint.rules]` says of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetting {
    /// `None` is `off`.
    pub severity: Option<Severity>,
    /// The 1-based line, for errors.
    pub line: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            dialect: None,
            engine: None,
            layout: None,
            migrations: vec![PathBuf::from("migrations")],
            baseline: None,
            database_url: None,
            fail_on: Severity::Deny,
            rules: BTreeMap::new(),
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
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == ErrorKind::NotFound && file.is_none() => Ok(Self::default()),
            Err(error) => Err(Error::input(format!("could not read the settings `{}`", path.display())).because(error)),
        }
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
        let mut settings = Self { path: Some(path.display().to_string()), ..Self::default() };
        let directory = path.parent().unwrap_or(Path::new(""));
        settings.migrations = vec![directory.join("migrations")];
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "dialect" => {
                    settings.dialect = Some(file.word(value, Dialect::from_word)?);
                }
                "engine" => settings.engine = Some(file.word(value, Engine::from_words)?),
                "layout" => settings.layout = Some(file.word(value, Layout::from_word)?),
                "migrations" => {
                    let items = file.expect(value, value.get_ref().as_array(), "a list of paths")?;
                    let paths = items.iter().map(|item| Ok(directory.join(file.string(item)?)));
                    settings.migrations = paths.collect::<Result<_>>()?;
                }
                "baseline" => settings.baseline = Some(directory.join(file.string(value)?)),
                "database-url" => settings.database_url = Some(file.string(value)?.to_string()),
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
        for (key, value) in file.expect(value, value.get_ref().as_table(), "a table")? {
            match key.get_ref().as_ref() {
                "fail-on" => {
                    self.fail_on = file.severity(value, &["deny", "warn", "note"])?.unwrap_or(self.fail_on);
                }
                "rules" => {
                    for (id, value) in file.expect(value, value.get_ref().as_table(), "a table")? {
                        let severity = file.severity(value, &["deny", "warn", "note", "off"])?;
                        let line = file.line(id.span());
                        self.rules.insert(id.get_ref().to_string(), RuleSetting { severity, line });
                    }
                }
                _ => return Err(file.unknown(key, &["fail-on", "rules"])),
            }
        }
        Ok(())
    }
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

/// A value with its place in the file.
type Value<'a> = Spanned<DeValue<'a>>;

/// The file that is read, to say where something is wrong.
struct File<'a> {
    text: &'a str,
    path: &'a Path,
}

impl File<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        1 + self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
    }

    fn place(&self, span: Range<usize>) -> String {
        format!("{}:{}", self.path.display(), self.line(span))
    }

    fn error(&self, span: Range<usize>, message: impl Display) -> Error {
        Error::input(format!("{}: {message}", self.place(span)))
    }

    fn unknown(&self, key: &Spanned<Cow<'_, str>>, known: &[&str]) -> Error {
        let error = self.error(key.span(), format!("no setting `{}`", key.get_ref()));
        match closest(key.get_ref(), known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("the settings here are {}", known.join(", "))),
        }
    }

    fn expect<T>(&self, value: &Value<'_>, found: Option<T>, wanted: &str) -> Result<T> {
        found
            .ok_or_else(|| self.error(value.span(), format!("expected {wanted}, found {}", value.get_ref().type_str())))
    }

    fn string<'v>(&self, value: &'v Value<'_>) -> Result<&'v str> {
        self.expect(value, value.get_ref().as_str(), "a string")
    }

    fn word<T>(&self, value: &Value<'_>, known: fn(&str) -> Result<T>) -> Result<T> {
        known(self.string(value)?)
            .map_err(|error| Error { message: format!("{}: {}", self.place(value.span()), error.message), ..error })
    }

    /// `None` is `off`.
    fn severity(&self, value: &Value<'_>, words: &[&str]) -> Result<Option<Severity>> {
        let word = self.string(value)?;
        if words.contains(&word) {
            return Ok(Severity::from_word(word));
        }
        let error = self.error(value.span(), format!("no severity `{word}`"));
        Err(error.hint(format!("write one of {}", words.join(", "))))
    }
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
        check("[lint.rules]\n\ndrop-table = \"off\"", "\"drop-table\": RuleSetting { severity: None, line: 3 }");
        check("[lint]\nfail-on = \"note\"", "fail_on: Note");
    }
}
