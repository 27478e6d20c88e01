//! Tokens into statements: a terminator ends one, unless it stands in a body that belongs to it.

use std::ops::Range;

use super::Dialect;
use super::lexer::{Kind, Lexer, Token};

/// The tokens of one statement, without its terminator; never empty.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) tokens: Vec<Token>,
    /// The file ends before the body that began here.
    pub(super) unclosed: bool,
}

/// Cuts a whole file and hands over piece after piece: the tokens of one at a time are kept. Every token but terminators
/// and `DELIMITER` lines is in exactly one piece.
pub(super) fn pieces(text: &str, dialect: Dialect, mut each: impl FnMut(&Piece)) {
    cut(text, dialect, &mut each);
}

/// The byte ranges of a file's comments, with their marks, in order. What looks like a comment inside a string is none.
pub fn comments(text: &str, dialect: Dialect) -> Vec<Range<usize>> {
    cut(text, dialect, &mut |_| {}).into_comments()
}

fn cut<'a>(text: &'a str, dialect: Dialect, each: &mut dyn FnMut(&Piece)) -> Lexer<'a> {
    let mut splitter = Splitter { text, dialect, each, tokens: Vec::new(), body: Body::default() };
    let mut lexer = Lexer::new(text, dialect);
    // Where the first `;` of an open body stands: what follows it is not lost if no END comes.
    let mut resume = None;
    for _ in 0..=RESUMPTIONS {
        while let Some(token) = lexer.next() {
            let inner = token.kind == Kind::Terminator && splitter.body.is_open() && !lexer.has_own_delimiter();
            if inner && resume.is_none() {
                resume = Some((splitter.tokens.len(), lexer.mark()));
            }
            splitter.feed(token, &mut lexer);
            if splitter.tokens.is_empty() {
                resume = None;
            }
        }
        match resume.take().filter(|_| splitter.body.is_open()) {
            Some((count, behind)) => {
                splitter.tokens.truncate(count);
                splitter.end(true);
                lexer.go_back(behind);
            }
            None => break,
        }
    }
    splitter.end(splitter.body.is_open());
    lexer
}

/// Each broken body costs one more look at the rest of the file.
const RESUMPTIONS: usize = 20;

/// The piece that is being read.
struct Splitter<'a, 'e> {
    text: &'a str,
    dialect: Dialect,
    /// What is done with each piece.
    each: &'e mut dyn FnMut(&Piece),
    tokens: Vec<Token>,
    body: Body,
}

impl<'a> Splitter<'a, '_> {
    fn feed(&mut self, token: Token, lexer: &mut Lexer<'a>) {
        let text = self.text;
        let first = self.tokens.is_empty();
        let delimiter = self.dialect == Dialect::Mysql && token.is_word(text, "delimiter");
        if delimiter && (first || lexer.restores_delimiter(&token)) {
            self.finish();
            lexer.set_delimiter();
        } else if first && is_client_command(&token, text, self.dialect) {
            self.tokens.push(lexer.rest_of_line(token.range.start));
            self.finish();
        } else if token.kind == Kind::Meta && !self.body.is_open() {
            // psql's `\gexec` ends the statement before it; the command itself is one more.
            self.finish();
            let data_follows = copies_stdin(token.text(text));
            self.tokens.push(token);
            self.finish();
            if data_follows {
                lexer.skip_copy_data();
            }
        } else if is_separator(&token, text, first) && !lexer.has_own_delimiter() {
            self.finish();
            self.tokens.push(token);
            self.finish();
        } else if self.ends(&token, lexer) {
            let data_follows = self.dialect == Dialect::Postgres && reads_stdin(&self.tokens, text);
            if self.dialect == Dialect::Postgres
                && let Some(standard) = standard_strings(&self.tokens, text)
            {
                lexer.set_backslashes(!standard);
            } else if self.dialect == Dialect::Mysql
                && let Some(mode) = sql_mode(&self.tokens, text)
            {
                lexer.set_backslashes(!mode.contains("NO_BACKSLASH_ESCAPES"));
                lexer.set_quoted_names(ANSI_QUOTES.iter().any(|name| mode.contains(name)));
            }
            self.finish();
            if data_follows {
                lexer.skip_copy_data();
            }
        } else {
            self.body.feed(&token, text, self.dialect);
            self.tokens.push(token);
        }
    }

    /// Under another delimiter `;` still ends what can have no body.
    fn ends(&self, token: &Token, lexer: &Lexer<'_>) -> bool {
        let semicolon = token.text(self.text) == ";";
        token.kind == Kind::Terminator
            && match lexer.has_own_delimiter() {
                true => !semicolon || self.body.kind == Bodied::Never,
                false => !self.body.is_open(),
            }
    }

    fn finish(&mut self) {
        self.end(false);
    }

    fn end(&mut self, unclosed: bool) {
        self.body = Body::default();
        let mut tokens = std::mem::take(&mut self.tokens);
        // `END; //`: the last `;` is not the delimiter, but still ends the statement.
        while tokens.pop_if(|token| token.kind == Kind::Terminator).is_some() {}
        if let (Some(first), Some(last)) = (tokens.first(), tokens.last())
            && tokens.iter().any(|token| token.kind != Kind::Executed)
        {
            let piece = Piece { range: first.range.start..last.range.end, tokens, unclosed };
            (self.each)(&piece);
            tokens = piece.tokens;
        }
        tokens.clear();
        self.tokens = tokens;
    }
}

