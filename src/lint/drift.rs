//! Drift as findings: at the statement that made what differs, one for each table, and never a flood.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::history::{History, Live};
use crate::schema::drift::{Drift, What, drift};
use crate::schema::{Birth, Catalog};
use crate::sql::{Change, Statement};

/// One finding to be.
pub(super) struct Raised {
    pub(super) range: Range<usize>,
    pub(super) message: String,
}

/// As many tables have a finding of their own; the rest share one.
const TABLES: usize = 10;
/// As many details, or names, a finding tells.
const DETAILS: usize = 3;

/// What to do about it.
pub(super) const HELP: &str = "the live schema is what the migrations are judged against; find out who made the \
     difference, and write a migration that takes it over or takes it back";

/// What the migrations that the database has had leave, against what it has; by the migrations' places.
pub(super) fn raised(history: &History, live: &Live, replayed: &Catalog) -> BTreeMap<usize, Vec<Raised>> {
    let mut raised: BTreeMap<usize, Vec<Raised>> = BTreeMap::new();
    let mut at = |born: Option<&Birth>, message: String| {
        let known = born.filter(|born| born.migration > 0);
        let first = history.migrations.iter().position(|migration| migration.applied).unwrap_or(0);
        let (index, range) = match known {
            Some(born) => (born.migration - 1, born.range.clone()),
            None => (first, first_statement(history, first)),
        };
        raised.entry(index).or_default().push(Raised { range, message });
    };
    let (unknown, known): (Vec<Drift>, Vec<Drift>) =
        drift(replayed, &live.catalog, &live.tool_tables).into_iter().partition(|drift| drift.what == What::Unknown);
    let mut others = Vec::new();
    for (number, drift) in known.iter().enumerate() {
        let table = &drift.table;
        if number >= TABLES {
            others.push(table.to_string());
            continue;
        }
        let message = match &drift.what {
            What::Differs(details) => format!("`{table}` is not what the database has: {}", several(details, "; ")),
            What::Missing | What::Unknown => {
                format!("the database lacks `{table}`, although this migration has run there")
            }
        };
        at(drift.born.as_ref(), message);
    }
    if !others.is_empty() {
        at(None, format!("{} more tables are not what the database has: {}", others.len(), quoted(&others)));
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|drift| drift.table.to_string()).collect();
        let unsure = match untold(history) {
            0 => String::new(),
            1 => "; 1 statement that was not read, or is decided when it runs, may have made it".into(),
            many => format!("; {many} statements that were not read, or are decided when they run, may have made it"),
        };
        at(None, format!("the database has what no migration makes: {}{unsure}", quoted(&names)));
    }
    raised
}

/// How many statements that have run there could have done anything.
fn untold(history: &History) -> usize {
    let had = history.migrations.iter().filter(|migration| migration.applied);
    let is_untold = |statement: &&Statement| match &statement.parsed {
        Ok(clauses) => clauses.iter().any(|clause| matches!(clause.change, Change::Opaque { .. })),
        Err(_) => true,
    };
    had.flat_map(|migration| &migration.statements).filter(is_untold).count()
}

fn first_statement(history: &History, index: usize) -> Range<usize> {
    let migration = history.migrations.get(index);
    migration.and_then(|migration| migration.statements.first()).map_or(0..0, |statement| statement.range.clone())
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    several(&quoted, ", ")
}

fn several(details: &[String], between: &str) -> String {
    let shown = details.iter().take(DETAILS).map(String::as_str).collect::<Vec<_>>().join(between);
    match details.len().saturating_sub(DETAILS) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}
