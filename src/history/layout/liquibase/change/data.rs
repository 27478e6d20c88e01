//! Rows.

use super::{Statements, Written, column};
use crate::history::layout::liquibase::element::Element;
use crate::sql::Dialect;

pub(super) fn insert(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for column in change.all("column") {
        columns.push(column.name("name")?);
        values.push(value(&column));
    }
    if columns.is_empty() {
        return Err("`insert` says no `column`".into());
    }
    Ok(vec![Written::of(format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", ")))])
}

pub(super) fn update(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let mut set = Vec::new();
    for column in change.all("column") {
        set.push(format!("{} = {}", column.name("name")?, value(&column)));
    }
    if set.is_empty() {
        return Err("`update` says no `column`".into());
    }
    Ok(vec![Written::of(format!("UPDATE {table} SET {}{}", set.join(", "), filter(change)))])
}

pub(super) fn delete(change: &Element<'_>) -> Statements {
    Ok(vec![Written::of(format!("DELETE FROM {}{}", change.table()?, filter(change)))])
}

/// The rows of a file: only where they go is known.
pub(super) fn load(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let columns: Vec<_> = change.all("column").iter().filter_map(|column| column.name("name").ok()).collect();
    Ok(vec![Written::of(match (columns.is_empty(), change.dialect) {
        (true, Dialect::Mysql) => format!("INSERT INTO {table} VALUES ()"),
        (true, _) => format!("INSERT INTO {table} DEFAULT VALUES"),
        (false, _) => {
            let values = vec!["NULL"; columns.len()];
            format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
        }
    })])
}

fn value(column: &Element<'_>) -> String {
    column::value(column, "value").unwrap_or_else(|| "NULL".into())
}

/// The condition with its parameters: `:name` and `:value`, in turn.
fn filter(change: &Element<'_>) -> String {
    let Some(mut filter) = change.get("where") else { return String::new() };
    let parameters = change.child("whereParams").map(|list| list.all("param")).unwrap_or_default();
    for parameter in parameters {
        if let Ok(name) = parameter.name("name") {
            filter = filter.replacen(":name", &name, 1);
        }
        let value = value(&parameter);
        let mark = if filter.contains(":value") { ":value" } else { "?" };
        filter = filter.replacen(mark, &value, 1);
    }
    format!(" WHERE {filter}")
}
