//! What the body of a DO or of a called routine does. Control flow is walked, not judged: every statement in it
//! counts as run. Static SQL is lowered; what EXECUTE is given is read where it is one constant, and said to be
//! opaque otherwise.

use std::borrow::Cow;
use std::ops::Range;

use super::call;
use super::routine::Routines;
use super::session;
use crate::sql::Dialect;
use crate::sql::change::Change;
use crate::sql::dialect::cursor::{Cursor, is_name, range_of};
use crate::sql::lexer::{Kind, Lexer, Token};
use crate::sql::split::{self, Piece};
use crate::sql::statement::{self, Clause};

/// A string in a string in a string: deeper bodies are said to be opaque.
const DEPTH_CAP: usize = 8;

/// Reads a body in its string, which stands at `range` of `text`. `kind` is what its parts are called that could
/// not be read.
pub(super) fn read_string(
    text: &str,
    range: &Range<usize>,
    language: &str,
    kind: &str,
    known: &mut Routines,
) -> Vec<Clause> {
    let opaque = |kind: String| vec![in_body(range.clone(), Change::Opaque { kind })];
    if !["plpgsql", "sql"].contains(&language) {
        return opaque(format!("LANGUAGE {language}"));
    }
    let Some((inner, body)) = unquoted(text, range).filter(|_| known.depth < DEPTH_CAP) else {
        return opaque(kind.to_string());
    };
    known.depth += 1;
    let read = if language == "sql" { Some(sql(&body, kind, known)) } else { Walk::through(&body, kind, known) };
    known.depth -= 1;
    let Some(mut clauses) = read else { return opaque(kind.to_string()) };
    for clause in &mut clauses {
        clause.range = clause.range.start + inner.start..clause.range.end + inner.start;
    }
    clauses
}

/// Reads statements that no control flow stands around.
pub(super) fn sql(text: &str, kind: &str, known: &mut Routines) -> Vec<Clause> {
    let mut clauses = Vec::new();
    split::pieces(text, Dialect::Postgres, |piece| clauses.extend(one(text, piece, kind, known)));
    clauses
}

fn one(text: &str, piece: &Piece, kind: &str, known: &mut Routines) -> Vec<Clause> {
    match statement::parse(text, piece, || super::parse(text, piece, known)) {
        Ok(clauses) => clauses.into_iter().map(|clause| Clause { in_body: true, ..clause }).collect(),
        Err(_) => vec![in_body(piece.range.clone(), Change::Opaque { kind: kind.to_string() })],
    }
}

fn in_body(range: Range<usize>, change: Change) -> Clause {
    Clause { in_body: true, ..Clause::new(range, change) }
}

/// The lengths of a string literal's quotes, with what stands before the first: `$x$`, `'`, `E'`.
pub(super) fn quotes(literal: &str) -> (usize, usize) {
    match literal.strip_prefix('$') {
        Some(rest) => rest.find('$').map_or((1, 1), |at| (at + 2, at + 2)),
        None => (literal.find('\'').map_or(1, |at| at + 1), 1),
    }
}

/// Where a literal's text stands and what it is, byte for byte in its place; `None` where that cannot be.
fn unquoted<'a>(text: &'a str, literal: &Range<usize>) -> Option<(Range<usize>, Cow<'a, str>)> {
    let source = &text[literal.clone()];
    let (open, close) = quotes(source);
    let escaped = !source.starts_with(['$', '\'']);
    let inner = literal.start + open..literal.end - close;
    let body = text.get(inner.clone())?;
    if escaped && body.contains('\\') {
        return None;
    }
    let verbatim = source.starts_with('$') || !body.contains("''");
    if !source.starts_with('$') && body.replace("''", "").contains('\'') {
        // It goes on in a literal on another line.
        return None;
    }
    Some((inner, if verbatim { body.into() } else { undoubled(body).into() }))
}

