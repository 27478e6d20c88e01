//! Which migrations a database has had, told from the table of the tool that ran them. Read, never written.

use super::{optional, text};
use crate::database::{DatabaseError, Session, Value};
use crate::history::live::{Applied, Versions, normal};
use crate::schema::{Catalog, Table};
use crate::sql::Name;

/// A tool's table, and how it is read.
struct Tool {
    /// Of PostgreSQL; other databases have none.
    schema: Option<&'static str>,
    table: &'static str,
    /// A column that tells it from another tool's table of that name.
    column: &'static str,
    /// The versions in the order in which they ran.
    query: &'static str,
    remembers: fn(Vec<String>) -> Option<Versions>,
}

/// The tables that we know; where a database has several, the first one here counts.
const TOOLS: &[Tool] = &[
    Tool::each(None, "_sqlx_migrations", "success", "SELECT version FROM {} WHERE success"),
    Tool::each(
        None,
        "flyway_schema_history",
        "installed_rank",
        "SELECT coalesce(version, script) FROM {} WHERE success ORDER BY installed_rank",
    ),
    Tool::each(
        None,
        "_prisma_migrations",
        "migration_name",
        "SELECT migration_name FROM {} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL",
    ),
    Tool::each(None, "refinery_schema_history", "version", "SELECT version FROM {}"),
    Tool::each(None, "__diesel_schema_migrations", "version", "SELECT version FROM {}"),
    Tool::each(Some("atlas_schema_revisions"), "atlas_schema_revisions", "version", "SELECT version FROM {}"),
    Tool::each(None, "atlas_schema_revisions", "version", "SELECT version FROM {}"),
    Tool::each(Some("supabase_migrations"), "schema_migrations", "version", "SELECT version FROM {}"),
    Tool::each(
        None,
        "goose_db_version",
        "version_id",
        // The last word on each version counts; version 0 is the table's own.
        "SELECT version_id FROM {} g WHERE is_applied AND version_id > 0
           AND id = (SELECT max(id) FROM {} l WHERE l.version_id = g.version_id)",
    ),
    Tool::each(None, "databasechangelog", "author", "SELECT concat(concat(author, ':'), id) FROM {}"),
    Tool::each(None, "django_migrations", "app", "SELECT concat(concat(app, '.'), name) FROM {}"),
    Tool { remembers: first, ..Tool::each(Some("drizzle"), "__drizzle_migrations", "hash", "SELECT id FROM {}") },
    Tool { remembers: first, ..Tool::each(None, "__drizzle_migrations", "hash", "SELECT id FROM {}") },
    Tool { remembers: up_to, ..Tool::each(None, "alembic_version", "version_num", "SELECT version_num FROM {}") },
    // golang-migrate's has one row; dbmate's and Rails' one for each version.
    Tool { remembers: up_to, ..Tool::each(None, "schema_migrations", "dirty", "SELECT version FROM {}") },
    Tool::each(None, "schema_migrations", "version", "SELECT version FROM {}"),
    // pop's.
    Tool::each(None, "schema_migration", "version", "SELECT version FROM {}"),
];

impl Tool {
    const fn each(
        schema: Option<&'static str>,
        table: &'static str,
        column: &'static str,
        query: &'static str,
    ) -> Self {
        Self { schema, table, column, query, remembers: each }
    }

    /// Its table, if it is there.
    fn find<'a>(&self, catalog: &'a Catalog) -> Option<&'a Table> {
        let name = Name { schema: self.schema.map(str::to_string), name: self.table.to_string() };
        catalog.table(&name).filter(|table| table.columns.contains_key(self.column))
    }
}

fn each(versions: Vec<String>) -> Option<Versions> {
    Some(Versions::Each(versions.iter().map(|version| normal(version)).collect()))
}

/// Several heads say nothing about an order.
fn up_to(versions: Vec<String>) -> Option<Versions> {
    (versions.len() <= 1).then(|| Versions::UpTo(versions.into_iter().next()))
}

fn first(versions: Vec<String>) -> Option<Versions> {
    Some(Versions::First(versions.len()))
}

/// What the first table that we know says; what cannot be read is said in `untold`.
pub(super) async fn read<S: Session>(
    session: &mut S,
    catalog: &Catalog,
    untold: &mut Vec<String>,
) -> Result<Option<Applied>, DatabaseError> {
    let mut known = TOOLS.iter().filter_map(|tool| Some((tool, tool.find(catalog)?)));
    let Some((tool, table)) = known.next() else { return Ok(None) };
    let others: Vec<_> =
        known.filter(|(_, other)| other.name != table.name).map(|(_, other)| format!("`{}`", other.name)).collect();
    if !others.is_empty() {
        untold.push(format!("the database has `{}` and {}: the first one counts", table.name, others.join(", ")));
    }
    let sql = tool.query.replace("{}", &session.dialect().quote_name(&table.name));
    let rows: Vec<Vec<Value>> = match session.query(&sql, &[]).await {
        Ok(rows) => rows,
        Err(error) => {
            untold.push(format!("`{}` cannot be read: {error}", table.name));
            return Ok(None);
        }
    };
    let versions = rows.iter().filter_map(|row| optional(row, 0)).collect();
    let Some(versions) = (tool.remembers)(versions) else {
        let heads: Vec<_> = rows.iter().map(|row| text(row, 0)).collect();
        untold.push(format!("`{}` names several versions at once: {}", table.name, heads.join(", ")));
        return Ok(None);
    };
    Ok(Some(Applied { table: table.name.to_string(), versions }))
}

/// Whether a table is a migration tool's own, or our ledger's.
pub(super) fn is_of_a_tool(name: &Name) -> bool {
    let others = ["databasechangeloglock", "ar_internal_metadata", "_prisma_migrations_lock", "gorp_migrations"];
    let ours = name.schema.as_deref() == Some("lockkeeper") || name.name.starts_with("lockkeeper_");
    ours || TOOLS.iter().map(|tool| tool.table).chain(others).any(|table| table.eq_ignore_ascii_case(&name.name))
}
