use super::{Hit, Look};
use crate::schema::catalog::mentions;
use crate::schema::{Catalog, Transaction};
use crate::sql::{Change, Conjunct, Dialect, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (table, filter, what) = match change {
        Change::Update { table, filter, limited: false, .. } => (table, filter, "UPDATE"),
        Change::Delete { table, filter, limited: false } => (table, filter, "DELETE"),
        _ => return None,
    };
    let commits = match before.session().transaction() {
        Transaction::None => true,
        // That of the loop itself; a body of PostgreSQL can begin none.
        Transaction::Explicit => before.dialect() == Dialect::Mysql,
        Transaction::Runner => false,
    };
    if look.batched && commits && filter.iter().any(|conjunct| narrows(conjunct, table, before)) {
        return None;
    }
    if before.is_new(table) || filter.iter().any(|conjunct| names_rows(conjunct, table, before)) {
        return None;
    }
    let waits = match before.dialect() {
        Dialect::Sqlite => "every other write to the database waits until it commits",
        Dialect::Postgres | Dialect::Mysql => "writes of the running version to the same rows wait until it commits",
    };
    let help = match change {
        Change::Update { .. } => {
            "make it the backfill.sql of a phased change: `lockkeeper run` batches it by key, one short transaction each"
        }
        _ => "delete in batches by key, one short transaction each",
    };
    Some(Hit::new(format!("one {what} goes through all of `{table}` in one transaction: {waits}"), help))
}

/// `id > last AND id <= last + 5000`, `id IN (SELECT ... LIMIT 5000)`, `id = row.id`: each turn of a loop means others.
fn narrows(conjunct: &Conjunct, table: &Name, before: &Catalog) -> bool {
    let text = conjunct.text.to_ascii_lowercase();
    let is_range = text.contains('<') && !text.contains("<>");
    is_range
        || mentions(&text, "between")
        || mentions(&text, "limit")
        || text.split_once('=').is_some_and(|(column, _)| {
            let column = column.trim();
            before.is_unique(table, column.rsplit_once('.').map_or(column, |(_, column)| column))
        })
}

/// `id = 1`, `id IN (1, 2)`, `id BETWEEN 1 AND 100`: the statement says itself which few rows it means.
fn names_rows(conjunct: &Conjunct, table: &Name, before: &Catalog) -> bool {
    let text = conjunct.text.to_ascii_lowercase();
    let quotes = ['"', '`', '[', ']'];
    let Some((column, operator)) = text.split_once(|c: char| c.is_whitespace() || c == '=') else { return false };
    let column = &conjunct.text[..column.len()];
    let column = column.rsplit('.').next().unwrap_or(column).trim_matches(quotes);
    let operator = text[text.len() - operator.len() - 1..].trim_start();
    let is_literal =
        |value: &str| value.trim_start().starts_with(|c: char| c.is_ascii_digit() || "'\"$:?-".contains(c));
    before.is_unique(table, column)
        && (operator.strip_prefix('=').is_some_and(is_literal)
            || operator.strip_prefix("between").is_some_and(is_literal)
            || operator.strip_prefix("in").and_then(|list| list.trim_start().strip_prefix('(')).is_some_and(is_literal))
}
