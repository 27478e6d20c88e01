//! What changes data, also inside WITH, and what a query reads.

use std::collections::BTreeSet;

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, SetColumn};

use super::{Source, table};
use crate::sql::change::{Assignment, Change, Name, Query};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::dialect::filter;
use crate::sql::statement::Clause;

/// The data changes inside the WITH clause of a statement.
pub(super) fn in_with(source: &Source<'_>, statement: &ast::Stmt) -> Vec<Clause> {
    let Some(with) = statement.syntax().children().find_map(ast::WithClause::cast) else { return Vec::new() };
    with.syntax()
        .descendants()
        .filter_map(|node| {
            if let Some(it) = ast::Merge::cast(node.clone()) {
                return merge(source, &it);
            }
            let mut change = data_change(source, &node)?;
            if let Change::Update { plain, .. } = &mut change {
                *plain = false;
            }
            Some(vec![Clause::new(source.range(&node), change)])
        })
        .flatten()
        .collect()
}

fn data_change(source: &Source<'_>, node: &SyntaxNode) -> Option<Change> {
    if let Some(it) = ast::Update::cast(node.clone()) {
        return update(source, &it);
    }
    if let Some(it) = ast::Delete::cast(node.clone()) {
        return delete(source, &it);
    }
    insert(source, &ast::Insert::cast(node.clone())?)
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
    plain &= assignments(source, &it.set_clause()?, &mut set)?;
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
    Some(Change::Update { table: source.name(relation.syntax()), set, filter, limited: false, plain })
}

/// Reads SET into `set`; the answer is whether it is nothing but whole columns and their expressions.
fn assignments(source: &Source<'_>, clause: &ast::SetClause, set: &mut Vec<Assignment>) -> Option<bool> {
    let mut plain = true;
    for column in clause.set_column_list()?.set_columns() {
        match column {
            SetColumn::SetSingleColumn(it) => {
                let target = it.column_target()?;
                // `a[1] = ...` assigns a part of the column only.
                plain &= target.accessors().next().is_none();
                set.push(Assignment {
                    column: source.identifier(target.name()?.syntax()),
                    expression: source.text(it.set_expr()?.syntax()),
                });
            }
            SetColumn::SetMultipleColumns(it) => plain &= several(source, &it, set)?,
        }
    }
    Some(plain)
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
        let column = source.identifier(target.name()?.syntax());
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
    Some(Change::Delete { table: source.name(it.relation_name()?.syntax()), filter, limited: false })
}

pub(super) fn insert(source: &Source<'_>, insert: &ast::Insert) -> Option<Change> {
    let targets = insert.column_target_list().into_iter().flat_map(|list| list.column_targets());
    let query = match insert.insert_source() {
        Some(ast::InsertSource::SelectVariant(it)) if !matches!(it, ast::SelectVariant::Values(_)) => {
            let selects = selects(source, it.syntax());
            let partial = filter::is_partial(Cursor::new(source.file, source.tokens(it.syntax())));
            Some(Query { reads: reads(source, insert.syntax()), selects, partial })
        }
        _ => None,
    };
    Some(Change::Insert {
        table: source.name(insert.relation_name_ref()?.syntax()),
        columns: targets.filter_map(|it| it.name()).map(|it| source.identifier(it.syntax())).collect(),
        query,
        on_conflict: insert.on_conflict_clause().map(|it| arbiter(source, &it)),
    })
}

/// What a query selects; a set operation what its first part selects. A star stands for columns that are not
/// known here.
fn selects(source: &Source<'_>, query: &SyntaxNode) -> Vec<String> {
    let in_with = |node: &SyntaxNode| node.ancestors().any(|outer| ast::WithClause::can_cast(outer.kind()));
    let list = query.descendants().filter_map(ast::TargetList::cast).find(|list| !in_with(list.syntax()));
    let selected = |target: ast::Target| match target.expr()? {
        ast::Expr::NameRef(name) => Some(source.identifier(name.syntax())),
        ast::Expr::FieldExpr(field) => Some(source.identifier(field.field()?.syntax())),
        expression => Some(source.text(expression.syntax())),
    };
    list.and_then(|list| list.targets().map(selected).collect()).unwrap_or_default()
}

