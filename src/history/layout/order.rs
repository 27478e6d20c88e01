//! The order of names: runs of digits compare by their value.

use std::cmp::Ordering;
use std::path::Path;

/// A part of a name: digits compare by value (fewer significant digits first) and before text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Number(usize, String),
    Text(String),
}

/// How a name compares when its digits count by value.
pub(super) fn by_value(name: &str) -> Vec<Part> {
    // `V` and refinery's `U` share one sequence of versions.
    let versioned = name.strip_prefix(['V', 'U']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut rest = versioned.unwrap_or(name);
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let run = &rest[..end];
        rest = &rest[end..];
        parts.push(if digits {
            let significant = run.trim_start_matches('0');
            Part::Number(significant.len(), significant.to_string())
        } else {
            Part::Text(run.to_string())
        });
    }
    parts
}

/// How a name compares for tools that sort names as text: 10 before 9.
pub(super) fn by_text(name: &str) -> Vec<Part> {
    vec![Part::Text(name.to_string())]
}

/// The natural order of paths, part by part.
pub(super) fn compare(one: &Path, other: &Path) -> Ordering {
    let (mut one, mut other) = (one.components(), other.components());
    loop {
        let (part, its) = match (one.next(), other.next()) {
            (Some(part), Some(its)) if part == its => continue,
            (Some(part), Some(its)) => (part.as_os_str().to_string_lossy(), its.as_os_str().to_string_lossy()),
            (part, its) => return part.is_some().cmp(&its.is_some()),
        };
        let order = by_value(&part).cmp(&by_value(&its));
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let mut names =
            ["10_b.sql", "2_a.sql", "V3__c.sql", "U4__d.sql", "0001.sql", "x/2.sql", "x/10.sql", "x/1/y.sql"]
                .map(Path::new);
        names.sort_by(|one, other| compare(one, other));
        let sorted = names.map(|path| path.display().to_string()).join(" ");
        assert_eq!(sorted, "0001.sql 2_a.sql V3__c.sql U4__d.sql 10_b.sql x/1/y.sql x/2.sql x/10.sql");
    }
}