/// sqlite3's `.mode`, `.read`: a dot and a letter where a statement would begin; the mysql client's `source x`, `\. x`.
fn is_client_command(token: &Token, text: &str, dialect: Dialect) -> bool {
    let letter_follows = text[token.range.end..].starts_with(|c: char| c.is_ascii_alphabetic());
    match dialect {
        Dialect::Postgres => false,
        Dialect::Mysql => token.is_word(text, "source") || token.is_symbol(text, '\\'),
        Dialect::Sqlite => token.is_symbol(text, '.') && letter_follows,
    }
}

/// The modes of MySQL in which double quotes stand around names: one, and those that hold it.
const ANSI_QUOTES: [&str; 6] = ["ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

/// What `SET sql_mode = 'a,b'` sets for the session, in upper case; nothing of a variable.
fn sql_mode(tokens: &[Token], text: &str) -> Option<String> {
    let mut words = tokens.iter().filter(|token| token.kind != Kind::Executed);
    if !words.next()?.is_word(text, "set") {
        return None;
    }
    let at = tokens.iter().position(|token| token.is_word(text, "sql_mode"))?;
    let global = tokens[..at].iter().rev().take(2).any(|token| token.is_word(text, "global"));
    let value = tokens[at..].iter().take_while(|token| token.kind != Kind::Terminator);
    let strings = value.filter(|token| token.kind == Kind::String).map(|token| token.text(text).to_ascii_uppercase());
    (!global && text[tokens[at].range.end..].trim_start().starts_with(['=', ':'])).then(|| strings.collect())
}

/// `GO` at the beginning of its own line, and `/` on one where a statement would begin: what ends a statement in
/// other tools.
pub(super) fn is_separator(token: &Token, text: &str, first: bool) -> bool {
    let (before, after) = (&text[..token.range.start], &text[token.range.end..]);
    (token.is_word(text, "go") || first && token.is_symbol(text, '/'))
        && (before.is_empty() || before.ends_with(['\n', '\u{feff}']))
        && after.lines().next().is_none_or(|line| line.trim().is_empty())
}

/// `SET standard_conforming_strings = off`: from there on a backslash escapes in every string.
fn standard_strings(tokens: &[Token], text: &str) -> Option<bool> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(text, word));
    let name = if is(1, "session") || is(1, "local") { 2 } else { 1 };
    if !is(name, "standard_conforming_strings") || !(is(0, "set") || is(0, "reset")) {
        return None;
    }
    let value = tokens.get(name + 2).map_or("on", |token| token.text(text).trim_matches('\''));
    Some(!["off", "false", "no", "0"].iter().any(|word| value.eq_ignore_ascii_case(word)))
}

/// psql's `\copy t from stdin`: the data stands in the lines that follow.
fn copies_stdin(command: &str) -> bool {
    let mut words = command.split_whitespace().map(str::to_ascii_lowercase);
    words.next().as_deref() == Some("\\copy")
        && words.any(|word| word == "from")
        && words.next().is_some_and(|word| ["stdin", "pstdin"].contains(&word.trim_end_matches(';')))
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
            (Bodied::Compound, "ATOMIC") => return Previous::Opener,
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
