//! dbmate: `1_name.sql` with the sections `-- migrate:up` and `-- migrate:down`.

use super::directory::{Directory, Entry};
use super::order::by_text;
use super::reading::{DOWN, Place, Reading, Run, Transaction, comment, lines};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "dbmate",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let says = |text: &str| lines(text).any(|(_, line)| section(line).is_some_and(|(name, _)| name == "up"));
        directory.mostly_says(says).then_some(Sign::Mark("`-- migrate:up`"))
    },
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_text, place),
    assumed: "in the order of the names as text, down to `-- migrate:down`, each file in a transaction unless it says transaction:false",
};

fn place(entry: &Entry, text: &str) -> Place {
    let Some(name) = entry.script().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) else {
        return Place::Aside("dbmate runs only files whose names begin with a number");
    };
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let (mut down, mut no_transaction) = (text.len(), false);
    for (at, line) in lines(text) {
        match section(line) {
            Some(("down", _)) => down = down.min(at),
            Some((_, options)) => no_transaction |= options.split_whitespace().any(|word| word == "transaction:false"),
            None => {}
        }
    }
    match text[..down].trim().is_empty() {
        true => Place::Aside(DOWN),
        false => Place::run(
            Run::new(&name[..digits], Transaction::unless(no_transaction))
                .ordered(by_text(name))
                .of_parts(std::iter::once(0..down).collect()),
        ),
    }
}

/// The section that a line opens, `up` or `down`, and its options.
fn section(line: &str) -> Option<(&str, &str)> {
    let said = comment(line)?.strip_prefix("migrate:")?;
    let (name, options) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    (name == "up" || name == "down").then_some((name, options))
}
