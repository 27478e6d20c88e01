//! Types that are spelled differently and mean the same.

use crate::sql::Dialect;

/// Whether a type as a migration writes it is what a server calls `live`.
pub(super) fn same_type(dialect: Dialect, written: &str, live: &str) -> bool {
    let normal = match dialect {
        Dialect::Postgres => postgres,
        Dialect::Mysql => mysql,
        // SQLite keeps what was written.
        Dialect::Sqlite => bare,
    };
    normal(written) == normal(live)
}

/// In lower case, without the blanks that mean nothing.
fn bare(text: &str) -> String {
    let text = text.to_ascii_lowercase().replace('"', "");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(", ", ",").replace(" ,", ",")
}

/// `character varying(20)[]` into its name, its arguments with their parentheses, and its dimensions.
fn apart(text: &str) -> (String, String, usize) {
    let text = bare(text).replace(" array", "[]");
    let dimensions = text.matches('[').count();
    let scalar = text.split('[').next().unwrap_or_default().trim();
    let (before, arguments, after) = match (scalar.find('('), scalar.rfind(')')) {
        (Some(open), Some(close)) if open < close => (&scalar[..open], &scalar[open..=close], &scalar[close + 1..]),
        _ => (scalar, "", ""),
    };
    let name = [before.trim(), after.trim()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    (name, arguments.to_string(), dimensions)
}

fn postgres(text: &str) -> String {
    let (name, arguments, dimensions) = apart(text);
    // Where the schema is searched the server leaves it out.
    let name = name.rsplit('.').next().unwrap_or_default().trim_end_matches("%rowtype");
    let (name, arguments) = match (name, arguments.as_str()) {
        ("int" | "int4" | "serial" | "serial4", _) => ("integer", ""),
        ("int8" | "bigserial" | "serial8", _) => ("bigint", ""),
        ("int2" | "smallserial" | "serial2", _) => ("smallint", ""),
        ("varchar" | "char varying" | "national character varying" | "nchar varying", length) => {
            ("character varying", length)
        }
        ("char" | "nchar" | "national character" | "character" | "bpchar", "") if name != "bpchar" => {
            ("character", "(1)")
        }
        ("char" | "nchar" | "national character", length) => ("character", length),
        ("bool", _) => ("boolean", ""),
        ("float8" | "float" | "double", "") => ("double precision", ""),
        ("float4", _) => ("real", ""),
        ("float", precision) => {
            let bits = precision.trim_matches(['(', ')']).parse::<u32>().unwrap_or(53);
            (if bits <= 24 { "real" } else { "double precision" }, "")
        }
        ("decimal" | "dec" | "numeric", arguments) => {
            let scaled = arguments.contains(',') || arguments.is_empty();
            return format!(
                "numeric{}{}",
                if scaled { arguments.to_string() } else { arguments.replace(')', ",0)") },
                "[]".repeat(dimensions.min(1))
            );
        }
        ("timestamptz", precision) => ("timestamp with time zone", precision),
        ("timestamp", precision) => ("timestamp without time zone", precision),
        ("timetz", precision) => ("time with time zone", precision),
        ("time", precision) => ("time without time zone", precision),
        ("varbit", length) => ("bit varying", length),
        ("bit", "") => ("bit", "(1)"),
        (other, arguments) => (other, arguments),
    };
    format!("{name}{arguments}{}", "[]".repeat(dimensions.min(1)))
}

fn mysql(text: &str) -> String {
    let (name, arguments, _) = apart(text);
    let unsigned = name.contains("unsigned") || name == "serial" || name.contains("zerofill");
    let base = name.replace(" unsigned", "").replace(" zerofill", "").replace(" signed", "");
    let (base, arguments) = match (base.as_str(), arguments.as_str()) {
        ("bool" | "boolean", _) => ("tinyint", ""),
        ("integer" | "int4", _) => ("int", ""),
        ("int1", _) => ("tinyint", ""),
        ("int2", _) => ("smallint", ""),
        ("int3" | "middleint", _) => ("mediumint", ""),
        ("int8" | "serial", _) => ("bigint", ""),
        // The width of a number is how it is shown; servers of today leave it out.
        ("tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year", _) => (base.as_str(), ""),
        ("decimal" | "numeric" | "dec" | "fixed", arguments) => {
            let arguments = match arguments {
                "" => "(10,0)".to_string(),
                arguments if arguments.contains(',') => arguments.to_string(),
                arguments => arguments.replace(')', ",0)"),
            };
            return format!("decimal{arguments} {unsigned}");
        }
        ("double precision" | "real" | "float8", arguments) => ("double", arguments),
        ("float4", arguments) => ("float", arguments),
        ("character varying" | "char varying" | "nvarchar" | "national varchar" | "varcharacter", length) => {
            ("varchar", length)
        }
        ("char" | "character" | "nchar" | "national char", "") => ("char", "(1)"),
        ("character" | "nchar" | "national char", length) => ("char", length),
        ("binary", "") => ("binary", "(1)"),
        ("bit", "") => ("bit", "(1)"),
        ("long" | "long varchar", _) => ("mediumtext", ""),
        // MariaDB's JSON is a text.
        ("json", _) => ("longtext", ""),
        ("text" | "blob" | "mediumtext" | "longtext", _) => (base.as_str(), ""),
        (other, arguments) => (other, arguments),
    };
    format!("{base}{arguments} {unsigned}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, written: &str, live: &str, same: bool) {
        assert_eq!(same_type(dialect, written, live), same, "{dialect}: {written} and {live}");
    }

    #[test]
    fn spellings_of_one_type_are_one() {
        for (written, live, same) in [
            ("int", "integer", true),
            ("serial", "integer", true),
            ("BIGSERIAL", "bigint", true),
            ("varchar(20)", "character varying(20)", true),
            ("varchar(20)", "character varying(21)", false),
            ("varchar[]", "character varying[]", true),
            ("text ARRAY", "text[]", true),
            ("timestamptz(3)", "timestamp(3) with time zone", true),
            ("timestamp", "timestamp without time zone", true),
            ("timestamp", "timestamp with time zone", false),
            ("numeric(10)", "numeric(10,0)", true),
            ("decimal(10, 2)", "numeric(10,2)", true),
            ("char", "character(1)", true),
            ("float(10)", "real", true),
            ("float", "double precision", true),
            ("bit", "bit(1)", true),
            ("public.mood", "mood", true),
            ("int", "bigint", false),
        ] {
            check(Dialect::Postgres, written, live, same);
        }
        for (written, live, same) in [
            ("INT(11)", "int", true),
            ("int(10) unsigned", "int unsigned", true),
            ("int", "int unsigned", false),
            ("BOOL", "tinyint(1)", true),
            ("decimal", "decimal(10,0)", true),
            ("JSON", "longtext", true),
            ("enum('A', 'b')", "enum('a','b')", true),
            ("varchar(20)", "varchar(30)", false),
            ("double precision", "double", true),
        ] {
            check(Dialect::Mysql, written, live, same);
        }
        check(Dialect::Sqlite, "VARCHAR (20)", "varchar(20)", true);
        check(Dialect::Sqlite, "int", "integer", false);
    }
}
