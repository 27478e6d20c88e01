//! A table that a migration builds anew is judged as the ALTER TABLE that it stands for.

use lockkeeper::schema::Catalog;
use lockkeeper::sql::{Change, Clause, Dialect, read};

const BEFORE: &str = "\
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, note TEXT DEFAULT 'x', total INTEGER);
CREATE INDEX by_note ON orders (note);
CREATE UNIQUE INDEX by_customer ON orders (customer, total);
CREATE TRIGGER watch AFTER UPDATE ON orders BEGIN SELECT 1; END;
CREATE TABLE other (id INTEGER PRIMARY KEY);";

fn clauses(text: &str) -> Vec<Clause> {
    read(text, Dialect::Sqlite).into_iter().flat_map(|statement| statement.parsed.unwrap()).collect()
}

/// What the migration does to `orders` where it takes the old table away; `None` if that is no rebuild.
fn rebuilt(migration: &str) -> Option<Vec<String>> {
    let mut catalog = Catalog::new(Dialect::Sqlite);
    let (before, migration) = (clauses(BEFORE), clauses(migration));
    catalog.enter(1, true, before.iter().map(|clause| &clause.change));
    before.iter().for_each(|clause| catalog.apply(clause));
    catalog.enter(2, true, migration.iter().map(|clause| &clause.change));
    let mut found = None;
    for clause in &migration {
        if let Some(changes) = catalog.rebuilt(clause) {
            assert!(found.is_none(), "found twice");
            assert!(changes.iter().all(|change| change.range == clause.range));
            found = Some(changes.iter().map(|change| said(&change.change)).collect());
        }
        catalog.apply(clause);
    }
    found
}

/// A change in a few words.
fn said(change: &Change) -> String {
    let name = match change {
        Change::RenameColumn { column, to, .. } => return format!("{column} TO {to}"),
        Change::AddColumn { column, .. } => &column.name,
        Change::DropColumn { column, .. }
        | Change::ChangeType { column, .. }
        | Change::SetNotNull { column, .. }
        | Change::DropNotNull { column, .. }
        | Change::SetDefault { column, .. }
        | Change::DropDefault { column, .. } => column,
        Change::DropIndex { name, .. } => &name.name,
        Change::DropTrigger { name, .. } => name,
        other => panic!("{other:?}"),
    };
    format!("{} {name}", change.words())
}

const COLUMNS: &str = "id INTEGER PRIMARY KEY, customer TEXT NOT NULL, note TEXT DEFAULT 'x', total INTEGER";
const PARTS: &str = "CREATE INDEX by_note_2 ON orders (note); \
                     CREATE UNIQUE INDEX by_customer ON orders (customer, total); \
                     CREATE TRIGGER watch AFTER UPDATE ON orders BEGIN SELECT 1; END;";

/// Every order in which one can do it: the new table's columns, what is listed and what is selected put in.
fn orders(columns: &str, list: &str, select: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE n ({columns}); INSERT INTO n {list} SELECT {select} FROM orders; DROP TABLE orders; \
             ALTER TABLE n RENAME TO orders; {PARTS}"
        ),
        format!(
            "ALTER TABLE orders RENAME TO o; CREATE TABLE orders ({columns}); \
             INSERT INTO orders {list} SELECT {select} FROM o; DROP TABLE o; {PARTS}"
        ),
        format!(
            "CREATE TABLE n ({columns}); ALTER TABLE orders RENAME TO o; ALTER TABLE n RENAME TO orders; \
             INSERT OR IGNORE INTO orders {list} SELECT {select} FROM o AS x WHERE true; DROP TABLE o; {PARTS}"
        ),
        format!(
            "CREATE TEMP TABLE k ({columns}); INSERT INTO k {list} SELECT {select} FROM orders; DROP TABLE orders; \
             CREATE TABLE orders ({columns}); INSERT INTO orders SELECT * FROM k; DROP TABLE k; {PARTS}"
        ),
    ]
}

fn check(columns: &str, list: &str, select: &str, expected: &[&str]) {
    for migration in orders(columns, list, select) {
        let found = rebuilt(&migration).unwrap_or_else(|| panic!("no rebuild: {migration}"));
        assert_eq!(found, expected, "{migration}");
    }
}

#[test]
fn a_clean_rebuild_changes_nothing() {
    check(COLUMNS, "", "*", &[]);
    check(COLUMNS, "(id, customer, note, total)", "id, customer, upper(note), total", &[]);
    check(&COLUMNS.replace("note TEXT", "NOTE text"), "", "*", &[]);
}

#[test]
fn what_a_rebuild_changes() {
    check(
        "id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total INTEGER",
        "",
        "id, customer, total",
        &["ALTER TABLE DROP COLUMN note"],
    );
    check(
        &COLUMNS.replace("total", "amount"),
        "(id, customer, note, amount)",
        "id, customer, note AS x, total",
        &["total TO amount"],
    );
    check(
        &COLUMNS.replace("total INTEGER", "total REAL NOT NULL, tax INTEGER NOT NULL, tip INTEGER NOT NULL DEFAULT 0"),
        "(id, customer, note, total, tax)",
        "id, customer, note, total, 1",
        &[
            "ALTER COLUMN TYPE total",
            "ALTER COLUMN SET NOT NULL total",
            "ALTER TABLE ADD COLUMN tax",
            "ALTER COLUMN SET NOT NULL tax",
            "ALTER TABLE ADD COLUMN tip",
        ],
    );
    check(
        &COLUMNS.replace(" NOT NULL", "").replace(" DEFAULT 'x'", ""),
        "",
        "*",
        &["ALTER COLUMN DROP NOT NULL customer", "ALTER COLUMN DROP DEFAULT note"],
    );
}

#[test]
fn what_a_rebuild_does_not_make_again() {
    let migration = orders(COLUMNS, "", "*").remove(0).replace(PARTS, "CREATE INDEX by_note ON orders (id);");
    assert_eq!(rebuilt(&migration).unwrap(), ["DROP INDEX by_note", "DROP INDEX by_customer", "DROP TRIGGER watch"]);
}

#[test]
fn what_is_no_rebuild() {
    for migration in [
        "DROP TABLE orders",
        "ALTER TABLE orders RENAME TO o",
        "DROP TABLE orders; CREATE TABLE orders (id INTEGER)",
        "CREATE TABLE n (id INTEGER); INSERT INTO n SELECT id FROM other; DROP TABLE orders; ALTER TABLE n RENAME TO orders",
        "CREATE TABLE n AS SELECT * FROM orders; DROP TABLE orders; ALTER TABLE n RENAME TO orders",
        "CREATE TABLE n (id INTEGER); INSERT INTO n VALUES (1); DROP TABLE orders; ALTER TABLE n RENAME TO orders",
    ] {
        assert_eq!(rebuilt(migration), None, "{migration}");
    }
}
