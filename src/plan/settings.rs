//! `change.toml`: what a team says about a phased change. Every key is optional.

use std::time::Duration;

use crate::sql::Dialect;

/// How the new version is introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    Recreate,
    #[default]
    Rolling,
    BlueGreen,
    Canary,
    Shadow,
    FeatureFlag,
    AbTest,
}

/// What `change.toml` says; its defaults without the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub dialect: Option<Dialect>,
    pub strategy: Strategy,
    /// `versions.old` and `versions.new`: how the two versions are called in labels, users and session names.
    pub old_version: Option<String>,
    pub new_version: Option<String>,
    /// Everything that speaks to this database.
    pub consumers: Vec<Consumer>,
    /// `backfill.batch-rows`: rows of the first batch; 5,000.
    pub batch_rows: u64,
    /// `backfill.batch-time`: the time that a batch is steered to; 100 ms.
    pub batch_time: Duration,
}

/// One application that uses the database, and how its versions are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub name: String,
    /// A session name with `{version}` in it: `order-service/{version}`; text after a blank is not compared.
    /// Without `{version}`: sessions that belong to no version and never hold a gate.
    pub application_name: Option<String>,
    /// A database user with `{version}` in it: `app_{version}`. Without: as above.
    pub user: Option<String>,
    pub kubernetes: Option<Kubernetes>,
}

/// A consumer's workload on Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    pub namespace: String,
    /// A label selector: `app=order-service`.
    pub selector: String,
    /// The pod label that holds the version; `app.kubernetes.io/version`.
    pub version_label: String,
    /// A file of `kubectl get deploy,rs,po -o json` to read instead of asking kubectl, relative to the change directory.
    pub evidence: Option<String>,
}
