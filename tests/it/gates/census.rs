//! The census of recorded pods, and of the same ones with one thing changed.

use serde_json::{Value, json};

use super::{Pass, Pending, Unknown, Verdict, census, recorded};

#[test]
fn a_recorded_rollout_opens_the_gate_only_at_its_real_end() {
    for (name, want, verdict, because) in [
        ("01-created", "v2", Pending, "of v1 is live"),
        ("03-v1-ready", "v2", Pending, "2 of v1"),
        ("03-v1-ready", "v1", Pass, "2 live pods, all of v1"),
        ("05-step1", "v2", Pending, "2 of v1, 2 of v2"),
        ("07-one-old-terminating", "v2", Pending, "is live, still terminating; live pods: 1 of v1, 2 of v2"),
        ("08-only-v2", "v2", Pass, "2 live pods, all of v2"),
        ("05-step1", "v1", Pending, "2 of v1, 2 of v2"),
        ("07-one-old-terminating", "v1", Pending, "1 of v1, 2 of v2"),
        ("08-only-v2", "v1", Pending, "2 of v2"),
    ] {
        let judgement = census(want, Some(Ok(recorded(name))));
        assert_eq!(judgement.verdict, verdict, "{name} for {want}: {}", judgement.because);
        assert!(judgement.because.contains(because), "{name} for {want}: {}", judgement.because);
    }
}

/// The end of the recorded rollout, with one thing about it changed.
fn changed(change: impl Fn(&mut Value)) -> String {
    let mut list: Value = serde_json::from_str(&recorded("08-only-v2")).unwrap();
    change(&mut list);
    list.to_string()
}

fn each(list: &mut Value, kind: &str, change: impl Fn(&mut Value)) {
    for object in list["items"].as_array_mut().unwrap() {
        if object["kind"] == kind {
            change(object);
        }
    }
}

fn first_pod(list: &mut Value) -> &mut Value {
    list["items"].as_array_mut().unwrap().iter_mut().find(|object| object["kind"] == "Pod").unwrap()
}

