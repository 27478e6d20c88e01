//! What can go wrong, in the words of the user, and which exit code a script sees.
//!
//! An error says what, where and why in a lower-case fragment; what to do stands in its hints. Causes
//! of libraries are put into words before they get here: nothing below prints a `Debug` form.

use std::fmt;

/// The exit codes of every command; `--help` and the README print this table.
pub mod exit_code {
    /// Clean, or finished.
    pub const CLEAN: u8 = 0;
    /// Findings at or above `--fail-on`, or a phase refused by a failed gate.
    pub const FINDINGS: u8 = 1;
    /// Nothing was judged: usage, settings, unreadable file or directory, no connection.
    pub const NOT_JUDGED: u8 = 2;
    /// Waiting at a gate or for another runner; run the same command again.
    pub const WAITING: u8 = 3;
    /// A step failed; the ledger says which.
    pub const STEP_FAILED: u8 = 4;
    /// Interrupted by ctrl-c or SIGTERM; run the same command again.
    pub const INTERRUPTED: u8 = 130;
}

/// The kind of an error decides its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line, the settings or a file of the user is wrong: nothing was done.
    Input,
    /// The database could not be reached or refused us before anything was done.
    Connection,
    /// A gate failed: the phase is refused.
    Refused,
    /// Something has to happen first: a gate, or another runner.
    Waiting,
    /// A step failed while it was carried out.
    Step,
    /// The user interrupted.
    Interrupted,
}

/// An error as the user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    /// A lower-case fragment: what, and where.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Wrong input: nothing was judged and nothing was done.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// Adds why.
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code of this error's kind.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Input | Kind::Connection => exit_code::NOT_JUDGED,
            Kind::Refused => exit_code::FINDINGS,
            Kind::Waiting => exit_code::WAITING,
            Kind::Step => exit_code::STEP_FAILED,
            Kind::Interrupted => exit_code::INTERRUPTED,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The candidate that a user most likely meant by `word`, for "did you mean".
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
