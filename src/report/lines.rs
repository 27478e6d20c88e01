//! Byte offsets to lines and columns, for many offsets of one text: a file with as many findings as lines must
//! not be counted through for each.

/// A text, and where its lines begin.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Looks for the lines once.
    pub(super) fn new(text: &'a str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// The line and the column, in characters, of a byte offset; both count from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let end = self.text.floor_char_boundary(offset);
        (line, self.text[self.starts[line - 1]..end].chars().count() + 1)
    }
}
