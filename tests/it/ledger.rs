//! The ledger: its versions, what a DBA reads in it, what never gets into it, and in which database it is believed.

use std::fs;
use std::path::Path;

use lockkeeper::database::{self, Connection, Identity, Present, Session, Value};
use lockkeeper::run::Ledger;
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// One test on each of the three.
macro_rules! on_all_three {
    ($test:ident: $postgres:ident, $mariadb:ident, $sqlite:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $postgres() {
            let Some(database) = servers::postgres().await else { return };
            $test(database, Dialect::Postgres).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $mariadb() {
            let Some(database) = servers::mariadb().await else { return };
            $test(database, Dialect::Mysql).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $sqlite() {
            $test(servers::sqlite(), Dialect::Sqlite).await;
        }
    };
}

/// Our own SQL is written as for PostgreSQL; elsewhere the ledger's names have a prefix.
fn of(dialect: Dialect, sql: &str) -> String {
    if dialect == Dialect::Postgres { sql.to_string() } else { sql.replace("lockkeeper.", "lockkeeper_") }
}

async fn execute(session: &mut Connection, sql: &str) -> u64 {
    let sql = of(session.dialect(), sql);
    session.execute(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn query(session: &mut Connection, sql: &str) -> Vec<Vec<Value>> {
    let sql = of(session.dialect(), sql);
    session.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(value: &str) -> Value {
    Value::Text(value.to_string())
}

/// The ledger's tables or views, without schema or prefix.
async fn names(session: &mut Connection, views: bool) -> Vec<String> {
    let kind = if views { "VIEW" } else { "TABLE" };
    let sql = match session.dialect() {
        Dialect::Postgres => format!(
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = 'lockkeeper' AND table_type LIKE '%{kind}' ORDER BY 1"
        ),
        Dialect::Mysql => format!(
            "SELECT substring(table_name, 12) FROM information_schema.tables
             WHERE table_schema = database() AND table_name LIKE 'lockkeeper%' AND table_type LIKE '%{kind}' ORDER BY 1"
        ),
        Dialect::Sqlite => format!(
            "SELECT substr(name, 12) FROM sqlite_schema WHERE name LIKE 'lockkeeper%' AND type = lower('{kind}') ORDER BY 1"
        ),
    };
    let rows = session.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| if let Value::Text(name) = &row[0] { name.clone() } else { panic!("{row:?}") }).collect()
}

/// What the first version had; a ledger that has no more is one of the first version.
const V1: [&str; 8] = ["approval", "event", "evidence", "lease", "plan", "plan_file", "schema_history", "step"];

/// The versions that have been are never edited, or refinery refuses every ledger that has them.
fn checksum_of_v1(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "10015665556716884090",
        Dialect::Mysql => "1070873085623874625",
        Dialect::Sqlite => "6844847225525716219",
    }
}

/// Makes the ledger what the first version left: this program then has to bring it up to date.
async fn back_to_v1(session: &mut Connection) {
    let dialect = session.dialect();
    for view in names(session, true).await {
        execute(session, &format!("DROP VIEW lockkeeper.{view}")).await;
    }
    for table in names(session, false).await.iter().filter(|name| !V1.contains(&name.as_str())) {
        execute(session, &format!("DROP TABLE lockkeeper.{table}")).await;
    }
    execute(session, "DELETE FROM lockkeeper.schema_history WHERE version > 1").await;
    let checksum = query(session, "SELECT version, checksum FROM lockkeeper.schema_history").await;
    assert_eq!(checksum, [[Value::Int(1), text(checksum_of_v1(dialect))]]);
}

/// A backfill that the first version left half way goes on from its key.
async fn an_older_ledger_keeps_its_progress(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 3_000).await;
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    let mut session = change.session().await;
    back_to_v1(&mut session).await;
    // 20 fewer than there are: whoever begins again counts all.
    let half = "UPDATE lockkeeper.step SET state = 'running', last_key = '1000', final_key = '3000', rows_done = 980,
        rows_total = 3000 WHERE id = 'backfill.1'";
    assert_eq!(execute(&mut session, half).await, 1);
    execute(&mut session, "UPDATE orders SET new_status = old_status WHERE id <= 1000").await;
    expect(&change.say(&["status"]), 0, &["expand.1     done", "running  980 of about 3000 rows"]);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    let rows = query(&mut session, "SELECT rows_done FROM lockkeeper.step WHERE id = 'backfill.1'").await;
    assert_eq!(rows, [[Value::Int(2_980)]], "it goes on from the key");
    assert!(names(&mut session, true).await.contains(&"step_progress".to_string()), "the ledger is of today");
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
}

on_all_three!(an_older_ledger_keeps_its_progress:
    an_older_ledger_keeps_its_progress_on_postgres,
    an_older_ledger_keeps_its_progress_on_mariadb,
    an_older_ledger_keeps_its_progress_on_sqlite);

/// Several runners of a new program meet an old ledger, or none, at the same moment.
async fn all_open_at_once(database: TestDatabase, _: Dialect) {
    let mut session = database::connect(&database.url, "test").await.unwrap();
    for old in [false, true] {
        if old {
            back_to_v1(&mut session).await;
        }
        let open = |url: String| async move {
            let mut session = database::connect(&url, "test").await.unwrap();
            Ledger::open(&mut session).await.map(drop)
        };
        let opening: Vec<_> = (0..6).map(|_| tokio::spawn(open(database.url.clone()))).collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
        assert!(names(&mut session, true).await.contains(&"step_progress".to_string()));
    }
}

on_all_three!(all_open_at_once:
    all_open_at_once_on_postgres, all_open_at_once_on_mariadb, all_open_at_once_on_sqlite);

/// The ledger of a newer program is left alone by every command.
async fn a_newer_ledger_is_refused(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 10).await;
    expect(&change.say(&["run"]), 3, &[]);
    let newer = "INSERT INTO lockkeeper.schema_history
        SELECT 99, name, applied_on, checksum FROM lockkeeper.schema_history WHERE version = 1";
    execute(&mut change.session().await, newer).await;
    for arguments in [&["run"][..], &["status"], &["approve", "--reason", "a test"]] {
        expect(&change.say(arguments), 2, &["the ledger in this database has version 99, this program knows"]);
    }
}

on_all_three!(a_newer_ledger_is_refused:
    a_newer_ledger_is_refused_on_postgres, a_newer_ledger_is_refused_on_mariadb, a_newer_ledger_is_refused_on_sqlite);

/// The queries of the README, as they stand there.
fn documented_queries() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("<!-- ledger -->").nth(1).expect("README.md has its queries between two marks");
    let sql = block.split("```").nth(1).unwrap().trim_start_matches("sql\n");
    sql.split(';').map(str::trim).filter(|query| !query.is_empty()).map(str::to_string).collect()
}

