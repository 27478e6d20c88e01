//! What the statements of a file have defined so far that a later one can run: procedures, and statements in strings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::body::{self, Body};
use crate::sql::Dialect;
use crate::sql::change::Change;
use crate::sql::dialect::cursor::{Cursor, unquote};
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::{self, Clause};

/// Calls in calls: deeper ones are said to be opaque.
const DEPTH_CAP: usize = 8;

/// Procedures, user variables and prepared statements by their names in lower case.
#[derive(Default)]
pub(in crate::sql) struct Known {
    /// The tokens of their bodies.
    procedures: BTreeMap<String, Vec<Token>>,
    /// The procedures that were called, each with whether it does what only shows at run time.
    called: BTreeMap<String, bool>,
    /// The string literals, one of which each variable holds; `None` where it may hold anything.
    variables: BTreeMap<String, Option<Vec<Range<usize>>>>,
    prepared: BTreeMap<String, Vec<Range<usize>>>,
    /// The calls that are being read.
    open: BTreeSet<String>,
    /// The bodies that are being read: an assignment in one may be a branch that is not taken.
    pub(super) bodies: usize,
}

impl Known {
    /// Takes note of a procedure that the statement creates or drops.
    pub(super) fn learn(&mut self, file: &str, tokens: &[Token]) {
        let executed = |token: &Token| token.kind == Kind::Executed;
        let tokens: Vec<Token> = match tokens.iter().find(|token| !executed(token)) {
            Some(first) if first.is_word(file, "create") || first.is_word(file, "drop") => {
                tokens.iter().filter(|token| !executed(token)).cloned().collect()
            }
            _ => return,
        };
        let mut cursor = Cursor::new(file, &tokens);
        if cursor.eat("DROP PROCEDURE") {
            cursor.eat("IF EXISTS");
            if let Some(name) = cursor.name() {
                self.forget(&key(&name.name));
            }
        } else if cursor.eat("CREATE") {
            let Some(at) = cursor.tokens.iter().take(12).position(|token| token.is_word(file, "procedure")) else {
                return;
            };
            cursor.tokens = &cursor.tokens[at + 1..];
            cursor.eat("IF NOT EXISTS");
            let Some(name) = cursor.name() else { return };
            cursor.group();
            body::characteristics(&mut cursor);
            self.forget(&key(&name.name));
            self.procedures.insert(key(&name.name), cursor.tokens.to_vec());
        }
    }

    fn forget(&mut self, procedure: &str) {
        self.procedures.remove(procedure);
        self.called.remove(procedure);
    }

    /// Takes note of what a user variable holds.
    pub(super) fn assign(&mut self, name: &str, value: &Cursor<'_>) {
        let earlier = self.variables.remove(&key(name)).filter(|_| self.bodies > 0);
        let literals = match (earlier, constants(value)) {
            (None, literals) => literals,
            (Some(Some(earlier)), Some(literals)) => Some([earlier, literals].concat()),
            (Some(_), _) => None,
        };
        self.variables.insert(key(name), literals);
    }

    /// Reads what follows PREPARE.
    pub(super) fn prepare(&mut self, cursor: &mut Cursor<'_>) {
        let Some(name) = cursor.identifier() else { return };
        cursor.eat("FROM");
        match self.literals(cursor) {
            Some(literals) => self.prepared.insert(key(&name), literals),
            None => self.prepared.remove(&key(&name)),
        };
    }

    /// What follows EXECUTE does; `None` if only the server will know. It is said the first time only.
    pub(super) fn execute(&mut self, cursor: &mut Cursor<'_>) -> Option<Vec<Clause>> {
        let literals = match cursor.eat("IMMEDIATE") {
            true => self.literals(cursor),
            false => self.prepared.get_mut(&key(&cursor.identifier()?)).map(std::mem::take),
        };
        let mut clauses = Vec::new();
        for literal in literals? {
            clauses.extend(read_literal(cursor.source, &literal)?);
        }
        Some(clauses)
    }

    /// What a procedure of this file does that CALL names; `None` if it is not of this file. The second call is said
    /// to do only what it may do differently.
    pub(super) fn call(&mut self, file: &str, name: &str) -> Option<Body> {
        let name = key(name);
        if let Some(opaque) = self.called.get(&name) {
            return Some(Body { clauses: Vec::new(), opaque: *opaque });
        }
        if self.open.len() >= DEPTH_CAP || !self.open.insert(name.clone()) {
            return None;
        }
        let body = self.procedures.get(&name).cloned().map(|tokens| body::walk(file, &tokens, self));
        self.open.remove(&name);
        let body = body?;
        self.called.insert(name, body.opaque);
        Some(body)
    }

    /// The literals ahead, or those that the variable ahead holds. Whoever asks next gets what is assigned next.
    fn literals(&mut self, cursor: &mut Cursor<'_>) -> Option<Vec<Range<usize>>> {
        if !cursor.eat("@") {
            return constants(cursor);
        }
        let name = key(&unquote(cursor.bump()?.text(cursor.source)));
        let literals = self.variables.remove(&name)??;
        self.variables.insert(name, Some(Vec::new()));
        (cursor.tokens.is_empty() || cursor.at("USING")).then_some(literals)
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The string literals, one of which an expression is: `'a'`, `(SELECT IF(x, 'a', 'b'))`.
fn constants(value: &Cursor<'_>) -> Option<Vec<Range<usize>>> {
    let mut value = value.clone();
    let mut ahead = value.clone();
    if let Some(inner) = ahead.group().filter(|_| ahead.tokens.is_empty()) {
        return constants(&value.within(inner));
    }
    value.eat("SELECT");
    if let [literal] = value.tokens {
        return (literal.kind == Kind::String).then(|| vec![literal.range.clone()]);
    }
    if !value.eat("IF") {
        return None;
    }
    let arguments = value.group().filter(|_| value.tokens.is_empty())?;
    let [_, yes, no] = value.within(arguments).comma_separated().try_into().ok()?;
    let mut literals = constants(&yes)?;
    literals.extend(constants(&no)?);
    Some(literals)
}

/// What the statements in a string do.
fn read_literal(file: &str, literal: &Range<usize>) -> Option<Vec<Clause>> {
    let text = unescaped(&file[literal.clone()])?;
    let mut clauses = Vec::new();
    for statement in statement::read(&text, Dialect::Mysql) {
        for clause in statement.parsed.ok()? {
            if let Change::Opaque { .. } = clause.change {
                return None;
            }
            let shift = literal.start + 1;
            let range = clause.range.start + shift..clause.range.end + shift;
            clauses.push(Clause { range, change: clause.change, in_body: true });
        }
    }
    Some(clauses)
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
