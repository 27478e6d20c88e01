//! What clients put values in place of, where the lexer sees several tokens: `:name`, `%s`, `%(name)s`.

use crate::sql::lexer::{Kind, Token};

/// The tokens with each such placeholder as one word.
pub(super) fn joined(source: &str, tokens: impl Iterator<Item = Token>) -> Vec<Token> {
    let tokens: Vec<Token> = tokens.collect();
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let [first, behind @ ..] = rest {
        let length =
            if first.kind == Kind::Symbol && operand_follows(source, joined.last()) { length(source, rest) } else { 0 };
        if length == 0 {
            joined.push(first.clone());
            rest = behind;
        } else {
            let range = first.range.start..rest[length - 1].range.end;
            joined.push(Token { kind: Kind::Word, range });
            rest = &rest[length..];
        }
    }
    joined
}

/// It is a word that stands for what a client puts in its place.
pub(in crate::sql::dialect) fn is_placeholder(word: &str) -> bool {
    word.starts_with([':', '%'])
}

/// How many of the tokens are a placeholder; none of them stands apart from the one before.
fn length(source: &str, tokens: &[Token]) -> usize {
    let shapes: [&[&str]; 4] = [&[":", ""], &["%", "s"], &["%", "(", "", ")", "s"], &["%", "(", "", ")", "d"]];
    let is = |shape: &[&str]| {
        tokens.len() >= shape.len()
            && shape.iter().zip(tokens).all(|(text, token)| match *text {
                "" => token.kind == Kind::Word,
                text => token.text(source) == text,
            })
            && tokens[..shape.len()].windows(2).all(|pair| pair[0].range.end == pair[1].range.start)
    };
    shapes.into_iter().find(|shape| is(shape)).map_or(0, <[&str]>::len)
}

/// No operand stands before: a percent sign is no operator here, and a colon belongs to no label.
fn operand_follows(source: &str, before: Option<&Token>) -> bool {
    const WORDS: [&str; 24] = [
        "AND", "BETWEEN", "BY", "COLUMN", "DEFAULT", "ELSE", "EXISTS", "FROM", "IN", "INTO", "JOIN", "LIKE", "LIMIT",
        "NOT", "OFFSET", "ON", "OR", "SELECT", "SET", "TABLE", "THEN", "UPDATE", "WHEN", "WHERE",
    ];
    let Some(before) = before else { return false };
    match before.kind {
        Kind::Symbol => !before.is_symbol(source, ')'),
        Kind::Word => WORDS.iter().any(|word| before.is_word(source, word)),
        _ => false,
    }
}
