//! SQLite: there is one write lock, the database's, and DDL holds it like any other write.

use super::{Blocks, Effect};
use crate::schema::Catalog;
use crate::sql::{Change, ConstraintKind};

pub(super) fn effect(change: &Change, before: &Catalog) -> Option<Effect> {
    let write_lock = Effect::on_everything("the write lock", Blocks::Writes);
    Some(match change {
        Change::AddColumn { column, .. } => {
            write_lock.scanning(column.check || (column.generated.is_some() && column.not_null))
        }
        Change::RenameColumn { .. } | Change::RenameTable { .. } | Change::DropNotNull { .. } => write_lock,
        Change::DropIndex { .. } | Change::CreateTrigger { .. } | Change::DropTrigger { .. } => write_lock,
        Change::DropTable { .. } => write_lock,
        Change::DropColumn { .. } => write_lock.rewriting(true),
        Change::SetNotNull { table, column } => write_lock.scanning(!before.proves_not_null(table, column)),
        Change::AddConstraint { constraint, .. } => {
            write_lock.scanning(matches!(constraint.kind, ConstraintKind::Check { .. }))
        }
        Change::CreateIndex { .. } | Change::Update { .. } | Change::Delete { .. } => write_lock.scanning(true),
        _ => return None,
    })
}
