//! Output for people.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::Report;
use super::lines::{Lines, Sources};
use super::sentences::{details, summary};
use crate::lint::{Finding, Severity};

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
    text + &summary(report) + "\n"
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
    // The help is part of what miette draws.
    for (word, what) in details(finding).iter().skip(1) {
        text += &format!("  {word}: {what}\n");
    }
    text + "\n"
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
            if start == 0 && text.starts_with('\u{feff}') {
                // No terminal shows a byte order mark: the line below the text would begin one column late.
                start = '\u{feff}'.len_utf8().min(span.offset());
            }
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
