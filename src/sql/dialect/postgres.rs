//! PostgreSQL into changes, from squawk-syntax's lossless tree. No type of it leaves this file's folder.

mod alter;
mod body;
mod call;
mod grant;
mod object;
mod query;
mod routine;
mod session;
mod source;
mod table;
mod tree;

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use super::clause;
use crate::sql::change::Change;
use crate::sql::lexer::Kind;
use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};
pub(in crate::sql) use routine::Routines;
use source::Source;

/// Reads one statement.
pub(in crate::sql) fn parse(file: &str, piece: &Piece, known: &mut Routines) -> Result<Vec<Clause>, Unread> {
    let source = Source { file, piece };
    if let Some(at) = file[piece.range.clone()].find('\0') {
        let at = piece.range.start + at;
        return Err(Unread { range: at..at + 1, reason: "a NUL byte, which the server refuses".into() });
    }
    let tree = match tree::read(&source, &source.parsable()) {
        Ok(tree) => tree,
        Err(complaint) => source
            .parsable_with_variables()
            .and_then(|text| tree::read(&source, &text).ok())
            .ok_or_else(|| refusal(&source, complaint.at, &complaint.message))?,
    };
    let Some(statement) = tree.stmts().next() else {
        return Err(Unread { range: piece.range.clone(), reason: "no statement that the parser knows".into() });
    };
    // What CREATE FUNCTION or CREATE TRIGGER name is not called yet.
    let selects = matches!(
        statement,
        ast::Stmt::CreateTableAs(_)
            | ast::Stmt::CreateMaterializedView(_)
            | ast::Stmt::SelectInto(_)
            | ast::Stmt::Copy(_)
    );
    if selects || CALLERS.iter().any(|word| piece.tokens[0].text(file).eq_ignore_ascii_case(word)) {
        known.calls(file, &piece.tokens);
    }
    let mut clauses = query::in_with(&source, &statement);
    if selects && let Some(name) = call::unknown(statement.syntax(), known) {
        clauses.extend(
            source.whole(Some(Change::Opaque { kind: format!("{} {name}", source.kind()) })).unwrap_or_default(),
        );
    }
    let lowered = lower(&source, &statement, known).filter(|clauses| !clauses.is_empty());
    clauses.extend(lowered.ok_or_else(|| Unread {
        range: piece.range.clone(),
        reason: format!("a part is missing in this {}", source.kind()),
    })?);
    Ok(clauses)
}

/// The parser's complaint about the byte `at` of the statement.
fn refusal(source: &Source<'_>, at: usize, message: &str) -> Unread {
    let start = source.piece.range.start;
    let range = source.token_at(start + at);
    let found = &source.file[range.clone()];
    let reason = match message.starts_with("expected command") {
        true if range.start == start => "no statement of PostgreSQL begins like this".to_string(),
        true => reason("expected the end", found),
        false => reason(message, found),
    };
    Unread { range, reason }
}

/// What statements begin with that can call a routine.
const CALLERS: &[&str] = &["select", "with", "values", "(", "call", "insert", "update", "delete", "merge"];

