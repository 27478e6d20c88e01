//! The metrics of a run: their names, their format, and the real binary that serves them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use lockkeeper::gate::{Judgement, Verdict};
use lockkeeper::plan::Phase;
use lockkeeper::plan::settings::throttle::{Limit, Unit};
use lockkeeper::report::metrics::Metrics;
use lockkeeper::run::Event;
use lockkeeper::run::throttle::Reading;
use lockkeeper::sql::Dialect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run::{Change, expect};
use super::servers;

/// What Prometheus' own parser and its linter demand; the families of the page.
fn check(page: &str) -> BTreeSet<String> {
    let mut kinds = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut helped = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && help.len() > 10, "{line}");
            helped = name.to_string();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(helped, name, "a HELP before each TYPE");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(kinds.insert(name.to_string(), kind.to_string()).is_none(), "{name} twice");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series.to_string()), "{series} twice");
        let (name, labels) = series.split_once('{').unwrap_or_else(|| panic!("{line}: a plan"));
        assert!(labels.ends_with("\"}"), "{line}");
        let family = match kinds.get(&helped).map(String::as_str) {
            Some("histogram") => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)),
            _ => Some(name),
        };
        assert_eq!(family, Some(helped.as_str()), "{line}: samples stand below their family");
    }
    kinds.into_keys().collect()
}

fn documented() -> BTreeSet<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let table = readme.split("<!-- metrics -->").nth(1).expect("the README lists the metrics between two marks");
    let names = table.split('`').skip(1).step_by(2).filter(|name| name.starts_with("lockkeeper_"));
    names.map(str::to_string).collect()
}

/// A run with something of everything; names with all that a label has to escape.
fn story() -> Metrics {
    let mut metrics = Metrics::new("0042 \"orders\\status\"");
    let judgement = |gate: &str, verdict| Judgement {
        gate: gate.into(),
        verdict,
        because: String::new(),
        observed: String::new(),
        gaps: Vec::new(),
    };
    let step = || "backfill.1".to_string();
    let load = |signal: &str, value| Reading { signal: signal.into(), value, limit: None, what: String::new() };
    let limit = Some(Limit { stop_above: 10.0, go_below: 5.0, unit: Unit::Seconds });
    let lag = Reading { limit, ..load("replica-lag of \"s1\"", Ok(0.25)) };
    let batch = |rows_done, milliseconds| Event::Batch {
        step: step(),
        rows_done,
        rows_total: Some(9_000),
        rows: 1_000,
        milliseconds,
    };
    for event in [
        Event::Opened { plan: "orders".into(), steps: 5, done: 2 },
        Event::StepStarted { step: step(), sql: "UPDATE t SET a = b".into(), resumed: true },
        batch(4_000, 30),
        batch(5_000, 60),
        batch(6_000, 20_000),
        Event::StepDone { step: step(), found: false },
        Event::StepStarted { step: "contract.1".into(), sql: "DROP TABLE t".into(), resumed: false },
        Event::ProofFailed { step: "contract.1".into(), example: "row 7".into() },
        Event::Judged {
            phase: Phase::Contract,
            judgements: vec![judgement("approval", Verdict::Pass), judgement("k8s:\"a\"\n", Verdict::Unknown)],
        },
        Event::Load { readings: vec![lag, load("file", Ok(0.0)), load("query", Err("no right".into()))] },
        Event::Retry {
            step: "contract.1".into(),
            attempt: 1,
            because: "a lock".into(),
            by: Vec::new(),
            milliseconds: 250,
        },
    ] {
        metrics.see(&event, 1_790_000_000);
    }
    metrics
}

#[test]
fn the_readme_lists_every_metric_and_each_is_what_prometheus_reads() {
    let page = story().text();
    assert_eq!(check(&page), documented());
    insta::assert_snapshot!(page);
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_serves_its_metrics_on_this_machine_alone() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 300).await;
    let mut command = change.command(&["run", "--wait", "--metrics-addr", ":0"]);
    let mut run = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let place = said.find_map(|line| line.strip_prefix("metrics at http://").map(str::to_string)).unwrap();
    let address = place.strip_suffix("/metrics").unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert!(said.any(|line| line.contains("waiting for gate approval")), "it waits at its gate");

    let page = ask(address, "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{head}");
    check(body);
    for sample in [
        "lockkeeper_waiting{plan=\"0042_orders_status\"} 1",
        "lockkeeper_backfill_rows_done{plan=\"0042_orders_status\",step=\"backfill.1\"} 300",
        "lockkeeper_gate_open{plan=\"0042_orders_status\",phase=\"contract\",gate=\"approval\"} 0",
    ] {
        assert!(body.lines().any(|line| line == sample), "{sample} is not in: {body}");
    }
    assert!(!body.contains(&change.database.url), "no URL");
    // Whoever sends half a request, or goes away, holds up nobody.
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET ").unwrap();
    assert!(ask(address, "HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    assert!(ask(address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));

    // Taken: said before anything is run.
    let other = Change::rename(servers::sqlite(), Dialect::Sqlite, 1).await;
    let port = address.split(':').nth(1).unwrap();
    for taken in [port.to_string(), format!(":{port}"), address.to_string()] {
        let words = ["metrics cannot be served at", "in use", "nothing was run"];
        expect(&other.say(&["run", "--metrics-addr", &taken]), 2, &words);
    }
    for wrong in ["", "here", "1.2.3.4.5:1", ":99999", "127.0.0.1"] {
        expect(&other.say(&["run", "--metrics-addr", wrong]), 2, &["metrics cannot be served at", "nothing was run"]);
    }
    expect(&other.say(&["status"]), 0, &["not begun"]);

    kill(Pid::from_raw(i32::try_from(run.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    TcpListener::bind(address).expect("the address is free again");
}
