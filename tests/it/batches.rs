//! Which statements of backfill.sql are cut into batches, and how; which are refused, and which tables.

use lockkeeper::database::{self, Session, Value};
use lockkeeper::plan::{Action, Plan, directory};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers::{self, TestDatabase};
use super::shapes::{Case, execute, write};

fn plan(dialect: Dialect, backfill: &str, verify: Option<&str>) -> lockkeeper::error::Result<Plan> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("change");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("expand.sql"), "ALTER TABLE t ADD COLUMN n int;").unwrap();
    std::fs::write(path.join("backfill.sql"), backfill).unwrap();
    if let Some(verify) = verify {
        std::fs::write(path.join("verify.sql"), verify).unwrap();
    }
    directory::read(&path, Some(dialect))
}

/// The condition over the key stands in the statement's own WHERE; all else is as it was written.
#[test]
fn a_batch_is_the_statement_as_it_was_written() {
    use Dialect::{Mysql, Postgres, Sqlite};
    for (dialect, sql, batch) in [
        (Postgres, "UPDATE t SET b = a", "UPDATE t SET b = a WHERE R"),
        (
            Postgres,
            "UPDATE t SET b = a -- why\n WHERE a > 0 OR c -- end\n",
            "UPDATE t SET b = a WHERE R AND (a > 0 OR c)",
        ),
        (Postgres, "UPDATE ONLY s.t AS x SET b = x.a", "UPDATE ONLY s.t AS x SET b = x.a WHERE R"),
        (
            Postgres,
            "UPDATE t x SET b = u.a FROM u JOIN v ON v.id = u.v WHERE u.id = x.id",
            "UPDATE t x SET b = u.a FROM u JOIN v ON v.id = u.v WHERE R AND (u.id = x.id)",
        ),
        (Postgres, "UPDATE t SET (b, c) = (a, upper(a))", "UPDATE t SET (b, c) = (a, upper(a)) WHERE R"),
        (
            Postgres,
            "UPDATE t SET (b, c) = (SELECT x, y FROM u WHERE u.id = t.id ORDER BY x LIMIT 1)",
            "UPDATE t SET (b, c) = (SELECT x, y FROM u WHERE u.id = t.id ORDER BY x LIMIT 1) WHERE R",
        ),
        (Postgres, "DELETE FROM t USING u WHERE u.id = t.u", "DELETE FROM t USING u WHERE R AND (u.id = t.u)"),
        (Mysql, "UPDATE t SET `b` = a WHERE a = '?'", "UPDATE t SET `b` = a WHERE R AND (a = '?')"),
        (
            Mysql,
            "UPDATE t x JOIN u ON u.id = x.u SET x.b = u.a",
            "UPDATE t x JOIN u ON u.id = x.u SET x.b = u.a WHERE R",
        ),
        (
            Mysql,
            "DELETE x FROM t x JOIN u ON u.id = x.u WHERE u.a",
            "DELETE x FROM t x JOIN u ON u.id = x.u WHERE R AND (u.a)",
        ),
        (
            Sqlite,
            "UPDATE t SET b = u.a FROM u WHERE u.id = t.id",
            "UPDATE t SET b = u.a FROM u WHERE R AND (u.id = t.id)",
        ),
        // The column is new: what stands in it by then, somebody wrote.
        (Postgres, "UPDATE t SET n = a", "UPDATE t SET n = a WHERE R AND t.n IS NULL"),
        (Postgres, "UPDATE t x SET n = a WHERE c > 0", "UPDATE t x SET n = a WHERE R AND x.n IS NULL AND (c > 0)"),
        (
            Postgres,
            "UPDATE t SET n = a WHERE n IS DISTINCT FROM a",
            "UPDATE t SET n = a WHERE R AND (n IS DISTINCT FROM a)",
        ),
    ] {
        let plan = plan(dialect, sql, None).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let Action::Backfill(backfill) = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
        assert_eq!(backfill.batch("R"), batch, "{sql}");
    }
    for (dialect, sql, batch) in [
        (
            Postgres,
            "INSERT INTO w (id, a) SELECT t.id, u.a FROM t LEFT JOIN u ON u.id = t.u WHERE t.a > 0 ON CONFLICT (id) DO NOTHING",
            "INSERT INTO w (id, a) SELECT t.id, u.a FROM t LEFT JOIN u ON u.id = t.u WHERE R AND (t.a > 0) FOR SHARE OF t ON CONFLICT (id) DO NOTHING",
        ),
        (
            Postgres,
            "INSERT INTO w SELECT id, a FROM t ON CONFLICT (id) DO NOTHING",
            "INSERT INTO w SELECT id, a FROM t WHERE R FOR SHARE ON CONFLICT (id) DO NOTHING",
        ),
        (
            Mysql,
            "INSERT INTO w SELECT id, a FROM t ON DUPLICATE KEY UPDATE w.id = w.id",
            "INSERT INTO w SELECT id, a FROM t WHERE R LOCK IN SHARE MODE ON DUPLICATE KEY UPDATE w.id = w.id",
        ),
    ] {
        let plan = plan(dialect, sql, Some("SELECT 1 FROM w WHERE a IS NULL")).unwrap();
        let Action::Backfill(backfill) = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
        assert_eq!((backfill.batch("R").as_str(), backfill.rows.table.name.as_str()), (batch, "t"));
    }
}

