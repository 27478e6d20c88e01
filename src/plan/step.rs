//! The plan: phases, steps and probes as plain data.

pub use crate::history::Phase;
use crate::sql::{Dialect, Name};

use super::{Backfill, Rows, Settings};

/// A phased change, ready to be printed or carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The directory's own name: the plan's key in the ledger.
    pub name: String,
    pub dialect: Dialect,
    pub settings: Settings,
    /// The files that make the plan up, `change.toml` included, each with its digest.
    pub files: Vec<PlanFile>,
    /// SHA-256 (hex) over all files: approvals are bound to it.
    pub digest: String,
    /// What keeps proved rows true: the triggers that expand.sql makes.
    pub sync: Vec<Trigger>,
    pub steps: Vec<Step>,
    /// What undoes expand and backfill, in order: the statements of revert.sql; none without the file.
    pub revert: Vec<Step>,
}

/// A trigger by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub table: Name,
    pub name: String,
}

impl Plan {
    /// The steps that no probe covers: a run refuses a plan with any before it starts.
    pub fn unprobed(&self) -> Vec<&Step> {
        self.steps.iter().filter(|step| step.probe == Probe::None).collect()
    }

    /// The steps of one phase, in order.
    pub fn steps_of(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }
}

/// One file of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    /// The name inside the directory: `expand.sql`.
    pub name: String,
    /// SHA-256 (hex) of its bytes.
    pub digest: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Phase and number: `expand.1`; of revert.sql, `revert.1`.
    pub id: String,
    /// Of a step of revert.sql, expand: the phase that it undoes.
    pub phase: Phase,
    pub action: Action,
    /// The statement as the user wrote it; for a derived proof, a query that shows the rows it looks for.
    pub sql: String,
    /// `expand.sql`, and the 1-based line; derived steps name the line that they were derived from.
    pub file: String,
    pub line: usize,
    /// How a resumed run finds out whether a lost statement took effect.
    pub probe: Probe,
    /// Of the first step of contract that takes something away: the proved tables that it locks. The proofs are
    /// asked once more when it has them.
    pub recheck: Option<Vec<Name>>,
    /// SHA-256 (hex) of what the step does.
    pub digest: String,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One statement. `transactional`: it commits together with its ledger row.
    Statement {
        transactional: bool,
    },
    Backfill(Backfill),
    Verify(Verify),
}

/// A proof that a backfill is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// Derived: no row of `sources`, what FROM lists, fulfils `condition`, which is true for a row that still
    /// differs. The runner asks it range by range of `rows`.
    Derived {
        rows: Rows,
        sources: String,
        condition: String,
        /// The tables, beside a row's own values, that the condition depends on; its own table where that is read again.
        reads: Vec<Name>,
        /// The step whose rows it proves: `backfill.1`.
        of: String,
    },
    /// From verify.sql: the query returns no row.
    Query,
}

/// The question that tells a resumed run whether a lost statement took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The ledger's own row, which committed in the same transaction.
    Ledger,
    /// The schema: the statement took effect when every expectation holds.
    Schema(Vec<Expectation>),
    /// The indexes have other numbers than those that the ledger noted before: `index` or all of the table `name`.
    Rebuilt {
        /// The name is an index's.
        index: bool,
        name: Name,
    },
    /// Doing it twice is the same as doing it once: a resumed run simply does it again.
    Repeat,
    /// There is none: such a step is refused before anything is run.
    None,
}

/// One thing that is so after a statement took effect, and was not so before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    Table {
        table: Name,
        exists: bool,
    },
    Column {
        table: Name,
        column: String,
        exists: bool,
    },
    /// The index exists and is valid; an invalid one is half done and is dropped before the step is repeated.
    Index {
        table: Option<Name>,
        index: Name,
        exists: bool,
    },
    Trigger {
        table: Option<Name>,
        trigger: String,
        exists: bool,
    },
    Constraint {
        table: Name,
        constraint: String,
        exists: bool,
    },
    Function {
        function: Name,
        exists: bool,
    },
    View {
        view: Name,
        exists: bool,
    },
    /// The partition belongs to its table; one that is neither in nor out is half done and is taken out for good.
    Partition {
        table: Name,
        partition: Name,
        attached: bool,
    },
    Nullable {
        table: Name,
        column: String,
        nullable: bool,
    },
}

impl Expectation {
    /// Whether something is to be there; `None` where that is not the question.
    pub fn exists(&self) -> Option<bool> {
        match self {
            Self::Table { exists, .. }
            | Self::Column { exists, .. }
            | Self::Index { exists, .. }
            | Self::Trigger { exists, .. }
            | Self::Constraint { exists, .. }
            | Self::Function { exists, .. }
            | Self::View { exists, .. } => Some(*exists),
            Self::Partition { attached, .. } => Some(*attached),
            Self::Nullable { .. } => None,
        }
    }

    /// What it is about, in words: `trigger orders_sync on orders`.
    pub fn thing(&self) -> String {
        let on = |table: &Option<Name>| table.as_ref().map(|table| format!(" on {table}")).unwrap_or_default();
        match self {
            Self::Table { table, .. } => format!("table {table}"),
            Self::Column { table, column, .. } | Self::Nullable { table, column, .. } => {
                format!("column {table}.{column}")
            }
            Self::Index { table, index, .. } => format!("index {index}{}", on(table)),
            Self::Trigger { table, trigger, .. } => format!("trigger {trigger}{}", on(table)),
            Self::Constraint { table, constraint, .. } => format!("constraint {constraint} on {table}"),
            Self::Function { function, .. } => format!("function {function}"),
            Self::View { view, .. } => format!("view {view}"),
            Self::Partition { table, partition, .. } => format!("partition {partition} of {table}"),
        }
    }
}
