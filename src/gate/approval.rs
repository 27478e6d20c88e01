//! `approval`: a person approved this very plan; and a person's word in place of missing evidence.

use super::evidence::observed;
use super::{Approval, Gate, Judgement, UNDONE, Verdict};

/// Passes only with an approval of this plan's digest.
pub fn judge(gate: &Gate, approvals: &[Approval]) -> Judgement {
    let last = approvals.iter().rev().find(|approval| approval.gate == gate.name);
    let (verdict, because) = match for_this_plan(gate, approvals).next() {
        Some(approval) => (Verdict::Pass, given(approval)),
        None if last.is_some_and(|approval| approval.digest == UNDONE) => (
            Verdict::Pending,
            "the approval on record was void when the change was undone: approve it anew".to_string(),
        ),
        None if last.is_some() => (
            Verdict::Pending,
            "the approval on record is for other files: the plan has changed since, approve it again".to_string(),
        ),
        None => (Verdict::Pending, "nobody has approved this plan yet".to_string()),
    };
    Judgement {
        gate: gate.name.clone(),
        verdict,
        because,
        observed: observed(&of_gate(gate, approvals)),
        gaps: Vec::new(),
    }
}

/// Missing evidence may be replaced by a person's word, and only what was missing when it was given; contrary
/// evidence never.
pub fn in_place_of_missing_evidence(gate: &Gate, judgement: Judgement, approvals: &[Approval]) -> Judgement {
    if judgement.verdict != Verdict::Unknown {
        return judgement;
    }
    let Some(last) = for_this_plan(gate, approvals).next() else { return judgement };
    let covers = |approval: &&Approval| judgement.gaps.iter().all(|gap| approval.stands_in_for.contains(gap));
    let covering = for_this_plan(gate, approvals).find(covers);
    let Some(approval) = covering.filter(|_| !judgement.gaps.is_empty()) else {
        let because = format!(
            "{}; the word of {} was for something else: {}",
            judgement.because,
            last.by,
            in_words(&last.stands_in_for)
        );
        return Judgement { because, ..judgement };
    };
    Judgement {
        verdict: Verdict::Pass,
        because: format!("{}, although {}", given(approval), judgement.because),
        observed: format!(
            r#"{{"approvals":{},"evidence":{}}}"#,
            observed(&of_gate(gate, approvals)),
            judgement.observed
        ),
        gaps: Vec::new(),
        ..judgement
    }
}

/// Gaps as one sentence, of a length that can be read.
pub fn in_words(gaps: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut words = gaps.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if gaps.len() > SHOWN {
        words += &format!("; and {} more", gaps.len() - SHOWN);
    }
    words
}

/// The approvals of this gate and plan that name a person, the latest first.
fn for_this_plan<'a>(gate: &'a Gate, approvals: &'a [Approval]) -> impl Iterator<Item = &'a Approval> {
    approvals.iter().rev().filter(|approval| {
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
