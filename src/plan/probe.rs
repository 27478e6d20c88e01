//! How a resumed run finds out whether a statement took effect whose answer was lost.
//!
//! Where DDL commits with its ledger row, the row tells. Elsewhere the schema must: every expectation is
//! false before the statement and true after it, or else the statement has to bear being repeated.

use super::{Expectation, Probe};
use crate::sql::{Change, Clause, ColumnAction, Constraint, ConstraintKind, Dialect, Name, Object};

/// Whether the statement shares a transaction with its ledger row, and its probe.
pub(super) fn probe(dialect: Dialect, sql: &str, clauses: &[Clause]) -> (bool, Probe) {
    let transactional = match dialect {
        Dialect::Mysql => !clauses.is_empty() && clauses.iter().all(|clause| is_dml(&clause.change)),
        Dialect::Postgres | Dialect::Sqlite => !refuses_transaction(sql, clauses),
    };
    if transactional {
        return (true, Probe::Ledger);
    }
    if let [Clause { change: Change::Reindex { what, name: Some(name), concurrently: true }, .. }] = clauses
        && ["INDEX", "TABLE"].contains(&what.as_str())
    {
        return (false, Probe::Rebuilt { index: what == "INDEX", name: name.clone() });
    }
    let mut expectations = Vec::new();
    let mut repeatable = true;
    for clause in clauses {
        match in_mysql(&clause.change).filter(|_| dialect == Dialect::Mysql).unwrap_or_else(|| after(&clause.change)) {
            // CREATE OR REPLACE finds what it makes; so does IF NOT EXISTS, but PostgreSQL leaves an
            // invalid index behind where a concurrent build broke off, and only the schema tells.
            After::Expect(..) if or_replace(sql) => {}
            After::Expect(_, true) if dialect == Dialect::Mysql => {}
            After::Expect(expected, _) => expectations.extend(expected),
            After::Repeat => {}
            After::Unknown => repeatable = false,
        }
    }
    // What is taken away and made anew in one statement, as the key is by DROP PRIMARY KEY, ADD PRIMARY KEY and a name
    // by RENAME TABLE t TO old, new TO t, is there before and after. Columns and tables made anew would lose twice.
    let is_anew = |one: &Expectation| {
        expectations.iter().any(|other| other.thing() == one.thing() && other.exists() != one.exists())
    };
    let (anew, expectations): (Vec<_>, Vec<_>) = expectations.iter().cloned().partition(is_anew);
    repeatable &= !anew.iter().any(|one| matches!(one, Expectation::Table { .. } | Expectation::Column { .. }));
    // One statement is one change to a server that makes it at all: what can be seen speaks for the rest.
    let probe = match (expectations.is_empty(), repeatable && !clauses.is_empty()) {
        (false, _) => Probe::Schema(expectations),
        (true, true) => Probe::Repeat,
        (true, false) => Probe::None,
    };
    (false, probe)
}

/// As `probe`, for a statement of revert.sql. What only drops is probed in a transaction as well: of a change that
/// got half way, what is not there need not be undone.
pub(super) fn undo(dialect: Dialect, sql: &str, clauses: &[Clause]) -> (bool, Probe) {
    let (transactional, probe) = probe(dialect, sql, clauses);
    let mut gone = Vec::new();
    for clause in clauses {
        match after(&clause.change) {
            After::Expect(expected, _) if expected.iter().all(|one| one.exists() == Some(false)) => {
                gone.extend(expected)
            }
            _ => return (transactional, probe),
        }
    }
    // SQLite cannot be asked for a constraint.
    let askable = dialect != Dialect::Sqlite || !gone.iter().any(|one| matches!(one, Expectation::Constraint { .. }));
    if gone.is_empty() || !askable { (transactional, probe) } else { (transactional, Probe::Schema(gone)) }
}

fn is_dml(change: &Change) -> bool {
    matches!(change, Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. })
}

/// The statements that PostgreSQL and SQLite do not allow inside a transaction.
fn refuses_transaction(sql: &str, clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match &clause.change {
        Change::CreateIndex { concurrently, .. }
        | Change::DropIndex { concurrently, .. }
        | Change::DetachPartition { concurrently, .. } => *concurrently,
        Change::Reindex { what, concurrently, .. } => *concurrently || ["DATABASE", "SYSTEM"].contains(&what.as_str()),
        other => {
            let kind = other.words();
            let words = |words: &[&str]| words.iter().any(|word| kind.starts_with(word));
            words(&["VACUUM", "ALTER SYSTEM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE"])
                || words(&["DROP TABLESPACE", "CREATE SUBSCRIPTION", "DROP SUBSCRIPTION"])
                || (words(&["REINDEX", "ALTER TABLE"]) && sql.to_ascii_uppercase().contains("CONCURRENTLY"))
        }
    })
}

fn or_replace(sql: &str) -> bool {
    let mut words = sql.split_whitespace().map(str::to_ascii_uppercase);
    (words.next().as_deref(), words.next().as_deref(), words.next().as_deref())
        == (Some("CREATE"), Some("OR"), Some("REPLACE"))
}

/// What is so after a change.
enum After {
    /// These hold, and did not before; unless the statement allows for that, which the flag says.
    Expect(Vec<Expectation>, bool),
    /// Nothing that a question could tell, but repeating it does no harm.
    Repeat,
    Unknown,
}

