//! Flyway: `V1.2__name.sql` in the order of the versions, then `R__name.sql`; `U` undoes, `B` is a baseline. Its
//! settings may call them otherwise.

mod settings;

use std::collections::BTreeSet;
use std::path::Path;

use super::directory::{Directory, Entry};
use super::order::{by_text, by_value};
use super::reading::{DOWN, Place, Reading, Run, Transaction};
use super::{Sign, Tool};
use settings::Settings;

pub(super) static TOOL: Tool = Tool {
    name: "flyway",
    recursive: true,
    unique: true,
    sign,
    dialect: |_| None,
    read: |directory, _| read(directory),
    assumed: "versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses",
};

fn sign(directory: &Directory) -> Option<Sign> {
    let settings = Settings::around(directory);
    let named = |entry: &Entry| {
        entry.script().is_some_and(|name| {
            let is_separated = name.contains(&settings.separator);
            is_separated && script(name, &settings).is_some() || is_callback(name)
        })
    };
    if !directory.mostly(named) {
        return None;
    }
    let scripts: Vec<_> =
        directory.entries.iter().filter_map(|entry| script(entry.script()?, &settings)).collect();
    if let Some(file) = settings.file {
        return Some(Sign::Mark(file));
    }
    if scripts.iter().any(|script| matches!(script, Script::Repeatable(_))) {
        return Some(Sign::Mark("a repeatable `R__` script"));
    }
    if scripts.iter().any(|script| matches!(script, Script::Versioned(version) if version.contains('.'))) {
        return Some(Sign::Mark("a dotted version"));
    }
    let versions: BTreeSet<_> = scripts
        .iter()
        .filter_map(|script| if let Script::Versioned(version) = script { Some(version) } else { None })
        .collect();
    let undone = |script: &Script| matches!(script, Script::Undo(version) if versions.contains(version));
    if scripts.iter().any(undone) {
        return Some(Sign::Mark("a `U` script that undoes the `V` of its version"));
    }
    if versions.is_empty() || scripts.iter().any(|script| matches!(script, Script::Undo(_))) {
        return None;
    }
    let manifests = ["pom.xml", "build.gradle", "build.gradle.kts", "build.sbt"];
    Some(directory.project_names("flyway", &manifests).map_or(Sign::Names, Sign::Project))
}

fn read(directory: &Directory) -> Reading {
    let settings = Settings::around(directory);
    let mut notes = settings.notes(directory);
    let mut reading = Reading::of(directory, by_value, |entry, _| place(entry, &settings, &mut notes));
    reading.notes = notes;
    reading
}

/// What a name says.
enum Script {
    Versioned(String),
    Undo(String),
    Baseline,
    /// With its description.
    Repeatable(String),
}

fn script(name: &str, settings: &Settings) -> Option<Script> {
    let name = name.strip_suffix(".sql")?;
    let (named, description) = name.split_once(&settings.separator).unwrap_or((name, ""));
    if named == settings.repeatable {
        return Some(Script::Repeatable(description.to_string()));
    }
    let of = |prefix: &str| version(named.strip_prefix(prefix)?);
    None.or_else(|| Some(Script::Versioned(of(&settings.versioned)?)))
        .or_else(|| Some(Script::Undo(of(&settings.undo)?)))
        .or_else(|| of(&settings.baseline).map(|_| Script::Baseline))
}

/// Flyway takes `1_2` and `1.2` for the same, and `1.0` for `1`.
fn version(word: &str) -> Option<String> {
    let mut version = word.replace('_', ".");
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !version.split('.').all(is_number) {
        return None;
    }
    while let Some(shorter) = version.strip_suffix(".0") {
        version = shorter.to_string();
    }
    Some(version)
}

/// `afterMigrate.sql`, `beforeEachMigrate__name.sql`.
fn is_callback(name: &str) -> bool {
    let event = name.strip_suffix(".sql").unwrap_or(name).split("__").next().unwrap_or_default();
    let follows = |when: &str| event.strip_prefix(when).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    event == "createSchema" || ["before", "after"].into_iter().any(follows)
}

fn place(entry: &Entry, settings: &Settings, notes: &mut Vec<String>) -> Place {
    let Some(name) = entry.script() else { return Place::Aside(OTHER) };
    let own = settings::of_script(&entry.path);
    let transaction = match own.get("executeInTransaction").map(String::as_str) {
        Some("true") => Transaction::Always,
        Some("false") => Transaction::Refused,
        _ if settings.no_transaction => Transaction::Never,
        _ => Transaction::UnlessRefused,
    };
    match own.get("shouldExecute").map(String::as_str) {
        None | Some("true") => {}
        Some("false") => return Place::Aside("their `.conf` says shouldExecute=false"),
        Some(condition) => notes.push(format!("`{}` is judged as if `{condition}` held", shown(&entry.path))),
    }
    match script(name, settings) {
        Some(Script::Versioned(version)) => Place::run(Run::new(&version, transaction)),
        Some(Script::Repeatable(description)) => {
            // Text comes after every number, and with it a repeatable after every version.
            let run = Run { version: None, order: None, parts: None, transaction };
            Place::run(run.ordered(by_text(&description)))
        }
        Some(Script::Undo(_)) => Place::Aside(DOWN),
        Some(Script::Baseline) => Place::Aside("a baseline stands for versions that are linted one by one"),
        None if is_callback(name) => Place::Aside("Flyway calls them back at its events, not as migrations"),
        None => Place::Aside(OTHER),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

const OTHER: &str = "their names are none of Flyway's scripts";
