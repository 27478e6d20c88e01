//! Batches over tables of every shape: each row is written, and what others wrote stays.

use std::sync::atomic::{AtomicUsize, Ordering};

use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::plan::directory;
use lockkeeper::run::{self, Event, Ledger, Outcome, Request};
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// A table and a statement over it.
pub(crate) struct Case {
    pub(crate) set_up: &'static str,
    pub(crate) expand: &'static str,
    pub(crate) backfill: &'static str,
    pub(crate) verify: &'static str,
    /// How many rows are not as they should be.
    pub(crate) wrong: &'static str,
}

/// Statements apart by `;;`.
pub(crate) async fn execute(session: &mut Connection, statements: &str) {
    for sql in statements.split(";;") {
        session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

pub(crate) fn write(change: &Change, dialect: Dialect, case: &Case) {
    change
        .write("change.toml", &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 1\nbatch-time = \"1us\"\n"));
    change.write("expand.sql", case.expand);
    change.write("backfill.sql", case.backfill);
    if !case.verify.is_empty() {
        change.write("verify.sql", case.verify);
    }
}

/// Carries each out in batches of a hundred rows, and its proof.
async fn carried_out(database: TestDatabase, dialect: Dialect, cases: &[Case]) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let mut change = Change::empty(database);
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        execute(&mut session, case.set_up).await;
        change.named(&format!("{number:04}"));
        write(&change, dialect, case);
        let said = change.say(&["run"]);
        let wrong = session.query(case.wrong, &[]).await.map_err(|error| error.to_string());
        if said.code != 0 || wrong != Ok(vec![vec![Value::Int(0)]]) {
            failures.push(format!("{}: exit {}, {wrong:?} wrong\n{}", case.backfill, said.code, said.err));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

const NOTHING: &str = "SELECT 1";

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_tables_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let case = |set_up, expand, backfill, wrong| Case { set_up, expand, backfill, verify: "", wrong };
    let cases = [
        case(
            "CREATE TABLE c1 (id int PRIMARY KEY, a text);;CREATE TABLE u1 (id int PRIMARY KEY, y text, z int);;
             INSERT INTO c1 SELECT i, 'v' || i FROM generate_series(1, 350) i;;
             INSERT INTO u1 SELECT i, 'y' || i, i FROM generate_series(1, 300) i",
            "ALTER TABLE c1 ADD COLUMN b text, ADD COLUMN c text, ADD COLUMN d int",
            "UPDATE c1 AS x SET b = u.y FROM u1 u WHERE u.id = x.id;
             UPDATE ONLY public.c1 SET (c, d) = (SELECT y, z FROM u1 WHERE u1.id = c1.id)",
            "SELECT count(*) FROM c1 LEFT JOIN u1 USING (id) WHERE (b, c, d) IS DISTINCT FROM (y, y, z)",
        ),
        case(
            "CREATE TABLE c2 (id int PRIMARY KEY, a int);;CREATE TABLE u2 (a int PRIMARY KEY);;
             INSERT INTO c2 SELECT i, i % 4 FROM generate_series(1, 400) i;;INSERT INTO u2 VALUES (1)",
            NOTHING,
            "DELETE FROM c2 WHERE a = 2; DELETE FROM c2 x USING u2 WHERE u2.a = x.a",
            "SELECT abs(count(*) - 200) FROM c2 WHERE a IN (0, 3)",
        ),
        Case {
            set_up: "CREATE TABLE c3 (id uuid PRIMARY KEY, a int);;
                     INSERT INTO c3 SELECT gen_random_uuid(), i FROM generate_series(1, 350) i",
            expand: "CREATE TABLE w3 (id uuid PRIMARY KEY, a int)",
            backfill: "INSERT INTO w3 (id, a) SELECT s.id, s.a + 1 FROM c3 s WHERE s.a > 10 ON CONFLICT (id) DO NOTHING",
            verify: "SELECT 1 FROM c3 WHERE a > 10 AND NOT EXISTS (SELECT 1 FROM w3 WHERE w3.id = c3.id)",
            wrong: "SELECT count(*) FROM c3 FULL JOIN w3 USING (id) WHERE (c3.a > 10 AND w3.a IS DISTINCT FROM c3.a + 1) OR (c3.a <= 10 AND w3.a IS NOT NULL)",
        },
        // No key at all: by blocks.
        case(
            "CREATE TABLE c4 (a text) WITH (fillfactor = 100);;INSERT INTO c4 SELECT repeat('v', 300) || i FROM generate_series(1, 2000) i",
            "ALTER TABLE c4 ADD COLUMN b text",
            "UPDATE c4 SET b = a",
            "SELECT count(*) FROM c4 WHERE b IS DISTINCT FROM a",
        ),
        // The only key is what the statement writes; so is one of two.
        case(
            "CREATE TABLE c5 (id int PRIMARY KEY, x int NOT NULL UNIQUE);;INSERT INTO c5 SELECT i, -i FROM generate_series(1, 350) i",
            NOTHING,
            "UPDATE c5 SET id = 1000 - x",
            "SELECT count(*) FROM c5 WHERE id <> 1000 - x",
        ),
        case(
            "CREATE TABLE c6 (id int, k int, a text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);;
             CREATE TABLE c6_1 PARTITION OF c6 FOR VALUES IN (1);;CREATE TABLE c6_2 PARTITION OF c6 DEFAULT;;
             INSERT INTO c6 SELECT i, i % 3, 'v' || i FROM generate_series(1, 600) i",
            "ALTER TABLE c6 ADD COLUMN b text",
            "UPDATE c6 SET b = a",
            "SELECT count(*) FROM c6 WHERE b IS DISTINCT FROM a",
        ),
        // Inherited keys are those of each table: the same in two.
        case(
            "CREATE TABLE c7 (id int PRIMARY KEY, a text);;CREATE TABLE c7_child (PRIMARY KEY (id)) INHERITS (c7);;
             INSERT INTO c7 SELECT i, 'v' || i FROM generate_series(1, 300) i;;
             INSERT INTO c7_child SELECT i, 'w' || i FROM generate_series(1, 300) i",
            "ALTER TABLE c7 ADD COLUMN b text, ADD COLUMN c text",
            "UPDATE c7 SET b = a; UPDATE ONLY c7 SET c = a",
            "SELECT count(*) FROM c7 WHERE b IS DISTINCT FROM a OR c IS DISTINCT FROM CASE tableoid::regclass::text WHEN 'c7' THEN a END",
        ),
        case(
            "CREATE TABLE \"Tab.le \"\"of\"\" \u{fc}ber sixty three bytes, which is as long as a name c\" (\"Sel.ect\" int PRIMARY KEY, \"user\" text);;
             INSERT INTO \"Tab.le \"\"of\"\" \u{fc}ber sixty three bytes, which is as long as a name c\" SELECT i, 'v' || i FROM generate_series(1, 250) i",
            "ALTER TABLE \"Tab.le \"\"of\"\" \u{fc}ber sixty three bytes, which is as long as a name c\" ADD COLUMN \"or.der\" text",
            "UPDATE \"Tab.le \"\"of\"\" \u{fc}ber sixty three bytes, which is as long as a name c\" AS \"x y\" SET \"or.der\" = \"user\"",
            "SELECT count(*) FROM \"Tab.le \"\"of\"\" \u{fc}ber sixty three bytes, which is as long as a name c\" WHERE \"or.der\" IS DISTINCT FROM \"user\"",
        ),
        // A gap of a thousand million, and rows in another order than their keys.
        case(
            "CREATE TABLE c9 (id bigint PRIMARY KEY, a text, g int GENERATED ALWAYS AS (length(a)) STORED);;
             INSERT INTO c9 SELECT CASE WHEN i % 2 = 0 THEN i ELSE i + 1000000000 END, 'v' || i FROM generate_series(400, 1, -1) i",
            "ALTER TABLE c9 ADD COLUMN b text",
            "UPDATE c9 SET b = a || g",
            "SELECT count(*) FROM c9 WHERE b IS DISTINCT FROM a || g",
        ),
        // A trigger that writes elsewhere.
        case(
            "CREATE TABLE c10 (id int PRIMARY KEY, a text);;CREATE TABLE log10 (id int PRIMARY KEY);;
             INSERT INTO c10 SELECT i, 'v' FROM generate_series(1, 250) i;;
             CREATE FUNCTION log10_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log10 VALUES (NEW.id); RETURN NEW; END';;
             CREATE TRIGGER log10_write AFTER UPDATE ON c10 FOR EACH ROW EXECUTE FUNCTION log10_write()",
            "ALTER TABLE c10 ADD COLUMN b text",
            "UPDATE c10 SET b = a",
            "SELECT abs(count(*) - 250) FROM log10",
        ),
        case("CREATE TABLE c11 (a int)", "ALTER TABLE c11 ADD COLUMN b int", "UPDATE c11 SET b = a", "SELECT count(*) FROM c11"),
        case(
            "CREATE TABLE c12 (id int PRIMARY KEY, a int);;INSERT INTO c12 SELECT i FROM generate_series(1, 250) i",
            "ALTER TABLE c12 ADD COLUMN b int",
            "UPDATE c12 SET b = a",
            "SELECT count(*) FROM c12 WHERE b IS NOT NULL",
        ),
    ];
    carried_out(database, Dialect::Postgres, &cases).await;
}

/// Every type that an index of PostgreSQL orders.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    execute(
        &mut session,
        "CREATE TYPE mood AS ENUM ('zz', 'aa', 'mm');;CREATE DOMAIN number AS int CHECK (VALUE <> 7)",
    )
    .await;
    let mut change = Change::empty(database);
    for (number, (data_type, key)) in [
        ("bytea", "decode(md5(i::text), 'hex')"),
        ("bytea", "CASE i WHEN 1 THEN ''::bytea ELSE int4send(i) END"),
        ("float8", "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' ELSE i / 3.0 END::float8"),
        ("real", "(i / 7.0)::real"),
        ("numeric", "CASE i WHEN 1 THEN 'NaN' ELSE (i / 7.0)::text END::numeric"),
        (
            "timestamptz",
            "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE now() - i * interval '1 us' END::timestamptz",
        ),
        ("date", "CASE i WHEN 1 THEN '4000-01-01 BC' ELSE date '2026-01-01' + i END::date"),
        ("interval", "i * interval '1 day 1 us'"),
        ("number", "i + 10"),
        ("inet", "'10.0.0.0'::inet + i"),
        ("int[]", "ARRAY[i % 3, i]"),
        ("int4range", "int4range(i, i + 1)"),
        ("char(8)", "'k' || i"),
        ("name", "('k' || i)::name"),
        ("oid", "i::oid"),
    ]
    .into_iter()
    .enumerate()
    {
        let set_up = format!(
            "CREATE TABLE k{number} (id {data_type} PRIMARY KEY, a int);;
             INSERT INTO k{number} SELECT {key}, i FROM generate_series(1, 230) i;;
             CREATE TABLE m{number} (m mood, id {data_type}, a int, UNIQUE (m, id));;ALTER TABLE m{number} ALTER m SET NOT NULL, ALTER id SET NOT NULL;;
             INSERT INTO m{number} SELECT (ARRAY['zz', 'aa', 'mm'])[1 + i % 3]::mood, {key}, i FROM generate_series(1, 230) i"
        );
        execute(&mut session, &set_up).await;
        change.named(&format!("{number:04}"));
        change.write("change.toml", "dialect = \"postgres\"\n[backfill]\nbatch-rows = 1\nbatch-time = \"1us\"\n");
        change.write("expand.sql", &format!("ALTER TABLE k{number} ADD b int; ALTER TABLE m{number} ADD b int"));
        change.write("backfill.sql", &format!("UPDATE k{number} SET b = a; UPDATE m{number} SET b = a"));
        expect(&change.say(&["run"]), 0, &[]);
        for table in ["k", "m"] {
            let sql = format!("SELECT count(*) FROM {table}{number} WHERE b IS DISTINCT FROM a");
            assert_eq!(session.query(&sql, &[]).await.unwrap(), [[Value::Int(0)]], "{data_type} {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_tables_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let case = |set_up, expand, backfill, wrong| Case { set_up, expand, backfill, verify: "", wrong };
    let cases = [
        case(
            "CREATE TABLE c1 (id decimal(20,5) PRIMARY KEY, a text);;CREATE TABLE u1 (id decimal(20,5) PRIMARY KEY, y text);;
             INSERT INTO c1 SELECT seq / 7, concat('v', seq) FROM seq_1_to_350;;
             INSERT INTO u1 SELECT seq / 7, concat('y', seq) FROM seq_1_to_300",
            "ALTER TABLE c1 ADD COLUMN b text",
            "UPDATE c1 x JOIN u1 ON u1.id = x.id SET x.b = u1.y",
            "SELECT count(*) FROM c1 LEFT JOIN u1 USING (id) WHERE NOT b <=> y",
        ),
        case(
            "CREATE TABLE c2 (k int, id time, a int, PRIMARY KEY (k, id));;
             INSERT INTO c2 SELECT seq % 2, sec_to_time(seq * 60), seq % 4 FROM seq_1_to_400",
            "CREATE TABLE expanded (id int)",
            "DELETE FROM c2 WHERE a = 2",
            "SELECT abs(count(*) - 300) FROM c2 WHERE a <> 2",
        ),
        Case {
            set_up: "CREATE TABLE c3 (id int PRIMARY KEY, a int);;INSERT INTO c3 SELECT seq, seq FROM seq_1_to_350",
            expand: "CREATE TABLE w3 (id int PRIMARY KEY, a int)",
            backfill: "INSERT INTO w3 (id, a) SELECT id, a + 1 FROM c3 ON DUPLICATE KEY UPDATE w3.id = w3.id",
            verify: "SELECT 1 FROM c3 WHERE NOT EXISTS (SELECT 1 FROM w3 WHERE w3.id = c3.id)",
            wrong: "SELECT count(*) FROM c3 LEFT JOIN w3 USING (id) WHERE NOT w3.a <=> c3.a + 1",
        },
    ];
    carried_out(database, Dialect::Mysql, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_tables_on_sqlite() {
    const MANY: &str = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 350)";
    let many = |insert: &str, select: &str| -> &'static str {
        Box::leak(format!("{insert} {MANY} SELECT {select} FROM s").into_boxed_str())
    };
    let case = |set_up: &str, expand, backfill, wrong| Case {
        set_up: Box::leak(set_up.into()),
        expand,
        backfill,
        verify: "",
        wrong,
    };
    let cases = [
        case(
            &format!(
                "CREATE TABLE c1 (id int, k text, a text, PRIMARY KEY (k, id)) WITHOUT ROWID;;CREATE TABLE u1 (id int PRIMARY KEY, y text, z);;{};;{}",
                many("INSERT INTO c1", "i, 'k' || i % 2, 'v' || i"),
                many("INSERT INTO u1", "i, 'y' || i, i")
            ),
            "ALTER TABLE c1 ADD COLUMN b text; ALTER TABLE c1 ADD COLUMN c text; ALTER TABLE c1 ADD COLUMN d",
            "UPDATE c1 AS x SET b = u.y FROM u1 u WHERE u.id = x.id;
             UPDATE c1 SET (c, d) = (SELECT y, z FROM u1 WHERE u1.id = c1.id)",
            "SELECT count(*) FROM c1 JOIN u1 USING (id) WHERE b IS NOT y OR c IS NOT y OR d IS NOT z",
        ),
        // No key, and a column with the row number's own name.
        case(
            &format!("CREATE TABLE c2 (rowid text, a text);;{}", many("INSERT INTO c2", "'same', 'v' || i")),
            "ALTER TABLE c2 ADD COLUMN b text",
            "UPDATE c2 SET b = a",
            "SELECT count(*) FROM c2 WHERE b IS NOT a",
        ),
        // A primary key that holds NULL.
        case(
            &format!(
                "CREATE TABLE c3 (id text PRIMARY KEY, a text);;{};;INSERT INTO c3 VALUES (NULL, 'x'), (NULL, 'y')",
                many("INSERT INTO c3", "i, 'v' || i")
            ),
            "ALTER TABLE c3 ADD COLUMN b text",
            "UPDATE c3 SET b = a",
            "SELECT count(*) FROM c3 WHERE b IS NOT a",
        ),
    ];
    carried_out(servers::sqlite(), Dialect::Sqlite, &cases).await;
}

/// What the new version wrote meanwhile stays, also where the old value says something else.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_somebody_wrote_meanwhile_stay() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    execute(
        &mut session,
        "CREATE TABLE t (id int PRIMARY KEY, name text);;INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 300) i",
    )
    .await;
    let mut change = Change::empty(database);
    change.named("0001");
    let case = Case {
        set_up: "",
        expand: "ALTER TABLE t ADD COLUMN label text",
        backfill: "UPDATE t SET label = upper(name)",
        verify: "SELECT 1 FROM t WHERE label IS NULL",
        wrong: "",
    };
    write(&change, Dialect::Postgres, &case);
    expect(&change.say(&["plan"]), 0, &["guard: AND t.label IS NULL in each batch"]);
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    execute(&mut session, "UPDATE t SET label = 'Of v2' WHERE id % 3 = 0").await;
    expect(&change.say(&["run"]), 0, &[]);
    let sql = "SELECT count(*) FROM t WHERE label <> CASE id % 3 WHEN 0 THEN 'Of v2' ELSE upper(name) END";
    assert_eq!(session.query(sql, &[]).await.unwrap(), [[Value::Int(0)]]);
}

