//! Byte offsets to lines and columns, for many offsets of one text: a file with as many findings as lines must
//! not be counted through for each.

use super::Report;
use crate::history::Migration;

/// The files that findings stand in, in the order of the findings.
pub(super) struct Sources<'a> {
    migrations: std::slice::Iter<'a, Migration>,
    settings: Option<(&'a str, &'a str)>,
    current: (&'a str, Lines<'a>),
}

impl<'a> Sources<'a> {
    pub(super) fn new(report: &Report<'a>) -> Self {
        let settings = report.settings.path.as_deref().map(|path| (path, &*report.settings.text));
        Self { migrations: report.history.migrations.iter(), settings, current: ("", Lines::new("")) }
    }

    /// The file at this path.
    pub(super) fn of(&mut self, path: &str) -> &Lines<'a> {
        if path != self.current.0 {
            let settings = self.settings.filter(|(settings, _)| *settings == path);
            let found = settings.or_else(|| {
                self.migrations.find(|migration| migration.path == path).map(|known| (&*known.path, &*known.text))
            });
            if let Some((path, text)) = found {
                self.current = (path, Lines::new(text));
            }
        }
        &self.current.1
    }
}

/// A text, and where its lines begin.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    anchors: Vec<Anchor>,
}

/// A place from which others are counted: a line's beginning, and in a long line every so often.
#[derive(Debug)]
struct Anchor {
    offset: usize,
    line: usize,
    column: usize,
}

/// Bytes of one line between two anchors.
const STRIDE: usize = 4096;

impl<'a> Lines<'a> {
    /// Looks for the lines once.
    pub(super) fn new(text: &'a str) -> Self {
        let mut anchors = Vec::new();
        let mut offset = 0;
        for (index, content) in text.split('\n').enumerate() {
            let (mut at, mut column) = (0, 1);
            loop {
                anchors.push(Anchor { offset: offset + at, line: index + 1, column });
                let next = content.floor_char_boundary(at + STRIDE);
                if next == content.len() {
                    break;
                }
                column += content[at..next].chars().count();
                at = next;
            }
            offset += content.len() + 1;
        }
        Self { text, anchors }
    }

    /// The line and the column, in characters, of a byte offset; both count from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let end = self.text.floor_char_boundary(offset);
        let anchor = &self.anchors[self.anchors.partition_point(|anchor| anchor.offset <= end) - 1];
        // A byte order mark takes no column: no editor shows it.
        let mark = usize::from(anchor.line == 1 && end > 0 && self.text.starts_with('\u{feff}'));
        (anchor.line, anchor.column + self.text[anchor.offset..end].chars().count() - mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::line_column;

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let lines = Lines::new("\u{feff}a\nb");
        assert_eq!([3, 4, 5].map(|offset| lines.place(offset)), [(1, 1), (1, 2), (2, 1)]);
    }

    #[test]
    fn places_are_those_that_counting_finds() {
        for text in ["", "\n", "\u{feff}a\nb", "é\nb\r\n\nc", &"\u{e9}xy".repeat(9_000), &"é\n".repeat(5_000)] {
            let lines = Lines::new(text);
            for offset in
                (0..=text.len()).filter(|offset| text.len() < 100 || offset % 501 < 2 || *offset == text.len())
            {
                assert_eq!(lines.place(offset), line_column(text, offset), "{offset}");
            }
        }
    }
}
