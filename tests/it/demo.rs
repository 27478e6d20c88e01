//! The demo by its real binary, and the comparison that it rests on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lockkeeper::database::temporary::Engine;
use lockkeeper::database::{Session, Value, connect};
use lockkeeper::demo::{Book, Comparison, Difference};

use crate::servers;

/// Runs the demo with its temporary files in a directory of the test's own.
fn command(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.arg("demo").args(arguments).env("TMPDIR", directory).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// The story, after the process ended with `code` and left nothing behind.
fn story(arguments: &[&str], code: i32) -> String {
    let directory = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = command(arguments, directory.path()).output().unwrap();
    let story = String::from_utf8(stdout).unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{story}{said}");
    assert_eq!(left_in(directory.path()), [] as [String; 0], "{story}{said}");
    story
}

fn left_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Where a line with all these words stands.
fn line_with(story: &str, words: &[&str]) -> usize {
    let found = story.lines().position(|line| words.iter().all(|word| line.contains(word)));
    found.unwrap_or_else(|| panic!("no line with {words:?} in:\n{story}"))
}

/// The numbers of a version's line in the table at the end.
fn counted(story: &str, version: &str) -> Vec<u64> {
    let line = story.lines().find(|line| line.starts_with(&format!("{version}  "))).unwrap();
    line.split_whitespace().skip(1).map_while(|word| word.replace(',', "").parse().ok()).collect()
}

/// What every phased story has to show, whatever the database.
fn assert_clean(story: &str) {
    let early = line_with(story, &["gate k8s_only_version:orders: pending", "live pods: 3 of v1"]);
    let approved = line_with(story, &["demo approves gate approval"]);
    let terminating = line_with(story, &["k8s_only_version:orders: pending", "still terminating", "1 of v1, 3 of v2"]);
    let gone = line_with(story, &["is gone", "now 3 of v2"]);
    let open = line_with(story, &["gate k8s_only_version:orders: pass, 3 live pods, all of v2"]);
    let dropped = line_with(story, &["|   contract.", "DROP TRIGGER"]);
    let order = [early, approved, terminating, gone, open, dropped];
    assert!(order.is_sorted(), "{order:?}\n{story}");
    for version in ["v1", "v2"] {
        let [queries, reads, writes, failed, stale, lost] = counted(story, version)[..] else { panic!("{story}") };
        assert!(reads > 100 && writes > 100 && queries == reads + writes, "{story}");
        assert_eq!([failed, stale, lost], [0; 3], "{story}");
        line_with(story, &[version, "a row that another version had written last"]);
    }
    line_with(story, &["rows compared one by one: each is what was last written to it"]);
    line_with(story, &["0 failed queries, 0 stale reads, 0 lost writes"]);
}

#[test]
fn on_sqlite_nothing_fails_and_nothing_is_lost() {
    let story = story(&[], 0);
    assert_clean(&story);
    line_with(&story, &["gate db_sessions: unknown, SQLite has no sessions to ask for"]);
    line_with(&story, &["demo approves gate db_sessions: this database cannot tell"]);
}

#[test]
fn the_textbook_loses_writes() {
    let story = story(&["--textbook"], 0);
    line_with(&story, &["WHERE new_status IS NULL AND old_status IS NOT NULL: 0"]);
    let [.., failed, stale, lost] = counted(&story, "v1")[..] else { panic!("{story}") };
    assert_eq!([failed, stale], [0; 2], "{story}");
    assert!(lost > 0, "{story}");
    let [.., stale, _] = counted(&story, "v2")[..] else { panic!("{story}") };
    assert!(stale > 0, "{story}");
    line_with(&story, &["rows compared one by one:", "are not what was last written to them"]);
}

/// The name of the database that the demo made on a server.
fn made(story: &str) -> &str {
    let (_, rest) = story.split_once("made the database ").unwrap();
    rest.split_once(';').unwrap().0
}

/// What a server says about databases.
async fn databases(url: &str, sql: &str) -> Vec<Vec<Value>> {
    connect(url, "lockkeeper test").await.unwrap().query(sql, &[]).await.unwrap()
}

#[tokio::test]
async fn on_postgres_the_sessions_hold_the_gate_too() {
    let Some(database) = servers::postgres().await else { return };
    let story = story(&["--database-url", &database.url], 0);
    assert_clean(&story);
    let pending = line_with(&story, &["gate db_sessions: pending, 1 session of v1 is still connected"]);
    let open = line_with(&story, &["gate db_sessions: pass, 3 sessions of v2 and none of another version"]);
    assert!(pending < open, "{story}");
    assert!(!story.contains("approves gate db_sessions"), "{story}");
    let sql = format!("SELECT datname::text FROM pg_database WHERE datname = '{}'", made(&story));
    assert_eq!(databases(&database.url, &sql).await, [] as [Vec<Value>; 0]);
}

#[tokio::test]
async fn on_mariadb_nothing_fails_and_nothing_is_lost() {
    let Some(database) = servers::mariadb().await else { return };
    let story = story(&["--database-url", &database.url], 0);
    assert_clean(&story);
    let sql = format!("SHOW DATABASES LIKE '{}'", made(&story));
    assert_eq!(databases(&database.url, &sql).await, [] as [Vec<Value>; 0]);
}

#[test]
fn a_temporary_postgres_is_started_for_it() {
    if servers::temporary(Engine::Postgres).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = command(&["--postgres"], directory.path()).output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{story}{}", String::from_utf8_lossy(&output.stderr));
    line_with(&story, &["starting a temporary PostgreSQL server"]);
    assert_clean(&story);
}

#[test]
fn an_interrupted_demo_removes_its_files() {
    interrupt(&[]);
}

#[tokio::test]
async fn an_interrupted_demo_removes_its_database() {
    let Some(database) = servers::postgres().await else { return };
    let begun = interrupt(&["--database-url", &database.url]);
    let sql = format!("SELECT datname::text FROM pg_database WHERE datname = '{}'", made(&begun));
    assert_eq!(databases(&database.url, &sql).await, [] as [Vec<Value>; 0]);
}

/// Interrupts the demo in the middle of the rollout; what it had told until then.
fn interrupt(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = command(arguments, directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let begun: Vec<String> =
        lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("terminates")).collect();
    let id = nix::unistd::Pid::from_raw(demo.id().try_into().unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(!lines.any(|line| line.unwrap().contains("compared one by one")), "no totals of half a story");
    let output = demo.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left_in(directory.path()), [] as [String; 0]);
    begun.join("\n")
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = command(arguments, directory.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    insta::assert_snapshot!(refused(&["--database-url", "sqlite:some.db"]), @r"
    error: the demo makes an SQLite file of its own
    hint: leave --database-url out
    ");
    assert!(
        refused(&["--database-url", "postgres://nobody:secret@127.0.0.1:1/x"]).contains("no connection to PostgreSQL")
    );
    assert_eq!(left_in(directory.path()), [] as [String; 0]);
}

#[tokio::test]
async fn the_comparison_finds_what_was_planted() {
    let database = servers::sqlite();
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let book = Book::default();
    let table = "CREATE TABLE orders (id integer PRIMARY KEY, customer text, old_status text)";
    let rows = book.create_table(&mut session, &[table]).await.unwrap();
    let clean = book.compare(&mut session, "old_status").await.unwrap();
    assert_eq!(clean, Comparison { rows, differences: Vec::new() });

    for sql in [
        "UPDATE orders SET old_status = 'other' WHERE id = 7",
        "UPDATE orders SET old_status = NULL WHERE id = 8",
        "UPDATE orders SET old_status = '' WHERE id = 9",
        "DELETE FROM orders WHERE id = 10",
        "INSERT INTO orders (id, old_status) VALUES (21000, 'extra'), (-1, 'stranger')",
    ] {
        session.execute(sql, &[]).await.unwrap();
    }
    let found = book.compare(&mut session, "old_status").await.unwrap();
    let status = |text: &str| Some(Some(text.to_string()));
    let difference = |id, expected, found| Difference { id, expected, found, by: "" };
    assert_eq!(
        found.differences,
        [
            difference(7, status("open #7"), status("other")),
            difference(8, status("open #8"), Some(None)),
            difference(9, Some(None), status("")),
            difference(10, status("open #10"), None),
            difference(21_000, None, status("extra")),
            difference(-1, None, status("stranger")),
        ]
    );
    assert_eq!(found.rows, rows + 2);
}