/// Doubled quotes as single ones, with a blank outside the inner string in the place of the other; a quote that
/// the inner string doubles itself becomes two of the four.
fn undoubled(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let (mut rest, mut inside) = (body, false);
    while let Some(at) = rest.find("''") {
        text.push_str(&rest[..at]);
        let quotes = rest[at..].bytes().take_while(|byte| *byte == b'\'').count();
        match (inside, quotes) {
            (true, 4..) => {
                text.push_str("''  ");
                rest = &rest[at + 4..];
                continue;
            }
            (true, _) => text.push_str("' "),
            (false, _) => text.push_str(" '"),
        }
        inside = !inside;
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    text
}

/// A walk through PL/pgSQL, statement by statement. Blocks need no nesting here: whatever opens or closes one
/// is followed by another statement.
struct Walk<'a, 'k> {
    text: &'a str,
    kind: &'a str,
    /// What is left.
    cursor: Cursor<'a>,
    known: &'k mut Routines,
    clauses: Vec<Clause>,
    /// How many clauses stand in front of each loop that is open.
    loops: Vec<usize>,
}

impl<'a> Walk<'a, '_> {
    /// `None` where a quote or a comment of the body does not end.
    fn through(text: &str, kind: &str, known: &mut Routines) -> Option<Vec<Clause>> {
        let mut lexer = Lexer::new(text, Dialect::Postgres);
        let tokens: Vec<Token> = std::iter::from_fn(|| lexer.next()).collect();
        if tokens.iter().any(|token| token.kind == Kind::Unterminated) {
            return None;
        }
        let mut walk =
            Walk { text, kind, cursor: Cursor::new(text, &tokens), known, clauses: Vec::new(), loops: Vec::new() };
        while !walk.cursor.tokens.is_empty() {
            walk.step();
        }
        Some(walk.clauses)
    }

    fn step(&mut self) {
        if self.cursor.at("< <") {
            self.until(">");
            self.cursor.eat("> >");
            return;
        }
        match self.cursor.peek().as_str() {
            // `#variable_conflict use_column` ends with its line.
            "#" => self.cursor.tokens = &self.cursor.tokens[3.min(self.cursor.tokens.len())..],
            "DECLARE" => self.declarations(),
            "LOOP" => {
                self.loops.push(self.clauses.len());
                self.cursor.bump();
            }
            ";" | "BEGIN" | "EXCEPTION" | "ELSE" => self.cursor.tokens = &self.cursor.tokens[1..],
            "IF" | "ELSIF" | "ELSEIF" | "WHEN" | "CASE" => {
                self.cursor.bump();
                let condition = self.until("THEN");
                self.known.calls(self.text, condition);
                self.cursor.eat("THEN");
            }
            "WHILE" | "FOREACH" => {
                let header = self.until("LOOP");
                self.known.calls(self.text, header);
            }
            "FOR" => self.for_loop(),
            "END" | "NULL" | "EXIT" | "CONTINUE" | "RAISE" | "ASSERT" | "GET" | "FETCH" | "MOVE" | "CLOSE" => {
                let ends_loop = self.cursor.at("END LOOP");
                let rest = self.until(";");
                self.known.calls(self.text, rest);
                if ends_loop && let Some(start) = self.loops.pop() {
                    mark_batches(&mut self.clauses[start..]);
                }
            }
            _ => {
                let statement = self.until(";");
                self.statement(statement);
            }
        }
    }

    /// `name type := expression;` up to the BEGIN of their block.
    fn declarations(&mut self) {
        self.cursor.bump();
        while !self.cursor.tokens.is_empty() && !self.cursor.at("BEGIN") {
            let declaration = self.until(";");
            self.known.calls(self.text, declaration);
            self.cursor.bump();
        }
    }

    /// The tokens up to a word or symbol outside parentheses and CASE.
    fn until(&mut self, word: &str) -> &'a [Token] {
        let all = self.cursor.tokens;
        let (mut parentheses, mut cases) = (0_usize, 0_usize);
        let text = self.text;
        let mut ends = |token: &Token| {
            match token.text(text) {
                "(" | "[" => parentheses += 1,
                ")" | "]" => parentheses = parentheses.saturating_sub(1),
                found if found.eq_ignore_ascii_case(word) && parentheses == 0 && cases == 0 => return true,
                _ if word == "THEN" && token.is_word(text, "case") => cases += 1,
                _ if token.is_word(text, "end") => cases = cases.saturating_sub(1),
                _ => {}
            }
            false
        };
        let length = all.iter().position(&mut ends).unwrap_or(all.len());
        self.cursor.tokens = &all[length..];
        &all[..length]
    }

    /// `FOR x IN query LOOP`; a range of numbers and a cursor are no query.
    fn for_loop(&mut self) {
        let header = self.until("LOOP");
        let mut cursor = Cursor::new(self.text, header);
        cursor.until(&["IN"]);
        cursor.bump();
        let query = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "EXECUTE"];
        match query.iter().any(|word| cursor.at(word)) {
            true => self.statement(cursor.tokens),
            false => self.known.calls(self.text, header),
        }
    }

    fn statement(&mut self, tokens: &[Token]) {
        let mut cursor = Cursor::new(self.text, tokens);
        let is_query = cursor.eat("RETURN QUERY");
        if cursor.at("EXECUTE") {
            return self.dynamic(cursor.tokens);
        }
        if !is_query && cursor.at("OPEN") {
            cursor.until(&["EXECUTE"]);
            return if cursor.tokens.is_empty() {
                self.known.calls(self.text, tokens)
            } else {
                self.dynamic(cursor.tokens)
            };
        }
        if cursor.at("PERFORM") {
            let set = range_of(tokens).zip(session::set_config(cursor.clone()));
            self.clauses.extend(set.map(|(range, change)| in_body(range, change)));
            cursor.bump();
            if let Some(range) = range_of(cursor.tokens)
                && let Some(name) = call::unknown_in(&self.text[range.clone()], self.known)
            {
                self.clauses.push(in_body(range, Change::Opaque { kind: format!("PERFORM {name}") }));
            }
            return self.known.calls(self.text, tokens);
        }
        if !is_query && (cursor.at("RETURN") || is_assignment(&cursor)) {
            return self.known.calls(self.text, tokens);
        }
        let tokens = without_into(self.text, cursor.tokens);
        if let Some(range) = range_of(&tokens) {
            let piece = Piece { range, tokens, unclosed: false };
            self.clauses.extend(one(self.text, &piece, self.kind, self.known));
        }
    }

    /// `EXECUTE expression [INTO ...] [USING ...]`.
    fn dynamic(&mut self, tokens: &[Token]) {
        let Some(range) = range_of(tokens) else { return };
        let mut cursor = Cursor::new(self.text, tokens);
        cursor.eat("EXECUTE");
        self.known.calls(self.text, cursor.tokens);
        match cursor.until(&["INTO", "USING"]) {
            [constant] if constant.kind == Kind::String => {
                self.clauses.extend(read_string(self.text, &constant.range, "sql", "EXECUTE", self.known));
            }
            _ => self.clauses.push(in_body(range, Change::Opaque { kind: "EXECUTE".into() })),
        }
    }
}

