//! Changes of columns, and how a column is written in a definition.

use super::{Statements, Written, constraint, no_rebuild, not_on_sqlite, unsupported};
use crate::history::layout::liquibase::data_type;
use crate::history::layout::liquibase::element::Element;
use crate::sql::Dialect;

pub(super) fn add(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let columns = change.all("column");
    if columns.is_empty() {
        return Err("`addColumn` says no `column`".into());
    }
    let mut actions = Vec::new();
    for column in &columns {
        actions.push((format!("ADD {}", definition(column, true)?), column.range()));
    }
    let mut statements = match change.dialect {
        // MySQL alone is sent all of them at once.
        Dialect::Mysql => {
            let (actions, clauses): (Vec<_>, Vec<_>) = actions.into_iter().unzip();
            vec![Written { sql: format!("ALTER TABLE {table} {}", actions.join(", ")), clauses }]
        }
        Dialect::Postgres | Dialect::Sqlite => actions
            .into_iter()
            .map(|(action, range)| Written { sql: format!("ALTER TABLE {table} {action}"), clauses: vec![range] })
            .collect(),
    };
    for column in &columns {
        statements.extend(constraint::of_added_column(change, column)?);
    }
    for column in &columns {
        if let Some(value) = value(column, "value") {
            let name = column.name("name")?;
            let mut then = vec![format!("UPDATE {table} SET {name} = {value}")];
            if is_not_null(column) && change.dialect != Dialect::Sqlite {
                then.push(not_null(change.dialect, &table, &name, || type_of(column, "type"))?);
            }
            statements.extend(then.into_iter().map(|sql| Written { sql, clauses: vec![column.range()] }));
        }
    }
    statements.extend(columns.iter().filter_map(|column| comment(change.dialect, &table, column)));
    Ok(statements)
}

pub(super) fn drop(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let mut columns = Vec::new();
    if let Some(names) = change.get("columnName") {
        columns.extend(names.split(',').map(|name| (change.quote(name), change.range())));
    }
    for column in change.all("column") {
        columns.push((column.name("name")?, column.range()));
    }
    if columns.is_empty() {
        return Err("`dropColumn` says no `columnName`".into());
    }
    if change.dialect == Dialect::Mysql && columns.len() > 1 {
        let actions: Vec<_> = columns.iter().map(|(column, _)| format!("DROP {column}")).collect();
        let sql = format!("ALTER TABLE {table} {}", actions.join(", "));
        return Ok(vec![Written { sql, clauses: columns.into_iter().map(|(_, range)| range).collect() }]);
    }
    Ok(columns
        .into_iter()
        .map(|(column, range)| Written {
            sql: format!("ALTER TABLE {table} DROP COLUMN {column}"),
            clauses: vec![range],
        })
        .collect())
}

pub(super) fn rename(change: &Element<'_>) -> Statements {
    let (table, old, new) = (change.table()?, change.name("oldColumnName")?, change.name("newColumnName")?);
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => format!("ALTER TABLE {table} CHANGE {old} {new} {}", type_of(change, "columnDataType")?),
        Dialect::Postgres | Dialect::Sqlite => format!("ALTER TABLE {table} RENAME COLUMN {old} TO {new}"),
    })])
}

pub(super) fn modify_type(change: &Element<'_>) -> Statements {
    let (table, column, new) = (change.table()?, change.name("columnName")?, type_of(change, "newDataType")?);
    Ok(vec![Written::of(match change.dialect {
        Dialect::Postgres => format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {new} USING ({column}::{new})"),
        Dialect::Mysql => format!("ALTER TABLE {table} MODIFY {column} {new}"),
        Dialect::Sqlite => return Err(unsupported(change)),
    })])
}

pub(super) fn add_not_null(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    let mut statements = Vec::new();
    if let Some(default) = change.get("defaultNullValue") {
        let value = change.literal(&default);
        statements.push(Written::of(format!("UPDATE {table} SET {column} = {value} WHERE {column} IS NULL")));
    }
    let data_type = || type_of(change, "columnDataType");
    statements.push(Written::of(not_null(change.dialect, &table, &column, data_type)?));
    Ok(statements)
}

