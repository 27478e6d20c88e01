//! A simulated Deployment: its pods are tasks with real connections, and what a cluster would say about
//! them stands in a file of the shape of `kubectl get deploy,rs,po -o json`.
//!
//! The file never says less than is so: a pod stands in it before it connects and until its connection
//! is closed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use super::book::Book;
use super::pod::{self, Version};
use super::{Census, Event, Listener};
use crate::error::{Error, Kind, Result};

/// Pods of the Deployment.
const REPLICAS: usize = 3;

/// How long a new pod takes until it counts as ready and an old one is told to stop.
const READY: Duration = Duration::from_millis(500);

/// How long a pod goes on serving after it was told to stop.
const GRACE: Duration = Duration::from_millis(1300);

pub(super) struct Cluster<'a> {
    url: &'a str,
    evidence: PathBuf,
    book: Arc<Book>,
    listener: &'a Listener<'a>,
    pods: Vec<Pod>,
    /// Every version that was rolled out, the wanted one last: the generations of the Deployment.
    versions: Vec<&'static Version>,
}

struct Pod {
    name: String,
    version: &'static Version,
    /// Since when it has been told to stop.
    terminating: Option<String>,
    stop: Arc<AtomicBool>,
    /// One task, which ends when this value does.
    task: JoinSet<()>,
}

impl<'a> Cluster<'a> {
    /// A Deployment with all its pods of `version`.
    pub(super) async fn deploy(
        url: &'a str,
        evidence: PathBuf,
        book: Arc<Book>,
        listener: &'a Listener<'a>,
        version: &'static Version,
    ) -> Result<Self> {
        let mut cluster = Self { url, evidence, book, listener, pods: Vec::new(), versions: vec![version] };
        for _ in 0..REPLICAS {
            cluster.start(version).await?;
        }
        Ok(cluster)
    }

    /// A rolling update: one pod of `version` starts, one of another version terminates, and so on.
    pub(super) async fn roll_out(&mut self, version: &'static Version) -> Result<()> {
        self.versions.push(version);
        while let Some(old) = self.pods.iter().position(|pod| pod.version != version) {
            self.start(version).await?;
            self.listener.pause(READY).await?;
            self.terminate(old).await?;
        }
        Ok(())
    }

    /// Ends all pods and waits for their last query.
    pub(super) async fn shut_down(mut self) -> Result<()> {
        while !self.pods.is_empty() {
            self.end(0).await?;
        }
        Ok(())
    }

    async fn start(&mut self, version: &'static Version) -> Result<()> {
        let suffix: String = (0..5).map(|_| fastrand::lowercase()).collect();
        let name = format!("orders-{}-{suffix}", version.name);
        let stop = Arc::new(AtomicBool::new(false));
        let pod = Pod { name: name.clone(), version, terminating: None, stop: Arc::clone(&stop), task: JoinSet::new() };
        self.pods.push(pod);
        self.publish()?;
        let session = pod::connect(self.url, version, &name).await?;
        let book = Arc::clone(&self.book);
        if let Some(pod) = self.pods.last_mut() {
            pod.task.spawn(async move { pod::serve(session, version, &book, &stop).await });
        }
        self.listener.tell(Event::PodStarted { pod: name, pods: self.census() });
        Ok(())
    }

    async fn terminate(&mut self, index: usize) -> Result<()> {
        let now = OffsetDateTime::now_utc().format(&Rfc3339);
        self.pods[index].terminating =
            Some(now.map_err(|error| Error::input("this machine's clock cannot be read").because(error))?);
        self.publish()?;
        self.listener.tell(Event::PodTerminating { pod: self.pods[index].name.clone(), pods: self.census() });
        self.listener.pause(GRACE).await?;
        let name = self.pods[index].name.clone();
        self.end(index).await?;
        self.publish()?;
        self.listener.tell(Event::PodGone { pod: name, pods: self.census() });
        Ok(())
    }

    /// The pod's last query, then the end of its connection.
    async fn end(&mut self, index: usize) -> Result<()> {
        let mut pod = self.pods.remove(index);
        pod.stop.store(true, Ordering::SeqCst);
        match pod.task.join_next().await {
            Some(Err(error)) => Err(Error::new(Kind::Step, format!("the pod {} broke down", pod.name)).because(error)),
            _ => Ok(()),
        }
    }

    fn census(&self) -> Census {
        let mut census = Census::new();
        for pod in &self.pods {
            let (running, terminating) = census.entry(pod.version.name).or_default();
            *(if pod.terminating.is_some() { terminating } else { running }) += 1;
        }
        census
    }

    /// Writes what `kubectl` would say now, in one go.
    fn publish(&self) -> Result<()> {
        let failed =
            |error: std::io::Error| Error::input(format!("cannot write {}", self.evidence.display())).because(error);
        let new = self.evidence.with_extension("new");
        std::fs::write(&new, self.json()).map_err(failed)?;
        std::fs::rename(&new, &self.evidence).map_err(failed)
    }

    /// By hand: every name in it is our own.
    fn json(&self) -> String {
        let wanted = self.versions.last().map_or("", |version| version.name);
        let mut items = vec![workload("Deployment", "orders", wanted, REPLICAS, self.versions.len())];
        let mut running: BTreeMap<&str, usize> = self.versions.iter().map(|version| (version.name, 0)).collect();
        for pod in self.pods.iter().filter(|pod| pod.terminating.is_none()) {
            *running.entry(pod.version.name).or_default() += 1;
        }
        items.extend(
            running
                .iter()
                .map(|(version, count)| workload("ReplicaSet", &format!("orders-{version}"), version, *count, 1)),
        );
        items.extend(self.pods.iter().map(|pod| {
            let mut metadata =
                format!(r#""name":"{}","namespace":"shop","labels":{}"#, pod.name, labels(pod.version.name));
            if let Some(since) = &pod.terminating {
                // Writing to a string cannot fail.
                let _ = write!(metadata, r#","deletionTimestamp":"{since}""#);
            }
            format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{{metadata}}},"status":{{"phase":"Running"}}}}"#)
        }));
        format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{{}},"items":[{}]}}"#, items.join(","))
    }
}

fn workload(kind: &str, name: &str, version: &str, replicas: usize, generation: usize) -> String {
    let labels = labels(version);
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"{kind}","metadata":{{"name":"{name}","namespace":"shop","generation":{generation},"labels":{{"app":"orders"}}}},"spec":{{"replicas":{replicas},"template":{{"metadata":{{"labels":{labels}}}}}}},"status":{{"observedGeneration":{generation}}}}}"#
    )
}

fn labels(version: &str) -> String {
    format!(r#"{{"app":"orders","app.kubernetes.io/version":"{version}"}}"#)
}
