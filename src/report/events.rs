//! Events of a run as JSON lines: one object each, with its time, its plan, its kind and the fields of that kind.
//! The README's table says which; a test keeps both equal.

use serde::Serialize;
use serde_json::{Value, json};

use crate::database::Blocker;
use crate::run::Event;

/// The object of an event, on a line of its own; `time` is RFC 3339 in UTC.
pub fn line(time: &str, plan: &str, event: &Event) -> String {
    let (kind, fields) = parts(event);
    // Strings and numbers, of which every one can be written.
    let object = serde_json::to_string(&Object { time, plan, kind, fields }).unwrap_or_default();
    format!("{object}\n")
}

#[derive(Serialize)]
struct Object<'a> {
    time: &'a str,
    plan: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    fields: Value,
}

fn parts(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Opened { plan: _, steps, done } => ("opened", json!({ "steps": steps, "done": done })),
        Event::PhaseStarted { phase } => ("phase_started", json!({ "phase": phase.name() })),
        Event::StepStarted { step, sql, resumed } => {
            ("step_started", json!({ "step": step, "sql": sql, "resumed": resumed }))
        }
        Event::StepDone { step, found } => ("step_done", json!({ "step": step, "found": found })),
        Event::Repaired { step, what } => ("repaired", json!({ "step": step, "what": what })),
        Event::OtherWay { step, because } => ("other_way", json!({ "step": step, "because": because })),
        Event::BegunAgain { step, because } => ("begun_again", json!({ "step": step, "because": because })),
        Event::Batch { step, rows_done, rows_total, rows, milliseconds } => (
            "batch",
            json!({
                "step": step, "rows_done": rows_done, "rows_total": rows_total, "rows": rows,
                "milliseconds": whole(*milliseconds),
            }),
        ),
        Event::Quarantined { step, row, because } => {
            ("quarantined", json!({ "step": step, "row": row, "because": because }))
        }
        Event::Retry { step, attempt, because, by, milliseconds } => (
            "retry",
            json!({
                "step": step, "attempt": attempt, "because": because, "by": blockers(by),
                "milliseconds": whole(*milliseconds),
            }),
        ),
        Event::Blocked { step, by } => ("blocked", json!({ "step": step, "by": blockers(by) })),
        Event::Proved { step, rows, ranges, repaired } => {
            ("proved", json!({ "step": step, "rows": rows, "ranges": ranges, "repaired": repaired }))
        }
        Event::Refilled { step, rows } => ("refilled", json!({ "step": step, "rows": rows })),
        Event::Rechecked { step, proof, how } => ("rechecked", json!({ "step": step, "proof": proof, "how": how })),
        Event::ProofFailed { step, example } => ("proof_failed", json!({ "step": step, "example": example })),
        Event::Judged { phase, judgements } => {
            let gates: Vec<Value> = judgements
                .iter()
                .map(|one| json!({ "gate": one.gate, "verdict": one.verdict.name(), "because": one.because }))
                .collect();
            ("judged", json!({ "phase": phase.name(), "gates": gates }))
        }
        Event::Waiting { because } => ("waiting", json!({ "because": because })),
        Event::LeaseInDoubt { because } => ("lease_in_doubt", json!({ "because": because })),
        Event::Throttled { signal, because, unreadable } => {
            ("throttled", json!({ "signal": signal, "because": because, "unreadable": unreadable }))
        }
        Event::Slowed { because } => ("slowed", json!({ "because": because })),
        Event::Load { readings } => {
            let signals: Vec<Value> = readings
                .iter()
                .map(|one| {
                    json!({
                        "signal": one.signal, "value": one.value.as_ref().ok(), "unreadable": one.value.as_ref().err(),
                        "stops_above": one.limit.map(|limit| limit.stop_above), "what": one.what,
                    })
                })
                .collect();
            ("load", json!({ "signals": signals }))
        }
        Event::NotWatched { because } => ("not_watched", json!({ "because": because })),
        Event::Advice { advice } => ("advice", json!({ "advice": advice })),
        Event::Bypassed { because } => ("bypassed", json!({ "because": because })),
        Event::WentOn { milliseconds } => ("went_on", json!({ "milliseconds": whole(*milliseconds) })),
        Event::Forced { by, reason, against } => ("forced", json!({ "by": by, "reason": reason, "against": against })),
        Event::SettingsChanged { files } => ("settings_changed", json!({ "files": files })),
        Event::Finished { plan: _ } => ("finished", json!({})),
        Event::Reverting { plan: _, steps, done } => ("reverting", json!({ "steps": steps, "done": done })),
        Event::NothingToUndo { step } => ("nothing_to_undo", json!({ "step": step })),
        Event::LeftBehind { what } => ("left_behind", json!({ "what": what })),
        Event::Reverted { plan: _ } => ("reverted", json!({})),
        Event::Stopping { at_once, because } => ("stopping", json!({ "at_once": at_once, "because": because })),
        Event::Ended { exit_code, because } => ("ended", json!({ "exit_code": exit_code, "because": because })),
    }
}

/// JSON's numbers end before those of `u128`; no batch takes that long.
fn whole(milliseconds: u128) -> u64 {
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}

fn blockers(by: &[Blocker]) -> Vec<Value> {
    let one = |one: &Blocker| {
        json!({
            "session": one.id, "user": one.user, "application": one.application_name, "state": one.state,
            "seconds": one.age.map(|age| age.as_secs()), "query_start": one.query_start, "certain": one.certain,
        })
    };
    by.iter().map(one).collect()
}