/// `None` where the tree lacks a part that the statement must have.
fn lower(source: &Source<'_>, statement: &ast::Stmt, known: &mut Routines) -> Option<Vec<Clause>> {
    use ast::Stmt;
    match statement {
        Stmt::AlterTable(it) if it.all_in_tablespace().is_some() => source.other(),
        Stmt::AlterTable(it) => alter::table(source, it.table_relation_name(), it.actions()),
        Stmt::AlterForeignTable(it) => alter::table(source, it.table_relation_name(), it.actions()),
        Stmt::CreateTable(it) => source.whole(table::create(source, it)),
        Stmt::CreateForeignTable(it) => source.whole(table::create_foreign(source, it)),
        Stmt::CreateTableAs(it) => source.whole(table::create_as(source, it)),
        Stmt::SelectInto(it) => source.whole(table::select_into(source, it)),
        Stmt::DropTable(it) => {
            let (if_exists, cascade) = (it.if_exists().is_some(), source.cascades(it.syntax()));
            source.each(it.table_name_refs(), |table| Change::DropTable { table, if_exists, cascade })
        }
        Stmt::DropForeignTable(it) => {
            let (if_exists, cascade) = (it.if_exists().is_some(), source.cascades(it.syntax()));
            source.each(it.table_name_refs(), |table| Change::DropTable { table, if_exists, cascade })
        }
        Stmt::CreateIndex(it) => source.whole(table::create_index(source, it)),
        Stmt::CreateTrigger(it) => source.whole(create_trigger(source, it)),
        Stmt::CreateFunction(it) => create_routine(source, it.name()?.syntax(), it.or_replace().is_some(), known),
        Stmt::CreateProcedure(it) => create_routine(source, it.name()?.syntax(), it.or_replace().is_some(), known),
        Stmt::CreateView(it) => source.whole(object::create_view(source, it)),
        Stmt::CreateMaterializedView(it) => source.whole(object::create_materialized_view(source, it)),
        Stmt::CreateType(it) => source.whole(object::create_type(source, it)),
        Stmt::CreateDomain(it) => source.whole(object::create_domain(source, it)),
        Stmt::CreateSequence(it) => source.whole(object::create_sequence(source, it)),
        Stmt::CreatePolicy(it) => source.whole(object::create_policy(source, it)),
        Stmt::CreateSchema(it) => create_schema(source, it),
        Stmt::Grant(_) | Stmt::Revoke(_) => grant::lower(source),
        Stmt::Update(it) => source.whole(query::update(source, it)),
        Stmt::Delete(it) => source.whole(query::delete(source, it)),
        Stmt::Insert(it) => source.whole(query::insert(source, it)),
        Stmt::Merge(it) => query::merge(source, it),
        Stmt::Copy(it) => source.whole(query::copy(source, it)),
        Stmt::Truncate(_) => session::truncate(source),
        Stmt::Lock(_) => session::lock(source),
        Stmt::Refresh(_) => source.whole(session::refresh(source)),
        Stmt::Reindex(_) => source.whole(session::reindex(source)),
        Stmt::Vacuum(_) | Stmt::Analyze(_) | Stmt::Cluster(_) | Stmt::Repack(_) => session::maintain(source),
        Stmt::Begin(_) => source.whole(Some(Change::Begin)),
        Stmt::Commit(ast::Commit::CommitTransaction(_)) => Some(session::end(source, Change::Commit)),
        Stmt::Rollback(ast::Rollback::RollbackTransaction(_)) => Some(session::end(source, Change::Rollback)),
        Stmt::SavepointCreate(_)
        | Stmt::ReleaseSavepoint(_)
        | Stmt::Rollback(ast::Rollback::RollbackToSavepoint(_)) => source.whole(session::savepoint(source)),
        Stmt::Set(_) | Stmt::SetRole(_) | Stmt::SetSessionAuth(_) => source.whole(session::set(source)),
        Stmt::Reset(_) | Stmt::ResetRole(_) | Stmt::ResetSessionAuth(_) => source.whole(session::reset(source)),
        Stmt::Select(it) => match call::unknown(it.syntax(), known) {
            Some(name) => source.whole(Some(Change::Opaque { kind: format!("SELECT {name}") })),
            None => source.whole(session::set_config(source.cursor())).or_else(|| source.other()),
        },
        Stmt::Do(_) => anonymous_block(source, known),
        Stmt::Call(it) if known.is_defined(&source.name(it.procedure_name_ref()?.syntax()).name) => source.other(),
        Stmt::Execute(_) | Stmt::Call(_) => source.whole(Some(Change::Opaque { kind: source.kind() })),
        _ => object::drop(source).or_else(|| object::alter(source)).or_else(|| source.other()),
    }
}

/// A routine does nothing before somebody calls it.
fn create_routine(
    source: &Source<'_>,
    name: &SyntaxNode,
    or_replace: bool,
    known: &mut Routines,
) -> Option<Vec<Clause>> {
    known.define(source);
    source.whole(Some(Change::CreateFunction { name: source.name(name), or_replace }))
}

/// DO, whose body runs at once.
fn anonymous_block(source: &Source<'_>, known: &mut Routines) -> Option<Vec<Clause>> {
    let tokens = &source.piece.tokens;
    let body = tokens.iter().find(|token| token.kind == Kind::String)?;
    let language = tokens.iter().position(|token| token.is_word(source.file, "language"));
    let language = language.and_then(|at| tokens.get(at + 1)).map_or("plpgsql", |token| token.text(source.file));
    let language = language.trim_matches(['\'', '"']).to_lowercase();
    let clauses = body::read_string(source.file, &body.range, &language, "DO", known);
    if clauses.is_empty() { source.other() } else { Some(clauses) }
}

/// `CREATE SCHEMA s CREATE TABLE t (...)` creates both.
fn create_schema(source: &Source<'_>, it: &ast::CreateSchema) -> Option<Vec<Clause>> {
    let mut clauses = source.other()?;
    let mut cursor = source.cursor();
    cursor.eat("CREATE SCHEMA");
    cursor.eat("IF NOT EXISTS");
    cursor.eat("AUTHORIZATION");
    let schema = source::take_identifier(&mut cursor);
    for element in it.schema_elements() {
        let mut change = match &element {
            ast::SchemaElement::CreateTable(it) => table::create(source, it),
            ast::SchemaElement::CreateIndex(it) => table::create_index(source, it),
            ast::SchemaElement::CreateView(it) => object::create_view(source, it),
            ast::SchemaElement::CreateTrigger(it) => create_trigger(source, it),
            other => Some(Change::Other { kind: clause::statement_kind(source.file, source.tokens(other.syntax())) }),
        };
        if let Some(
            Change::CreateTable { table: name, .. }
            | Change::CreateIndex { table: name, .. }
            | Change::CreateTrigger { table: name, .. }
            | Change::CreateView { view: name, .. },
        ) = &mut change
        {
            name.schema = name.schema.take().or_else(|| schema.clone());
        }
        clauses.push(Clause::new(source.range(element.syntax()), change?));
    }
    Some(clauses)
}

fn create_trigger(source: &Source<'_>, it: &ast::CreateTrigger) -> Option<Change> {
    Some(Change::CreateTrigger {
        table: source.name(it.on_relation()?.relation_name_ref()?.syntax()),
        name: source.identifier(it.trigger()?.syntax()),
    })
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
