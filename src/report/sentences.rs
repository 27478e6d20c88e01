//! What every format says in words: about a finding, and about what was looked at and not judged.

use super::Report;
use crate::lint::{Finding, Severity, rules};

/// What is known of a finding besides its message: a word, and what there is to say.
pub(super) fn details(finding: &Finding) -> Vec<(&'static str, String)> {
    let mut details = vec![("help", finding.help.clone())];
    details.extend(finding.lock.iter().map(|lock| ("lock", lock.clone())));
    if let Ok(rule) = rules::find(finding.rule) {
        let breaks: Vec<_> = rule.page.breaks.iter().map(|breaks| breaks.when()).collect();
        if !breaks.is_empty() {
            details.push(("breaks", format!("the old version, {}", breaks.join(" and "))));
        }
        details.extend(rule.page.allowed_when.map(|when| ("allowed when", when.to_string())));
    }
    details
}

/// The message with all details, a line each.
pub(super) fn whole(finding: &Finding) -> String {
    let details = details(finding).into_iter().map(|(word, what)| format!("\n{word}: {what}"));
    finding.message.clone() + &details.collect::<String>()
}

/// What was found, where, and what was not judged.
pub(super) fn summary(report: &Report<'_>) -> String {
    let Report { history, outcome, .. } = *report;
    if outcome.files == 0 && !history.unreadable.is_empty() {
        return format!("nothing was judged: {} could not be read", count(history.unreadable.len(), "file"));
    }
    let mut text = match outcome.findings.len() {
        0 => "no findings".to_string(),
        all => {
            let by_severity = Severity::ALL.iter().rev().filter_map(|severity| {
                let count = outcome.findings.iter().filter(|finding| finding.severity == *severity).count();
                (count > 0).then(|| format!("{count} {}", severity.name()))
            });
            format!("{} ({})", count(all, "finding"), by_severity.collect::<Vec<_>>().join(", "))
        }
    };
    text += &format!(" in {}, {}", count(outcome.files, "file"), count(outcome.statements, "statement"));
    if outcome.replayed > 0 {
        text += &format!("; replayed: {}", count(outcome.replayed, "file"));
    }
    if outcome.replayed_unreadable > 0 {
        text += &format!(", of which {} could not be read", count(outcome.replayed_unreadable, "statement"));
    }
    if outcome.suppressed > 0 {
        text += &format!("; {} suppressed", count(outcome.suppressed, "finding"));
    }
    match outcome.known {
        0 => {}
        1 => text += "; 1 finding known before",
        many => text += &format!("; {many} findings known before"),
    }
    if outcome.off > 0 {
        text += &format!("; {} of rules that are off", count(outcome.off, "finding"));
    }
    match outcome.excused {
        0 => {}
        1 => text += "; 1 finding excused by its phase",
        many => text += &format!("; {many} findings excused by their phase"),
    }
    if outcome.excused_on_trust > 0 {
        text += " (whether their expand was released before is not told)";
    }
    if outcome.on_small_tables > 0 {
        text += &format!("; {} excused on small tables", count(outcome.on_small_tables, "finding"));
    }
    if outcome.unjudged > 0 {
        let kinds: Vec<_> = outcome.unjudged_kinds.iter().map(String::as_str).collect();
        text += &format!("; not judged: {} ({})", count(outcome.unjudged, "statement"), kinds.join(", "));
    }
    if outcome.unreadable > 0 {
        text += &format!("; {} could not be read", count(outcome.unreadable, "statement"));
    }
    if !history.unreadable.is_empty() {
        text += &format!("; {} could not be read", count(history.unreadable.len(), "file"));
    }
    text
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What nobody has judged, a sentence each, and whether the command fails for it.
pub(super) fn not_judged(report: &Report<'_>) -> Vec<(bool, String)> {
    let Report { history, outcome, .. } = *report;
    let mut sentences: Vec<_> = history.unreadable.iter().map(|error| (true, error.to_string())).collect();
    if outcome.unreadable > 0 {
        sentences.push((false, format!("{} could not be read", count(outcome.unreadable, "statement"))));
    }
    if outcome.replayed_unreadable > 0 {
        let statements = count(outcome.replayed_unreadable, "replayed statement");
        sentences.push((false, format!("{statements} could not be read: what they did to the schema is not known")));
    }
    if outcome.unjudged > 0 {
        let kinds: Vec<_> = outcome.unjudged_kinds.iter().map(String::as_str).collect();
        let statements = count(outcome.unjudged, "statement");
        sentences.push((false, format!("no rule looks at {statements} ({})", kinds.join(", "))));
    }
    sentences.extend(history.notes.iter().map(|note| (false, note.clone())));
    sentences
}
