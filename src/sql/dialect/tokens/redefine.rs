//! MySQL's MODIFY and CHANGE: they say a column anew, and what they leave out is gone.

use super::Statement;
use super::column::{column as definition, position};
use crate::sql::change::{Change, Column, ColumnAction, Constraint, ConstraintKind, Name};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::statement::Unread;

/// Takes one of the two with its definition.
pub(super) fn column(statement: &Statement<'_>, table: &Name, cursor: &mut Cursor<'_>) -> Result<Vec<Change>, Unread> {
    let change = cursor.eat("CHANGE");
    if !change {
        cursor.need("MODIFY")?;
    }
    cursor.eat("COLUMN");
    cursor.eat("IF EXISTS");
    let old = if change { Some(cursor.need_identifier("a column")?) } else { None };
    let column = definition(statement, cursor)?;
    let positioned = position(cursor)?;
    let mut changes = Vec::new();
    if let Some(old) = old
        && old != column.name
    {
        changes.push(Change::RenameColumn { table: table.clone(), column: old, to: column.name.clone() });
    }
    changes.extend(as_changes(table, column, positioned));
    Ok(changes)
}

fn as_changes(table: &Name, column: Column, positioned: bool) -> Vec<Change> {
    let table = || table.clone();
    let name = || column.name.clone();
    let mut changes = vec![
        Change::ChangeType {
            table: table(),
            column: name(),
            to: column.data_type.clone(),
            collation: column.collation.clone(),
            using: None,
            attributes: column.attributes.clone(),
            positioned,
        },
        match column.not_null || column.primary_key || column.identity {
            true => Change::SetNotNull { table: table(), column: name() },
            false => Change::DropNotNull { table: table(), column: name() },
        },
        match column.default.clone() {
            Some(expression) => Change::SetDefault { table: table(), column: name(), expression },
            None => Change::DropDefault { table: table(), column: name() },
        },
    ];
    let mut actions = vec![if column.identity { ColumnAction::AddIdentity } else { ColumnAction::DropIdentity }];
    actions.extend(column.generated.is_some().then_some(ColumnAction::SetExpression));
    actions.extend(column.check.then(|| ColumnAction::Other("ADD CHECK".into())));
    changes.extend(actions.into_iter().map(|action| Change::AlterColumn { table: table(), column: name(), action }));
    let columns = vec![name()];
    let kinds = [
        column.primary_key.then(|| ConstraintKind::PrimaryKey { columns: columns.clone() }),
        column.unique.then(|| ConstraintKind::Unique { columns: columns.clone() }),
        column.references.clone().map(|references| ConstraintKind::ForeignKey { columns: columns.clone(), references }),
    ];
    changes.extend(kinds.into_iter().flatten().map(|kind| Change::AddConstraint {
        table: table(),
        constraint: Constraint { name: None, kind, not_valid: false, using_index: None },
    }));
    changes
}
