//! PostgreSQL into changes, from squawk-syntax's lossless tree. No type of it leaves this file's folder.

mod alter;
mod query;
mod table;

use std::borrow::Cow;
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::clause;
use crate::sql::change::{Change, Name};
use crate::sql::lexer::{Kind, Token, without_placeholders};
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};

/// One statement as the lowering sees it: its own text, and where that stands in the file.
struct Source<'a> {
    file: &'a str,
    piece: &'a Piece,
}

/// Reads one statement.
pub(in crate::sql) fn parse(file: &str, piece: &Piece) -> Result<Vec<Clause>, Unread> {
    let source = Source { file, piece };
    let parse = SourceFile::parse(&source.parsable());
    if let Some(error) = parse.errors().first() {
        let range = source.token_at(piece.range.start + usize::from(error.range().start()));
        let found = &file[range.clone()];
        let reason = match error.message().starts_with("expected command") {
            true if range.start == piece.range.start => "no statement of PostgreSQL begins like this".to_string(),
            true => reason("expected the end", found),
            false => reason(error.message(), found),
        };
        return Err(Unread { range, reason });
    }
    let tree = parse.tree();
    let Some(statement) = tree.stmts().next() else {
        return Err(Unread { range: piece.range.clone(), reason: "no statement that the parser knows".into() });
    };
    let mut clauses = query::in_with(&source, &statement);
    let lowered = lower(&source, &statement).filter(|clauses| !clauses.is_empty());
    clauses.extend(lowered.ok_or_else(|| Unread {
        range: piece.range.clone(),
        reason: format!("a part is missing in this {}", source.kind()),
    })?);
    Ok(clauses)
}

/// `None` where the tree lacks a part that the statement must have.
fn lower(source: &Source<'_>, statement: &ast::Stmt) -> Option<Vec<Clause>> {
    use ast::Stmt;
    match statement {
        Stmt::AlterTable(it) if it.all_in_tablespace().is_some() => source.other(),
        Stmt::AlterTable(it) => alter::table(source, it.table_relation_name(), it.actions()),
        Stmt::AlterForeignTable(it) => alter::table(source, it.table_relation_name(), it.actions()),
        Stmt::CreateTable(it) => source.whole(table::create(source, it)),
        Stmt::CreateTableAs(it) => source.whole(table::create_as(it)),
        Stmt::SelectInto(it) => source.whole(table::select_into(it)),
        Stmt::DropTable(it) => {
            let (if_exists, cascade) = (it.if_exists().is_some(), source.cascades(it.syntax()));
            source.each(it.table_name_refs(), |table| Change::DropTable { table, if_exists, cascade })
        }
        Stmt::CreateIndex(it) => source.whole(table::create_index(source, it)),
        Stmt::DropIndex(it) => {
            let (concurrently, if_exists) = (it.concurrently_token().is_some(), it.if_exists().is_some());
            source.each(it.index_refs(), |name| Change::DropIndex {
                table: None,
                name,
                concurrently,
                if_exists,
                cascade: false,
            })
        }
        Stmt::CreateTrigger(it) => source.whole(create_trigger(it)),
        Stmt::DropTrigger(it) => source.whole(drop_trigger(it)),
        Stmt::CreateFunction(it) => source.whole(it.name().map(|name| Change::CreateFunction {
            name: name_of(name.syntax()),
            or_replace: it.or_replace().is_some(),
        })),
        Stmt::CreateProcedure(it) => source.whole(it.name().map(|name| Change::CreateFunction {
            name: name_of(name.syntax()),
            or_replace: it.or_replace().is_some(),
        })),
        Stmt::DropFunction(it) => drop_routines(source, it.syntax(), it.if_exists().is_some()),
        Stmt::DropProcedure(it) => drop_routines(source, it.syntax(), it.if_exists().is_some()),
        Stmt::DropRoutine(it) => drop_routines(source, it.syntax(), it.if_exists().is_some()),
        Stmt::CreateView(it) => source.whole(it.view().map(|it| Change::CreateView {
            view: name_of(it.syntax()),
            materialized: false,
            or_replace: false,
            reads: Vec::new(),
        })),
        Stmt::CreateMaterializedView(it) => source.whole(it.view().map(|it| Change::CreateView {
            view: name_of(it.syntax()),
            materialized: true,
            or_replace: false,
            reads: Vec::new(),
        })),
        Stmt::DropView(it) => {
            let if_exists = it.if_exists().is_some();
            source.each(it.view_refs(), |view| Change::DropView {
                view,
                materialized: false,
                if_exists,
                cascade: false,
            })
        }
        Stmt::DropMaterializedView(it) => {
            let if_exists = it.if_exists().is_some();
            source.each(it.view_refs(), |view| Change::DropView {
                view,
                materialized: false,
                if_exists,
                cascade: false,
            })
        }
        Stmt::Update(it) => source.whole(query::update(source, it)),
        Stmt::Delete(it) => source.whole(query::delete(source, it)),
        Stmt::Insert(it) => source.whole(query::insert(it)),
        Stmt::Begin(_) => source.whole(Some(Change::Begin)),
        Stmt::Commit(ast::Commit::CommitTransaction(_)) => source.whole(Some(Change::Commit)),
        Stmt::Rollback(ast::Rollback::RollbackTransaction(_)) => source.whole(Some(Change::Rollback)),
        Stmt::Do(_) | Stmt::Execute(_) | Stmt::Call(_) => source.whole(Some(Change::Opaque { kind: source.kind() })),
        _ => source.other(),
    }
}