/// What would not be the same in batches as at once, or not the same the second time.
#[test]
fn what_cannot_be_batched_is_refused_with_the_way_round() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let hinted = "leave it out: the runner cuts the batches";
    for (dialect, sql, sentence, hint) in [
        (Mysql, "UPDATE t SET b = a LIMIT 5", "this UPDATE cannot be cut into batches: it says LIMIT", hinted),
        (Mysql, "UPDATE t SET b = a ORDER BY a", "it says ORDER BY", hinted),
        (Postgres, "UPDATE t SET b = a RETURNING id", "it says RETURNING", hinted),
        (Postgres, "WITH u AS (SELECT 1 x) UPDATE t SET b = u.x FROM u", "it says WITH", "as a subquery"),
        (Mysql, "UPDATE IGNORE t SET b = a", "it says IGNORE", "cut short"),
        (Sqlite, "UPDATE OR REPLACE t SET b = a", "it says OR REPLACE", "ON CONFLICT DO NOTHING"),
        (
            Mysql,
            "UPDATE t, u SET b = a WHERE u.id = t.id",
            "this UPDATE cannot be cut into batches",
            "say whose column",
        ),
        (Mysql, "UPDATE t, u SET t.b = u.a, u.b = t.a WHERE u.id = t.id", "more than one thing", ""),
        (Postgres, "UPDATE t SET b[1] = a", "this UPDATE cannot be cut into batches", "write it as UPDATE"),
        (Postgres, "UPDATE t SET b = a + random()", "`b` is made from `random`", "WHERE b IS NULL"),
        (Postgres, "UPDATE t SET b = nextval('s')", "`b` is made from `nextval`", "verify.sql"),
        (Postgres, "UPDATE t SET b = uuidv7()", "`b` is made from `uuidv7`", "verify.sql"),
        (Postgres, "UPDATE t SET b = a WHERE seen < now()", "WHERE asks for `now`", "write the value out"),
        (Postgres, "UPDATE t SET b = o.b FROM t o WHERE o.id = t.parent", "`b` is made from `b`", "fill a new column"),
        (Postgres, "UPDATE t x SET b = x.b || '!'", "`b` is made from `b`", "fill a new column"),
        (Postgres, "UPDATE t SET b = 1;\nUPDATE t x SET b = 2", "`b` is filled a second time, after line 1", "CASE"),
        (Postgres, "DELETE FROM t", "belongs in contract.sql", ""),
        (
            Postgres,
            "DELETE FROM t USING t o WHERE o.a = t.a AND o.id < t.id",
            "rows that earlier batches deleted",
            "table of its own",
        ),
        (
            Postgres,
            "DELETE FROM t WHERE id NOT IN (SELECT min(id) FROM t GROUP BY a)",
            "rows that earlier batches",
            "table of its own",
        ),
        (Postgres, "INSERT INTO w SELECT a, count(*) FROM t GROUP BY a", "it says count()", "more than one batch"),
        (Postgres, "INSERT INTO w SELECT a, 1 FROM t GROUP BY a", "it says GROUP BY", "more than one batch"),
        (Postgres, "INSERT INTO w SELECT DISTINCT a FROM t", "it says DISTINCT", "more than one batch"),
        (Postgres, "INSERT INTO w SELECT row_number() OVER (ORDER BY a) FROM t", "it says OVER", "more than one batch"),
        (Postgres, "INSERT INTO w SELECT a FROM t UNION SELECT a FROM u", "it says UNION", "more than one batch"),
        (
            Postgres,
            "INSERT INTO w SELECT t.a FROM t FULL JOIN u ON u.id = t.id",
            "it says FULL",
            "begin with the table",
        ),
        (Postgres, "INSERT INTO w SELECT a FROM t ORDER BY a LIMIT 5", "it says ORDER BY", hinted),
        (Postgres, "INSERT INTO w SELECT a FROM t", "done a second time", "ON CONFLICT (key) DO NOTHING"),
        (
            Postgres,
            "INSERT INTO w SELECT a FROM t ON CONFLICT (a) DO UPDATE SET a = 1",
            "done a second time",
            "DO NOTHING",
        ),
        (Postgres, "INSERT INTO t SELECT a FROM t ON CONFLICT DO NOTHING", "reads the table that it writes", ""),
        (Postgres, "INSERT INTO w SELECT a FROM t ON CONFLICT DO NOTHING", "cannot be derived", "verify.sql"),
    ] {
        let error = plan(dialect, sql, None).err().unwrap_or_else(|| panic!("{sql} is not refused"));
        let line = if sql.starts_with("UPDATE t SET b = 1;") { 2 } else { 1 };
        assert!(error.message.contains(&format!("backfill.sql:{line}: ")), "{}", error.message);
        assert!(error.message.contains(sentence), "{sql}: {}", error.message);
        assert!(error.hints.join("\n").contains(hint), "{sql}: {:?}", error.hints);
    }
    // What somebody says must hold in the end may be asked for again.
    let unfilled = Some("SELECT 1 FROM t WHERE b IS NULL");
    plan(Dialect::Postgres, "UPDATE t SET b = a WHERE seen < now()", unfilled).unwrap();
    // A window within a subquery of each row, and two arguments of max, are of one row only.
    let sql =
        "INSERT INTO w SELECT (SELECT count(*) OVER () FROM u WHERE u.id = t.id LIMIT 1) FROM t ON CONFLICT DO NOTHING";
    plan(Dialect::Postgres, sql, unfilled).unwrap();
}

