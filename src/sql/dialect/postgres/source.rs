//! One statement as the lowering sees it: its own text, where that stands in the file, and what it calls things.

use std::borrow::Cow;
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::sql::change::{Change, Name};
use crate::sql::dialect::cursor::{Cursor, is_name, range_of, unquote};
use crate::sql::dialect::{clause, filter};
use crate::sql::lexer::{Kind, Token, is_template, without_placeholders};
use crate::sql::split::Piece;
use crate::sql::statement::Clause;

/// One statement, and the file that its ranges point into.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) piece: &'a Piece,
}

impl<'a> Source<'a> {
    /// One change that takes the whole statement.
    pub(super) fn whole(&self, change: Option<Change>) -> Option<Vec<Clause>> {
        Some(vec![Clause::new(self.piece.range.clone(), change?)])
    }

    /// A statement that is no change of ours is named.
    pub(super) fn other(&self) -> Option<Vec<Clause>> {
        self.whole(Some(Change::Other { kind: self.kind() }))
    }

    /// The statement as the parser gets it: every token in its place, blanks for comments and for what a
    /// routine's strings hold, and identifiers for placeholders. A body is no part of the schema, and the parser
    /// would parse it, too, without a bound.
    pub(super) fn parsable(&self) -> String {
        let has_body = self.has_body();
        let start = self.piece.range.start;
        let mut text = String::with_capacity(self.piece.range.len());
        for (at, token) in self.piece.tokens.iter().enumerate() {
            let gap = self.file[start + text.len()..token.range.start].bytes();
            // Two strings are one where a line ends between them.
            text.extend(gap.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            // The parser knows `SET NAMES = x` only.
            if self.is_set_names(at) && text.ends_with([' ', '\n']) {
                text.pop();
                text.push('=');
            }
            let source = token.text(self.file);
            match token.kind {
                Kind::String if has_body => {
                    let (open, close) = super::body::quotes(source);
                    let blanks = " ".repeat(source.len() - open - close);
                    text.extend([&source[..open], &blanks, &source[source.len() - close..]]);
                }
                Kind::Word if self.starts_unknown_attribute(at) || at > 0 && self.starts_unknown_attribute(at - 1) => {
                    text.push_str(&" ".repeat(source.len()));
                }
                Kind::Word => text.push_str(&without_placeholders(source)),
                Kind::String => text.push_str(&standard(source)),
                // An index's column has a number, which the parser knows in ALTER INDEX only.
                Kind::Number if self.is_altered_number(at) => text.push_str(&"_".repeat(source.len())),
                _ => text.push_str(source),
            }
        }
        text
    }

    /// The same with identifiers and values for what psql, Python and others put values in place of: `:name`,
    /// `:'name'`, `:"name"`, `%(name)s`, `%s`. `None` where there is none of them. Most of these are also
    /// something that PostgreSQL knows, so this is for what it would refuse.
    pub(super) fn parsable_with_variables(&self) -> Option<String> {
        let mut text = self.parsable();
        let mut found = false;
        let tokens = &self.piece.tokens;
        for at in 0..tokens.len() {
            let adjacent = |pair: &[Token]| pair[0].range.end == pair[1].range.start;
            let length = tokens[at..].windows(2).take_while(|pair| adjacent(pair)).take(4).count() + 1;
            let follows = |to: usize| tokens[at + 1..(at + to).min(at + length)].iter().map(|it| it.text(self.file));
            let is = |marks: [&str; 2]| follows(5).step_by(2).take(2).eq(marks) && length == 5;
            let behind_colon = at > 0 && tokens[at - 1].is_symbol(self.file, ':');
            let count = match tokens[at].text(self.file) {
                ":" if !behind_colon && length > 1 => 2,
                "%" if is(["(", ")"]) => 5,
                "%" if follows(2).next() == Some("s") => 2,
                _ => continue,
            };
            let last = &tokens[at + count - 1];
            let start = tokens[at].range.start - self.piece.range.start;
            let end = last.range.end - self.piece.range.start;
            let with = match last.kind {
                Kind::String => format!("'{}'", "_".repeat(end - start - 2)),
                Kind::Word | Kind::Quoted => "_".repeat(end - start),
                _ => continue,
            };
            text.replace_range(start..end, &with);
            found = true;
        }
        found.then_some(text)
    }

    /// The token stands behind `SET NAMES`.
    fn is_set_names(&self, at: usize) -> bool {
        let is = |at: usize, word: &str| self.piece.tokens.get(at).is_some_and(|it| it.is_word(self.file, word));
        is(0, "set") && (at == 2 && is(1, "names") || at == 3 && is(2, "names"))
    }

    /// The token stands between `ALTER [COLUMN]` and `SET`.
    fn is_altered_number(&self, at: usize) -> bool {
        let is = |at: usize, words: &[&str]| {
            self.piece.tokens.get(at).is_some_and(|it| words.iter().any(|word| it.is_word(self.file, word)))
        };
        is(0, &["alter"]) && is(1, &["table"]) && is(at.wrapping_sub(1), &["alter", "column"]) && is(at + 1, &["set"])
    }

    /// It is a DO, or creates a function or a procedure.
    fn has_body(&self) -> bool {
        let is = |at: usize, word: &str| self.piece.tokens.get(at).is_some_and(|it| it.is_word(self.file, word));
        let routine = |at: usize| is(at, "function") || is(at, "procedure");
        is(0, "do") || is(0, "create") && (routine(1) || is(1, "or") && routine(3))
    }

    /// `STORAGE main` and `COMPRESSION lz4` in ADD COLUMN, which the parser knows only in CREATE TABLE.
    pub(super) fn starts_unknown_attribute(&self, at: usize) -> bool {
        let is = |at: usize, words: &[&str]| {
            self.piece.tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(self.file, word)))
        };
        is(0, &["alter"])
            && is(at, &["storage", "compression"])
            && is(at + 1, &["plain", "external", "extended", "main", "default", "pglz", "lz4"])
            && !is(at.wrapping_sub(1), &["set", "add", "column", "exists"])
    }

    /// Whether the last word of a node is CASCADE.
    pub(super) fn cascades(&self, node: &SyntaxNode) -> bool {
        self.tokens(node).last().is_some_and(|token| token.is_word(self.file, "cascade"))
    }

    pub(super) fn kind(&self) -> String {
        clause::statement_kind(self.file, &self.piece.tokens)
    }

    /// One change for each name of a list.
    pub(super) fn each<N: AstNode>(
        &self,
        nodes: impl Iterator<Item = N>,
        change: impl Fn(Name) -> Change,
    ) -> Option<Vec<Clause>> {
        self.each_node(nodes.map(|node| node.syntax().clone()), change)
    }

    pub(super) fn each_node(
        &self,
        nodes: impl Iterator<Item = SyntaxNode>,
        change: impl Fn(Name) -> Change,
    ) -> Option<Vec<Clause>> {
        let clause = |node: SyntaxNode| Clause::new(self.range(&node), change(self.name(&node)));
        let mut clauses: Vec<Clause> = nodes.map(clause).collect();
        if let [only] = clauses.as_mut_slice() {
            only.range = self.piece.range.clone();
        }
        Some(clauses)
    }

    /// One change for each table of a list; the only one takes the whole statement.
    pub(super) fn each_of(&self, tables: Vec<(Range<usize>, Name)>, change: impl Fn(Name) -> Change) -> Vec<Clause> {
        let whole = tables.len() == 1;
        let range = |range| if whole { self.piece.range.clone() } else { range };
        tables.into_iter().map(|(place, table)| Clause::new(range(place), change(table))).collect()
    }

    /// The bytes of a node in the file, from its first token to its last.
    pub(super) fn range(&self, node: &SyntaxNode) -> Range<usize> {
        let tokens = self.tokens(node);
        range_of(tokens).unwrap_or_else(|| self.piece.range.clone())
    }

    /// The statement's tokens that a node covers.
    pub(super) fn tokens(&self, node: &SyntaxNode) -> &[Token] {
        let start = self.piece.range.start + usize::from(node.text_range().start());
        let end = self.piece.range.start + usize::from(node.text_range().end());
        let tokens = &self.piece.tokens;
        let first = tokens.partition_point(|token| token.range.start < start);
        let last = tokens.partition_point(|token| token.range.end <= end);
        &tokens[first..last.max(first)]
    }

    /// A node's source text.
    pub(super) fn text(&self, node: &SyntaxNode) -> String {
        filter::text_of(self.file, self.tokens(node)).unwrap_or_default()
    }

    /// The token at or behind a byte; at the end the last one.
    pub(super) fn token_at(&self, at: usize) -> Range<usize> {
        let tokens = &self.piece.tokens;
        let next = tokens.partition_point(|token| token.range.end <= at);
        tokens.get(next).or(tokens.last()).map_or(self.piece.range.clone(), |token| token.range.clone())
    }

    /// The possibly qualified name that a node holds.
    pub(super) fn name(&self, node: &SyntaxNode) -> Name {
        let mut segments: Vec<String> = node
            .descendants()
            .filter(|node| matches!(node.kind(), SyntaxKind::PATH_SEGMENT | SyntaxKind::PATH_SEGMENT_REF))
            .map(|segment| self.identifier(&segment))
            .collect();
        let name = segments.pop().unwrap_or_else(|| self.identifier(node));
        Name { schema: segments.pop(), name }
    }

    /// One identifier as PostgreSQL folds it; one with placeholders in it as it is written.
    pub(super) fn identifier(&self, node: &SyntaxNode) -> String {
        let written = self.text(node);
        let template = written.starts_with(|c: char| c == ':' || c.is_ascii_digit())
            || !written.contains('"') && is_template(&written);
        if template { written } else { cut(ast::normalize_name_node(node)) }
    }

    /// A cursor at the statement's first token.
    pub(super) fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.file, &self.piece.tokens)
    }
}

