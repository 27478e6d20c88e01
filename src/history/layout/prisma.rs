//! Prisma: a directory `<time>_name` with `migration.sql`; `migration_lock.toml` tells the dialect.

use serde_json::Value;

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
    read: |directory, dialect| {
        let transaction = transaction(directory, dialect);
        Reading::of(directory, by_text, |entry, _| place(entry, transaction))
    },
    assumed: "in the order of the names as text, each file sent at once (on PostgreSQL several statements are one transaction; \
              since Prisma 7.4 not with CREATE INDEX CONCURRENTLY)",
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

/// PostgreSQL makes one transaction of what is sent at once. Since 7.4 Prisma sends the statements one by one where
/// one of them builds an index concurrently.
fn transaction(directory: &Directory, dialect: Dialect) -> Transaction {
    match dialect {
        Dialect::Postgres if splits(directory) == Some(true) => Transaction::IfSeveralUnlessIndexed,
        Dialect::Postgres => Transaction::IfSeveral,
        Dialect::Mysql | Dialect::Sqlite => Transaction::Never,
    }
}

/// `None` where nobody says which version it is.
fn splits(directory: &Directory) -> Option<bool> {
    let (_, text) = directory.project_file(&["package.json"])?;
    let package: Value = serde_json::from_str(&text).ok()?;
    let version = ["devDependencies", "dependencies"].iter().find_map(|of| package[of]["prisma"].as_str())?;
    let mut numbers = version.trim_start_matches(['^', '~', '=', 'v']).split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?) >= (7, 4))
}

fn place(entry: &Entry, transaction: Transaction) -> Place {
    if entry.kind != EntryKind::Own("migration.sql") {
        return Place::Aside("Prisma runs only `migration.sql` in a directory of its own");
    }
    let version = entry.name.split('_').next().unwrap_or_default();
    Place::run(Run::new(version, transaction).ordered(by_text(&entry.name)))
}
