use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind, Index};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::CreateIndex { table, index, .. } = change else { return None };
    let known = before.table(table)?;
    if index.unique || !index.plain || index.predicate.is_some() {
        return None;
    }
    let leads = |columns: &[String]| {
        columns.len() >= index.columns.len() && columns.iter().zip(&index.columns).all(|(a, b)| before.same(a, b))
    };
    let serves = |other: &Index| {
        other.plain && other.predicate.is_none() && other.method == index.method && leads(&other.columns)
    };
    let key = known.constraints.iter().find(|(_, constraint)| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => leads(columns),
        _ => false,
    });
    // MySQL drops the one that it has made for a foreign key by itself.
    let is_own = |name: &str| index.name.as_deref() == Some(name) || known.generated_indexes.contains(name);
    let mut indexes = known.indexes.iter();
    let other = indexes.find(|(name, other)| !is_own(name) && serves(other)).map(|(name, _)| name);
    let other = other.or(key.map(|(name, _)| name).filter(|_| index.method.is_none()))?;
    let goes = look.whole.all()[look.own.end..].iter().any(|later| match later {
        Change::DropIndex { name, .. } => before.same(&name.name, other),
        Change::DropConstraint { name, .. } => before.same(name, other),
        _ => false,
    });
    if goes {
        return None;
    }
    let name = index.name.as_deref().unwrap_or("the index");
    // What has no name has a number.
    let other = if other.starts_with('#') { "its key".to_string() } else { format!("`{other}`") };
    Some(Hit::new(
        format!("`{name}` serves no query of `{table}` that {other} does not serve, and costs every write"),
        "leave it out",
    ))
}
