//! What Liquibase's types are called in each dialect, its `convert-data-types` being on as it is from the start.

use crate::sql::Dialect;

/// A type taken apart: `varchar(20) unsigned` is `varchar`, `20` and `unsigned`.
struct Said<'a> {
    name: String,
    parameters: Vec<&'a str>,
    rest: &'a str,
}

/// What the dialect calls a type that a changelog names.
pub(super) fn name(said: &str, dialect: Dialect) -> String {
    let said = take_apart(said);
    let name = said.name.as_str();
    let own = match dialect {
        Dialect::Postgres => postgres(&said),
        Dialect::Mysql => mysql(&said),
        Dialect::Sqlite => sqlite(&said),
    };
    if let Some(own) = own {
        return own;
    }
    let name = match name {
        "integer" | "int4" | "serial" | "serial4" => "INT".into(),
        "int8" | "integer8" | "bigserial" | "serial8" => "BIGINT".into(),
        "int2" | "smallserial" => "SMALLINT".into(),
        "varchar2" | "character varying" => "VARCHAR".into(),
        "number" => "NUMERIC".into(),
        name => name.to_uppercase(),
    };
    with(&name, &said)
}

/// Whether its values are TRUE and FALSE.
pub(super) fn is_boolean(said: &str) -> bool {
    matches!(take_apart(said).name.as_str(), "boolean" | "bool" | "bit")
}

/// Whether the type alone says that the database fills the column.
pub(super) fn is_serial(said: &str) -> bool {
    take_apart(said).name.contains("serial")
}

fn take_apart(said: &str) -> Said<'_> {
    let said = said.trim();
    let bare = said.strip_prefix("java.sql.Types.").unwrap_or(said);
    let (name, parameters, rest) = match (bare.find('('), bare.find(')')) {
        (Some(open), Some(close)) if open < close => (&bare[..open], &bare[open + 1..close], &bare[close + 1..]),
        _ => {
            // What follows the first word says more about the type, unless it is part of its name.
            let end = bare.find(char::is_whitespace).unwrap_or(bare.len());
            let is_name = |words: &str| {
                let lower = bare.to_ascii_lowercase();
                lower == words || lower.strip_prefix(words).is_some_and(|rest| rest.starts_with(' '))
            };
            let whole = ["character varying", "long varchar", "long nvarchar", "long binary", "long varbinary"];
            let end = whole.iter().find(|words| is_name(words)).map_or(end, |words| words.len());
            (&bare[..end], "", &bare[end..])
        }
    };
    let name = match name.trim() {
        "java.lang.Integer" => "int".into(),
        "java.lang.Long" | "java.math.BigInteger" => "bigint".into(),
        "java.lang.String" => "varchar".into(),
        "java.lang.Boolean" => "boolean".into(),
        "java.lang.Double" => "double".into(),
        "java.lang.Float" => "float".into(),
        "java.math.BigDecimal" => "decimal".into(),
        "java.util.UUID" => "uuid".into(),
        "java.sql.Date" => "date".into(),
        "java.sql.Time" => "time".into(),
        "java.sql.Timestamp" => "timestamp".into(),
        name => name.to_ascii_lowercase(),
    };
    let parameters = parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty()).collect();
    Said { name, parameters, rest: rest.trim() }
}

/// A name with the parameters and the rest.
fn with(name: &str, said: &Said<'_>) -> String {
    let text = parametrised(name, said);
    match said.rest {
        "" => text,
        // An array.
        rest if rest.starts_with('[') => text + rest,
        rest => format!("{text} {rest}"),
    }
}

fn parametrised(name: &str, said: &Said<'_>) -> String {
    if said.parameters.is_empty() { name.to_string() } else { format!("{name}({})", said.parameters.join(", ")) }
}

const CLOBS: [&str; 12] = [
    "clob", "longvarchar", "text", "longtext", "nclob", "longnvarchar", "ntext", "tinytext", "mediumtext",
    "long varchar", "long nvarchar", "sqlxml",
];
const BLOBS: [&str; 10] = [
    "blob", "longblob", "longvarbinary", "varbinary", "binary", "image", "tinyblob", "mediumblob", "long binary",
    "long varbinary",
];

