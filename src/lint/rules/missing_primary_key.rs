use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Change::CreateTable { table, columns, constraints, columns_from, temporary: false, .. } = look.change else {
        return None;
    };
    let is_key = |kind: &ConstraintKind| matches!(kind, ConstraintKind::PrimaryKey { .. });
    let has_key = columns.iter().any(|column| column.primary_key)
        || constraints.iter().any(|constraint| is_key(&constraint.kind))
        || look
            .throughout(table)
            .any(|other| matches!(other, Change::AddConstraint { constraint, .. } if is_key(&constraint.kind)));
    if has_key || columns.is_empty() || !columns_from.is_empty() {
        return None;
    }
    Some(Hit::new(format!("`{table}` has no primary key: no row of it can be named"), "give it one"))
}
