//! A statement's text into squawk-syntax's tree, or the first complaint about it.
//!
//! squawk-syntax finds some of the errors by walks over the finished tree, which cost more than the parser itself.
//! While the tree is built, `Doubt` looks whether anything is in it that those walks ask about. Most statements of
//! migrations have nothing of that kind, and are spared the walks.

use std::cell::RefCell;

use rowan::{GreenNodeBuilder, NodeCache, SyntaxKind as RawKind};
use squawk_parser::{
    EntryPoint, LexedStr, StrStep, is_col_name_keyword, is_reserved_keyword, is_type_func_name_keyword,
};
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::Source;
use crate::sql::lexer::Token;

/// Where in the text a complaint points to, and what it says.
pub(super) struct Complaint {
    pub(super) at: usize,
    pub(super) message: String,
}

/// Reads what a parser can read of a statement.
pub(super) fn read(source: &Source<'_>, text: &str) -> Result<SourceFile, Complaint> {
    let doubted = |token: &Token| DOUBTED.iter().any(|word| token.is_word(source.file, word));
    if !source.piece.tokens.iter().any(doubted)
        && let Some(file) = undoubted(text)
    {
        return Ok(file);
    }
    let parse = SourceFile::parse(text);
    match parse.errors().first() {
        Some(error) => Err(Complaint { at: error.range().start().into(), message: error.message().to_string() }),
        None => Ok(parse.tree()),
    }
}

/// Words whose statements are mostly doubted: it is not worth a try.
const DOUBTED: [&str; 5] = ["select", "in", "function", "procedure", "do"];

/// `None` for a text that the parser refuses, or that the walks could refuse.
fn undoubted(text: &str) -> Option<SourceFile> {
    SHARED.with_borrow_mut(|shared| {
        shared.bytes += text.len();
        if shared.bytes > SHARED_BYTES {
            *shared = Shared { bytes: text.len(), ..Shared::default() };
        }
        build(text, &mut shared.nodes)
    })
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::default();
}

/// Statements are made of the same words again and again: their trees share them.
#[derive(Default)]
struct Shared {
    nodes: NodeCache,
    /// The length of all texts that they come from.
    bytes: usize,
}

/// More is not remembered.
const SHARED_BYTES: usize = 32 << 10;

fn build(text: &str, nodes: &mut NodeCache) -> Option<SourceFile> {
    let lexed = LexedStr::new(text);
    if lexed.errors().next().is_some() {
        return None;
    }
    let output = EntryPoint::SourceFile.parse(&lexed.to_input());
    let mut builder = GreenNodeBuilder::with_cache(nodes);
    let mut doubt = Doubt::default();
    lexed.intersperse_trivia(&output, &mut |step| {
        doubt.raised |= doubt.raises(&step);
        if doubt.raised {
            return;
        }
        match step {
            StrStep::Token { kind, text } => builder.token(RawKind(kind.into()), text),
            StrStep::Enter { kind } => builder.start_node(RawKind(kind.into())),
            StrStep::Exit => builder.finish_node(),
            StrStep::Error { .. } => {}
        }
    });
    if doubt.raised { None } else { SourceFile::cast(SyntaxNode::new_root(builder.finish())) }
}

/// Whether the walks could complain: `validation.rs` and `sql_body.rs` of the version that `Cargo.toml` pins.
#[derive(Default)]
struct Doubt {
    raised: bool,
    /// The nodes around this place, innermost last, with how many of the parts were seen that the walks ask for: of a
    /// literal its tokens, of a column its type, of a file its statements.
    open: Vec<(SyntaxKind, usize)>,
    /// The next token is the first of a name.
    name: Option<Name>,
    /// How many nodes are around a type's modifiers, within them.
    modifiers: Option<usize>,
}

/// A name in which some keywords are refused.
enum Name {
    Any,
    OfFunction,
}

impl Doubt {
    fn raises(&mut self, step: &StrStep<'_>) -> bool {
        match step {
            StrStep::Token { kind, text } => self.token(*kind, text),
            StrStep::Enter { kind } => self.enter(*kind),
            StrStep::Exit => self.exit(),
            StrStep::Error { .. } => true,
        }
    }

