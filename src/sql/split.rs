//! Tokens into statements: a terminator ends one, unless it stands in a body that belongs to it.

use std::ops::Range;

use super::Dialect;
use super::lexer::{Kind, Lexer, Token};

/// The tokens of one statement, without its terminator; never empty.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) tokens: Vec<Token>,
}

/// Cuts a whole file. Every token but terminators and `DELIMITER` lines is in exactly one piece.
pub(super) fn pieces(text: &str, dialect: Dialect) -> Vec<Piece> {
    cut(text, dialect).0
}

/// The byte ranges of a file's comments, with their marks, in order. What looks like a comment inside a string is none.
pub fn comments(text: &str, dialect: Dialect) -> Vec<Range<usize>> {
    cut(text, dialect).1
}

fn cut(text: &str, dialect: Dialect) -> (Vec<Piece>, Vec<Range<usize>>) {
    let mut lexer = Lexer::new(text, dialect);
    let mut pieces = Vec::new();
    let mut tokens: Vec<Token> = Vec::new();
    let mut body = Body::default();
    while let Some(token) = lexer.next() {
        let first = tokens.is_empty();
        if first && dialect == Dialect::Mysql && token.is_word(text, "delimiter") {
            let line = lexer.rest_of_line(token.range.start);
            lexer.set_delimiter(line.text(text));
        } else if first && dialect == Dialect::Sqlite && is_dot_command(&token, text) {
            tokens.push(lexer.rest_of_line(token.range.start));
            finish(&mut pieces, &mut tokens, &mut body);
        } else if token.kind == Kind::Meta {
            // psql's `\gexec` ends the statement before it; the command itself is one more.
            finish(&mut pieces, &mut tokens, &mut body);
            tokens.push(token);
            finish(&mut pieces, &mut tokens, &mut body);
        } else if token.kind == Kind::Terminator && !(body.is_open() && token.text(text) == ";") {
            let data_follows = dialect == Dialect::Postgres && reads_stdin(&tokens, text);
            finish(&mut pieces, &mut tokens, &mut body);
            if data_follows {
                lexer.skip_copy_data();
            }
        } else {
            body.feed(&token, text, dialect);
            tokens.push(token);
        }
    }
    finish(&mut pieces, &mut tokens, &mut body);
    (pieces, lexer.into_comments())
}

fn finish(pieces: &mut Vec<Piece>, tokens: &mut Vec<Token>, body: &mut Body) {
    *body = Body::default();
    let tokens = std::mem::take(tokens);
    if let (Some(first), Some(last)) = (tokens.first(), tokens.last())
        && tokens.iter().any(|token| token.kind != Kind::Executed)
    {
        pieces.push(Piece { range: first.range.start..last.range.end, tokens });
    }
}

/// sqlite3's `.mode`, `.read`: a dot and a letter where a statement would begin.
fn is_dot_command(token: &Token, text: &str) -> bool {
    token.is_symbol(text, '.') && text[token.range.end..].starts_with(|c: char| c.is_ascii_alphabetic())
}

fn reads_stdin(tokens: &[Token], text: &str) -> bool {
    tokens.first().is_some_and(|token| token.is_word(text, "copy"))
        && tokens.windows(2).any(|pair| pair[0].is_word(text, "from") && pair[1].is_word(text, "stdin"))
}

/// What a statement's own body leaves open, and with it whether a `;` ends the statement.
#[derive(Default)]
struct Body {
    words: usize,
    kind: Bodied,
    /// Open blocks, innermost last.
    blocks: Vec<Block>,
    parentheses: usize,
    previous: Previous,
}

/// What kind of body a statement can have.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Bodied {
    /// Not known yet.
    #[default]
    Undecided,
    /// None: every `;` ends it.
    Never,
    /// PostgreSQL's rule: `DO ALSO (a; b)`.
    Rule,
    /// PostgreSQL's routine: `BEGIN ATOMIC a; b; END`.
    Atomic,
    /// SQLite's trigger: `BEGIN a; b; END`.
    Trigger,
    /// MySQL's trigger, routine or event: `BEGIN`, or a single IF, LOOP and so on.
    Compound,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// It holds statements: BEGIN, IF, LOOP, and CASE as a statement.
    Statements,
    /// CASE as an expression.
    Case,
}

