//! The catalog: what a history leaves behind, by names, types, keys and what hangs on what.

mod rebuild;
mod session;

use lockkeeper::schema::Catalog;
use lockkeeper::schema::catalog::{Kind, Table};
use lockkeeper::sql::{self, Change, ConstraintKind, Dialect, Name};

/// Replays a text as one migration.
pub(crate) fn replay(dialect: Dialect, text: &str) -> Catalog {
    let mut catalog = Catalog::new(dialect);
    let statements = sql::read(text, dialect);
    let clauses = || statements.iter().flat_map(|statement| statement.parsed.as_ref().unwrap());
    catalog.enter(1, false, clauses().map(|clause| &clause.change));
    clauses().for_each(|clause| catalog.apply(clause));
    catalog
}

/// All that is known, a line each.
fn show(catalog: &Catalog) -> String {
    catalog.tables().map(show_table).collect()
}

fn show_table(table: &Table) -> String {
    let kind = match table.kind {
        Kind::Table => "table",
        Kind::View => "view",
        Kind::MaterializedView => "materialized view",
    };
    let mut text = format!("{kind} {}\n", table.name);
    for column in table.columns.values() {
        let null = if column.not_null { " NOT NULL" } else { "" };
        let default = column.default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        text += &format!("  {} {}{null}{default}\n", column.name, column.data_type);
    }
    for constraint in table.constraints.values() {
        let what = match &constraint.kind {
            ConstraintKind::Check { expression } => format!("CHECK {expression}"),
            ConstraintKind::ForeignKey { columns, references } => format!("FOREIGN KEY {columns:?} {references}"),
            ConstraintKind::Unique { columns } => format!("UNIQUE {columns:?}"),
            ConstraintKind::PrimaryKey { columns } => format!("PRIMARY KEY {columns:?}"),
            ConstraintKind::NotNull { column } => format!("NOT NULL {column}"),
            ConstraintKind::Exclude => "EXCLUDE".into(),
        };
        let valid = if constraint.not_valid { " NOT VALID" } else { "" };
        text += &format!("  {}: {what}{valid}\n", constraint.name.as_deref().unwrap_or("unnamed"));
    }
    for index in table.indexes.values() {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let predicate = index.predicate.as_ref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
        text += &format!("  {}: {unique}INDEX {:?}{predicate}\n", index.name.as_deref().unwrap(), index.columns);
    }
    text
}

/// `schema.name`, or a name alone.
pub(crate) fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_string()), name: name.to_string() },
        None => Name::plain(text),
    }
}

fn check(dialect: Dialect, text: &str, expected: &str) {
    let shown = show(&replay(dialect, text));
    let bare = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(bare(&shown), bare(expected), "{text}");
}

