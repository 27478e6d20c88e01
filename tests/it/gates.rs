//! Gates over recorded and broken evidence: what opens them, and above all what must not.

mod census;
mod live;

use std::collections::BTreeMap;
use std::fs;

use lockkeeper::gate::{
    Approval, Condition, Evidence, Gate, Judgement, SessionSeen, Sessions, Verdict, gates_of, judge,
};
use lockkeeper::plan::{Consumer, Kubernetes, Phase, Plan, Settings};
use lockkeeper::sql::Dialect;
use serde_json::Value;

use Verdict::{Pass, Pending, Unknown};

const DIGEST: &str = "9f2c";

fn recorded(name: &str) -> String {
    fs::read_to_string(format!("{}/fixtures/kubernetes/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn kubernetes() -> Kubernetes {
    Kubernetes {
        namespace: "rec".into(),
        selector: "app=order-service".into(),
        version_label: "version".into(),
        evidence: None,
    }
}

fn gate(condition: Condition) -> Gate {
    let name = match &condition {
        Condition::Approval => "approval".into(),
        Condition::DbSessions { .. } => "db_sessions".into(),
        Condition::K8sOnlyVersion { consumer, .. } => format!("k8s_only_version:{consumer}"),
    };
    Gate { name, phase: Phase::Contract, digest: DIGEST.into(), condition }
}

fn census(want: &str, evidence: Option<Result<String, String>>) -> Judgement {
    let condition =
        Condition::K8sOnlyVersion { want: want.into(), consumer: "order-service".into(), kubernetes: kubernetes() };
    let kubernetes = evidence.map(|evidence| ("order-service".to_string(), evidence)).into_iter().collect();
    judge(&gate(condition), &Evidence { approvals: vec![], sessions: Sessions::NotKnowable("none".into()), kubernetes })
}

fn consumer(name: &str, application_name: Option<&str>, user: Option<&str>) -> Consumer {
    Consumer {
        name: name.into(),
        application_name: application_name.map(Into::into),
        user: user.map(Into::into),
        kubernetes: None,
    }
}

/// Two consumers that tell their versions apart, one by name and one by user, and one without versions.
fn consumers() -> Vec<Consumer> {
    vec![
        consumer("order-service", Some("order-service/{version}"), None),
        consumer("billing", None, Some("billing_{version}")),
        consumer("metabase", None, Some("metabase")),
    ]
}

fn sessions_of(seen: &[(&str, &str)]) -> Sessions {
    Sessions::Seen(
        seen.iter()
            .map(|(user, application)| SessionSeen { user: (*user).into(), application_name: (*application).into() })
            .collect(),
    )
}

fn sessions(consumers: Vec<Consumer>, sessions: Sessions) -> Judgement {
    judge(
        &gate(Condition::DbSessions { want: Some("v2".into()), consumers }),
        &Evidence { approvals: vec![], sessions, kubernetes: BTreeMap::new() },
    )
}

fn plan(dialect: Dialect, settings: Settings) -> Plan {
    Plan {
        name: "change".into(),
        dialect,
        settings,
        files: vec![],
        digest: DIGEST.into(),
        sync: vec![],
        steps: vec![],
        revert: vec![],
    }
}

#[test]
fn no_data_is_never_a_pass() {
    let mut broken: Vec<Option<Result<String, String>>> = vec![
        None,
        Some(Err("kubectl could not be started".into())),
        Some(Ok(String::new())),
        Some(Ok("null".into())),
        Some(Ok("[]".into())),
        Some(Ok("{}".into())),
        Some(Ok("error: You must be logged in to the server".into())),
        Some(Ok(r#"{"kind":"List","items":null}"#.into())),
        Some(Ok(r#"{"kind":"List","items":[]}"#.into())),
        Some(Ok(r#"{"kind":"List","items":[null]}"#.into())),
        Some(Ok(r#"{"kind":"List","items":[{}]}"#.into())),
        Some(Ok(r#"{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"a"}}]}"#.into())),
        Some(Ok(r#"{"kind":"Status","status":"Failure","code":403}"#.into())),
    ];
    let whole = recorded("08-only-v2");
    // Everything that a broken connection could have cut off.
    broken.extend((0..whole.trim_end().len()).step_by(97).map(|end| Some(Ok(whole[..end].to_string()))));
    for evidence in broken {
        let judgement = census("v2", evidence.clone());
        assert_eq!(judgement.verdict, Unknown, "{evidence:?}");
        assert!(!judgement.because.is_empty());
    }
    assert_eq!(census("", Some(Ok(whole.clone()))).verdict, Unknown);
    assert_eq!(census("v2", Some(Ok(whole.clone()))).verdict, Pass);
    let elsewhere = whole.replace(r#""namespace": "rec""#, r#""namespace": "staging""#);
    assert_eq!(census("v2", Some(Ok(elsewhere))).verdict, Unknown, "another namespace's pods");
    for selector in ["", "app", "=x", "app=", "app in (order-service)", "!app", ","] {
        let kubernetes = Kubernetes { selector: selector.into(), ..kubernetes() };
        let condition = Condition::K8sOnlyVersion { want: "v2".into(), consumer: "o".into(), kubernetes };
        let evidence = Evidence {
            approvals: vec![],
            sessions: sessions_of(&[]),
            kubernetes: BTreeMap::from([("o".to_string(), Ok(whole.clone()))]),
        };
        assert_eq!(judge(&gate(condition), &evidence).verdict, Unknown, "{selector}");
    }
    for seen in [Sessions::NotKnowable("SQLite has no sessions".into()), Sessions::Masked("no PROCESS".into())] {
        assert_eq!(sessions(consumers(), seen).verdict, Unknown);
    }
    for listed in [vec![], vec![consumer("metabase", None, Some("metabase"))], vec![consumer("mute", None, None)]] {
        for seen in [sessions_of(&[]), sessions_of(&[("metabase", "")]), sessions_of(&[("app", "order-service/v2")])] {
            assert_eq!(sessions(listed.clone(), seen).verdict, Unknown);
        }
    }
    for want in [None, Some(String::new())] {
        let gate = gate(Condition::DbSessions { want, consumers: consumers() });
        let seen = sessions_of(&[("app", "order-service/v2"), ("app", "order-service/")]);
        let evidence = Evidence { approvals: vec![], sessions: seen, kubernetes: BTreeMap::new() };
        assert_eq!(judge(&gate, &evidence).verdict, Unknown);
    }
    // A plan whose digest is missing is nobody's plan.
    let nameless = Gate { digest: String::new(), ..gate(Condition::Approval) };
    let evidence = Evidence {
        approvals: vec![approval("approval", "anna", "")],
        sessions: sessions_of(&[]),
        kubernetes: BTreeMap::new(),
    };
    assert_eq!(judge(&nameless, &evidence).verdict, Pending);
}

#[test]
fn sessions_hold_the_gate_until_only_the_wanted_version_is_connected() {
    type Row = (&'static [(&'static str, &'static str)], Verdict, &'static str);
    let rows: &[Row] = &[
        (&[("app", "order-service/v2")], Pass, "1 session of v2 and none of another version"),
        (&[("app", "order-service/v2"), ("billing_v2", "")], Pass, "2 sessions of v2"),
        // What follows a blank is the process's own business; so are our own sessions.
        (&[("app", "order-service/v2 worker 3"), ("admin", "lockkeeper run"), ("metabase", "x")], Pass, "1 session"),
        (
            &[("app", "order-service/v2"), ("app", "order-service/v1")],
            Pending,
            "1 session of v1 is still connected, user `app`, application `order-service/v1`",
        ),
        (
            &[("app", "order-service/v1 worker"), ("app", "order-service/v2")],
            Pending,
            "1 session of v1 is still connected",
        ),
        (
            &[("app", "order-service/v2"), ("billing_v1", "")],
            Pending,
            "1 session of v1 is still connected, user `billing_v1`",
        ),
        (
            &[("app", "order-service/v1"), ("b", "order-service/v0")],
            Pending,
            "2 sessions of other versions than v2 are still connected, the first of v1, user `app`",
        ),
        (&[("app", "order-service/v3")], Pending, "of v3"),
        (&[("app", "order-service/v2x")], Pending, "of v2x"),
        (
            &[("app", "order-service/v2"), ("root", "psql")],
            Unknown,
            "a session of no listed consumer, user `root`, application `psql`: list it in change.toml",
        ),
        (&[("app", "order-service/v2"), ("root", "")], Unknown, "no listed consumer, user `root`:"),
        (&[("app", "order-service/"), ("app", "order-service/v2")], Unknown, "no listed consumer"),
        // A contrary session counts more than a missing one: an approval must not open this.
        (&[("root", "psql"), ("app", "order-service/v1")], Pending, "of v1"),
        // Nobody there is no evidence that the old version is gone.
        (&[], Unknown, "no session of v2 is connected either"),
        (&[("metabase", ""), ("admin", "lockkeeper run")], Unknown, "no session of v2 is connected either"),
    ];
    for (seen, verdict, because) in rows {
        let judgement = sessions(consumers(), sessions_of(seen));
        assert_eq!(judgement.verdict, *verdict, "{seen:?}: {}", judgement.because);
        assert!(judgement.because.contains(because), "{seen:?}: {}", judgement.because);
        serde_json::from_str::<Value>(&judgement.observed).unwrap();
    }
}

#[test]
fn a_pattern_without_a_version_does_not_hide_an_old_session() {
    // The user is the same for every version: a session that does not set its name may be an old one's.
    let both = || vec![consumer("order-service", Some("order-service/{version}"), Some("app"))];
    let judgement = sessions(both(), sessions_of(&[("app", "order-service/v2"), ("app", "")]));
    assert_eq!(judgement.verdict, Unknown);
    assert!(judgement.because.contains("does not tell its version"), "{}", judgement.because);

    // Name and user contradict each other: the one that speaks against it counts.
    let both = vec![consumer("order-service", Some("order-service/{version}"), Some("app_{version}"))];
    for seen in [[("app_v1", "order-service/v2")], [("app_v2", "order-service/v1")]] {
        assert_eq!(sessions(both.clone(), sessions_of(&seen)).verdict, Pending);
    }

    // The pattern with more literal text knows better, in either order.
    let mut two =
        vec![consumer("order", Some("order-{version}"), None), consumer("r", Some("order-report-{version}"), None)];
    for _ in 0..2 {
        assert_eq!(sessions(two.clone(), sessions_of(&[("app", "order-report-v2")])).verdict, Pass);
        assert_eq!(sessions(two.clone(), sessions_of(&[("app", "order-report-v1")])).verdict, Pending);
        two.reverse();
    }
}

fn approval(gate: &str, by: &str, reason: &str) -> Approval {
    Approval {
        gate: gate.into(),
        by: by.into(),
        reason: reason.into(),
        stands_in_for: vec!["SQLite does not know its sessions".into()],
        digest: DIGEST.into(),
        at: "2026-01-01T00:00:00Z".into(),
    }
}

fn approve(gate: &Gate, approvals: Vec<Approval>, sessions: Sessions) -> Judgement {
    judge(gate, &Evidence { approvals, sessions, kubernetes: BTreeMap::new() })
}

#[test]
fn an_approval_is_bound_to_the_plan_and_to_its_gate() {
    let gate = gate(Condition::Approval);
    let nothing = || Sessions::NotKnowable("none".into());
    let judgement = approve(&gate, vec![approval("approval", "anna", "window agreed")], nothing());
    assert_eq!((judgement.verdict, judgement.because.as_str()), (Pass, "anna approved it: window agreed"));

    let other = Approval { digest: "0000".into(), ..approval("approval", "anna", "") };
    let judgement = approve(&gate, vec![other], nothing());
    assert_eq!(judgement.verdict, Pending);
    assert!(judgement.because.contains("the plan has changed since"), "{}", judgement.because);

    for approvals in [vec![], vec![approval("db_sessions", "anna", "")], vec![approval("approval", " ", "")]] {
        assert_eq!(approve(&gate, approvals, nothing()).verdict, Pending);
    }
}

#[test]
fn a_persons_word_replaces_missing_evidence_and_never_contrary_evidence() {
    let gate = gate(Condition::DbSessions { want: Some("v2".into()), consumers: consumers() });
    let word = || vec![approval("db_sessions", "anna", "all of them are stopped")];
    let unknown = || Sessions::NotKnowable("SQLite does not know its sessions".into());

    let judgement = approve(&gate, word(), unknown());
    assert_eq!(judgement.verdict, Pass);
    assert_eq!(
        judgement.because,
        "anna approved it: all of them are stopped, although SQLite does not know its sessions"
    );
    serde_json::from_str::<Value>(&judgement.observed).unwrap();

    // It was given for this gap, and is no word for another one.
    for other in [
        Sessions::Masked("no PROCESS".into()),
        sessions_of(&[]),
        sessions_of(&[("app", "order-service/v2"), ("root", "psql")]),
    ] {
        let judgement = approve(&gate, word(), other);
        assert_eq!(judgement.verdict, Unknown);
        let said = "; the word of anna was for something else: SQLite does not know its sessions";
        assert!(judgement.because.ends_with(said), "{}", judgement.because);
    }

    // The general approval is for the plan, not for what could not be seen.
    assert_eq!(approve(&gate, vec![approval("approval", "anna", "")], unknown()).verdict, Unknown);
    let stale = vec![Approval { digest: "0000".into(), ..approval("db_sessions", "anna", "") }];
    assert_eq!(approve(&gate, stale, unknown()).verdict, Unknown);

    let contrary = sessions_of(&[("app", "order-service/v1"), ("root", "psql")]);
    assert_eq!(approve(&gate, word(), contrary).verdict, Pending);
    let mut pods = BTreeMap::new();
    pods.insert("order-service".to_string(), Ok(recorded("07-one-old-terminating")));
    let condition =
        Condition::K8sOnlyVersion { want: "v2".into(), consumer: "order-service".into(), kubernetes: kubernetes() };
    let gate = self::gate(condition);
    let approvals = vec![approval("k8s_only_version:order-service", "anna", "")];
    let evidence = Evidence { approvals, sessions: unknown(), kubernetes: pods };
    assert_eq!(judge(&gate, &evidence).verdict, Pending);
}

/// A word for some strangers holds while no other comes, and an earlier word counts beside a later one.
#[test]
fn a_persons_word_covers_what_was_seen_and_no_more() {
    let gate = gate(Condition::DbSessions { want: Some("v2".into()), consumers: consumers() });
    let (psql, dump) = (("root", "psql"), ("root", "pg_dump"));
    let word = |seen: &[(&str, &str)]| {
        let gaps = approve(&gate, vec![], sessions_of(seen)).gaps;
        assert!(!gaps.is_empty());
        Approval { stands_in_for: gaps, ..approval("db_sessions", "anna", "") }
    };
    type Row<'a> = (Vec<Approval>, &'a [(&'a str, &'a str)], Verdict);
    let rows: &[Row<'_>] = &[
        (vec![word(&[psql])], &[psql], Pass),
        (vec![word(&[psql])], &[psql, psql], Pass),
        (vec![word(&[psql, dump])], &[psql], Pass),
        (vec![word(&[psql])], &[psql, dump], Unknown),
        (vec![word(&[psql])], &[], Unknown),
        (vec![word(&[])], &[psql], Unknown),
        (vec![word(&[]), word(&[psql])], &[], Pass),
        (vec![Approval { stands_in_for: vec![], ..word(&[]) }], &[], Unknown),
    ];
    for (approvals, seen, verdict) in rows {
        let judgement = approve(&gate, approvals.clone(), sessions_of(seen));
        assert_eq!(judgement.verdict, *verdict, "{approvals:?} {seen:?}");
    }
}

#[test]
fn without_versions_the_gate_still_says_who_is_connected() {
    let gate = gate(Condition::DbSessions { want: None, consumers: vec![] });
    let seen = [("app", "shop/v1"), ("app", "shop/v1"), ("root", ""), ("admin", "lockkeeper run")];
    let judgement = approve(&gate, vec![], sessions_of(&seen));
    assert_eq!(
        judgement.because,
        "change.toml does not name `versions.new`; connected: user `app`, application `shop/v1`; user `root`"
    );
    // A stand-in for it holds while sessions come and go.
    assert_eq!(judgement.gaps, approve(&gate, vec![], sessions_of(&[])).gaps);
}

#[test]
fn contract_alone_has_gates() {
    let mut settings = Settings { new_version: Some("v2".into()), consumers: consumers(), ..Settings::default() };
    settings.consumers[0].kubernetes = Some(kubernetes());
    let plan = plan(Dialect::Postgres, settings);
    for phase in [Phase::Expand, Phase::Backfill] {
        assert_eq!(gates_of(&plan, phase), []);
    }
    let names: Vec<String> = gates_of(&plan, Phase::Contract).into_iter().map(|gate| gate.name).collect();
    assert_eq!(names, ["approval", "db_sessions", "k8s_only_version:order-service"]);
}

#[test]
fn session_names_are_no_evidence_where_the_server_has_none() {
    let settings = Settings { new_version: Some("v2".into()), consumers: consumers(), ..Settings::default() };
    let gates = gates_of(&plan(Dialect::Mysql, settings), Phase::Contract);
    let Condition::DbSessions { consumers, .. } = &gates[1].condition else { panic!("{gates:?}") };
    assert_eq!(consumers[0].application_name, None);
    assert_eq!(consumers[1].user.as_deref(), Some("billing_{version}"));
}

#[tokio::test]
async fn a_file_of_evidence_grows_too_old() {
    use lockkeeper::gate::evidence::kubernetes::collect;
    use std::time::{Duration, SystemTime};

    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("pods.json"), recorded("08-only-v2")).unwrap();
    let mut settings = Settings { new_version: Some("v2".into()), consumers: consumers(), ..Settings::default() };
    settings.consumers[0].kubernetes = Some(Kubernetes { evidence: Some("pods.json".into()), ..kubernetes() });
    settings.consumers[1].kubernetes = Some(Kubernetes { evidence: Some("gone.json".into()), ..kubernetes() });
    let plan = plan(Dialect::Postgres, settings);

    let now = SystemTime::now();
    let evidence = collect(&plan, directory.path(), now).await;
    assert_eq!(evidence["order-service"], Ok(recorded("08-only-v2")));
    assert!(evidence["billing"].as_ref().unwrap_err().contains("gone.json cannot be read"), "{evidence:?}");
    assert_eq!(evidence.len(), 2);

    for (age, ok) in [(14 * 60, true), (16 * 60, false)] {
        let evidence = collect(&plan, directory.path(), now + Duration::from_secs(age)).await;
        assert_eq!(evidence["order-service"].is_ok(), ok, "{age}: {evidence:?}");
    }
    let late = collect(&plan, directory.path(), now + Duration::from_secs(3 * 3600 + 60)).await;
    let why = late["order-service"].as_ref().unwrap_err();
    assert!(why.contains("pods.json is more than 15 minutes old"), "{why}");
    let early = collect(&plan, directory.path(), now - Duration::from_hours(1)).await;
    assert!(early["order-service"].as_ref().unwrap_err().contains("dated in the future"));
}
