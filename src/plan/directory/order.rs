//! The order in which nobody's write is refused: shape, sync, fill, prove, enforce; and what contract takes away.

use super::backfill::Batched;
use super::{Statement, first_word};
use crate::error::Result;
use crate::plan::Trigger;
use crate::sql::{self, Assignment, Change, Clause, Conjunct, ConstraintKind, Dialect, Name};

/// The first statement of backfill.sql that makes the server refuse what is not proved yet: it and those below it come
/// after the proof. `filled` says of each statement how it fills.
///
/// # Errors
/// What is filled after it is enforced: in expand.sql, or further up in backfill.sql.
pub(super) fn first_that_enforces(
    expand: &[Statement],
    backfill: &[Statement],
    filled: &[Option<Batched<'_>>],
    dialect: Dialect,
) -> Result<usize> {
    let filled: Vec<Option<Filled<'_>>> =
        backfill.iter().zip(filled).map(|(statement, batched)| Filled::by(statement, batched.as_ref()?)).collect();
    let born = |table: &Name| {
        let creates =
            |clause: &Clause| matches!(&clause.change, Change::CreateTable { table: new, .. } if new == table);
        expand.iter().flat_map(|statement| &statement.clauses).any(creates)
    };
    let demands =
        |statement: &Statement| statement.clauses.iter().find_map(|clause| demanded(&clause.change, &filled, dialect));
    for statement in expand {
        if let Some(what) = demands(statement)
            && !statement.clauses.iter().all(|clause| clause.change.table().is_some_and(born))
        {
            return Err(statement
                .refused(format!("this demands something of {what} before backfill.sql has filled it"))
                .hint(
                    "write it below the UPDATE in backfill.sql, where what enforces runs after the proof, or in \
                     contract.sql: until then it refuses writes of the version that is running",
                ));
        }
    }
    let first = backfill.iter().position(|statement| demands(statement).is_some()).unwrap_or(backfill.len());
    if let Some(late) =
        backfill.iter().zip(&filled).skip(first).find_map(|(late, fills)| fills.as_ref().and(Some(late)))
    {
        let line = backfill[first].line;
        return Err(late
            .refused(format!("this fills after line {line} has begun to enforce"))
            .hint("write what fills above the first constraint: the proof stands between them"));
    }
    Ok(first)
}

/// What a statement of backfill.sql writes; without columns where it does not name them.
struct Filled<'a> {
    table: &'a Name,
    columns: &'a [String],
}

impl<'a> Filled<'a> {
    fn by(statement: &'a Statement, batched: &'a Batched<'_>) -> Option<Self> {
        Some(match statement.only_change()? {
            Change::Insert { table, columns, .. } => Self { table, columns },
            _ => Self { table: &batched.backfill.rows.table, columns: &batched.backfill.rows.written },
        })
    }
}

/// The filled column that a change demands something of, in words.
fn demanded(change: &Change, filled: &[Option<Filled<'_>>], dialect: Dialect) -> Option<String> {
    let one_of = |table: &Name, demands: &dyn Fn(&str) -> bool| {
        let of_table = filled.iter().flatten().filter(|filled| filled.table == table);
        of_table.flat_map(|filled| filled.columns).find(|column| demands(column)).map(|column| format!("`{column}`"))
    };
    let among = |table: &Name, columns: &[String]| {
        one_of(table, &|column| columns.iter().any(|other| other.eq_ignore_ascii_case(column)))
    };
    match change {
        Change::SetNotNull { table, column } => among(table, std::slice::from_ref(column)),
        Change::AddColumn { table, column, .. } if column.references.is_some() || column.unique || column.check => {
            among(table, std::slice::from_ref(&column.name))
        }
        Change::CreateIndex { table, index, .. } if index.unique => among(table, &index.columns),
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::Check { expression } => one_of(table, &|column| sql::mentions(dialect, expression, column)),
            ConstraintKind::ForeignKey { columns, .. }
            | ConstraintKind::Unique { columns }
            | ConstraintKind::PrimaryKey { columns } => among(table, columns),
            ConstraintKind::NotNull { column } => among(table, std::slice::from_ref(column)),
            // Its columns are not known.
            ConstraintKind::Exclude => one_of(table, &|_| true),
        },
        _ => None,
    }
}

/// The triggers of expand.sql: while they stand, what was proved stays true.
pub(super) fn sync(expand: &[Statement]) -> Vec<Trigger> {
    let clauses = expand.iter().flat_map(|statement| &statement.clauses);
    let trigger = |clause: &Clause| match &clause.change {
        Change::CreateTrigger { table, name } => Some(Trigger { table: table.clone(), name: name.clone() }),
        _ => None,
    };
    clauses.filter_map(trigger).collect()
}

/// `WHERE note IS NULL` in front of a constant says which rows are meant: beside a constant there is no old value
/// that a row could have missed, and a version that wrote another value meant it.
pub(super) fn is_meant(dialect: Dialect, part: &Conjunct, written: &[Assignment]) -> bool {
    let asks_for_null = first_word(part.text.trim_end().rsplit(' ').next().unwrap_or_default()) == "NULL";
    asks_for_null && written.iter().all(|assignment| sql::is_constant(dialect, &assignment.expression))
}

/// After it something is gone, or means something else, that a proof may rest on. Every change that is not known to
/// only add or to enforce.
pub(super) fn takes_away(change: &Change) -> bool {
    match change {
        Change::CreateTable { .. }
        | Change::AddColumn { .. }
        | Change::SetNotNull { .. }
        | Change::DropNotNull { .. }
        | Change::SetDefault { .. }
        | Change::DropDefault { .. }
        | Change::AddConstraint { .. }
        | Change::ValidateConstraint { .. }
        | Change::DropConstraint { .. }
        | Change::CreateIndex { .. }
        | Change::DropIndex { .. }
        | Change::Reindex { .. }
        | Change::AlterMode { .. }
        | Change::AttachPartition { .. }
        | Change::Maintain { .. }
        | Change::CreateFunction { or_replace: false, .. }
        | Change::CreateView { or_replace: false, .. }
        | Change::RefreshView { .. }
        | Change::CreateType { .. }
        | Change::AddLabel { .. }
        | Change::CreateDomain { .. }
        | Change::CreateSequence { .. }
        | Change::Grant { .. }
        | Change::Insert { .. } => false,
        Change::Other { kind } => ["DROP", "TRUNCATE", "ALTER"].contains(&first_word(kind).as_str()),
        _ => true,
    }
}
