use super::{Hit, Look};
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let names = names(look.change);
    if look.before.dialect() == Dialect::Mysql {
        let name = names.into_iter().find(|name| name.chars().count() > 64)?;
        return Some(Hit::new(
            format!("`{name}` has more than 64 characters: the server refuses it"),
            "a shorter name",
        ));
    }
    let kept = names.into_iter().find(|name| name.len() > 60 && goes_on(look.text, name))?;
    Some(Hit::new(
        format!("a name has more than 63 bytes: of it the server keeps `{kept}`"),
        format!("a shorter name, or `{kept}` wherever it is used"),
    ))
}

/// PostgreSQL's names are read as the server keeps them: the text has the whole.
fn goes_on(text: &str, name: &str) -> bool {
    let text = text.to_lowercase();
    let rest = text.split_once(&name.to_lowercase()).map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'))
}

/// The names that a change gives.
fn names(change: &Change) -> Vec<&str> {
    match change {
        Change::CreateTable { table, columns, constraints, indexes, .. } => {
            let columns = columns.iter().map(|it| it.name.as_str());
            let constraints = constraints.iter().filter_map(|it| it.name.as_deref());
            let indexes = indexes.iter().filter_map(|it| it.name.as_deref());
            std::iter::once(table.name.as_str()).chain(columns).chain(constraints).chain(indexes).collect()
        }
        Change::AddColumn { column, .. } => vec![&column.name],
        Change::AddConstraint { constraint, .. } => constraint.name.as_deref().into_iter().collect(),
        Change::CreateIndex { index, .. } => index.name.as_deref().into_iter().collect(),
        Change::RenameColumn { to, .. } | Change::RenameObject { to, .. } => vec![to],
        Change::RenameTable { to: name, .. }
        | Change::CreateView { view: name, .. }
        | Change::CreateFunction { name, .. }
        | Change::CreateType { name, .. }
        | Change::CreateDomain { domain: name, .. }
        | Change::CreateSequence { sequence: name, .. } => vec![&name.name],
        Change::CreateTrigger { name, .. } | Change::CreatePolicy { name, .. } => vec![name],
        _ => Vec::new(),
    }
}
