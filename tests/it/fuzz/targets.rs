//! What every input must hold, whatever it is: the fuzzer's targets, and the test over what it found.

use std::fs;
use std::ops::Range;
use std::path::{Component, Path};

use lockkeeper::history::layout::{self, Choice, Layout};
use lockkeeper::history::{History, Migration};
use lockkeeper::lint::{Given, lint};
use lockkeeper::report::{self, Report};
use lockkeeper::settings::Settings;
use lockkeeper::sql::{self, Clause, Dialect, Statement, line_column};

/// Runs the target of this name.
pub(super) fn run(target: &str, data: &[u8]) {
    let text = &String::from_utf8_lossy(data);
    match target {
        "split" => split(text),
        "postgres" => read(text, Dialect::Postgres),
        "mysql" => read(text, Dialect::Mysql),
        "sqlite" => read(text, Dialect::Sqlite),
        "lint" => history(text),
        "layout" => directory(text),
        other => panic!("no target `{other}`"),
    }
}

/// `p`, `m` or `s` in front of the rest.
fn dialect(text: &str) -> (Dialect, &str) {
    let mut chars = text.chars();
    let dialect = match chars.next() {
        Some('m') => Dialect::Mysql,
        Some('s') => Dialect::Sqlite,
        _ => Dialect::Postgres,
    };
    (dialect, chars.as_str())
}

/// Comments are in order, and are comments.
fn split(text: &str) {
    let (dialect, text) = dialect(text);
    let mut end = 0;
    for comment in sql::comments(text, dialect) {
        assert!(comment.start >= end, "{comment:?} begins before {end}");
        end = comment.end;
        let said = &text[comment];
        assert!(["--", "/*", "#"].iter().any(|mark| said.starts_with(mark)), "{said:?} is no comment");
    }
}

/// Statements are in order, and nothing but blanks, comments and terminators lies between them.
fn read(text: &str, dialect: Dialect) {
    let statements = sql::read(text, dialect);
    let comments = sql::comments(text, dialect);
    let mut end = 0;
    let mut line = 1;
    for statement in &statements {
        assert!(statement.range.start >= end && !statement.range.is_empty(), "{statement:?}");
        assert!(text.get(statement.range.clone()).is_some(), "{statement:?}");
        assert!(is_nothing(text, end..statement.range.start, &comments, dialect), "lost: {end} to {statement:?}");
        end = statement.range.end;
        sound(text, statement);
        let (next, _) = line_column(text, statement.range.start);
        assert!(next >= line, "{statement:?} goes back to line {next}");
        line = next;
    }
    assert!(is_nothing(text, end..text.len(), &comments, dialect), "lost: {end} to the end");
    same_in_a_part(text, &statements, dialect);
}

/// A statement says something, and every part of it lies inside.
pub(crate) fn sound(text: &str, statement: &Statement) {
    let inside = |range: &Range<usize>| {
        text.get(range.clone()).is_some_and(|source| !source.is_empty())
            && range.start >= statement.range.start
            && range.end <= statement.range.end
    };
    match &statement.parsed {
        Ok(clauses) => {
            assert!(!clauses.is_empty(), "{statement:?}");
            // A called routine's body stands before the statement that calls it.
            let called = |clause: &Clause| clause.in_body && clause.range.end <= statement.range.start;
            let sound = |clause: &Clause| inside(&clause.range) || called(clause);
            assert!(clauses.iter().all(sound), "{statement:?}");
        }
        Err(unread) => assert!(inside(&unread.range) && !unread.reason.is_empty(), "{statement:?}"),
    }
}

/// What lies between two statements was not lost: it is no SQL. Copied data, DELIMITER lines and executed
/// comments without content are none either, and not looked for here.
fn is_nothing(text: &str, gap: Range<usize>, comments: &[Range<usize>], dialect: Dialect) -> bool {
    let lower = text.to_ascii_lowercase();
    if match dialect {
        Dialect::Postgres => lower.contains("stdin"),
        Dialect::Mysql => lower.contains("delimiter") || lower.contains("/*!") || lower.contains("/*m!"),
        Dialect::Sqlite => false,
    } {
        return true;
    }
    let mut at = gap.start;
    let mut rest = String::new();
    for comment in comments.iter().filter(|comment| comment.start >= gap.start && comment.end <= gap.end) {
        rest += &text[at..comment.start];
        at = comment.end;
    }
    rest += &text[at..gap.end];
    if dialect == Dialect::Mysql {
        // The mysql client's other terminators.
        rest = rest.replace("\\g", "").replace("\\G", "");
    }
    rest.trim_start_matches('\u{feff}').chars().all(|c| c == ';' || c == '\u{b}' || c.is_ascii_whitespace())
}

