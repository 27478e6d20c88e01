//! What has a name and is no table: DROP and ALTER of it, and CREATE of the kinds that a rule tells apart. The
//! parser has read the whole statement; here its tokens are.

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use super::source::{Source, take_identifier, take_name};
use super::{query, table};
use crate::sql::change::{Beside, Change, Name, Object};
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::dialect::{clause, filter};
use crate::sql::statement::Clause;

/// The words that stand behind DROP and ALTER; where one begins another, the longer comes first.
const OBJECTS: &[(&str, Object)] = &[
    ("ACCESS METHOD", Object::Other("ACCESS METHOD")),
    ("AGGREGATE", Object::Aggregate),
    ("CAST", Object::Other("CAST")),
    ("COLLATION", Object::Other("COLLATION")),
    ("CONVERSION", Object::Other("CONVERSION")),
    ("DATABASE", Object::Database),
    ("DOMAIN", Object::Domain),
    ("EVENT TRIGGER", Object::Other("EVENT TRIGGER")),
    ("EXTENSION", Object::Extension),
    ("FOREIGN DATA WRAPPER", Object::Other("FOREIGN DATA WRAPPER")),
    ("FUNCTION", Object::Function),
    ("GROUP", Object::Other("ROLE")),
    ("INDEX", Object::Index),
    ("LANGUAGE", Object::Other("LANGUAGE")),
    ("LARGE OBJECT", Object::Other("LARGE OBJECT")),
    ("MATERIALIZED VIEW", Object::MaterializedView),
    ("OPERATOR CLASS", Object::Other("OPERATOR CLASS")),
    ("OPERATOR FAMILY", Object::Other("OPERATOR FAMILY")),
    ("OPERATOR", Object::Other("OPERATOR")),
    ("OWNED BY", Object::Other("OWNED BY")),
    ("POLICY", Object::Policy),
    ("PROCEDURAL LANGUAGE", Object::Other("LANGUAGE")),
    ("PROCEDURE", Object::Function),
    ("PROPERTY GRAPH", Object::Other("PROPERTY GRAPH")),
    ("PUBLICATION", Object::Other("PUBLICATION")),
    ("ROLE", Object::Other("ROLE")),
    ("ROUTINE", Object::Function),
    ("RULE", Object::Rule),
    ("SCHEMA", Object::Schema),
    ("SEQUENCE", Object::Sequence),
    ("SERVER", Object::Other("SERVER")),
    ("STATISTICS", Object::Other("STATISTICS")),
    ("SUBSCRIPTION", Object::Other("SUBSCRIPTION")),
    ("TABLESPACE", Object::Other("TABLESPACE")),
    ("TEXT SEARCH CONFIGURATION", Object::Other("TEXT SEARCH CONFIGURATION")),
    ("TEXT SEARCH DICTIONARY", Object::Other("TEXT SEARCH DICTIONARY")),
    ("TEXT SEARCH PARSER", Object::Other("TEXT SEARCH PARSER")),
    ("TEXT SEARCH TEMPLATE", Object::Other("TEXT SEARCH TEMPLATE")),
    ("TRANSFORM", Object::Other("TRANSFORM")),
    ("TRIGGER", Object::Trigger),
    ("TYPE", Object::Type),
    ("USER MAPPING", Object::Other("USER MAPPING")),
    ("USER", Object::Other("ROLE")),
    ("VIEW", Object::View),
];

/// Takes the words of an object.
fn take_object(cursor: &mut Cursor<'_>) -> Option<Object> {
    OBJECTS.iter().find(|(words, _)| cursor.eat(words)).map(|(_, object)| *object)
}

/// `DROP x [IF EXISTS] a, b [CASCADE]`: each name is a change of its own. `None` where it is none of these.
pub(super) fn drop(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    if !cursor.eat("DROP") {
        return None;
    }
    let object = take_object(&mut cursor)?;
    let concurrently = cursor.eat("CONCURRENTLY");
    let if_exists = cursor.eat("IF EXISTS");
    // `DROP USER MAPPING FOR`, `DROP TRANSFORM FOR`.
    cursor.eat("FOR");
    let mut cascade = false;
    if let Some((last, names)) = cursor.tokens.split_last() {
        cascade = last.is_word(source.file, "cascade");
        if cascade || last.is_word(source.file, "restrict") {
            cursor.tokens = names;
        }
    }
    let parts = cursor.comma_separated();
    let several = parts.len() > 1;
    let clause = |mut part: Cursor<'_>| {
        let range = if several { range_of(part.tokens)? } else { source.piece.range.clone() };
        let name = match object {
            // `CAST (a AS b)`, `OPERATOR = (a, b)` have no name that is a word.
            Object::Other("CAST" | "OPERATOR" | "LARGE OBJECT") => {
                Name::plain(source.file[range_of(part.tokens)?].to_string())
            }
            _ => take_name(&mut part)?,
        };
        part.group();
        let table = if part.eat("ON") { Some(take_name(&mut part)?) } else { None };
        Some(Clause::new(range, dropped(object, name, table, [concurrently, if_exists, cascade])))
    };
    parts.into_iter().map(clause).collect()
}

