//! What a change costs: the lock it takes, whom that blocks, whether the table is scanned or rewritten.

use super::Catalog;
use crate::sql::{Change, Dialect};

/// Whom a change blocks while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    Nobody,
    Writes,
    ReadsAndWrites,
}

/// What a change costs on its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The engine's own word for the lock, as `pg_locks` or the ALGORITHM clause has it.
    pub lock: &'static str,
    pub blocks: Blocks,
    /// Every row is written anew.
    pub rewrites: bool,
    /// Every row is read.
    pub scans: bool,
}

/// The effect of `change`; `None` where nothing is known, which is no promise of harmlessness.
pub fn effect(change: &Change, before: &Catalog, dialect: Dialect) -> Option<Effect> {
    let _ = (change, before, dialect);
    None
}
