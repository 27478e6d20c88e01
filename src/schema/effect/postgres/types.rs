//! Which type changes leave the rows as they are.

use crate::schema::effect::Type;

/// Whether a column of type `old` becomes `new` without a rewrite, whatever the session's time zone.
pub(super) fn is_free(old: &str, new: &str) -> bool {
    let (old, new) = (Type::read(old), Type::read(new));
    if old == new {
        return true;
    }
    let (from, to) = (old.arguments.as_slice(), new.arguments.as_slice());
    match (old.name.as_str(), new.name.as_str()) {
        ("varchar", "varchar") | ("varbit", "varbit") => is_wider(from, to),
        ("varchar" | "xml", "text") | ("cidr", "inet") | ("text", "citext") | ("citext", "text") => true,
        ("int", "oid") | ("oid", "int") => true,
        ("text", "varchar") => to.is_empty(),
        ("numeric", "numeric") => {
            let scale = |arguments: &[u64]| arguments.get(1).copied().unwrap_or(0);
            to.is_empty() || (!from.is_empty() && from[0] <= to[0] && scale(from) == scale(to))
        }
        ("timestamp", "timestamp")
        | ("timestamptz", "timestamptz")
        | ("time", "time")
        | ("timetz", "timetz")
        | ("interval", "interval") => {
            // Without a precision it is the highest.
            to.is_empty() || to[0] >= from.first().copied().unwrap_or(6)
        }
        _ => false,
    }
}

/// Without a limit is wider than any limit.
fn is_wider(from: &[u64], to: &[u64]) -> bool {
    to.is_empty() || (!from.is_empty() && from[0] <= to[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_type_changes_are_those_that_were_measured() {
        let table = [
            ("varchar(10)", "varchar(20)", true),
            ("varchar(20)", "varchar(10)", false),
            ("character varying(10)", "varchar", true),
            ("varchar(10)", "text", true),
            ("text", "varchar", true),
            ("text", "varchar(10)", false),
            ("char(10)", "char(20)", false),
            ("numeric(10,2)", "numeric(12,2)", true),
            ("numeric(10,2)", "numeric(12,3)", false),
            ("numeric(10,2)", "numeric", true),
            ("numeric", "numeric(12,2)", false),
            ("int", "bigint", false),
            ("int", "integer", true),
            ("timestamp(3)", "timestamp", true),
            ("timestamp", "timestamp(3)", false),
            ("timestamp(3) with time zone", "timestamptz(6)", true),
            ("timestamp", "timestamptz", false),
            ("varchar(10)[]", "varchar(20)[]", false),
            ("cidr", "inet", true),
            ("inet", "cidr", false),
            ("json", "jsonb", false),
        ];
        for (old, new, expected) in table {
            assert_eq!(is_free(old, new), expected, "{old} to {new}");
        }
    }
}
