//! goose: `1_name.sql` with the sections `-- +goose Up` and `-- +goose Down`.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{DOWN, Place, Reading, Run, Transaction, comment, lines, numbered};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "goose",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let says = |text: &str| lines(text).any(|(_, line)| annotation(line).is_some());
        directory.mostly_says(says).then_some(Sign::Mark("`-- +goose`"))
    },
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_value, place),
    assumed: "in the order of the numbers, down to `-- +goose Down`, each file in a transaction unless it says NO TRANSACTION",
};

fn place(entry: &Entry, text: &str) -> Place {
    let Some((version, _)) = entry.script().and_then(numbered) else {
        return Place::Aside("goose runs only `1_name.sql`");
    };
    let (mut down, mut no_transaction) = (text.len(), false);
    for (at, line) in lines(text) {
        match annotation(line).map(str::to_ascii_lowercase).as_deref() {
            Some("down") => down = down.min(at),
            Some("no transaction") => no_transaction = true,
            _ => {}
        }
    }
    match text[..down].trim().is_empty() {
        true => Place::Aside(DOWN),
        false => Place::run(
            Run::new(version, Transaction::unless(no_transaction)).of_parts(std::iter::once(0..down).collect()),
        ),
    }
}

/// What a line says to goose.
fn annotation(line: &str) -> Option<&str> {
    comment(line)?.strip_prefix("+goose").map(str::trim)
}
