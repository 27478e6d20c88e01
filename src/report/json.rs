//! Output for machines: one JSON object per line, lines and columns from 1, byte ranges from 0.

use serde::Serialize;

use crate::history::History;
use crate::lint::{Finding, Outcome, Severity};
use crate::sql::line_column;

/// One object per finding, and the summary as the last one.
pub fn lint(history: &History, outcome: &Outcome) -> String {
    let mut migrations = history.migrations.iter();
    let mut current = migrations.next();
    let mut text = String::new();
    for finding in &outcome.findings {
        while current.is_some_and(|migration| migration.path != finding.path) {
            current = migrations.next();
        }
        text += &line(&finding_object(finding, current.map_or("", |migration| migration.text.as_str())));
    }
    let count = |severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count();
    text + &line(&SummaryObject {
        r#type: "summary",
        deny: count(Severity::Deny),
        warn: count(Severity::Warn),
        note: count(Severity::Note),
        suppressed: outcome.suppressed,
        files: outcome.files,
        statements: outcome.statements,
        unreadable_statements: outcome.unreadable,
        unreadable_files: history.unreadable.iter().map(ToString::to_string).collect(),
        notes: &history.notes,
    })
}

#[derive(Serialize)]
struct FindingObject<'a> {
    r#type: &'static str,
    rule: &'a str,
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
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    r#type: &'static str,
    deny: usize,
    warn: usize,
    note: usize,
    suppressed: usize,
    files: usize,
    statements: usize,
    unreadable_statements: usize,
    unreadable_files: Vec<String>,
    notes: &'a [String],
}

fn finding_object<'a>(finding: &'a Finding, source: &str) -> FindingObject<'a> {
    let (line, column) = line_column(source, finding.range.start);
    let (end_line, end_column) = line_column(source, finding.range.end);
    FindingObject {
        r#type: "finding",
        rule: finding.rule,
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
    }
}

fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("strings and numbers are always JSON") + "\n"
}
