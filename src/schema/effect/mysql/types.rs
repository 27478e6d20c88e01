//! What MODIFY and CHANGE cost when they say a column's type anew: most often it is the old one.

use super::{Facts, Server, copy, in_place, instant, maybe_copy};
use crate::schema::Catalog;
use crate::schema::effect::{Effect, Type};
use crate::sql::{Change, Column, Generated};

pub(super) fn change(server: Server, change: &Change, before: &Catalog) -> Option<Effect> {
    let Change::ChangeType { table, column, to, collation, attributes, positioned, .. } = change else { return None };
    let facts = Facts::of(table, before);
    let Some(old) = before.column(table, column) else {
        return Some(maybe_copy(table, "the old type is not told"));
    };
    if old.generated == Some(Generated::Stored) || says(attributes, "COMPRESSED") != says(&old.attributes, "COMPRESSED")
    {
        return Some(copy(table));
    }
    let new = Column {
        data_type: to.clone(),
        collation: collation.clone(),
        attributes: attributes.clone(),
        ..Column::default()
    };
    let indexed = facts.table.is_some_and(|known| {
        known.indexes.values().any(|index| index.columns.iter().any(|name| before.same(name, column)))
    });
    let mut effect = match widened(server, old, &new, &facts, indexed) {
        Some(Way::Same) => instant(table),
        Some(Way::Longer) if facts.other_engine => copy(table),
        Some(Way::Longer) if server.is_mysql() => in_place(table),
        Some(Way::Longer) => instant(table),
        Some(Way::Other) => return Some(copy(table)),
        None => return Some(maybe_copy(table, "the character set of the column is not told, and decides")),
    };
    if is_text(to)
        && old.collation.as_deref().map(str::to_ascii_lowercase) != collation.as_deref().map(str::to_ascii_lowercase)
    {
        effect = match server {
            Server::Mariadb if indexed => in_place(table).scanning(true),
            Server::Mariadb => effect,
            // The one that is not said may be the same.
            _ if old.collation.is_none() || collation.is_none() => {
                return Some(maybe_copy(table, "the collation of the table is not told, and decides"));
            }
            _ => copy(table),
        };
    }
    if *positioned && (server.is_mysql() || facts.compressed || facts.fulltext) {
        return Some(facts.rebuilt(table));
    }
    Some(effect)
}

/// It has a character set.
pub(super) fn is_text(data_type: &str) -> bool {
    let name = Type::read(data_type).name;
    ["char", "text", "enum", "set"].iter().any(|part| name.contains(part))
}

fn says(attributes: &[String], word: &str) -> bool {
    attributes.iter().any(|attribute| attribute.eq_ignore_ascii_case(word))
}

/// How a new type compares with the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Same,
    /// It takes what the old one took, and more.
    Longer,
    Other,
}

/// `None` where the character set decides and is not told.
fn widened(server: Server, old: &Column, new: &Column, facts: &Facts<'_>, indexed: bool) -> Option<Way> {
    if let (Some(from), Some(to)) = (labels(&old.data_type), labels(&new.data_type)) {
        let adds = adds_labels(&old.data_type, &from, &new.data_type, &to);
        return Some(if adds { Way::Same } else { Way::Other });
    }
    let (from, to) = (plain(&old.data_type), plain(&new.data_type));
    let is_text = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"].contains(&to.name.as_str());
    let sets = match is_text {
        true => (character_set(old, facts), character_set(new, facts)),
        false => (None, None),
    };
    let grows =
        sets.0.as_deref() == Some("utf8mb3") && sets.1.as_deref() == Some("utf8mb4") && !(server.is_mysql() && indexed);
    match &sets {
        (Some(old), Some(new)) if old != new && !grows => return Some(Way::Other),
        // One is the table's, which nobody told.
        (None, Some(_)) | (Some(_), None) => return None,
        _ => {}
    }
    if from == to && !grows {
        return Some(Way::Same);
    }
    let lengths = match (from.arguments.as_slice(), to.arguments.as_slice()) {
        ([from], [to]) if from <= to => (*from, *to),
        _ if grows && from == to => return Some(Way::Longer),
        _ => return Some(Way::Other),
    };
    let is = |name: &str| from.name == name && to.name == name;
    let free = |widths: (u64, u64)| {
        let (from, to) = (lengths.0 * widths.0, lengths.1 * widths.1);
        let one_side = to < 256 || from >= 256;
        one_side || !server.is_mysql() && (from <= 127 || facts.redundant)
    };
    if is("varbinary") {
        return Some(if free((1, 1)) { Way::Longer } else { Way::Other });
    }
    if !is("varchar") {
        return Some(Way::Other);
    }
    let candidates: &[(u64, u64)] = match (sets.0.as_deref().and_then(width), sets.1.as_deref().and_then(width)) {
        (Some(old), Some(new)) => &[(old, new)],
        _ => &[(1, 1), (3, 3), (4, 4)],
    };
    let free: Vec<bool> = candidates.iter().map(|widths| free(*widths)).collect();
    match (free.contains(&true), free.contains(&false)) {
        (true, false) => Some(Way::Longer),
        (false, _) => Some(Way::Other),
        (true, true) => None,
    }
}

