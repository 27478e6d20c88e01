//! Columns that are added and dropped.

use super::{Facts, Server, copy, in_place, in_place_shared, instant, maybe_copy};
use crate::schema::Catalog;
use crate::schema::effect::Effect;
use crate::sql::{Column, Generated, Name};

pub(super) fn add(server: Server, table: &Name, column: &Column, positioned: bool, before: &Catalog) -> Effect {
    let facts = Facts::of(table, before);
    let checked = match server.is_mysql() {
        true => column.check,
        // MySQL reads an inline REFERENCES and does nothing about it; MariaDB looks at no row for an inline CHECK.
        false => column.references.is_some(),
    };
    if facts.other_engine || checked || column.generated == Some(Generated::Stored) {
        copy(table)
    } else if column.identity {
        in_place_shared(table).rewriting(true)
    } else if column.generated == Some(Generated::Virtual) {
        if column.unique { copy(table) } else { instant(table) }
    } else if server.is_mysql() && column.default.as_deref().is_some_and(|default| default.starts_with('(')) {
        // Also one that is the same for all rows.
        copy(table)
    } else if column.default.as_deref().is_some_and(|default| !is_constant(default)) {
        maybe_copy(table, "whether the default is one value for all rows is not known")
    } else if column.unique
        || column.primary_key
        || facts.fulltext
        || facts.compressed
        || positioned && server == Server::OldMysql
    {
        facts.rebuilt(table)
    } else {
        instant(table)
    }
}

/// A literal, or a moment in time.
fn is_constant(default: &str) -> bool {
    let bare = default.trim_matches(['(', ')', ' ']).to_ascii_lowercase();
    let is_number = bare.chars().all(|c| c.is_ascii_digit() || "+-*/. ".contains(c));
    let word: String = bare.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let words = ["true", "false", "null", "current_timestamp", "now", "localtime", "localtimestamp"];
    // `x'00'`, `_utf8mb4'a'`.
    let is_text = bare[word.len()..].starts_with(['\'', '"']) && !word.contains('(');
    is_number || is_text || words.contains(&word.as_str())
}

pub(super) fn drop(server: Server, table: &Name, column: &str, if_exists: bool, before: &Catalog) -> Effect {
    let facts = Facts::of(table, before);
    let Some(known) = facts.table else {
        return if server == Server::OldMysql { facts.rebuilt(table) } else { instant(table) };
    };
    let definition = before.column(table, column);
    if if_exists && known.columns_known && definition.is_none() {
        return instant(table);
    }
    let is_named = |columns: &[String]| columns.iter().any(|name| before.same(name, column));
    let generated = definition.and_then(|definition| definition.generated);
    if facts.other_engine || is_named(known.primary_key()) {
        return copy(table);
    }
    if facts.fulltext && generated != Some(Generated::Virtual) {
        // Virtual columns and the documents' numbers cannot both move.
        return if facts.has_virtual { copy(table) } else { in_place_shared(table).rewriting(true) };
    }
    let indexes = || known.indexes.values().filter(|index| is_named(&index.columns));
    if facts.has_indexed_virtual && server != Server::Mysql && generated != Some(Generated::Virtual) {
        return in_place_shared(table).rewriting(true);
    }
    if indexes().any(|index| index.columns.len() > 1) {
        // What is left of the index is built anew.
        return if facts.has_virtual { copy(table) } else { facts.rebuilt(table) };
    }
    if indexes().next().is_some() && !facts.compressed && server != Server::OldMysql {
        return in_place(table);
    }
    let rebuilds = facts.compressed || server == Server::OldMysql;
    if rebuilds && generated != Some(Generated::Virtual) { facts.rebuilt(table) } else { instant(table) }
}
