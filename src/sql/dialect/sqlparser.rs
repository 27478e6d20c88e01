//! What sqlparser says about MySQL's and SQLite's expressions, queries and data changes: whether
//! they are SQL. Its tree has no exact place for much of what it reads, so everything that we
//! print again or point at is read from tokens.

use ::sqlparser::dialect::{Dialect as Grammar, MySqlDialect, SQLiteDialect};
use ::sqlparser::parser::{Parser, ParserError};
use ::sqlparser::tokenizer::Token as Tree;

use super::cursor::range_of;
use super::tokens::is_placeholder;
use crate::sql::Dialect;
use crate::sql::lexer::{Kind, Token, without_placeholders};
use crate::sql::statement::{Unread, line_column};

/// Its own bound on nesting is 50; ours, in the splitter, is reached first.
const DEPTH: usize = 2000;

/// The tokens are one statement.
pub(super) fn statement(source: &str, tokens: &[Token], dialect: Dialect) -> Result<(), Unread> {
    judge(source, tokens, dialect, |parser| parser.parse_statement().map(drop))
}

/// The tokens are one expression.
pub(super) fn expression(source: &str, tokens: &[Token], dialect: Dialect) -> Result<(), Unread> {
    judge(source, tokens, dialect, |parser| parser.parse_expr().map(drop))
}

fn judge(
    source: &str,
    tokens: &[Token],
    dialect: Dialect,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<(), ParserError>,
) -> Result<(), Unread> {
    let Some(range) = range_of(tokens) else { return Ok(()) };
    let grammar: &dyn Grammar = if dialect == Dialect::Mysql { &MySqlDialect {} } else { &SQLiteDialect {} };
    let text = bare(source, tokens, dialect);
    let verdict = Parser::new(grammar).with_recursion_limit(DEPTH).try_with_sql(&text).and_then(|mut parser| {
        parse(&mut parser)?;
        let next = parser.peek_token();
        if next.token == Tree::EOF { Ok(()) } else { parser.expected("the end", next) }
    });
    verdict.map_err(|error| {
        let (message, place) = explain(&error);
        let at = place.and_then(|place| offset(&text, place)).map_or(range.start, |at| range.start + at);
        let token = tokens.iter().find(|token| token.range.end > at).or(tokens.last());
        Unread { range: token.map_or(range, |token| token.range.clone()), reason: message }
    })
}

/// The tokens where they stand, blanks for all else: comments mean nothing to a grammar, nor does what a string holds.
fn bare(source: &str, tokens: &[Token], dialect: Dialect) -> String {
    let start = tokens.first().map_or(0, |token| token.range.start);
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        // `CAST(a AS CHAR CHARSET utf8)`: it knows only the longer spelling.
        let charset = |at: usize| {
            dialect == Dialect::Mysql
                && at.checked_sub(1).is_some_and(|before| {
                    tokens[at].is_word(source, "charset")
                        && (tokens[before].is_word(source, "char") || tokens[before].is_symbol(source, ')'))
                })
        };
        if charset(at) || at > 0 && charset(at - 1) {
            continue;
        }
        let blanks = token.range.start - start - text.len();
        text.extend(std::iter::repeat_n(' ', blanks));
        let said = token.text(source);
        match token.kind {
            Kind::String if said.len() > 1 => {
                text.push_str(&said[..1]);
                text.extend(std::iter::repeat_n('x', said.len() - 2));
                text.push_str(&said[said.len() - 1..]);
            }
            Kind::Quoted if dialect == Dialect::Mysql && said.starts_with('"') => {
                text.push_str(&said.replace('"', "`"))
            }
            Kind::Word if is_placeholder(said) => {
                let name = said.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
                text.extend(name);
            }
            _ => text.push_str(&without_placeholders(said)),
        }
    }
    text
}

/// The message as a fragment, and the line and column that it ends with.
fn explain(error: &ParserError) -> (String, Option<(usize, usize)>) {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => "nested too deeply",
    };
    let (text, place) = message.rsplit_once(" at Line: ").unwrap_or((message, ""));
    let place = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some((line.trim().parse().ok()?, column.trim().parse().ok()?)));
    let text =
        text.replace("Expected: ", "expected ").replace("found: EOF", "found the end").replace("found: ", "found ");
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    (first + chars.as_str(), place)
}

/// The byte at a line and column.
fn offset(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let line_start = if line <= 1 { 0 } else { text.match_indices('\n').nth(line - 2)?.0 + 1 };
    let at = text[line_start..].char_indices().nth(column.checked_sub(1)?)?.0 + line_start;
    debug_assert_eq!(line_column(text, at), (line, column));
    Some(at)
}
