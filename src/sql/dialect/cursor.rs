//! A place in the tokens of one statement, for the parts that are read from tokens.

use std::ops::Range;

use crate::sql::change::Name;
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::Unread;

/// Reads forward through tokens; every `eat` either takes what it names or takes nothing.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) source: &'a str,
    pub(super) tokens: &'a [Token],
    /// Where the last token stands: complaints about a missing one point there.
    last: Range<usize>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str, tokens: &'a [Token]) -> Self {
        Self { source, tokens, last: tokens.last().map_or(0..0, |token| token.range.clone()) }
    }

    /// A cursor over a part of the same statement; where it holds nothing, complaints point here.
    pub(super) fn within(&self, tokens: &'a [Token]) -> Self {
        let last = tokens.last().map_or_else(|| self.here(), |token| token.range.clone());
        Self { source: self.source, tokens, last }
    }

    /// The next token's place, or at the end the last one's.
    fn here(&self) -> Range<usize> {
        self.tokens.first().map_or_else(|| self.last.clone(), |token| token.range.clone())
    }

    /// The next token in upper case, or nothing at the end.
    pub(super) fn peek(&self) -> String {
        self.tokens.first().map(|token| token.text(self.source).to_ascii_uppercase()).unwrap_or_default()
    }

    /// The next tokens are these keywords and symbols.
    pub(super) fn at(&self, words: &str) -> bool {
        let mut tokens = self.tokens.iter();
        words.split(' ').all(|word| {
            tokens.next().is_some_and(|token| {
                matches!(token.kind, Kind::Word | Kind::Symbol) && token.text(self.source).eq_ignore_ascii_case(word)
            })
        })
    }

    /// Takes these keywords and symbols.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let there = self.at(words);
        if there {
            self.tokens = &self.tokens[words.split(' ').count()..];
        }
        there
    }

    /// Takes the next token, whatever it is.
    pub(super) fn bump(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Takes one identifier; a reserved word is none unless it is quoted.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let token = self.tokens.first().filter(|token| is_name(token))?;
        if token.kind == Kind::Word && RESERVED.contains(&self.peek().as_str()) {
            return None;
        }
        self.bump();
        Some(unquote(token.text(self.source)))
    }

    /// Takes `name` or `schema.name`.
    pub(super) fn name(&mut self) -> Option<Name> {
        let first = self.identifier()?;
        if !self.eat(".") {
            return Some(Name::plain(first));
        }
        Some(Name { schema: Some(first), name: self.identifier()? })
    }

    /// Takes a parenthesised group and returns what stands in it.
    pub(super) fn group(&mut self) -> Option<&'a [Token]> {
        self.tokens.first().filter(|token| token.is_symbol(self.source, '('))?;
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.is_symbol(self.source, '(') {
                depth += 1;
            } else if token.is_symbol(self.source, ')') {
                depth -= 1;
                if depth == 0 {
                    let inner = &self.tokens[1..at];
                    self.tokens = &self.tokens[at + 1..];
                    return Some(inner);
                }
            }
        }
        None
    }

    /// Takes an identifier or says that one was expected.
    pub(super) fn need_identifier(&mut self, what: &str) -> Result<String, Unread> {
        self.identifier().ok_or_else(|| self.expected(what))
    }

    /// Takes a possibly qualified name or says that one was expected.
    pub(super) fn need_name(&mut self, what: &str) -> Result<Name, Unread> {
        self.name().ok_or_else(|| self.expected(what))
    }

    /// Takes a parenthesised group or says that one was expected.
    pub(super) fn need_group(&mut self) -> Result<&'a [Token], Unread> {
        self.group().ok_or_else(|| self.expected("a closed parenthesis"))
    }

    /// Takes these keywords or says that they were expected.
    pub(super) fn need(&mut self, words: &str) -> Result<(), Unread> {
        if self.eat(words) { Ok(()) } else { Err(self.expected(words)) }
    }

    /// Nothing is left.
    pub(super) fn need_end(&self) -> Result<(), Unread> {
        if self.tokens.is_empty() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// The complaint that something else stands here.
    pub(super) fn expected(&self, what: &str) -> Unread {
        let reason = match self.tokens.first() {
            Some(token) => format!("expected {what}, found `{}`", first_line(token.text(self.source))),
            None => format!("expected {what}, found the end"),
        };
        Unread { range: self.here(), reason }
    }

    /// Takes one token, or one whole group.
    pub(super) fn skip(&mut self) {
        if self.group().is_none() {
            self.bump();
        }
    }

    /// Takes everything up to one of these words or symbols outside parentheses and CASE.
    pub(super) fn until(&mut self, words: &[&str]) -> &'a [Token] {
        let all = self.tokens;
        let mut cases = 0_usize;
        while let Some(token) = self.tokens.first() {
            if token.is_word(self.source, "case") {
                cases += 1;
            } else if token.is_word(self.source, "end") {
                cases = cases.saturating_sub(1);
            } else if self.at("DISTINCT FROM") {
                self.bump();
            } else if cases == 0 && words.iter().any(|word| self.at(word)) {
                break;
            }
            self.skip();
        }
        &all[..all.len() - self.tokens.len()]
    }

    /// Cuts what is left at its commas outside parentheses. Behind a last comma there is one more
    /// part, an empty one.
    pub(super) fn comma_separated(&self) -> Vec<Cursor<'a>> {
        let mut rest = self.clone();
        let mut parts = Vec::new();
        loop {
            let part = rest.until(&[","]);
            parts.push(rest.within(part));
            if !rest.eat(",") {
                return parts;
            }
        }
    }
}

/// Enough of a token to recognise it in a message.
fn first_line(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    text[..end].lines().next().unwrap_or_default()
}

/// Words that both MySQL and SQLite refuse as names.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "BETWEEN",
    "CASE",
    "CHECK",
    "COLLATE",
    "CONSTRAINT",
    "CREATE",
    "DEFAULT",
    "DELETE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "EXISTS",
    "FOREIGN",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INDEX",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "LIMIT",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PRIMARY",
    "REFERENCES",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "TO",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
];

/// It can be an identifier.
pub(super) fn is_name(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Quoted)
}

/// The bytes from the first token to the last.
pub(super) fn range_of(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.range.start..tokens.last()?.range.end)
}

/// An identifier without its quotes; the spelling is kept.
pub(in crate::sql) fn unquote(text: &str) -> String {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.to_string();
    }
    for (quote, doubled) in [('"', "\"\""), ('`', "``")] {
        if let Some(inner) = inner(quote) {
            return inner.replace(doubled, &quote.to_string());
        }
    }
    text.to_string()
}
