//! `alembic upgrade head --sql`: `-- Running upgrade 1a2b -> 3c4d`, and the SQL below it.

use super::{Section, lines};

/// `None` is another's output.
pub(in crate::history) fn sections(text: &str) -> Option<Vec<Section>> {
    let mut sections = vec![Section::default()];
    let mut open = false;
    for (range, line) in lines(text) {
        let line = line.trim_end();
        if let Some((direction, revision)) = heading(line) {
            let version = Some(revision.to_string());
            let is_down = direction == "downgrade";
            sections.push(Section { version, in_transaction: open, is_down, ..Section::default() });
            continue;
        }
        match line {
            "BEGIN;" | "START TRANSACTION;" => open = true,
            "COMMIT;" => open = false,
            _ if is_bookkeeping(line) => continue,
            _ => {}
        }
        sections.last_mut().expect("there is always one").keep(range);
    }
    for section in &mut sections {
        section.trim_transactions(text);
    }
    (sections.len() > 1).then_some(sections)
}

/// `-- Running upgrade 1a2b, 3c4d -> 5e6f` into `upgrade` and `5e6f`.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (steps, to) = line.strip_prefix("-- Running ")?.split_once("-> ")?;
    let direction = steps.split(' ').next().filter(|word| ["upgrade", "downgrade"].contains(word))?;
    Some((direction, to.split([' ', ',']).next()?))
}

/// What it writes into its own table is none of the migration's.
fn is_bookkeeping(line: &str) -> bool {
    let verbs = ["INSERT INTO ", "UPDATE ", "DELETE FROM "];
    let table = verbs.iter().find_map(|verb| line.strip_prefix(verb)).and_then(|rest| rest.split(' ').next());
    table.is_some_and(|table| {
        table.rsplit('.').next().is_some_and(|name| name.trim_matches(['"', '`']) == "alembic_version")
    })
}

impl Section {
    /// Between two migrations a transaction may end and the next begin: that is of neither.
    fn trim_transactions(&mut self, text: &str) {
        while let Some(part) = self.parts.last_mut() {
            let kept = text[part.clone()].trim_end();
            match kept.strip_suffix("BEGIN;").or_else(|| kept.strip_suffix("COMMIT;")) {
                Some(before) if before.is_empty() || before.ends_with('\n') => part.end = part.start + before.len(),
                _ if kept.is_empty() => drop(self.parts.pop()),
                _ => return,
            }
        }
    }
}
