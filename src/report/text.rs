//! Output for people.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::Report;
use super::lines::{Lines, Sources};
use crate::history::History;
use crate::lint::{Finding, Outcome, Severity, rules};

/// The findings with their source, the notes, and the summary as the last line.
pub fn lint(report: &Report<'_>, color: bool) -> String {
    let Report { history, outcome, .. } = *report;
    let mut sources = Sources::new(report);
    let mut text = String::with_capacity(outcome.findings.len() * USUAL_BYTES);
    for finding in &outcome.findings {
        text += &render(finding, &Source { path: &finding.path, lines: sources.of(&finding.path) }, color);
    }
    for note in &history.notes {
        text += &format!("note: {note}\n");
    }
    text + &summary(history, outcome) + "\n"
}

/// What a finding takes as text, or a little more: a long report is not moved while it grows.
const USUAL_BYTES: usize = 900;

/// One finding with its source.
fn render(finding: &Finding, source: &Source<'_>, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).with_wrap_lines(false).with_context_lines(1);
    let mut text = String::new();
    let shown = Shown { finding, source };
    if handler.render_report(&mut text, &shown).is_err() {
        // Only a span outside of its file comes here; the finding must not get lost.
        text = format!("{}: {}\n  help: {}\n", finding.path, finding.message, finding.help);
    }
    if let Some(lock) = &finding.lock {
        text += &format!("  lock: {lock}\n");
    }
    if let Ok(rule) = rules::find(finding.rule) {
        let breaks: Vec<_> = rule.page.breaks.iter().map(|breaks| breaks.when()).collect();
        if !breaks.is_empty() {
            text += &format!("  breaks: the old version, {}\n", breaks.join(" and "));
        }
        if let Some(allowed_when) = rule.page.allowed_when {
            text += &format!("  allowed when: {allowed_when}\n");
        }
    }
    text + "\n"
}

/// What was found, where, and what was not judged.
fn summary(history: &History, outcome: &Outcome) -> String {
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

/// A finding as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    source: &'a Source<'a>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.finding.rule))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Deny => miette::Severity::Error,
            Severity::Warn => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(&self.finding.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let range = self.source.first_lines(self.finding);
        Some(Box::new(std::iter::once(LabeledSpan::underline(range))))
    }
}

/// A file's text under its path, borrowed: miette's own named source wants to own both.
#[derive(Debug)]
struct Source<'a> {
    path: &'a str,
    lines: &'a Lines<'a>,
}

impl Source<'_> {
    /// As much of the finding's range as fits on a screen.
    fn first_lines(&self, finding: &Finding) -> std::ops::Range<usize> {
        const LINES: usize = 12;
        let range = finding.range.clone();
        let length = self.lines.text.get(range.clone()).map_or(range.len(), |text| {
            let lines = text.split_inclusive('\n').take(LINES);
            let first_long = lines.clone().position(|line| line.len() > LONG_LINE);
            let shown = lines.take(first_long.unwrap_or(LINES)).map(str::len).sum::<usize>();
            let end = if first_long.is_some() { text.floor_char_boundary(shown + LONG_LINE) } else { shown };
            text[..end].trim_end().len()
        });
        range.start..range.start + length
    }
}

/// No more bytes than this are shown of a line before and behind the place of a finding: a file may be one line.
const LONG_LINE: usize = 200;

impl SourceCode for Source<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let (mut start, mut end) = (span.offset(), span.offset() + span.len());
        let text = self.lines.text;
        if !text.is_char_boundary(start) || !text.is_char_boundary(end) {
            return Err(MietteError::OutOfBounds);
        }
        if lines_before > 0 {
            // The lines of the span and no others: the place above them was asked for without context.
            let before = text.ceil_char_boundary(start.saturating_sub(LONG_LINE));
            start = text[before..start].rfind('\n').map_or(before, |at| before + at + 1);
            let behind = text.floor_char_boundary(end + LONG_LINE);
            end = text[end..behind].find(['\r', '\n']).map_or(behind, |at| end + at);
        }
        let (line, column) = self.lines.place(start);
        let (line, column) = (line - 1, column - 1);
        let lines = text[start..end].matches('\n').count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.to_string(),
            &text.as_bytes()[start..end],
            (start, end - start).into(),
            line,
            column,
            lines,
        )))
    }
}