/// Statements without a change that end the same however often they run.
const REPEATABLE: [&str; 5] = ["ANALYZE", "GRANT", "OPTIMIZE", "REVOKE", "VACUUM"];

/// What MySQL does in its own way: its primary keys all have one name, and its options are set, however often.
fn in_mysql(change: &Change) -> Option<After> {
    const HARMLESS: [&str; 8] = [
        "ALTER CHECK",
        "ALTER CONSTRAINT",
        "ALTER INDEX",
        "DISABLE KEYS",
        "ENABLE KEYS",
        "FORCE",
        "ORDER BY",
        "PARTITION BY",
    ];
    match change {
        Change::AddConstraint { table, constraint: Constraint { kind: ConstraintKind::PrimaryKey { .. }, .. } } => {
            let key = Expectation::Constraint { table: table.clone(), constraint: "PRIMARY".into(), exists: true };
            Some(After::Expect(vec![key], false))
        }
        Change::RenameObject { object: Object::Index, name, table: Some(table), to } => {
            let is = |name: &str, exists| Expectation::Index {
                table: Some(table.clone()),
                index: Name::plain(name),
                exists,
            };
            Some(After::Expect(vec![is(to, true), is(&name.name, false)], false))
        }
        Change::AlterTable { value: Some(_), .. } => Some(After::Repeat),
        Change::AlterTable { action, .. } if HARMLESS.iter().any(|words| action.starts_with(words)) => {
            Some(After::Repeat)
        }
        _ => None,
    }
}

fn after(change: &Change) -> After {
    let index = |table: Option<&Name>, name: &Name, exists| {
        let schema = name.schema.clone().or_else(|| table.and_then(|table| table.schema.clone()));
        Expectation::Index { table: table.cloned(), index: Name { schema, name: name.name.clone() }, exists }
    };
    let table_is = |table: &Name, exists| Expectation::Table { table: table.clone(), exists };
    let column_is = |table: &Name, column: &str, exists| Expectation::Column {
        table: table.clone(),
        column: column.to_string(),
        exists,
    };
    match change {
        Change::CreateTable { table, if_not_exists, .. } => After::Expect(vec![table_is(table, true)], *if_not_exists),
        Change::DropTable { table, if_exists, .. } => After::Expect(vec![table_is(table, false)], *if_exists),
        Change::RenameTable { table, to } => After::Expect(vec![table_is(to, true), table_is(table, false)], false),
        Change::AddColumn { table, column, if_not_exists, .. } => {
            After::Expect(vec![column_is(table, &column.name, true)], *if_not_exists)
        }
        Change::DropColumn { table, column, if_exists, .. } => {
            After::Expect(vec![column_is(table, column, false)], *if_exists)
        }
        Change::RenameColumn { table, column, to } => {
            After::Expect(vec![column_is(table, to, true), column_is(table, column, false)], false)
        }
        Change::AddConstraint { table, constraint } => match &constraint.name {
            Some(name) => After::Expect(
                vec![Expectation::Constraint { table: table.clone(), constraint: name.clone(), exists: true }],
                false,
            ),
            None => After::Unknown,
        },
        Change::DropConstraint { table, name, .. } => After::Expect(
            vec![Expectation::Constraint { table: table.clone(), constraint: name.clone(), exists: false }],
            false,
        ),
        Change::CreateIndex { table, index: built, if_not_exists, .. } => match &built.name {
            Some(name) => After::Expect(vec![index(Some(table), &Name::plain(name), true)], *if_not_exists),
            None => After::Unknown,
        },
        Change::DropIndex { table, name, if_exists, .. } => {
            After::Expect(vec![index(table.as_ref(), name, false)], *if_exists)
        }
        Change::DetachPartition { table, partition, .. } => After::Expect(
            vec![Expectation::Partition { table: table.clone(), partition: partition.clone(), attached: false }],
            false,
        ),
        Change::CreateTrigger { table, name } => After::Expect(
            vec![Expectation::Trigger { table: Some(table.clone()), trigger: name.clone(), exists: true }],
            false,
        ),
        Change::DropTrigger { table, name, if_exists } => After::Expect(
            vec![Expectation::Trigger { table: table.clone(), trigger: name.clone(), exists: false }],
            *if_exists,
        ),
        Change::CreateFunction { name, or_replace } => {
            After::Expect(vec![Expectation::Function { function: name.clone(), exists: true }], *or_replace)
        }
        Change::DropFunction { name, if_exists, .. } => {
            After::Expect(vec![Expectation::Function { function: name.clone(), exists: false }], *if_exists)
        }
        Change::CreateView { view, .. } => {
            After::Expect(vec![Expectation::View { view: view.clone(), exists: true }], false)
        }
        Change::DropView { view, if_exists, .. } => {
            After::Expect(vec![Expectation::View { view: view.clone(), exists: false }], *if_exists)
        }
        // A definition that is stated whole: a column whose nullability the statement does not change
        // would look done before it began, so it is stated again.
        Change::ChangeType { .. }
        | Change::SetNotNull { .. }
        | Change::DropNotNull { .. }
        | Change::SetDefault { .. }
        | Change::DropDefault { .. }
        | Change::AlterColumn { action: ColumnAction::AddIdentity | ColumnAction::DropIdentity, .. }
        | Change::AlterMode { .. }
        | Change::ValidateConstraint { .. } => After::Repeat,
        other if REPEATABLE.iter().any(|word| other.words().starts_with(word)) => After::Repeat,
        _ => After::Unknown,
    }
}
