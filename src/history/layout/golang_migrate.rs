//! golang-migrate: `1_name.up.sql` with `1_name.down.sql`.

use super::directory::{Directory, Entry};
use super::order::by_value;
use super::reading::{DOWN, Place, Reading, Run, Transaction, numbered};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "golang-migrate",
    recursive: false,
    unique: true,
    sign,
    dialect: |_| None,
    read: |directory, dialect| Reading::of(directory, by_value, |entry, _| place(entry, dialect)),
    assumed: "in the order of the numbers, each file sent at once (on PostgreSQL several statements are one transaction)",
};

fn sign(directory: &Directory) -> Option<Sign> {
    // More dots are of other tools, which name a dialect so.
    let fits = |(_, rest): (&str, &str)| {
        let title = rest.strip_suffix(".up").or(rest.strip_suffix(".down"));
        title.is_some_and(|title| !title.contains('.'))
    };
    let fits = |entry: &Entry| entry.script().and_then(numbered).is_some_and(fits);
    directory.mostly(fits).then(|| directory.project_names("golang-migrate", &["go.mod"]).map_or(Sign::Names, Sign::Project))
}

fn place(entry: &Entry, dialect: Dialect) -> Place {
    // Of its drivers only the one for SQLite begins a transaction.
    let transaction = match dialect {
        Dialect::Postgres => Transaction::IfSeveral,
        Dialect::Mysql => Transaction::Never,
        Dialect::Sqlite => Transaction::Always,
    };
    match entry.script().and_then(numbered) {
        Some((_, rest)) if rest.ends_with(".down") => Place::Aside(DOWN),
        Some((version, rest)) if rest.ends_with(".up") => Place::run(Run::new(version, transaction)),
        _ => Place::Aside("golang-migrate runs only `1_name.up.sql`"),
    }
}
