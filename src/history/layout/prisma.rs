//! Prisma: a directory `<time>_name` with `migration.sql`; `migration_lock.toml` tells the dialect.

use super::directory::{Directory, Entry, EntryKind};
use super::order::by_text;
use super::reading::{Place, Reading, Run, Transaction};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "prisma",
    recursive: false,
    // Prisma knows a migration by its directory's whole name.
    unique: false,
    sign,
    dialect,
    read: |directory, dialect| Reading::of(directory, by_text, |entry, _| place(entry, dialect)),
    assumed: "in the order of the names as text, each file sent at once (on PostgreSQL several statements are one transaction; \
              since Prisma 7.4 none around CREATE INDEX CONCURRENTLY)",
};

const LOCK: &str = "migration_lock.toml";

fn sign(directory: &Directory) -> Option<Sign> {
    let fits = directory.mostly(|entry| entry.kind == EntryKind::Own("migration.sql"));
    let sign = if directory.beside(LOCK).is_some() { Sign::Mark(LOCK) } else { Sign::Names };
    fits.then_some(sign)
}

fn dialect(directory: &Directory) -> Option<Dialect> {
    let lock = directory.beside(LOCK)?.parse::<toml::Table>().ok()?;
    Dialect::from_word(lock.get("provider")?.as_str()?).ok()
}

fn place(entry: &Entry, dialect: Dialect) -> Place {
    if entry.kind != EntryKind::Own("migration.sql") {
        return Place::Aside("Prisma runs only `migration.sql` in a directory of its own");
    }
    let transaction = match dialect {
        Dialect::Postgres => Transaction::IfSeveral,
        Dialect::Mysql | Dialect::Sqlite => Transaction::Never,
    };
    let version = entry.name.split('_').next().unwrap_or_default();
    Place::run(Run::new(version, transaction).ordered(by_text(&entry.name)))
}
