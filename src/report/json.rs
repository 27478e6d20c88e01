//! Output for machines: one JSON object per line, lines and columns from 1, byte ranges from 0.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Report;
use super::lines::{Lines, Sources};
use crate::lint::{Finding, Severity, rules};

/// One object per finding, and the summary as the last one.
pub fn lint(report: &Report<'_>) -> String {
    let Report { history, outcome, .. } = report;
    let mut sources = Sources::new(report);
    let mut text = String::new();
    for finding in &outcome.findings {
        text += &line(&finding_object(finding, sources.of(&finding.path)));
    }
    let count = |severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count();
    text + &line(&SummaryObject {
        r#type: "summary",
        deny: count(Severity::Deny),
        warn: count(Severity::Warn),
        note: count(Severity::Note),
        suppressed: outcome.suppressed,
        known: outcome.known,
        excused_by_phase: outcome.excused,
        excused_without_releases: outcome.excused_on_trust,
        on_small_tables: outcome.on_small_tables,
        turned_off: outcome.off,
        files: outcome.files,
        statements: outcome.statements,
        replayed_files: outcome.replayed,
        replayed_unreadable_statements: outcome.replayed_unreadable,
        unjudged_statements: outcome.unjudged,
        unjudged_kinds: &outcome.unjudged_kinds,
        unreadable_statements: outcome.unreadable,
        unreadable_files: history.unreadable.iter().map(ToString::to_string).collect(),
        notes: &history.notes,
    })
}

#[derive(Serialize)]
struct FindingObject<'a> {
    r#type: &'static str,
    rule: &'a str,
    group: &'a str,
    severity: &'static str,
    path: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start: usize,
    end: usize,
    message: &'a str,
    help: &'a str,
    lock: Option<&'a str>,
    breaks: Vec<&'a str>,
    allowed_when: Option<&'a str>,
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    r#type: &'static str,
    deny: usize,
    warn: usize,
    note: usize,
    suppressed: usize,
    known: usize,
    excused_by_phase: usize,
    excused_without_releases: usize,
    on_small_tables: usize,
    turned_off: usize,
    files: usize,
    statements: usize,
    replayed_files: usize,
    replayed_unreadable_statements: usize,
    unjudged_statements: usize,
    unjudged_kinds: &'a BTreeSet<String>,
    unreadable_statements: usize,
    unreadable_files: Vec<String>,
    notes: &'a [String],
}

fn finding_object<'a>(finding: &'a Finding, source: &Lines<'_>) -> FindingObject<'a> {
    let page = rules::find(finding.rule).ok().map(|rule| &rule.page);
    let (line, column) = source.place(finding.range.start);
    let (end_line, end_column) = source.place(finding.range.end);
    FindingObject {
        r#type: "finding",
        rule: finding.rule,
        group: page.map_or("", |page| page.group.name()),
        severity: finding.severity.name(),
        path: &finding.path,
        line,
        column,
        end_line,
        end_column,
        start: finding.range.start,
        end: finding.range.end,
        message: &finding.message,
        help: &finding.help,
        lock: finding.lock.as_deref(),
        breaks: page.iter().flat_map(|page| &page.breaks).map(|breaks| breaks.name()).collect(),
        allowed_when: page.and_then(|page| page.allowed_when),
    }
}

fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("strings and numbers are always JSON") + "\n"
}
