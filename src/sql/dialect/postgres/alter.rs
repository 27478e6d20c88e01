//! The actions of ALTER TABLE.

use std::ops::Range;

use squawk_syntax::ast::{self, AlterColumnOption, AlterTableAction, AstChildren, AstNode};

use super::{Source, table};
use crate::sql::change::{Change, ColumnAction, Name, Object};
use crate::sql::dialect::{clause, filter};
use crate::sql::statement::Clause;

/// Each action is a clause of its own; `None` where the tree lacks a part of one.
pub(super) fn table(
    source: &Source<'_>,
    relation: Option<ast::TableRelationName>,
    actions: AstChildren<AlterTableAction>,
) -> Option<Vec<Clause>> {
    let table = source.name(relation?.syntax());
    let actions: Vec<AlterTableAction> = actions.collect();
    let lower = |(at, action): (usize, &AlterTableAction)| {
        let change = lower(source, &table, action)?;
        let range = extent(source, action, actions.get(at + 1));
        Some(Clause::new(range.clone(), with_unknown_attributes(source, &range, change)))
    };
    actions.iter().enumerate().map(lower).collect()
}

/// The column attributes that the parser was not shown.
fn with_unknown_attributes(source: &Source<'_>, range: &Range<usize>, mut change: Change) -> Change {
    if let Change::AddColumn { column, .. } = &mut change {
        let tokens = &source.piece.tokens;
        let first = tokens.partition_point(|token| token.range.start < range.start);
        let end = tokens.partition_point(|token| token.range.start < range.end);
        let starts = (first..end).filter(|at| source.starts_unknown_attribute(*at));
        let texts = starts.filter_map(|at| filter::text_of(source.file, &source.piece.tokens[at..at + 2]));
        column.attributes.extend(texts);
    }
    change
}

/// From an action's first token to before the comma of the next one, or to the end.
fn extent(source: &Source<'_>, action: &AlterTableAction, next: Option<&AlterTableAction>) -> Range<usize> {
    let start = source.range(action.syntax()).start;
    let Some(next) = next else { return start..source.piece.range.end };
    let next = source.range(next.syntax()).start;
    let tokens = &source.piece.tokens;
    let comma = tokens.partition_point(|token| token.range.start < next).saturating_sub(1);
    start..comma.checked_sub(1).map_or(next, |last| tokens[last].range.end)
}

fn lower(source: &Source<'_>, table: &Name, action: &AlterTableAction) -> Option<Change> {
    let table = table.clone();
    let words = || clause::action_words(source.file, source.tokens(action.syntax()));
    Some(match action {
        AlterTableAction::AddColumn(it) => Change::AddColumn {
            table,
            column: table::added_column(source, it)?,
            if_not_exists: it.if_not_exists().is_some(),
            positioned: false,
        },
        AlterTableAction::DropColumn(it) => Change::DropColumn {
            table,
            column: source.identifier(it.column_name_ref()?.syntax()),
            if_exists: it.if_exists().is_some(),
            cascade: source.cascades(action.syntax()),
        },
        AlterTableAction::RenameColumn(it) => Change::RenameColumn {
            table,
            column: source.identifier(it.column_name_ref()?.syntax()),
            to: source.identifier(it.column_name()?.syntax()),
        },
        AlterTableAction::TableRenameTo(it) => {
            let to = source.name(it.table_name()?.syntax());
            Change::RenameTable { to: Name { schema: table.schema.clone(), name: to.name }, table }
        }
        AlterTableAction::AlterColumn(it) => {
            let column = source.identifier(it.column_name_ref()?.syntax());
            alter_column(source, table, column, &it.option()?)?
        }
        AlterTableAction::AddConstraint(it) => {
            Change::AddConstraint { table, constraint: table::constraint(source, &it.constraint()?)? }
        }
        AlterTableAction::DropConstraint(it) => Change::DropConstraint {
            table,
            name: source.name(it.constraint_name_ref()?.syntax()).name,
            if_exists: it.if_exists().is_some(),
            cascade: source.cascades(action.syntax()),
        },
        AlterTableAction::ValidateConstraint(it) => {
            Change::ValidateConstraint { table, name: source.name(it.constraint_name_ref()?.syntax()).name }
        }
        AlterTableAction::RenameConstraint(it) => Change::RenameObject {
            object: Object::Constraint,
            name: source.name(it.constraint_name_ref()?.syntax()),
            table: Some(table),
            to: source.name(it.constraint_name()?.syntax()).name,
        },
        AlterTableAction::SetSchema(it) => Change::MoveToSchema {
            object: Object::Other("TABLE"),
            name: table,
            schema: source.name(it.schema_ref()?.syntax()).name,
        },
        AlterTableAction::AttachPartition(it) => {
            Change::AttachPartition { table, partition: source.name(it.table_name_ref()?.syntax()) }
        }
        AlterTableAction::DetachPartition(it) => {
            let option = source.tokens(it.syntax()).last()?;
            if option.is_word(source.file, "finalize") {
                return Some(Change::AlterTable { table, action: "DETACH PARTITION FINALIZE".into(), value: None });
            }
            let concurrently = option.is_word(source.file, "concurrently");
            Change::DetachPartition { table, partition: source.name(it.table_name_ref()?.syntax()), concurrently }
        }
        _ => Change::AlterTable { table, action: words(), value: None },
    })
}

fn alter_column(source: &Source<'_>, table: Name, column: String, option: &AlterColumnOption) -> Option<Change> {
    Some(match option {
        AlterColumnOption::SetType(it) => Change::ChangeType {
            table,
            column,
            to: table::type_text(source, &it.ty()?),
            collation: it.collate().and_then(|it| it.collation_ref()).map(|it| source.text(it.syntax())),
            using: it.using_expr().and_then(|it| it.expr()).map(|it| source.text(it.syntax())),
            attributes: Vec::new(),
            positioned: false,
        },
        AlterColumnOption::SetNotNull(_) => Change::SetNotNull { table, column },
        AlterColumnOption::DropNotNull(_) => Change::DropNotNull { table, column },
        AlterColumnOption::SetDefault(it) => {
            let expression = source.text(it.expr()?.syntax());
            match clause::is_null(&expression) {
                true => Change::DropDefault { table, column },
                false => Change::SetDefault { table, column, expression },
            }
        }
        AlterColumnOption::DropDefault(_) => Change::DropDefault { table, column },
        option => Change::AlterColumn {
            table,
            column,
            action: match option {
                AlterColumnOption::AddGenerated(_) => ColumnAction::AddIdentity,
                AlterColumnOption::DropIdentity(_) => ColumnAction::DropIdentity,
                AlterColumnOption::SetExpression(_) => ColumnAction::SetExpression,
                AlterColumnOption::DropExpression(_) => ColumnAction::DropExpression,
                _ => ColumnAction::Other(clause::action_words(source.file, source.tokens(option.syntax()))),
            },
        },
    })
}
