//! sql-migrate: the sections `-- +migrate Up` and `-- +migrate Down`, in files of any name.

use std::ops::Range;

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{Place, Reading, Run, Transaction, lines};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "sql-migrate",
    recursive: false,
    // It knows a migration by its file's whole name.
    unique: false,
    sign: |directory: &Directory| {
        let says = |text: &str| lines(text).any(|(_, line)| command(line).is_some());
        directory.mostly_says(says).then_some(Sign::Mark("`-- +migrate`"))
    },
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "in the order of the names, the sections below `-- +migrate Up`, each file in a transaction unless it says notransaction",
};

fn place(entry: &Entry, text: &str) -> Place {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut no_transaction = false;
    let (mut is_up, mut start) = (false, 0);
    for (at, line) in lines(text).chain([(text.len(), "-- +migrate Down")]) {
        let mut words = command(line).into_iter().flat_map(str::split_whitespace);
        let Some(direction) = words.next().filter(|word| ["Up", "Down"].contains(word)) else { continue };
        if is_up {
            parts.push(start..at);
        }
        is_up = direction == "Up";
        no_transaction |= is_up && words.any(|option| option == "notransaction");
        start = at;
    }
    if parts.is_empty() {
        return Place::Aside("no section `-- +migrate Up` in them");
    }
    let digits = entry.name.bytes().take_while(u8::is_ascii_digit).count();
    let run = Run {
        version: (digits > 0).then(|| entry.name[..digits].to_string()),
        order: Some(by_value(&entry.name)),
        parts: Some(parts),
        transaction: Transaction::unless(no_transaction),
    };
    Place::run(run)
}

/// What a line says to sql-migrate, which takes no other spelling.
fn command(line: &str) -> Option<&str> {
    line.trim_start_matches('\u{feff}').strip_prefix("-- +migrate ")
}
