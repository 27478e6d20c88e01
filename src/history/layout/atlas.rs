//! Atlas: `<version>_name.sql` under `atlas.sum`; `-- atlas:txmode none` opens a file.

use super::directory::{Directory, Entry};
use super::order::by_text;
use super::reading::{DOWN, Place, Reading, Run, Transaction, comment, lines};
use super::{Sign, Tool};

pub(super) static TOOL: Tool = Tool {
    name: "atlas",
    recursive: false,
    unique: true,
    sign: |directory: &Directory| {
        let has_script = directory.entries.iter().any(|entry| entry.script().is_some());
        (has_script && directory.beside("atlas.sum").is_some()).then_some(Sign::Mark("atlas.sum"))
    },
    dialect: |_| None,
    read: |directory, _| Reading::of(directory, by_text, place),
    assumed: "in the order of the names as text, each file in a transaction unless it says `-- atlas:txmode none`",
};

fn place(entry: &Entry, text: &str) -> Place {
    let Some(name) = entry.script() else { return Place::Aside("Atlas runs only files beside atlas.sum") };
    if name.ends_with(".down.sql") {
        return Place::Aside(DOWN);
    }
    if header(text).any(|said| said == "atlas:checkpoint" || said.starts_with("atlas:checkpoint ")) {
        return Place::Aside("a checkpoint stands for versions that are linted one by one");
    }
    let version = name.trim_end_matches(".sql").split('_').next().unwrap_or_default();
    let none = header(text).any(|said| said.split_whitespace().eq(["atlas:txmode", "none"]));
    Place::run(Run::new(version, Transaction::unless(none)).ordered(by_text(name)))
}

/// What the comments at the beginning of a file say. Atlas takes them for the first statement's own where no
/// blank line ends them.
fn header(text: &str) -> impl Iterator<Item = &str> {
    let comments = lines(text).take_while(|(_, line)| comment(line).is_some()).count();
    let ended = lines(text).nth(comments).is_none_or(|(_, line)| line.trim().is_empty());
    lines(text).take(if ended { comments } else { 0 }).filter_map(|(_, line)| comment(line))
}
