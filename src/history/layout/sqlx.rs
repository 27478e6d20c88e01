//! sqlx: `1_name.sql`, or `1_name.up.sql` with `1_name.down.sql`; `-- no-transaction` opens a file.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{DOWN, Place, Reading, Run, Transaction, numbered};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "sqlx",
    recursive: false,
    unique: true,
    sign,
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "in the order of the numbers, each file in a transaction unless it begins with `-- no-transaction`",
};

const NO_TRANSACTION: &str = "-- no-transaction";

fn sign(directory: &Directory) -> Option<Sign> {
    // More dots are of other tools, which name a dialect so.
    let fits = |(_, rest): (&str, &str)| !rest.trim_end_matches(".up").trim_end_matches(".down").contains('.');
    if !directory.mostly(|entry| entry.script().and_then(numbered).is_some_and(fits)) {
        return None;
    }
    if directory.entries.iter().any(|entry| entry.text.as_deref().is_some_and(|text| text.starts_with(NO_TRANSACTION)))
    {
        return Some(Sign::Mark("`-- no-transaction`"));
    }
    let reversible = directory.entries.iter().any(|entry| entry.name.ends_with(".up.sql"));
    match directory.project_names("sqlx", &["Cargo.toml"]) {
        Some(manifest) => Some(Sign::Project(manifest)),
        // Numbers alone are everybody's.
        _ => reversible.then_some(Sign::Names),
    }
}

fn place(entry: &Entry, text: &str) -> Place {
    match entry.script().and_then(numbered) {
        Some((_, rest)) if rest.ends_with(".down") => Place::Aside(DOWN),
        Some((version, _)) => Place::run(Run::new(version, Transaction::unless(text.starts_with(NO_TRANSACTION)))),
        None => Place::Aside("sqlx runs only `1_name.sql` and `1_name.up.sql`"),
    }
}
