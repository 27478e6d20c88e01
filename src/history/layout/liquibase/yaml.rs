//! A changelog in YAML, or in JSON, which YAML's parser reads as well.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::node::{Document, NESTING_CAP, Node, Value};

/// Reads the keys and lists of a file.
///
/// # Errors
/// It is no YAML, nested too deep, or its aliases stand for too much.
pub(super) fn read(text: &str) -> Result<Document, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text,
        starts: if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(at, _)| at).collect() },
        anchors: BTreeMap::new(),
        copied: 0,
    };
    let tree = reader.document()?;
    let mut root = Node::default();
    enter(&mut root, tree, false);
    let root = root.children.into_iter().find(|child| child.name == "databaseChangeLog").unwrap_or_default();
    Ok(Document { root, comments: comments(text) })
}

/// What a key or an item of a list holds.
#[derive(Clone)]
enum Tree {
    Null,
    Plain(Value),
    List(Vec<Self>),
    /// Each key with the place of it and what it holds.
    Map(Vec<(Value, Range<usize>, Self)>),
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    text: &'a str,
    /// Where each character begins; empty where each is a byte.
    starts: Vec<usize>,
    anchors: BTreeMap<usize, Tree>,
    /// How much aliases have copied.
    copied: usize,
}

/// Aliases may stand for as much: a few lines of them can stand for more than any memory holds.
const COPIES_CAP: usize = 100_000;

impl<'a> Reader<'a> {
    /// The first document of the file.
    fn document(&mut self) -> Result<Tree, String> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(Tree::Null),
                (event, span) => return Ok(self.tree(event, span, NESTING_CAP)?.0),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it ends too early".into()),
        }
    }

    /// What an event begins, and where it ends.
    fn tree(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<(Tree, usize), String> {
        if depth == 0 {
            return Err(format!("nested more than {NESTING_CAP} deep"));
        }
        let range = self.range(span);
        let mut end = range.end;
        let (tree, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let value = Value { text: text.into_owned(), range };
                (if is_null { Tree::Null } else { Tree::Plain(value) }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break end = end.max(self.end(span)),
                        (event, span) => {
                            let (item, item_end) = self.tree(event, span, depth - 1)?;
                            items.push(item);
                            end = end.max(item_end);
                        }
                    }
                }
                (Tree::List(items), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        break end = end.max(self.end(span));
                    }
                    let start = self.range(span).start;
                    let key = self.tree(event, span, depth - 1)?.0;
                    let (event, span) = self.next()?;
                    let (held, held_end) = self.tree(event, span, depth - 1)?;
                    end = end.max(held_end);
                    entry(&mut entries, key, start..held_end, held);
                }
                (Tree::Map(entries), anchor)
            }
            Event::Alias(anchor) => {
                let tree = self.anchors.get(&anchor).cloned().unwrap_or(Tree::Null);
                self.copied += tree.size();
                if self.copied > COPIES_CAP {
                    return Err(format!("its aliases stand for more than {COPIES_CAP} values"));
                }
                (tree, 0)
            }
            _ => (Tree::Null, 0),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, tree.clone());
        }
        Ok((tree, end))
    }

    /// Where a bracket closes; where only the indentation ends, nothing stands there.
    fn end(&self, span: Span) -> usize {
        if span.is_empty() { 0 } else { self.byte(span.end.index()) }
    }

    /// A span without the line ends behind it.
    fn range(&self, span: Span) -> Range<usize> {
        let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
        start..start + self.text.get(start..end).unwrap_or_default().trim_end().len()
    }

    fn byte(&self, character: usize) -> usize {
        if self.starts.is_empty() {
            return character.min(self.text.len());
        }
        self.starts.get(character).copied().unwrap_or(self.text.len())
    }
}

impl Tree {
    fn size(&self) -> usize {
        1 + match self {
            Self::Null | Self::Plain(_) => 0,
            Self::List(items) => items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => entries.iter().map(|(_, _, held)| held.size()).sum(),
        }
    }
}

/// A key that is no plain text says nothing to Liquibase; `<<` takes over another mapping's.
fn entry(entries: &mut Vec<(Value, Range<usize>, Tree)>, key: Tree, range: Range<usize>, held: Tree) {
    match (key, held) {
        (Tree::Plain(key), Tree::Map(merged)) if key.text == "<<" => entries.extend(merged),
        (Tree::Plain(key), held) => entries.push((key, range, held)),
        _ => {}
    }
}

/// Puts into a node what its key holds. In a list every key is an element, in a mapping those with a plain value are
/// like attributes.
fn enter(node: &mut Node, tree: Tree, in_list: bool) {
    match tree {
        Tree::Null => {}
        Tree::Plain(value) => node.values.push((String::new(), value)),
        Tree::List(items) => {
            for item in items {
                match item {
                    Tree::Plain(value) => node.children.push(Node {
                        range: value.range.clone(),
                        values: vec![(String::new(), value)],
                        ..Node::default()
                    }),
                    item => enter(node, item, true),
                }
            }
        }
        Tree::Map(entries) => {
            for (key, range, held) in entries {
                match held {
                    Tree::Plain(value) if !in_list => node.values.push((key.text, value)),
                    held => {
                        let mut child = Node { name: key.text, range, ..Node::default() };
                        enter(&mut child, held, false);
                        node.children.push(child);
                    }
                }
            }
        }
    }
}

const NAME: &[u8] = b"lockkeeper";

/// The comments that speak to us: `#` at a line's beginning or behind a space, up to the line's end.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut comments = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let starts = line.match_indices('#').map(|(start, _)| start);
        let begins = |start: &usize| {
            let is_apart = line[..*start].is_empty() || line[..*start].ends_with([' ', '\t']);
            let said = line[start + 1..].trim_start().as_bytes();
            is_apart && said.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        };
        comments.extend(starts.into_iter().find(begins).map(|start| at + start..at + line.trim_end().len()));
        at += line.len();
    }
    comments
}