async fn the_documented_queries_answer(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 300).await;
    expect(&change.say(&["run"]), 3, &[]);
    let mut session = change.session().await;
    let running =
        "UPDATE lockkeeper.step SET state = 'running', rows_done = 75, rows_total = 300 WHERE id = 'backfill.1'";
    execute(&mut session, running).await;
    let mut answers = Vec::new();
    for sql in documented_queries() {
        answers.push(query(&mut session, &sql).await);
    }
    let [plans, steps, runner, workers, quarantined, gates, proofs, story] = &answers[..] else {
        panic!("{} queries", answers.len())
    };
    let name = "0042_orders_status";
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0][..2], [text(name), Value::Null], "the plan, not finished");
    assert_eq!(plans[0][4], text("backfill.1"), "{:?}", plans[0]);
    let percent = |step: &str| {
        let row = steps.iter().find(|row| row[0] == text(step)).unwrap();
        if let Value::Text(percent) = &row[4] { percent.parse::<f64>().ok() } else { None }
    };
    assert_eq!((percent("expand.1"), percent("backfill.1")), (Some(100.0), Some(25.0)), "{steps:?}");
    assert_eq!(steps.last().unwrap()[4], Value::Null, "a step that has not begun has no percentage");
    assert_eq!(runner.len(), 1);
    assert_eq!(runner[0][2], text("no"), "nobody runs: {runner:?}");
    assert!(workers.is_empty() && quarantined.is_empty(), "nobody is at work: {workers:?} {quarantined:?}");
    assert!(gates.iter().any(|row| row[0] == text("approval") && row[1] == text("pending")), "{gates:?}");
    assert!(proofs.iter().all(|row| row[1] == text("proved")) && !proofs.is_empty(), "{proofs:?}");
    assert!(story.iter().any(|row| row[2] == text("registered")), "{story:?}");
    // Every view is one of the documented ones.
    let documented = documented_queries().concat();
    for view in names(&mut session, true).await {
        assert!(documented.contains(&format!("lockkeeper.{view}")), "README.md lacks a query of {view}");
    }
}

