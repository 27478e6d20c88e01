//! One place where a hazard occurs.

use std::ops::Range;

pub use crate::settings::Severity;

/// One place where a rule's hazard occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    pub severity: Severity,
    pub path: String,
    /// Byte range of the clause in the file.
    pub range: Range<usize>,
    /// Of the statement that it stands in; of what stands in none, as of a comment, its own.
    pub statement: Range<usize>,
    pub message: String,
    pub help: String,
    /// The lock and whom it blocks, in a sentence, where it is known.
    pub lock: Option<String>,
    /// About how many rows the greatest of its tables has, where a live database told.
    pub rows: Option<u64>,
}
