//! What an undo has to know of a plan: what expand and backfill make, what revert.sql drops, and what contract has
//! done away with for good.

use super::probe;
use super::{Action, Expectation, Phase, Plan, Probe, Step};
use crate::sql::{self, Change, Dialect, Name};

/// What expand and backfill make that the schema can be asked for, in the order in which it is made.
pub fn made(plan: &Plan) -> Vec<(&Step, Expectation)> {
    let steps = plan.steps.iter().filter(|step| step.phase != Phase::Contract);
    let mut made = Vec::new();
    for step in steps.filter(|step| matches!(step.action, Action::Statement { .. })) {
        let expected = match &step.probe {
            Probe::Schema(expected) => expected.iter().filter(|one| one.exists() == Some(true)).cloned().collect(),
            _ => probe::made(&changes(plan.dialect, step)),
        };
        made.extend(expected.into_iter().map(|expectation| (step, expectation)));
    }
    made
}

/// A revert.sql that would drop all of it, the last first.
pub fn written(plan: &Plan) -> String {
    let mut sql = String::new();
    for (_, expectation) in made(plan).iter().rev() {
        if let Some(statement) = dropping(plan.dialect, expectation) {
            sql += &format!("{statement};\n");
        }
    }
    sql
}

fn dropping(dialect: Dialect, expectation: &Expectation) -> Option<String> {
    let name = |name: &Name| dialect.quote_name(name);
    let quote = |word: &str| dialect.quote(word);
    let on = |table: &Option<Name>| table.as_ref().map(|table| format!(" ON {}", name(table))).unwrap_or_default();
    Some(match (expectation, dialect) {
        (Expectation::Table { table, .. }, _) => format!("DROP TABLE {}", name(table)),
        (Expectation::View { view, .. }, _) => format!("DROP VIEW {}", name(view)),
        (Expectation::Function { function, .. }, _) => format!("DROP FUNCTION {}", name(function)),
        (Expectation::Column { table, column, .. }, _) => {
            format!("ALTER TABLE {} DROP COLUMN {}", name(table), quote(column))
        }
        (Expectation::Constraint { table, constraint, .. }, _) => {
            format!("ALTER TABLE {} DROP CONSTRAINT {}", name(table), quote(constraint))
        }
        (Expectation::Trigger { table, trigger, .. }, Dialect::Postgres) => {
            format!("DROP TRIGGER {}{}", quote(trigger), on(table))
        }
        (Expectation::Trigger { trigger, .. }, _) => format!("DROP TRIGGER {}", quote(trigger)),
        (Expectation::Index { index, .. }, Dialect::Postgres) => format!("DROP INDEX CONCURRENTLY {}", name(index)),
        (Expectation::Index { table, index, .. }, Dialect::Mysql) => {
            format!("DROP INDEX {}{}", quote(&index.name), on(table))
        }
        (Expectation::Index { index, .. }, Dialect::Sqlite) => format!("DROP INDEX {}", name(index)),
        (Expectation::Nullable { .. } | Expectation::Partition { .. }, _) => return None,
    })
}

/// A column or a table whose values go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    Column { table: Name, column: String },
    Table(Name),
}

/// The columns and tables that revert.sql drops.
pub fn dropped_values(plan: &Plan) -> Vec<Values> {
    let changes = plan.revert.iter().flat_map(|step| changes(plan.dialect, step));
    changes.filter_map(|change| values_of(&change)).collect()
}

fn values_of(change: &Change) -> Option<Values> {
    match change {
        Change::DropColumn { table, column, .. } => {
            Some(Values::Column { table: table.clone(), column: column.clone() })
        }
        Change::DropTable { table, .. } => Some(Values::Table(table.clone())),
        _ => None,
    }
}

/// What a statement of contract does away with, in words.
pub fn destroyed(dialect: Dialect, step: &Step) -> Vec<String> {
    changes(dialect, step).iter().filter_map(gone).collect()
}

fn gone(change: &Change) -> Option<String> {
    Some(match change {
        Change::DropColumn { table, column, .. } => format!("the column {table}.{column} with its values"),
        Change::DropTable { table, .. } => format!("the table {table} with its rows"),
        Change::Delete { table, .. } | Change::Truncate { table, .. } => format!("rows of {table}"),
        Change::RenameColumn { table, column, .. } => format!("the name {table}.{column}"),
        Change::RenameTable { table, .. } => format!("the name {table}"),
        Change::ChangeType { table, column, .. } => format!("the former type of {table}.{column}"),
        Change::DropTrigger { name, .. } => format!("the trigger {name}"),
        Change::DropFunction { name, .. } => format!("the function {name}"),
        Change::DropView { view, .. } => format!("the view {view}"),
        Change::DropIndex { name, .. } => format!("the index {name}"),
        Change::DropObject { name, .. } => name.to_string(),
        _ => return None,
    })
}

/// A statement as what it changes; a group's statements one after the other.
fn changes(dialect: Dialect, step: &Step) -> Vec<Change> {
    let statements = sql::read(&step.sql, dialect).into_iter();
    statements.filter_map(|statement| statement.parsed.ok()).flatten().map(|clause| clause.change).collect()
}
