//! MySQL 8 and MariaDB: `information_schema`, the database of the URL.

use super::{list, number, optional, text, yes};
use crate::database::{DatabaseError, Session, Value};
use crate::schema::catalog::{Birth, Born, Catalog, Kind, Table};
use crate::sql::{Column, Constraint, ConstraintKind, Dialect, Generated, Index, Name};

/// Tables by name as the server writes it.
type Tables = std::collections::BTreeMap<String, Table>;

pub(super) async fn read<S: Session>(session: &mut S) -> Result<Catalog, DatabaseError> {
    let mut catalog = Catalog::new(Dialect::Mysql);
    let mut tables = relations(session).await?;
    columns(session, &mut tables).await?;
    indexes(session, &mut tables).await?;
    foreign_keys(session, &mut tables).await?;
    checks(session, &mut tables).await?;
    let sql = "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS
        WHERE TRIGGER_SCHEMA = DATABASE()";
    for row in session.query(sql, &[]).await? {
        if let Some(table) = tables.get_mut(&text(&row, 0)) {
            table.triggers.insert(text(&row, 1).to_ascii_lowercase(), Birth::default());
        }
    }
    for table in tables.into_values() {
        catalog.insert(None, table);
    }
    Ok(catalog)
}

async fn relations<S: Session>(session: &mut S) -> Result<Tables, DatabaseError> {
    let sql = "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH,
            CREATE_OPTIONS LIKE '%partitioned%'
        FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    let mut tables = Tables::new();
    for row in session.query(sql, &[]).await? {
        let kind = if text(&row, 1).ends_with("VIEW") { Kind::View } else { Kind::Table };
        let mut table = Table::new(Name::plain(text(&row, 0)), kind, Birth::default());
        table.columns_known = true;
        (table.rows, table.bytes) = (number(&row, 2), number(&row, 3));
        table.partitioned = yes(&row, 4);
        tables.insert(text(&row, 0), table);
    }
    Ok(tables)
}

async fn columns<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let sql = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'NO', COLUMN_DEFAULT, EXTRA, COLLATION_NAME
        FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let extra = text(&row, 5).to_ascii_uppercase();
        let column = Column {
            name: text(&row, 1),
            data_type: text(&row, 2),
            not_null: yes(&row, 3),
            // MariaDB writes NULL where there is none.
            default: optional(&row, 4).filter(|default| default != "NULL"),
            identity: extra.contains("AUTO_INCREMENT"),
            generated: match () {
                () if extra.contains("STORED") || extra.contains("PERSISTENT") => Some(Generated::Stored),
                () if extra.contains("VIRTUAL") => Some(Generated::Virtual),
                () => None,
            },
            collation: optional(&row, 6),
            ..Column::default()
        };
        table.columns.insert(column.name.to_ascii_lowercase(), Born { part: column, at: Birth::default() });
    }
    Ok(())
}

async fn indexes<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    // MySQL has expressions in a column that MariaDB lacks: a part of an index without a column is one.
    let sql = "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE = 0, INDEX_TYPE,
            GROUP_CONCAT(coalesce(COLUMN_NAME, '(expression)') ORDER BY SEQ_IN_INDEX SEPARATOR '\u{1f}'),
            count(SUB_PART) = 0 AND count(COLUMN_NAME) = count(*)
        FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
        GROUP BY TABLE_NAME, INDEX_NAME, NON_UNIQUE, INDEX_TYPE";
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let (name, columns) = (text(&row, 1), list(&row, 4));
        let folded = name.to_ascii_lowercase();
        if name == "PRIMARY" {
            let kind = ConstraintKind::PrimaryKey { columns };
            let constraint = Constraint { name: Some(name), kind, not_valid: false, using_index: None };
            table.constraints.insert(folded, Born { part: constraint, at: Birth::default() });
            continue;
        }
        let method = text(&row, 3).to_ascii_lowercase();
        let index = Index {
            name: Some(name),
            columns,
            unique: yes(&row, 2),
            plain: yes(&row, 5) && method == "btree",
            only: false,
            method: Some(method).filter(|method| method != "btree"),
            predicate: None,
        };
        table.indexes.insert(folded, Born { part: index, at: Birth::default() });
    }
    Ok(())
}

async fn foreign_keys<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, max(REFERENCED_TABLE_NAME),
            GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR '\u{1f}'),
            nullif(max(REFERENCED_TABLE_SCHEMA), DATABASE())
        FROM information_schema.KEY_COLUMN_USAGE
        WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL GROUP BY TABLE_NAME, CONSTRAINT_NAME";
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let references = Name { schema: optional(&row, 4), name: text(&row, 2) };
        let kind = ConstraintKind::ForeignKey { columns: list(&row, 3), references };
        add(table, &row, kind);
    }
    Ok(())
}

async fn checks<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    // The two differ in this view: MySQL's does not name the table, and older servers lack it.
    let mariadb = "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
        WHERE CONSTRAINT_SCHEMA = DATABASE()";
    let mysql = "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c
        JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA
             AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK'
        WHERE c.CONSTRAINT_SCHEMA = DATABASE()";
    let rows = match session.query(mariadb, &[]).await {
        Ok(rows) => rows,
        Err(_) => session.query(mysql, &[]).await?,
    };
    for row in rows {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        add(table, &row, ConstraintKind::Check { expression: text(&row, 2) });
    }
    Ok(())
}

/// A constraint of a row that begins with the table and the constraint's name.
fn add(table: &mut Table, row: &[Value], kind: ConstraintKind) {
    let name = text(row, 1);
    let constraint = Constraint { name: Some(name.clone()), kind, not_valid: false, using_index: None };
    table.constraints.insert(name.to_ascii_lowercase(), Born { part: constraint, at: Birth::default() });
}
