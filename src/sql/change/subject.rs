//! The table that a change is about.

use super::{Change, Name};

impl Change {
    /// The table that it names as its own; `None` where it names none, or is about something else.
    pub fn table(&self) -> Option<&Name> {
        match self {
            Self::CreateTable { table, .. }
            | Self::DropTable { table, .. }
            | Self::RenameTable { table, .. }
            | Self::AlterTable { table, .. }
            | Self::AlterMode { table, .. }
            | Self::AttachPartition { table, .. }
            | Self::DetachPartition { table, .. }
            | Self::Truncate { table, .. }
            | Self::LockTable { table, .. }
            | Self::AddColumn { table, .. }
            | Self::DropColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::ChangeType { table, .. }
            | Self::SetNotNull { table, .. }
            | Self::DropNotNull { table, .. }
            | Self::SetDefault { table, .. }
            | Self::DropDefault { table, .. }
            | Self::AlterColumn { table, .. }
            | Self::AddConstraint { table, .. }
            | Self::DropConstraint { table, .. }
            | Self::ValidateConstraint { table, .. }
            | Self::CreateIndex { table, .. }
            | Self::CreateTrigger { table, .. }
            | Self::CreatePolicy { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. }
            | Self::Insert { table, .. } => Some(table),
            Self::Maintain { table, .. }
            | Self::DropIndex { table, .. }
            | Self::DropTrigger { table, .. }
            | Self::RenameObject { table, .. }
            | Self::DropObject { table, .. } => table.as_ref(),
            _ => None,
        }
    }
}
