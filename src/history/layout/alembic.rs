//! Alembic: its revisions are Python, of which `alembic upgrade --sql` prints the SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Translator;
use super::python::{self, Output};
use super::reading::Translation;
use crate::error::{Error, Result};
use crate::history::Migration;
use crate::history::printed::{self, Section};
use crate::sql::Dialect;

pub(super) static REVISIONS: Translator =
    Translator { name: "alembic", claims: is_revision, dialect, read, needs_python: Some("Alembic") };

const SETTINGS: &str = "alembic.ini";

fn is_revision(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let below =
        path.ancestors().skip(1).take(2).any(|directory| directory.file_name().is_some_and(|name| name == "versions"));
    path.extension().is_some_and(|extension| extension == "py") && below && !stem.starts_with("__")
}

fn dialect(paths: &BTreeSet<PathBuf>) -> Option<Dialect> {
    url_dialect(&python::project_of(paths.first()?, SETTINGS)?.join(SETTINGS))
}

/// What `sqlalchemy.url` says, unless it is put together by a program.
fn url_dialect(settings: &Path) -> Option<Dialect> {
    let text = std::fs::read_to_string(settings).ok()?;
    let url = text.lines().find_map(|line| line.strip_prefix("sqlalchemy.url")?.trim_start().strip_prefix('='))?;
    Dialect::from_word(url.trim().split(['+', ':']).next()?).ok()
}

fn read(paths: &BTreeSet<PathBuf>, dialect: Dialect) -> Translation {
    let mut translation = Translation::default();
    let mut projects: BTreeMap<PathBuf, BTreeMap<PathBuf, PathBuf>> = BTreeMap::new();
    for path in paths {
        match (python::project_of(path, SETTINGS), path.canonicalize()) {
            (Some(project), Ok(file)) => {
                projects.entry(project).or_default().insert(file, path.clone());
            }
            _ => translation.aside.entry("no alembic.ini lies above them").or_default().push(path.clone()),
        }
    }
    for (project, files) in projects {
        let mut reader = Project { directory: &project, files: &files, dialect, translation: &mut translation };
        if let Err(error) = reader.read() {
            let place = python::shown(&project);
            let message =
                format!("{} of Alembic in `{place}` were not judged: {}", super::counted(files.len()), error.message);
            translation.errors.push(Error { message, ..error });
        }
    }
    translation
}

/// One project of Alembic.
struct Project<'a> {
    directory: &'a Path,
    /// The user's path of each file.
    files: &'a BTreeMap<PathBuf, PathBuf>,
    dialect: Dialect,
    translation: &'a mut Translation,
}

impl Project<'_> {
    fn read(&mut self) -> Result<()> {
        let revisions = self.revisions()?;
        let mut done = BTreeSet::new();
        let mut from = None;
        // A revision that asks the database cannot be printed, and ends the output: go on behind it.
        loop {
            let range = from.as_ref().map_or("heads".to_string(), |revision| format!("{revision}:heads"));
            let output = self.alembic(&["upgrade", &range, "--sql"])?;
            self.check_dialect(&output)?;
            let sections = printed::alembic::sections(&output.stdout).unwrap_or_default();
            let last = sections.iter().rev().find_map(|section| section.version.clone());
            for section in sections {
                self.enter(&output.stdout, section, &revisions, &mut done);
            }
            if output.success {
                break;
            }
            // What fails before any revision would fail for ever.
            let stuck = last.filter(|last| from.as_ref() != Some(last)).ok_or_else(|| failed(&output))?;
            self.unprintable(&stuck, &output, &revisions);
            from = Some(stuck);
        }
        let left = self
            .files
            .iter()
            .filter(|(file, _)| !revisions.iter().any(|(name, path)| path == *file && done.contains(name)));
        for (_, path) in left {
            self.translation
                .aside
                .entry("Alembic knows no revision in them, or does not reach it")
                .or_default()
                .push(path.clone());
        }
        let place = python::shown(self.directory);
        self.translation
            .notes
            .push(format!("`{place}` is read as alembic: by `alembic upgrade --sql`, which has run its Python"));
        Ok(())
    }

    /// All revisions, and their files.
    fn revisions(&self) -> Result<Vec<(String, PathBuf)>> {
        let output = self.alembic(&["history", "--verbose"])?;
        if !output.success {
            return Err(failed(&output));
        }
        let mut revisions = Vec::new();
        let mut name = None;
        for line in output.stdout.lines() {
            if let Some(revision) = line.strip_prefix("Rev: ") {
                name = revision.split(' ').next().map(str::to_string);
            } else if let Some(path) = line.strip_prefix("Path: ") {
                let path = PathBuf::from(path);
                revisions.extend(name.take().map(|name| (name, path.canonicalize().unwrap_or(path))));
            }
        }
        Ok(revisions)
    }

    fn alembic(&self, arguments: &[&str]) -> Result<Output> {
        python::run(&["alembic"], arguments, self.directory, &[])
    }

    /// `Context impl PostgresqlImpl.` is what it says on the way, if it is not kept from it.
    fn check_dialect(&self, output: &Output) -> Result<()> {
        let said = output.stderr.split_once("Context impl ").and_then(|(_, rest)| rest.split_once("Impl"));
        let said = said.and_then(|(word, _)| Dialect::from_word(word).ok());
        let Some(prints) = said.or_else(|| url_dialect(&self.directory.join(SETTINGS))) else { return Ok(()) };
        if prints == self.dialect {
            return Ok(());
        }
        let error = Error::input(format!("it prints SQL for {prints}, and the dialect is {}", self.dialect));
        Err(error.hint("give the URL of the real database to env.py, or another `--dialect`"))
    }

    fn enter(&mut self, text: &str, section: Section, revisions: &[(String, PathBuf)], done: &mut BTreeSet<String>) {
        let Some(name) = section.version.clone() else { return };
        let file = revisions.iter().find(|(revision, _)| *revision == name).map(|(_, file)| file);
        let Some(path) = file.and_then(|file| self.files.get(file)) else { return };
        if done.insert(name) {
            self.translation.migrations.push(migration(path, text, section, self.dialect));
        }
    }

    fn unprintable(&mut self, revision: &str, output: &Output, revisions: &[(String, PathBuf)]) {
        let file = revisions.iter().find(|(name, _)| name == revision).and_then(|(_, file)| self.files.get(file));
        let place = file.map_or(revision.to_string(), |path| path.display().to_string());
        let error = Error::input(format!("`{place}` could not be printed as SQL to its end")).because(output.reason());
        self.translation
            .errors
            .push(error.hint("where it asks the database for something, nobody can print it: read it yourself"));
    }
}

fn failed(output: &Output) -> Error {
    Error::input("`alembic` failed").because(output.reason()).hint(python::IN_ITS_ENVIRONMENT)
}

/// The text of a migration is its own part of what was printed.
fn migration(path: &Path, text: &str, section: Section, dialect: Dialect) -> Migration {
    let blank =
        section.parts.first().map_or(0, |part| text[part.clone()].len() - text[part.clone()].trim_start().len());
    let start = section.parts.first().map_or(0, |part| part.start + blank);
    let end = section.parts.last().map_or(start, |part| part.end);
    let parts: Vec<_> = section.parts.iter().map(|part| part.start.max(start) - start..part.end - start).collect();
    let mut migration = python::migration(path, "alembic upgrade --sql", &text[start..end], &parts, dialect);
    migration.version = section.version;
    migration.in_transaction = section.in_transaction;
    migration
}
