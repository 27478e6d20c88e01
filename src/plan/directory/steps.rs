//! The steps of a plan, numbered as they are added.

use super::{Proof, Statement, hex, order};
use crate::error::Result;
use crate::plan::probe::{probe, undo};
use crate::plan::{Action, Phase, Probe, Step};
use crate::sql::{Change, Dialect, Name};

/// The steps so far.
pub(super) struct Steps {
    dialect: Dialect,
    pub(super) steps: Vec<Step>,
    pub(super) revert: Vec<Step>,
}

impl Steps {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, steps: Vec::new(), revert: Vec::new() }
    }

    /// Marks the step of this statement where it is the first that takes something away.
    pub(super) fn recheck_before(&mut self, statement: &Statement, proved: &[Name]) {
        let first = self.steps.iter().all(|step| step.recheck.is_none());
        if let Some(step) = self.steps.last_mut()
            && first
            && statement.clauses.iter().any(|clause| order::takes_away(&clause.change))
        {
            let mut tables: Vec<Name> =
                statement.clauses.iter().filter_map(|one| one.change.table().cloned()).collect();
            tables.retain(|table| proved.contains(table));
            tables.sort();
            tables.dedup();
            step.recheck = Some(tables);
        }
    }

    pub(super) fn statement(&mut self, phase: Phase, statement: &Statement) {
        let (transactional, probe) = probe(self.dialect, &statement.sql, &statement.clauses);
        self.add(phase, Action::Statement { transactional }, statement, probe);
    }

    pub(super) fn proofs(&mut self, phase: Phase, proofs: &[Proof]) {
        for Proof { verify, sql, file, line } in proofs {
            self.push(phase, Action::Verify(verify.clone()), sql.clone(), file.clone(), *line, Probe::Repeat);
        }
    }

    /// The new step's id.
    pub(super) fn add(&mut self, phase: Phase, action: Action, statement: &Statement, probe: Probe) -> String {
        self.push(phase, action, statement.sql.clone(), statement.file.to_string(), statement.line, probe)
    }

    /// What undoes the change may not be long: nobody batches it.
    pub(super) fn revert(&mut self, statement: &Statement) -> Result<()> {
        if statement.clauses.iter().any(|clause| matches!(clause.change, Change::Update { .. })) {
            return Err(statement.refused("an UPDATE in revert.sql would be one long transaction").hint(
                "revert.sql undoes the schema; write values back by the backfill of another change, before the revert",
            ));
        }
        let (transactional, probe) = undo(self.dialect, &statement.sql, &statement.clauses);
        let id = format!("revert.{}", self.revert.len() + 1);
        let digest = hex([id.as_str(), "\0", &statement.sql]);
        self.revert.push(Step {
            id,
            phase: Phase::Expand,
            action: Action::Statement { transactional },
            sql: statement.sql.clone(),
            file: statement.file.to_string(),
            line: statement.line,
            probe,
            recheck: None,
            digest,
        });
        Ok(())
    }

    fn push(&mut self, phase: Phase, action: Action, sql: String, file: String, line: usize, probe: Probe) -> String {
        let number = self.steps.iter().filter(|step| step.phase == phase).count() + 1;
        let id = format!("{}.{number}", phase.name());
        let does = match &action {
            Action::Statement { transactional: true } => "statement",
            Action::Statement { transactional: false } => "statement outside a transaction",
            Action::Backfill(_) => "backfill",
            Action::Verify(_) => "verify",
        };
        let digest = hex([id.as_str(), "\0", does, "\0", &sql]);
        self.steps.push(Step { id: id.clone(), phase, action, sql, file, line, probe, recheck: None, digest });
        id
    }
}
