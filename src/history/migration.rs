//! One versioned SQL unit, and the ordered history it stands in.

use crate::error::Error;
use crate::sql::{Dialect, Statement};

/// Expand, backfill, contract, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Expand,
    Backfill,
    Contract,
}

impl Phase {
    /// In the order in which they run.
    pub const ALL: [Self; 3] = [Self::Expand, Self::Backfill, Self::Contract];

    /// The word of options, files and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        }
    }
}

/// One migration file, read.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The path as the user would type it.
    pub path: String,
    /// The file's text; where it has a section that undoes it, the text before that.
    pub text: String,
    /// The phase that its directory names.
    pub phase: Option<Phase>,
    pub statements: Vec<Statement>,
}

/// Migrations in the order in which they run.
#[derive(Debug, Clone)]
pub struct History {
    pub dialect: Dialect,
    pub migrations: Vec<Migration>,
    /// What was found and assumed about the directory, one sentence each; the report prints it.
    pub notes: Vec<String>,
    /// Files and directories that could not be read: the rest was judged without them.
    pub unreadable: Vec<Error>,
}
