//! What the body of a procedure or of an anonymous block does. Control flow is walked, not judged: every statement
//! in it counts as run.

use super::known::Known;
use super::parse;
use crate::sql::change::Change;
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::lexer::{Kind, Token};
use crate::sql::split::Piece;
use crate::sql::statement::{self, Clause};

/// What a body does.
pub(super) struct Body {
    pub(super) clauses: Vec<Clause>,
    /// It also does what is decided at run time, or could not be read.
    pub(super) opaque: bool,
}

/// Takes what stands between the parameters of a procedure and its body.
pub(super) fn characteristics(cursor: &mut Cursor<'_>) {
    const WORDS: [&str; 9] = [
        "LANGUAGE SQL",
        "NOT DETERMINISTIC",
        "DETERMINISTIC",
        "CONTAINS SQL",
        "NO SQL",
        "READS SQL DATA",
        "MODIFIES SQL DATA",
        "SQL SECURITY DEFINER",
        "SQL SECURITY INVOKER",
    ];
    loop {
        if cursor.eat("COMMENT") {
            cursor.bump();
        } else if !WORDS.iter().any(|words| cursor.eat(words)) {
            return;
        }
    }
}

/// Reads the statements of a body.
pub(super) fn walk(file: &str, tokens: &[Token], known: &mut Known) -> Body {
    let mut body = Body { clauses: Vec::new(), opaque: false };
    known.bodies += 1;
    let mut loops = Vec::new();
    for part in tokens.split(|token| token.kind == Kind::Terminator) {
        let mut cursor = Cursor::new(file, part);
        let begin = enter(&mut cursor);
        loops.extend(std::iter::repeat_n(body.clauses.len(), begin));
        if ["END LOOP", "UNTIL", "END WHILE"].iter().any(|end| cursor.at(end))
            && let Some(start) = loops.pop()
        {
            mark_batches(&mut body.clauses, start);
        }
        if cursor.tokens.is_empty() || concerns_the_body(&cursor) {
            continue;
        }
        let range = range_of(cursor.tokens).unwrap_or_default();
        let piece = Piece { range, tokens: cursor.tokens.to_vec(), unclosed: false };
        match statement::parse(file, &piece, || parse(file, &piece, known)) {
            Ok(clauses) => {
                for clause in clauses {
                    match clause.change {
                        Change::Opaque { .. } => body.opaque = true,
                        _ => body.clauses.push(Clause { in_body: true, ..clause }),
                    }
                }
            }
            Err(_) => body.opaque = true,
        }
    }
    known.bodies -= 1;
    body
}

/// What a loop does that begins at `start`, if it commits at every turn; where nobody has begun a transaction, every
/// statement does.
fn mark_batches(clauses: &mut [Clause], start: usize) {
    let (before, turn) = clauses.split_at_mut(start);
    let is = |clause: &Clause, change: &Change| clause.change == *change;
    let open = before.iter().rev().find(|clause| is(clause, &Change::Begin) || is(clause, &Change::Commit));
    let is_open = open.is_some_and(|clause| is(clause, &Change::Begin)) || turn.iter().any(|it| is(it, &Change::Begin));
    if !is_open || turn.iter().any(|clause| is(clause, &Change::Commit)) {
        turn.iter_mut().for_each(|clause| clause.batched = true);
    }
}

/// Takes the control flow in front of a statement, `x: BEGIN IF a THEN`, and returns how many loops begin there.
fn enter(cursor: &mut Cursor<'_>) -> usize {
    let mut loops = 0;
    loop {
        let mut ahead = cursor.clone();
        if ahead.identifier().is_some() && ahead.eat(":") {
            *cursor = ahead;
        } else if cursor.eat("LOOP") || cursor.eat("REPEAT") {
            loops += 1;
        } else if ["BEGIN NOT ATOMIC", "BEGIN", "ELSE"].iter().any(|words| cursor.eat(words)) {
        } else if ["IF", "ELSEIF", "CASE", "WHEN"].iter().any(|word| cursor.eat(word)) {
            cursor.until(&["THEN"]);
            cursor.eat("THEN");
        } else if cursor.eat("WHILE") || cursor.eat("FOR") {
            cursor.until(&["DO"]);
            cursor.eat("DO");
            loops += 1;
        } else if ["DECLARE CONTINUE", "DECLARE EXIT", "DECLARE UNDO"].iter().any(|words| cursor.eat(words)) {
            handler(cursor);
        } else {
            return loops;
        }
    }
}

/// Takes `HANDLER FOR SQLEXCEPTION, SQLSTATE '23000'`; what it does follows.
fn handler(cursor: &mut Cursor<'_>) {
    cursor.eat("HANDLER FOR");
    loop {
        if cursor.eat("SQLSTATE") {
            cursor.eat("VALUE");
        } else {
            cursor.eat("NOT");
        }
        cursor.bump();
        if !cursor.eat(",") {
            return;
        }
    }
}

/// It moves nothing but the body's own variables, cursors and flow.
fn concerns_the_body(cursor: &Cursor<'_>) -> bool {
    const WORDS: [&str; 13] = [
        "CLOSE", "DECLARE", "END", "FETCH", "GET", "ITERATE", "LEAVE", "OPEN", "RESIGNAL", "RETURN", "SELECT",
        "SIGNAL", "UNTIL",
    ];
    WORDS.contains(&cursor.peek().as_str())
}
