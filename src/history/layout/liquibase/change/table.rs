//! Whole tables.

use super::{Statements, Written, column, constraint, not_on_sqlite};
use crate::history::layout::liquibase::element::Element;
use crate::sql::Dialect;

pub(super) fn create(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let dialect = change.dialect;
    let columns = change.all("column");
    let mut lines = Vec::new();
    let mut key = Vec::new();
    let mut key_name = String::new();
    let mut references = Vec::new();
    // Columns that name one constraint share it; those that name none come first.
    let mut unique: Vec<(String, Vec<String>)> = Vec::new();
    for column in &columns {
        lines.push(column::definition(column, false)?);
        let Some(constraints) = column.child("constraints") else { continue };
        let name = column.name("name")?;
        // SQLite's AUTOINCREMENT stands only with the column's own PRIMARY KEY.
        if constraints.is("primaryKey") && !(dialect == Dialect::Sqlite && column.is("autoIncrement")) {
            key.push(name.clone());
            if key_name.is_empty() {
                key_name = constraints.constraint("primaryKeyName");
            }
        }
        references.extend(constraint::reference(&constraints, &name)?);
        if constraints.is("unique") {
            let named = constraints.constraint("uniqueConstraintName");
            match unique.iter_mut().find(|(known, _)| !known.is_empty() && *known == named) {
                Some((_, columns)) => columns.push(name.clone()),
                None => unique.push((named, vec![name.clone()])),
            }
        }
        if let Some(check) = constraints.get("checkConstraint") {
            let is_whole = check.trim_start().to_ascii_uppercase().starts_with("CHECK");
            lines.push(if is_whole { check } else { format!("CHECK ({check})") });
        }
    }
    if !key.is_empty() {
        lines.push(format!("{}PRIMARY KEY ({})", primary_key_name(change, key_name)?, key.join(", ")));
    }
    lines.extend(references);
    unique.sort_by_key(|(name, _)| !name.is_empty());
    lines.extend(unique.into_iter().map(|(name, columns)| format!("{name}UNIQUE ({})", columns.join(", "))));
    let condition = if change.is("ifNotExists") { "IF NOT EXISTS " } else { "" };
    let mut sql = format!("CREATE TABLE {condition}{table} ({})", lines.join(", "));
    let remarks = change.get("remarks").map(|remarks| change.literal(&remarks));
    let mut statements = Vec::new();
    match remarks {
        Some(remarks) if dialect == Dialect::Mysql => sql += &format!(" COMMENT={remarks}"),
        Some(remarks) if dialect == Dialect::Postgres => {
            statements.push(Written::of(format!("COMMENT ON TABLE {table} IS {remarks}")));
        }
        _ => {}
    }
    statements.insert(0, Written::of(sql));
    statements.extend(columns.iter().filter_map(|column| column::comment(dialect, &table, column)));
    Ok(statements)
}

/// The name that Liquibase gives to a primary key without one.
fn primary_key_name(change: &Element<'_>, said: String) -> Result<String, String> {
    if !said.is_empty() {
        return Ok(said);
    }
    let table = change.need("tableName")?;
    let name = match change.dialect {
        Dialect::Postgres => format!("{}_pkey", table.trim()),
        Dialect::Mysql | Dialect::Sqlite => format!("PK_{}", table.trim().to_uppercase()),
    };
    Ok(format!("CONSTRAINT {} ", change.quote(&name)))
}

pub(super) fn drop(change: &Element<'_>) -> Statements {
    let cascade = if change.is("cascadeConstraints") && change.dialect == Dialect::Postgres { " CASCADE" } else { "" };
    let condition = if change.is("ifExists") { "IF EXISTS " } else { "" };
    Ok(vec![Written::of(format!("DROP TABLE {condition}{}{cascade}", change.table()?))])
}

pub(super) fn rename(change: &Element<'_>) -> Statements {
    let old = change.qualified("schemaName", "oldTableName")?;
    Ok(vec![Written::of(match change.dialect {
        // It stays in its schema; MySQL would take it for the current database's.
        Dialect::Mysql => format!("ALTER TABLE {old} RENAME {}", change.qualified("schemaName", "newTableName")?),
        _ => format!("ALTER TABLE {old} RENAME TO {}", change.name("newTableName")?),
    })])
}

pub(super) fn remark(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let table = change.table()?;
    let remarks = change.literal(&change.get("remarks").unwrap_or_default());
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => format!("ALTER TABLE {table} COMMENT = {remarks}"),
        _ => format!("COMMENT ON TABLE {table} IS {remarks}"),
    })])
}

pub(super) fn add_lookup(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let old = change.qualified("existingTableSchemaName", "existingTableName")?;
    let new = change.qualified("newTableSchemaName", "newTableName")?;
    let (from, to) = (change.name("existingColumnName")?, change.name("newColumnName")?);
    let key = match change.get("constraintName") {
        Some(name) => change.quote(&name),
        None => change.quote(&format!("FK_{}_{}", change.need("existingTableName")?, change.need("newTableName")?)),
    };
    let not_null = match change.dialect {
        Dialect::Mysql => {
            format!("ALTER TABLE {new} MODIFY {to} {} NOT NULL", column::type_of(change, "newColumnDataType")?)
        }
        _ => format!("ALTER TABLE {new} ALTER COLUMN {to} SET NOT NULL"),
    };
    let statements = [
        format!("CREATE TABLE {new} AS SELECT DISTINCT {from} AS {to} FROM {old} WHERE {from} IS NOT NULL"),
        not_null,
        format!("ALTER TABLE {new} ADD PRIMARY KEY ({to})"),
        format!("ALTER TABLE {old} ADD CONSTRAINT {key} FOREIGN KEY ({from}) REFERENCES {new} ({to})"),
    ];
    Ok(statements.into_iter().map(Written::of).collect())
}
