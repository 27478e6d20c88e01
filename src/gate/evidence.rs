//! What was seen, as plain data: a recorded snapshot tests a gate as well as a live one.

pub mod kubernetes;

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that the gates of a phase are judged over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub approvals: Vec<Approval>,
    pub sessions: Sessions,
    /// By consumer: the text of `kubectl get deploy,rs,po -o json`, or why there is none.
    pub kubernetes: BTreeMap<String, Result<String, String>>,
}

/// A person's word for one gate of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The gate's name: `approval`, or one whose missing evidence the person answers for.
    pub gate: String,
    pub by: String,
    pub reason: String,
    /// The gaps of the gate's judgement when the person answered for them; empty for `approval`.
    pub stands_in_for: Vec<String>,
    /// The digest of the plan that was approved.
    pub digest: String,
    /// When, as the ledger recorded it.
    pub at: String,
}

/// The sessions of the target database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sessions {
    /// This engine has none, and why.
    NotKnowable(String),
    /// We may not see all of them, and why.
    Masked(String),
    /// All of them, ours left out where the server tells.
    Seen(Vec<SessionSeen>),
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionSeen {
    pub user: String,
    /// Empty where the server has no such thing.
    pub application_name: String,
}

/// Facts as the JSON text that a judgement carries.
pub(super) fn observed(facts: &impl Serialize) -> String {
    serde_json::to_string(facts).expect("plain data with text keys always becomes JSON")
}
