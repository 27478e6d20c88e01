//! The tables that a plan is about.

use std::collections::BTreeSet;

use super::{Action, Plan};
use crate::sql::{self, Change, Name};

/// Every table that a step names as its own, in lower case: one too many rather than one too few.
pub fn tables(plan: &Plan) -> BTreeSet<String> {
    let lower = |table: &Name| table.to_string().to_lowercase();
    let mut tables = BTreeSet::new();
    for step in &plan.steps {
        match &step.action {
            Action::Backfill(backfill) => {
                tables.insert(lower(&backfill.rows.table));
            }
            Action::Statement { .. } => {}
            // What it reads, another step writes.
            Action::Verify(_) => continue,
        }
        let statements = sql::read(&step.sql, plan.dialect).into_iter();
        let clauses = statements.filter_map(|statement| statement.parsed.ok()).flatten();
        tables.extend(clauses.filter_map(|clause| Change::table(&clause.change).map(lower)));
    }
    tables
}
