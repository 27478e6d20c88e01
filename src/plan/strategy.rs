//! The ladder: which shapes each version of the application reads and writes, and while what is done of a change it
//! can run.
//!
//! Without a sync, a version that writes the new shape only leaves the old one stale: between old and new stand two that
//! write both. Triggers that keep both alike make two rungs of the four.

use super::{Phase, Settings};

/// A version of the application, by what it reads and writes; in the order in which they are rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    Old,
    BothReadsOld,
    BothReadsNew,
    New,
}

impl Rung {
    /// The key of `[versions]`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::BothReadsOld => "both-reads-old",
            Self::BothReadsNew => "both-reads-new",
            Self::New => "new",
        }
    }

    /// What it reads and writes, behind its name.
    pub fn shapes(self) -> &'static str {
        match self {
            Self::Old => "reads and writes the old shape",
            Self::BothReadsOld => "writes both shapes and reads the old one",
            Self::BothReadsNew => "writes both shapes and reads the new one",
            Self::New => "reads and writes the new shape",
        }
    }

    /// It reads what the old version has written.
    pub fn reads_old(self) -> bool {
        matches!(self, Self::Old | Self::BothReadsOld)
    }

    /// The last phase that has to be done before it may run; `None` where it is the change that may come later.
    pub fn after(self) -> Option<Phase> {
        match self {
            Self::Old => None,
            Self::BothReadsOld => Some(Phase::Expand),
            Self::BothReadsNew | Self::New => Some(Phase::Backfill),
        }
    }

    /// Contract may run beside it.
    pub fn outlives_contract(self) -> bool {
        self == Self::New
    }
}

/// The rungs of a change with what change.toml calls each.
pub fn ladder(settings: &Settings) -> Vec<(Rung, Option<&str>)> {
    let all = [
        (Rung::Old, &settings.old_version),
        (Rung::BothReadsOld, &settings.both_reads_old),
        (Rung::BothReadsNew, &settings.both_reads_new),
        (Rung::New, &settings.new_version),
    ];
    let needed = |rung: Rung| !settings.two_way_sync || matches!(rung, Rung::Old | Rung::New);
    all.into_iter().filter(|(rung, _)| needed(*rung)).map(|(rung, name)| (rung, name.as_deref())).collect()
}
