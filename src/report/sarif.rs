//! Output for code scanning: SARIF 2.1.0. Columns count characters, as everywhere; what was not judged is a
//! notification of the invocation.

use serde_json::{Value, json};

use super::Report;
use super::lines::Sources;
use super::sentences::{not_judged, summary, whole};
use crate::lint::key::{Key, keys};
use crate::lint::rules::{self, Rule};
use crate::lint::{Finding, Severity};

/// One run, with the rules that found something.
pub fn lint(report: &Report<'_>) -> String {
    let mut sources = Sources::new(report);
    let findings = &report.outcome.findings;
    let found: Vec<&Rule> =
        rules::all().iter().filter(|rule| findings.iter().any(|finding| finding.rule == rule.id)).collect();
    let keys = keys(findings, report.history, report.settings);
    let results: Vec<Value> = findings
        .iter()
        .zip(keys)
        .map(|(finding, key)| {
            let lines = sources.of(&finding.path);
            let index = found.iter().position(|rule| rule.id == finding.rule);
            result(finding, &key, index, lines.place(finding.range.start), lines.place(finding.range.end))
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lockkeeper",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": found.into_iter().map(descriptor).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.history.unreadable.is_empty(),
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).expect("strings and numbers are always JSON") + "\n"
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.page.title },
        "help": { "text": rule.page.explanation, "markdown": rule.page.explanation },
        "defaultConfiguration": { "level": level(rule.page.severity) },
        "properties": { "tags": [rule.page.group.name()] },
    })
}

fn result(
    finding: &Finding,
    key: &Key,
    rule: Option<usize>,
    (line, column): (usize, usize),
    (end_line, end_column): (usize, usize),
) -> Value {
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": level(finding.severity),
        "message": { "text": whole(finding) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.path) },
            "region": {
                "startLine": line,
                "startColumn": column,
                "endLine": end_line,
                "endColumn": end_column,
                "byteOffset": finding.range.start,
                "byteLength": finding.range.len(),
            },
        } }],
        "partialFingerprints": { "lockkeeper/v1": key.digest },
    })
}

/// What was not judged, what was assumed, and the summary.
fn notifications(report: &Report<'_>) -> Vec<Value> {
    let notification = |level: &str, text: String| json!({ "level": level, "message": { "text": text } });
    let not_judged = not_judged(report).into_iter();
    let mut notifications: Vec<Value> =
        not_judged.map(|(is_failure, what)| notification(if is_failure { "error" } else { "note" }, what)).collect();
    notifications.push(notification("note", summary(report)));
    notifications
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
        Severity::Note => "note",
    }
}

/// A path as a reference that is relative to where the command ran, or a `file:` URI.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}
