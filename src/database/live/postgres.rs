//! PostgreSQL 12 to 18: `pg_catalog`, everything that is not the server's own or an extension's.

use std::collections::BTreeMap;

use super::{list, number, optional, text, yes};
use crate::database::{DatabaseError, Session, Value};
use crate::schema::catalog::{Birth, Born, Catalog, DataType, DataTypeKind, Kind, Sequence, Table};
use crate::sql::{Column, Constraint, ConstraintKind, Dialect, Generated, Index, Name};

/// Tables by schema and name.
type Tables = BTreeMap<(String, String), Table>;

/// Tables that somebody holds for himself alone, or waits for: to read an expression of theirs is to queue behind him.
struct Locked(Vec<String>);

impl Locked {
    /// `expression`, unless the table of this `oid` is one of them.
    fn unless(&self, oid: &str, expression: &str) -> String {
        match self.0.is_empty() {
            true => expression.to_string(),
            false => format!("CASE WHEN {oid} NOT IN ({}) THEN {expression} END", self.0.join(", ")),
        }
    }
}

/// The schema; what cannot be read just now is said in `untold`.
pub(super) async fn read<S: Session>(session: &mut S, untold: &mut Vec<String>) -> Result<Catalog, DatabaseError> {
    let mut catalog = Catalog::new(Dialect::Postgres);
    let path = session.query("SELECT unnest(current_schemas(false))::text", &[]).await?;
    if !path.is_empty() {
        catalog.set_search_path(path.iter().map(|row| text(row, 0)).collect());
    }
    types(session, &mut catalog).await?;
    let mut tables = relations(session).await?;
    let locked = locked(session, &mut tables, untold).await?;
    columns(session, &mut tables, &locked).await?;
    constraints(session, &mut tables, &locked).await?;
    indexes(session, &mut tables, &locked).await?;
    dependents(session, &mut tables).await?;
    for ((schema, _), table) in tables {
        catalog.insert(Some(&schema), table);
    }
    sequences(session, &mut catalog).await?;
    Ok(catalog)
}

/// The condition on a namespace `n` and an object with its catalogue, which keeps to what is the users' own.
fn own(catalogue: &str, object: &str) -> String {
    format!(
        "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' \
         AND n.nspname NOT LIKE 'pg\\_temp%' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e \
         WHERE e.classid = 'pg_catalog.{catalogue}'::regclass AND e.objid = {object}.oid AND e.deptype = 'e')"
    )
}

async fn locked<S: Session>(
    session: &mut S,
    tables: &mut Tables,
    untold: &mut Vec<String>,
) -> Result<Locked, DatabaseError> {
    let sql = "SELECT DISTINCT n.nspname::text, c.relname::text, c.oid
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())";
    let mut oids = Vec::new();
    for row in session.query(sql, &[]).await? {
        oids.push(text(&row, 2));
        if let Some(table) = table_of(tables, &row) {
            table.parts_known = false;
            untold.push(format!(
                "`{}` is locked by somebody just now: its defaults and indexes are not told",
                table.name
            ));
        }
    }
    Ok(Locked(oids))
}

async fn relations<S: Session>(session: &mut S) -> Result<Tables, DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, c.relkind::text,
            -- Never counted is -1; the servers before 14 say 0.
            CASE WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int < 140000
                 THEN -1 ELSE c.reltuples END::bigint, c.relrowsecurity,
            (c.relpages + coalesce((SELECT sum(i.relpages) FROM pg_catalog.pg_index x
                JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0)
             + coalesce((SELECT t.relpages FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid), 0))::bigint
            * current_setting('block_size')::bigint,
            (SELECT string_agg(pn.nspname || E'\\x1f' || p.relname, E'\\x1f' ORDER BY h.inhseqno)
             FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
             JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = c.oid),
            c.relispartition
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {} ORDER BY c.oid",
        own("pg_class", "c")
    );
    let mut tables = Tables::new();
    for row in session.query(&sql, &[]).await? {
        let kind = match text(&row, 2).as_str() {
            "v" => Kind::View,
            "m" => Kind::MaterializedView,
            _ => Kind::Table,
        };
        let mut table = Table::new(Name::plain(text(&row, 1)), kind, Birth::default());
        table.columns_known = true;
        table.partitioned = text(&row, 2) == "p";
        table.row_security = yes(&row, 4);
        if kind != Kind::View {
            (table.rows, table.bytes) = (number(&row, 3), number(&row, 5).filter(|bytes| *bytes > 0));
        }
        let parents = list(&row, 6);
        let parents = parents.chunks(2).map(|pair| Name { schema: Some(pair[0].clone()), name: pair[1].clone() });
        table.inherits = parents.collect();
        if yes(&row, 7) {
            table.partition_of = table.inherits.pop();
        }
        tables.insert((text(&row, 0), text(&row, 1)), table);
    }
    let sizes: Vec<_> = tables
        .values()
        .filter_map(|table| Some((table.partition_of.clone()?, table.rows?, table.bytes.unwrap_or(0))))
        .collect();
    for (parent, rows, bytes) in sizes {
        let key = (parent.schema.unwrap_or_default(), parent.name);
        if let Some(parent) = tables.get_mut(&key) {
            parent.rows = Some(parent.rows.unwrap_or(0) + rows);
            parent.bytes = Some(parent.bytes.unwrap_or(0) + bytes);
        }
    }
    Ok(tables)
}

