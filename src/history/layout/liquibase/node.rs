//! A changelog in no format's words: elements with their values, each with its place in the file.

use std::ops::Range;

use crate::sql::{Clause, Statement, Unread};

/// Elements within elements, deeper than any changelog.
pub(super) const NESTING_CAP: usize = 100;

/// A changelog as it was written.
pub(super) struct Document {
    /// `databaseChangeLog`.
    pub(super) root: Node,
    /// In order.
    pub(super) comments: Vec<Range<usize>>,
}

/// An element of XML, or a key of YAML or JSON with what it holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) range: Range<usize>,
    /// Attributes, and keys with a plain value; the text of an element has no name.
    pub(super) values: Vec<(String, Value)>,
    pub(super) children: Vec<Node>,
}

/// A plain value.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) text: String,
    /// Where it stands, with what it is quoted by.
    pub(super) range: Range<usize>,
}

impl Node {
    /// An attribute, a key, or the text of an element of this name.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        let own = self.values.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        own.or_else(|| self.child(name)?.value_of_text())
    }

    /// What stands between its tags.
    pub(super) fn value_of_text(&self) -> Option<&Value> {
        self.values.iter().find(|(key, _)| key.is_empty()).map(|(_, value)| value)
    }

    /// The first element of this name inside.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements of this name inside, also those of a list `<name>s`, as YAML has them.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        let is_list = move |child: &Self| child.name.strip_suffix('s') == Some(name);
        let in_lists = self.children.iter().filter(move |child| is_list(child)).flat_map(|list| &list.children);
        self.children.iter().chain(in_lists).filter(move |child| child.name == name)
    }
}

/// SQL that stands in a changelog, and where each of its lines comes from.
pub(super) struct Passage {
    pub(super) text: String,
    lines: Vec<Line>,
}

/// A line of a passage.
struct Line {
    /// Where it begins in the passage.
    here: usize,
    /// Where it stands in the file.
    there: Range<usize>,
    /// Letter by letter.
    exact: bool,
}

/// How far behind its place a line is looked for: behind the indentation that YAML takes away.
const WINDOW: usize = 256;

impl Passage {
    /// The text of a value, its lines changed by `expand`.
    pub(super) fn new(file: &str, value: &Value, mut expand: impl FnMut(&str) -> String) -> Self {
        let mut passage = Self { text: String::new(), lines: Vec::new() };
        let mut at = value.range.start;
        for line in value.text.split_inclusive('\n') {
            let expanded = expand(line);
            let indent = expanded.len() - expanded.trim_start().len();
            let said = line.trim();
            let near = file.floor_char_boundary(value.range.end.min(at + line.len() + WINDOW));
            let there = match file[at..near].find(said) {
                Some(found) => at + found..at + found + said.len(),
                // The format writes it otherwise (`&lt;`): it is the next line that is not blank.
                None => {
                    let rest = &file[at..value.range.end];
                    let start = at + rest.len() - rest.trim_start().len();
                    let end = file[start..value.range.end].find('\n').map_or(value.range.end, |end| start + end);
                    start..end
                }
            };
            at = there.end;
            let exact = file[there.clone()] == *expanded.trim();
            passage.lines.push(Line { here: passage.text.len() + indent, there, exact });
            passage.text += &expanded;
        }
        passage
    }

    /// Moves statements from here to the file.
    pub(super) fn placed(&self, statements: Vec<Statement>) -> Vec<Statement> {
        let place = |range: &Range<usize>| self.place(range);
        statements
            .into_iter()
            .map(|statement| Statement {
                range: place(&statement.range),
                parsed: match statement.parsed {
                    Ok(clauses) => {
                        Ok(clauses.into_iter().map(|clause| Clause { range: place(&clause.range), ..clause }).collect())
                    }
                    Err(unread) => Err(Unread { range: place(&unread.range), reason: unread.reason }),
                },
            })
            .collect()
    }

    /// Where a part of it stands in the file; of a line that is written otherwise there, all of the line.
    pub(super) fn place(&self, range: &Range<usize>) -> Range<usize> {
        let line_of = |at: usize| self.lines.get(self.lines.partition_point(|line| line.here <= at).saturating_sub(1));
        // The end is where the last letter is.
        let last = range.end.saturating_sub(1).max(range.start);
        let (Some(first), Some(end)) = (line_of(range.start), line_of(last)) else { return 0..0 };
        let within = |line: &Line, at: usize| (line.there.start + at.saturating_sub(line.here)).min(line.there.end);
        let start = if first.exact { within(first, range.start) } else { first.there.start };
        let end = if end.exact { within(end, range.end) } else { end.there.end };
        start..end.max(start)
    }
}
