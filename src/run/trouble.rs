//! What stops a step, and how that is told.

use crate::database::{Blocker, DatabaseError, DatabaseErrorKind};
use crate::error::{Error, Kind};

/// What stops a step. Lock time-outs are tried again before they get this far.
#[derive(Debug)]
pub(crate) enum Trouble {
    Database(DatabaseError),
    /// A statement did not get its lock in time, because of these.
    Locked {
        error: DatabaseError,
        by: Vec<Blocker>,
    },
    /// Nobody is in the way any more: the gates are asked again before the step is tried.
    Waited,
    /// One row of a batch, named by its key.
    Row {
        row: String,
        error: DatabaseError,
    },
    LeaseLost,
    /// A gate that was open closed while a step waited for its locks; the sentence says which and why.
    GateClosed(String),
    /// What was proved may be so no longer; the sentence says why. It is proved again before anything is taken away.
    Unproved(String),
    Refused(Error),
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Trouble {
    /// In the user's words; `place` is the step and its line.
    pub(super) fn into_error(self, place: &str) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::GateClosed(because) => Error::new(Kind::Waiting, format!("{place}: {because}"))
                .hint("the step was rolled back; run the same command again when the gate is open"),
            Self::Unproved(because) => Error::new(Kind::Step, format!("{place}: {because}"))
                .hint("nothing was taken away: the same command proves again first"),
            Self::Row { row, error } => Error::new(Kind::Step, format!("{place}: {row}")).because(error).hint(
                "mend the row, or take it away, and run the same command again: it goes on from the batch before",
            ),
            Self::LeaseLost => Error::new(Kind::Waiting, format!("{place}: another runner has taken over"))
                .hint("it goes on with the same plan: see `lockkeeper status`"),
            Self::Database(error) if error.kind == DatabaseErrorKind::ConnectionLost => {
                Error::new(Kind::Step, format!("{place}: the connection to the database was lost"))
                    .because(error)
                    .hint("nothing is half done that the ledger does not know of: run the same command again")
            }
            Self::Database(error) if error.kind == DatabaseErrorKind::DiskFull => {
                Error::new(Kind::Step, format!("{place}: the database has no room left")).because(error).hint(
                    "make room on its disk and run the same command again: nothing of the statement at hand stays",
                )
            }
            Self::Waited => Error::new(Kind::Waiting, format!("{place}: not tried")),
            Self::Database(error) | Self::Locked { error, .. } => {
                let right = error.missing_right();
                let failed = Error::new(Kind::Step, format!("{place} failed")).because(error);
                let failed = right.into_iter().fold(failed, Error::hint);
                failed.hint("the ledger knows how far it got: mend the cause and run the same command again")
            }
        }
    }
}
