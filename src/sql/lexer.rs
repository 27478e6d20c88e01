//! Bytes into tokens, as each dialect's server and client tokenise them: what is quoted, what is a
//! comment, where a client's delimiter stands. It knows no grammar.

use std::borrow::Cow;
use std::ops::Range;

use super::Dialect;

/// What a token is; comments and white space are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted identifier.
    Word,
    /// A quoted identifier.
    Quoted,
    /// A string literal with its quotes, of any kind.
    String,
    Number,
    /// One character that is nothing else.
    Symbol,
    /// `;`, and what `DELIMITER` put in its place.
    Terminator,
    /// A command to the client up to the end of its line: psql's `\set`, sqlite3's `.mode`.
    Meta,
    /// `/*!50600` or `*/`: MySQL executes what stands between them.
    Executed,
    /// A quote or a comment that the file does not close.
    Unterminated,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

impl Token {
    /// The token's source.
    pub(super) fn text<'a>(&self, source: &'a str) -> &'a str {
        &source[self.range.clone()]
    }

    /// It is this keyword, in any case.
    pub(super) fn is_word(&self, source: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(source).eq_ignore_ascii_case(word)
    }

    /// It is this one character.
    pub(super) fn is_symbol(&self, source: &str, symbol: char) -> bool {
        self.kind == Kind::Symbol && self.text(source).starts_with(symbol)
    }
}

/// A place to go back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    position: usize,
    executed: bool,
    comments: usize,
}

