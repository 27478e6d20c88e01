//! What a run lets be seen: its events as JSON lines, its bar and its lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{InMemoryTerm, ProgressDrawTarget, TermLike};
use lockkeeper::gate::{Judgement, Verdict};
use lockkeeper::plan::Phase;
use lockkeeper::plan::settings::throttle::{Limit, Unit};
use lockkeeper::report::events;
use lockkeeper::report::progress::Progress;
use lockkeeper::run::Event;
use lockkeeper::run::throttle::Reading;
use lockkeeper::sql::Dialect;
use serde_json::Value as Json;

use super::run::{Change, expect};
use super::servers;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The kinds of the README's table, with their fields.
fn documented() -> BTreeMap<String, Vec<String>> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("<!-- events -->").nth(1).expect("the README lists the events between two marks");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let mut fields = names(cells[2]);
        fields.sort();
        (names(cells[1]).concat(), fields)
    })
    .collect()
}

/// The variants of `Event`, as their kinds are written.
fn kinds() -> Vec<String> {
    let source = fs::read_to_string(root().join("src/run/event.rs")).unwrap();
    let body = source.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap().to_string();
    let variants =
        body.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(char::is_uppercase));
    let mut kinds: Vec<String> = variants
        .map(|line| {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
            let snake = |c: char| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.to_string() };
            name.chars().map(snake).collect::<String>().trim_start_matches('_').to_string()
        })
        .collect();
    kinds.sort();
    kinds
}

/// One of each.
fn samples() -> Vec<Event> {
    let step = || "backfill.1".to_string();
    let judgement = Judgement {
        gate: "approval".into(),
        verdict: Verdict::Pending,
        because: "nobody approved".into(),
        observed: String::new(),
        gaps: Vec::new(),
    };
    vec![
        Event::Opened { plan: "orders".into(), steps: 3, done: 1 },
        Event::PhaseStarted { phase: Phase::Backfill },
        Event::StepStarted { step: step(), sql: "UPDATE t SET a = b".into(), resumed: true },
        Event::StepDone { step: step(), found: false },
        Event::Repaired { step: step(), what: "DROP INDEX i".into() },
        Event::OtherWay { step: step(), because: "it copies".into() },
        Event::BegunAgain { step: step(), because: "another key".into() },
        Event::Forced { by: "me".into(), reason: "a test".into(), against: vec!["a rule".into()] },
        Event::Batch { step: step(), rows_done: 5, rows_total: None, rows: 5, milliseconds: 7 },
        Event::Quarantined { step: step(), row: "7".into(), because: "no number".into() },
        Event::Retry { step: step(), attempt: 1, because: "a lock".into(), by: Vec::new(), milliseconds: 9 },
        Event::Blocked { step: step(), by: Vec::new() },
        Event::Proved { step: step(), rows: 5, ranges: 1, repaired: 2 },
        Event::Refilled { step: step(), rows: 2 },
        Event::Rechecked { step: step(), proof: "contract.1".into(), how: "every row" },
        Event::ProofFailed { step: step(), example: "row 1".into() },
        Event::Judged { phase: Phase::Contract, judgements: vec![judgement] },
        Event::Waiting { because: "a gate".into() },
        Event::LeaseInDoubt { because: "no answer in time".into() },
        Event::Throttled { signal: "lag".into(), because: "it lags".into(), unreadable: false },
        Event::Slowed { because: "it nearly lags".into() },
        Event::Load { readings: vec![Reading::unreadable("lag", "no right")] },
        Event::NotWatched { because: "a replica".into() },
        Event::Advice { advice: "a journal that lets readers go on".into() },
        Event::Bypassed { because: "a foreign key cascades".into() },
        Event::WentOn { milliseconds: 1_000 },
        Event::SettingsChanged { files: vec!["change.toml".into()] },
        Event::Finished { plan: "orders".into() },
        Event::Reverting { plan: "orders".into(), steps: 3, done: 0 },
        Event::NothingToUndo { step: "revert.1".into() },
        Event::LeftBehind { what: "index i".into() },
        Event::Reverted { plan: "orders".into() },
        Event::Stopping { at_once: true, because: "somebody asked twice".into() },
        Event::Ended { exit_code: 4, because: vec!["a \"quoted\"\nline".into()] },
    ]
}

