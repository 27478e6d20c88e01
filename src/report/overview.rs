//! What the ledger knows of all plans, as a table or as JSON.

use serde_json::{Value, json};

use super::progress::percent;
use super::status::rows_of;
use crate::run::{HeldBy, Overview};

/// The table; a plan with a problem says it on the line below.
pub fn text(runner: Option<&HeldBy>, plans: &[Overview]) -> String {
    let mut text = format!("{}\n", runner_line(runner));
    if plans.is_empty() {
        return text + "no plan has begun\n";
    }
    let widest = plans.iter().map(|one| one.plan.chars().count()).max().unwrap_or(0);
    for one in plans {
        let state = match (&one.finished_at, &one.next) {
            (Some(at), _) => format!("finished {at} UTC"),
            (None, None) => "all steps done".to_string(),
            (None, Some(next)) => {
                let rows = match (next.rows_done, next.rows_total) {
                    (0, None) => String::new(),
                    (done, total) => {
                        let percent = percent(done, total).map_or(String::new(), |percent| format!(" ({percent} %)"));
                        format!("  {}{percent}", rows_of(done, total))
                    }
                };
                format!("{} {}{rows}", next.id, next.state)
            }
        };
        text += &format!("{:widest$}  {} of {} steps  {state}\n", one.plan, one.steps_done, one.steps);
        if let Some(problem) = one.next.as_ref().and_then(|next| next.problem.as_ref()) {
            text += &format!("{:widest$}  last problem: {problem}\n", "");
        }
    }
    text
}

/// One JSON object.
pub fn json(runner: Option<&HeldBy>, plans: &[Overview]) -> String {
    let plans: Vec<Value> = plans
        .iter()
        .map(|one| {
            let next = one.next.as_ref().map(|next| {
                json!({
                    "id": next.id, "state": next.state, "rows_done": next.rows_done, "rows_total": next.rows_total,
                    "problem": next.problem,
                })
            });
            json!({
                "plan": one.plan, "steps": one.steps, "steps_done": one.steps_done, "started_at": one.started_at,
                "finished_at": one.finished_at, "next_step": next,
            })
        })
        .collect();
    format!("{}\n", json!({ "runner": runner_json(runner), "plans": plans }))
}

/// Who is at work in this database; the lease is for all plans.
pub(super) fn runner_line(runner: Option<&HeldBy>) -> String {
    match runner {
        None => "no runner is at work".to_string(),
        Some(held) => format!("runner: {}", held.shown()),
    }
}

pub(super) fn runner_json(runner: Option<&HeldBy>) -> Option<Value> {
    runner.map(|held| json!({ "holder": held.shown(), "held_until": held.until }))
}