on_all_three!(the_documented_queries_answer:
    the_documented_queries_answer_on_postgres,
    the_documented_queries_answer_on_mariadb,
    the_documented_queries_answer_on_sqlite);

/// All that the ledger holds, as text.
async fn everything(session: &mut Connection) -> String {
    let mut all = String::new();
    for table in names(session, false).await {
        // As text: times and enumerations have no other form here.
        let rows = match session.dialect() {
            Dialect::Postgres => query(session, &format!("SELECT t::text FROM lockkeeper.{table} t")).await,
            _ => query(session, &format!("SELECT * FROM lockkeeper.{table}")).await,
        };
        all.push_str(&format!("{table}: {rows:?}\n"));
    }
    all
}

/// What a server says of a row that it refuses is for the terminal; the ledger keeps which step it was.
async fn values_of_rows_stay_out(database: TestDatabase, dialect: Dialect, steps: &[(&str, &str, &str)]) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let mut change = Change::empty(database);
    for (number, (create, backfill, code)) in steps.iter().enumerate() {
        execute(&mut session, "DROP TABLE IF EXISTS t").await;
        for statement in create.split(";;") {
            execute(&mut session, statement).await;
        }
        change.named(&format!("{number:04}"));
        change.write("change.toml", &format!("dialect = \"{dialect}\""));
        change.write("expand.sql", &format!("CREATE TABLE u{number} (id int);"));
        change.write("backfill.sql", backfill);
        // The one before is not finished, on the same table.
        let said = change.say(&["run", "--force", "--reason", "a test"]);
        expect(&said, 4, &["step backfill.1 (backfill.sql:1)", code]);
        expect(&change.say(&["status"]), 0, &["last problem: step backfill.1 (backfill.sql:1)"]);
    }
    // A row that differs is named by its key.
    execute(&mut session, "DROP TABLE IF EXISTS t").await;
    execute(&mut session, "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b varchar(20))").await;
    execute(&mut session, "INSERT INTO t VALUES (1, 's3cret', 'other')").await;
    change.named("differs");
    change.write("change.toml", &format!("dialect = \"{dialect}\""));
    change.write("expand.sql", "CREATE TABLE u (id int);");
    change.write("backfill.sql", "UPDATE t SET b = a WHERE b IS NULL;");
    expect(&change.say(&["run", "--force", "--reason", "a test"]), 4, &["row 1 of `t` differs"]);

    let all = everything(&mut session).await;
    assert!(all.contains("step backfill.1 (backfill.sql:1) failed"), "{all}");
    assert!(!all.contains("s3cret") && !all.contains("pa55word"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_rows_stay_out_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let table = "CREATE TABLE t (id int PRIMARY KEY, a text, n int, u text UNIQUE)";
    let rows = format!("{table};;INSERT INTO t VALUES (1, 's3cret', 0, 'other'), (2, 's3cret', 0, NULL)");
    let raise = format!(
        "{rows};;CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'refused %', NEW.a; END $$;;CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no()"
    );
    let steps = [
        (rows.as_str(), "UPDATE t SET n = a::int;", "invalid input syntax for type integer: \"s3cret\" (22P02)"),
        (rows.as_str(), "UPDATE t SET u = a;", "(23505)"),
        (raise.as_str(), "UPDATE t SET n = 1;", "refused s3cret (P0001)"),
    ];
    // The server asks for none, and takes any.
    let mut database = database;
    database.url = database.url.replace("postgres@", "postgres:pa55word@");
    values_of_rows_stay_out(database, Dialect::Postgres, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_rows_stay_out_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let table = "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), n int, u varchar(20) UNIQUE)";
    let rows = format!("{table};;INSERT INTO t VALUES (1, 's3cret', 0, 'other'), (2, 's3cret', 0, NULL)");
    let steps = [
        (rows.as_str(), "UPDATE t SET n = a;", "Incorrect integer value: 's3cret'"),
        (rows.as_str(), "UPDATE t SET u = a;", "Duplicate entry 's3cret'"),
    ];
    values_of_rows_stay_out(database, Dialect::Mysql, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_rows_stay_out_on_sqlite() {
    let table = "CREATE TABLE t (id integer PRIMARY KEY, a text, n int, u text UNIQUE)";
    let rows = format!("{table};;INSERT INTO t VALUES (1, 's3cret', 0, 'other'), (2, 's3cret', 0, NULL)");
    let steps = [(rows.as_str(), "UPDATE t SET u = a;", "UNIQUE constraint failed: t.u (2067)")];
    values_of_rows_stay_out(servers::sqlite(), Dialect::Sqlite, &steps).await;
}

/// A copy of the database has a ledger that speaks of another one; a DBA may say that it takes that one's place.
async fn refused_in_the_copy(change: &mut Change, original: &str, copy: TestDatabase) {
    let mut kept = std::mem::replace(&mut change.database, copy);
    let began = format!("0042_orders_status began in the database `{original}`, and this is not the one");
    let refused = change.say(&["run"]);
    expect(&refused, 2, &[&began]);
    let forget = refused.err.split("say so and run again: ").nth(1).expect("a way out").trim().to_string();
    expect(&change.say(&["revert", "--yes"]), 2, &[&began]);
    let mut session = change.session().await;
    session.execute(&forget, &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    // The original is as it was.
    std::mem::swap(&mut change.database, &mut kept);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);

    // What is finished may be copied anywhere.
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    let elsewhere = "UPDATE lockkeeper.plan_origin SET database_id = 'other'";
    assert_eq!(execute(&mut change.session().await, elsewhere).await, 1);
    expect(&change.say(&["run"]), 0, &["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_ledger_is_refused_on_postgres() {
    let (Some(database), Some(copy)) = (servers::postgres().await, servers::postgres().await) else { return };
    let original = database.name().to_string();
    let mut change = Change::rename(database, Dialect::Postgres, 10).await;
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    let admin = copy.url.replace(copy.name(), "postgres");
    let mut session = database::connect(&admin, "test").await.unwrap();
    execute(&mut session, &format!("DROP DATABASE {}", copy.name())).await;
    // Nobody may be connected to a template, and a session that has ended is still seen for a moment.
    let create = format!("CREATE DATABASE {} TEMPLATE {original}", copy.name());
    while session.execute(&create, &[]).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    refused_in_the_copy(&mut change, &original, copy).await;
}

/// What was done to one tenant's tables was not done to another's.
#[tokio::test(flavor = "multi_thread")]
async fn another_search_path_is_refused_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let mut change = Change::rename(database, Dialect::Postgres, 10).await;
    let of_tenant = |url: &str| {
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}options=-csearch_path%3Dtenant")
    };
    let (ours, theirs) = (change.database.url.clone(), of_tenant(&change.database.url));
    let mut session = change.session().await;
    execute(&mut session, "CREATE SCHEMA tenant; CREATE TABLE tenant.orders (LIKE public.orders INCLUDING ALL)").await;
    let began =
        "began where names without a schema are looked up in `public`, and this session looks them up in `tenant`";
    for (code, sentence) in [(3, "gate approval: pending"), (0, "finished")] {
        change.database.url.clone_from(&ours);
        if code == 0 {
            change.approve();
        }
        expect(&change.say(&["run"]), code, &[sentence]);
        change.database.url.clone_from(&theirs);
        expect(&change.say(&["run"]), 2, &[began, "connect with search_path = public"]);
        expect(&change.say(&["status"]), 2, &[began]);
        expect(&change.say(&["revert", "--yes"]), 2, &[began]);
        expect(&change.say(&["approve", "--gate", "approval", "--reason", "a test"]), 2, &[began]);
    }
    let sql =
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'tenant' AND column_name = 'old_status'";
    assert_eq!(query(&mut session, sql).await, [[Value::Int(1)]], "nothing was done there");
    // Where the ledger is of a version that knew no schemas, its plans go on.
    assert_eq!(execute(&mut session, "DELETE FROM lockkeeper.plan_search_path").await, 1);
    change.database.url.clone_from(&ours);
    expect(&change.say(&["run"]), 0, &["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_ledger_is_refused_on_mariadb() {
    let (Some(database), Some(copy)) = (servers::mariadb().await, servers::mariadb().await) else { return };
    let original = database.name().to_string();
    let mut change = Change::rename(database, Dialect::Mysql, 10).await;
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    let mut session = change.session().await;
    let tables: Vec<String> =
        names(&mut session, false).await.iter().map(|name| format!("lockkeeper_{name}")).collect();
    for table in tables.iter().map(String::as_str).chain(["orders"]) {
        let there = format!("{}.{table}", copy.name());
        execute(&mut session, &format!("CREATE TABLE {there} LIKE {table}")).await;
        execute(&mut session, &format!("INSERT INTO {there} SELECT * FROM {table}")).await;
    }
    refused_in_the_copy(&mut change, &original, copy).await;
}

/// A standby that was promoted has its primary's name; so has, where replication tells it, a replica.
#[test]
fn a_successor_is_no_other_database() {
    let identity = |server: &str, server_number: &str, database: &str| Identity {
        server: server.to_string(),
        server_number: server_number.to_string(),
        database: database.to_string(),
        name: "shop".to_string(),
    };
    let continues = |now: Identity, replicated: &str, recorded: &Identity| {
        Present { identity: now, replicated: replicated.to_string() }.continues(recorded)
    };
    let mariadb = identity("fXdYp7ZW=", "1", "shop");
    assert!(continues(mariadb.clone(), "", &mariadb));
    assert!(!continues(identity("other", "2", "shop"), "", &mariadb), "a dump on another server");
    assert!(!continues(identity("other", "2", "shop"), "0-11-100,1-21-7", &mariadb), "a replica of others");
    assert!(continues(identity("other", "2", "shop"), "1-21-7,0-1-100", &mariadb), "its replica, promoted");
    assert!(!continues(identity("fXdYp7ZW=", "1", "staging"), "0-1-100", &mariadb), "a copy beside it");
    let mysql = identity("3e11fa47-71ca-11e1-9e33-c80aa9429562", "1", "shop");
    let executed = "11111111-71ca-11e1-9e33-c80aa9429562:1-5,\n3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
    assert!(continues(identity("other", "2", "shop"), executed, &mysql));
    assert!(!continues(identity("other", "2", "shop"), "11111111-71ca-11e1-9e33-c80aa9429562:1-5", &mysql));
    assert!(continues(identity("", "", "shop"), "", &mysql), "what cannot be read refuses nobody");
}

/// A user who is called like the ledger's schema has it in front of all others by default.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_path_into_the_ledger_is_refused() {
    let Some(mut database) = servers::postgres().await else { return };
    let inside = if database.url.contains('?') { '&' } else { '?' };
    database.url += &format!("{inside}options=-csearch_path%3Dlockkeeper%2Cpublic");
    let change = Change::empty(database);
    change.write("expand.sql", "CREATE TABLE event (id int PRIMARY KEY);");
    change.write("change.toml", "dialect = \"postgres\"\n");
    let words =
        ["the search path `lockkeeper,public` of", "leads into the ledger's schema `lockkeeper`", "hint: take it out"];
    expect(&change.say(&["run"]), 2, &words);
}
