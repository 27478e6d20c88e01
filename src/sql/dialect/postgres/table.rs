//! Tables, their columns and constraints, and indexes.

use squawk_syntax::ast::{self, AstNode, Constraint as Tree};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::Source;
use crate::sql::change::{Change, Column, ColumnsFrom, Constraint, ConstraintKind, Generated, Index};
use crate::sql::dialect::clause;

pub(super) fn create(source: &Source<'_>, it: &ast::CreateTable) -> Option<Change> {
    let mut columns_from = Vec::new();
    if let Some(parent) = it.partition_of() {
        columns_from.push(ColumnsFrom::PartitionOf(source.name(parent.table_name_ref()?.syntax())));
    }
    if let Some(of) = it.of_type() {
        columns_from.push(ColumnsFrom::Type(source.name(of.ty()?.syntax())));
    }
    let arguments = Arguments::read(source, it.table_arg_list())?;
    columns_from.extend(arguments.likes);
    columns_from.extend(parents(source, it.inherits()));
    Some(Change::CreateTable {
        table: source.name(it.table_name()?.syntax()),
        columns: arguments.columns,
        constraints: arguments.constraints,
        indexes: Vec::new(),
        columns_from,
        partitioned: it.partition_by().is_some(),
        options: Vec::new(),
        temporary: is_temporary(it.persistence()),
        if_not_exists: it.if_not_exists().is_some(),
    })
}

pub(super) fn create_foreign(source: &Source<'_>, it: &ast::CreateForeignTable) -> Option<Change> {
    let arguments = Arguments::read(source, it.table_arg_list())?;
    let mut columns_from = arguments.likes;
    if let Some(parent) = it.partition_of() {
        columns_from.push(ColumnsFrom::PartitionOf(source.name(parent.table_name_ref()?.syntax())));
    }
    columns_from.extend(parents(source, it.inherits()));
    Some(Change::CreateTable {
        table: source.name(it.table_name()?.syntax()),
        columns: arguments.columns,
        constraints: arguments.constraints,
        indexes: Vec::new(),
        columns_from,
        partitioned: false,
        options: Vec::new(),
        temporary: false,
        if_not_exists: it.if_not_exists().is_some(),
    })
}

fn parents(source: &Source<'_>, inherits: Option<ast::Inherits>) -> Vec<ColumnsFrom> {
    let parents = inherits.into_iter().flat_map(|it| it.table_name_refs());
    parents.map(|parent| ColumnsFrom::Inherits(source.name(parent.syntax()))).collect()
}

/// What stands in the parentheses of CREATE TABLE.
#[derive(Default)]
struct Arguments {
    columns: Vec<Column>,
    constraints: Vec<Constraint>,
    likes: Vec<ColumnsFrom>,
}

impl Arguments {
    fn read(source: &Source<'_>, list: Option<ast::TableArgList>) -> Option<Self> {
        let mut arguments = Self::default();
        for argument in list.into_iter().flat_map(|list| list.args()) {
            match argument {
                ast::TableArg::Column(it) => {
                    let name = source.identifier(it.name()?.syntax());
                    arguments.columns.push(column(source, it.syntax(), name, it.ty()));
                }
                ast::TableArg::TableConstraint(it) => {
                    let tree = Tree::cast(it.syntax().clone())?;
                    arguments.constraints.push(constraint(source, &tree)?);
                }
                ast::TableArg::LikeClause(it) => {
                    arguments.likes.push(ColumnsFrom::Like(source.name(it.relation_name_ref()?.syntax())));
                }
            }
        }
        // A vector that grows makes room for four, and most tables have fewer columns or more.
        arguments.columns.shrink_to_fit();
        Some(arguments)
    }
}

/// The columns of a query's result are not known, but for their names where the statement lists them.
pub(super) fn create_as(source: &Source<'_>, it: &ast::CreateTableAs) -> Option<Change> {
    let arguments = Arguments::read(source, it.table_arg_list())?;
    Some(Change::CreateTable {
        table: source.name(it.table_name()?.syntax()),
        columns: arguments.columns,
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: vec![ColumnsFrom::Query],
        partitioned: false,
        options: Vec::new(),
        temporary: is_temporary(it.persistence()),
        if_not_exists: it.if_not_exists().is_some(),
    })
}

pub(super) fn select_into(source: &Source<'_>, it: &ast::SelectInto) -> Option<Change> {
    let into = it.syntax().descendants().find(|node| node.kind() == SyntaxKind::INTO_CLAUSE)?;
    let temporary = into.descendants().any(|node| node.kind() == SyntaxKind::TEMP);
    Some(Change::CreateTable {
        table: source.name(&into),
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: vec![ColumnsFrom::Query],
        partitioned: false,
        options: Vec::new(),
        temporary,
        if_not_exists: false,
    })
}

fn is_temporary(persistence: Option<ast::Persistence>) -> bool {
    matches!(persistence, Some(ast::Persistence::Temp(_)))
}

pub(super) fn added_column(source: &Source<'_>, it: &ast::AddColumn) -> Option<Column> {
    Some(column(source, it.syntax(), source.identifier(it.column_name()?.syntax()), it.ty()))
}

