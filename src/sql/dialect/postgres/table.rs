//! Tables, their columns and constraints, and indexes.

use squawk_syntax::ast::{self, AstNode, Constraint as Tree};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::{Source, identifier, name_of};
use crate::sql::change::{Change, Column, Constraint, ConstraintKind, Generated, Index};
use crate::sql::dialect::clause;

pub(super) fn create(source: &Source<'_>, it: &ast::CreateTable) -> Option<Change> {
    let (mut columns, mut constraints) = (Vec::new(), Vec::new());
    for argument in it.table_arg_list().into_iter().flat_map(|list| list.args()) {
        match argument {
            ast::TableArg::Column(it) => {
                columns.push(column(source, it.syntax(), identifier(it.name()?.syntax()), it.ty()));
            }
            ast::TableArg::TableConstraint(it) => {
                constraints.extend(Tree::cast(it.syntax().clone()).and_then(|it| constraint(source, &it)));
            }
            ast::TableArg::LikeClause(_) => {}
        }
    }
    Some(Change::CreateTable {
        table: name_of(it.table_name()?.syntax()),
        columns,
        constraints,
        indexes: Vec::new(),
        columns_from: Vec::new(),
        partitioned: false,
        temporary: is_temporary(it.persistence()),
        if_not_exists: it.if_not_exists().is_some(),
    })
}

/// The columns of a query's result are not known.
pub(super) fn create_as(it: &ast::CreateTableAs) -> Option<Change> {
    Some(Change::CreateTable {
        table: name_of(it.table_name()?.syntax()),
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: Vec::new(),
        partitioned: false,
        temporary: is_temporary(it.persistence()),
        if_not_exists: it.if_not_exists().is_some(),
    })
}

pub(super) fn select_into(it: &ast::SelectInto) -> Option<Change> {
    let into = it.syntax().descendants().find(|node| node.kind() == SyntaxKind::INTO_CLAUSE)?;
    let temporary = into.descendants().any(|node| node.kind() == SyntaxKind::TEMP);
    Some(Change::CreateTable {
        table: name_of(&into),
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: Vec::new(),
        partitioned: false,
        temporary,
        if_not_exists: false,
    })
}

fn is_temporary(persistence: Option<ast::Persistence>) -> bool {
    matches!(persistence, Some(ast::Persistence::Temp(_)))
}

pub(super) fn added_column(source: &Source<'_>, it: &ast::AddColumn) -> Option<Column> {
    Some(column(source, it.syntax(), identifier(it.column_name()?.syntax()), it.ty()))
}

/// A column from the node that has its constraints as children.
fn column(source: &Source<'_>, node: &SyntaxNode, name: String, ty: Option<ast::Type>) -> Column {
    let data_type = ty.map(|ty| type_text(source, &ty)).unwrap_or_default();
    let serial = ["smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"].contains(&data_type.as_str());
    let mut column = Column { name, data_type, not_null: serial, identity: serial, ..Column::default() };
    for child in node.children() {
        let Some(constraint) = Tree::cast(child.clone()) else {
            if !ast::ColumnName::can_cast(child.kind()) && !ast::Type::can_cast(child.kind()) {
                column.attributes.push(source.text(&child));
            }
            continue;
        };
        match constraint {
            Tree::NotNullConstraint(_) => column.not_null = true,
            Tree::DefaultConstraint(it) => {
                let default = it.expr().map(|it| source.text(it.syntax()));
                column.default = default.filter(|text| !text.eq_ignore_ascii_case("null"));
            }
            Tree::PrimaryKeyConstraint(_) => column.primary_key = true,
            Tree::UniqueConstraint(_) => column.unique = true,
            Tree::ReferencesConstraint(it) => column.references = it.table().map(|it| name_of(it.syntax())),
            Tree::CheckConstraint(_) => column.check = true,
            Tree::GeneratedConstraint(it) => match it.generated_as() {
                Some(ast::GeneratedAs::GeneratedIdentity(_)) => {
                    column.identity = true;
                    column.not_null = true;
                }
                _ => column.generated = Some(Generated::Stored),
            },
            Tree::NullConstraint(_) | Tree::ExcludeConstraint(_) | Tree::ForeignKeyConstraint(_) => {}
        }
    }
    column
}