/// A type without what does not change how it is kept: the display width of a number.
fn plain(written: &str) -> Type {
    let mut read = Type::read(written);
    if read.name == "bool" {
        read.name = "tinyint".into();
    }
    if ["tinyint", "smallint", "mediumint", "int", "bigint"].iter().any(|name| read.name.starts_with(name)) {
        read.arguments.clear();
    }
    read
}

/// As the column says it, or its table.
fn character_set(column: &Column, facts: &Facts<'_>) -> Option<String> {
    let option = |name: &str| facts.table.and_then(|table| table.options.get(name)).cloned();
    let of_collation = |collation: String| collation.split('_').next().map(str::to_string);
    let own = column.attributes.iter().find_map(|attribute| {
        let lower = attribute.to_ascii_lowercase();
        let value = ["character set", "charset", "char set"].iter().find_map(|words| lower.strip_prefix(words))?;
        Some(value.trim_matches(['=', ' ']).to_string())
    });
    let set = own
        .or_else(|| of_collation(column.collation.as_ref()?.to_ascii_lowercase()))
        .or_else(|| option("CHARACTER SET"))
        .or_else(|| option("DEFAULT CHARACTER SET"))
        .or_else(|| of_collation(option("COLLATE").or_else(|| option("DEFAULT COLLATE"))?))?;
    Some(if set == "utf8" { "utf8mb3".into() } else { set })
}

/// How many bytes a character takes at most.
fn width(set: &str) -> Option<u64> {
    match set {
        "utf8mb4" | "utf16" | "utf32" => Some(4),
        "utf8mb3" => Some(3),
        "latin1" | "ascii" | "binary" | "latin2" | "cp1251" | "koi8r" => Some(1),
        _ => None,
    }
}

/// The labels of an ENUM or a SET, as written.
fn labels(written: &str) -> Option<Vec<String>> {
    let list = written.strip_prefix("enum(").or_else(|| written.strip_prefix("set("))?.rsplit_once(')')?.0;
    let mut labels = vec![String::new()];
    let mut quoted = false;
    for c in list.chars() {
        quoted ^= c == '\'';
        match labels.last_mut() {
            Some(_) if c == ',' && !quoted => labels.push(String::new()),
            Some(label) => label.push(c),
            None => {}
        }
    }
    Some(labels.iter().map(|label| label.trim().to_string()).collect())
}

/// Labels are added at the end, and their numbers still take as many bytes.
fn adds_labels(old: &str, from: &[String], new: &str, to: &[String]) -> bool {
    let is_enum = |written: &str| written.starts_with("enum");
    let bytes = |labels: &[String]| match is_enum(new) {
        true => usize::from(labels.len() > 255),
        false => labels.len().div_ceil(8),
    };
    let rest = |written: &str| written.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_string());
    is_enum(old) == is_enum(new) && to.starts_with(from) && bytes(from) == bytes(to) && rest(old) == rest(new)
}