fn not_null(
    dialect: Dialect,
    table: &str,
    column: &str,
    data_type: impl Fn() -> Result<String, String>,
) -> Result<String, String> {
    Ok(match dialect {
        Dialect::Mysql => format!("ALTER TABLE {table} MODIFY {column} {} NOT NULL", data_type()?),
        _ => format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
    })
}

pub(super) fn drop_not_null(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => format!("ALTER TABLE {table} MODIFY {column} {} NULL", type_of(change, "columnDataType")?),
        _ => format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"),
    })])
}

pub(super) fn add_default(change: &Element<'_>) -> Statements {
    no_rebuild(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    let value = value(change, "defaultValue").ok_or("`addDefaultValue` says no `defaultValue`")?;
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql if change.get("defaultValueComputed").is_some() => {
            format!("ALTER TABLE {table} ALTER {column} SET DEFAULT ({value})")
        }
        Dialect::Mysql => format!("ALTER TABLE {table} ALTER {column} SET DEFAULT {value}"),
        _ => format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}"),
    })])
}

pub(super) fn drop_default(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => format!("ALTER TABLE {table} ALTER {column} DROP DEFAULT"),
        _ => format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT"),
    })])
}

pub(super) fn add_auto_increment(change: &Element<'_>) -> Statements {
    no_rebuild(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    if change.dialect == Dialect::Mysql {
        let data_type = type_of(change, "columnDataType")?;
        return Ok(vec![Written::of(format!("ALTER TABLE {table} MODIFY {column} {data_type} AUTO_INCREMENT"))]);
    }
    let sequence = change.quote(&format!("{}_{}_seq", change.need("tableName")?, change.need("columnName")?));
    let statements = [
        format!("CREATE SEQUENCE IF NOT EXISTS {sequence}"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval({})", change.literal(&sequence)),
        format!("ALTER SEQUENCE {sequence} OWNED BY {table}.{column}"),
    ];
    Ok(statements.into_iter().map(Written::of).collect())
}

pub(super) fn remark(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, column) = (change.table()?, change.name("columnName")?);
    let remarks = change.literal(&change.get("remarks").unwrap_or_default());
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => {
            format!("ALTER TABLE {table} MODIFY COLUMN {column} {} COMMENT {remarks}", type_of(change, "columnDataType")?)
        }
        _ => format!("COMMENT ON COLUMN {table}.{column} IS {remarks}"),
    })])
}

pub(super) fn merge(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let (first, second) = (change.name("column1Name")?, change.name("column2Name")?);
    let (merged, data_type) = (change.name("finalColumnName")?, type_of(change, "finalColumnType")?);
    let nullable = if change.dialect == Dialect::Mysql { " NULL" } else { "" };
    let joined = change.literal(&change.said("joinString").unwrap_or_default());
    let value = match change.dialect {
        Dialect::Mysql => format!("CONCAT_WS({joined}, {first}, {second})"),
        _ => format!("{first} || {joined} || {second}"),
    };
    Ok(vec![
        Written::of(format!("ALTER TABLE {table} ADD {merged} {data_type}{nullable}")),
        Written::of(format!("UPDATE {table} SET {merged} = {value}")),
        Written::of(format!("ALTER TABLE {table} DROP COLUMN {first}")),
        Written::of(format!("ALTER TABLE {table} DROP COLUMN {second}")),
    ])
}

/// The type that an attribute says, as the dialect calls it.
pub(super) fn type_of(element: &Element<'_>, key: &str) -> Result<String, String> {
    let said = element.need(key)?;
    let said = said.trim();
    if said.contains("${") {
        return Err(format!("nobody defines the property in the type `{said}`"));
    }
    Ok(data_type::name(said, element.dialect))
}

