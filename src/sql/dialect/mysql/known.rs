//! What the statements of a file have defined so far that a later one can run: procedures, and statements in strings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::body::{self, Body};
use super::constant::{self, Arguments, Constant};
use super::procedure::Procedure;
use crate::sql::dialect::cursor::{Cursor, range_of, unquote};
use crate::sql::lexer::{Kind, Token};
use crate::sql::statement::Clause;

/// Calls in calls: deeper ones are said to be opaque.
const DEPTH_CAP: usize = 8;

/// A body is read again for other arguments. So many times in a file, because calls in calls multiply.
const READINGS_CAP: usize = 1_000;

/// Procedures, user variables and prepared statements by their names in lower case.
#[derive(Default)]
pub(in crate::sql) struct Known {
    procedures: BTreeMap<String, Procedure>,
    /// The procedures that were called: with which arguments, and whether that does what only shows at run time.
    called: BTreeMap<String, BTreeMap<Arguments, bool>>,
    readings: usize,
    /// What the parameters of the body that is being read stand for.
    arguments: Arguments,
    /// The call that runs this body.
    call: Option<Range<usize>>,
    /// The strings, one of which each variable holds; `None` where it may hold anything.
    variables: BTreeMap<String, Option<Vec<Constant>>>,
    prepared: BTreeMap<String, Vec<Constant>>,
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
            let parameters = cursor.group().unwrap_or_default();
            let parameters = cursor.within(parameters);
            body::characteristics(&mut cursor);
            self.forget(&key(&name.name));
            self.procedures.insert(key(&name.name), Procedure::new(&parameters, &cursor));
        }
    }

    fn forget(&mut self, procedure: &str) {
        self.procedures.remove(procedure);
        self.called.remove(procedure);
    }

    /// Takes note of what a user variable holds.
    pub(super) fn assign(&mut self, name: &str, value: &Cursor<'_>) {
        let earlier = self.variables.remove(&key(name)).filter(|_| self.bodies > 0);
        let strings = match (earlier, self.constants(value)) {
            (None, strings) => strings,
            (Some(Some(earlier)), Some(strings)) => Some([earlier, strings].concat()),
            (Some(_), _) => None,
        };
        self.variables.insert(key(name), strings);
    }

    /// Reads what follows PREPARE.
    pub(super) fn prepare(&mut self, cursor: &mut Cursor<'_>) {
        let Some(name) = cursor.identifier() else { return };
        cursor.eat("FROM");
        match self.strings(cursor) {
            Some(strings) => self.prepared.insert(key(&name), strings),
            None => self.prepared.remove(&key(&name)),
        };
    }

    /// What follows EXECUTE does; `None` if only the server will know. It is said the first time only.
    pub(super) fn execute(&mut self, cursor: &mut Cursor<'_>) -> Option<Vec<Clause>> {
        let strings = match cursor.eat("IMMEDIATE") {
            true => self.strings(cursor),
            false => self.prepared.get_mut(&key(&cursor.identifier()?)).map(std::mem::take),
        };
        let mut clauses = Vec::new();
        for string in strings? {
            clauses.extend(string.read(cursor.source)?);
        }
        Some(clauses)
    }

    /// What a procedure of this file does that the CALL at `range` names, its arguments ahead; `None` if it is not of
    /// this file. Another call is said to do only what it does differently.
    pub(super) fn call(&mut self, cursor: &mut Cursor<'_>, name: &str, range: &Range<usize>) -> Option<Body> {
        let name = key(name);
        let procedure = self.procedures.get(&name)?;
        let given = cursor.group().unwrap_or_default();
        let arguments = procedure.arguments(&cursor.within(given), &self.arguments);
        let earlier = self.called.get(&name);
        if let Some(opaque) = earlier.and_then(|calls| calls.get(&arguments)) {
            return Some(Body { clauses: Vec::new(), opaque: *opaque });
        }
        let again = earlier.is_some();
        self.readings += usize::from(again);
        if self.readings > READINGS_CAP || self.open.len() >= DEPTH_CAP || !self.open.insert(name.clone()) {
            return None;
        }
        let tokens = procedure.body.clone();
        let around = (std::mem::replace(&mut self.arguments, arguments), self.call.replace(range.clone()));
        let mut body = body::walk(cursor.source, &tokens, self);
        self.call = around.1;
        let arguments = std::mem::replace(&mut self.arguments, around.0);
        self.open.remove(&name);
        if again {
            body.clauses.retain(|clause| clause.range == *range);
        }
        self.called.entry(name).or_default().insert(arguments, body.opaque);
        Some(body)
    }

    /// The strings ahead, or those that the variable ahead holds. Whoever asks next gets what is assigned next.
    fn strings(&mut self, cursor: &mut Cursor<'_>) -> Option<Vec<Constant>> {
        if !cursor.eat("@") {
            return self.constants(cursor);
        }
        let name = key(&unquote(cursor.bump()?.text(cursor.source)));
        let strings = self.variables.remove(&name)??;
        self.variables.insert(name, Some(Vec::new()));
        (cursor.tokens.is_empty() || cursor.at("USING")).then_some(strings)
    }

    /// The strings, one of which an expression is. What is put together stands where the call gives the arguments.
    fn constants(&self, value: &Cursor<'_>) -> Option<Vec<Constant>> {
        let place = self.call.clone().or_else(|| range_of(value.tokens))?;
        constant::of(value, &self.arguments, &place)
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
