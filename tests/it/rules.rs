//! Every rule's page is its test: what stands under Bad has to yield the rule, what stands under Good must not.
//!
//! A fence says `sql`, then the dialects that it is for (without any: those of the page) or one with the
//! engine's version (`postgres=14`), then `bad` (under Cases), `before` (an earlier migration of the next block) or `live` (the database of the next block), the
//! release that it goes out with (`same-release`, `next-release`), and the file's name where a rule is about names.

mod executed;

use std::collections::BTreeSet;
use std::fs;

use lockkeeper::history::live::{Applied, Versions};
use lockkeeper::history::{History, Irregular, Live, Migration, layout, since};
use lockkeeper::lint::page::{Group, Page};
use lockkeeper::lint::{Given, Outcome, lint, rules};
use lockkeeper::report::{Report, text};
use lockkeeper::schema::Catalog;
use lockkeeper::settings::{self, Level, Said, Settings};
use lockkeeper::sql::{self, Dialect, Engine};

#[test]
fn every_page_holds() {
    let mut failures = Vec::new();
    for rule in rules::all() {
        let mut shown = String::new();
        for block in blocks(&rule.page) {
            let mut reports: Vec<(Vec<&str>, String)> = Vec::new();
            for dialect in &block.dialects {
                let settings = settings(&rule.page);
                let (history, outcome) = judge(&block, *dialect, &settings);
                let place = format!("rules/{}.md:{} ({dialect})", rule.id, block.line);
                let report = text::lint(&Report { history: &history, settings: &settings, outcome: &outcome }, false);
                if let Some(wrong) = wrong(rule.id, &block, &outcome) {
                    failures.push(format!("{place}: {wrong}\n{}\n{report}", block.file.sql));
                }
                match reports.iter_mut().find(|(_, other)| *other == report) {
                    Some((dialects, _)) => dialects.push(dialect.name()),
                    None => reports.push((vec![dialect.name()], report)),
                }
            }
            if block.bad {
                for (dialects, report) in reports {
                    shown += &format!("=== {}\n\n{report}\n", dialects.join(", "));
                }
            }
        }
        insta::with_settings!({ snapshot_path => "snapshots/rules", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(rule.id, shown);
        });
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_page_is_registered_and_complete() {
    let pages: BTreeSet<String> = fs::read_dir(PAGES)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let registered: BTreeSet<String> = rules::all().iter().map(|rule| rule.id.to_string()).collect();
    assert_eq!(pages, registered, "each page in rules/ needs its line in src/lint/rules.rs");
    for rule in rules::all() {
        for section in ["\n## Why\n", "\n## Bad\n", "\n## Good\n", "\n## Cases\n"] {
            assert!(rule.page.body.contains(section), "rules/{}.md has no {section:?}", rule.id);
        }
        let blocks = blocks(&rule.page);
        for dialect in &rule.page.dialects {
            for bad in [true, false] {
                let shown = blocks.iter().any(|block| block.bad == bad && block.dialects.contains(dialect));
                // Only some dialects have a statement that runs code.
                assert!(shown || rule.id == "opaque-statement", "rules/{}.md: {dialect} bad={bad} is missing", rule.id);
            }
        }
    }
}

/// What is wrong with the outcome of a block.
fn wrong(rule: &str, block: &Block, outcome: &Outcome) -> Option<&'static str> {
    let file = block.file.name.as_deref().unwrap_or(FILE);
    let found = outcome.findings.iter().any(|finding| finding.rule == rule && finding.path == file);
    match (block.bad, found) {
        (true, false) => Some("what is bad has to be found"),
        (false, true) => Some("what is good must not be found"),
        _ if outcome.unreadable > 0 && rule != "unreadable-statement" => Some("it has to be readable"),
        _ => None,
    }
}

/// A fenced block of a page.
struct Block {
    line: usize,
    dialects: Vec<Dialect>,
    /// With its version, where the block says one: `postgres=14`.
    engine: Option<Engine>,
    bad: bool,
    before: Vec<File>,
    live: Option<String>,
    file: File,
}

/// A migration of a block.
struct File {
    /// `None` where names do not matter.
    name: Option<String>,
    sql: String,
    /// The release that it goes out with, where the block tells of releases.
    release: Option<usize>,
}

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
const FILE: &str = "migration.sql";

/// A group that is off by default is on for its own pages.
fn settings(page: &Page) -> Settings {
    let mut settings = Settings::default();
    if page.group == Group::Style {
        settings.selection.groups.insert(page.group.name().into(), Said { level: Level::On, line: 0 });
    }
    if page.id == "forgotten-contract" {
        settings.forgotten_after = 1;
    }
    settings
}

fn judge(block: &Block, dialect: Dialect, settings: &Settings) -> (History, Outcome) {
    let history = if block.file.name.is_some() { from_directory(block, dialect) } else { from_text(block, dialect) };
    let mut history = history;
    if let Some(live) = &block.live {
        live_beside(&mut history, live);
    }
    let mut settings = settings.clone();
    settings.engine = block.engine;
    let outcome = lint(&history, &settings, Given { today: settings::date("2026-01-31"), ..Given::default() }).unwrap();
    (history, outcome)
}

/// A live database that has had all migrations, and is what `sql` makes of it.
fn live_beside(history: &mut History, sql: &str) {
    let mut catalog = Catalog::new(history.dialect);
    let clauses = sql::read(sql, history.dialect).into_iter().flat_map(|statement| statement.parsed.unwrap());
    clauses.for_each(|clause| catalog.apply(&clause));
    let versions = Versions::First(history.migrations.len());
    let applied = Some(Applied { table: "migrations".into(), versions });
    let (tool_tables, untold) = (Vec::new(), Vec::new());
    history.set_live(Live { server: "a server".into(), catalog, applied, tool_tables, untold });
}

fn from_text(block: &Block, dialect: Dialect) -> History {
    let before = block.before.iter().enumerate().map(|(index, file)| (format!("before-{index}.sql"), file));
    let releases = block.before.iter().chain([&block.file]).any(|file| file.release.is_some());
    let migrations = before
        .chain([(FILE.to_string(), &block.file)])
        .map(|(path, file)| Migration {
            release: releases.then(|| file.release.unwrap_or(0)),
            ..Migration::new(path, file.sql.as_str(), dialect)
        })
        .collect();
    History { dialect, migrations, notes: Vec::new(), unreadable: Vec::new(), live: None }
}

/// What a tool makes of files with these names.
fn from_directory(block: &Block, dialect: Dialect) -> History {
    let directory = tempfile::tempdir().unwrap();
    for file in block.before.iter().chain([&block.file]) {
        fs::write(directory.path().join(file.name.as_ref().unwrap()), &file.sql).unwrap();
    }
    let mut history = layout::read(&[directory.path().to_path_buf()], dialect).unwrap();
    let path = directory.path().join(block.file.name.as_ref().unwrap()).display().to_string();
    let is_new = |index: &usize| history.migrations[*index].path == path;
    let new = (0..history.migrations.len()).filter(is_new).collect();
    since::mark_late(&mut history.migrations, &new);
    let place = format!("{}/", directory.path().display());
    for migration in &mut history.migrations {
        migration.path = migration.path.replace(&place, "");
        for irregular in &mut migration.irregular {
            if let Irregular::Duplicate { path } | Irregular::Late { path } = irregular {
                *path = path.replace(&place, "");
            }
        }
    }
    history.notes.clear();
    history
}

fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut before, mut live) = (Vec::new(), None);
    let mut section = "";
    let text = fs::read_to_string(format!("{PAGES}/{}.md", page.id)).unwrap();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let Some(words) = line.strip_prefix("```sql") else { continue };
        let sql: String = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        let (mut dialects, mut engine) = (Vec::new(), None);
        let (mut bad, mut is_before, mut is_live, mut name) = (section == "Bad", false, false, None);
        let mut release = None;
        for word in words.split_whitespace() {
            match word {
                "bad" => bad = true,
                "before" => is_before = true,
                "live" => is_live = true,
                "same-release" => release = Some(1),
                "next-release" => release = Some(2),
                word if word.ends_with(".sql") => name = Some(word.to_string()),
                word => {
                    let words = word.replace('=', " ");
                    let said = Engine::from_words(&words).unwrap();
                    dialects.push(said.dialect());
                    engine = word.contains('=').then_some(said);
                }
            }
        }
        if is_live {
            live = Some(sql);
            continue;
        }
        let file = File { name, sql, release };
        if is_before {
            before.push(file);
            continue;
        }
        if dialects.is_empty() {
            dialects.clone_from(&page.dialects);
        }
        let before = std::mem::take(&mut before);
        blocks.push(Block { line: number + 1, dialects, engine, bad, before, live: live.take(), file });
    }
    blocks
}
