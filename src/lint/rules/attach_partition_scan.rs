use super::{Hit, Look};
use crate::schema::Table;
use crate::schema::catalog::mentions;
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, text, .. } = *look;
    let Change::AttachPartition { table, partition } = change else { return None };
    let bounds = text.to_ascii_uppercase().find("FOR VALUES").map(|at| &text[at..]);
    let is_proved = before.table(partition).zip(bounds).is_some_and(|(known, bounds)| is_proved(known, bounds));
    if before.is_new(partition) || is_proved {
        return None;
    }
    let quoted = before.dialect().quote_name(partition);
    let name = before.dialect().quote(&format!("{}_bounds", partition.name));
    Some(Hit::new(
        format!(
            "every row of `{partition}` is read before it becomes part of `{table}`, while nobody can read or write it"
        ),
        format!(
            "in front of it, in two transactions: `ALTER TABLE {quoted} ADD CONSTRAINT {name} CHECK (...) NOT VALID`, where the \
             dots say IS NOT NULL and the same bounds, and VALIDATE CONSTRAINT; afterwards the check can be dropped"
        ),
    ))
}

/// A validated CHECK has all values of the bounds, and its columns cannot be NULL.
fn is_proved(partition: &Table, bounds: &str) -> bool {
    let values: Vec<&str> = bounds.split('\'').skip(1).step_by(2).collect();
    let numbers = bounds.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let wanted: Vec<&str> = if values.is_empty() { numbers.collect() } else { values };
    let columns = || partition.columns.values();
    !wanted.is_empty()
        && partition.constraints.values().any(|constraint| match &constraint.kind {
            ConstraintKind::Check { expression } if !constraint.not_valid => {
                let says_not_null = expression.to_ascii_uppercase().contains("IS NOT NULL");
                let mut named = columns().filter(|column| mentions(expression, &column.name));
                wanted.iter().all(|value| expression.contains(value))
                    && (says_not_null || named.all(|column| column.not_null))
            }
            _ => false,
        })
}
