//! How MySQL and MariaDB are told to carry out what alters a table: in a way that keeps no writer waiting, or not at all.
//! What is told nothing copies a table of any size while its writers wait.

use crate::schema::{self, Catalog};
use crate::sql::{self, Change, Clause, Dialect, Engine, Name};

/// Up to so many rows a table may be copied without the user having said so: it takes less than a lock may wait.
pub const SMALL_TABLE: u32 = 10_000;

const INSTANT: &str = "ALGORITHM=INSTANT";
/// An explicit ALGORITHM=INPLACE would have MySQL rebuild what it does instantly.
const ONLINE: &str = "LOCK=NONE";

/// What is sent in place of a statement that says nothing itself of how it is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// The table that it alters.
    pub table: Name,
    /// From the cheapest on: the next where the server refuses one. None where no clause keeps it from copying. After
    /// the last, the statement goes as it is written to a table of `SMALL_TABLE` rows at most.
    pub ways: Vec<Way>,
}

/// A clause, and the statement with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub clause: &'static str,
    pub sql: String,
}

/// How this statement is to be carried out; `None` where it goes as it is written: it alters no table, it says how
/// itself, or there is only one way.
pub fn manner(text: &str, dialect: Dialect) -> Option<Manner> {
    if dialect != Dialect::Mysql {
        return None;
    }
    let mut statements = sql::read(text, dialect);
    let mut clauses = statements.pop().filter(|_| statements.is_empty())?.parsed.ok()?;
    let says_itself = |clause: &Clause| {
        let other =
            matches!(clause.change, Change::AlterMode { .. } | Change::CreateTable { .. } | Change::Maintain { .. });
        other || clause.in_body
    };
    if clauses.iter().any(says_itself) {
        return None;
    }
    // The rest of its statement is what takes time.
    clauses.retain(|clause| !matches!(clause.change, Change::RenameTable { .. }));
    let table = clauses.first()?.change.table()?.clone();
    let effect = schema::together(&clauses, &Catalog::new(dialect), Engine::from(dialect))?;
    let takes_clauses = !clauses.iter().any(|clause| ignores_clauses(&clause.change));
    let wanted: &[&str] = match effect.locks.first()?.mode {
        INSTANT if takes_clauses => &[INSTANT, ONLINE],
        mode if mode.starts_with("ALGORITHM=") && takes_clauses => &[ONLINE],
        mode if mode.starts_with("ALGORITHM=") || effect.rewrites == schema::Answer::Yes => &[],
        _ => return None,
    };
    let comma = match text.split_whitespace().next()?.to_ascii_uppercase().as_str() {
        "ALTER" => ",",
        "CREATE" => "",
        // MariaDB's DROP INDEX takes no clause, and InnoDB needs none for it.
        _ => return None,
    };
    let ways = wanted.iter().map(|clause| Way { clause, sql: format!("{text}{comma} {clause}") }).collect();
    Some(Manner { table, ways })
}

/// Nothing can follow it, or MariaDB copies whatever the clause says.
fn ignores_clauses(change: &Change) -> bool {
    let Change::AlterTable { action, value, .. } = change else { return false };
    action == "ORDER BY" || action.contains("PARTITION") || action == "ENGINE" && value.as_deref() != Some("innodb")
}