/// What a loop does, if it commits at every turn.
fn mark_batches(turn: &mut [Clause]) {
    if turn.iter().any(|clause| clause.change == Change::Commit) {
        turn.iter_mut().for_each(|clause| clause.batched = true);
    }
}

/// `target := expression`, `row.field[1] = expression`.
fn is_assignment(statement: &Cursor<'_>) -> bool {
    let mut cursor = statement.clone();
    if !cursor.bump().is_some_and(is_name) {
        return false;
    }
    loop {
        if cursor.eat(".") {
            cursor.bump();
        } else if cursor.at("[") {
            skip_subscript(&mut cursor);
        } else {
            return cursor.at("=") || cursor.at(": =");
        }
    }
}

/// Takes `[...]`.
fn skip_subscript(cursor: &mut Cursor<'_>) {
    let mut depth = 0_usize;
    while let Some(token) = cursor.bump() {
        match token.text(cursor.source) {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// A statement without PL/pgSQL's `INTO [STRICT] target, ...`, which SQL has no place for.
fn without_into(text: &str, tokens: &[Token]) -> Vec<Token> {
    let starts =
        |words: &[&str]| tokens.first().is_some_and(|first| words.iter().any(|word| first.is_word(text, word)));
    if !starts(&["select", "with", "insert", "update", "delete", "merge", "values"]) {
        return tokens.to_vec();
    }
    let mut depth = 0_usize;
    let is_into = |(at, token): &(usize, &Token)| {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let of_its_own = *at > 0 && ["insert", "merge"].iter().any(|word| tokens[at - 1].is_word(text, word));
        depth == 0 && token.is_word(text, "into") && !of_its_own
    };
    let Some((start, _)) = tokens.iter().enumerate().find(is_into) else { return tokens.to_vec() };
    let mut cursor = Cursor::new(text, &tokens[start + 1..]);
    cursor.eat("STRICT");
    loop {
        cursor.bump();
        while cursor.at(".") || cursor.at("[") {
            if cursor.eat(".") {
                cursor.bump();
            } else {
                skip_subscript(&mut cursor);
            }
        }
        if !cursor.eat(",") {
            return [&tokens[..start], cursor.tokens].concat();
        }
    }
}
