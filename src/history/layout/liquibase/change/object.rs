//! Indexes, views, sequences and routines.

use super::{Statements, Written, not_on_sqlite, unsupported};
use crate::history::layout::liquibase::element::Element;
use crate::sql::Dialect;

pub(super) fn create_index(change: &Element<'_>) -> Statements {
    let table = change.table()?;
    let unique = if change.is("unique") { "UNIQUE " } else { "" };
    let name = change.get("indexName").map(|name| format!("{} ", change.quote(&name))).unwrap_or_default();
    let mut columns = Vec::new();
    for column in change.all("column") {
        let said = column.need("name")?;
        let is_expression = column.is("computed") || said.contains('(') && change.dialect != Dialect::Mysql;
        let order = if column.is("descending") { " DESC" } else { "" };
        columns.push(if is_expression { said } else { column.quote(&said) } + order);
    }
    if columns.is_empty() {
        return Err("`createIndex` says no `column`".into());
    }
    Ok(vec![Written::of(format!("CREATE {unique}INDEX {name}ON {table} ({})", columns.join(", ")))])
}

pub(super) fn drop_index(change: &Element<'_>) -> Statements {
    Ok(vec![Written::of(match change.dialect {
        Dialect::Mysql => format!("DROP INDEX {} ON {}", change.name("indexName")?, change.table()?),
        // An index is in its table's schema.
        _ => format!("DROP INDEX {}", change.qualified("schemaName", "indexName")?),
    })])
}

pub(super) fn create_view(change: &Element<'_>) -> Statements {
    let query = change.get("selectQuery").or_else(|| change.get("")).ok_or("`createView` says no query")?;
    if change.is("fullDefinition") {
        return Ok(vec![Written::of(query)]);
    }
    let view = change.qualified("schemaName", "viewName")?;
    Ok(match (change.is("replaceIfExists"), change.dialect) {
        (true, Dialect::Sqlite) => {
            let drop = Written::of(format!("DROP VIEW IF EXISTS {view}"));
            vec![drop, Written::of(format!("CREATE VIEW {view} AS {query}"))]
        }
        (true, _) => vec![Written::of(format!("CREATE OR REPLACE VIEW {view} AS {query}"))],
        (false, _) => vec![Written::of(format!("CREATE VIEW {view} AS {query}"))],
    })
}

pub(super) fn drop_view(change: &Element<'_>) -> Statements {
    let condition = if change.is("ifExists") { "IF EXISTS " } else { "" };
    Ok(vec![Written::of(format!("DROP VIEW {condition}{}", change.qualified("schemaName", "viewName")?))])
}

pub(super) fn rename_view(change: &Element<'_>) -> Statements {
    let (old, new) = (change.qualified("schemaName", "oldViewName")?, change.name("newViewName")?);
    Ok(vec![Written::of(match change.dialect {
        Dialect::Postgres => format!("ALTER TABLE {old} RENAME TO {new}"),
        Dialect::Mysql => format!("RENAME TABLE {old} TO {new}"),
        Dialect::Sqlite => return Err(unsupported(change)),
    })])
}

pub(super) fn create_sequence(change: &Element<'_>) -> Statements {
    let verb = if change.dialect == Dialect::Postgres { "CREATE SEQUENCE IF NOT EXISTS" } else { "CREATE SEQUENCE" };
    sequence(change, verb, ("startValue", "START WITH"))
}

pub(super) fn alter_sequence(change: &Element<'_>) -> Statements {
    sequence(change, "ALTER SEQUENCE", ("startValue", "RESTART WITH"))
}

/// MariaDB has sequences, MySQL and SQLite have none, and are sent nothing.
fn sequence(change: &Element<'_>, verb: &str, start: (&str, &str)) -> Statements {
    if change.dialect == Dialect::Sqlite {
        return Ok(Vec::new());
    }
    let options = [
        start,
        ("incrementBy", "INCREMENT BY"),
        ("minValue", "MINVALUE"),
        ("maxValue", "MAXVALUE"),
        ("cacheSize", "CACHE"),
    ];
    let mut sql = format!("{verb} {}", change.qualified("schemaName", "sequenceName")?);
    for (key, word) in options {
        if let Some(value) = change.get(key) {
            sql += &format!(" {word} {value}");
        }
    }
    sql += if change.is("cycle") { " CYCLE" } else { "" };
    Ok(vec![Written::of(sql)])
}

pub(super) fn drop_sequence(change: &Element<'_>) -> Statements {
    let name = change.qualified("schemaName", "sequenceName")?;
    Ok(match change.dialect {
        Dialect::Postgres => vec![Written::of(format!("DROP SEQUENCE {name} CASCADE"))],
        Dialect::Mysql => vec![Written::of(format!("DROP SEQUENCE {name}"))],
        Dialect::Sqlite => Vec::new(),
    })
}

pub(super) fn rename_sequence(change: &Element<'_>) -> Statements {
    if change.dialect != Dialect::Postgres {
        return Err(unsupported(change));
    }
    let (old, new) = (change.qualified("schemaName", "oldSequenceName")?, change.name("newSequenceName")?);
    Ok(vec![Written::of(format!("ALTER SEQUENCE {old} RENAME TO {new}"))])
}

pub(super) fn drop_procedure(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    Ok(vec![Written::of(format!("DROP PROCEDURE {}", change.qualified("schemaName", "procedureName")?))])
}

pub(super) fn drop_function(change: &Element<'_>) -> Statements {
    not_on_sqlite(change)?;
    Ok(vec![Written::of(format!("DROP FUNCTION {}", change.qualified("schemaName", "functionName")?))])
}

pub(super) fn drop_trigger(change: &Element<'_>) -> Statements {
    let name = change.name("triggerName")?;
    Ok(vec![Written::of(match change.dialect {
        Dialect::Postgres => format!("DROP TRIGGER {name} ON {}", change.table()?),
        _ => format!("DROP TRIGGER {name}"),
    })])
}