async fn columns<S: Session>(session: &mut S, tables: &mut Tables, locked: &Locked) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            CASE WHEN a.attgenerated = '' THEN {} END, a.attidentity::text,
            a.attgenerated::text,
            (SELECT l.collname::text FROM pg_catalog.pg_collation l, pg_catalog.pg_type t
             WHERE l.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation)
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {}
         ORDER BY c.oid, a.attnum",
        locked.unless("d.adrelid", "pg_get_expr(d.adbin, d.adrelid)"),
        own("pg_class", "c")
    );
    for row in session.query(&sql, &[]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        let default = optional(&row, 5);
        let column = Column {
            name: text(&row, 2),
            data_type: text(&row, 3),
            not_null: yes(&row, 4),
            identity: !text(&row, 6).is_empty() || default.as_ref().is_some_and(|text| text.starts_with("nextval(")),
            default,
            generated: match text(&row, 7).as_str() {
                "s" => Some(Generated::Stored),
                "v" => Some(Generated::Virtual),
                _ => None,
            },
            collation: optional(&row, 8),
            ..Column::default()
        };
        table.columns.insert(column.name.clone(), Born { part: column, at: Birth::default() });
    }
    Ok(())
}

async fn constraints<S: Session>(session: &mut S, tables: &mut Tables, locked: &Locked) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, k.conname::text, k.contype::text, k.convalidated,
            (SELECT string_agg(a.attname, E'\\x1f' ORDER BY u.n)
             FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, n)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
            fn.nspname::text, f.relname::text, {},
            (SELECT x.relname::text FROM pg_catalog.pg_class x WHERE x.oid = k.conindid AND k.contype IN ('p', 'u', 'x'))
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
         WHERE k.contype IN ('c', 'f', 'p', 'u', 'x', 'n') AND {} ORDER BY k.oid",
        locked.unless("k.conrelid", "pg_get_expr(k.conbin, k.conrelid)"),
        own("pg_class", "c")
    );
    for row in session.query(&sql, &[]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        let columns = list(&row, 5);
        let kind = match text(&row, 3).as_str() {
            "c" => ConstraintKind::Check { expression: text(&row, 8) },
            "f" => {
                let references = Name { schema: optional(&row, 6), name: text(&row, 7) };
                ConstraintKind::ForeignKey { columns, references }
            }
            "u" => ConstraintKind::Unique { columns },
            "p" => ConstraintKind::PrimaryKey { columns },
            "n" => ConstraintKind::NotNull { column: columns.into_iter().next().unwrap_or_default() },
            _ => ConstraintKind::Exclude,
        };
        let name = text(&row, 2);
        let constraint =
            Constraint { name: Some(name.clone()), kind, not_valid: !yes(&row, 4), using_index: optional(&row, 9) };
        table.constraints.insert(name, Born { part: constraint, at: Birth::default() });
    }
    Ok(())
}

