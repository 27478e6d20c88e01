//! One versioned SQL unit, and the ordered history it stands in.

use crate::sql::{Dialect, Statement};

/// One migration file, read.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The path as the user would type it.
    pub path: String,
    pub text: String,
    pub statements: Vec<Statement>,
}

/// Migrations in the order in which they run.
#[derive(Debug, Clone)]
pub struct History {
    pub dialect: Dialect,
    pub migrations: Vec<Migration>,
    /// What was found and assumed about the directory, one sentence each; the report prints it.
    pub notes: Vec<String>,
}