#[test]
fn every_trap_of_a_cluster_keeps_the_gate_shut() {
    type Trap = (&'static str, fn(&mut Value), Verdict, &'static str);
    let traps: &[Trap] = &[
        ("one pod of v1", |l| first_pod(l)["metadata"]["labels"]["version"] = json!("v1"), Pending, "of v1 is live"),
        (
            "one of v1 in phase Unknown",
            |l| {
                first_pod(l)["metadata"]["labels"]["version"] = json!("v1");
                first_pod(l)["status"]["phase"] = json!("Unknown");
            },
            Pending,
            "of v1 is live",
        ),
        (
            "one of v1, told to stop",
            |l| {
                first_pod(l)["metadata"]["labels"]["version"] = json!("v1");
                first_pod(l)["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            },
            Pending,
            "still terminating",
        ),
        (
            "one without the label",
            |l| {
                first_pod(l)["metadata"]["labels"].as_object_mut().unwrap().remove("version");
            },
            Unknown,
            "has no label version",
        ),
        ("an empty label", |l| first_pod(l)["metadata"]["labels"]["version"] = json!(""), Unknown, "no label"),
        (
            "a label that only begins like it",
            |l| first_pod(l)["metadata"]["labels"]["version"] = json!("v2.1"),
            Pending,
            "of v2.1 is live",
        ),
        (
            "one without a phase",
            |l| {
                first_pod(l)["status"].as_object_mut().unwrap().remove("phase");
            },
            Unknown,
            "has no phase",
        ),
        ("a phase nobody knows", |l| first_pod(l)["status"]["phase"] = json!("Zombie"), Unknown, "has no phase"),
        (
            "all pods have ended",
            |l| each(l, "Pod", |pod| pod["status"]["phase"] = json!("Succeeded")),
            Unknown,
            "no live pod at all",
        ),
        (
            "no pods",
            |l| l["items"].as_array_mut().unwrap().retain(|object| object["kind"] != "Pod"),
            Unknown,
            "no live pod at all",
        ),
        ("nothing at all", |l| l["items"] = json!([]), Unknown, "no live pod at all"),
        (
            "somebody else's pods",
            |l| each(l, "Pod", |pod| pod["metadata"]["labels"]["app"] = json!("other")),
            Unknown,
            "no live pod at all",
        ),
        ("a page of a longer list", |l| l["metadata"]["continue"] = json!("eyJ2"), Unknown, "partial"),
        ("a list with a rest", |l| l["metadata"]["remainingItemCount"] = json!(3), Unknown, "partial"),
        ("a Pod, not a List", |l| *l = first_pod(l).take(), Unknown, "no list"),
        ("a Table", |l| l["kind"] = json!("Table"), Unknown, "not a List"),
        ("no items", |l| drop(l.as_object_mut().unwrap().remove("items")), Unknown, "missing field `items`"),
        (
            "a pod without a name",
            |l| drop(first_pod(l)["metadata"].as_object_mut().unwrap().remove("name")),
            Unknown,
            "missing field `name`",
        ),
        (
            "a deployment rolled back a moment ago",
            |l| each(l, "Deployment", |d| d["spec"]["template"]["metadata"]["labels"]["version"] = json!("v1")),
            Pending,
            "Deployment order-service still wants 2 pods of v1",
        ),
        (
            "an old replica set scaled up again",
            |l| each(l, "ReplicaSet", |set| set["spec"]["replicas"] = json!(1)),
            Pending,
            "still wants 1 pods of v1",
        ),
        (
            "a deployment whose controller is behind",
            |l| each(l, "Deployment", |d| d["metadata"]["generation"] = json!(3)),
            Unknown,
            "its controller has not seen it yet",
        ),
        (
            "a deployment without a status",
            |l| each(l, "Deployment", |d| drop(d.as_object_mut().unwrap().remove("status"))),
            Unknown,
            "its controller has not seen it yet",
        ),
        (
            "a deployment whose pods get no version",
            |l| {
                each(l, "Deployment", |d| {
                    d["spec"]["template"]["metadata"]["labels"].as_object_mut().unwrap().remove("version");
                });
            },
            Unknown,
            "pods get no label version",
        ),
        (
            "a stateful set of v1 beside it",
            |l| {
                let mut other = l["items"][0].clone();
                other["kind"] = json!("StatefulSet");
                other["spec"]["template"]["metadata"]["labels"]["version"] = json!("v1");
                l["items"].as_array_mut().unwrap().push(other);
            },
            Pending,
            "StatefulSet order-service still wants",
        ),
    ];
    for (name, trap, verdict, because) in traps {
        let judgement = census("v2", Some(Ok(changed(trap))));
        assert_eq!(judgement.verdict, *verdict, "{name}: {}", judgement.because);
        assert!(judgement.because.contains(because), "{name}: {}", judgement.because);
    }
}

#[test]
fn what_is_not_the_consumers_does_not_hold_its_gate() {
    type Change = (&'static str, fn(&mut Value));
    let changes: &[Change] = &[
        ("as recorded", |_| {}),
        ("an old pod that has ended", |l| {
            let mut pod = first_pod(l).clone();
            pod["metadata"]["labels"]["version"] = json!("v1");
            pod["status"]["phase"] = json!("Failed");
            l["items"].as_array_mut().unwrap().push(pod);
        }),
        ("another application's pod of v1", |l| {
            let mut pod = first_pod(l).clone();
            pod["metadata"]["labels"] = json!({ "app": "other", "version": "v1" });
            l["items"].as_array_mut().unwrap().push(pod);
        }),
        ("a service", |l| {
            let service = json!({ "kind": "Service", "metadata": { "name": "order-service" } });
            l["items"].as_array_mut().unwrap().push(service);
        }),
    ];
    for (name, change) in changes {
        let judgement = census("v2", Some(Ok(changed(change))));
        assert_eq!(judgement.verdict, Pass, "{name}: {}", judgement.because);
    }
}