fn dropped(object: Object, name: Name, table: Option<Name>, flags: [bool; 3]) -> Change {
    let [concurrently, if_exists, cascade] = flags;
    match object {
        Object::Index => Change::DropIndex { table: None, name, concurrently, if_exists, cascade },
        Object::View => Change::DropView { view: name, materialized: false, if_exists, cascade },
        Object::MaterializedView => Change::DropView { view: name, materialized: true, if_exists, cascade },
        Object::Function => Change::DropFunction { name, if_exists, cascade },
        Object::Trigger => Change::DropTrigger { table, name: name.name, if_exists },
        object => Change::DropObject { object, name, table, if_exists, cascade },
    }
}

/// `ALTER x [IF EXISTS] name action`. `None` where it is none of these.
pub(super) fn alter(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    if !cursor.eat("ALTER") {
        return None;
    }
    let object = take_object(&mut cursor)?;
    cursor.eat("IF EXISTS");
    if object == Object::Index && cursor.eat("ALL IN TABLESPACE")
        || object == Object::MaterializedView && cursor.eat("ALL IN TABLESPACE")
        || matches!(object, Object::Other("OPERATOR" | "LARGE OBJECT" | "USER MAPPING"))
    {
        return source.other();
    }
    let name = take_name(&mut cursor)?;
    cursor.group();
    if matches!(object, Object::Other("OPERATOR CLASS" | "OPERATOR FAMILY")) && cursor.eat("USING") {
        take_identifier(&mut cursor)?;
    }
    let table = if cursor.eat("ON") { Some(take_name(&mut cursor)?) } else { None };
    if cursor.eat("RENAME") {
        return source.whole(renamed(object, name, table, cursor));
    }
    if cursor.eat("SET SCHEMA") {
        let schema = take_identifier(&mut cursor)?;
        return source.whole(Some(Change::MoveToSchema { object, name, schema }));
    }
    let parts = cursor.comma_separated();
    let several = parts.len() > 1 && matches!(object, Object::Type | Object::MaterializedView);
    if !several {
        return source.whole(action(source, object, name, &cursor));
    }
    let part =
        |part: Cursor<'_>| Some(Clause::new(range_of(part.tokens)?, action(source, object, name.clone(), &part)?));
    parts.into_iter().map(part).collect()
}

/// What follows RENAME.
fn renamed(object: Object, name: Name, table: Option<Name>, mut cursor: Cursor<'_>) -> Option<Change> {
    if cursor.eat("TO") {
        return Some(Change::RenameObject { object, name, table, to: take_identifier(&mut cursor)? });
    }
    match object {
        Object::Type if cursor.eat("VALUE") => {
            let label = text_of_literal(cursor.bump()?.text(cursor.source));
            cursor.eat("TO");
            let to = text_of_literal(cursor.bump()?.text(cursor.source));
            Some(Change::RenameLabel { enumeration: name, label, to })
        }
        Object::Type => Some(Change::Other { kind: "ALTER TYPE RENAME ATTRIBUTE".into() }),
        Object::Domain => {
            Some(Change::AlterDomain { domain: name, action: "RENAME CONSTRAINT".into(), not_valid: false })
        }
        Object::View | Object::MaterializedView => {
            cursor.eat("COLUMN");
            let column = take_identifier(&mut cursor)?;
            cursor.eat("TO");
            Some(Change::RenameColumn { table: name, column, to: take_identifier(&mut cursor)? })
        }
        _ => Some(Change::Other { kind: format!("ALTER {} RENAME", object.words()) }),
    }
}

