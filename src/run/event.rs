//! What a run can say, as data; `report` puts it into bars and lines.

use crate::database::Blocker;
use crate::gate::Judgement;
use crate::plan::Phase;
use crate::run::throttle::Reading;

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The ledger knows the plan; `done` of `steps` were finished by earlier runs.
    Opened {
        plan: String,
        steps: usize,
        done: usize,
    },
    PhaseStarted {
        phase: Phase,
    },
    /// `resumed`: an earlier run had begun it.
    StepStarted {
        step: String,
        sql: String,
        resumed: bool,
    },
    /// `found`: the probe says that a lost statement had taken effect, nothing was repeated.
    StepDone {
        step: String,
        found: bool,
    },
    /// Half of a lost statement was left behind and has been removed.
    Repaired {
        step: String,
        what: String,
    },
    /// The server refuses to carry a statement out in a cheap way: `because`, and what is tried instead.
    OtherWay {
        step: String,
        because: String,
    },
    /// A backfill goes through its table from the first place again, because the places that the ledger knew mean
    /// others now.
    BegunAgain {
        step: String,
        because: String,
    },
    /// A batch was committed. `rows_total` is an estimate until the step is done.
    Batch {
        step: String,
        rows_done: u64,
        rows_total: Option<u64>,
        rows: u64,
        milliseconds: u128,
    },
    /// The statement of a backfill fails on this row: it is left for the end.
    Quarantined {
        step: String,
        row: String,
        because: String,
    },
    /// A lock was not to be had: the step is tried again after a pause.
    Retry {
        step: String,
        attempt: u32,
        because: String,
        /// Who was in the way, as far as the server tells.
        by: Vec<Blocker>,
        milliseconds: u128,
    },
    /// Somebody is in the way of a step: the run looks again before it tries, or the server waits within a statement
    /// that keeps nobody else waiting. Said again when it is somebody else.
    Blocked {
        step: String,
        by: Vec<Blocker>,
    },
    /// No row differs; `repaired` of them did, and were filled again.
    Proved {
        step: String,
        rows: u64,
        ranges: u64,
        repaired: u64,
    },
    /// Rows that differed were filled again by a proof.
    Refilled {
        step: String,
        rows: u64,
    },
    /// With the locks of a step held, a proof was asked once more; `how` says what was looked at.
    Rechecked {
        step: String,
        proof: String,
        how: &'static str,
    },
    /// A proof found rows that differ, with an example.
    ProofFailed {
        step: String,
        example: String,
    },
    /// The gates in front of a phase were looked at.
    Judged {
        phase: Phase,
        judgements: Vec<Judgement>,
    },
    /// The run waits and looks again.
    Waiting {
        because: String,
    },
    /// The lease could not be renewed from the side: when this goes on, another runner may take over.
    LeaseInDoubt {
        because: String,
    },
    /// A backfill, or the next step, is held by this signal; said again every minute while it lasts.
    /// `unreadable`: because nobody could read it.
    Throttled {
        signal: String,
        because: String,
        unreadable: bool,
    },
    /// A backfill works for a part of the time only, because a signal is near its limit.
    Slowed {
        because: String,
    },
    /// What the signals of the load say now, also while none of them holds; not said again while they say the same.
    Load {
        readings: Vec<Reading>,
    },
    /// A load that nobody looks at, because nobody said where.
    NotWatched {
        because: String,
    },
    /// What would make the run easier on the application, and is a person's to do.
    Advice {
        advice: String,
    },
    /// Rows may change in a way that the triggers of expand.sql do not see: only a look at every row will do.
    Bypassed {
        because: String,
    },
    /// Nothing holds any more.
    WentOn {
        milliseconds: u128,
    },
    /// These files, change.toml or revert.sql, are not what they were when the plan started: approvals given for it
    /// are void.
    SettingsChanged {
        files: Vec<String>,
    },
    /// A person's word begins the change although this speaks against it.
    Forced {
        by: String,
        reason: String,
        against: Vec<String>,
    },
    Finished {
        plan: String,
    },
    /// The user asked to stop: what is at hand is finished first, or cut off when the user asked twice.
    Stopping {
        at_once: bool,
        because: String,
    },
    /// The command ends, for whatever reason: what it would tell a script, and what went wrong, outermost first.
    Ended {
        exit_code: u8,
        because: Vec<String>,
    },
    /// The change is being undone; `done` of the `steps` of revert.sql were finished by earlier runs.
    Reverting {
        plan: String,
        steps: usize,
        done: usize,
    },
    /// A step of revert.sql had nothing to undo: the change had not got that far.
    NothingToUndo {
        step: String,
    },
    /// Something is not as it was before the change, and no statement of the change names it, or nothing undoes it.
    LeftBehind {
        what: String,
    },
    Reverted {
        plan: String,
    },
}