/// The columns whose duplicates ON CONFLICT takes care of.
fn arbiter(source: &Source<'_>, it: &ast::OnConflictClause) -> Vec<String> {
    let Some(ast::ConflictTarget::ConflictOnIndex(index)) = it.conflict_target() else { return Vec::new() };
    let items = index.conflict_index_item_list().into_iter().flat_map(|list| list.conflict_index_items());
    let column = |item: ast::ConflictIndexItem| match item.expr()? {
        ast::Expr::NameRef(name) => Some(source.identifier(name.syntax())),
        expression => Some(source.text(expression.syntax())),
    };
    items.filter_map(column).collect()
}

/// Each WHEN is a change of its own; the rows are those that ON and the WHEN's own condition mean.
pub(super) fn merge(source: &Source<'_>, it: &ast::Merge) -> Option<Vec<Clause>> {
    let table = source.name(it.table_relation_name()?.syntax());
    let using = it.using_on_clause()?;
    let on = using.on_clause()?.expr()?;
    let mut clauses = Vec::new();
    for when in it.merge_when_clauses() {
        let (action, condition) = match &when {
            ast::MergeWhenClause::MergeWhenMatched(it) => (it.merge_action(), it.merge_condition()),
            ast::MergeWhenClause::MergeWhenNotMatchedSource(it) => (it.merge_action(), it.merge_condition()),
            ast::MergeWhenClause::MergeWhenNotMatchedTarget(it) => (it.merge_action(), it.merge_condition()),
        };
        let mut set = Vec::new();
        if let Some(ast::MergeAction::MergeUpdate(it)) = &action {
            assignments(source, &it.set_clause()?, &mut set)?;
        }
        let mut filter = match &when {
            // The rows that ON does not mean.
            ast::MergeWhenClause::MergeWhenNotMatchedSource(_) => Vec::new(),
            _ => filter::conjuncts(source.file, source.tokens(on.syntax()), &set),
        };
        if let Some(condition) = condition.and_then(|it| it.expr()) {
            filter.extend(filter::conjuncts(source.file, source.tokens(condition.syntax()), &set));
        }
        let table = table.clone();
        let change = match action? {
            ast::MergeAction::MergeUpdate(_) => Change::Update { table, set, filter, limited: false, plain: false },
            ast::MergeAction::MergeDelete(_) => Change::Delete { table, filter, limited: false },
            ast::MergeAction::MergeInsert(it) => {
                let targets = it.column_target_list().into_iter().flat_map(|list| list.column_targets());
                let columns = targets.filter_map(|it| it.name()).map(|it| source.identifier(it.syntax())).collect();
                let query = Some(Query { reads: reads(source, using.syntax()), partial: true, ..Query::default() });
                Change::Insert { table, columns, query, on_conflict: None }
            }
            ast::MergeAction::MergeDoNothing(_) => Change::Other { kind: "MERGE DO NOTHING".into() },
        };
        clauses.push(Clause::new(source.range(when.syntax()), change));
    }
    Some(clauses)
}

/// `COPY t (a, b) FROM`; COPY TO only reads.
pub(super) fn copy(source: &Source<'_>, it: &ast::Copy) -> Option<Change> {
    if it.syntax().descendants().any(|node| ast::CopyProgram::can_cast(node.kind())) {
        return Some(Change::Opaque { kind: "COPY PROGRAM".into() });
    }
    let Some((table, ast::CopyDirection::CopyFrom(_))) = it.copy_table().zip(it.copy_direction()) else {
        return Some(Change::Other { kind: "COPY".into() });
    };
    let columns = table.column_ref_list().map(|list| table::columns_in(source, list.syntax())).unwrap_or_default();
    let table = source.name(table.table_name_ref()?.syntax());
    Some(Change::Insert { table, columns, query: None, on_conflict: None })
}

/// The tables and views that a query names, each once; what WITH names is neither.
pub(super) fn reads(source: &Source<'_>, query: &SyntaxNode) -> Vec<Name> {
    let named = query.descendants().filter_map(ast::WithTable::cast).filter_map(|it| it.name());
    let named: BTreeSet<String> = named.map(|it| source.identifier(it.syntax())).collect();
    let mut seen = BTreeSet::new();
    let relation = |node: SyntaxNode| match ast::RelationFromItem::cast(node.clone()) {
        Some(it) => Some(it.relation_name_ref()?.syntax().clone()),
        None => Some(ast::Table::cast(node)?.relation_name()?.syntax().clone()),
    };
    query
        .descendants()
        .filter_map(relation)
        .map(|node| source.name(&node))
        .filter(|name| name.schema.is_some() || !named.contains(&name.name))
        .filter(|name| seen.insert(name.clone()))
        .collect()
}