/// Any other action.
fn action(source: &Source<'_>, object: Object, name: Name, cursor: &Cursor<'_>) -> Option<Change> {
    let words = clause::action_words(source.file, cursor.tokens);
    let mut cursor = cursor.clone();
    Some(match object {
        Object::Type if cursor.eat("ADD VALUE") => {
            let if_not_exists = cursor.eat("IF NOT EXISTS");
            let label = text_of_literal(cursor.bump()?.text(source.file));
            let (before, after) = (cursor.eat("BEFORE"), cursor.eat("AFTER"));
            let neighbour = cursor.bump().map(|token| text_of_literal(token.text(source.file)));
            let beside = match (before, after) {
                (true, _) => neighbour.map(Beside::Before),
                (_, true) => neighbour.map(Beside::After),
                _ => None,
            };
            Change::AddLabel { enumeration: name, label, beside, if_not_exists }
        }
        Object::Domain => {
            let not_valid = matches!(cursor.tokens, [.., not, valid]
                if not.is_word(source.file, "not") && valid.is_word(source.file, "valid"));
            Change::AlterDomain { domain: name, action: words, not_valid }
        }
        Object::Sequence => Change::AlterSequence { sequence: name, action: words },
        object => Change::Other { kind: format!("ALTER {} {words}", object.words()).trim_end().to_string() },
    })
}

/// A string's text: without its quotes, doubled ones as one.
pub(super) fn text_of_literal(literal: &str) -> String {
    let inner = literal.strip_prefix(['e', 'E']).unwrap_or(literal);
    match inner.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => literal.to_string(),
    }
}

/// CREATE of what a rule or the catalog tells apart; `None` where the tree lacks a part.
pub(super) fn create_view(source: &Source<'_>, it: &ast::CreateView) -> Option<Change> {
    let view = source.name(it.view()?.syntax());
    let mut reads = query::reads(source, it.query()?.syntax());
    // A recursive view names itself.
    reads.retain(|read| *read != view);
    let (columns, partial) = outputs(source, it.column_list(), it.query()?.syntax());
    Some(Change::CreateView {
        view,
        materialized: false,
        or_replace: it.or_replace().is_some(),
        reads,
        columns,
        partial,
    })
}

/// The columns that a view gives, and whether it may leave rows out.
fn outputs(source: &Source<'_>, listed: Option<ast::ColumnList>, query: &SyntaxNode) -> (Vec<String>, bool) {
    let query = Cursor::new(source.file, source.tokens(query));
    let columns = match listed {
        Some(list) => {
            let tokens = source.tokens(list.syntax());
            let mut parts = Cursor::new(source.file, tokens);
            let inner = parts.group().unwrap_or_default();
            parts.within(inner).comma_separated().iter_mut().filter_map(take_identifier).collect()
        }
        None => filter::outputs(query.clone(), take_identifier),
    };
    (columns, filter::is_partial(query))
}

pub(super) fn create_materialized_view(source: &Source<'_>, it: &ast::CreateMaterializedView) -> Option<Change> {
    let view = source.name(it.view()?.syntax());
    let reads = query::reads(source, it.query()?.syntax());
    let (columns, partial) = outputs(source, it.column_list(), it.query()?.syntax());
    Some(Change::CreateView { view, materialized: true, or_replace: false, reads, columns, partial })
}

pub(super) fn create_type(source: &Source<'_>, it: &ast::CreateType) -> Option<Change> {
    let labels = match it.kind() {
        Some(ast::CreateTypeKind::EnumType(it)) => {
            let variants = it.variant_list()?.variants();
            Some(variants.map(|variant| text_of_literal(&source.text(variant.syntax()))).collect())
        }
        _ => None,
    };
    Some(Change::CreateType { name: source.name(it.type_name()?.syntax()), labels })
}

pub(super) fn create_domain(source: &Source<'_>, it: &ast::CreateDomain) -> Option<Change> {
    let (mut not_null, mut check) = (false, false);
    for qualifier in it.domain_qualifiers() {
        match qualifier {
            ast::DomainQualifier::Constraint(ast::Constraint::NotNullConstraint(_)) => not_null = true,
            ast::DomainQualifier::Constraint(ast::Constraint::CheckConstraint(_)) => check = true,
            _ => {}
        }
    }
    let domain = source.name(it.domain()?.syntax());
    Some(Change::CreateDomain { domain, data_type: table::type_text(source, &it.ty()?), not_null, check })
}

pub(super) fn create_sequence(source: &Source<'_>, it: &ast::CreateSequence) -> Option<Change> {
    let sequence = source.name(it.sequence()?.syntax());
    Some(Change::CreateSequence { sequence, if_not_exists: it.if_not_exists().is_some() })
}

pub(super) fn create_policy(source: &Source<'_>, it: &ast::CreatePolicy) -> Option<Change> {
    let mut cursor = source.cursor();
    cursor.eat("CREATE POLICY");
    let name = take_identifier(&mut cursor)?;
    Some(Change::CreatePolicy { table: source.name(it.on_table()?.syntax()), name })
}
