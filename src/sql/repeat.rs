//! Whether an UPDATE may be done twice: a backfill whose proof failed runs again over rows that it has
//! already written, and its proof compares with the expression a second time.
//!
//! It knows words, no types and no functions of the user's own: those are trusted.

use super::dialect::unquote;
use super::lexer::{Kind, Lexer, Token};
use super::{Assignment, Dialect, Dml};

/// What makes an expression another value the second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrepeatable {
    /// It reads this column, which is written: `amount = amount * 100`.
    ReadsWritten(String),
    /// It has another value every time it is asked for: `now()`.
    Volatile(String),
}

/// What stands against writing `assignment` of `statement` twice. `written` are the columns of its table that this
/// statement and those after it write.
pub fn unrepeatable(
    dialect: Dialect,
    statement: &Dml,
    assignment: &Assignment,
    written: &[&str],
) -> Option<Unrepeatable> {
    let source = assignment.expression.as_str();
    let tokens = tokens(dialect, source);
    let expression = Expression { source, tokens: &tokens };
    if let Some(word) = expression.volatile() {
        return Some(Unrepeatable::Volatile(word.to_string()));
    }
    let read = written.iter().find(|column| expression.reads(statement, column))?;
    let only_itself = assignment.column.eq_ignore_ascii_case(read)
        && written
            .iter()
            .all(|column| assignment.column.eq_ignore_ascii_case(column) || !expression.reads(statement, column));
    (!(only_itself && expression.settles())).then(|| Unrepeatable::ReadsWritten((*read).to_string()))
}

/// The word that makes an expression have another value every time it is asked for.
pub fn volatile(dialect: Dialect, expression: &str) -> Option<String> {
    let tokens = tokens(dialect, expression);
    Expression { source: expression, tokens: &tokens }.volatile().map(str::to_string)
}

/// Whether an expression names this column.
pub fn mentions(dialect: Dialect, expression: &str, column: &str) -> bool {
    tokens(dialect, expression).iter().any(|token| match token.kind {
        Kind::Word => token.text(expression).eq_ignore_ascii_case(column),
        Kind::Quoted => unquote(token.text(expression)).eq_ignore_ascii_case(column),
        _ => false,
    })
}

/// Whether an expression is the same for every row: a number, a text, TRUE or FALSE, also cast.
pub fn is_constant(dialect: Dialect, expression: &str) -> bool {
    let tokens = tokens(dialect, expression);
    let expression = Expression { source: expression, tokens: &tokens };
    (0..tokens.len()).all(|at| match tokens[at].kind {
        Kind::String | Kind::Number => true,
        Kind::Symbol => ["-", "+", ":", "::"].contains(&expression.text(at)),
        Kind::Word => {
            let is_type = at >= 1 && expression.text(at - 1).starts_with(':');
            is_type || ["TRUE", "FALSE"].iter().any(|word| expression.text(at).eq_ignore_ascii_case(word))
        }
        _ => false,
    })
}

fn tokens(dialect: Dialect, source: &str) -> Vec<Token> {
    let mut lexer = Lexer::new(source, dialect);
    std::iter::from_fn(|| lexer.next()).collect()
}

/// Functions whose value changes between two calls, or between two batches.
const VOLATILE: [&str; 32] = [
    "changes",
    "clock_timestamp",
    "curdate",
    "curtime",
    "gen_random_bytes",
    "gen_random_uuid",
    "last_insert_id",
    "nextval",
    "pg_current_xact_id",
    "now",
    "rand",
    "random",
    "random_bytes",
    "random_normal",
    "randomblob",
    "setval",
    "statement_timestamp",
    "sysdate",
    "timeofday",
    "transaction_timestamp",
    "txid_current",
    "unixepoch",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
];

/// The same, written without parentheses.
const CLOCKS: [&str; 5] = ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Functions whose value stays when they are applied to it again.
const SETTLING: [&str; 9] = ["btrim", "coalesce", "ifnull", "lower", "ltrim", "nullif", "rtrim", "trim", "upper"];

struct Expression<'a> {
    source: &'a str,
    tokens: &'a [Token],
}

impl<'a> Expression<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text(self.source))
    }

    fn is_call(&self, at: usize) -> bool {
        self.text(at + 1) == "("
    }

    fn volatile(&self) -> Option<&'a str> {
        let is_one = |at: &usize| {
            let text = self.text(*at);
            let among = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            match self.tokens[*at].kind {
                Kind::Word => among(&CLOCKS) || self.is_call(*at) && among(&VOLATILE),
                Kind::String => text.eq_ignore_ascii_case("'now'"),
                _ => false,
            }
        };
        (0..self.tokens.len()).find(is_one).map(|at| self.text(at))
    }

    /// The expression reads this column of the statement's table. Inside a subquery an unqualified name belongs to
    /// the subquery's own tables, unless the table is among them; where it is read a second time, under whatever
    /// name, every column of that name may be its own.
    fn reads(&self, statement: &Dml, column: &str) -> bool {
        let named = |at: usize, name: &str| match self.tokens[at].kind {
            Kind::Word => self.text(at).eq_ignore_ascii_case(name),
            Kind::Quoted => unquote(self.text(at)).eq_ignore_ascii_case(name),
            _ => false,
        };
        let mut subqueries = Vec::new();
        for at in 0..self.tokens.len() {
            match self.text(at) {
                "(" => subqueries.push(self.text(at + 1).eq_ignore_ascii_case("select")),
                ")" => {
                    subqueries.pop();
                }
                _ if !named(at, column) || self.is_call(at) => {}
                _ => {
                    let qualified = at >= 2 && self.text(at - 1) == ".";
                    let elsewhere = subqueries.contains(&true);
                    let row = unquote(&statement.row);
                    let own = statement.again || if qualified { named(at - 2, &row) } else { !elsewhere };
                    // Behind `::` or AS stands a type, before a string too: `date '2026-01-01'`.
                    let is_type = at >= 1 && (self.text(at - 1) == ":" || self.text(at - 1).eq_ignore_ascii_case("as"))
                        || self.tokens.get(at + 1).is_some_and(|next| next.kind == Kind::String);
                    if own && !is_type {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Nothing but calls that do not change their own result: `coalesce(new, old)`, `lower(trim(email))`.
    fn settles(&self) -> bool {
        self.is_call(0)
            && (0..self.tokens.len()).all(|at| match self.tokens[at].kind {
                Kind::Word if self.is_call(at) => SETTLING.iter().any(|word| self.text(at).eq_ignore_ascii_case(word)),
                Kind::Word | Kind::Quoted | Kind::String | Kind::Number => true,
                Kind::Symbol => ["(", ")", ",", "."].contains(&self.text(at)),
                _ => false,
            })
    }
}
