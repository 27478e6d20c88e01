//! What an undo takes away, before it does.

use crate::gate::{Judgement, Verdict};
use crate::plan::Plan;
use crate::run::RevertRecord;
use crate::run::revert::Loss;

/// What is lost, whether the new version is gone, and where an earlier undo stands.
pub fn survey(plan: &Plan, losses: &[Loss], judgements: &[Judgement], begun: Option<&RevertRecord>) -> String {
    let mut text = match begun {
        Some(RevertRecord { by, started_at, .. }) => {
            format!("{}: an undo was begun {started_at} UTC by {by}, and goes on\n", plan.name)
        }
        None => format!("{}: undoing expand and backfill, {} statements of revert.sql\n", plan.name, plan.revert.len()),
    };
    for Loss { what, because } in losses {
        text += &format!("  lost with {what}: {because}\n");
    }
    if losses.is_empty() {
        text += "  lost: nothing; revert.sql drops no column and no table that is there\n";
    }
    for Judgement { gate, verdict, because, .. } in judgements {
        text += &match verdict {
            Verdict::Unknown => format!(
                "  gate {gate}: unknown, {because}\n    to go on is your word that no version that uses the new shape is running\n"
            ),
            other => format!("  gate {gate}: {}, {because}\n", other.name()),
        };
    }
    text
}

/// There is nothing left to undo.
pub fn undone(plan: &Plan, RevertRecord { by, reason, finished_at, .. }: &RevertRecord) -> String {
    let at = finished_at.as_deref().unwrap_or("?");
    format!("{}: undone {at} UTC by {by} ({reason}); `lockkeeper run` begins it anew\n", plan.name)
}
