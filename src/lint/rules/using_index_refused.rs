use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, whole, .. } = *look;
    let Change::AddConstraint { table, constraint } = change else { return None };
    let name = constraint.using_index.as_ref()?;
    let known = before.table(table);
    let made = || {
        whole.of(table, 0..look.own.start).find_map(|earlier| match earlier {
            Change::CreateIndex { index, .. } if index.name.as_ref() == Some(name) => Some(index),
            _ => None,
        })
    };
    let index = known.and_then(|known| known.indexes.get(name)).map(|index| &index.part).or_else(made)?;
    let is_expression = |column: &String| column.contains('(');
    let why = match index {
        _ if !index.unique => "is not unique",
        _ if index.predicate.is_some() => "has a condition",
        _ if index.columns.iter().any(is_expression) => "has an expression",
        _ => return None,
    };
    Some(Hit::new(
        format!("`{name}` {why}: the server refuses to make a constraint of it, and the migration fails"),
        "keep the index as it is, which is enough for ON CONFLICT with the same columns and condition; or build a unique one on \
         plain columns",
    ))
}