/// A column from the node that has its constraints as children.
fn column(source: &Source<'_>, node: &SyntaxNode, name: String, ty: Option<ast::Type>) -> Column {
    let data_type = ty.map(|ty| type_text(source, &ty)).unwrap_or_default();
    let serial = ["smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"].contains(&data_type.as_str());
    let mut column = Column { name, data_type, not_null: serial, identity: serial, ..Column::default() };
    for child in node.children() {
        if let Some(collate) = ast::Collate::cast(child.clone()) {
            column.collation = collate.collation_ref().map(|it| source.text(it.syntax()));
            continue;
        }
        let Some(constraint) = Tree::cast(child.clone()) else {
            let (name, if_not_exists) =
                (ast::ColumnName::can_cast(child.kind()), ast::IfNotExists::can_cast(child.kind()));
            if !name && !if_not_exists && !ast::Type::can_cast(child.kind()) {
                column.attributes.push(source.text(&child));
            }
            continue;
        };
        match constraint {
            Tree::NotNullConstraint(_) => column.not_null = true,
            Tree::DefaultConstraint(it) => {
                let default = it.expr().map(|it| source.text(it.syntax()));
                column.default = default.filter(|text| !clause::is_null(text));
            }
            Tree::PrimaryKeyConstraint(_) => column.primary_key = true,
            Tree::UniqueConstraint(_) => column.unique = true,
            Tree::ReferencesConstraint(it) => column.references = it.table().map(|it| source.name(it.syntax())),
            Tree::CheckConstraint(_) => column.check = true,
            Tree::GeneratedConstraint(it) => match it.generated_as() {
                Some(ast::GeneratedAs::GeneratedIdentity(_)) => {
                    column.identity = true;
                    column.not_null = true;
                }
                Some(ast::GeneratedAs::GeneratedStored(it)) => {
                    // Without a word it is virtual, which is what PostgreSQL 18 takes it for; older ones refuse it.
                    let stored = matches!(it.generated_kind(), Some(ast::GeneratedKind::Stored(_)));
                    column.generated = Some(if stored { Generated::Stored } else { Generated::Virtual });
                }
                None => {}
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
            columns: columns_in(source, it.from_columns()?.syntax()),
            references: source.name(it.table_name_ref()?.syntax()),
        },
        Tree::UniqueConstraint(it) => {
            using_index = it.using_index();
            ConstraintKind::Unique { columns: key_columns(source, it.index_parameters()) }
        }
        Tree::PrimaryKeyConstraint(it) => {
            using_index = it.using_index();
            ConstraintKind::PrimaryKey { columns: key_columns(source, it.index_parameters()) }
        }
        Tree::NotNullConstraint(it) => {
            ConstraintKind::NotNull { column: source.identifier(it.column_name_ref()?.syntax()) }
        }
        Tree::ExcludeConstraint(_) => ConstraintKind::Exclude,
        _ => return None,
    };
    Some(Constraint {
        name: it.constraint_name().map(|name| source.identifier(name.syntax())),
        kind,
        not_valid: it.is_not_valid() || it.constraint_options().any(is_not_enforced),
        using_index: using_index.and_then(|it| it.index_ref()).map(|it| source.name(it.syntax()).name),
    })
}

fn is_not_enforced(option: ast::ConstraintOption) -> bool {
    matches!(option, ast::ConstraintOption::NotEnforced(_))
}

fn key_columns(source: &Source<'_>, parameters: Option<ast::IndexParameters>) -> Vec<String> {
    parameters.and_then(|it| it.column_list()).map(|list| columns_in(source, list.syntax())).unwrap_or_default()
}

/// The columns that a list names.
pub(super) fn columns_in(source: &Source<'_>, list: &SyntaxNode) -> Vec<String> {
    list.descendants().filter_map(ast::ColumnNameRef::cast).map(|it| source.identifier(it.syntax())).collect()
}

pub(super) fn create_index(source: &Source<'_>, it: &ast::CreateIndex) -> Option<Change> {
    let columns = it
        .partition_item_list()?
        .partition_items()
        .filter_map(|item| item.expr())
        .map(|expression| match expression {
            ast::Expr::Collate(collate) => collate.expr().unwrap_or(ast::Expr::Collate(collate)),
            other => other,
        })
        .map(|expression| match &expression {
            ast::Expr::NameRef(name) => source.identifier(name.syntax()),
            _ => source.text(expression.syntax()),
        })
        .collect();
    let method = it.using_method().and_then(|it| it.access_method_ref()).map(|it| source.identifier(it.syntax()));
    let relation = it.table_relation_name()?;
    let index = Index {
        name: it.index().map(|it| source.name(it.syntax()).name),
        columns,
        unique: it.unique_token().is_some(),
        method: method.filter(|method| method != "btree"),
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
        only: relation.only_token().is_some(),
    };
    Some(Change::CreateIndex {
        table: source.name(relation.syntax()),
        index,
        concurrently: it.concurrently_token().is_some(),
        if_not_exists: it.if_not_exists().is_some(),
    })
}
