//! A file into statements, with exact byte ranges.

use std::ops::Range;

use super::lexer::Kind;
use super::split::{self, Piece};
use super::{Change, Dialect, dialect, guard};

/// One SQL statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Byte range in the file: from the first word to before the terminator, without leading comments.
    pub range: Range<usize>,
    /// Its changes in the order in which they happen, or why it could not be read.
    pub parsed: Result<Vec<Clause>, Unread>,
}

/// One change, and the part of the file that says so: the clause, not the whole statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub range: Range<usize>,
    pub change: Change,
    /// It stands in the body of a DO or of a function that the statement calls: a condition there may keep it from
    /// running, a loop may repeat it.
    pub in_body: bool,
    /// It stands in a loop that commits at every turn.
    pub batched: bool,
}

impl Clause {
    /// A clause of the statement itself.
    pub fn new(range: Range<usize>, change: Change) -> Self {
        Self { range, change, in_body: false, batched: false }
    }
}

/// Why a statement could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub range: Range<usize>,
    /// A lower-case fragment.
    pub reason: String,
}

/// Reads a whole file: every statement in order, none lost, comments and blank pieces left out.
pub fn read(text: &str, dialect: Dialect) -> Vec<Statement> {
    let mut routines = dialect::postgres::Routines::default();
    let mut known = dialect::mysql::Known::default();
    let mut statements = Vec::new();
    split::pieces(text, dialect, |piece| {
        let mut parsed = parse(text, piece, || match dialect {
            Dialect::Postgres => dialect::postgres::parse(text, piece, &mut routines),
            Dialect::Mysql => dialect::mysql::parse(text, piece, &mut known),
            Dialect::Sqlite => dialect::sqlite::parse(text, piece),
        });
        if let Ok(clauses) = &mut parsed {
            clauses.extend(routines.run(text));
            // Most statements have one, and a vector that grows makes room for four.
            clauses.shrink_to_fit();
        }
        statements.push(Statement { range: piece.range.clone(), parsed });
    });
    statements
}

/// Reads one part of a file; the ranges are those of the file.
pub fn read_part(text: &str, part: &Range<usize>, dialect: Dialect) -> Vec<Statement> {
    let mut statements = read(&text[part.clone()], dialect);
    let shift = |range: &mut Range<usize>| *range = range.start + part.start..range.end + part.start;
    for statement in &mut statements {
        shift(&mut statement.range);
        match &mut statement.parsed {
            Ok(clauses) => clauses.iter_mut().for_each(|clause| shift(&mut clause.range)),
            Err(unread) => shift(&mut unread.range),
        }
    }
    statements
}

/// The line and the column, in characters, of a byte offset; both count from 1. A byte order mark takes no column.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text[..text.floor_char_boundary(offset)].trim_start_matches('\u{feff}');
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The clients' commands that run SQL which does not stand in this file.
const RUNS_SQL: &[&str] = &["\\gexec", "\\i", "\\include", "\\include_relative", "\\ir", ".read", ".restore"];

/// Reads one statement, if it is whole and within bounds, as its dialect does.
pub(super) fn parse(
    text: &str,
    piece: &Piece,
    lower: impl FnOnce() -> Result<Vec<Clause>, Unread> + Send,
) -> Result<Vec<Clause>, Unread> {
    if let Some(token) = piece.tokens.iter().find(|token| token.kind == Kind::Unterminated) {
        let what = if token.text(text).starts_with("/*") { "comment" } else { "quote" };
        return Err(Unread { range: token.range.clone(), reason: format!("unterminated {what}") });
    }
    if piece.unclosed {
        return Err(Unread { range: piece.range.clone(), reason: "a body that no END closes".into() });
    }
    if piece.tokens.len() == 1 && split::is_separator(&piece.tokens[0], text, true) {
        let reason = format!("{} is a separator of another tool", piece.tokens[0].text(text));
        return Err(Unread { range: piece.range.clone(), reason });
    }
    if piece.tokens[0].kind == Kind::Meta {
        let kind = piece.tokens[0].text(text).split_whitespace().next().unwrap_or_default().to_string();
        let change = if RUNS_SQL.contains(&kind.as_str()) { Change::Opaque { kind } } else { Change::Other { kind } };
        return Ok(vec![Clause::new(piece.range.clone(), change)]);
    }
    guard::guarded(text, piece, lower)
}