/// The token before, as far as it tells whether a statement begins here.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Previous {
    #[default]
    Other,
    /// A statement begins after it.
    Opener,
    Begin,
    End,
}

impl Body {
    fn is_open(&self) -> bool {
        !self.blocks.is_empty() || (self.kind == Bodied::Rule && self.parentheses > 0)
    }

    fn feed(&mut self, token: &Token, text: &str, dialect: Dialect) {
        if self.kind == Bodied::Never {
            return;
        }
        if token.kind != Kind::Word {
            if token.is_symbol(text, '(') {
                self.parentheses += 1;
            } else if token.is_symbol(text, ')') {
                self.parentheses = self.parentheses.saturating_sub(1);
            }
            let opener = token.kind == Kind::Terminator || token.is_symbol(text, ':');
            self.previous = if opener { Previous::Opener } else { Previous::Other };
            return;
        }
        let word = token.text(text).to_ascii_uppercase();
        self.words += 1;
        if self.kind == Bodied::Undecided {
            self.decide(&word, dialect);
            return;
        }
        self.previous = self.step(&word);
    }

    /// The first words tell what body there can be.
    fn decide(&mut self, word: &str, dialect: Dialect) {
        self.kind = match (dialect, word) {
            (Dialect::Mysql, "BEGIN") if self.words == 1 => Bodied::Undecided,
            (Dialect::Mysql, "NOT") if self.words == 2 => {
                // MariaDB's anonymous block: BEGIN NOT ATOMIC ... END.
                self.blocks.push(Block::Statements);
                Bodied::Compound
            }
            (_, "CREATE") if self.words == 1 => Bodied::Undecided,
            _ if self.words == 1 => Bodied::Never,
            (Dialect::Postgres, "FUNCTION" | "PROCEDURE") => Bodied::Atomic,
            (Dialect::Postgres, "RULE") => Bodied::Rule,
            (Dialect::Sqlite, "TRIGGER") => Bodied::Trigger,
            (Dialect::Mysql, "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT" | "PACKAGE") => Bodied::Compound,
            (Dialect::Mysql, "TABLE" | "VIEW" | "INDEX" | "DATABASE" | "SCHEMA" | "USER" | "ROLE") => Bodied::Never,
            (Dialect::Postgres | Dialect::Sqlite, _) if self.words > 3 => Bodied::Never,
            _ => Bodied::Undecided,
        };
    }

    fn step(&mut self, word: &str) -> Previous {
        let starts = matches!(self.previous, Previous::Opener);
        match (self.kind, word) {
            (Bodied::Rule, _) => {}
            // `END IF`, `END LOOP`: the word names what END has closed.
            (Bodied::Compound, "IF" | "LOOP" | "WHILE" | "REPEAT" | "CASE") if self.previous == Previous::End => {}
            (_, "END") => {
                self.blocks.pop();
                return Previous::End;
            }
            (Bodied::Atomic, "BEGIN") => return Previous::Begin,
            (Bodied::Atomic, "ATOMIC") if self.previous == Previous::Begin => self.blocks.push(Block::Statements),
            (Bodied::Compound | Bodied::Trigger, "BEGIN") => {
                self.blocks.push(Block::Statements);
                return Previous::Opener;
            }
            (Bodied::Compound, "CASE") if starts => self.blocks.push(Block::Statements),
            (_, "CASE") if !self.blocks.is_empty() => self.blocks.push(Block::Case),
            (Bodied::Compound, "IF" | "LOOP" | "WHILE" | "REPEAT") if starts => {
                self.blocks.push(Block::Statements);
                if word != "IF" && word != "WHILE" {
                    return Previous::Opener;
                }
            }
            // A statement begins after these, unless they belong to a CASE expression, where IF is a function.
            (Bodied::Compound, "THEN" | "ELSE" | "DO" | "ROW") if self.blocks.last() != Some(&Block::Case) => {
                return Previous::Opener;
            }
            _ => {}
        }
        Previous::Other
    }
}
