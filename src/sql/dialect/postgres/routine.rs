//! Routines that a file defines, and those of them that it calls: what stands in a body is done when somebody
//! calls it, and not before.

use std::collections::BTreeMap;
use std::ops::Range;

use super::body;
use super::source::{Source, take_identifier, take_name};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::Clause;

/// The routines of one file. Each is read once, at its first call: a second call does the same again.
#[derive(Default)]
pub(in crate::sql) struct Routines {
    /// By name without schema; several where the name is overloaded.
    defined: BTreeMap<String, Vec<Definition>>,
    called: Vec<Definition>,
    /// How many strings around the text that is being read.
    pub(super) depth: usize,
}

struct Definition {
    language: String,
    body: Body,
}

enum Body {
    /// A string literal.
    Literal(Range<usize>),
    /// What stands between BEGIN ATOMIC and END.
    Atomic(Range<usize>),
}

impl Routines {
    /// Remembers the routine that a statement of the file itself defines.
    pub(super) fn define(&mut self, source: &Source<'_>) {
        if self.depth == 0
            && let Some((name, definition)) = definition(source)
        {
            self.defined.entry(name).or_default().push(definition);
        }
    }

    /// The file defines a routine of this name before here.
    pub(super) fn is_defined(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }

    /// Notes the calls among these tokens.
    pub(super) fn calls(&mut self, text: &str, tokens: &[Token]) {
        if self.defined.is_empty() {
            return;
        }
        for (at, pair) in tokens.windows(2).enumerate() {
            let into = at > 0 && tokens[at - 1].is_word(text, "into");
            if !into && matches!(pair[0].kind, Kind::Word | Kind::Quoted) && pair[1].is_symbol(text, '(') {
                let mut cursor = Cursor::new(text, &pair[..1]);
                if let Some(bodies) = take_identifier(&mut cursor).and_then(|name| self.defined.get_mut(&name)) {
                    self.called.append(bodies);
                }
            }
        }
    }

    /// What the called routines do, and those that they call; the ranges are those of their bodies in the file.
    pub(in crate::sql) fn run(&mut self, file: &str) -> Vec<Clause> {
        let mut clauses = Vec::new();
        while !self.called.is_empty() {
            for Definition { language, body } in std::mem::take(&mut self.called) {
                match body {
                    Body::Literal(range) => clauses.extend(body::read_string(file, &range, &language, "CALL", self)),
                    Body::Atomic(range) => {
                        let mut inner = body::sql(&file[range.clone()], "CALL", self);
                        for clause in &mut inner {
                            clause.range = clause.range.start + range.start..clause.range.end + range.start;
                        }
                        clauses.extend(inner);
                    }
                }
            }
        }
        clauses
    }
}

/// The name, the language and the body of CREATE FUNCTION or PROCEDURE; a single expression has no body.
fn definition(source: &Source<'_>) -> Option<(String, Definition)> {
    let mut cursor = source.cursor();
    cursor.eat("CREATE");
    cursor.eat("OR REPLACE");
    cursor.bump();
    let name = take_name(&mut cursor)?.name;
    let (mut language, mut body) = (None, None);
    while !cursor.tokens.is_empty() {
        if cursor.eat("LANGUAGE") {
            language = cursor.bump().map(|token| token.text(source.file).trim_matches('\'').to_lowercase());
        } else if cursor.eat("BEGIN ATOMIC") {
            let first = cursor.tokens.first()?.range.start;
            let end = cursor.tokens.last()?.range.start;
            body = Some(Body::Atomic(first..end));
            break;
        } else if cursor.eat("AS") {
            let literal = cursor.tokens.first().filter(|token| token.kind == Kind::String);
            body = body.or(literal.map(|token| Body::Literal(token.range.clone())));
        } else {
            cursor.skip();
        }
    }
    Some((name, Definition { language: language.unwrap_or_else(|| "sql".into()), body: body? }))
}
