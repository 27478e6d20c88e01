//! Output for GitHub Actions: workflow commands, which show a finding at its line in the pull request.

use super::Report;
use super::lines::Sources;
use super::sentences::{summary, whole};
use crate::lint::Severity;

/// A command per finding, one for each file that could not be read, and the summary with the notes as a notice.
pub fn lint(report: &Report<'_>) -> String {
    let mut sources = Sources::new(report);
    let mut text = String::new();
    for finding in &report.outcome.findings {
        let lines = sources.of(&finding.path);
        let (line, column) = lines.place(finding.range.start);
        let (end_line, end_column) = lines.place(finding.range.end);
        let command = match finding.severity {
            Severity::Deny => "error",
            Severity::Warn => "warning",
            Severity::Note => "notice",
        };
        let mut place = format!("file={},line={line},endLine={end_line}", property(&finding.path));
        // GitHub takes columns for a place within one line only.
        if line == end_line {
            place += &format!(",col={column},endColumn={end_column}");
        }
        text += &format!("::{command} {place},title={}::{}\n", property(finding.rule), data(&whole(finding)));
    }
    for error in &report.history.unreadable {
        text += &format!("::error title=not judged::{}\n", data(&error.to_string()));
    }
    let notes = report.history.notes.iter().map(|note| format!("\nnote: {note}"));
    text + &format!("::notice title=lockkeeper::{}\n", data(&(summary(report) + &notes.collect::<String>())))
}

/// What would end a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