fn postgres(said: &Said<'_>) -> Option<String> {
    let zoned = said.name.contains("tz") || said.rest.to_ascii_lowercase().starts_with("with time");
    let in_zone = if zoned || said.name.contains("with_timezone") { "WITH" } else { "WITHOUT" };
    Some(match said.name.as_str() {
        "int" | "integer" | "int4" | "serial" | "serial4" => "INTEGER".into(),
        "bigint" | "int8" | "integer8" | "bigserial" | "serial8" => "BIGINT".into(),
        "smallint" | "int2" | "smallserial" | "tinyint" => "SMALLINT".into(),
        "boolean" | "bool" => "BOOLEAN".into(),
        "bit" => parametrised("BIT", said),
        "blob" => "OID".into(),
        "xml" | "xmltype" | "sqlxml" => "XML".into(),
        name if BLOBS.contains(&name) => "BYTEA".into(),
        name if CLOBS.contains(&name) => "TEXT".into(),
        "datetime" | "timestamp" | "timestamptz" | "timestamp_with_timezone" => {
            format!("{} {in_zone} TIME ZONE", parametrised("TIMESTAMP", said))
        }
        "time" | "timetz" => format!("{} {in_zone} TIME ZONE", parametrised("TIME", said)),
        "double" => "DOUBLE PRECISION".into(),
        "currency" | "money" | "smallmoney" => "DECIMAL".into(),
        "uuid" | "uniqueidentifier" => "UUID".into(),
        "nvarchar" | "nvarchar2" | "varchar" | "varchar2" => {
            // It has no `20 CHAR`, and the greatest length is none.
            let length = said.parameters.first().map(|length| length.split(' ').next().unwrap_or_default());
            match length {
                Some("2147483647") | None => "VARCHAR".into(),
                Some(length) if said.rest.starts_with('[') => format!("VARCHAR({length}){}", said.rest),
                Some(length) => format!("VARCHAR({length})"),
            }
        }
        _ => return None,
    })
}

fn mysql(said: &Said<'_>) -> Option<String> {
    let is_one_bit = said.parameters.first().is_none_or(|bits| *bits == "1");
    let with_rest = |name: &str| if said.rest.is_empty() { name.into() } else { format!("{name} {}", said.rest) };
    Some(match said.name.as_str() {
        "bit" if !is_one_bit => parametrised("BIT", said),
        "boolean" | "bool" | "bit" => "TINYINT(1)".into(),
        "int" | "integer" | "int4" | "serial" | "serial4" => with_rest("INT"),
        "bigint" | "int8" | "integer8" | "bigserial" | "serial8" => with_rest("BIGINT"),
        "smallint" | "int2" | "smallserial" => with_rest("SMALLINT"),
        "text" => "TEXT".into(),
        "tinytext" => "TINYTEXT".into(),
        "mediumtext" => "MEDIUMTEXT".into(),
        "nclob" => "LONGTEXT CHARACTER SET utf8".into(),
        "blob" => "BLOB".into(),
        "tinyblob" => "TINYBLOB".into(),
        "mediumblob" => "MEDIUMBLOB".into(),
        "varbinary" => parametrised("VARBINARY", said),
        "binary" => parametrised("BINARY", said),
        name if BLOBS.contains(&name) => "LONGBLOB".into(),
        name if CLOBS.contains(&name) || name.starts_with("xml") => "LONGTEXT".into(),
        "timestamptz" | "timestamp_with_timezone" | "timestamp" => parametrised("TIMESTAMP", said),
        "uuid" | "uniqueidentifier" => "CHAR(36)".into(),
        "currency" | "money" | "smallmoney" => "DECIMAL".into(),
        _ => return None,
    })
}

fn sqlite(said: &Said<'_>) -> Option<String> {
    Some(match said.name.as_str() {
        "int" | "integer" | "int4" | "serial" | "serial4" => "INTEGER".into(),
        "uuid" | "uniqueidentifier" => "TEXT".into(),
        "currency" | "money" | "smallmoney" => "REAL".into(),
        "boolean" | "bool" | "bit" => "BOOLEAN".into(),
        name if name.starts_with("datetime") || name.starts_with("timestamp") => "TEXT".into(),
        name if BLOBS.contains(&name) => "BLOB".into(),
        name if CLOBS.contains(&name) => "TEXT".into(),
        _ => return None,
    })
}