/// Reads tokens one by one.
pub(super) struct Lexer<'a> {
    text: &'a str,
    dialect: Dialect,
    position: usize,
    delimiter: &'a str,
    /// We are between `/*!` and its `*/`.
    executed: bool,
    /// A backslash escapes in plain strings: always in MySQL, in PostgreSQL without standard_conforming_strings.
    backslashes: bool,
    /// Double quotes stand around names: not in MySQL, unless sql_mode says so.
    quoted_names: bool,
    /// No line ahead ends copied data; it is not looked for again.
    no_more_data: bool,
    /// The comments passed so far.
    comments: Vec<Range<usize>>,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `text`, behind a byte order mark if there is one.
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        let position = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self {
            text,
            dialect,
            position,
            delimiter: ";",
            executed: false,
            backslashes: dialect == Dialect::Mysql,
            quoted_names: dialect != Dialect::Mysql,
            no_more_data: false,
            comments: Vec::new(),
        }
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Token> {
        if let Some(unterminated) = self.skip_blanks() {
            return Some(unterminated);
        }
        let start = self.position;
        let bytes = self.text.as_bytes();
        let first = *bytes.get(start)?;
        if self.rest().starts_with(self.delimiter) {
            return Some(self.token(Kind::Terminator, start + self.delimiter.len()));
        }
        if PLACEHOLDER_STARTS.contains(&first) && placeholder(self.rest()).is_some() {
            return Some(self.word());
        }
        match first {
            b'\'' => Some(self.quoted(Kind::String, start, self.backslashes)),
            b'"' if !self.quoted_names => Some(self.quoted(Kind::String, start, self.backslashes)),
            b'"' => Some(self.quoted(Kind::Quoted, start, false)),
            b'`' if self.dialect != Dialect::Postgres => Some(self.quoted(Kind::Quoted, start, false)),
            b'[' if self.dialect == Dialect::Sqlite => Some(self.bracketed()),
            b'$' if self.dialect == Dialect::Postgres => Some(self.dollar()),
            b'\\' if self.dialect == Dialect::Postgres => Some(self.meta()),
            // The mysql client sends what stands before it.
            b'\\' if self.dialect == Dialect::Mysql && matches!(bytes.get(start + 1), Some(b'g' | b'G')) => {
                Some(self.token(Kind::Terminator, start + 2))
            }
            b'/' if self.dialect == Dialect::Mysql && bytes.get(start + 1) == Some(&b'*') => Some(self.open_executed()),
            b'*' if self.executed && bytes.get(start + 1) == Some(&b'/') => {
                self.executed = false;
                Some(self.token(Kind::Executed, start + 2))
            }
            b';' => Some(self.token(Kind::Terminator, start + 1)),
            b'0'..=b'9' => Some(self.number()),
            _ if is_word_start(first) => Some(self.word()),
            _ => Some(self.token(Kind::Symbol, start + 1)),
        }
    }

    /// Takes the rest of the line as one token: a command to the client. `start` is where it began.
    pub(super) fn rest_of_line(&mut self, start: usize) -> Token {
        let end = self.rest().find('\n').map_or(self.text.len(), |at| self.position + at);
        let end = start + self.text[start..end].trim_end().len();
        self.position = end;
        Token { kind: Kind::Meta, range: start..end }
    }

    /// `DELIMITER` put something in the place of `;`.
    pub(super) fn has_own_delimiter(&self) -> bool {
        self.delimiter != ";"
    }

    /// Whether a backslash escapes from here on.
    pub(super) fn set_backslashes(&mut self, escape: bool) {
        self.backslashes = escape;
    }

    /// Whether double quotes stand around names from here on.
    pub(super) fn set_quoted_names(&mut self, quoted: bool) {
        self.quoted_names = quoted;
    }

    /// Obeys a `DELIMITER` command behind its first word. The rest of its line means nothing.
    pub(super) fn set_delimiter(&mut self) {
        let before = self.position;
        let Some(delimiter) = self.rest().split_whitespace().next() else { return };
        self.position += self.rest().find(delimiter).unwrap_or_default();
        self.rest_of_line(before);
        self.delimiter = delimiter;
    }

    /// The line of `word` puts `;` back in place of another delimiter. In a statement that its own
    /// delimiter does not end, this is where it ends.
    pub(super) fn restores_delimiter(&self, word: &Token) -> bool {
        // Only blanks are passed on either side: a long line may hold this word again and again.
        let blanks = [' ', '\t', '\r'];
        let before = self.text[..word.range.start].trim_end_matches(blanks);
        let after =
            self.rest().trim_start_matches(blanks).strip_prefix(';').map(|rest| rest.trim_start_matches(blanks));
        self.delimiter != ";"
            && (before.is_empty() || before.ends_with('\n'))
            && after.is_some_and(|rest| rest.is_empty() || rest.starts_with('\n'))
    }

    /// Skips the lines of data behind `COPY ... FROM stdin;` with the `\.` that ends them. Without
    /// such a line there is no data: what follows is SQL.
    pub(super) fn skip_copy_data(&mut self) {
        if self.no_more_data {
            return;
        }
        let mut end = self.position;
        for line in self.rest().split_inclusive('\n') {
            end += line.len();
            if line.trim_end() == "\\." {
                self.position = end;
                return;
            }
        }
        self.no_more_data = true;
    }

    /// Where it stands.
    pub(super) fn mark(&self) -> Mark {
        Mark { position: self.position, executed: self.executed, comments: self.comments.len() }
    }

    /// Goes back to where it stood, under the delimiter that is now in force.
    pub(super) fn go_back(&mut self, mark: Mark) {
        self.position = mark.position;
        self.executed = mark.executed;
        self.comments.truncate(mark.comments);
    }

    /// All comments of what was read, with their marks.
    pub(super) fn into_comments(self) -> Vec<Range<usize>> {
        self.comments
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn token(&mut self, kind: Kind, end: usize) -> Token {
        let range = self.position..end;
        self.position = end;
        Token { kind, range }
    }

    /// Moves to the next token; a comment that never ends comes back as a token.
    fn skip_blanks(&mut self) -> Option<Token> {
        loop {
            let rest = self.rest().as_bytes();
            match rest {
                [blank, ..] if blank.is_ascii_whitespace() || *blank == 0x0b => self.position += 1,
                [b'-', b'-', next @ ..] if self.dialect != Dialect::Mysql || mysql_dashes(next) => self.skip_line(),
                [b'#', ..] if self.dialect == Dialect::Mysql && !self.rest().starts_with(self.delimiter) => {
                    self.skip_line();
                }
                [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..]
                    if self.dialect == Dialect::Mysql && !speaks_to_client(self.rest()) =>
                {
                    return None;
                }
                [b'/', b'*', ..] => match self.comment_end() {
                    Some(end) => {
                        self.comments.push(self.position..end);
                        self.position = end;
                    }
                    None => return Some(self.token(Kind::Unterminated, self.text.len())),
                },
                _ => return None,
            }
        }
    }

    /// Skips a comment to the end of its line. For PostgreSQL a carriage return alone ends it, too (`non_newline` in
    /// `scan.l`): what follows runs.
    fn skip_line(&mut self) {
        let ends: &[char] = if self.dialect == Dialect::Postgres { &['\n', '\r'] } else { &['\n'] };
        let end = self.rest().find(ends).map_or(self.text.len(), |at| self.position + at);
        self.comments.push(self.position..end);
        self.position = end;
    }

    /// Where the block comment at the position ends. PostgreSQL nests them; SQLite lets the end of
    /// the file close one.
    fn comment_end(&self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut depth = 1;
        let mut at = self.position + 2;
        while at + 1 < bytes.len() {
            match &bytes[at..at + 2] {
                b"*/" => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                b"/*" if self.dialect == Dialect::Postgres => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        (self.dialect == Dialect::Sqlite).then_some(bytes.len())
    }

    /// A quote that doubling escapes, from its opening byte at `open`.
    fn quoted(&mut self, kind: Kind, open: usize, backslash: bool) -> Token {
        let bytes = self.text.as_bytes();
        let quote = bytes[open];
        let mut at = open + 1;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if backslash => at += 2,
                byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
                byte if byte == quote => match self.continued(kind, at + 1) {
                    Some(next) => at = next + 1,
                    None => return self.token(kind, at + 1),
                },
                _ => at += 1,
            }
        }
        self.token(Kind::Unterminated, bytes.len())
    }

    /// Where a string goes on that seems to end at `end`: PostgreSQL takes literals on lines of their own for one, with
    /// the escapes of the first (`quotecontinue` in `scan.l`).
    fn continued(&self, kind: Kind, end: usize) -> Option<usize> {
        if self.dialect != Dialect::Postgres || kind != Kind::String {
            return None;
        }
        let bytes = self.text.as_bytes();
        let (mut at, mut new_line) = (end, false);
        loop {
            match bytes.get(at..)? {
                [b'\n' | b'\r', ..] => (at, new_line) = (at + 1, true),
                [b' ' | b'\t' | 0x0b | 0x0c, ..] => at += 1,
                [b'-', b'-', ..] => at += self.text[at..].find(['\n', '\r'])?,
                [b'\'', ..] if new_line => return Some(at),
                _ => return None,
            }
        }
    }

    /// SQLite's `[name]`.
    fn bracketed(&mut self) -> Token {
        match self.rest().find(']') {
            Some(at) => self.token(Kind::Quoted, self.position + at + 1),
            None => self.token(Kind::Unterminated, self.text.len()),
        }
    }

    /// `$tag$ ... $tag$`, a parameter `$1`, or a lone dollar.
    fn dollar(&mut self) -> Token {
        let rest = self.rest();
        let tag = rest[1..].bytes().take_while(|byte| is_word_start(*byte) || byte.is_ascii_digit()).count();
        if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
            return self.token(Kind::Word, self.position + 1 + tag);
        }
        if rest.as_bytes().get(1 + tag) != Some(&b'$') {
            return self.token(Kind::Symbol, self.position + 1);
        }
        let quote = &rest[..tag + 2];
        match rest[quote.len()..].find(quote) {
            Some(at) => self.token(Kind::String, self.position + at + 2 * quote.len()),
            None => self.token(Kind::Unterminated, self.text.len()),
        }
    }

    fn meta(&mut self) -> Token {
        let start = self.position;
        self.rest_of_line(start)
    }

    /// `/*!`, `/*M!`, with the version that it asks for.
    fn open_executed(&mut self) -> Token {
        let mark = self.rest().find('!').map_or(2, |at| at + 1);
        let version = self.rest()[mark..].bytes().take_while(u8::is_ascii_digit).count();
        self.executed = true;
        self.token(Kind::Executed, self.position + mark + version)
    }

    fn number(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let hexadecimal = matches!(bytes.get(self.position + 1), Some(b'x' | b'X'));
        let mut at = self.position;
        while let Some(byte) = bytes.get(at) {
            let sign = matches!(byte, b'+' | b'-') && !hexadecimal && matches!(bytes[at - 1], b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || sign) {
                break;
            }
            at += 1;
        }
        self.token(Kind::Number, at)
    }

    fn word(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let mut at = self.position;
        while let Some(byte) = bytes.get(at) {
            let delimiter = self.delimiter != ";" && bytes[at..].starts_with(self.delimiter.as_bytes());
            if PLACEHOLDER_STARTS.contains(byte)
                && let Some(length) = placeholder(&self.text[at..])
            {
                at += length;
            } else if !is_word_part(*byte) || delimiter {
                // The mysql client finds `$$` even in `END$$`.
                break;
            } else {
                at += 1;
            }
        }
        match (&bytes[self.position..at], &bytes[at..]) {
            _ if self.dialect != Dialect::Postgres => self.token(Kind::Word, at),
            (b"e" | b"E", [b'\'', ..]) => self.quoted(Kind::String, at, true),
            (b"u" | b"U", [b'&', b'\'', ..]) => self.quoted(Kind::String, at + 1, false),
            (b"u" | b"U", [b'&', b'"', ..]) => self.quoted(Kind::Quoted, at + 1, false),
            _ => self.token(Kind::Word, at),
        }
    }
}

