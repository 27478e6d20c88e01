//! What keeps a parser from taking the process with it: bounds on what it is given, and a stack
//! that is deep enough for what passes them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::lexer::{Kind, Token};
use super::split::Piece;
use super::statement::{Clause, Unread};

/// Longer statements are not handed to a parser.
const SIZE_CAP: usize = 1 << 20;
/// The parsers recurse, and no handler survives an overflown stack: at this depth they take up to
/// 64 MiB without optimisation.
const NESTING_CAP: usize = 500;
const STACK: usize = 128 << 20;
/// Tokens between two commas: a chain of operators becomes a tree as deep as the chain is long, and
/// the time that PostgreSQL's parser takes grows with its square.
const CHAIN_CAP: usize = 10_000;
/// What the smallest stack of a thread, 2 MiB, bears without optimisation.
const SMALL_NESTING: usize = 6;
const SMALL_CHAIN: usize = 300;

/// Parses within the bounds.
pub(super) fn guarded(
    text: &str,
    piece: &Piece,
    parse: impl FnOnce() -> Result<Vec<Clause>, Unread> + Send,
) -> Result<Vec<Clause>, Unread> {
    let unread = |reason: String| Unread { range: piece.range.clone(), reason };
    if piece.range.len() > SIZE_CAP {
        return Err(unread(format!("longer than {} KiB", SIZE_CAP / 1024)));
    }
    let shape = Shape::of(text, &piece.tokens);
    if shape.nesting > NESTING_CAP {
        return Err(unread(format!("nested more than {NESTING_CAP} deep")));
    }
    if shape.chain > CHAIN_CAP {
        return Err(unread(format!("more than {CHAIN_CAP} words without a comma")));
    }
    let parsed = if shape.nesting <= SMALL_NESTING && shape.chain <= SMALL_CHAIN {
        catch_unwind(AssertUnwindSafe(parse)).ok()
    } else {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse).ok()?;
            thread.join().ok()
        })
    };
    parsed.unwrap_or_else(|| Err(unread("the parser gave up".into())))
}

/// How deep and how long a parser's recursion can get.
#[derive(Default)]
struct Shape {
    nesting: usize,
    chain: usize,
}

/// An open parenthesis or CASE.
#[derive(Default)]
struct Level {
    /// Prefix operators that wait for their operand: `NOT NOT - -`.
    prefixes: usize,
    /// Tokens since the last comma.
    chain: usize,
}

impl Shape {
    fn of(text: &str, tokens: &[Token]) -> Self {
        let mut shape = Self::default();
        let mut levels = vec![Level::default()];
        let mut depth = 0_usize;
        let mut operand = false;
        for token in tokens {
            let Some(level) = levels.last_mut() else { break };
            level.chain += 1;
            shape.chain = shape.chain.max(level.chain);
            match token.text(text) {
                "," | ";" => {
                    depth -= level.prefixes;
                    *level = Level::default();
                    operand = false;
                }
                ")" | "]" => {
                    close(&mut levels, &mut depth);
                    operand = true;
                }
                "(" | "[" => {
                    levels.push(Level::default());
                    depth += 1;
                    operand = false;
                }
                _ if token.is_word(text, "case") => {
                    levels.push(Level::default());
                    depth += 1;
                    operand = false;
                }
                _ if token.is_word(text, "end") => close(&mut levels, &mut depth),
                _ if token.kind == Kind::Symbol || PREFIXES.iter().any(|word| token.is_word(text, word)) => {
                    if operand {
                        depth -= level.prefixes;
                        level.prefixes = 0;
                    }
                    level.prefixes += 1;
                    depth += 1;
                    operand = false;
                }
                _ => operand = true,
            }
            shape.nesting = shape.nesting.max(depth);
        }
        shape
    }
}

/// Words that one can write again and again in front of an operand.
const PREFIXES: &[&str] = &["not", "explain", "binary", "prior", "interval"];

fn close(levels: &mut Vec<Level>, depth: &mut usize) {
    if levels.len() > 1
        && let Some(level) = levels.pop()
    {
        *depth -= level.prefixes + 1;
    }
}