fn create_trigger(it: &ast::CreateTrigger) -> Option<Change> {
    Some(Change::CreateTrigger {
        table: name_of(it.on_relation()?.relation_name_ref()?.syntax()),
        name: identifier(it.trigger()?.syntax()),
    })
}

fn drop_trigger(it: &ast::DropTrigger) -> Option<Change> {
    Some(Change::DropTrigger {
        table: it.on_relation().and_then(|on| on.relation_name_ref()).map(|table| name_of(table.syntax())),
        name: identifier(it.trigger_ref()?.syntax()),
        if_exists: it.if_exists().is_some(),
    })
}

fn drop_routines(source: &Source<'_>, statement: &SyntaxNode, if_exists: bool) -> Option<Vec<Clause>> {
    let names = statement.descendants().filter(|node| {
        matches!(
            node.kind(),
            SyntaxKind::FUNCTION_NAME_REF | SyntaxKind::PROCEDURE_NAME_REF | SyntaxKind::ROUTINE_NAME_REF
        )
    });
    source.each_node(names, |name| Change::DropFunction { name, if_exists, cascade: false })
}

impl Source<'_> {
    /// One change that takes the whole statement.
    fn whole(&self, change: Option<Change>) -> Option<Vec<Clause>> {
        Some(vec![Clause::new(self.piece.range.clone(), change?)])
    }

    /// A statement that is no change of ours is named.
    fn other(&self) -> Option<Vec<Clause>> {
        self.whole(Some(Change::Other { kind: self.kind() }))
    }

    /// The statement as the parser gets it: every byte in its place, but blanks for what a
    /// routine's strings hold, and identifiers for placeholders. A body is no part of the schema,
    /// and the parser would parse it, too, without a bound.
    fn parsable(&self) -> Cow<'_, str> {
        let tokens = &self.piece.tokens;
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(self.file, word));
        let routine = |at: usize| is(at, "function") || is(at, "procedure");
        let has_body = is(0, "do") || is(0, "create") && (routine(1) || is(1, "or") && routine(3));
        let mut text = Cow::Borrowed(&self.file[self.piece.range.clone()]);
        let mut replace = |range: Range<usize>, with: &str| {
            let start = range.start - self.piece.range.start;
            text.to_mut().replace_range(start..start + range.len(), with);
        };
        for (at, token) in tokens.iter().enumerate() {
            let source = token.text(self.file);
            match token.kind {
                Kind::String if has_body && source.starts_with('$') => {
                    let quote = source[1..].find('$').map_or(0, |at| at + 2);
                    let body = token.range.start + quote..token.range.end - quote;
                    replace(body.clone(), &" ".repeat(body.len()));
                }
                Kind::Word if self.starts_unknown_attribute(at) || at > 0 && self.starts_unknown_attribute(at - 1) => {
                    replace(token.range.clone(), &" ".repeat(source.len()));
                }
                Kind::Word => {
                    if let Cow::Owned(identifier) = without_placeholders(source) {
                        replace(token.range.clone(), &identifier);
                    }
                }
                _ => {}
            }
        }
        text
    }

    /// `STORAGE main` and `COMPRESSION lz4` in ADD COLUMN, which the parser knows only in CREATE TABLE.
    fn starts_unknown_attribute(&self, at: usize) -> bool {
        let is = |at: usize, words: &[&str]| {
            self.piece.tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(self.file, word)))
        };
        is(0, &["alter"])
            && is(at, &["storage", "compression"])
            && is(at + 1, &["plain", "external", "extended", "main", "default", "pglz", "lz4"])
            && !is(at.wrapping_sub(1), &["set", "add", "column", "exists"])
    }

    /// Whether the last word of a node is CASCADE.
    fn cascades(&self, node: &SyntaxNode) -> bool {
        self.tokens(node).last().is_some_and(|token| token.is_word(self.file, "cascade"))
    }

    fn kind(&self) -> String {
        clause::statement_kind(self.file, &self.piece.tokens)
    }

    /// One change for each name of a list.
    fn each<N: AstNode>(&self, nodes: impl Iterator<Item = N>, change: impl Fn(Name) -> Change) -> Option<Vec<Clause>> {
        self.each_node(nodes.map(|node| node.syntax().clone()), change)
    }

    fn each_node(
        &self,
        nodes: impl Iterator<Item = SyntaxNode>,
        change: impl Fn(Name) -> Change,
    ) -> Option<Vec<Clause>> {
        let clause = |node: SyntaxNode| Clause::new(self.range(&node), change(name_of(&node)));
        let mut clauses: Vec<Clause> = nodes.map(clause).collect();
        if let [only] = clauses.as_mut_slice() {
            only.range = self.piece.range.clone();
        }
        Some(clauses)
    }

    /// The bytes of a node in the file, from its first token to its last.
    fn range(&self, node: &SyntaxNode) -> Range<usize> {
        let tokens = self.tokens(node);
        super::cursor::range_of(tokens).unwrap_or_else(|| self.piece.range.clone())
    }

    /// The statement's tokens that a node covers.
    fn tokens(&self, node: &SyntaxNode) -> &[Token] {
        let start = self.piece.range.start + usize::from(node.text_range().start());
        let end = self.piece.range.start + usize::from(node.text_range().end());
        let tokens = &self.piece.tokens;
        let first = tokens.partition_point(|token| token.range.start < start);
        let last = tokens.partition_point(|token| token.range.end <= end);
        &tokens[first..last.max(first)]
    }

    /// A node's source text.
    fn text(&self, node: &SyntaxNode) -> String {
        super::filter::text_of(self.file, self.tokens(node)).unwrap_or_default()
    }

    /// The token at or behind a byte; at the end the last one.
    fn token_at(&self, at: usize) -> Range<usize> {
        let tokens = &self.piece.tokens;
        let next = tokens.partition_point(|token| token.range.end <= at);
        tokens.get(next).or(tokens.last()).map_or(self.piece.range.clone(), |token| token.range.clone())
    }
}