async fn indexes<S: Session>(session: &mut S, tables: &mut Tables, locked: &Locked) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, i.relname::text, x.indisunique, x.indisvalid AND x.indisready,
            (SELECT string_agg(CASE WHEN k.attnum = 0 THEN coalesce({}, '(expression)')
                                    ELSE a.attname::text END, E'\\x1f' ORDER BY k.n)
             FROM unnest(x.indkey) WITH ORDINALITY AS k(attnum, n)
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
             WHERE k.n <= x.indnkeyatts),
            am.amname::text, {}, x.indexprs IS NULL AND x.indpred IS NULL
         FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
         JOIN pg_catalog.pg_am am ON am.oid = i.relam JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k
                           WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) AND {} ORDER BY i.oid",
        locked.unless("x.indrelid", "pg_get_indexdef(x.indexrelid, k.n::int, true)"),
        locked.unless("x.indrelid", "pg_get_expr(x.indpred, x.indrelid)"),
        own("pg_class", "c")
    );
    for row in session.query(&sql, &[]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        let name = text(&row, 2);
        let predicate = optional(&row, 7);
        let index = Index {
            name: Some(name.clone()),
            columns: list(&row, 5),
            unique: yes(&row, 3),
            method: optional(&row, 6).filter(|method| method != "btree"),
            plain: yes(&row, 8),
            only: false,
            predicate,
        };
        if !yes(&row, 4) {
            table.invalid_indexes.insert(name.clone());
        }
        table.indexes.insert(name, Born { part: index, at: Birth::default() });
    }
    Ok(())
}

/// Triggers, policies, and what views read.
async fn dependents<S: Session>(session: &mut S, tables: &mut Tables) -> Result<(), DatabaseError> {
    let from = "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";
    let own = own("pg_class", "c");
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, t.tgname::text FROM pg_catalog.pg_trigger t
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid {from} WHERE NOT t.tgisinternal AND {own}"
    );
    for row in session.query(&sql, &[]).await? {
        if let Some(table) = table_of(tables, &row) {
            table.triggers.insert(text(&row, 2), Birth::default());
        }
    }
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, p.polname::text FROM pg_catalog.pg_policy p
         JOIN pg_catalog.pg_class c ON c.oid = p.polrelid {from} WHERE {own}"
    );
    for row in session.query(&sql, &[]).await? {
        if let Some(table) = table_of(tables, &row) {
            table.policies.insert(text(&row, 2), Birth::default());
        }
    }
    let sql = format!(
        "SELECT DISTINCT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text
         FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class {from}
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
              AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid
         JOIN pg_catalog.pg_class r ON r.oid = d.refobjid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
         WHERE c.relkind IN ('v', 'm') AND {own} ORDER BY 1, 2, 3, 4"
    );
    for row in session.query(&sql, &[]).await? {
        if let Some(view) = table_of(tables, &row) {
            view.reads.push(Name { schema: optional(&row, 2), name: text(&row, 3) });
        }
    }
    Ok(())
}

async fn types<S: Session>(session: &mut S, catalog: &mut Catalog) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, t.typname::text, t.typtype::text,
            (SELECT string_agg(e.enumlabel, E'\\x1f' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
             WHERE e.enumtypid = t.oid),
            format_type(t.typbasetype, t.typtypmod), t.typnotnull,
            EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
         FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
         WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND {}",
        own("pg_type", "t")
    );
    for row in session.query(&sql, &[]).await? {
        let kind = match text(&row, 2).as_str() {
            "e" => DataTypeKind::Enum { labels: list(&row, 3) },
            "d" => {
                let (data_type, not_null, check) = (text(&row, 4), yes(&row, 5), yes(&row, 6));
                DataTypeKind::Domain { data_type, not_null, check }
            }
            _ => DataTypeKind::Other,
        };
        let data_type = DataType { name: Name::plain(text(&row, 1)), kind, born: Birth::default() };
        catalog.insert_data_type(Some(&text(&row, 0)), data_type);
    }
    Ok(())
}

async fn sequences<S: Session>(session: &mut S, catalog: &mut Catalog) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text, a.attname::text
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
              AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
         LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE c.relkind = 'S' AND {}",
        own("pg_class", "c")
    );
    for row in session.query(&sql, &[]).await? {
        let table = optional(&row, 3).map(|name| Name { schema: optional(&row, 2), name });
        let owned_by = table.zip(optional(&row, 4));
        let sequence = Sequence { name: Name::plain(text(&row, 1)), owned_by, born: Birth::default() };
        catalog.insert_sequence(Some(&text(&row, 0)), sequence);
    }
    Ok(())
}

/// The table of a row that begins with schema and table.
fn table_of<'a>(tables: &'a mut Tables, row: &[Value]) -> Option<&'a mut Table> {
    tables.get_mut(&(text(row, 0), text(row, 1)))
}
