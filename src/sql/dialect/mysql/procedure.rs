//! A procedure that a file defines.

use super::constant::{self, Arguments};
use crate::sql::dialect::cursor::{Cursor, is_name, unquote};
use crate::sql::lexer::Token;

/// A longer body is not read again for other arguments: many calls of it would cost their number times its length.
const BODY_CAP: usize = 4_096;

/// Its parameters, and the tokens of its body.
pub(super) struct Procedure {
    /// In lower case; `None` where what it stands for may change.
    parameters: Vec<Option<String>>,
    pub(super) body: Vec<Token>,
}

impl Procedure {
    /// `parameters` is what stands in its parentheses.
    pub(super) fn new(parameters: &Cursor<'_>, body: &Cursor<'_>) -> Self {
        let parameter = |mut parameter: Cursor<'_>| {
            parameter.eat("IN");
            let changes = parameter.at("OUT") || parameter.at("INOUT");
            let name = parameter.identifier()?.to_ascii_lowercase();
            (!changes && body.tokens.len() <= BODY_CAP && !assigns(body, &name)).then_some(name)
        };
        let parameters = parameters.comma_separated().into_iter().map(parameter).collect();
        Self { parameters, body: body.tokens.to_vec() }
    }

    /// What its parameters stand for where it is called with these values, in a body with arguments of its own.
    pub(super) fn arguments(&self, values: &Cursor<'_>, around: &Arguments) -> Arguments {
        let text = |value: &Cursor<'_>| constant::text(value, around);
        let pairs = self.parameters.iter().zip(values.comma_separated());
        pairs.filter_map(|(name, value)| Some((name.clone()?, text(&value)?))).collect()
    }
}

/// Whether the body gives a parameter another value, or has a variable of its name: `SET a = 1`, `INTO a`, `DECLARE a`.
fn assigns(body: &Cursor<'_>, name: &str) -> bool {
    let is = |at: usize, words: &[&str]| {
        body.tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.text(body.source).eq_ignore_ascii_case(word)))
    };
    let mut into = false;
    (0..body.tokens.len()).any(|at| {
        let token = &body.tokens[at];
        into = is(at, &["into"]) || into && (is_name(token) && !is(at, &["from", "where"]) || is(at, &[",", "@"]));
        let named = is_name(token) && unquote(token.text(body.source)).eq_ignore_ascii_case(name);
        let set = at > 0 && is(at - 1, &["set", ","]) && is(at + 1, &["=", ":"]);
        named && (into || set || at > 0 && is(at - 1, &["declare"]))
    })
}
