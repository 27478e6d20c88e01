//! Safe patterns over several migrations are quiet, and their near misses are not: `fixtures/safe/`.
//!
//! `-- says: RULE` in front names a note that is true of the pattern all the same; `-- file: NAME` begins a migration; `-- near miss: RULE NAME` another text for the migration of that name, which has
//! to yield that rule.

use std::collections::BTreeSet;
use std::fs;

use lockkeeper::history::{History, Migration};
use lockkeeper::lint::{Given, lint};
use lockkeeper::report::{Report, text};
use lockkeeper::settings::Settings;
use lockkeeper::sql::Dialect;

#[test]
fn safe_patterns_are_quiet_and_their_near_misses_are_not() {
    let mut failures = Vec::new();
    let mut patterns = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/safe")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let (files, misses) = parts(&text);
        let word = text.split_once("-- dialect: ").map_or("postgres", |(_, rest)| rest.lines().next().unwrap());
        let dialect = Dialect::from_word(word).unwrap();
        patterns += 1;
        let (found, report) = judge(&files, dialect);
        let told: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("-- says: ")).collect();
        if found.iter().map(|(rule, _)| *rule).collect::<BTreeSet<_>>() != told {
            failures.push(format!("{name} has to be quiet\n{report}"));
        }
        for (rule, place, text) in misses {
            let files: Vec<_> =
                files.iter().map(|(name, own)| (*name, if *name == place { text } else { *own })).collect();
            let (found, report) = judge(&files, dialect);
            let found: Vec<_> = found.iter().filter(|(_, path)| path == place).map(|(rule, _)| *rule).collect();
            if !found.contains(&rule) {
                failures.push(format!("{name}: {place} has to be a {rule}\n{text}\n{report}"));
            }
        }
    }
    assert!(patterns > 10 && failures.is_empty(), "{}", failures.join("\n"));
}

/// Each rule with the migration that it was found in, and the whole report.
fn judge<'a>(files: &[(&'a str, &'a str)], dialect: Dialect) -> (BTreeSet<(&'static str, String)>, String) {
    let migrations = files.iter().map(|(name, text)| Migration::new(*name, *text, dialect)).collect();
    let history = History { dialect, migrations, notes: Vec::new(), unreadable: Vec::new(), live: None };
    let settings = Settings::default();
    let outcome = lint(&history, &settings, Given::default()).unwrap();
    assert_eq!(outcome.unreadable, 0, "{files:?}");
    let found = outcome.findings.iter().map(|finding| (finding.rule, finding.path.clone())).collect();
    (found, text::lint(&Report { history: &history, settings: &settings, outcome: &outcome }, false))
}

/// A near miss: the rule, the migration's name, its other text.
type Miss<'a> = (&'a str, &'a str, &'a str);

/// The migrations, and the near misses.
fn parts(text: &str) -> (Vec<(&str, &str)>, Vec<Miss<'_>>) {
    let (mut files, mut misses) = (Vec::new(), Vec::new());
    for part in text.split("\n-- file: ").skip(1) {
        let mut sections = part.split("\n-- near miss: ");
        files.extend(sections.next().unwrap().split_once('\n'));
        for section in sections {
            let (head, text) = section.split_once('\n').unwrap();
            let (rule, place) = head.split_once(' ').unwrap();
            misses.push((rule, place, text));
        }
    }
    (files, misses)
}
