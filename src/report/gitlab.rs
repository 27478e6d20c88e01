//! Output for GitLab: a Code Quality report.

use serde::Serialize;

use super::Report;
use super::lines::Sources;
use super::sentences::{not_judged, whole};
use crate::lint::Severity;
use crate::lint::key::keys;

/// One list: the findings, and what was not judged.
pub fn lint(report: &Report<'_>) -> String {
    let mut sources = Sources::new(report);
    let keys = keys(&report.outcome.findings, report.history, report.settings);
    let mut issues = Vec::new();
    for (finding, key) in report.outcome.findings.iter().zip(keys) {
        let lines = sources.of(&finding.path);
        issues.push(Issue {
            r#type: "issue",
            check_name: finding.rule,
            description: whole(finding),
            severity: match finding.severity {
                Severity::Deny => "critical",
                Severity::Warn => "minor",
                Severity::Note => "info",
            },
            fingerprint: key.digest,
            location: Location {
                path: finding.path.trim_start_matches("./"),
                lines: Lines { begin: lines.place(finding.range.start).0, end: lines.place(finding.range.end).0 },
            },
        });
    }
    let anywhere = report.history.migrations.first().map_or(".", |migration| &migration.path);
    for (is_failure, what) in not_judged(report) {
        issues.push(Issue {
            r#type: "issue",
            check_name: "not-judged",
            severity: if is_failure { "blocker" } else { "info" },
            fingerprint: what.clone(),
            description: what,
            location: Location { path: anywhere.trim_start_matches("./"), lines: Lines { begin: 1, end: 1 } },
        });
    }
    serde_json::to_string_pretty(&issues).expect("strings and numbers are always JSON") + "\n"
}

#[derive(Serialize)]
struct Issue<'a> {
    r#type: &'static str,
    check_name: &'a str,
    description: String,
    severity: &'static str,
    fingerprint: String,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}
