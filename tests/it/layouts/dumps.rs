//! A dump of the whole schema among the migrations: it is no migration, and tells what their tables are.

use lockkeeper::sql::Dialect;

use super::{POSTGRES, files};
use crate::cli::run;

const UP: &str = "-- migrate:up\n";

/// What dbmate leaves beside its directory.
fn dump(versions: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\n\
         CREATE TABLE public.orders (\n    id bigint NOT NULL,\n    note character varying(20)\n);\n\n\
         INSERT INTO public.schema_migrations (version) VALUES\n    {versions};\n"
    )
}

#[test]
fn a_dump_stands_behind_what_it_covers() {
    let create = format!("{UP}CREATE TABLE orders (id bigint, note varchar(10));");
    let widen = format!("{UP}ALTER TABLE orders ALTER COLUMN note TYPE varchar(15);");
    let more = format!("{UP}ALTER TABLE orders ALTER COLUMN note TYPE varchar(30);");
    let migrations = [
        ("migrations/1_orders.sql", create.as_str()),
        ("migrations/2_widen.sql", &widen),
        ("migrations/4_more.sql", &more),
    ];
    let schema = dump("('1'),\n    ('2')");
    insta::assert_snapshot!(files(&[&migrations[..], &[("schema.sql", &schema)]].concat(), POSTGRES), @r#"
    1: db/migrations/1_orders.sql (1)
    2: db/migrations/2_widen.sql (1)
    -: db/schema.sql (4, no transaction)
    4: db/migrations/4_more.sql (1)
    db/migrations/2_widen.sql:2 prepared-select-breaks
    db/migrations/4_more.sql:2 missing-version
    db/migrations/4_more.sql:2 prepared-select-breaks
    note: `db/migrations` is read as dbmate (by `-- migrate:up`): in the order of the names as text, down to `-- migrate:down`, each file in a transaction unless it says transaction:false
    note: `db/schema.sql` is a dump: it is not judged, and taken for what the schema is after `db/migrations/2_widen.sql`
    3 files, postgres
    "#);
    // What it does not hold is not known: somebody has dropped it.
    let carts = format!("{UP}CREATE TABLE carts (note varchar(10));");
    let wider = format!("{UP}ALTER TABLE carts ALTER COLUMN note TYPE varchar(30);");
    let gone = [("migrations/1_carts.sql", carts.as_str()), ("migrations/3_wider.sql", &wider)];
    let shown = files(&[&gone[..], &[("schema.sql", &schema)]].concat(), POSTGRES);
    assert!(shown.contains("db/migrations/3_wider.sql:2 change-column-type"), "{shown}");
    // Without versions it is taken for older than all.
    let schema = dump("('0')");
    insta::assert_snapshot!(files(&[&migrations[1..], &[("schema.sql", &schema)]].concat(), POSTGRES), @r#"
    -: db/schema.sql (4, no transaction)
    2: db/migrations/2_widen.sql (1)
    4: db/migrations/4_more.sql (1)
    db/migrations/2_widen.sql:2 change-column-type
    db/migrations/2_widen.sql:2 narrow-type
    db/migrations/4_more.sql:2 missing-version
    db/migrations/4_more.sql:2 prepared-select-breaks
    note: `db/migrations` is read as dbmate (by `-- migrate:up`): in the order of the names as text, down to `-- migrate:down`, each file in a transaction unless it says transaction:false
    note: `db/schema.sql` is a dump: it is not judged, and taken for what the schema was before all migrations
    2 files, postgres
    "#);
}

#[test]
fn rails_alone_is_not_judged() {
    let structure =
        "CREATE TABLE orders (id bigint);\nINSERT INTO \"schema_migrations\" (version) VALUES\n('20240101000000');\n";
    let rails = [("structure.sql", structure), ("migrate/20240101000000_orders.rb", "")];
    insta::assert_snapshot!(files(&rails, POSTGRES), @"error: no migration in `db`: `db/structure.sql` is a dump, and not read: no migrations lie with it: not read yet: `db/migrate/20240101000000_orders.rb` of Rails");
    let mysql = structure.replace('"', "`");
    assert_eq!(files(&[("structure.sql", &mysql), rails[1]], Dialect::Mysql.into()), files(&rails, POSTGRES));
}

#[test]
fn a_dump_that_is_a_migration_or_that_the_user_names_is_judged() {
    let first = dump("('0')");
    let shown = files(&[("V1__init.sql", &first), ("V2__more.sql", "SELECT 1;")], POSTGRES);
    assert!(shown.starts_with("1: db/V1__init.sql (4)\n") && !shown.contains("is a dump"), "{shown}");
    let named = run(&[("db/structure.sql", &first)], &["lint", "--dialect", "postgres", "db/structure.sql"]);
    assert!(named.contains("in 1 file, 4 statements"), "{named}");
    let shown = files(&[("schema.sql", "CREATE TABLE orders (id bigint);")], POSTGRES);
    assert!(!shown.contains("is a dump"), "a file of that name that lists no versions is one of theirs: {shown}");
}