    fn enter(&mut self, kind: SyntaxKind) -> bool {
        use SyntaxKind as Is;
        let parent = self.open.last().map(|(kind, _)| *kind);
        if let Some((parent, parts)) = self.open.last_mut() {
            *parts += usize::from(match *parent {
                Is::COLUMN => ast::Type::can_cast(kind),
                Is::SET_COLUMN_LIST => ast::SetColumn::can_cast(kind),
                Is::TO_CONFIG_VALUE => ast::ConfigValue::can_cast(kind),
                _ => true,
            });
        }
        match kind {
            Is::NAME_REF if parent == Some(Is::CALL_EXPR) => self.name = Some(Name::OfFunction),
            Is::NAME_REF | Is::TABLE_NAME => self.name = Some(Name::Any),
            Is::ARG_LIST if parent != Some(Is::CALL_EXPR) => self.modifiers = Some(self.open.len()),
            _ => {}
        }
        let second_statement = self.open.last().is_some_and(|(parent, parts)| *parent == Is::SOURCE_FILE && *parts > 1);
        self.open.push((kind, 0));
        second_statement || is_asked_about(kind)
    }

    fn exit(&mut self) -> bool {
        let Some((kind, parts)) = self.open.pop() else { return true };
        if self.modifiers == Some(self.open.len()) {
            self.modifiers = None;
        }
        parts == 0 && matches!(kind, SyntaxKind::COLUMN | SyntaxKind::SET_COLUMN_LIST | SyntaxKind::TO_CONFIG_VALUE)
    }

    fn token(&mut self, kind: SyntaxKind, text: &str) -> bool {
        use SyntaxKind as Is;
        if matches!(kind, Is::WHITESPACE | Is::COMMENT) {
            return false;
        }
        let refused = match self.name.take() {
            Some(Name::OfFunction) if is_col_name_keyword(kind) || is_reserved_keyword(kind) => true,
            Some(_) => is_type_func_name_keyword(kind),
            None => false,
        };
        let complex =
            self.modifiers.is_some() && !matches!(kind, Is::L_PAREN | Is::INT_NUMBER | Is::COMMA | Is::R_PAREN);
        let Some((parent, parts)) = self.open.last_mut() else { return true };
        let literal = *parent == Is::LITERAL && {
            *parts += 1;
            *parts > 1 || matches!(kind, Is::UNICODE_ESC_STRING | Is::DEFAULT_KW)
        };
        refused
            || complex
            || literal
            || match kind {
                Is::IN_KW | Is::OVERLAPS_KW | Is::LATERAL_KW | Is::UESCAPE_KW => true,
                Is::DEFAULT_KW => *parent == Is::SET_EXPR,
                Is::IDENT => text.as_bytes().get(1) == Some(&b'&'),
                _ => false,
            }
    }
}

