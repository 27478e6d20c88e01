//! What an undo has to know of a plan: what expand and backfill may change, what revert.sql drops, and what contract has
//! done away with for good.

use super::{Action, Phase, Plan, Step};
use crate::schema::catalog::mentions;
use crate::sql::{self, Change, Dialect, Name};

/// The names of all that the statements of expand and backfill may change, each once: tables, and whatever else has a
/// name of its own.
pub fn objects(plan: &Plan) -> Vec<Name> {
    let mut objects: Vec<Name> = statements(plan)
        .flat_map(|step| changes(plan.dialect, step))
        .flat_map(|change| change.objects().into_iter().cloned().collect::<Vec<_>>())
        .collect();
    objects.sort();
    objects.dedup();
    objects
}

/// The statement that has most likely made, changed or dropped the part `name` of an object, if one has: somebody else
/// may alter the same table meanwhile.
pub fn culprit<'a>(plan: &'a Plan, object: &Name, kind: &str, name: &str) -> Option<&'a Step> {
    let mut about: Vec<(&Step, Vec<Change>)> = Vec::new();
    for step in statements(plan) {
        let of_object = changes(plan.dialect, step).into_iter().filter(|change| change.objects().contains(&object));
        let of_object: Vec<Change> = of_object.collect();
        if !of_object.is_empty() {
            about.push((step, of_object));
        }
    }
    let unnamed = |change: &Change| match change {
        Change::CreateTable { .. } => true,
        Change::AddConstraint { constraint, .. } => constraint.name.is_none(),
        Change::CreateIndex { index, .. } => index.name.is_none(),
        Change::AddColumn { column, .. } => column.unique || column.check || column.references.is_some(),
        _ => false,
    };
    let of_whole = |change: &Change| {
        matches!(change, Change::AlterTable { .. } | Change::Grant { .. })
            || matches!(change, Change::AttachPartition { .. } | Change::DetachPartition { .. })
    };
    // Somebody else's table may be named in many a statement of the change.
    if kind == "table" {
        let creates = |change: &Change| matches!(change, Change::CreateTable { .. });
        return about.iter().find(|(_, changes)| changes.iter().any(creates)).map(|(step, _)| *step);
    }
    let named = about.iter().find(|(step, _)| !name.is_empty() && mentions(&step.sql, name));
    let found = named.or_else(|| {
        about.iter().find(|(_, changes)| match kind {
            "constraint" | "index" => changes.iter().any(unnamed),
            kind if kind.starts_with("column") || kind.ends_with("of column") || kind == "trigger" => false,
            _ => changes.iter().any(of_whole),
        })
    });
    found.map(|(step, _)| *step)
}

fn statements(plan: &Plan) -> impl Iterator<Item = &Step> {
    let before = plan.steps.iter().filter(|step| step.phase != Phase::Contract);
    before.filter(|step| matches!(step.action, Action::Statement { .. }))
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