/// Whatever the statistics say, a batch and its end are found by the key: each row is read a few times, not once for
/// each batch. Without `SET enable_seqscan = off` this reads the whole table for most batches.
#[tokio::test(flavor = "multi_thread")]
async fn no_batch_scans_the_table_whatever_the_statistics_say() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let cases = [
        // Never analysed; analysed when it held a hundredth; two columns of which the first says little.
        ("s1", "id int PRIMARY KEY", "", "i", 20_000),
        (
            "s2",
            "id int PRIMARY KEY",
            "INSERT INTO s2 SELECT i, 'x' FROM generate_series(1, 200) i;;ANALYZE s2",
            "i + 200",
            20_000,
        ),
        ("s3", "k int, id int, PRIMARY KEY (k, id)", "", "1, i", 20_000),
    ];
    let mut change = Change::empty(database);
    for (table, key, before, columns, rows) in cases {
        execute(&mut session, &format!("CREATE TABLE {table} ({key}, a text) WITH (autovacuum_enabled = off)")).await;
        if !before.is_empty() {
            execute(&mut session, before).await;
        }
        execute(&mut session, &format!("INSERT INTO {table} SELECT {columns}, 'v' FROM generate_series(1, {rows}) i"))
            .await;
        change.named(table);
        change.write("change.toml", "dialect = \"postgres\"\n[backfill]\nbatch-rows = 500\nbatch-time = \"1us\"\n");
        change.write("expand.sql", &format!("ALTER TABLE {table} ADD b text"));
        change.write("backfill.sql", &format!("UPDATE {table} SET b = a"));
        change.write("verify.sql", "SELECT 1 WHERE false");
        let read = format!(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0), n_tup_upd FROM pg_stat_user_tables WHERE relname = '{table}'"
        );
        expect(&change.say(&["run"]), 0, &[]);
        let mut counted = vec![];
        // The server counts a session's reads when it ends.
        for _ in 0..100 {
            counted = session.query(&read, &[]).await.unwrap();
            if matches!(counted[0][1], Value::Int(updated) if updated >= rows) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let Value::Int(reads) = counted[0][0] else { panic!("{counted:?}") };
        assert!(reads < 12 * rows, "{table}: {reads} rows were read to write {rows}");
    }
}