/// The walks look into such nodes; those of PL/pgSQL stand in no statement.
fn is_asked_about(kind: SyntaxKind) -> bool {
    use SyntaxKind as Is;
    matches!(
        kind,
        Is::AGGREGATE
            | Is::ALL_FN
            | Is::ANY_FN
            | Is::ARRAY_EXPR
            | Is::ATOMIC_BODY
            | Is::CREATE_AGGREGATE
            | Is::CREATE_FUNCTION
            | Is::CREATE_PROCEDURE
            | Is::CUSTOM_OP
            | Is::DISTINCT_ON
            | Is::DO
            | Is::EXCEPT_TABLE_CLAUSE
            | Is::FUNCTION_FROM_ITEM
            | Is::FUNCTION_SIG
            | Is::FUNC_OPTION_LIST
            | Is::JOIN_EXPR
            | Is::JSON_ARRAY_FN
            | Is::JSON_OBJECT_FN
            | Is::NON_STANDARD_PARAM
            | Is::PAREN_FROM_ITEM
            | Is::PARTITION_FOR_VALUES_WITH
            | Is::PERCENT_TYPE
            | Is::PROCEDURE_SIG
            | Is::ROUTINE_SIG
            | Is::RULE_STMT_LIST
            | Is::SELECT
            | Is::SELECT_CLAUSE
            | Is::SELECT_INTO
            | Is::SOME_FN
            | Is::STORAGE_MODE
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{fs, thread};

    use super::*;
    use crate::sql::Dialect;
    use crate::sql::split::pieces;

    #[test]
    fn what_the_walks_refuse_is_doubted() {
        for text in [
            "CREATE TABLE t (a)",
            "CREATE TABLE left (a int)",
            "CREATE TABLE t (a int) CREATE TABLE u (a int)",
            "CREATE TABLE t (a varchar(1 + 1))",
            "CREATE TABLE t (a numeric(x => 1))",
            "CREATE TABLE t (a varchar(VARIADIC 1))",
            "CREATE TABLE t (a int DEFAULT setof(1))",
            "CREATE TABLE t (a int DEFAULT left)",
            "CREATE TABLE t (a int CHECK (a IN ()))",
            "CREATE TABLE t (a int CHECK (any(1)))",
            "CREATE TABLE t (a int CHECK (a OVERLAPS a))",
            "CREATE TABLE t (a int DEFAULT nullif(1))",
            "CREATE TABLE t (a int DEFAULT [1])",
            "CREATE TABLE t PARTITION OF p FOR VALUES WITH (modulus 1)",
            "ALTER TABLE t ALTER a SET STORAGE somewhere",
            "INSERT INTO t VALUES ('a' 'b')",
            "INSERT INTO t VALUES (U&'\\0')",
            "INSERT INTO t VALUES (DEFAULT + 1)",
            "DELETE FROM t WHERE a = DEFAULT",
            "UPDATE t SET",
            "UPDATE t SET a.b = DEFAULT",
            "UPDATE t SET a = 1 FROM LATERAL u",
            "UPDATE t SET a = 1 FROM u JOIN v",
            "DROP TABLE U&\"\\0\"",
            "DROP TABLE \"a\" UESCAPE '!'",
            "SET a = -1 = -1",
            "FROM t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql LANGUAGE sql AS ''",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT FROM WHERE'",
            "DROP FUNCTION f(int DEFAULT 1)",
            "DO LANGUAGE sql ''",
        ] {
            assert!(!SourceFile::parse(text).errors().is_empty(), "nobody refuses `{text}`");
            assert!(undoubted(text).is_none(), "nobody doubts `{text}`");
        }
    }

    #[test]
    fn the_usual_is_not_doubted() {
        for text in [
            "CREATE TABLE t (a numeric(10, 2)[] NOT NULL DEFAULT now(), b text REFERENCES u (a), CHECK (a > 0))",
            "ALTER TABLE a.t ADD COLUMN b varchar(20) DEFAULT 'x', DROP COLUMN c",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t USING gin (lower(a)) WHERE b IS NULL",
            "INSERT INTO t (a, b) VALUES (1, 'x'), (-2.5, NULL)",
            "UPDATE t SET a = b + 1 WHERE c IS NOT NULL AND d <> 1",
            "SET lock_timeout = '2s'",
            "COMMENT ON TABLE t IS 'it''s'",
        ] {
            assert!(undoubted(text).is_some(), "somebody doubts `{text}`");
        }
    }

    #[test]
    fn a_tree_is_the_same_without_the_walks() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        // The parser is recursive, and takes much without optimisation.
        let compare = thread::Builder::new().stack_size(128 << 20).spawn(move || compare_below(&fixtures));
        let seen = compare.expect("a thread").join().expect("no tree differs");
        assert!(seen > 500, "{seen}");
    }

    fn compare_below(place: &Path) -> usize {
        if place.is_dir() {
            let entries = place.read_dir().expect("it is a directory");
            // What the fuzzer found is kept from the parser by the guard.
            let entries =
                entries.map(|entry| entry.expect("it is there").path()).filter(|path| !path.ends_with("fuzz"));
            return entries.map(|path| compare_below(&path)).sum();
        }
        let text = fs::read_to_string(place).unwrap_or_default();
        let mut seen = 0;
        pieces(&text, Dialect::Postgres, |piece| {
            let statement = &text[piece.range.clone()];
            let Some(file) = undoubted(statement) else { return };
            let parse = SourceFile::parse(statement);
            assert!(parse.errors().is_empty(), "{}: {statement}", place.display());
            assert_eq!(format!("{:#?}", file.syntax()), format!("{:#?}", parse.syntax_node()));
            seen += 1;
        });
        seen
    }
}
