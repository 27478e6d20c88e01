//! Conditions in front of a phase, as pure functions over evidence snapshots.
//!
//! In: a plan and what was seen (`evidence`), as data. Out: for every gate of a phase a verdict with one
//! sentence that says why. Invariants: nothing here asks a database, a cluster or a clock, except the
//! collectors in `evidence/`; and no missing, masked, partial or unreadable evidence is ever a pass.

pub mod approval;
pub mod db_sessions;
pub mod evidence;
pub mod k8s_only_version;

pub use evidence::{Approval, Evidence, SessionSeen, Sessions};

use crate::plan::{Consumer, Kubernetes, Phase, Plan};
use crate::sql::Dialect;

/// A named condition in front of a phase, with all that it needs to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The kind, and the consumer where there is one per consumer: `k8s_only_version:order-service`.
    pub name: String,
    pub phase: Phase,
    /// The digest of the plan: approvals are bound to it.
    pub digest: String,
    pub condition: Condition,
}

/// What a gate demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A person approved this very plan.
    Approval,
    /// No session of a version other than `want`.
    DbSessions { want: Option<String>, consumers: Vec<Consumer> },
    /// Every live pod of the consumer runs `want`, and there is one.
    K8sOnlyVersion { want: String, consumer: String, kubernetes: Kubernetes },
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The evidence is there and says yes.
    Pass,
    /// The evidence says not yet.
    Pending,
    /// The evidence says no, and waiting will not change it.
    Fail,
    /// There is no evidence, or none that decides: never a pass.
    Unknown,
}

impl Verdict {
    /// The word of output and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Pending => "pending",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// The verdict of one gate, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub gate: String,
    pub verdict: Verdict,
    /// One sentence without a full stop, in lower case.
    pub because: String,
    /// The facts that decided, as a JSON object.
    pub observed: String,
    /// What an unknown verdict lacks, one thing each, in words that stay the same while the situation does:
    /// a stand-in opens the gate for these and for nothing else.
    pub gaps: Vec<String>,
}

/// What the names of a revert's gates begin with: a person's word for one of contract's is none for them.
pub const REVERT: &str = "revert_";

/// What an undo puts in the place of an approval's digest: it was given for what is no more.
pub const UNDONE: &str = "reverted";

/// The gates in front of `phase`: contract's. The earlier phases only add.
pub fn gates_of(plan: &Plan, phase: Phase) -> Vec<Gate> {
    if phase != Phase::Contract {
        return Vec::new();
    }
    let approval = Gate { name: "approval".into(), phase, digest: plan.digest.clone(), condition: Condition::Approval };
    std::iter::once(approval).chain(only_version(plan, phase, "", plan.settings.new_version.as_ref())).collect()
}

/// The gates in front of a revert: it drops what the new version uses, so that nothing but the old one may be left.
pub fn gates_of_revert(plan: &Plan) -> Vec<Gate> {
    only_version(plan, Phase::Expand, REVERT, plan.settings.old_version.as_ref())
}

/// Nothing but `want` is left.
fn only_version(plan: &Plan, phase: Phase, prefix: &str, want: Option<&String>) -> Vec<Gate> {
    let gate = |name: String, condition| Gate {
        name: format!("{prefix}{name}"),
        phase,
        digest: plan.digest.clone(),
        condition,
    };
    let settings = &plan.settings;
    let mut gates = vec![gate(
        "db_sessions".into(),
        Condition::DbSessions {
            want: want.cloned(),
            consumers: settings.consumers.iter().map(|consumer| as_seen_by(plan.dialect, consumer)).collect(),
        },
    )];
    for consumer in &settings.consumers {
        if let Some(kubernetes) = &consumer.kubernetes {
            gates.push(gate(
                format!("k8s_only_version:{}", consumer.name),
                Condition::K8sOnlyVersion {
                    // An empty version matches no pod.
                    want: want.cloned().unwrap_or_default(),
                    consumer: consumer.name.clone(),
                    kubernetes: kubernetes.clone(),
                },
            ));
        }
    }
    gates
}

/// The consumer without the patterns that a server of this dialect has nothing to compare with:
/// only PostgreSQL knows session names.
fn as_seen_by(dialect: Dialect, consumer: &Consumer) -> Consumer {
    let mut seen = consumer.clone();
    if dialect != Dialect::Postgres {
        seen.application_name = None;
    }
    seen
}

/// Judges one gate over what was seen and what persons answered for.
pub fn judge(gate: &Gate, evidence: &Evidence) -> Judgement {
    let judgement = without_stand_in(gate, evidence);
    match gate.condition {
        Condition::Approval => judgement,
        _ => approval::in_place_of_missing_evidence(gate, judgement, &evidence.approvals),
    }
}

/// Judges one gate as if nobody had stood in for its evidence.
pub fn without_stand_in(gate: &Gate, evidence: &Evidence) -> Judgement {
    match &gate.condition {
        Condition::Approval => approval::judge(gate, &evidence.approvals),
        Condition::DbSessions { want, consumers } => {
            db_sessions::judge(&gate.name, want.as_deref(), consumers, &evidence.sessions)
        }
        Condition::K8sOnlyVersion { want, consumer, kubernetes } => {
            k8s_only_version::judge(&gate.name, want, kubernetes, evidence.kubernetes.get(consumer))
        }
    }
}