/// A longer one is none: without a bound, a file of nothing but `${` would take for ever.
const PLACEHOLDER_CAP: usize = 200;

/// What placeholders begin with.
const PLACEHOLDER_STARTS: [u8; 4] = *b"${<@";

/// The length of a template's placeholder at the start of `text`: `${name}`, `{{ name }}`, `<%= name %>`,
/// `$%NAME%$`, `@name@`. It stands for an identifier or a part of one.
fn placeholder(text: &str) -> Option<usize> {
    let (open, close) = match text.as_bytes() {
        [b'$', b'{', ..] => ("${", "}"),
        [b'{', b'{', ..] => ("{{", "}}"),
        [b'<', b'%', b'=', ..] => ("<%=", "%>"),
        [b'$', b'%', ..] => ("$%", "%$"),
        [b'@', first, ..] if is_word_start(*first) => ("@", "@"),
        _ => return None,
    };
    let inner = &text[open.len()..];
    let bound = inner.floor_char_boundary(PLACEHOLDER_CAP);
    let length = inner[..bound].find(close)?;
    let is_name = |byte: u8| is_word_part(byte) || matches!(byte, b'.' | b'-');
    let fits = if open == "@" { inner[..length].bytes().all(is_name) } else { !inner[..length].contains('\n') };
    fits.then_some(open.len() + length + close.len())
}

/// The text has a placeholder in it.
pub(super) fn is_template(word: &str) -> bool {
    word.match_indices(PLACEHOLDER_STARTS.map(char::from)).any(|(at, _)| placeholder(&word[at..]).is_some())
}

/// An identifier of the same length that a parser accepts for a word with placeholders in it.
pub(super) fn without_placeholders(word: &str) -> Cow<'_, str> {
    if !is_template(word) {
        return Cow::Borrowed(word);
    }
    word.bytes()
        .map(|byte| if is_word_part(byte) && byte.is_ascii() && byte != b'$' { byte as char } else { '_' })
        .collect()
}

/// `/*M!999999\- enable the sandbox mode */`, which MariaDB's dumps begin with: no server executes it.
fn speaks_to_client(comment: &str) -> bool {
    let version = comment.find('!').map_or("", |at| &comment[at + 1..]);
    version.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("\\-")
}

/// MySQL takes `--` for a comment only before a blank or the end.
fn mysql_dashes(next: &[u8]) -> bool {
    next.first().is_none_or(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}