pub(super) fn type_text(source: &Source<'_>, ty: &ast::Type) -> String {
    clause::type_text(source.file, source.tokens(ty.syntax()))
}

/// A table constraint.
pub(super) fn constraint(source: &Source<'_>, it: &Tree) -> Option<Constraint> {
    let mut using_index = None;
    let kind = match it {
        Tree::CheckConstraint(it) => ConstraintKind::Check { expression: source.text(it.expr()?.syntax()) },
        Tree::ForeignKeyConstraint(it) => ConstraintKind::ForeignKey {
            columns: columns_in(it.from_columns()?.syntax()),
            references: name_of(it.table_name_ref()?.syntax()),
        },
        Tree::UniqueConstraint(it) => {
            using_index = it.using_index();
            ConstraintKind::Unique { columns: key_columns(it.index_parameters()) }
        }
        Tree::PrimaryKeyConstraint(it) => {
            using_index = it.using_index();
            ConstraintKind::PrimaryKey { columns: key_columns(it.index_parameters()) }
        }
        Tree::NotNullConstraint(it) => ConstraintKind::NotNull { column: identifier(it.column_name_ref()?.syntax()) },
        Tree::ExcludeConstraint(_) => ConstraintKind::Exclude,
        _ => return None,
    };
    Some(Constraint {
        name: it.constraint_name().map(|name| identifier(name.syntax())),
        kind,
        not_valid: it.is_not_valid() || it.constraint_options().any(is_not_enforced),
        using_index: using_index.and_then(|it| it.index_ref()).map(|it| name_of(it.syntax()).name),
    })
}

fn is_not_enforced(option: ast::ConstraintOption) -> bool {
    matches!(option, ast::ConstraintOption::NotEnforced(_))
}

fn key_columns(parameters: Option<ast::IndexParameters>) -> Vec<String> {
    parameters.and_then(|it| it.column_list()).map(|list| columns_in(list.syntax())).unwrap_or_default()
}

/// The columns that a list names.
fn columns_in(list: &SyntaxNode) -> Vec<String> {
    list.descendants().filter_map(ast::ColumnNameRef::cast).map(|it| identifier(it.syntax())).collect()
}

pub(super) fn create_index(source: &Source<'_>, it: &ast::CreateIndex) -> Option<Change> {
    let columns = it
        .partition_item_list()?
        .partition_items()
        .filter_map(|item| item.expr())
        .map(|expression| match &expression {
            ast::Expr::NameRef(name) => identifier(name.syntax()),
            _ => source.text(expression.syntax()),
        })
        .collect();
    let index = Index {
        name: it.index().map(|it| name_of(it.syntax()).name),
        columns,
        unique: it.unique_token().is_some(),
        method: it.using_method().and_then(|it| it.access_method_ref()).map(|it| identifier(it.syntax())),
        predicate: it.where_clause().and_then(|it| it.expr()).map(|it| source.text(it.syntax())),
        plain: it.using_method().is_none()
            && it.index_include_clause().is_none()
            && it.nulls_distinct_option().is_none()
            && it.with_params().is_none()
            && it.tablespace_clause().is_none()
            && it.where_clause().is_none()
            && it.partition_item_list()?.partition_items().all(|item| {
                matches!(item.expr(), Some(ast::Expr::NameRef(_))) && item.syntax().children().count() == 1
            }),
    };
    Some(Change::CreateIndex {
        table: name_of(it.table_relation_name()?.syntax()),
        index,
        concurrently: it.concurrently_token().is_some(),
        if_not_exists: it.if_not_exists().is_some(),
    })
}
