//! What a cluster says about a consumer's workload: `kubectl get deploy,sts,rs,po -o json`, asked or recorded.
//!
//! Collecting returns the text or why there is none; `parse` reads it strictly: a missing field is an
//! error, because an object that cannot be read may be the old version's last pod.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::process::Command;

use crate::plan::{Kubernetes, Plan};

/// A recorded file older than this says nothing about now.
const OLDEST: Duration = Duration::from_mins(15);

/// How long kubectl may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for every consumer with a workload. `directory` is the change directory that evidence files are
/// relative to.
pub async fn collect(plan: &Plan, directory: &Path, now: SystemTime) -> BTreeMap<String, Result<String, String>> {
    let mut evidence = BTreeMap::new();
    for consumer in &plan.settings.consumers {
        if let Some(kubernetes) = &consumer.kubernetes {
            let text = match &kubernetes.evidence {
                Some(file) => recorded(&directory.join(file), now),
                None => asked(kubernetes, "kubectl").await,
            };
            evidence.insert(consumer.name.clone(), text);
        }
    }
    evidence
}

/// Reads a file that somebody with access to the cluster wrote.
fn recorded(path: &Path, now: SystemTime) -> Result<String, String> {
    let shown = path.display();
    let written = std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| format!("the evidence file {shown} cannot be read: {error}"))?;
    let age = match now.duration_since(written) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() < Duration::from_mins(1) => Duration::ZERO,
        Err(_) => return Err(format!("the evidence file {shown} is dated in the future")),
    };
    if age > OLDEST {
        // Without the age, which grows: a person's word for a gap holds while its words are the same.
        return Err(format!("the evidence in {shown} is more than 15 minutes old"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("the evidence file {shown} cannot be read: {error}"))
}

/// Asks the cluster by `program`, kubectl's name or path.
async fn asked(kubernetes: &Kubernetes, program: &str) -> Result<String, String> {
    let Kubernetes { namespace, selector, .. } = kubernetes;
    let mut command = Command::new(program);
    command
        .args(["get", "deploy,sts,rs,po", "-n", namespace, "-l", selector, "-o", "json"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_) => return Err(format!("kubectl did not answer within {} seconds", PATIENCE.as_secs())),
        Ok(Err(error)) => return Err(format!("kubectl could not be started: {error}")),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("nothing on stderr").trim();
        return Err(format!("kubectl failed ({}): {said}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "kubectl's answer is not UTF-8".to_string())
}

/// A cluster's answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub pods: Vec<Pod>,
    pub workloads: Vec<Workload>,
}

/// One pod, as far as a census needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub phase: Option<String>,
    /// It has been told to stop; it is live until it is gone.
    pub terminating: bool,
}

/// What makes pods: a Deployment, StatefulSet or ReplicaSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub kind: String,
    pub name: String,
    /// Its pods' labels.
    pub template: BTreeMap<String, String>,
    /// How many pods it wants; one where it does not say.
    pub replicas: u64,
    pub generation: Option<i64>,
    pub observed_generation: Option<i64>,
}

#[derive(Deserialize)]
struct List {
    kind: String,
    #[serde(default)]
    metadata: ListMetadata,
    items: Vec<Object>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    #[serde(rename = "continue")]
    more: Option<String>,
    remaining_item_count: Option<i64>,
}

#[derive(Deserialize)]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    deletion_timestamp: Option<String>,
    generation: Option<i64>,
}

#[derive(Deserialize, Default)]
struct Spec {
    replicas: Option<u64>,
    template: Option<Template>,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    metadata: TemplateMetadata,
}

#[derive(Deserialize, Default)]
struct TemplateMetadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    observed_generation: Option<i64>,
}

/// Reads a whole list, or says why it is none that a census can be taken from. Of a recorded file of several
/// namespaces, only the objects of `namespace` count.
pub fn parse(text: &str, namespace: &str) -> Result<Cluster, String> {
    let list: List =
        serde_json::from_str(text).map_err(|error| format!("the answer is no list of objects: {error}"))?;
    if !list.kind.ends_with("List") {
        return Err(format!("the answer is a {}, not a List", list.kind));
    }
    if list.metadata.more.is_some_and(|more| !more.is_empty()) || list.metadata.remaining_item_count.unwrap_or(0) != 0 {
        return Err("the list is partial: it goes on on another page".into());
    }
    let mut cluster = Cluster { pods: Vec::new(), workloads: Vec::new() };
    for Object { kind, metadata, spec, status } in list.items {
        if metadata.namespace.as_deref().is_some_and(|of| of != namespace) {
            continue;
        }
        match kind.as_str() {
            "Pod" => cluster.pods.push(Pod {
                name: metadata.name,
                labels: metadata.labels,
                phase: status.phase,
                terminating: metadata.deletion_timestamp.is_some(),
            }),
            "Deployment" | "StatefulSet" | "ReplicaSet" => {
                let template = spec.template.ok_or_else(|| format!("the {kind} {} has no template", metadata.name))?;
                cluster.workloads.push(Workload {
                    kind,
                    name: metadata.name,
                    template: template.metadata.labels,
                    replicas: spec.replicas.unwrap_or(1),
                    generation: metadata.generation,
                    observed_generation: status.observed_generation,
                });
            }
            // A selector may fit services and the like in a recorded file; they run nothing.
            _ => {}
        }
    }
    Ok(cluster)
}
