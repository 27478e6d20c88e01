//! Flyway: `V1.2__name.sql` in the order of the versions, then `R__name.sql`; `U` undoes, `B` is a baseline.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{DOWN, Place, Reading, Run, Transaction};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "flyway",
    recursive: true,
    unique: true,
    sign,
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "versions in order, then repeatables; each script in a transaction unless a statement or its `.conf` refuses",
};

/// Events whose scripts Flyway calls by name.
const CALLBACKS: [&str; 4] = ["before", "after", "create", "undo"];

fn sign(directory: &Directory) -> Option<Sign> {
    let scripts = || directory.entries.iter().filter_map(|entry| script(entry.script()?));
    if !directory.mostly(|entry| entry.script().is_some_and(|name| script(name).is_some() || is_callback(name))) {
        return None;
    }
    for mark in ["flyway.conf", "flyway.toml"] {
        if directory.beside(mark).is_some() {
            return Some(Sign::Mark(mark));
        }
    }
    if scripts().any(|script| matches!(script, Script::Repeatable(_))) {
        return Some(Sign::Mark("a repeatable `R__` script"));
    }
    if scripts().any(|script| matches!(&script, Script::Versioned(version) if version.contains('.'))) {
        return Some(Sign::Mark("a dotted version"));
    }
    let versions: std::collections::BTreeSet<_> = scripts()
        .filter_map(|script| if let Script::Versioned(version) = script { Some(version) } else { None })
        .collect();
    if scripts().any(|script| matches!(&script, Script::Undo(version) if versions.contains(version))) {
        return Some(Sign::Mark("a `U` script that undoes the `V` of its version"));
    }
    if versions.is_empty() || scripts().any(|script| matches!(script, Script::Undo(_))) {
        return None;
    }
    Some(directory.project_names("flyway", &["pom.xml", "build.gradle", "build.gradle.kts", "build.sbt"]).map_or(Sign::Names, Sign::Project))
}

/// What a name says.
enum Script {
    Versioned(String),
    Undo(String),
    Baseline,
    /// With its description.
    Repeatable(String),
}

fn script(name: &str) -> Option<Script> {
    let (prefix, description) = name.strip_suffix(".sql")?.split_once("__")?;
    if prefix == "R" {
        return Some(Script::Repeatable(description.to_string()));
    }
    // Flyway takes `1_2` and `1.2` for the same, and `1.0` for `1`.
    let mut version = prefix.get(1..)?.replace('_', ".");
    let numbers = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !numbers {
        return None;
    }
    while let Some(shorter) = version.strip_suffix(".0") {
        version = shorter.to_string();
    }
    match prefix.as_bytes()[0] {
        b'V' => Some(Script::Versioned(version)),
        b'U' => Some(Script::Undo(version)),
        b'B' => Some(Script::Baseline),
        _ => None,
    }
}

fn is_callback(name: &str) -> bool {
    let word = name.strip_suffix(".sql").unwrap_or(name).split("__").next().unwrap_or_default();
    CALLBACKS.iter().any(|event| word.strip_prefix(event).is_some_and(|rest| rest.starts_with(char::is_uppercase)))
}

fn place(entry: &Entry, _: &str) -> Place {
    let Some(name) = entry.script() else { return Place::Aside(OTHER) };
    let transaction = if refuses_transaction(entry) { Transaction::Never } else { Transaction::UnlessRefused };
    match script(name) {
        Some(Script::Versioned(version)) => Place::run(Run::new(&version, transaction)),
        Some(Script::Repeatable(description)) => {
            // Text comes after every number, and with it a repeatable after every version.
            let run = Run { version: None, order: None, parts: None, transaction };
            Place::run(run.ordered(super::order::by_text(&description)))
        }
        Some(Script::Undo(_)) => Place::Aside(DOWN),
        Some(Script::Baseline) => Place::Aside("a baseline stands for versions that are linted one by one"),
        None if is_callback(name) => Place::Aside("Flyway calls them back at its events, not as migrations"),
        None => Place::Aside(OTHER),
    }
}

const OTHER: &str = "Flyway runs only `V1__name.sql` and `R__name.sql`";

/// `V1__name.sql.conf` beside the script.
fn refuses_transaction(entry: &Entry) -> bool {
    let mut path = entry.path.clone().into_os_string();
    path.push(".conf");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| {
        let setting = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        setting.is_some_and(|(key, value)| key == "executeInTransaction" && value.eq_ignore_ascii_case("false"))
    })
}