/// A part of a file is read as if it were alone, and its places are those of the file.
fn same_in_a_part(text: &str, statements: &[Statement], dialect: Dialect) {
    let file = format!("é{text}'");
    let shift = 'é'.len_utf8();
    let shifted = |range: &Range<usize>| range.start + shift..range.end + shift;
    let in_part = sql::read_part(&file, &(shift..shift + text.len()), dialect);
    assert_eq!(in_part.len(), statements.len());
    for (in_part, alone) in in_part.iter().zip(statements) {
        assert_eq!(in_part.range, shifted(&alone.range));
        match (&in_part.parsed, &alone.parsed) {
            (Ok(a), Ok(b)) => assert!(
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.change == b.change && a.range == shifted(&b.range))
            ),
            (Err(a), Err(b)) => assert!(a.reason == b.reason && a.range == shifted(&b.range), "{a:?} {b:?}"),
            (a, b) => panic!("{a:?} is not {b:?}"),
        }
    }
}

/// Whose SQL it is, and files with a NUL between them.
fn history(text: &str) {
    let (dialect, text) = dialect(text);
    let migrations = text
        .split('\0')
        .enumerate()
        .map(|(index, text)| Migration::new(format!("{index}.sql"), text, dialect))
        .collect();
    report(&History { dialect, migrations, notes: Vec::new(), unreadable: Vec::new(), live: None });
}

/// Judges and prints in every format.
fn report(history: &History) {
    let settings = Settings::default();
    let outcome = lint(history, &settings, Given::default()).expect("no settings, no error");
    let report = Report { history, settings: &settings, outcome: &outcome };
    for finding in &outcome.findings {
        let mut migrations = history.migrations.iter().filter(|migration| migration.path == finding.path);
        assert!(migrations.all(|migration| migration.text.get(finding.range.clone()).is_some()), "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.help.is_empty(), "{finding:?}");
    }
    for color in [false, true] {
        assert!(report::text::lint(&report, color).ends_with('\n'));
    }
    let json = report::json::lint(&report);
    for line in json.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(
            object["type"] == "summary" || object["line"].as_u64() > Some(0) && object["column"].as_u64() > Some(0)
        );
    }
    assert_eq!(json.lines().count(), outcome.findings.len() + 1);
}

/// A line with the layout's name, a line with the dialect, and files, each under a line `=== path`.
fn directory(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let layout = Layout::from_word(lines.next().unwrap_or_default()).ok();
    let dialect = lines
        .next()
        .and_then(|line| Dialect::from_word(line).ok())
        .or((!text.contains("=== o")).then_some(Dialect::Postgres));
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let place = place.expect("a temporary directory");
    // The project of the files ends here: what lies around it is not asked.
    fs::create_dir_all(place.path().join(".git")).expect("a directory in it");
    let root = place.path().join("db");
    fs::create_dir_all(&root).expect("a directory in it");
    for file in lines.next().unwrap_or_default().split("=== ").skip(1).take(40) {
        let (name, text) = file.split_once('\n').unwrap_or((file, ""));
        write(&root, name, text);
    }
    match layout::read(&[root], Choice { dialect, layout, ..Choice::default() }) {
        Ok(history) => report(&history),
        Err(error) => assert!(!error.message.is_empty()),
    }
}

/// Writes a file where its name points inside the directory, and leaves it out where it does not.
fn write(root: &Path, name: &str, text: &str) {
    let name = Path::new(name);
    let inside = name.components().all(|part| matches!(part, Component::Normal(_))) && name.components().count() < 6;
    if !inside || name.as_os_str().is_empty() || name.as_os_str().len() > 200 {
        return;
    }
    let path = root.join(name);
    if path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) {
        // A name of another file's directory, or with a NUL in it: no such file.
        let _ = fs::write(path, text);
    }
}