/// A column with its type, default and constraints. PRIMARY KEY stands with it only where it is added to a table.
pub(super) fn definition(column: &Element<'_>, is_added: bool) -> Result<String, String> {
    let dialect = column.dialect;
    let constraints = column.child("constraints");
    let is = |name: &str| constraints.is_some_and(|constraints| constraints.is(name));
    let identity = column.is("autoIncrement") || column.get("type").is_some_and(|said| data_type::is_serial(&said));
    let mut text = format!("{} {}", column.name("name")?, type_of(column, "type")?);
    if let Some(value) = value(column, "defaultValue") {
        text += &format!(" DEFAULT {value}");
    }
    let key = is("primaryKey");
    if identity {
        text += match dialect {
            Dialect::Postgres => " GENERATED BY DEFAULT AS IDENTITY",
            Dialect::Mysql => " AUTO_INCREMENT",
            Dialect::Sqlite if key => " PRIMARY KEY AUTOINCREMENT",
            Dialect::Sqlite => "",
        };
    }
    // Where a value is filled in, NOT NULL comes after it.
    let is_late = is_added && dialect != Dialect::Sqlite && value(column, "value").is_some();
    if (is_not_null(column) || key) && !is_late {
        text += " NOT NULL";
    } else if dialect == Dialect::Mysql {
        text += " NULL";
    }
    if is_added && key {
        text += " PRIMARY KEY";
    }
    if dialect == Dialect::Mysql {
        if let Some(remarks) = column.get("remarks") {
            text += &format!(" COMMENT {}", column.literal(&remarks));
        }
        if let Some(after) = column.get("afterColumn").filter(|_| is_added) {
            text += &format!(" AFTER {}", column.quote(&after));
        }
    }
    Ok(text)
}

fn is_not_null(column: &Element<'_>) -> bool {
    column.child("constraints").and_then(|constraints| constraints.flag("nullable")) == Some(false)
}

/// PostgreSQL's statement for a column's remarks.
pub(super) fn comment(dialect: Dialect, table: &str, column: &Element<'_>) -> Option<Written> {
    let remarks = column.get("remarks").filter(|_| dialect == Dialect::Postgres)?;
    let name = column.name("name").ok()?;
    let sql = format!("COMMENT ON COLUMN {table}.{name} IS {}", column.literal(&remarks));
    Some(Written { sql, clauses: vec![column.range()] })
}

/// What `value`, `valueNumeric`, `valueBoolean`, `valueDate`, `valueComputed` or their like for `defaultValue` say.
pub(super) fn value(element: &Element<'_>, key: &str) -> Option<String> {
    let get = |kind: &str| element.get(&format!("{key}{kind}"));
    if let Some(expression) = get("Computed") {
        return Some(expression);
    }
    if let Some(number) = get("Numeric") {
        return Some(number.trim().to_string());
    }
    if let Some(flag) = get("Boolean") {
        return Some(boolean(element.dialect, matches!(flag.trim(), "true" | "TRUE" | "1")).into());
    }
    if let Some(date) = get("Date") {
        let is_date = date.starts_with(|c: char| c.is_ascii_digit());
        return Some(if is_date { element.literal(&date.replace('T', " ")) } else { date });
    }
    if let Some(sequence) = get("SequenceNext") {
        return Some(format!("nextval({})", element.literal(&sequence)));
    }
    if get("ClobFile").or_else(|| get("BlobFile")).is_some() {
        return Some(element.literal("(a file)"));
    }
    // An empty value is one.
    let said = element.said(key)?;
    if said.eq_ignore_ascii_case("null") {
        return Some("NULL".into());
    }
    let is_boolean = element.get("type").is_some_and(|said| data_type::is_boolean(&said));
    match said.to_ascii_lowercase().as_str() {
        // A text that Liquibase takes for a call.
        "now()" | "current_timestamp" if key == "value" => Some(said),
        "true" if is_boolean => Some(boolean(element.dialect, true).into()),
        "false" if is_boolean => Some(boolean(element.dialect, false).into()),
        _ => Some(element.literal(&said)),
    }
}

fn boolean(dialect: Dialect, value: bool) -> &'static str {
    match (dialect, value) {
        (Dialect::Postgres, true) => "TRUE",
        (Dialect::Postgres, false) => "FALSE",
        (_, true) => "1",
        (_, false) => "0",
    }
}