async fn refused(change: &mut Change, number: u32, dialect: Dialect, case: &Case, words: &[&str]) -> Said {
    change.named(&format!("refused{number:04}"));
    write(change, dialect, case);
    let said = change.say(&["run"]);
    expect(&said, 2, words);
    expect(&said, 2, &["step backfill.1 (backfill.sql:1)", "hint: "]);
    said
}

/// Nothing is done of a change whose backfill cannot be: its files could not be mended any more.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_cannot_be_gone_through_are_refused_before_anything_is_done() {
    let case = |set_up, expand, backfill| Case { set_up, expand, backfill, verify: "", wrong: "" };
    if let Some(database) = servers::postgres().await {
        let mut session = database::connect(&database.url, "test set-up").await.unwrap();
        let mut change = Change::empty(database);
        for (number, (case, words)) in [
            (
                case("SELECT 1", "CREATE TABLE other (id int)", "UPDATE missing SET b = 1"),
                &["there is no table `missing`"][..],
            ),
            (
                case(
                    "CREATE TABLE t1 (id int PRIMARY KEY);;CREATE VIEW v1 AS SELECT * FROM t1",
                    "CREATE TABLE o1 (id int)",
                    "UPDATE v1 SET id = 1",
                ),
                &["there is no table `v1`"],
            ),
            (
                case(
                    "CREATE TABLE t2 (id int) PARTITION BY LIST (id);;CREATE TABLE t2_1 PARTITION OF t2 DEFAULT",
                    "ALTER TABLE t2 ADD b int",
                    "UPDATE t2 SET b = 1",
                ),
                &[
                    "table `t2` has no primary key and no unique index without NULLs",
                    "one UPDATE for each of the tables",
                ],
            ),
            (
                case(
                    "CREATE TABLE t3 (id int PRIMARY KEY);;CREATE TABLE t3_child () INHERITS (t3)",
                    "ALTER TABLE t3 ADD b int",
                    "UPDATE t3 SET b = 1",
                ),
                &["table t3_child inherits from `t3` and has no index", "UPDATE ONLY"],
            ),
        ]
        .iter()
        .enumerate()
        {
            execute(&mut session, case.set_up).await;
            refused(&mut change, number as u32, Dialect::Postgres, case, words).await;
        }
    }
    if let Some(database) = servers::mariadb().await {
        let mut session = database::connect(&database.url, "test set-up").await.unwrap();
        let mut change = Change::empty(database);
        for (number, (case, words)) in [
            (
                case("CREATE TABLE t1 (id int)", "ALTER TABLE t1 ADD b int", "UPDATE t1 SET b = 1"),
                &["table `t1` has no primary key and no unique index", "add a primary key"][..],
            ),
            (
                case("CREATE TABLE t2 (id float PRIMARY KEY)", "ALTER TABLE t2 ADD b int", "UPDATE t2 SET b = 1"),
                &["cannot be batched by its key (id float)"],
            ),
            (
                case("CREATE TABLE t3 (id int PRIMARY KEY)", "ALTER TABLE t3 ADD b int", "UPDATE t3 SET id = 1"),
                &["cannot be batched by its key (id int(11))"],
            ),
            (
                case(
                    "CREATE TABLE t4 (id int PRIMARY KEY) ENGINE=MyISAM",
                    "ALTER TABLE t4 ADD b int",
                    "UPDATE t4 SET b = 1",
                ),
                &["stored by MyISAM, which has no transactions", "ENGINE=InnoDB"],
            ),
            (
                case(
                    "CREATE TABLE t5 (id varchar(30) NOT NULL, UNIQUE (id(5)))",
                    "ALTER TABLE t5 ADD b int",
                    "UPDATE t5 SET b = 1",
                ),
                &["table `t5` has no primary key"],
            ),
        ]
        .iter()
        .enumerate()
        {
            execute(&mut session, case.set_up).await;
            refused(&mut change, number as u32, Dialect::Mysql, case, words).await;
            let table = format!(
                "SELECT count(*) FROM information_schema.columns WHERE table_schema = database() AND table_name = 't{}' AND column_name = 'b'",
                number + 1
            );
            assert_eq!(session.query(&table, &[]).await.unwrap(), [[Value::Int(0)]], "nothing was done");
        }
    }
}

