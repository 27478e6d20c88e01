//! UPDATE, DELETE and INSERT, also those inside WITH.

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, SetColumn};

use super::{Source, identifier, name_of};
use crate::sql::change::{Assignment, Change};
use crate::sql::dialect::filter;
use crate::sql::statement::Clause;

/// The data changes inside the WITH clause of a statement.
pub(super) fn in_with(source: &Source<'_>, statement: &ast::Stmt) -> Vec<Clause> {
    let Some(with) = statement.syntax().children().find_map(ast::WithClause::cast) else { return Vec::new() };
    with.syntax()
        .descendants()
        .filter_map(|node| {
            let mut change = data_change(source, &node)?;
            if let Change::Update { plain, .. } = &mut change {
                *plain = false;
            }
            Some(Clause::new(source.range(&node), change))
        })
        .collect()
}

fn data_change(source: &Source<'_>, node: &SyntaxNode) -> Option<Change> {
    if let Some(it) = ast::Update::cast(node.clone()) {
        return update(source, &it);
    }
    if let Some(it) = ast::Delete::cast(node.clone()) {
        return delete(source, &it);
    }
    insert(&ast::Insert::cast(node.clone())?)
}

pub(super) fn update(source: &Source<'_>, it: &ast::Update) -> Option<Change> {
    let relation = it.relation_name()?;
    let mut plain = it.with_clause().is_none()
        && it.alias().is_none()
        && it.from_clause().is_none()
        && it.returning_clause().is_none()
        && it.for_portion_of().is_none()
        && relation.only_token().is_none()
        && relation.star_token().is_none();
    let mut set = Vec::new();
    for column in it.set_clause()?.set_column_list()?.set_columns() {
        match column {
            SetColumn::SetSingleColumn(it) => {
                let target = it.column_target()?;
                // `a[1] = ...` assigns a part of the column only.
                plain &= target.accessors().next().is_none();
                set.push(Assignment {
                    column: identifier(target.name()?.syntax()),
                    expression: source.text(it.set_expr()?.syntax()),
                });
            }
            SetColumn::SetMultipleColumns(it) => plain &= several(source, &it, &mut set)?,
        }
    }
    let filter = match it.where_clause_or_current_of() {
        Some(ast::WhereClauseOrCurrentOf::WhereClause(clause)) => {
            filter::conjuncts(source.file, source.tokens(clause.expr()?.syntax()), &set)
        }
        Some(ast::WhereClauseOrCurrentOf::WhereCurrentOf(_)) => {
            plain = false;
            Vec::new()
        }
        None => Vec::new(),
    };
    Some(Change::Update { table: name_of(relation.syntax()), set, filter, limited: false, plain })
}

/// `(a, b) = (1, 2)`; from a query or a row of other length the columns are known, the expressions
/// are not, and the answer is that the statement is not plain.
fn several(source: &Source<'_>, it: &ast::SetMultipleColumns, set: &mut Vec<Assignment>) -> Option<bool> {
    let targets: Vec<_> = it.column_target_list()?.column_targets().collect();
    let expressions: Vec<String> = it
        .set_expr_list()
        .map(|list| list.set_exprs().map(|it| source.text(it.syntax())).collect())
        .unwrap_or_default();
    let known = expressions.len() == targets.len();
    for (at, target) in targets.iter().enumerate() {
        let column = identifier(target.name()?.syntax());
        let expression = if known { expressions[at].clone() } else { source.text(it.syntax()) };
        set.push(Assignment { column, expression });
    }
    Some(known)
}

pub(super) fn delete(source: &Source<'_>, it: &ast::Delete) -> Option<Change> {
    let filter = match it.where_clause_or_current_of() {
        Some(ast::WhereClauseOrCurrentOf::WhereClause(clause)) => {
            filter::conjuncts(source.file, source.tokens(clause.expr()?.syntax()), &[])
        }
        _ => Vec::new(),
    };
    Some(Change::Delete { table: name_of(it.relation_name()?.syntax()), filter, limited: false })
}

pub(super) fn insert(it: &ast::Insert) -> Option<Change> {
    Some(Change::Insert {
        table: name_of(it.relation_name_ref()?.syntax()),
        columns: Vec::new(),
        query: false,
        on_conflict: None,
    })
}
