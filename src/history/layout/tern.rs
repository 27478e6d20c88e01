//! tern: `001_name.sql`, in which a line parts what creates from what drops.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{Place, Reading, Run, Transaction, lines, numbered};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "tern",
    recursive: false,
    unique: true,
    sign,
    dialect: |_| Some(Dialect::Postgres),
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "in the order of the numbers, down to the line `---- create above / drop below ----`, each file in a transaction unless it says disable-tx",
};

const DROP_BELOW: &str = "---- create above / drop below ----";

fn sign(directory: &Directory) -> Option<Sign> {
    let fits = directory.mostly(|entry| entry.script().and_then(numbered).is_some());
    let parts = |entry: &Entry| entry.text.as_deref().is_some_and(|text| text.contains(DROP_BELOW));
    match fits {
        true if directory.entries.iter().any(parts) => Some(Sign::Mark("`---- create above / drop below ----`")),
        true if directory.beside("tern.conf").is_some() => Some(Sign::Mark("tern.conf")),
        _ => None,
    }
}

fn place(entry: &Entry, text: &str) -> Place {
    let Some((version, _)) = entry.script().and_then(numbered) else {
        return Place::Aside("tern runs only `001_name.sql`");
    };
    let up = text.find(DROP_BELOW).unwrap_or(text.len());
    let never = lines(&text[..up]).any(|(_, line)| line.trim_end() == "---- tern: disable-tx ----");
    Place::run(Run::new(version, Transaction::unless(never)).of_parts(std::iter::once(0..up).collect()))
}
