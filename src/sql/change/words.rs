//! What a change is called where it is only named.

use super::{Change, ColumnAction, ConstraintKind};

impl Change {
    /// The words of SQL for it, in upper case and without names: `ALTER TABLE SET UNLOGGED`, `DROP VIEW`.
    pub fn words(&self) -> String {
        let words = match self {
            Self::CreateTable { .. } => "CREATE TABLE",
            Self::DropTable { .. } => "DROP TABLE",
            Self::RenameTable { .. } => "ALTER TABLE RENAME TO",
            Self::AlterTable { action, .. } => return format!("ALTER TABLE {action}"),
            Self::AlterMode { algorithm: Some(_), .. } => "ALTER TABLE ALGORITHM",
            Self::AlterMode { .. } => "ALTER TABLE LOCK",
            Self::AttachPartition { .. } => "ALTER TABLE ATTACH PARTITION",
            Self::DetachPartition { concurrently: true, .. } => "ALTER TABLE DETACH PARTITION CONCURRENTLY",
            Self::DetachPartition { .. } => "ALTER TABLE DETACH PARTITION",
            Self::Truncate { .. } => "TRUNCATE",
            Self::LockTable { .. } => "LOCK TABLE",
            Self::Maintain { action, .. } => action,
            Self::AddColumn { .. } => "ALTER TABLE ADD COLUMN",
            Self::DropColumn { .. } => "ALTER TABLE DROP COLUMN",
            Self::RenameColumn { .. } => "ALTER TABLE RENAME COLUMN",
            Self::ChangeType { .. } => "ALTER COLUMN TYPE",
            Self::SetNotNull { .. } => "ALTER COLUMN SET NOT NULL",
            Self::DropNotNull { .. } => "ALTER COLUMN DROP NOT NULL",
            Self::SetDefault { .. } => "ALTER COLUMN SET DEFAULT",
            Self::DropDefault { .. } => "ALTER COLUMN DROP DEFAULT",
            Self::AlterColumn { action, .. } => return format!("ALTER COLUMN {}", action.words()),
            Self::AddConstraint { constraint, .. } => constraint.kind.words(),
            Self::DropConstraint { .. } => "ALTER TABLE DROP CONSTRAINT",
            Self::ValidateConstraint { .. } => "ALTER TABLE VALIDATE CONSTRAINT",
            Self::CreateIndex { concurrently: true, .. } => "CREATE INDEX CONCURRENTLY",
            Self::CreateIndex { .. } => "CREATE INDEX",
            Self::DropIndex { concurrently: true, .. } => "DROP INDEX CONCURRENTLY",
            Self::DropIndex { .. } => "DROP INDEX",
            Self::Reindex { what, concurrently: true, .. } => return format!("REINDEX {what} CONCURRENTLY"),
            Self::Reindex { what, .. } => return format!("REINDEX {what}"),
            Self::CreateTrigger { .. } => "CREATE TRIGGER",
            Self::DropTrigger { .. } => "DROP TRIGGER",
            Self::CreateFunction { .. } => "CREATE FUNCTION",
            Self::DropFunction { .. } => "DROP FUNCTION",
            Self::CreateView { materialized: true, .. } => "CREATE MATERIALIZED VIEW",
            Self::CreateView { .. } => "CREATE VIEW",
            Self::DropView { materialized: true, .. } => "DROP MATERIALIZED VIEW",
            Self::DropView { .. } => "DROP VIEW",
            Self::RefreshView { .. } => "REFRESH MATERIALIZED VIEW",
            Self::CreateType { .. } => "CREATE TYPE",
            Self::AddLabel { .. } => "ALTER TYPE ADD VALUE",
            Self::RenameLabel { .. } => "ALTER TYPE RENAME VALUE",
            Self::CreateDomain { .. } => "CREATE DOMAIN",
            Self::AlterDomain { action, .. } => return format!("ALTER DOMAIN {action}"),
            Self::CreateSequence { .. } => "CREATE SEQUENCE",
            Self::AlterSequence { action, .. } => return format!("ALTER SEQUENCE {action}"),
            Self::CreatePolicy { .. } => "CREATE POLICY",
            Self::RenameObject { object, .. } => return format!("ALTER {} RENAME", object.words()),
            Self::MoveToSchema { object, .. } => return format!("ALTER {} SET SCHEMA", object.words()),
            Self::DropObject { object, .. } => return format!("DROP {}", object.words()),
            Self::Grant { .. } => "GRANT",
            Self::Revoke { .. } => "REVOKE",
            Self::Update { .. } => "UPDATE",
            Self::Delete { .. } => "DELETE",
            Self::Insert { .. } => "INSERT",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Savepoint { .. } => "SAVEPOINT",
            Self::Release { .. } => "RELEASE SAVEPOINT",
            Self::RollbackTo { .. } => "ROLLBACK TO SAVEPOINT",
            Self::Set { value: None, .. } => "RESET",
            Self::Set { .. } => "SET",
            Self::Opaque { kind } | Self::Other { kind } => kind,
        };
        words.to_string()
    }
}

impl ColumnAction {
    fn words(&self) -> &str {
        match self {
            Self::AddIdentity => "ADD GENERATED AS IDENTITY",
            Self::DropIdentity => "DROP IDENTITY",
            Self::SetExpression => "SET EXPRESSION",
            Self::DropExpression => "DROP EXPRESSION",
            Self::Other(words) => words,
        }
    }
}

impl ConstraintKind {
    fn words(&self) -> &'static str {
        match self {
            Self::Check { .. } => "ADD CHECK",
            Self::ForeignKey { .. } => "ADD FOREIGN KEY",
            Self::Unique { .. } => "ADD UNIQUE",
            Self::PrimaryKey { .. } => "ADD PRIMARY KEY",
            Self::NotNull { .. } => "ADD NOT NULL",
            Self::Exclude => "ADD EXCLUDE",
        }
    }
}