#[test]
fn the_server_s_own_names_are_known() {
    check(
        Dialect::Postgres,
        "CREATE TABLE orders (id serial PRIMARY KEY, email text UNIQUE, customer_id int REFERENCES customers (id),
            total int CHECK (total > 0), CHECK (total > id), UNIQUE (email, total));
         CREATE INDEX ON orders (lower(email));
         CREATE INDEX ON orders (email, (total + 1));
         ALTER TABLE orders ADD CHECK (total < 1000)",
        "table orders
         id serial NOT NULL
         email text
         customer_id int
         total int
         orders_pkey: PRIMARY KEY [\"id\"]
         orders_email_key: UNIQUE [\"email\"]
         orders_customer_id_fkey: FOREIGN KEY [\"customer_id\"] customers
         orders_total_check: CHECK total
         orders_check: CHECK total > id
         orders_email_total_key: UNIQUE [\"email\", \"total\"]
         orders_total_check1: CHECK total < 1000
         orders_lower_idx: INDEX [\"lower(email)\"]
         orders_email_expr_idx: INDEX [\"email\", \"(total + 1)\"]",
    );
    check(
        Dialect::Mysql,
        "CREATE TABLE Orders (id int PRIMARY KEY, email varchar(20) UNIQUE, c_id int, KEY (email),
            FOREIGN KEY (c_id) REFERENCES c (id));
         ALTER TABLE orders RENAME TO invoices",
        "table invoices
         id int NOT NULL
         email varchar(20)
         c_id int
         primary: PRIMARY KEY [\"id\"]
         invoices_ibfk_1: FOREIGN KEY [\"c_id\"] c
         email: UNIQUE INDEX [\"email\"]
         email_2: INDEX [\"email\"]
         c_id: INDEX [\"c_id\"]",
    );
}

#[test]
fn a_dropped_column_takes_its_keys_along() {
    check(
        Dialect::Postgres,
        "CREATE TABLE t (a int, b int, c int CHECK (c > 0), CONSTRAINT u UNIQUE (a, b), CHECK (a > b));
         CREATE INDEX i ON t (c) WHERE a > 0;
         CREATE INDEX j ON t (b);
         ALTER TABLE t DROP COLUMN a",
        "table t
         b int
         c int
         t_c_check: CHECK c
         j: INDEX [\"b\"]",
    );
    check(
        Dialect::Mysql,
        "CREATE TABLE t (a int, b int, KEY ab (a, b), KEY only_a (a)); ALTER TABLE t DROP COLUMN a",
        "table t
         b int
         ab: INDEX [\"b\"]",
    );
}

#[test]
fn a_rename_goes_on_to_all_that_names_it() {
    let text = "CREATE TABLE a (id int PRIMARY KEY, old int CHECK (old > 0));
         CREATE INDEX i ON a (old) WHERE old IS NOT NULL;
         CREATE INDEX e ON a (abs(old));
         CREATE TABLE b (a_id int REFERENCES a);
         ALTER TABLE a RENAME TO c;
         ALTER TABLE c RENAME COLUMN old TO new;
         DROP INDEX i;
         ALTER TABLE c DROP CONSTRAINT a_old_check";
    check(
        Dialect::Postgres,
        text,
        "table b
         a_id int
         b_a_id_fkey: FOREIGN KEY [\"a_id\"] c
         table c
         id int NOT NULL
         new int
         a_pkey: PRIMARY KEY [\"id\"]
         e: INDEX [\"abs(new)\"]",
    );
    let catalog = replay(Dialect::Postgres, text);
    assert_eq!(catalog.table_of_index(&name("e")).map(ToString::to_string).as_deref(), Some("c"));
    assert_eq!(catalog.table_of_index(&name("i")), None);
}

#[test]
fn a_name_that_is_taken_already_is_no_panic() {
    let text = "CREATE TABLE t (a int, b int); ALTER TABLE t RENAME COLUMN b TO a; ALTER TABLE t RENAME COLUMN a TO a;
         CREATE TABLE u (c int); ALTER TABLE u RENAME TO t; ALTER TABLE t RENAME TO t; DROP TABLE t CASCADE";
    for dialect in [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite] {
        check(dialect, text, "");
    }
}

#[test]
fn what_is_rolled_back_never_was() {
    let text = "CREATE TABLE kept (a int);
         BEGIN; DROP TABLE kept; CREATE TABLE tried (a int); ROLLBACK;
         BEGIN; CREATE TABLE made (a int); COMMIT; ROLLBACK;
         ALTER TABLE kept ADD COLUMN b int";
    let expected = "table kept\n a int\n b int\n table made\n a int";
    check(Dialect::Postgres, text, expected);
    check(Dialect::Sqlite, text, expected);
}

#[test]
fn a_thousand_indexes_without_a_name_have_a_thousand_names() {
    let text = format!("CREATE TABLE t (a int); {}", "CREATE INDEX ON t (a);".repeat(1000));
    let catalog = replay(Dialect::Postgres, &text);
    let indexes = &catalog.table(&name("t")).unwrap().indexes;
    assert_eq!(indexes.len(), 1000);
    assert!(indexes.contains_key("t_a_idx") && indexes.contains_key("t_a_idx999"));
}

#[test]
fn cascade_takes_dependents_along() {
    let text = "CREATE TABLE a (id int PRIMARY KEY);
         CREATE TABLE b (a_id int REFERENCES a);
         CREATE TABLE kept (id int);";
    check(
        Dialect::Postgres,
        &format!("{text} DROP TABLE a CASCADE"),
        "table b
         a_id int
         table kept
         id int",
    );
    check(
        Dialect::Sqlite,
        &format!("{text} DROP TABLE a"),
        "table b
         a_id int
         unnamed: FOREIGN KEY [\"a_id\"] a
         table kept
         id int",
    );
}

#[test]
fn everything_knows_where_it_was_born() {
    let text = "CREATE TABLE t (a int);\nALTER TABLE t ADD b int, ADD c int UNIQUE;\nCREATE INDEX i ON t (b)";
    let catalog = replay(Dialect::Postgres, text);
    let table = catalog.table(&name("t")).unwrap();
    let born = |range: &std::ops::Range<usize>| &text[range.clone()];
    assert_eq!(born(&table.born.range), "CREATE TABLE t (a int)");
    assert_eq!(born(&table.columns["b"].at.range), "ADD b int");
    assert_eq!(born(&table.constraints["t_c_key"].at.range), "ADD c int UNIQUE");
    assert_eq!(born(&table.indexes["i"].at.range), "CREATE INDEX i ON t (b)");
    assert_eq!(table.columns["b"].at.migration, 1);
}

/// Changes that the lowering may not make yet.
fn apply(catalog: &mut Catalog, change: Change) {
    catalog.apply(&sql::Clause::new(0..0, change));
}
