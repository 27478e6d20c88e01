//! `approval`: a person approved this very plan; and a person's word in place of missing evidence.

use super::evidence::observed;
use super::{Approval, Gate, Judgement, Verdict};

/// Passes only with an approval of this plan's digest.
pub fn judge(gate: &Gate, approvals: &[Approval]) -> Judgement {
    let (verdict, because) = match for_this_plan(gate, approvals) {
        Some(approval) => (Verdict::Pass, given(approval)),
        None if approvals.iter().any(|approval| approval.gate == gate.name) => (
            Verdict::Pending,
            "the approval on record is for other files: the plan has changed since, approve it again".to_string(),
        ),
        None => (Verdict::Pending, "nobody has approved this plan yet".to_string()),
    };
    Judgement { gate: gate.name.clone(), verdict, because, observed: observed(&of_gate(gate, approvals)) }
}

/// Missing evidence may be replaced by a person's word; contrary evidence never.
pub fn in_place_of_missing_evidence(gate: &Gate, judgement: Judgement, approvals: &[Approval]) -> Judgement {
    if judgement.verdict != Verdict::Unknown {
        return judgement;
    }
    let Some(approval) = for_this_plan(gate, approvals) else { return judgement };
    Judgement {
        verdict: Verdict::Pass,
        because: format!("{}, although {}", given(approval), judgement.because),
        observed: format!(
            r#"{{"approvals":{},"evidence":{}}}"#,
            observed(&of_gate(gate, approvals)),
            judgement.observed
        ),
        ..judgement
    }
}

/// The latest approval of this gate and plan that names a person.
fn for_this_plan<'a>(gate: &Gate, approvals: &'a [Approval]) -> Option<&'a Approval> {
    approvals.iter().rev().find(|approval| {
        approval.gate == gate.name
            && !gate.digest.is_empty()
            && approval.digest == gate.digest
            && !approval.by.trim().is_empty()
    })
}

fn of_gate<'a>(gate: &Gate, approvals: &'a [Approval]) -> Vec<&'a Approval> {
    approvals.iter().filter(|approval| approval.gate == gate.name).collect()
}

fn given(approval: &Approval) -> String {
    let Approval { by, reason, .. } = approval;
    match reason.trim() {
        "" => format!("{by} approved it"),
        reason => format!("{by} approved it: {reason}"),
    }
}
