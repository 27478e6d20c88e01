//! refinery: `V1__name.sql`, and `U1__name.sql` for one that may come late; both share one sequence of versions.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{Place, Reading, Run, Transaction};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "refinery",
    recursive: true,
    unique: true,
    sign,
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_value, |entry, _| place(entry)),
    assumed: "V and U in the order of their versions, each file in a transaction",
};

fn sign(directory: &Directory) -> Option<Sign> {
    let names = || directory.entries.iter().filter_map(Entry::script);
    // Flyway's repeatables.
    if !directory.mostly(|entry| version(entry).is_some()) || names().any(|name| name.starts_with("R__")) {
        return None;
    }
    if directory.beside("refinery.toml").is_some() {
        return Some(Sign::Mark("refinery.toml"));
    }
    Some(directory.project_names("refinery", &["Cargo.toml"]).map_or(Sign::Names, Sign::Project))
}

fn place(entry: &Entry) -> Place {
    match version(entry) {
        Some(version) => Place::run(Run::new(version, Transaction::Always)),
        None => Place::Aside("refinery runs only `V1__name.sql` and `U1__name.sql`"),
    }
}

fn version(entry: &Entry) -> Option<&str> {
    let (version, name) = entry.script()?.strip_prefix(['V', 'U'])?.strip_suffix(".sql")?.split_once("__")?;
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (word && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some(version)
}