/// VACUUM FULL puts the rows of a table into other blocks: what was done by blocks begins again.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_may_be_written_anew() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let set_up = "CREATE TABLE t (a text);;INSERT INTO t SELECT repeat('v', 300) || i FROM generate_series(1, 3000) i;;
        DELETE FROM t WHERE ctid < '(60,0)';;ANALYZE t";
    execute(&mut session, set_up).await;
    let mut change = Change::empty(database);
    change.named("0001");
    let case = Case {
        set_up: "",
        expand: "ALTER TABLE t ADD COLUMN b text",
        backfill: "UPDATE t SET b = a",
        verify: "",
        wrong: "",
    };
    write(&change, Dialect::Postgres, &case);
    let plan = directory::read(&change.path, None).unwrap();
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "test", None).await.unwrap().unwrap();
    let batches = AtomicUsize::new(0);
    // Two batches, and the run is stopped; then the table is written anew.
    let stop = || batches.load(Ordering::SeqCst) >= 2;
    let request = Request {
        plan: &plan,
        directory: change.path.clone(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &stop,
        url: &change.database.url,
    };
    let mut on_event = |event: Event| {
        if matches!(event, Event::Batch { .. }) {
            batches.fetch_add(1, Ordering::SeqCst);
        }
    };
    let outcome = run::carry_out(&mut session, &ledger, &lease, &request, &mut on_event).await.unwrap();
    assert_eq!(outcome, Outcome::Interrupted);
    execute(&mut session, "VACUUM FULL t").await;
    let request = Request { stop: &|| false, ..request };
    let outcome = run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let wrong = session.query("SELECT count(*) FROM t WHERE b IS DISTINCT FROM a", &[]).await.unwrap();
    assert_eq!(wrong, [[Value::Int(0)]]);
}
