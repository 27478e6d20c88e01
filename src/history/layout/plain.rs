//! SQL files of no tool that we know, in natural order of their paths.

use std::path::Path;

use super::Tool;
use super::directory::{Entry, EntryKind};
use super::reading::{DOWN, Place, Reading, Run, Transaction, lines};

pub(super) static TOOL: Tool = Tool {
    name: "plain",
    recursive: true,
    unique: false,
    sign: |_| None,
    dialect: |_| None,
    read: |directory, _| {
        let mut notes = Vec::new();
        let mut reading = Reading::of(directory, |_| Vec::new(), |entry, text| place(entry, text, &mut notes));
        reading.notes = notes;
        reading
    },
    assumed: "in natural order of the paths, each statement its own transaction",
};

fn place(entry: &Entry, text: &str, notes: &mut Vec<String>) -> Place {
    if is_down(entry) {
        return Place::Aside(DOWN);
    }
    let mut run = Run { version: None, order: None, parts: None, transaction: Transaction::Never };
    if let Some(at) = down_section(text) {
        let line = 1 + text[..at].matches('\n').count();
        notes.push(format!("`{}` is linted up to line {line}, where its down section begins", entry.path.display()));
        run = run.of_parts(std::iter::once(0..at).collect());
    }
    Place::run(run)
}

/// The comments that begin it for goose, dbmate, sql-migrate, node-pg-migrate and tern.
const DOWN_SECTIONS: [&str; 5] =
    ["+goose down", "migrate:down", "+migrate down", "down migration", "-- create above / drop below ----"];

/// Where the part begins that a tool runs to undo the file.
pub(in crate::history) fn down_section(text: &str) -> Option<usize> {
    lines(text).find_map(|(at, line)| {
        let comment = line.trim_start().strip_prefix("--")?.trim().to_ascii_lowercase();
        DOWN_SECTIONS.contains(&comment.as_str()).then_some(at)
    })
}

/// How the names end of what undoes a migration: db-migrate has dashes, yoyo says rollback.
const DOWN_ENDINGS: [&str; 5] = [".down", "_down", "-down", ".rollback", "_rollback"];

/// What directories of such files are called; Sqitch says revert.
const DOWN_DIRECTORIES: [&str; 4] = ["down", "revert", "rollback", "undo"];

/// Whether a file undoes a migration, by its name or that of its directory.
fn is_down(entry: &Entry) -> bool {
    let parent = entry.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if DOWN_DIRECTORIES.contains(&parent.as_str()) {
        return true;
    }
    let name = entry.name.to_ascii_lowercase();
    let stem = name.trim_end_matches(".sql");
    let ends = stem == "down" || DOWN_ENDINGS.iter().any(|ending| stem.ends_with(ending));
    ends || entry.kind == EntryKind::Own("down.sql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_undo_are_told_by_name() {
        let is_down =
            |name: &str| is_down(&Entry { path: name.into(), name: name.into(), kind: EntryKind::Script, text: None });
        assert!(is_down("down.sql") && is_down("0001_x.down.sql") && is_down("0001_x_DOWN.sql"));
        assert!(is_down("revert/0001_x.sql") && !is_down("deploy/0001_x.sql"));
        assert!(!is_down("0001_slow_down_everything.sql") && !is_down("countdown.sql"));
    }

    #[test]
    fn a_down_section_is_found_by_its_marker() {
        assert_eq!(down_section("-- +goose Up\nSELECT 1;\n-- +goose Down\nDROP TABLE t;"), Some(23));
        assert_eq!(down_section("-- migrate:down is what dbmate says\n"), None);
    }
}
