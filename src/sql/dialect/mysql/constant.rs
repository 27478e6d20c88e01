//! Strings that are known before they are executed as SQL: literals, and what a call puts together from literals.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::sql::Dialect;
use crate::sql::change::Change;
use crate::sql::dialect::cursor::{Cursor, unquote};
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::{self, Clause};

/// What parameters stand for, by their names in lower case.
pub(super) type Arguments = BTreeMap<String, String>;

/// A string that is known before it is executed.
#[derive(Clone)]
pub(super) enum Constant {
    /// The literal at this place.
    Literal(Range<usize>),
    /// It was put together for the call at this place.
    Joined(String, Range<usize>),
}

impl Constant {
    /// What the statements in it do; `None` if one of them cannot be read.
    pub(super) fn read(&self, file: &str) -> Option<Vec<Clause>> {
        let text = match self {
            Self::Literal(range) => unescaped(&file[range.clone()])?,
            Self::Joined(text, _) => text.clone(),
        };
        let mut clauses = Vec::new();
        for statement in statement::read(&text, Dialect::Mysql) {
            for clause in statement.parsed.ok()? {
                if let Change::Opaque { .. } = clause.change {
                    return None;
                }
                let range = match self {
                    Self::Literal(range) => clause.range.start + range.start + 1..clause.range.end + range.start + 1,
                    Self::Joined(_, call) => call.clone(),
                };
                clauses.push(Clause { range, change: clause.change, in_body: true, batched: false });
            }
        }
        Some(clauses)
    }
}

/// The strings, one of which an expression is: `'a'`, `(SELECT IF(x, 'a', 'b'))`, `CONCAT('a', parameter)`. What is put
/// together stands at `place`.
pub(super) fn of(value: &Cursor<'_>, arguments: &Arguments, place: &Range<usize>) -> Option<Vec<Constant>> {
    let mut value = value.clone();
    let mut ahead = value.clone();
    if let Some(inner) = ahead.group().filter(|_| ahead.tokens.is_empty()) {
        return of(&value.within(inner), arguments, place);
    }
    value.eat("SELECT");
    if let [literal] = value.tokens
        && literal.kind == Kind::String
    {
        return Some(vec![Constant::Literal(literal.range.clone())]);
    }
    if !value.eat("IF") {
        return Some(vec![Constant::Joined(text(&value, arguments)?, place.clone())]);
    }
    let inner = value.group().filter(|_| value.tokens.is_empty())?;
    let [_, yes, no] = value.within(inner).comma_separated().try_into().ok()?;
    let mut strings = of(&yes, arguments, place)?;
    strings.extend(of(&no, arguments, place)?);
    Some(strings)
}

/// The text that an expression of literals and parameters is.
pub(super) fn text(value: &Cursor<'_>, arguments: &Arguments) -> Option<String> {
    let mut value = value.clone();
    if value.eat("CONCAT") {
        let inner = value.group().filter(|_| value.tokens.is_empty())?;
        return value.within(inner).comma_separated().iter().map(|part| text(part, arguments)).collect();
    }
    match value.tokens {
        [token] if token.kind == Kind::String => plain(token, value.source),
        [token] if token.kind == Kind::Number => Some(token.text(value.source).to_string()),
        [token] => arguments.get(&unquote(token.text(value.source)).to_ascii_lowercase()).cloned(),
        _ => None,
    }
}

/// The string that a literal means; `None` for one of another character set.
fn plain(literal: &Token, source: &str) -> Option<String> {
    let literal = literal.text(source);
    let quote = literal.chars().next()?;
    let mut chars = literal.strip_prefix(quote)?.strip_suffix(quote)?.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                mark @ ('\'' | '"' | '\\') => mark,
                _ => return None,
            },
            c if c == quote => chars.next()?,
            c => c,
        });
    }
    Some(text)
}

/// The string that a literal means, each byte where it stands in the literal: an escaped quote becomes one quote and a
/// blank outside of the string that it begins or ends.
fn unescaped(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    let mut open = false;
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' || c == quote { Some(chars.next()?) } else { None };
        match escaped {
            None => text.push(c),
            Some(mark @ ('\'' | '"')) => {
                open = !open;
                text.extend(if open { [' ', mark] } else { [mark, ' '] });
            }
            Some('n' | 'r' | 't') => text.push_str("  "),
            Some(_) => return None,
        }
    }
    Some(text)
}
