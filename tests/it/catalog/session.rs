//! The session: transactions, settings and the search path as the statements so far have left them.

use lockkeeper::schema::Catalog;
use lockkeeper::schema::catalog::Transaction;
use lockkeeper::sql::{Change, Dialect};

use super::{apply, name};

fn set(name: &str, value: Option<&str>, local: bool) -> Change {
    Change::Set { name: name.into(), value: value.map(str::to_string), local }
}

#[test]
fn a_setting_ends_with_its_migration_and_a_local_one_with_its_transaction() {
    let mut catalog = Catalog::new(Dialect::Postgres);
    catalog.enter(1, true, []);
    assert_eq!(catalog.session().transaction(), Transaction::Runner);
    apply(&mut catalog, set("lock_timeout", Some("'2s'"), false));
    apply(&mut catalog, set("statement_timeout", Some("5"), true));
    assert_eq!(catalog.session().setting("lock_timeout"), Some("'2s'"));
    assert_eq!(catalog.session().setting("statement_timeout"), Some("5"));
    apply(&mut catalog, Change::Commit);
    assert!(!catalog.session().in_transaction());
    assert_eq!(catalog.session().setting("statement_timeout"), None);
    apply(&mut catalog, set("lock_timeout", None, false));
    assert_eq!(catalog.session().setting("lock_timeout"), None);
    apply(&mut catalog, set("lock_timeout", Some("1"), false));
    catalog.enter(2, false, []);
    assert_eq!(catalog.session().setting("lock_timeout"), None);
}

#[test]
fn transactions_begin_and_end_as_the_server_has_them() {
    let mut catalog = Catalog::new(Dialect::Postgres);
    catalog.enter(1, false, []);
    apply(&mut catalog, Change::Begin);
    apply(&mut catalog, Change::Savepoint { name: "a".into() });
    apply(&mut catalog, Change::Savepoint { name: "b".into() });
    apply(&mut catalog, Change::RollbackTo { name: "a".into() });
    assert_eq!(catalog.session().savepoints(), ["a"]);
    assert_eq!(catalog.session().transaction(), Transaction::Explicit);
    apply(&mut catalog, Change::Rollback);
    assert_eq!(catalog.session().transaction(), Transaction::None);
    let mut catalog = Catalog::new(Dialect::Mysql);
    catalog.enter(1, true, []);
    apply(&mut catalog, set("sql_mode", Some("''"), false));
    assert!(catalog.session().in_transaction());
    let change = Change::DropTable { table: name("t"), if_exists: false, cascade: false };
    apply(&mut catalog, change);
    assert!(!catalog.session().in_transaction(), "DDL commits");
}

#[test]
fn a_name_is_found_along_the_search_path() {
    let create = |table: &str| Change::CreateTable {
        table: name(table),
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        columns_from: Vec::new(),
        partitioned: false,
        options: Vec::new(),
        temporary: false,
        if_not_exists: false,
    };
    let mut catalog = Catalog::new(Dialect::Postgres);
    catalog.enter(1, false, []);
    apply(&mut catalog, create("t"));
    apply(&mut catalog, set("search_path", Some("app, \"Old\", public"), false));
    apply(&mut catalog, create("u"));
    let found = |catalog: &Catalog, table: &str| catalog.table(&name(table)).is_some();
    assert!(found(&catalog, "t") && found(&catalog, "u") && found(&catalog, "app.u") && !found(&catalog, "public.u"));
    catalog.enter(2, false, []);
    assert!(found(&catalog, "t") && found(&catalog, "public.t") && !found(&catalog, "u"));
}
