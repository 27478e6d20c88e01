//! What the database refuses by now that an old version may write.

use crate::database::{self, DatabaseError, Held, Session};
use crate::plan::enforced::{Enforced, enforced};
use crate::plan::{Expectation, Plan};
use crate::run::{Ledger, State, StepRecord};

/// The first demand of expand and backfill that stands at this moment and that the old version may not meet: whether it
/// surely does not, and a sentence. `None`: there is none.
pub(super) async fn refused<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &Plan,
) -> Result<Option<(Option<bool>, String)>, DatabaseError> {
    let records = ledger.steps(session, &plan.name).await?;
    let remembered = ledger.definitions(session, &plan.name).await?;
    let mut unsure = None;
    for (step, enforced) in enforced(plan) {
        let begun = |record: &StepRecord| record.id == step.id && record.state != State::Pending;
        if !records.iter().any(begun) {
            continue;
        }
        let place = format!("{}:{}", step.file, step.line);
        match enforced {
            Enforced::NotNull { table, column } => {
                let was = remembered.iter().any(|(object, fact)| {
                    *object == table.to_string()
                        && fact.name == column
                        && (fact.kind == "NOT NULL of column" || fact.definition.contains("NOT NULL"))
                });
                let refuses = Expectation::Nullable { table: table.clone(), column: column.clone(), nullable: false };
                if !was && database::holds(session, &refuses).await? == Held::Yes {
                    let because = format!("since {place} {table}.{column} refuses a row without a value in it");
                    return Ok(Some((Some(false), because)));
                }
            }
            Enforced::Constraint { table, name } => {
                let what = name.as_deref().unwrap_or("a constraint");
                unsure = Some(format!("whether every row that it writes into {table} meets {what} of {place}"));
            }
            Enforced::NoDefault { table, column } => {
                unsure = Some(format!("whether it leaves {table}.{column} to the default that {place} has dropped"));
            }
            Enforced::Rows { table } => {
                unsure = Some(format!("whether the row level security of {place} lets it at its rows of {table}"));
            }
        }
    }
    Ok(unsure.map(|what| (None, format!("{what} is not known"))))
}
