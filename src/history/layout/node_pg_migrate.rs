//! node-pg-migrate's SQL files: `1700000000000_name.sql` with `-- Up Migration` and `-- Down Migration`.

use std::ops::Range;

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{DOWN, Place, Reading, Run, Transaction, comment, lines};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "node-pg-migrate",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let says = |text: &str| lines(text).any(|(_, line)| direction(line).is_some());
        directory.mostly_says(says).then_some(Sign::Mark("`-- Up Migration`"))
    },
    dialect: |_| Some(Dialect::Postgres),
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "in the order of the numbers, without what stands below `-- Down Migration`, all that are pending in one transaction",
};

fn place(entry: &Entry, text: &str) -> Place {
    let Some(name) = entry.script().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) else {
        return Place::Aside("node-pg-migrate runs only files whose names begin with a number");
    };
    if name.ends_with(".down.sql") {
        return Place::Aside(DOWN);
    }
    let up = up(text);
    if text[up.clone()].trim().is_empty() {
        return Place::Aside(DOWN);
    }
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    Place::run(Run::new(&name[..digits], Transaction::Always).of_parts(std::iter::once(up).collect()))
}

/// From the first heading for up to the first one for down; either may come first, or be missing.
fn up(text: &str) -> Range<usize> {
    let first = |wanted| lines(text).find(|(_, line)| direction(line) == Some(wanted)).map(|(at, _)| at);
    let (up, down) = (first("up"), first("down"));
    match (up, down) {
        (Some(up), Some(down)) if down < up => up..text.len(),
        (up, down) => up.unwrap_or(0)..down.unwrap_or(text.len()),
    }
}

/// `up` or `down`, if that is what a comment line begins with.
fn direction(line: &str) -> Option<&'static str> {
    let said = comment(line)?.trim_start_matches(['-', ' ', '\t']).to_ascii_lowercase();
    let mut words = said.split_whitespace();
    let direction = ["up", "down"].into_iter().find(|known| said.split_whitespace().next() == Some(*known))?;
    words.nth(1).is_some_and(|word| word.starts_with("migration")).then_some(direction)
}