#[test]
fn the_readme_lists_every_kind_of_event_with_its_fields() {
    let documented = documented();
    assert_eq!(documented.keys().cloned().collect::<Vec<_>>(), kinds(), "the README and src/run/event.rs differ");
    let mut seen = Vec::new();
    for event in samples() {
        let line = events::line("2026-11-24T00:00:00Z", "orders", &event);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let Json::Object(mut object) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
        assert_eq!(object.remove("time").unwrap(), "2026-11-24T00:00:00Z");
        assert_eq!(object.remove("plan").unwrap(), "orders");
        let kind = object.remove("kind").unwrap().as_str().unwrap().to_string();
        assert_eq!(object.keys().cloned().collect::<Vec<_>>(), documented[&kind], "{kind}");
        seen.push(kind);
    }
    seen.sort();
    assert_eq!(seen, kinds(), "one sample of each");
}

/// Every line of a file of events, in order.
fn read(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn kinds_of(events: &[Json]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_append_their_events_to_one_file() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 300).await;
    let file = change.path.join("../events.jsonl");
    let name = file.to_str().unwrap();
    expect(&change.say(&["run", "--events", name, "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--events", name]), 3, &[]);
    let events = read(&fs::read_to_string(&file).unwrap());
    let kinds = kinds_of(&events);
    assert_eq!(kinds[0], "opened");
    assert_eq!(kinds.iter().filter(|kind| **kind == "opened").count(), 2);
    assert_eq!(kinds.last(), Some(&"ended"));
    assert_eq!(events.last().unwrap()["exit_code"], 3);
    for event in &events {
        assert_eq!(event["plan"], "0042_orders_status");
        let time = event["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() >= 20, "{time}");
        time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).unwrap();
    }
    let batch = events.iter().rfind(|event| event["kind"] == "batch").unwrap();
    assert_eq!((&batch["rows_done"], &batch["step"]), (&Json::from(300), &Json::from("backfill.1")));
    // Standard output is data, and nothing else.
    let said = change.say(&["run", "--events", "-"]);
    assert_eq!(kinds_of(&read(&said.out)).last(), Some(&"ended"));
    assert!(said.err.contains("waiting at a gate"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_refused_before_anything_is_run() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    for file in ["/nowhere/events.jsonl", "/"] {
        let said = change.say(&["run", "--events", file]);
        expect(&said, 2, &["events cannot be written to", "nothing was run"]);
    }
    expect(&change.say(&["status"]), 0, &["not begun"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_can_no_longer_be_written_are_told_and_stop_no_run() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    // Always full.
    let said = change.say(&["run", "--events", "/dev/full"]);
    expect(&said, 3, &["events can no longer be written to `/dev/full`", "No space left", "the run goes on"]);
    assert_eq!(said.err.matches("can no longer").count(), 1, "{}", said.err);
}

/// The last batch of so many rows.
fn batch(rows_done: u64, rows_total: Option<u64>) -> Event {
    Event::Batch { step: "backfill.1".into(), rows_done, rows_total, rows: 1_000, milliseconds: 98 }
}

#[test]
fn a_log_gets_a_line_for_each_tenth_or_half_minute() {
    let mut progress = Progress::new(false);
    let mut said = String::new();
    for second in 0..=1_000_u64 {
        // A thousand rows a second, of a million.
        let event = batch(second * 1_000, Some(1_000_000));
        progress.event(&event, Duration::from_secs(second), &mut |line| said += line);
    }
    assert_eq!(said.lines().count(), 1 + 40, "{said}");
    assert!(said.contains("500000 of about 1000000 rows (50 %), 1000 a second, about 8 min left"), "{said}");
    // Past the estimate nobody knows how long it takes.
    said.clear();
    let seconds = Duration::from_secs(2_000);
    progress.event(&batch(1_000_001, Some(1_000_000)), seconds, &mut |line| said += line);
    assert!(said.contains("1000001 rows, more than the 1000000 estimated, ") && !said.contains("left"), "{said}");
    // A short one says little.
    let (mut progress, mut said) = (Progress::new(false), String::new());
    for tick in 0..=9 {
        let event = batch(tick * 100, Some(1_000));
        progress.event(&event, Duration::from_millis(tick * 99), &mut |line| said += line);
    }
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_terminal_gets_a_bar_that_knows_what_it_waits_for() {
    let terminal = InMemoryTerm::new(10, 130);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
    let mut progress = Progress::on(Some(target));
    let mut tell = |event: Event, second: u64| {
        // The bar draws at most so often.
        std::thread::sleep(Duration::from_millis(30));
        let written = terminal.clone();
        let mut say = |line: &str| written.write_line(line.trim()).unwrap();
        progress.event(&event, Duration::from_secs(second), &mut say);
        terminal.contents()
    };
    tell(batch(1_000, Some(100_000)), 0);
    let shown = tell(batch(25_000, Some(100_000)), 12);
    insta::assert_snapshot!(shown, @"  ████░░░░░░░░░░░░ 25000 of about 100000 rows (25 %), 2000 a second, about 37 s left, 98 ms a batch");
    let limit = |stop_above| Some(Limit { stop_above, go_below: 1.0, unit: Unit::Seconds });
    let reading = |what: &str, value, limit| Reading { signal: what.into(), value, limit, what: what.into() };
    let readings = vec![
        reading("s1 is 2 s behind", Ok(2.0), limit(10.0)),
        reading("s2 is 9 s behind", Ok(9.0), limit(90.0)),
        reading("a file", Ok(0.0), None),
        reading("s3", Err("no right".into()), limit(1.0)),
    ];
    tell(Event::Load { readings }, 12);
    let shown = tell(batch(25_000, Some(100_000)), 12);
    insta::assert_snapshot!(shown, @"  ████░░░░░░░░░░░░ 25000 of about 100000 rows (25 %), 2000 a second, about 37 s left, 98 ms a batch; s1 is 2 s behind");
    let shown = tell(Event::Waiting { because: "the lease: another runner holds it".into() }, 13);
    insta::assert_snapshot!(shown, @r#"
    waiting for the lease: another runner holds it
      ████░░░░░░░░░░░░ waiting for the lease: another runner holds it
    "#);
    let shown = tell(batch(100_001, Some(100_000)), 40);
    insta::assert_snapshot!(shown, @r#"
    waiting for the lease: another runner holds it
      ████████████████ 100001 rows, more than the 100000 estimated, 2475 a second, 98 ms a batch; s1 is 2 s behind
    "#);
    let shown = tell(Event::StepDone { step: "backfill.1".into(), found: false }, 41);
    insta::assert_snapshot!(shown, @r#"
    waiting for the lease: another runner holds it
    backfill.1  done
    "#);
}

/// Whatever is said, wherever: the password in the URL is in none of it.
#[tokio::test(flavor = "multi_thread")]
async fn no_password_gets_into_anything() {
    for (database, dialect) in
        [(servers::postgres().await, Dialect::Postgres), (servers::mariadb().await, Dialect::Mysql)]
    {
        let Some(database) = database else { continue };
        let change = Change::rename(database, dialect, 10).await;
        let mut url = url::Url::parse(&change.database.url).unwrap();
        if url.set_password(Some("s3cret")).is_err() {
            panic!("{url}");
        }
        // The test's server asks for none; where one is asked for, that is refused, and told without it as well.
        let file = change.path.join("../events.jsonl");
        let arguments = ["--database-url", url.as_str()];
        let mut all = String::new();
        let mut hear = |command: &str, more: &[&str]| {
            let said = change.say(&[&[command], &arguments[..], more].concat());
            all += &format!("{}{}", said.out, said.err);
        };
        hear("run", &["--events", file.to_str().unwrap(), "--metrics-addr", ":0"]);
        hear("run", &["--events", "-"]);
        hear("status", &[]);
        hear("status", &["--format", "json"]);
        hear("run", &["--metrics-addr", "nowhere"]);
        hear("run", &["--events", "/"]);
        change.write("backfill.sql", "UPDATE nowhere SET a = b;");
        hear("run", &["--events", file.to_str().unwrap()]);
        all += &fs::read_to_string(&file).unwrap_or_default();
        assert!(all.len() > 100 && !all.contains("s3cret") && !all.contains("://postgres"), "{all}");
    }
}
