//! Whether a version would work on the schema as it is, for people and for a deployment pipeline.

use serde_json::json;

use crate::run::rollback::{Answer, together};

/// A line for each change, and the answer below.
pub fn text(version: &str, answers: &[Answer]) -> String {
    let mut text = String::new();
    for Answer { change, progress, works, because, .. } in answers {
        let state = progress.as_ref().map(|progress| format!(" ({})", progress.name())).unwrap_or_default();
        text += &format!("{change}{state}: {}, {because}\n", word(*works));
    }
    let sentence = match together(answers) {
        Some(true) => "works on the schema as it is now",
        Some(false) => "does not work on the schema as it is now",
        None => "may or may not work on the schema as it is now: that cannot be told",
    };
    text + &format!("{version} {sentence}\n")
}

/// One JSON object; `works` is null where it cannot be told.
pub fn json(version: &str, answers: &[Answer]) -> String {
    let changes: Vec<_> = answers
        .iter()
        .map(|answer| {
            json!({
                "change": answer.change,
                "state": answer.progress.as_ref().map(|progress| progress.name()),
                "rung": answer.rung.map(|rung| rung.key()),
                "works": answer.works,
                "because": answer.because,
            })
        })
        .collect();
    format!("{}\n", json!({ "version": version, "works": together(answers), "changes": changes }))
}

fn word(works: Option<bool>) -> &'static str {
    match works {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    }
}
