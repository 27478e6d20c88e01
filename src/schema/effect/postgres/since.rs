//! Which major is the first that does a change, as far as the change tells: storage, compression and options are not
//! part of it.

use crate::schema::Catalog;
use crate::sql::{Change, Column, ColumnAction, Constraint, ConstraintKind, Generated};

/// `None` is all that we know.
pub(super) fn since(change: &Change, before: &Catalog) -> Option<u32> {
    match change {
        Change::DetachPartition { concurrently: true, .. } => Some(14),
        Change::AddColumn { column, .. } => of_column(column),
        Change::CreateTable { columns, constraints, .. } => {
            columns.iter().filter_map(of_column).chain(constraints.iter().filter_map(of_constraint)).max()
        }
        Change::AddConstraint { table, constraint } => {
            let is_foreign_key = matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
            let partitioned = before.table(table).is_some_and(|known| known.partitioned);
            let not_valid_yet = is_foreign_key && constraint.not_valid && partitioned;
            of_constraint(constraint).max(not_valid_yet.then_some(18))
        }
        Change::DropConstraint { table, name, .. } | Change::ValidateConstraint { table, name } => {
            of_constraint(before.table(table)?.constraints.get(name)?)
        }
        Change::AlterColumn { table, column, action } => match action {
            ColumnAction::SetExpression => {
                let known = before.column(table, column).and_then(|known| known.generated);
                Some(if known == Some(Generated::Virtual) { 18 } else { 17 })
            }
            ColumnAction::DropExpression => Some(13),
            ColumnAction::Other(words) if words == "SET COMPRESSION" => Some(14),
            _ => None,
        },
        Change::AlterTable { action, .. } if action.starts_with("SET ACCESS METHOD") => Some(15),
        _ => None,
    }
}

fn of_column(column: &Column) -> Option<u32> {
    (column.generated == Some(Generated::Virtual)).then_some(18)
}

/// NOT NULL as a constraint of the table.
fn of_constraint(constraint: &Constraint) -> Option<u32> {
    matches!(constraint.kind, ConstraintKind::NotNull { .. }).then_some(18)
}
