//! The house rules, as tests: who imports whom, which room may know which crate, and what no file may hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate and the only rooms or files that know it. The prefix of a path, without `.rs`.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["cli", "main"]),
    ("colored", &["report", "cli"]),
    ("globset", &["settings"]),
    ("indexmap", &["schema"]),
    ("indicatif", &["report/progress"]),
    ("jiff", &["plan/settings/window", "run/throttle/signals/windows"]),
    ("miette", &["report/text", "cli"]),
    ("mimalloc", &["main"]),
    ("nix", &["database/temporary", "cli"]),
    ("quick_junit", &["report/junit"]),
    ("refinery_core", &["history/layout", "run/ledger"]),
    ("roxmltree", &["history/layout/liquibase/xml"]),
    ("rowan", &["sql/dialect"]),
    ("saphyr_parser", &["history/layout/liquibase/yaml"]),
    (
        "serde_json",
        &[
            "history/layout/django",
            "history/layout/prisma",
            "report",
            "gate/evidence",
            "history/layout/drizzle",
            "run/throttle/signals/prometheus",
        ],
    ),
    ("sqlparser", &["sql/dialect"]),
    ("sqlx", &["database"]),
    ("squawk_parser", &["sql/dialect"]),
    ("squawk_syntax", &["sql/dialect"]),
    ("ureq", &["run/throttle/signals/prometheus"]),
];

/// Words that say that somebody meant to come back.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX", "dbg!(", "todo!(", "unimplemented!(", "#[ignore"];

/// A name that says nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc", "mod"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this extension below `directory`, relative to the root, in order.
fn files(directory: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no *.{extension} in {directory}");
    found
}

/// The rooms in the order in which `lib.rs` lists them.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_string).collect()
}

/// `src/run/ledger.rs` is in the room `run`.
fn room_of(path: &str) -> &str {
    path.strip_prefix("src/").unwrap().split(['/', '.']).next().unwrap()
}

/// The word after each `prefix` in a text.
fn words_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(prefix).skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
}

/// The code of a file: its own tests may look at more.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

/// The rooms that a text imports, also by `use crate::{a::X, b}`.
fn imports(text: &str) -> Vec<String> {
    let mut rooms: Vec<String> = words_after(text, "crate::").map(str::to_string).collect();
    for group in text.split("use crate::{").skip(1) {
        let mut depth = 0;
        let mut word = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' | ':' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                _ => {}
            }
        }
        rooms.push(word);
    }
    rooms
}

