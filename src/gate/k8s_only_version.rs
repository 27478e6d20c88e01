//! `k8s_only_version`: every live pod of a consumer runs the wanted version, and there is at least one.
//!
//! The population rule is Kubernetes' own of the Recreate strategy: a pod is live until it is gone or its
//! phase is Succeeded or Failed. Terminating pods are live, and so are pods of phase Unknown: "the
//! rollout is finished" does not mean that the old version's sessions are closed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::approval::in_words;
use super::evidence::kubernetes::{Cluster, Pod, Workload, parse};
use super::evidence::observed;
use super::{Judgement, Verdict};
use crate::plan::Kubernetes;

#[derive(Serialize, Default)]
struct Facts<'a> {
    want: &'a str,
    /// Live pods by version.
    live: BTreeMap<String, usize>,
    terminating: usize,
    /// Pods that no longer run anything.
    ended: usize,
}

/// Takes the census of what was seen; `None` where nobody asked the cluster.
pub fn judge(gate: &str, want: &str, kubernetes: &Kubernetes, evidence: Option<&Result<String, String>>) -> Judgement {
    let mut facts = Facts { want, ..Facts::default() };
    let (verdict, reasons) = match evidence {
        None => (Verdict::Unknown, vec!["the cluster was not asked".to_string()]),
        Some(Err(why)) => (Verdict::Unknown, vec![why.clone()]),
        Some(Ok(text)) => {
            match Selector::read(&kubernetes.selector)
                .and_then(|selector| Ok((selector, parse(text, &kubernetes.namespace)?)))
            {
                Err(why) => (Verdict::Unknown, vec![why]),
                Ok((selector, cluster)) => census(want, &kubernetes.version_label, &selector, &cluster, &mut facts),
            }
        }
    };
    let because = in_words(&reasons);
    let gaps = if verdict == Verdict::Unknown { reasons } else { Vec::new() };
    Judgement { gate: gate.to_string(), verdict, because, observed: observed(&facts), gaps }
}

/// Contrary evidence goes before missing evidence, so that an approval cannot open the gate over a live
/// pod of another version. Everything that is missing is told, for a person to answer for all of it.
fn census(
    want: &str,
    label: &str,
    selector: &Selector,
    cluster: &Cluster,
    facts: &mut Facts<'_>,
) -> (Verdict, Vec<String>) {
    if want.is_empty() {
        return (Verdict::Unknown, vec!["change.toml does not name `versions.new`".into()]);
    }
    let mut untold = Vec::new();
    let mut other: Option<(&Pod, &str)> = None;
    for pod in cluster.pods.iter().filter(|pod| selector.fits(&pod.labels)) {
        match pod.phase.as_deref() {
            Some("Succeeded" | "Failed") => {
                facts.ended += 1;
                continue;
            }
            Some("Pending" | "Running" | "Unknown") => {}
            _ => {
                untold.push(format!("the pod {} has no phase that we know", pod.name));
            }
        }
        facts.terminating += usize::from(pod.terminating);
        match pod.labels.get(label) {
            Some(version) if !version.is_empty() => {
                *facts.live.entry(version.clone()).or_default() += 1;
                if version != want {
                    other.get_or_insert((pod, version));
                }
            }
            _ => {
                *facts.live.entry("(no label)".into()).or_default() += 1;
                untold.push(format!("the live pod {} has no label {label}", pod.name));
            }
        }
    }
    if let Some((pod, version)) = other {
        let state = if pod.terminating { ", still terminating" } else { "" };
        let all: Vec<String> = facts.live.iter().map(|(version, count)| format!("{count} of {version}")).collect();
        return (
            Verdict::Pending,
            vec![format!("the pod {} of {version} is live{state}; live pods: {}", pod.name, all.join(", "))],
        );
    }
    let mut pending = None;
    for workload in cluster.workloads.iter().filter(|workload| selector.fits(&workload.template)) {
        match intent(workload, want, label) {
            Some((Verdict::Pending, because)) => pending = pending.or(Some(because)),
            Some((_, because)) => untold.push(because),
            None => {}
        }
    }
    if let Some(because) = pending {
        return (Verdict::Pending, vec![because]);
    }
    if !untold.is_empty() {
        return (Verdict::Unknown, untold);
    }
    let (verdict, because) = match facts.live.get(want) {
        None => (Verdict::Unknown, format!("no live pod at all, so none of {want} either")),
        Some(1) => (Verdict::Pass, format!("1 live pod, of {want}")),
        Some(count) => (Verdict::Pass, format!("{count} live pods, all of {want}")),
    };
    (verdict, vec![because])
}

/// What a workload is about to do that its pods do not show yet.
fn intent(workload: &Workload, want: &str, label: &str) -> Option<(Verdict, String)> {
    let Workload { kind, name, template, replicas, generation, observed_generation } = workload;
    if *replicas > 0 {
        match template.get(label) {
            Some(version) if version == want => {}
            Some(version) => {
                return Some((Verdict::Pending, format!("the {kind} {name} still wants {replicas} pods of {version}")));
            }
            None => return Some((Verdict::Unknown, format!("the {kind} {name}'s pods get no label {label}"))),
        }
    }
    match (generation, observed_generation) {
        (Some(generation), Some(seen)) if seen >= generation => None,
        _ => Some((Verdict::Unknown, format!("the {kind} {name} has changed and its controller has not seen it yet"))),
    }
}

/// A label selector of equalities: `app=order-service,tier!=batch`, `app in (a, b)` is refused.
struct Selector {
    terms: Vec<(String, bool, String)>,
}

impl Selector {
    fn read(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in text.split(',') {
            let (key, equal, value) = match (term.split_once("!="), term.split_once("=="), term.split_once('=')) {
                (Some((key, value)), ..) => (key, false, value),
                (_, Some((key, value)), _) | (_, _, Some((key, value))) => (key, true, value),
                _ => return Err(format!("the selector `{text}` is not of the form key=value, key=value")),
            };
            let (key, value) = (key.trim(), value.trim());
            if key.is_empty() || value.is_empty() || value.contains(['=', ' ', '(']) || key.contains(['!', ' ']) {
                return Err(format!("the selector `{text}` is not of the form key=value, key=value"));
            }
            terms.push((key.to_string(), equal, value.to_string()));
        }
        Ok(Self { terms })
    }

    fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|(key, equal, value)| (labels.get(key) == Some(value)) == *equal)
    }
}