/// A plain string in which a backslash escapes as one that doubles its quotes, byte for byte in its place.
fn standard(literal: &str) -> Cow<'_, str> {
    let plain = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or_default();
    let doubled =
        plain.matches('\'').count().is_multiple_of(2) && plain.split('\'').skip(1).step_by(2).all(str::is_empty);
    if !plain.contains("\\'") || doubled {
        return literal.into();
    }
    let mut text = String::from("'");
    let mut rest = plain;
    while let Some(at) = rest.find('\\') {
        let escaped = rest[at + 1..].chars().next().map_or(0, char::len_utf8);
        text.push_str(&rest[..at]);
        text.push_str(if rest[at + 1..].starts_with('\'') { "''" } else { &rest[at..at + 1 + escaped] });
        rest = &rest[at + 1 + escaped..];
    }
    text.push_str(rest);
    (text + "'").into()
}

/// Takes one identifier, folded; PostgreSQL has accepted the statement, so that any word may be one.
pub(super) fn take_identifier(cursor: &mut Cursor<'_>) -> Option<String> {
    let variable = cursor.eat(":");
    let token = cursor.tokens.first().filter(|token| is_name(token))?;
    let written = token.text(cursor.source);
    cursor.bump();
    Some(match token.kind {
        _ if variable => format!(":{written}"),
        Kind::Quoted => cut(unquote(written.trim_start_matches(['u', 'U', '&']))),
        _ if is_template(written) => written.to_string(),
        _ => cut(written.to_lowercase()),
    })
}

/// Takes a possibly qualified name.
pub(super) fn take_name(cursor: &mut Cursor<'_>) -> Option<Name> {
    let mut name = Name::plain(take_identifier(cursor)?);
    while cursor.eat(".") {
        name = Name { schema: Some(name.name), name: take_identifier(cursor)? };
    }
    Some(name)
}

/// Takes a list of tables as TRUNCATE and LOCK have it, each with its place.
pub(super) fn take_tables(cursor: &mut Cursor<'_>) -> Option<Vec<(Range<usize>, Name)>> {
    let mut tables = Vec::new();
    loop {
        cursor.eat("ONLY");
        cursor.eat("(");
        let before = cursor.tokens;
        let table = take_name(cursor)?;
        tables.push((range_of(&before[..before.len() - cursor.tokens.len()])?, table));
        cursor.eat(")");
        cursor.eat("*");
        if !cursor.eat(",") {
            return Some(tables);
        }
    }
}

/// PostgreSQL cuts longer names.
const NAME_BYTES: usize = 63;

fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_BYTES));
    name
}