#[test]
fn a_room_imports_only_rooms_before_it() {
    let rooms = rooms();
    let rank: BTreeMap<&str, usize> = rooms.iter().enumerate().map(|(rank, room)| (room.as_str(), rank)).collect();
    let mut wrong = Vec::new();
    for (path, text) in files("src", "rs") {
        let room = room_of(&path);
        if room == "lib" || room == "main" {
            continue;
        }
        let own = *rank.get(room).unwrap_or_else(|| panic!("{path}: lib.rs does not list its room"));
        for imported in imports(code(&text)) {
            if rank.get(imported.as_str()).is_some_and(|other| *other > own) {
                wrong.push(format!("{path} imports {imported}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rules_see_no_path_no_settings_and_no_terminal() {
    for (path, text) in files("src/lint/rules", "rs") {
        for forbidden in [
            "std::fs",
            "std::path",
            "std::env",
            "crate::settings",
            "crate::history",
            "crate::report",
            "squawk_syntax",
            "sqlparser",
        ] {
            assert!(!text.contains(forbidden), "{path} knows {forbidden}");
        }
    }
}

#[test]
fn each_crate_is_known_only_where_it_belongs() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", "rs") {
        let place = path.strip_prefix("src/").unwrap();
        for (name, allowed) in CRATES {
            let knows = code(&text).lines().any(|line| {
                let line = line.split("//").next().unwrap_or("");
                let path = format!("{name}::");
                line.match_indices(&path)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            });
            if knows && !allowed.iter().any(|prefix| place.starts_with(prefix)) {
                wrong.push(format!("{path} knows {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn data_rooms_hold_no_clock_and_no_connection() {
    for directory in ["src/sql", "src/schema", "src/plan", "src/lint"] {
        for (path, text) in files(directory, "rs") {
            for forbidden in ["Instant::now", "SystemTime::now", "tokio::", "crate::database"] {
                assert!(!code(&text).contains(forbidden), "{path} knows {forbidden}");
            }
        }
    }
}

#[test]
fn files_are_short_finished_and_named_for_what_they_hold() {
    let mut all = files("src", "rs");
    all.extend(files("tests", "rs"));
    for (path, text) in all {
        let lines = text.lines().count();
        assert!(lines <= 500, "{path} has {lines} lines: two rooms in one?");
        let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        assert!(!EMPTY_NAMES.contains(&stem), "{path}: a name that says nothing");
        // A rule's page says it.
        assert!(text.starts_with("//!") || path.starts_with("src/lint/rules/"), "{path} does not say what it is for");
        if path != "tests/it/tidy.rs" {
            for mark in MARKS {
                assert!(!text.contains(mark), "{path} holds {mark}");
            }
        }
    }
}

#[test]
fn every_test_file_is_declared() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for (path, _) in files("tests/it", "rs") {
        let inside = path.strip_prefix("tests/it/").unwrap();
        let Some(module) = inside.strip_suffix(".rs").filter(|module| !module.contains('/') && *module != "main")
        else {
            continue;
        };
        assert!(main.contains(&format!("mod {module};")), "{path} is not declared in tests/it/main.rs: it never runs");
    }
}

#[test]
fn messages_are_lower_case_fragments() {
    let openings = [
        "Error::input(",
        "Error::input(format!(",
        "Error::new(Kind::Connection, ",
        "Error::new(Kind::Step, ",
        "Error::new(Kind::Refused, ",
        "Error::new(Kind::Waiting, ",
    ];
    for (path, text) in files("src", "rs") {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for opening in openings {
            for rest in text.split(opening).skip(1) {
                let rest = rest.trim_start().trim_start_matches("format!(").trim_start();
                let Some(message) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
                let first = message.chars().next().unwrap_or(' ');
                let proper = ["PostgreSQL", "MySQL", "MariaDB", "SQLite"].iter().any(|name| message.starts_with(name));
                assert!(!first.is_uppercase() || proper, "{path}: {message:?} begins in upper case");
                assert!(!message.ends_with('.'), "{path}: {message:?} ends with a full stop");
            }
        }
    }
}

#[test]
fn the_repository_speaks_of_the_project_alone() {
    // Written in pieces, so that this file does not hold them.
    let forbidden = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut all = files("src", "rs");
    all.extend(files("tests", "rs"));
    all.extend(files("rules", "md"));
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "Cargo.toml", "dev", ".ci/run"] {
        all.push((name.to_string(), fs::read_to_string(root().join(name)).unwrap()));
    }
    for (path, text) in all {
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{path} holds a path of one machine: {word}");
        }
    }
}

#[test]
fn the_architecture_fits_a_screen_or_two() {
    let lines = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().lines().count();
    assert!(lines <= 120, "ARCHITECTURE.md has {lines} lines");
}

#[test]
fn the_readme_lists_every_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let copy = readme.split("<!-- help -->").nth(1).expect("the README has a copy of --help between two marks");
    let copy = copy.trim().trim_start_matches("```text").trim_end_matches("```").trim();
    assert_eq!(copy, help.trim(), "the README's copy of --help is out of date");
}

#[test]
fn the_readme_quotes_what_lint_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let copy = readme
        .split("<!-- lint -->")
        .nth(1)
        .unwrap()
        .trim()
        .trim_start_matches("```text")
        .trim_end_matches("```")
        .trim();
    let directory = readme_example();
    let command = readme.lines().find_map(|line| line.split('`').find(|code| code.starts_with("lockkeeper lint --")));
    let output = run_as_typed(command.unwrap(), directory.path());
    assert_eq!(copy, String::from_utf8(output.stdout).unwrap().trim());
}

#[test]
fn the_readmes_plan_commands_work() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let directory = readme_example();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("lockkeeper plan ")).collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        let output = run_as_typed(command, directory.path());
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The example of the README, where its commands may write.
fn readme_example() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("migrations")).unwrap();
    for (path, text) in files("fixtures/readme", "sql").into_iter().chain(files("fixtures/readme", "toml")) {
        fs::write(directory.path().join(path.strip_prefix("fixtures/readme/").unwrap()), text).unwrap();
    }
    directory
}

fn run_as_typed(command: &str, directory: &Path) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(command.split_whitespace().skip(1))
        .current_dir(directory)
        .env_remove("LOCKKEEPER_DATABASE_URL")
        .output()
        .unwrap()
}
