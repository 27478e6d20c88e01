//! `node-pg-migrate up --dry-run`: `### MIGRATION 1700000000000_orders (UP) ###`, and the SQL below it.

use super::{Section, lines};

/// `None` is another's output.
pub(super) fn sections(text: &str) -> Option<Vec<Section>> {
    let mut sections = vec![Section::default()];
    let mut is_its = false;
    for (range, line) in lines(text) {
        let line = line.trim();
        if let Some((name, direction)) = heading(line) {
            is_its = true;
            // The transaction is begun before, and not printed.
            let version = Some(name.to_string());
            sections.push(Section {
                version,
                in_transaction: true,
                is_down: direction == "DOWN",
                ..Section::default()
            });
        } else if line == "No migrations to run!" {
            is_its = true;
        } else if !is_talk(line, sections.len() == 1) {
            let section = sections.last_mut().expect("there is always one");
            // `noTransaction()` commits first.
            section.in_transaction &= !(section.is_blank(text) && line == "COMMIT;");
            section.keep(range);
        }
    }
    is_its.then_some(sections)
}

fn heading(line: &str) -> Option<(&str, &str)> {
    let (name, direction) = line.strip_prefix("### MIGRATION ")?.strip_suffix(") ###")?.rsplit_once(" (")?;
    ["UP", "DOWN"].contains(&direction).then_some((name, direction))
}

/// What it says besides. npm introduces it by lines of its own.
fn is_talk(line: &str, before_the_first: bool) -> bool {
    let introduces = before_the_first && (line == "dry run" || line.starts_with('>'));
    introduces || line.starts_with("#> WARNING:") || line == "Migrations complete!"
}
