//! Keys, uniqueness, references and checks.

use super::{Statements, Written, no_rebuild, not_on_sqlite};
use crate::history::layout::liquibase::element::Element;
use crate::sql::Dialect;

pub(super) fn add_primary_key(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, columns) = (change.table()?, change.quote_each(&change.need("columnNames")?));
    let name = change.constraint("constraintName");
    Ok(vec![Written::of(match (change.dialect, change.get("forIndexName")) {
        (Dialect::Mysql, _) => format!("ALTER TABLE {table} ADD PRIMARY KEY ({columns})"),
        (_, Some(index)) => format!("ALTER TABLE {table} ADD {name}PRIMARY KEY USING INDEX {}", change.quote(&index)),
        _ => format!("ALTER TABLE {table} ADD {name}PRIMARY KEY ({columns})"),
    })])
}

pub(super) fn drop_primary_key(change: &Element<'_>) -> Statements {
    no_rebuild(change)?;
    let table = change.table()?;
    Ok(vec![Written::of(match (change.dialect, change.get("constraintName")) {
        (Dialect::Mysql, _) => format!("ALTER TABLE {table} DROP PRIMARY KEY"),
        (_, Some(name)) => format!("ALTER TABLE {table} DROP CONSTRAINT {}", change.quote(&name)),
        // Liquibase asks the server for the name; it is this one unless somebody chose another.
        _ => {
            let name = change.need("tableName")?;
            let name = change.quote(&format!("{}_pkey", name.trim()));
            format!("ALTER TABLE {table} DROP CONSTRAINT {name}")
        }
    })])
}

pub(super) fn add_unique(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, name) = (change.table()?, change.constraint("constraintName"));
    let columns = change.quote_each(&change.need("columnNames")?);
    let definition = match change.get("forIndexName").filter(|_| change.dialect == Dialect::Postgres) {
        Some(index) => format!("UNIQUE USING INDEX {}", change.quote(&index)),
        None => format!("UNIQUE ({columns}){}", deferring(change)),
    };
    Ok(vec![Written::of(format!("ALTER TABLE {table} ADD {name}{definition}"))])
}

pub(super) fn drop_unique(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, name) = (change.table()?, change.name("constraintName")?);
    let what = if change.dialect == Dialect::Mysql { "KEY" } else { "CONSTRAINT" };
    Ok(vec![Written::of(format!("ALTER TABLE {table} DROP {what} {name}"))])
}

pub(super) fn add_foreign_key(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let table = change.qualified("baseTableSchemaName", "baseTableName")?;
    let target = change.qualified("referencedTableSchemaName", "referencedTableName")?;
    let columns = change.quote_each(&change.need("baseColumnNames")?);
    let referenced = change.quote_each(&change.need("referencedColumnNames")?);
    let mut sql = format!(
        "ALTER TABLE {table} ADD {}FOREIGN KEY ({columns}) REFERENCES {target} ({referenced})",
        change.constraint("constraintName")
    );
    for (key, event) in [("onUpdate", "UPDATE"), ("onDelete", "DELETE")] {
        if let Some(action) = change.get(key) {
            sql += &format!(" ON {event} {action}");
        }
    }
    if change.is("deleteCascade") && change.get("onDelete").is_none() {
        sql += " ON DELETE CASCADE";
    }
    sql += &deferring(change);
    Ok(vec![Written::of(sql + validity(change))])
}

/// PostgreSQL need not look at the rows that are there.
fn validity(change: &Element<'_>) -> &'static str {
    let not_valid = change.dialect == Dialect::Postgres && change.flag("validate") == Some(false);
    if not_valid { " NOT VALID" } else { "" }
}

pub(super) fn drop_foreign_key(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let table = change.qualified("baseTableSchemaName", "baseTableName")?;
    let name = change.name("constraintName")?;
    let what = if change.dialect == Dialect::Mysql { "FOREIGN KEY" } else { "CONSTRAINT" };
    Ok(vec![Written::of(format!("ALTER TABLE {table} DROP {what} {name}"))])
}

pub(super) fn add_check(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let table = change.table()?;
    let body = change.get("constraintBody").or_else(|| change.get("")).ok_or("`addCheckConstraint` says no body")?;
    let name = change.constraint("constraintName");
    Ok(vec![Written::of(format!("ALTER TABLE {table} ADD {name}CHECK ({body}){}", validity(change)))])
}

pub(super) fn drop_check(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    let (table, name) = (change.table()?, change.name("constraintName")?);
    Ok(vec![Written::of(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"))])
}

/// What a new column's constraints are sent as after the column.
pub(super) fn of_added_column(change: &Element<'_>, column: &Element<'_>) -> Statements {
    let Some(constraints) = column.child("constraints") else { return Ok(Vec::new()) };
    let (table, name) = (change.table()?, column.name("name")?);
    let mut statements = Vec::new();
    if constraints.is("unique") {
        let constraint = constraints.constraint("uniqueConstraintName");
        statements.push(format!("ALTER TABLE {table} ADD {constraint}UNIQUE ({name})"));
    }
    if let Some(definition) = reference(&constraints, &name)? {
        statements.push(format!("ALTER TABLE {table} ADD {definition}"));
    }
    Ok(statements.into_iter().map(|sql| Written { sql, clauses: vec![column.range()] }).collect())
}

/// The foreign key that a column's constraints speak of: `references="t(id)"`, or table and columns apart.
pub(super) fn reference(constraints: &Element<'_>, column: &str) -> Result<Option<String>, String> {
    let (table, columns) = match (constraints.get("references"), constraints.get("referencedTableName")) {
        (Some(references), _) => match references.split_once('(') {
            Some((table, columns)) => (dotted(constraints, table), columns.trim_end_matches([')', ' ']).to_string()),
            None => (dotted(constraints, &references), String::new()),
        },
        (None, Some(_)) => (
            constraints.qualified("referencedTableSchemaName", "referencedTableName")?,
            constraints.get("referencedColumnNames").unwrap_or_default(),
        ),
        (None, None) => return Ok(None),
    };
    let columns = match columns.as_str() {
        "" => String::new(),
        columns => format!(" ({})", constraints.quote_each(columns)),
    };
    let name = constraints.constraint("foreignKeyName");
    let cascade = if constraints.is("deleteCascade") { " ON DELETE CASCADE" } else { "" };
    let deferring = deferring(constraints);
    Ok(Some(format!("{name}FOREIGN KEY ({column}) REFERENCES {table}{columns}{cascade}{deferring}")))
}

fn dotted(element: &Element<'_>, name: &str) -> String {
    name.split('.').map(|part| element.quote(part)).collect::<Vec<_>>().join(".")
}

fn deferring(element: &Element<'_>) -> String {
    // MySQL has nothing of the kind and is not sent it.
    match element.dialect {
        Dialect::Mysql => String::new(),
        _ if element.is("initiallyDeferred") => " DEFERRABLE INITIALLY DEFERRED".into(),
        _ if element.is("deferrable") => " DEFERRABLE".into(),
        _ => String::new(),
    }
}
