//! A live database beside a history: its schema, and which of the migrations it has had.

use std::collections::BTreeSet;

use super::{History, Migration};
use crate::schema::Catalog;
use crate::sql::Name;

/// What a live database told.
#[derive(Debug, Clone)]
pub struct Live {
    /// Its name and version, for people: `PostgreSQL 15.18`.
    pub server: String,
    pub catalog: Catalog,
    /// `None` without a history table that we know.
    pub applied: Option<Applied>,
    /// Tables of migration tools and of ours, which no migration makes.
    pub tool_tables: Vec<Name>,
    /// Parts that it would not tell, one sentence each.
    pub untold: Vec<String>,
}

/// What a migration tool's own table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The table, as the tool calls it.
    pub table: String,
    pub versions: Versions,
}

/// How a tool remembers what has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Every version that has run.
    Each(BTreeSet<String>),
    /// All up to this one in the order of the history; `None` is none.
    UpTo(Option<String>),
    /// So many, from the first in the order of the history.
    First(usize),
}

impl History {
    /// Marks the migrations that the database has had, and says what follows from it.
    pub fn set_live(&mut self, mut live: Live) {
        self.notes.extend(live.untold.iter().cloned());
        let tables = live.catalog.tables().count();
        let server = &live.server;
        let sizes = "every migration is judged by replay, and sizes are those of the live database";
        match &live.applied {
            None => self.notes.push(format!(
                "{server}: {tables} tables and views read; no table of a migration tool tells which migrations it has \
                 had: {sizes}"
            )),
            Some(_) if self.migrations.iter().any(|migration| migration.starts_anew) => {
                self.notes.push(format!(
                    "{server}: {tables} tables and views read; these migrations are for more than one database: {sizes}"
                ));
                live.applied = None;
            }
            Some(applied) => {
                let unknown = self.mark(applied);
                let versioned = self.migrations.iter().filter(|migration| !migration.baseline);
                let (all, had) = (versioned.clone().count(), versioned.filter(|migration| migration.applied).count());
                let mut note = format!("{server}: {} of {all} migrations are applied (`{}`)", had, applied.table);
                note += &match all - had {
                    0 => ": none is left to judge".to_string(),
                    1 => ": 1 is judged, against the live schema".to_string(),
                    left => format!(": {left} are judged, against the live schema"),
                };
                self.notes.push(note);
                if !unknown.is_empty() {
                    const SHOWN: usize = 3;
                    let shown: Vec<_> = unknown.iter().take(SHOWN).map(String::as_str).collect();
                    let more = unknown.len().saturating_sub(SHOWN);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    self.notes.push(format!(
                        "`{}` names versions that are not among these migrations: {}{more}",
                        applied.table,
                        shown.join(", ")
                    ));
                }
            }
        }
        self.live = Some(live);
    }

    /// Marks what has run, and returns the versions that none of the migrations has.
    fn mark(&mut self, applied: &Applied) -> Vec<String> {
        let mut unknown = Vec::new();
        let mut left = match &applied.versions {
            Versions::First(count) => *count,
            Versions::Each(_) | Versions::UpTo(_) => 0,
        };
        let last = match &applied.versions {
            Versions::UpTo(Some(last)) => {
                let at =
                    self.migrations.iter().rposition(|migration| own_names(migration).any(|own| own == normal(last)));
                if at.is_none() {
                    unknown.push(last.clone());
                }
                at
            }
            _ => None,
        };
        let mut found = BTreeSet::new();
        for (index, migration) in self.migrations.iter_mut().enumerate() {
            migration.applied = match &applied.versions {
                _ if migration.baseline => true,
                Versions::Each(versions) => {
                    let version = own_names(migration).find(|name| versions.contains(name));
                    let is = version.is_some();
                    found.extend(version);
                    is
                }
                Versions::UpTo(_) => last.is_some_and(|last| index <= last),
                Versions::First(_) => {
                    let is = left > 0;
                    left = left.saturating_sub(1);
                    is
                }
            };
            migration.replayed |= migration.applied;
        }
        if let Versions::Each(versions) = &applied.versions {
            unknown.extend(versions.difference(&found).cloned());
        }
        unknown
    }
}

/// Every name by which a tool may know a migration, normalised as `normal` does.
fn own_names(migration: &Migration) -> impl Iterator<Item = String> {
    let path = migration.path.replace('\\', "/");
    let mut parts = path.rsplit('/').map(str::to_string);
    let file = parts.next().unwrap_or_default();
    let directory = parts.next();
    let stem = file.strip_suffix(".sql").unwrap_or(&file).to_string();
    let version = migration.version.as_deref().map(normal);
    version.into_iter().chain([file, stem]).chain(directory)
}

/// A version as a number has no leading zeros; any other is as it is.
pub fn normal(version: &str) -> String {
    let number = version.trim_start_matches('0');
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    match is_number {
        true if number.is_empty() => "0".to_string(),
        true => number.to_string(),
        false => version.to_string(),
    }
}
