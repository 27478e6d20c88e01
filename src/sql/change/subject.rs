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

    /// The names of all that it may leave other than it was without taking it away: its table, and what else it names.
    pub fn objects(&self) -> Vec<&Name> {
        let others: Vec<&Name> = match self {
            Self::AttachPartition { partition, .. } | Self::DetachPartition { partition, .. } => vec![partition],
            Self::DropIndex { table: None, name, .. }
            | Self::CreateFunction { name, .. }
            | Self::DropFunction { name, .. }
            | Self::CreateType { name, .. }
            | Self::RenameObject { name, .. }
            | Self::Grant { name, .. } => vec![name],
            Self::CreateView { view, .. } => vec![view],
            Self::AddLabel { enumeration, .. } => vec![enumeration],
            Self::CreateDomain { domain, .. } | Self::AlterDomain { domain, .. } => vec![domain],
            Self::CreateSequence { sequence, .. } | Self::AlterSequence { sequence, .. } => vec![sequence],
            _ => Vec::new(),
        };
        self.table().into_iter().chain(others).collect()
    }
}