/// A policy that hides rows would leave them out without a word.
#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_is_refused() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let change = Change::empty(database);
    let role = format!("seer_{}", change.database.name());
    execute(
        &mut session,
        &format!(
            "CREATE TABLE t4 (id int PRIMARY KEY, owner text);;ALTER TABLE t4 ENABLE ROW LEVEL SECURITY;;
         CREATE POLICY own ON t4 USING (owner = current_user);;CREATE ROLE {role} LOGIN;;
         GRANT ALL ON t4 TO {role};;GRANT CREATE ON DATABASE {} TO {role}",
            change.database.name()
        ),
    )
    .await;
    let case = Case {
        set_up: "",
        expand: "SELECT 1",
        backfill: "UPDATE t4 SET owner = 'x' WHERE owner = 'y'",
        verify: "",
        wrong: "",
    };
    let mut change = change;
    change.named("0001");
    write(&change, Dialect::Postgres, &case);
    let mut url = url::Url::parse(&change.database.url).unwrap();
    url.set_username(&role).unwrap();
    let said: Said = change.command(&["run"]).env("LOCKKEEPER_DATABASE_URL", url.as_str()).output().unwrap().into();
    expect(&said, 2, &["row-level security hides rows of table `t4` from role", "BYPASSRLS", &role]);
    execute(&mut session, &format!("DROP OWNED BY {role} CASCADE;;DROP ROLE {role}")).await;
}

/// A DELETE that is under way has run the trigger that takes the copy away, before there is one: the row that is to be
/// copied is waited for. Without a lock on it, the copy of a row that is gone stays for ever.
async fn no_copy_of_a_row_that_goes(database: TestDatabase, dialect: Dialect, trigger: &str, keep: &str, waits: &str) {
    let change = Change::empty(database);
    let mut session = change.session().await;
    execute(&mut session, "CREATE TABLE t (id int PRIMARY KEY, a text);;INSERT INTO t VALUES (1, 'x'), (2, 'y')").await;
    let (expand, backfill) = (
        format!("CREATE TABLE w (id int PRIMARY KEY, a text);\n{trigger}"),
        format!("INSERT INTO w (id, a) SELECT t.id, t.a FROM t {keep}"),
    );
    let case = Case {
        set_up: "",
        expand: expand.leak(),
        backfill: backfill.leak(),
        verify: "SELECT 1 FROM t WHERE NOT EXISTS (SELECT 1 FROM w WHERE w.id = t.id)",
        wrong: "",
    };
    write(&change, dialect, &case);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    execute(&mut session, "BEGIN;;DELETE FROM t WHERE id = 1").await;
    let mut run = change.command(&["run"]).spawn().unwrap();
    let mut other = change.session().await;
    while run.try_wait().unwrap().is_none() && other.query(waits, &[]).await.unwrap() == [[Value::Int(0)]] {
        // InnoDB shows the same picture to whoever asks again within 100 ms.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    execute(&mut session, "COMMIT").await;
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(session.query("SELECT id FROM w", &[]).await.unwrap(), [[Value::Int(2)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_copy_of_a_row_that_goes_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let trigger = "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM w WHERE id = OLD.id; RETURN NULL; END';
         CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION gone();";
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    no_copy_of_a_row_that_goes(database, Dialect::Postgres, trigger, "ON CONFLICT (id) DO NOTHING", waits).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_copy_of_a_row_that_goes_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let trigger = "CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW DELETE FROM w WHERE id = OLD.id;";
    let waits = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let keep = "ON DUPLICATE KEY UPDATE w.id = w.id";
    no_copy_of_a_row_that_goes(database, Dialect::Mysql, trigger, keep, waits).await;
}
