//! What expand and backfill let the database refuse, that an old version may write.

use super::{Action, Phase, Plan, Step};
use crate::schema::catalog::mentions;
use crate::sql::{self, Change, Constraint, ConstraintKind, Name};

/// A demand that stood on no row before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforced {
    /// The column refuses NULL, and nothing fills it for whoever does not know it.
    NotNull { table: Name, column: String },
    /// A constraint or unique index over columns that the old version writes.
    Constraint { table: Name, name: Option<String> },
    /// The column has no default any more.
    NoDefault { table: Name, column: String },
    /// Row level security.
    Rows { table: Name },
}

/// What the statements of expand and backfill enforce on tables that were there before, each with its statement.
pub fn enforced(plan: &Plan) -> Vec<(&Step, Enforced)> {
    let before = plan.steps.iter().filter(|step| step.phase != Phase::Contract);
    let statements: Vec<(&Step, Vec<Change>)> = before
        .filter(|step| matches!(step.action, Action::Statement { .. }))
        .map(|step| {
            let read = sql::read(&step.sql, plan.dialect).into_iter().filter_map(|statement| statement.parsed.ok());
            (step, read.flatten().map(|clause| clause.change).collect())
        })
        .collect();
    let all = || statements.iter().flat_map(|(_, changes)| changes);
    let made =
        |table: &Name| all().any(|change| matches!(change, Change::CreateTable { table: made, .. } if made == table));
    let added = |table: &Name, column: &str| {
        all().any(|change| {
            matches!(change, Change::AddColumn { table: of, column: added, .. } if of == table && added.name == *column)
        })
    };
    // A trigger of the change writes what the old version leaves out, or a default does.
    let filled = |table: &Name, column: &str| {
        all().any(|change| match change {
            Change::CreateTrigger { table: of, .. } => of == table,
            Change::AddColumn { table: of, column: added, .. } if of == table && added.name == column => {
                added.default.is_some() || added.identity || added.generated.is_some()
            }
            Change::SetDefault { table: of, column: set, .. } => of == table && set == column && added(table, column),
            _ => false,
        })
    };
    let not_null = |table: &Name, column: &str| {
        (!filled(table, column)).then(|| Enforced::NotNull { table: table.clone(), column: column.to_string() })
    };
    let over_new = |table: &Name, columns: &[String]| columns.iter().any(|column| added(table, column));
    let constraint = |table: &Name, Constraint { name, kind, .. }: &Constraint| {
        let about_new = match kind {
            ConstraintKind::NotNull { column } => return not_null(table, column),
            ConstraintKind::Unique { columns }
            | ConstraintKind::PrimaryKey { columns }
            | ConstraintKind::ForeignKey { columns, .. } => over_new(table, columns),
            ConstraintKind::Check { expression } => all().any(|change| {
                matches!(change, Change::AddColumn { table: of, column, .. }
                    if of == table && mentions(expression, &column.name))
            }),
            ConstraintKind::Exclude => false,
        };
        (!about_new).then(|| Enforced::Constraint { table: table.clone(), name: name.clone() })
    };
    let mut enforced = Vec::new();
    for (step, changes) in &statements {
        for change in changes.iter().filter(|change| !change.table().is_some_and(made)) {
            let found = match change {
                Change::AddColumn { table, column, .. } if column.not_null => not_null(table, &column.name),
                Change::SetNotNull { table, column } => not_null(table, column),
                Change::DropDefault { table, column } if !added(table, column) => {
                    Some(Enforced::NoDefault { table: table.clone(), column: column.clone() })
                }
                Change::AddConstraint { table, constraint: added } => constraint(table, added),
                Change::CreateIndex { table, index, .. } if index.unique && !over_new(table, &index.columns) => {
                    Some(Enforced::Constraint { table: table.clone(), name: index.name.clone() })
                }
                Change::AlterTable { table, action, .. }
                    if action.to_ascii_uppercase().contains("ROW LEVEL SECURITY") =>
                {
                    Some(Enforced::Rows { table: table.clone() })
                }
                _ => None,
            };
            enforced.extend(found.map(|found| (*step, found)));
        }
    }
    enforced
}

/// The columns that expand adds.
pub fn adds(plan: &Plan, table: &Name, column: &str) -> bool {
    plan.steps_of(Phase::Expand).any(|step| {
        let read = sql::read(&step.sql, plan.dialect).into_iter().filter_map(|statement| statement.parsed.ok());
        read.flatten().any(|clause| {
            matches!(&clause.change, Change::AddColumn { table: of, column: added, .. }
                if of == table && added.name == column)
        })
    })
}
