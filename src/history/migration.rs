//! One versioned SQL unit, and the ordered history it stands in.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::Live;
use crate::error::Error;
use crate::sql::{self, Dialect, Statement};

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

/// One migration, read: a file, or one changeset of a file that holds several.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The path as the user would type it.
    pub path: String,
    /// The file that it was made from, where the text is not that file's own.
    pub made_from: Option<String>,
    /// The whole file; all ranges count from its beginning.
    pub text: Arc<str>,
    /// The parts of the file that this migration runs forward, in order.
    pub parts: Vec<Range<usize>>,
    /// Where the comments stand that may speak to us; `None`: wherever SQL has its comments in the parts.
    pub comments: Option<Vec<Range<usize>>>,
    /// The version by which its tool knows it, where it has one.
    pub version: Option<String>,
    /// The phase that its directory names.
    pub phase: Option<Phase>,
    /// Its runner executes the file in one transaction.
    pub in_transaction: bool,
    /// Its tool expects every new version to be greater than all that it has run.
    pub counted: bool,
    /// It begins a sequence of its own: what stands before it says nothing about its database.
    pub starts_anew: bool,
    /// It goes on with the migration before it, whose tool runs both as one: a part of it stands in another file.
    pub continues: bool,
    /// Its tool has printed it, with the BEGIN and COMMIT that the tool itself sends.
    pub printed: bool,
    /// It only tells what the schema was: it raises no findings.
    pub replayed: bool,
    /// It is a dump of a schema and no migration: what stands before it is not known, and it is replayed.
    pub baseline: bool,
    /// The release with which it goes out, where that is known: those of one number go out together. What has number 0
    /// was out before the first one that is told, in releases that are not.
    pub release: Option<usize>,
    /// The live database has had it.
    pub applied: bool,
    /// What is wrong with its version.
    pub irregular: Vec<Irregular>,
    pub statements: Vec<Statement>,
}

impl Migration {
    /// A whole file, each statement its own transaction.
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>, dialect: Dialect) -> Self {
        let text = text.into();
        let parts = std::iter::once(0..text.len()).collect();
        Self::of_parts(path, text, parts, dialect)
    }

    /// The parts of a file that run forward, each statement its own transaction.
    pub fn of_parts(path: impl Into<String>, text: Arc<str>, parts: Vec<Range<usize>>, dialect: Dialect) -> Self {
        let mut read = parts.iter().map(|part| sql::read_part(&text, part, dialect));
        let mut statements = read.next().unwrap_or_default();
        read.for_each(|mut behind| statements.append(&mut behind));
        Self {
            path: path.into(),
            made_from: None,
            text,
            parts,
            comments: None,
            version: None,
            phase: None,
            in_transaction: false,
            counted: false,
            starts_anew: false,
            continues: false,
            printed: false,
            replayed: false,
            baseline: false,
            release: None,
            applied: false,
            irregular: Vec::new(),
            statements,
        }
    }
}

impl Migration {
    /// The file that a person changes.
    pub fn file(&self) -> &str {
        self.made_from.as_deref().unwrap_or(&self.path)
    }
}

/// What is wrong with a migration's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Irregular {
    /// The migration at this path has the same.
    Duplicate { path: String },
    /// It is new, and the migration at this path, which comes after it, is not.
    Late { path: String },
    /// No migration has the versions from `first` to `last`, which would come right before it.
    Missing { first: u64, last: u64 },
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
    /// What a live database told, where there is one.
    pub live: Option<Live>,
}

impl History {
    /// How many files are judged, at least in part, and how many are only replayed.
    pub fn judged_and_replayed_files(&self) -> (usize, usize) {
        let mut all = HashSet::new();
        let mut judged = HashSet::new();
        for migration in &self.migrations {
            all.insert(&migration.path);
            if !migration.replayed {
                judged.insert(&migration.path);
            }
        }
        (judged.len(), all.len() - judged.len())
    }
}