/// The possibly qualified name that a node holds.
fn name_of(node: &SyntaxNode) -> Name {
    let mut segments: Vec<String> = node
        .descendants()
        .filter(|node| matches!(node.kind(), SyntaxKind::PATH_SEGMENT | SyntaxKind::PATH_SEGMENT_REF))
        .map(|segment| identifier(&segment))
        .collect();
    let name = segments.pop().unwrap_or_else(|| identifier(node));
    Name { schema: segments.pop(), name }
}

/// PostgreSQL cuts longer names.
const NAME_BYTES: usize = 63;

/// One identifier as PostgreSQL folds it.
fn identifier(node: &SyntaxNode) -> String {
    let mut name = ast::normalize_name_node(node);
    name.truncate(name.floor_char_boundary(NAME_BYTES));
    name
}

/// The parser's sentence as a fragment, in the user's words: `found` is the token at its place.
fn reason(message: &str, found: &str) -> String {
    let message = message.trim_end_matches('.').split_once(", found ").map_or(message, |(expected, _)| expected);
    let words = message.split(' ').map(|word| match word.trim_end_matches(',') {
        "R_PAREN" => "`)`".to_string(),
        "L_PAREN" => "`(`".to_string(),
        "COMMA" => "`,`".to_string(),
        "EQ" => "`=`".to_string(),
        _ => word.replace("_KW", ""),
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let found = found.lines().next().unwrap_or_default();
    let text = if text.starts_with("expected ") { format!("{text}, found `{found}`") } else { text };
    let capital = text.starts_with(char::is_uppercase) && text.chars().nth(1).is_some_and(char::is_lowercase);
    if capital { text[..1].to_lowercase() + &text[1..] } else { text }
}
