//! SQLite: `sqlite_schema` and the table-valued pragmas. What a CHECK says, no pragma tells.

use std::collections::BTreeMap;

use super::{list, number, optional, text, yes};
use crate::database::{DatabaseError, Session};
use crate::schema::catalog::{Birth, Born, Catalog, Kind, Table};
use crate::sql::{Column, Constraint, ConstraintKind, Dialect, Generated, Index, Name};

/// Tables by name as they were made.
type Tables = BTreeMap<String, Table>;

/// Beyond so many rows counting takes too long.
const COUNTED: u64 = 1_000_000;

pub(super) async fn read<S: Session>(session: &mut S) -> Result<Catalog, DatabaseError> {
    let mut catalog = Catalog::new(Dialect::Sqlite);
    let mut tables = Tables::new();
    let sql = "SELECT type, name FROM main.sqlite_schema
        WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          -- The tables behind a virtual one are its own business.
          AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
        ORDER BY rowid";
    for row in session.query(sql, &[]).await? {
        let kind = if text(&row, 0) == "view" { Kind::View } else { Kind::Table };
        let mut table = Table::new(Name::plain(text(&row, 1)), kind, Birth::default());
        table.columns_known = true;
        tables.insert(text(&row, 1), table);
    }
    columns(session, &mut tables).await?;
    keys(session, &mut tables).await?;
    sizes(session, &mut tables).await?;
    let sql = "SELECT tbl_name, name FROM main.sqlite_schema WHERE type = 'trigger'";
    for row in session.query(sql, &[]).await? {
        let same = |name: &&String| name.eq_ignore_ascii_case(&text(&row, 0));
        let of = tables.keys().find(same).cloned();
        if let Some(table) = of.and_then(|name| tables.get_mut(&name)) {
            table.triggers.insert(text(&row, 1).to_ascii_lowercase(), Birth::default());
        }
    }
    for table in tables.into_values() {
        catalog.insert(Some("main"), table);
    }
    Ok(catalog)
}

async fn columns<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let sql = "SELECT m.name, p.name, p.type, p.\"notnull\", p.dflt_value, p.hidden, p.pk
        FROM main.sqlite_schema m JOIN pragma_table_xinfo(m.name, 'main') p
        WHERE m.type IN ('table', 'view') AND p.hidden <> 1 ORDER BY m.rowid, p.cid";
    let mut keys: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let column = Column {
            name: text(&row, 1),
            data_type: text(&row, 2),
            not_null: yes(&row, 3),
            default: optional(&row, 4),
            generated: match number(&row, 5) {
                Some(2) => Some(Generated::Virtual),
                Some(3) => Some(Generated::Stored),
                _ => None,
            },
            ..Column::default()
        };
        if let Some(place) = number(&row, 6).filter(|place| *place > 0) {
            keys.entry(text(&row, 0)).or_default().push((place, column.name.clone()));
        }
        table.columns.insert(column.name.to_ascii_lowercase(), Born { part: column, at: Birth::default() });
    }
    for (name, mut key) in keys {
        key.sort();
        let kind = ConstraintKind::PrimaryKey { columns: key.into_iter().map(|(_, name)| name).collect() };
        if let Some(table) = tables.get_mut(&name) {
            add(table, kind);
        }
    }
    Ok(())
}

async fn keys<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let sql = "SELECT m.name, l.name, l.\"unique\", l.origin, l.partial,
            (SELECT group_concat(coalesce(x.name, '(expression)'), char(31))
             FROM (SELECT name FROM pragma_index_xinfo(l.name, 'main') WHERE \"key\" ORDER BY seqno) x)
        FROM main.sqlite_schema m JOIN pragma_index_list(m.name, 'main') l
        WHERE m.type = 'table' AND l.origin <> 'pk' ORDER BY m.rowid, l.seq DESC";
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let (name, columns) = (text(&row, 1), list(&row, 5));
        if text(&row, 3) == "u" {
            add(table, ConstraintKind::Unique { columns });
            continue;
        }
        let partial = yes(&row, 4);
        let index = Index {
            name: Some(name.clone()),
            plain: !partial && !columns.iter().any(|column| column == "(expression)"),
            only: false,
            columns,
            unique: yes(&row, 2),
            method: None,
            predicate: partial.then(|| "(a condition)".to_string()),
        };
        table.indexes.insert(name.to_ascii_lowercase(), Born { part: index, at: Birth::default() });
    }
    let sql = "SELECT m.name, f.id, f.\"table\", group_concat(f.\"from\", char(31))
        FROM main.sqlite_schema m JOIN pragma_foreign_key_list(m.name, 'main') f
        WHERE m.type = 'table' GROUP BY m.rowid, f.id ORDER BY m.rowid, f.id, f.seq";
    for row in session.query(sql, &[]).await? {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        add(table, ConstraintKind::ForeignKey { columns: list(&row, 3), references: Name::plain(text(&row, 2)) });
    }
    Ok(())
}

/// What ANALYZE has found, else a count up to a bound.
async fn sizes<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let analysed = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1')";
    if session.query(analysed, &[]).await?.first().is_some_and(|row| yes(row, 0)) {
        for row in session.query("SELECT tbl, stat FROM main.sqlite_stat1", &[]).await? {
            let rows = text(&row, 1).split(' ').next().and_then(|rows| rows.parse().ok());
            if let Some(table) = tables.get_mut(&text(&row, 0)) {
                table.rows = rows;
            }
        }
    }
    for (name, table) in tables {
        if table.rows.is_none() && table.kind == Kind::Table {
            let name = Dialect::Sqlite.quote(name);
            let sql = format!("SELECT count(*) FROM (SELECT 1 FROM main.{name} LIMIT {})", COUNTED + 1);
            // A virtual table whose module is not there cannot be counted.
            let rows = session.query(&sql, &[]).await.unwrap_or_default();
            table.rows = rows.first().and_then(|row| number(row, 0)).filter(|rows| *rows <= COUNTED);
        }
    }
    Ok(())
}

fn add(table: &mut Table, kind: ConstraintKind) {
    let constraint = Constraint { name: None, kind, not_valid: false, using_index: None };
    let key = format!("#{}", table.constraints.len() + 1);
    table.constraints.insert(key, Born { part: constraint, at: Birth::default() });
}
