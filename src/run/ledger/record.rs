//! What the ledger remembers, read back from its rows.

use crate::database::Value;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    /// Begun: it may or may not have taken effect, its probe tells.
    Running,
    Done,
}

impl State {
    /// The word in the ledger and in `status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
        }
    }
}

/// What the ledger remembers of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    pub id: String,
    pub phase: String,
    /// What the step did when the plan was registered.
    pub digest: String,
    pub state: State,
    /// The key up to which a backfill is committed.
    pub last_key: Option<String>,
    /// The greatest key when the backfill began; later rows are the sync triggers' business.
    pub final_key: Option<String>,
    pub rows_done: u64,
    pub rows_total: Option<u64>,
    pub problem: Option<String>,
    /// UTC, to the second.
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
}

/// What the ledger remembers of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRecord {
    pub name: String,
    pub digest: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
}

pub(super) fn optional(row: &[Value], column: usize) -> Option<String> {
    match row.get(column) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn string(row: &[Value], column: usize) -> String {
    optional(row, column).unwrap_or_default()
}

pub(super) fn count(row: &[Value], column: usize) -> Option<u64> {
    match row.get(column) {
        Some(Value::Int(number)) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub(super) fn record(row: &[Value]) -> StepRecord {
    StepRecord {
        id: string(row, 0),
        phase: string(row, 1),
        digest: string(row, 10),
        state: match string(row, 2).as_str() {
            "done" => State::Done,
            "running" => State::Running,
            _ => State::Pending,
        },
        last_key: optional(row, 3),
        final_key: optional(row, 4),
        rows_done: count(row, 5).unwrap_or(0),
        rows_total: count(row, 6),
        problem: optional(row, 7),
        started_at: optional(row, 8),
        finished_at: optional(row, 9),
    }
}
