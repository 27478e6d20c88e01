//! Django: its migrations are Python, of which the framework itself prints the SQL, as `sqlmigrate` does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Translator;
use super::python::{self, Output};
use super::reading::Translation;
use crate::error::{Error, Result};
use crate::sql::Dialect;

pub(super) static MIGRATIONS: Translator =
    Translator { name: "django", claims: is_migration, dialect: |_| None, read, needs_python: Some("Django") };

const PROGRAM: &str = "manage.py";

fn is_migration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parent = path.parent().and_then(Path::file_name).unwrap_or_default();
    parent == "migrations"
        && name.ends_with(".py")
        && name.starts_with(|c: char| c.is_ascii_digit())
        && name.contains('_')
}

fn read(paths: &BTreeSet<PathBuf>, dialect: Dialect) -> Translation {
    let mut translation = Translation::default();
    let mut projects: BTreeMap<PathBuf, BTreeMap<PathBuf, PathBuf>> = BTreeMap::new();
    for path in paths {
        match (python::project_of(path, PROGRAM), path.canonicalize()) {
            (Some(project), Ok(file)) => {
                projects.entry(project).or_default().insert(file, path.clone());
            }
            _ => translation.aside.entry("no manage.py lies above them").or_default().push(path.clone()),
        }
    }
    for (project, files) in projects {
        if let Err(error) = read_project(&project, &files, dialect, &mut translation) {
            let place = python::shown(&project);
            let message =
                format!("{} of Django in `{place}` were not judged: {}", super::counted(files.len()), error.message);
            translation.errors.push(Error { message, ..error });
        }
    }
    translation
}

fn read_project(
    project: &Path,
    files: &BTreeMap<PathBuf, PathBuf>,
    dialect: Dialect,
    translation: &mut Translation,
) -> Result<()> {
    let wanted: Vec<_> = files.keys().map(|file| file.display().to_string()).collect();
    let wanted = serde_json::to_string(&wanted).expect("strings are always JSON");
    let script = include_str!("django.py");
    let arguments = [PROGRAM, "shell", "--verbosity", "0", "--command", script];
    let output = python::run(&["python", "python3"], &arguments, project, &[("LOCKKEEPER_FILES", &wanted)])?;
    if !output.success || !output.stdout.lines().any(|line| line == "lockkeeper-end") {
        return Err(failed(&output));
    }
    let mut left: BTreeMap<_, _> = files.iter().collect();
    let mut with_code = Vec::new();
    for line in output.stdout.lines().filter_map(|line| line.strip_prefix("lockkeeper-migration ")) {
        let Ok(printed) = serde_json::from_str::<Value>(line) else { continue };
        let word = |key: &str| printed[key].as_str().unwrap_or_default();
        let Some(path) = left.remove(&PathBuf::from(word("file"))) else { continue };
        check_dialect(word("vendor"), dialect)?;
        if let Some(reason) = printed["error"].as_str() {
            let error = Error::input(format!("`{}` could not be printed as SQL", path.display())).because(reason);
            translation
                .errors
                .push(error.hint("if Django looks into the database for it, start the one of the settings"));
            continue;
        }
        let sql = word("sql");
        if sql.contains("CANNOT BE WRITTEN AS SQL") {
            with_code.push(path.clone());
        }
        let parts = std::iter::once(0..sql.len()).collect::<Vec<_>>();
        let mut migration = python::migration(path, "manage.py sqlmigrate", sql, &parts, dialect);
        migration.version = Some(word("name").to_string());
        migration.in_transaction = printed["atomic"] == true;
        translation.migrations.push(migration);
    }
    if !with_code.is_empty() {
        let files = super::files(&with_code);
        translation.notes.push(format!("not judged: what {files} do in Python, besides their SQL"));
    }
    if !left.is_empty() {
        let unknown = translation.aside.entry("Django does not know them: is their app installed?").or_default();
        unknown.extend(left.into_values().cloned());
    }
    let place = python::shown(project);
    translation
        .notes
        .push(format!("`{place}` is read as django: by what `manage.py sqlmigrate` prints, which has run its Python"));
    Ok(())
}

fn failed(output: &Output) -> Error {
    Error::input("`manage.py shell` failed").because(output.reason()).hint(python::IN_ITS_ENVIRONMENT)
}

fn check_dialect(vendor: &str, dialect: Dialect) -> Result<()> {
    match Dialect::from_word(vendor) {
        Ok(prints) if prints == dialect => Ok(()),
        _ => Err(Error::input(format!("it prints SQL for {vendor}, and the dialect is {dialect}"))
            .hint("choose the settings of the real database: `DJANGO_SETTINGS_MODULE`, or another `--dialect`")),
    }
}
