//! How much of our own SQL is read: every fixture, and every example of a rule's page.

use std::fs;
use std::path::Path;

use lockkeeper::lint::{is_harmless, rules};
use lockkeeper::sql::{Change, Clause};

use super::{Dialect, PG, read};

/// The text of a file, and whose SQL it is.
fn texts() -> Vec<(String, Dialect, String)> {
    let mut texts = Vec::new();
    for rule in rules::all().iter().filter(|rule| rule.id != "unreadable-statement") {
        for block in rule.page.body.split("\n```sql").skip(1) {
            let (fence, rest) = block.split_once('\n').unwrap();
            let said: Vec<_> = fence.split(' ').filter_map(|word| Dialect::from_word(word).ok()).collect();
            for dialect in if said.is_empty() { &rule.page.dialects } else { &said } {
                let sql = rest.split("\n```").next().unwrap_or_default();
                texts.push((format!("rules/{}.md", rule.id), *dialect, sql.to_string()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![root.join("fixtures")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            // What lies above the repository says nothing.
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            let named = Dialect::ALL.into_iter().find(|dialect| shown.contains(dialect.name()));
            if path.is_dir() {
                directories.push(path);
            } else if shown.ends_with(".sql") {
                let text = fs::read_to_string(&path).unwrap();
                let quoted = if text.contains('`') { Dialect::Mysql } else { PG };
                texts.push((shown, named.unwrap_or(quoted), text));
            }
        }
    }
    texts
}

/// It has a variant of its own, or is known to take no lock and nothing away.
fn is_known(change: &Change) -> bool {
    match change {
        Change::Other { kind } => is_harmless(kind),
        _ => true,
    }
}

#[test]
fn our_own_sql_is_read() {
    for dialect in Dialect::ALL {
        let (mut statements, mut unread, mut named) = (0, Vec::new(), Vec::new());
        for (place, _, text) in texts().iter().filter(|(_, of, _)| *of == dialect) {
            for statement in read(text, dialect) {
                statements += 1;
                let source = text[statement.range].lines().next().unwrap_or_default();
                match statement.parsed {
                    Err(error) => unread.push(format!("{place}: {source}: {}", error.reason)),
                    Ok(clauses) => named.extend(clauses.into_iter().filter_map(|clause| match clause.change {
                        Change::Other { kind } => Some(kind),
                        _ => None,
                    })),
                }
            }
        }
        assert!(statements > 150, "{dialect}: {statements}");
        assert!(unread.len() * 200 <= statements, "{dialect}: {} of {statements}: {unread:#?}", unread.len());
        // What takes something away, or alters a table, is more than its words.
        named.retain(|kind| ["DROP ", "ALTER TABLE ", "TRUNCATE"].iter().any(|words| kind.starts_with(words)));
        named.retain(|kind| !["ALTER TABLE ALL", "DROP PREPARE"].contains(&kind.as_str()));
        assert!(named.is_empty(), "{dialect}: {named:?}");
    }
}

/// On what is written like migrations; the forms and the effects hold each rare statement once.
#[test]
fn what_migrations_say_is_lowered_or_known_to_be_harmless() {
    for dialect in Dialect::ALL {
        let mut strange = Vec::new();
        let mut statements = 0;
        let is_rare = |place: &str| place.contains("forms") || place.contains("/effects/");
        for (_, _, text) in texts().iter().filter(|(place, of, _)| *of == dialect && !is_rare(place)) {
            for statement in read(text, dialect) {
                statements += 1;
                let known = |clauses: &Vec<Clause>| clauses.iter().all(|clause| is_known(&clause.change));
                if !statement.parsed.as_ref().is_ok_and(known) {
                    strange.push(text[statement.range].to_string());
                }
            }
        }
        let most = if dialect == PG { statements / 200 } else { statements / 100 };
        assert!(strange.len() <= most, "{dialect}: {} of {statements}: {strange:#?}", strange.len());
    }
}
