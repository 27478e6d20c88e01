use super::{Hit, Look};
use crate::schema::Catalog;
use crate::schema::catalog::DataTypeKind;
use crate::schema::effect::Type;
use crate::sql::{Change, Dialect, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::ChangeType { table, column, to, .. } = change else { return None };
    if before.is_new_column(table, column) {
        return None;
    }
    let was = &before.column(table, column)?.data_type;
    let (old, new) = (Type::read(was), Type::read(to));
    let lost = lost_labels(was, to, before);
    if lost.is_empty() && !is_narrower(&old, &new) {
        return None;
    }
    let what = match lost.as_slice() {
        [] => "what no longer fits".into(),
        labels => format!("`{}`", labels.join("` or `")),
    };
    let count = match (before.dialect(), length(&new)) {
        (Dialect::Postgres | Dialect::Mysql, Some(length)) if length < u64::MAX => format!(
            "; `SELECT count(*) FROM {} WHERE char_length({}) > {length}` counts what does not fit",
            before.dialect().quote_name(table),
            before.dialect().quote(column)
        ),
        _ => String::new(),
    };
    if lost.is_empty() && is_rounded(&old, &new) {
        return Some(Hit::new(
            format!(
                "`{table}.{column}` holds less as {to} than as {was}: what the rows and the running version's writes have beyond \
                 it is rounded or cut off without an error"
            ),
            "add a column of the new type beside it, and drop the old one when nobody needs what it has more",
        ));
    }
    Some(Hit::new(
        format!(
            "`{table}.{column}` holds less as {to} than as {was}: the running version is refused when it writes {what}, and so is \
             this statement where a row holds it"
        ),
        format!("release a version that writes only what fits, then change the type in a contract phase{count}"),
    ))
}

/// The labels that an enum has and the one in its place has not.
fn lost_labels<'a>(old: &str, new: &str, before: &'a Catalog) -> Vec<&'a str> {
    let labels = |written: &str| match &before.data_type(&Name::plain(written))?.kind {
        DataTypeKind::Enum { labels } => Some(labels),
        _ => None,
    };
    let (Some(old), Some(new)) = (labels(old), labels(new)) else { return Vec::new() };
    old.iter().filter(|label| !new.contains(label)).map(String::as_str).collect()
}

fn is_narrower(old: &Type, new: &Type) -> bool {
    let both = |of: fn(&Type) -> Option<u64>| of(old).zip(of(new));
    if let (Some((old_whole, old_scale)), Some((new_whole, new_scale))) = (digits(old), digits(new)) {
        return new_whole < old_whole || new_scale < old_scale;
    }
    let is_whole = |it: &Type| bits(it).is_some();
    let shorter = both(length).or_else(|| both(bits)).is_some_and(|(old, new)| new < old);
    shorter
        || is_whole(new)
            && (digits(old).is_some() || ["real", "float", "double", "double precision"].contains(&&*old.name))
        || new.name == "date" && ["timestamp", "timestamptz", "datetime"].contains(&&*old.name)
        || ["real", "float4"].contains(&&*new.name) && ["double precision", "float8"].contains(&&*old.name)
}

/// The server does not refuse a value that has more, it makes it fit.
fn is_rounded(old: &Type, new: &Type) -> bool {
    let whole_stays = match (digits(old), digits(new)) {
        (Some((old, _)), Some((new, _))) => new >= old,
        (Some(_), None) => old.arguments.len() != 1,
        _ => true,
    };
    let is_text = length(old).is_some() && length(new).is_some();
    whole_stays && !is_text && !(bits(old).is_some() && bits(new).is_some())
}

/// How many characters a text may have.
fn length(of: &Type) -> Option<u64> {
    match of.name.as_str() {
        "char" | "bpchar" => Some(of.arguments.first().copied().unwrap_or(1)),
        "varchar" => Some(of.arguments.first().copied().unwrap_or(u64::MAX)),
        "text" => Some(u64::MAX),
        _ => None,
    }
}

fn bits(of: &Type) -> Option<u64> {
    Some(match of.name.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    })
}

/// Before and behind the decimal point.
fn digits(of: &Type) -> Option<(u64, u64)> {
    match (of.name.as_str(), of.arguments.as_slice()) {
        ("numeric", []) => Some((u64::MAX, u64::MAX)),
        ("numeric", [all]) => Some((*all, 0)),
        ("numeric", [all, scale, ..]) => Some((all.saturating_sub(*scale), *scale)),
        _ => None,
    }
}
