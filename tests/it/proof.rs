//! The proof in front of contract: what it stores, what it repairs, and that nothing is dropped without it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lockkeeper::database::{Connection, Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers;

async fn one(session: &mut Connection, sql: &str) -> Vec<Value> {
    session.query(sql, &[]).await.unwrap().remove(0)
}

/// The last proof of a step, as `status --format json` tells it.
fn proof(change: &Change, step: &str) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&change.say(&["status", "--format", "json"]).out).unwrap();
    let phases = status["phases"].as_array().unwrap().iter();
    let mut steps = phases.flat_map(|phase| phase["steps"].as_array().unwrap());
    steps.find(|other| other["id"] == step).unwrap()["proof"].clone()
}

/// The rename without its triggers: what one version writes, the other does not see.
async fn without_sync(rows: u32) -> (Change, Connection) {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, rows).await;
    change.write("change.toml", "");
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN new_status text;");
    change.write("contract.sql", "DROP INDEX orders_old_status_idx;\nALTER TABLE orders DROP COLUMN old_status;");
    let session = change.session().await;
    (change, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_differs_is_left_alone_until_the_change_says_repair() {
    let (change, mut session) = without_sync(500).await;
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--phase", "backfill"]), 0, &["no row differs: 500 rows in 1 range"]);
    change.approve();
    session.execute("UPDATE orders SET new_status = 'stale' WHERE id IN (77, 78, 400)", &[]).await.unwrap();
    let row = "SELECT old_status, new_status FROM orders WHERE id = 77";
    let stale = one(&mut session, row).await;
    for _ in 0..2 {
        let words = ["row 77 of `orders` differs, and at least 2 more do", "`repair = true`"];
        expect(&change.say(&["run"]), 4, &words);
        assert_eq!(one(&mut session, row).await, stale, "nobody said which of the two is right");
    }
    expect(&change.say(&["status"]), 0, &["differs", "row 77 of `orders` differs"]);
    assert_eq!(proof(&change, "contract.1")["outcome"], "differs");

    change.write("change.toml", "dialect = \"sqlite\"\n[proof]\nrepair = true\n");
    expect(&change.say(&["run"]), 3, &["change.toml changed"]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["3 rows that differed filled again", "3 rows repaired", "finished"]);
    let repaired = proof(&change, "contract.1");
    assert_eq!((&repaired["outcome"], &repaired["repaired"]), (&"proved".into(), &3.into()));
    let right = one(&mut session, "SELECT count(*) FROM orders WHERE new_status = 'state ' || (id % 5)").await;
    assert_eq!(right, [Value::Int(500)]);
}

/// A repair writes what the UPDATE of the change writes, and no row that its WHERE leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_keeps_to_the_where_of_the_backfill() {
    let (change, mut session) = without_sync(10).await;
    change.write("change.toml", "dialect = \"sqlite\"\n[proof]\nrepair = true\n");
    change.write("backfill.sql", "UPDATE orders SET new_status = old_status WHERE new_status IS NULL;");
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    session.execute("UPDATE orders SET new_status = 'written by v2' WHERE id = 7", &[]).await.unwrap();
    expect(&change.say(&["run"]), 4, &["row 7 of `orders` differs", "leaves such a row as it is"]);
    let kept = one(&mut session, "SELECT new_status FROM orders WHERE id = 7").await;
    assert_eq!(kept, [Value::Text("written by v2".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_verify_sql_is_repaired_by_filling_again() {
    let (change, mut session) = without_sync(10).await;
    change.write("verify.sql", "SELECT id FROM orders WHERE new_status <> old_status -- and so on\n;");
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    expect(&change.say(&["run", "--phase", "backfill"]), 0, &[]);
    session.execute("UPDATE orders SET old_status = 'written by v1' WHERE id = 7", &[]).await.unwrap();
    change.approve();
    expect(&change.say(&["run"]), 4, &["the query returns rows", "`repair = true`"]);
    change.write("change.toml", "dialect = \"sqlite\"\n[proof]\nrepair = true\n");
    change.approve();
    expect(&change.say(&["run"]), 4, &["the same command fills every row again"]);
    expect(&change.say(&["run"]), 0, &["finished"]);
    let filled = one(&mut session, "SELECT new_status FROM orders WHERE id = 7").await;
    assert_eq!(filled, [Value::Text("written by v1".into())]);
}

/// The ledger says that all is filled, and nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_ledger_does_not_open_contract() {
    let (change, mut session) = without_sync(10).await;
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    let refused = ["the backfill phase is not finished: step backfill.1 is pending"];
    expect(&change.say(&["run", "--phase", "contract"]), 2, &refused);
    let forge = "UPDATE lockkeeper_step SET state = 'done' WHERE phase = 'backfill' OR id = 'contract.1'";
    session.execute(forge, &[]).await.unwrap();
    change.approve();
    expect(&change.say(&["run", "--phase", "contract"]), 4, &["row 1 of `orders` differs"]);
    assert_eq!(one(&mut session, "SELECT count(old_status) FROM orders").await, [Value::Int(10)]);
}

/// A row that is moved from what is not filled yet to what is: its key alone is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_moves_behind_the_fill_is_filled_by_the_write() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 12_000).await;
    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    let mut session = change.session().await;
    let stop = "CREATE TRIGGER stop BEFORE UPDATE OF new_status ON orders WHEN OLD.id = 6000
        BEGIN SELECT raise(ABORT, 'not further'); END";
    session.execute(stop, &[]).await.unwrap();
    expect(&change.say(&["run"]), 4, &["not further"]);
    let filled = "SELECT sum(new_status IS NOT NULL AND id = 1), sum(new_status IS NOT NULL AND id = 9000) FROM orders";
    assert_eq!(one(&mut session, filled).await, [Value::Int(1), Value::Int(0)], "it stands between the two");
    for sql in ["DROP TRIGGER stop", "UPDATE orders SET id = -7 WHERE id = 9000"] {
        session.execute(sql, &[]).await.unwrap();
    }
    expect(&change.say(&["run"]), 3, &["no row differs: 12000 rows"]);
    let moved = one(&mut session, "SELECT old_status, new_status FROM orders WHERE id = -7").await;
    assert_eq!(moved, [Value::Text("state 0".into()), Value::Text("state 0".into())]);
}

/// Questions are sized by time: no single one reads a big table.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_goes_range_by_range() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    let many = "WITH RECURSIVE s(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM s WHERE i < 45000)
        INSERT INTO orders (id, customer, old_status) SELECT i, 'c', 'state ' || i % 5 FROM s";
    change.session().await.execute(many, &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &[]);
    let proved = proof(&change, "backfill.3");
    assert_eq!(proved["rows"], 45_000, "{proved}");
    assert!(proved["ranges"].as_u64().unwrap() >= 2, "{proved}");
}

/// Contract of the rename on PostgreSQL, which has to wait for its lock until another session commits `unseen`: what
/// it says in the end. Its proof takes more than half a second.
async fn held_up(lock_time: &str, unseen: &[&str]) -> Option<(Change, Said)> {
    let change = Change::rename(servers::postgres().await?, Dialect::Postgres, 60).await;
    slowly(&change, lock_time).await;
    // Without the statements that only enforce: they lock the table before anything is taken away.
    let contract = fs::read_to_string(change.path.join("contract.sql")).unwrap();
    change.write("contract.sql", &contract[contract.find("BEGIN;").unwrap()..]);
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    let mut other = change.session().await;
    for sql in ["SET idle_in_transaction_session_timeout = 0", "BEGIN", "LOCK TABLE orders IN ACCESS SHARE MODE"] {
        other.execute(sql, &[]).await.unwrap();
    }
    for sql in unseen {
        other.execute(sql, &[]).await.unwrap();
    }
    let mut command = change.command(&["run"]);
    let run = std::thread::spawn(move || Said::from(command.output().unwrap()));
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = current_database() AND NOT l.granted AND a.query LIKE 'LOCK TABLE%'";
    let mut session = change.session().await;
    while one(&mut session, waits).await == [Value::Int(0)] {
        if run.is_finished() {
            panic!("{}", run.join().unwrap().err);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.execute("COMMIT", &[]).await.unwrap();
    Some((change, run.join().unwrap()))
}

/// A backfill whose expression takes its time.
async fn slowly(change: &Change, lock_time: &str) {
    let slow = "CREATE FUNCTION slow(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS \
        $$ BEGIN PERFORM pg_sleep(0.01); RETURN value; END $$";
    change.session().await.execute(slow, &[]).await.unwrap();
    // A run queues for its lock behind whoever is there for less than this; on a slow machine that may be a while.
    let settings =
        format!("dialect = \"postgres\"\n[ddl]\nlock-timeout = \"1m\"\n[proof]\nlock-time = \"{lock_time}\"\n");
    change.write("change.toml", &settings);
    change.write("backfill.sql", "UPDATE orders SET new_status = slow(old_status) WHERE new_status IS NULL;");
}

async fn keeps_the_old_column(change: &Change) -> bool {
    change.session().await.query("SELECT old_status FROM orders", &[]).await.is_ok()
}

/// A row that somebody wrote past the triggers, unseen by the proof.
const PAST_THE_TRIGGER: [&str; 2] = [
    "SET LOCAL session_replication_role = replica",
    "UPDATE orders SET old_status = 'written past the trigger' WHERE id = 7",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_breaks_between_proof_and_lock_is_found() {
    let Some((change, said)) = held_up("30s", &PAST_THE_TRIGGER).await else { return };
    expect(&said, 4, &["a row differs that did not when proof contract.1 was taken", "row 7 of `orders` differs"]);
    assert!(keeps_the_old_column(&change).await);
}

/// A table that is too big to be read while it is locked: the sync triggers vouch for it, as long as they stand.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_vouch_for_what_takes_too_long() {
    let toggled = [
        "ALTER TABLE orders DISABLE TRIGGER zzz_orders_new_status_sync",
        "ALTER TABLE orders ENABLE TRIGGER zzz_orders_new_status_sync",
    ];
    let Some((change, said)) = held_up("400ms", &toggled).await else { return };
    let words = ["a sync trigger was replaced, disabled or enabled since proof contract.1", "the rows that came since"];
    expect(&said, 0, &words);
    assert!(!keeps_the_old_column(&change).await);

    // A row beyond the proof's last key is looked at, whatever vouches for the others.
    let late = [
        "SET LOCAL session_replication_role = replica",
        "INSERT INTO orders (customer, old_status) VALUES ('late', 'paid')",
    ];
    let Some((change, said)) = held_up("400ms", &late).await else { return };
    expect(&said, 4, &["a row differs that did not", "row 61 of `orders` differs"]);
    assert!(keeps_the_old_column(&change).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_dropped_where_nobody_vouches() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 60).await;
    slowly(&change, "400ms").await;
    change.write("expand.sql", "ALTER TABLE orders ADD COLUMN new_status text;");
    change.write("contract.sql", "ALTER TABLE orders DROP COLUMN old_status;");
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    let words = ["nothing says that the rows are still as proof contract.1 found them", "`lock-time` below [proof]"];
    expect(&change.say(&["run"]), 1, &words);
    assert!(keeps_the_old_column(&change).await);
    slowly_enough(&change).await;
}

/// The way out that the message names.
async fn slowly_enough(change: &Change) {
    change.write("change.toml", "dialect = \"postgres\"\n[proof]\nlock-time = \"30s\"\n");
    change.approve();
    expect(&change.say(&["run"]), 0, &["proof contract.1 asked again: every row", "finished"]);
}

/// A proof of another fill is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_fill_after_the_proof_makes_it_stale() {
    let refilled = ["INSERT INTO lockkeeper.event (plan, step, kind, detail, happened_at) \
        VALUES ('0042_orders_status', 'backfill.1', 'done', 'again', now())"];
    let Some((_, said)) = held_up("30s", &refilled).await else { return };
    expect(&said, 0, &["the ledger has no proof contract.1 of what backfill.sql has filled", "finished"]);
}

/// The example of NOT NULL, with a unique and a foreign key beside it: enforced by the no-scan recipes, after the proof.
#[tokio::test(flavor = "multi_thread")]
async fn constraints_come_after_the_proof() {
    let Some(database) = servers::postgres().await else { return };
    let mut change = Change::empty(database);
    change.named("0043_notes");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-examples/not-null-postgres");
    let read = |file: &str| fs::read_to_string(example.join(file)).unwrap();
    for file in ["change.toml", "expand.sql", "contract.sql"] {
        change.write(file, &read(file));
    }
    let recipes = "
        CREATE UNIQUE INDEX CONCURRENTLY orders_code ON orders (code);
        ALTER TABLE orders ADD CONSTRAINT orders_code UNIQUE USING INDEX orders_code;
        ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
        ALTER TABLE orders VALIDATE CONSTRAINT orders_customer;";
    let fills = "UPDATE orders SET code = 'c' || id, customer_id = 1 WHERE code IS DISTINCT FROM 'c' || id;\n";
    change.write("backfill.sql", &format!("{fills}{}{recipes}", read("backfill.sql")));
    let mut session = change.session().await;
    session.execute("CREATE TABLE customers (id bigint PRIMARY KEY)", &[]).await.unwrap();
    session.execute("INSERT INTO customers VALUES (1)", &[]).await.unwrap();
    for statement in lockkeeper::sql::read(&read("history/0001_orders.sql"), Dialect::Postgres) {
        session.execute(&read("history/0001_orders.sql")[statement.range], &[]).await.unwrap();
    }
    session.execute("ALTER TABLE orders ADD COLUMN code text, ADD COLUMN customer_id bigint", &[]).await.unwrap();
    let rows = "INSERT INTO orders (customer, note) SELECT 'c', nullif('note ' || i % 3, 'note 0') FROM generate_series(1, 300) i";
    session.execute(rows, &[]).await.unwrap();

    expect(&change.say(&["run", "--phase", "expand"]), 0, &[]);
    // A row that the fill leaves as it is: nothing may be enforced.
    session
        .execute("CREATE RULE stubborn AS ON UPDATE TO orders WHERE OLD.id = 5 DO INSTEAD NOTHING", &[])
        .await
        .unwrap();
    let constraints = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype <> 'p'";
    expect(&change.say(&["run"]), 4, &["row 5 of `orders` differs"]);
    assert_eq!(one(&mut session, constraints).await, [Value::Int(0)]);
    session.execute("DROP RULE stubborn ON orders", &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &["1 row repaired"]);
    assert_eq!(one(&mut session, constraints).await, [Value::Int(2)], "unique and foreign key; the check is gone");
    let enforced =
        "SELECT (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'),
        (SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'orders'::regclass)";
    assert_eq!(one(&mut session, enforced).await, [Value::Int(1), Value::Int(1)]);
    // The version that is running still leaves the note out.
    session.execute("INSERT INTO orders (customer) VALUES ('v1')", &[]).await.unwrap();
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
}
