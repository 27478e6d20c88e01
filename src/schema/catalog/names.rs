//! The names that a server gives to constraints and indexes whose statement gives none.

use super::table::{Table, mentions};
use crate::sql::{ConstraintKind, Dialect, Index};

/// The name of a constraint on `table`, `None` where it gets none; `is_taken` knows the relations of the table's schema.
pub(super) fn constraint(
    dialect: Dialect,
    table: &Table,
    kind: &ConstraintKind,
    is_taken: impl Fn(&str) -> bool,
) -> Option<String> {
    let of = table.name.name.as_str();
    let is_taken = |name: &str| table.constraints.contains_key(name) || is_taken(name);
    Some(match (dialect, kind) {
        (Dialect::Postgres, kind) => {
            let (columns, label) = match kind {
                ConstraintKind::Check { expression } => (columns_of(table, expression), "check"),
                ConstraintKind::ForeignKey { columns, .. } => (columns.join("_"), "fkey"),
                ConstraintKind::Unique { columns } => (columns.join("_"), "key"),
                ConstraintKind::PrimaryKey { .. } => (String::new(), "pkey"),
                ConstraintKind::NotNull { column } => (column.clone(), "not_null"),
                // After its expressions, which are not told.
                ConstraintKind::Exclude => return None,
            };
            postgres(of, &columns, label, is_taken)
        }
        (Dialect::Mysql, ConstraintKind::PrimaryKey { .. }) => "primary".into(),
        (Dialect::Mysql, ConstraintKind::ForeignKey { .. }) => numbered(&format!("{of}_ibfk_"), is_taken),
        (Dialect::Mysql, _) => numbered("CONSTRAINT_", is_taken),
        (Dialect::Sqlite, _) => return None,
    })
}

/// The name of an index on `table`.
pub(super) fn index(dialect: Dialect, table: &Table, index: &Index, is_taken: impl Fn(&str) -> bool) -> String {
    match dialect {
        Dialect::Postgres => {
            let of_column = |column: &String| match table.columns.contains_key(column) {
                true => column.clone(),
                false => of_expression(column),
            };
            let columns: Vec<String> = index.columns.iter().map(of_column).collect();
            postgres(&table.name.name, &columns.join("_"), "idx", is_taken)
        }
        Dialect::Mysql | Dialect::Sqlite => {
            let first = index.columns.first().map_or("functional_index", String::as_str);
            let fits = |name: &str| !table.indexes.contains_key(&name.to_ascii_lowercase());
            let name = |number| if number == 0 { first.to_string() } else { format!("{first}_{}", number + 1) };
            first_free(name, |name| !fits(name))
        }
    }
}

/// A function's name, else `expr`.
fn of_expression(expression: &str) -> String {
    let name = expression.split('(').next().unwrap_or_default().trim();
    match !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') && name.len() < expression.len() {
        true => name.to_ascii_lowercase(),
        false => "expr".into(),
    }
}

/// A CHECK is named after its column if it names only one.
fn columns_of(table: &Table, expression: &str) -> String {
    let mut named = table.columns.values().map(|column| &column.name).filter(|name| mentions(expression, name));
    match (named.next(), named.next()) {
        (Some(only), None) => only.clone(),
        _ => String::new(),
    }
}

/// `table_columns_label`, shortened to PostgreSQL's 63 bytes and counted on until nobody has it.
fn postgres(table: &str, columns: &str, label: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let label = |number| if number == 0 { label.to_string() } else { format!("{label}{number}") };
    first_free(|number| shortened(table, columns, &label(number)), is_taken)
}

fn shortened(table: &str, columns: &str, label: &str) -> String {
    const LIMIT: usize = 63;
    // The server gathers columns only up to its limit before it shortens.
    let columns = &columns[..columns.floor_char_boundary(LIMIT)];
    let room = LIMIT - label.len() - 1 - usize::from(!columns.is_empty());
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    let parts = [&table[..table.floor_char_boundary(first)], &columns[..columns.floor_char_boundary(second)], label];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

fn numbered(stem: &str, is_taken: impl Fn(&str) -> bool) -> String {
    first_free(|number| format!("{stem}{}", number + 1), |name| is_taken(&name.to_ascii_lowercase()))
}

/// The name of the first number, from 0, that nobody has. Beyond the first hundred the names are taken to have no gap,
/// so that thousands of them cost no square of their number.
fn first_free(name: impl Fn(usize) -> String, is_taken: impl Fn(&str) -> bool) -> String {
    const ONE_BY_ONE: usize = 100;
    if let Some(free) = (0..ONE_BY_ONE).map(&name).find(|name| !is_taken(name)) {
        return free;
    }
    let (mut taken, mut free) = (ONE_BY_ONE - 1, ONE_BY_ONE);
    while is_taken(&name(free)) {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_taken(&name(middle)) { taken = middle } else { free = middle }
    }
    name(free)
}
