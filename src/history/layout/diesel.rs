//! diesel: a directory `<version>_name` with `up.sql`, `down.sql` and perhaps `metadata.toml`.

use super::directory::{Directory, Entry, EntryKind};
use super::order::by_text;
use super::reading::{DOWN, Place, Reading, Run, Transaction};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "diesel",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let fits = |entry: &Entry| matches!(entry.kind, EntryKind::Own("up.sql" | "down.sql"));
        directory.mostly(fits).then_some(Sign::Mark("directories with `up.sql`"))
    },
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_text, |entry, _| place(entry)),
    assumed: "in the order of the versions as text, each in a transaction unless its metadata.toml refuses",
};

fn place(entry: &Entry) -> Place {
    match entry.kind {
        EntryKind::Own("up.sql") => {
            // diesel compares what stands before the first `_`, without its dashes.
            let version = entry.name.split('_').next().unwrap_or_default().replace('-', "");
            let run = Run::new(&version, Transaction::unless(refuses_transaction(entry)));
            Place::run(run.ordered(by_text(&version)))
        }
        EntryKind::Own("down.sql") => Place::Aside(DOWN),
        _ => Place::Aside("diesel runs only `up.sql` in a directory of its own"),
    }
}

fn refuses_transaction(entry: &Entry) -> bool {
    let text = std::fs::read_to_string(entry.path.with_file_name("metadata.toml")).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    table.get("run_in_transaction").and_then(toml::Value::as_bool) == Some(false)
}
