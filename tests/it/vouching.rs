//! Which triggers vouch in front of the drop for a table that is too big to be read under a lock: those that see every
//! write to every table that the proof reads. Where none does, nothing is dropped.

use std::time::Duration;

use lockkeeper::database::{Session, Value};

use super::run::{Change, Said, expect};
use super::servers;

/// What a refusal says, in front of its reason.
const REFUSED: &str = "nothing says that the rows are still as proof contract.1 found them";
/// What an event says where triggers vouch.
const VOUCHED: &str = "the rows that came since, and the sync triggers, which stand as they stood";

/// A change whose proof takes longer than its tables may be locked.
struct Case<'a> {
    expand: &'a str,
    backfill: &'a str,
    verify: Option<&'a str>,
    contract: &'a str,
    /// Done by somebody between expand and backfill.
    between: &'a [&'a str],
}

/// On PostgreSQL: `b` is made from `a`, by a function of which it is known that it reads no table.
const POSTGRES: Case<'_> = Case {
    expand: "ALTER TABLE o ADD COLUMN b text;
        CREATE TRIGGER f BEFORE INSERT OR UPDATE ON o FOR EACH ROW EXECUTE FUNCTION f();",
    backfill: "UPDATE o SET b = slow(a);",
    verify: None,
    contract: "BEGIN; DROP TRIGGER f ON o; ALTER TABLE o DROP COLUMN a; COMMIT;",
    between: &[],
};

const TABLES: [&str; 8] = [
    "CREATE FUNCTION slow(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN PERFORM pg_sleep(0.015); RETURN upper(value); END $$",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := upper(NEW.a); RETURN NEW; END $$",
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "CREATE FUNCTION joined() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.b := upper((SELECT name FROM customers c WHERE c.id = NEW.id)); RETURN NEW; END $$",
    "CREATE TABLE customers (id int PRIMARY KEY, name text)",
    "INSERT INTO customers SELECT i, 'name ' || i FROM generate_series(1, 10) i",
    "CREATE TABLE o (id int PRIMARY KEY, a text)",
    "INSERT INTO o SELECT i, 'a' || i FROM generate_series(1, 10) i",
];

impl Case<'_> {
    async fn begin(&self, change: &Change, tables: &[&str]) {
        let mut session = change.session().await;
        for sql in tables {
            session.execute(sql, &[]).await.unwrap();
        }
        let dialect = session.dialect();
        change.write("change.toml", &format!("dialect = \"{dialect}\"\n[proof]\nlock-time = \"50ms\"\n"));
        change.write("expand.sql", self.expand);
        change.write("backfill.sql", self.backfill);
        if let Some(verify) = self.verify {
            change.write("verify.sql", verify);
        }
        change.write("contract.sql", self.contract);
        expect(&change.say(&["run", "--phase", "expand", "--force", "--reason", "a test"]), 0, &[]);
        for sql in self.between {
            session.execute(sql, &[]).await.unwrap();
        }
        expect(&change.say(&["run"]), 3, &[]);
        change.approve();
    }

    async fn on_postgres(&self, tables: &[&str]) -> Option<(Change, Said)> {
        let change = Change::empty(servers::postgres().await?);
        self.begin(&change, tables).await;
        let said = change.say(&["run"]);
        Some((change, said))
    }

    /// Nothing is dropped, and why.
    async fn is_refused(&self, tables: &[&str], because: &str) {
        let Some((change, said)) = self.on_postgres(tables).await else { return };
        expect(&said, 1, &[REFUSED, because, "`lock-time` below [proof]"]);
        let mut session = change.session().await;
        session.query("SELECT o.a, c.name FROM o, customers c", &[]).await.expect("both columns are still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_vouch_that_see_every_write() {
    let Some((_, said)) = POSTGRES.on_postgres(&TABLES).await else { return };
    expect(&said, 0, &[VOUCHED, "finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_misses_an_event_does_not_vouch() {
    for (trigger, missed) in [
        ("BEFORE INSERT ON o FOR EACH ROW", "updated"),
        ("BEFORE UPDATE ON o FOR EACH ROW", "inserted"),
        // Of the key it would say nothing, and a row that moves is missed by a walk.
        ("BEFORE INSERT OR UPDATE OF a, b ON o FOR EACH ROW", "inserted"),
        ("BEFORE INSERT OR UPDATE ON o FOR EACH ROW WHEN (NEW.id <> 7)", "inserted"),
        ("AFTER INSERT OR UPDATE ON o FOR EACH STATEMENT", "inserted"),
    ] {
        let function = if trigger.contains("STATEMENT") { "nothing" } else { "f" };
        let expand =
            format!("ALTER TABLE o ADD COLUMN b text; CREATE TRIGGER f {trigger} EXECUTE FUNCTION {function}();");
        let because = format!("no trigger of expand.sql is known to fire for every row of `o` that is {missed}");
        Case { expand: &expand, ..POSTGRES }.is_refused(&TABLES, &because).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_trigger_does_not_vouch() {
    for between in ["ALTER TABLE o DISABLE TRIGGER f", "ALTER TABLE o ENABLE REPLICA TRIGGER f"] {
        Case { between: &[between], ..POSTGRES }.is_refused(&TABLES, "trigger `f` does not fire").await;
    }
}

/// A partition has its triggers from the table above it, and may disable them; what inherits has none of them.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_vouch_for_every_table_below() {
    let partitioned = |last: &'static str| {
        let mut tables = TABLES.to_vec();
        tables.truncate(6);
        tables.extend([
            "CREATE TABLE o (id int PRIMARY KEY, a text) PARTITION BY RANGE (id)",
            "CREATE TABLE low PARTITION OF o FOR VALUES FROM (0) TO (5)",
            "CREATE TABLE high PARTITION OF o FOR VALUES FROM (5) TO (100)",
            last,
        ]);
        tables
    };
    let tables = partitioned(TABLES[7]);
    let Some((_, said)) = POSTGRES.on_postgres(&tables).await else { return };
    expect(&said, 0, &[VOUCHED, "finished"]);
    let disabled = Case { between: &["ALTER TABLE high DISABLE TRIGGER f"], ..POSTGRES };
    let because = "known to fire for every row of `o` that is inserted";
    disabled.is_refused(&tables, because).await;
    let mut tables = TABLES.to_vec();
    tables.push("CREATE TABLE child (PRIMARY KEY (id)) INHERITS (o)");
    POSTGRES.is_refused(&tables, because).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_tables_a_proof_reads_must_be_seen_too() {
    let joined = Case {
        expand: "ALTER TABLE o ADD COLUMN b text;
            CREATE TRIGGER f BEFORE INSERT OR UPDATE ON o FOR EACH ROW EXECUTE FUNCTION joined();",
        backfill: "UPDATE o SET b = slow(c.name) FROM customers c WHERE c.id = o.id;",
        contract: "ALTER TABLE customers DROP COLUMN name;",
        ..POSTGRES
    };
    joined.is_refused(&TABLES, "for every row of `customers` that is inserted").await;
    let written = format!(
        "{} CREATE TRIGGER g AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION nothing();",
        joined.expand
    );
    let deleted = Case { expand: &written, ..joined };
    deleted.is_refused(&TABLES, "for every row of `customers` that is deleted").await;
    let all = written.replace("UPDATE ON customers", "UPDATE OR DELETE ON customers");
    let Some((_, said)) = (Case { expand: &all, ..joined }).on_postgres(&TABLES).await else { return };
    expect(&said, 0, &[VOUCHED, "finished"]);

    // A subquery reads as a join does.
    let by_query = "UPDATE o SET b = slow((SELECT c.name FROM customers c WHERE c.id = o.id));";
    Case { backfill: by_query, ..joined }.is_refused(&TABLES, "row of `customers` that is inserted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_for_tables_that_cannot_be_told() {
    let verify = "SELECT id FROM o WHERE b IS DISTINCT FROM upper(a) OR pg_sleep(0.015) IS NULL;";
    let query = Case { verify: Some(verify), ..POSTGRES };
    query.is_refused(&TABLES, "a query of verify.sql may read any table").await;
    let mut tables = TABLES.to_vec();
    tables.push("ALTER FUNCTION slow STABLE");
    POSTGRES.is_refused(&tables, "the function slow() may read any table").await;
}

/// Hours may lie between the proof and the drop.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_written_during_a_long_validation_is_not_lost() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::empty(database);
    let held = "CREATE FUNCTION held() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_lock(7); PERFORM pg_advisory_unlock(7); RETURN true; END $$";
    let case = Case {
        expand: "ALTER TABLE o ADD COLUMN b text;
            CREATE TRIGGER f BEFORE INSERT ON o FOR EACH ROW EXECUTE FUNCTION f();",
        contract: "ALTER TABLE o ADD CONSTRAINT filled CHECK (b IS NOT NULL AND (id <> 1 OR held())) NOT VALID;
            ALTER TABLE o VALIDATE CONSTRAINT filled;
            BEGIN; DROP TRIGGER f ON o; ALTER TABLE o DROP COLUMN a; COMMIT;",
        ..POSTGRES
    };
    case.begin(&change, &[&TABLES[..], &[held]].concat()).await;
    let mut other = change.session().await;
    other.query("SELECT 1 FROM (SELECT pg_advisory_lock(7)) AS locked", &[]).await.unwrap();
    let mut command = change.command(&["run"]);
    let run = std::thread::spawn(move || Said::from(command.output().unwrap()));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
        AND query LIKE '%VALIDATE%'";
    while other.query(waits, &[]).await.unwrap() == [[Value::Int(0)]] {
        assert!(!run.is_finished(), "{}", run.join().unwrap().err);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.execute("UPDATE o SET a = 'LATE' WHERE id = 7", &[]).await.unwrap();
    other.query("SELECT pg_advisory_unlock(7)", &[]).await.unwrap();
    expect(&run.join().unwrap(), 1, &[REFUSED, "for every row of `o` that is updated"]);
    let kept = other.query("SELECT a, b FROM o WHERE id = 7", &[]).await.unwrap();
    assert_eq!(kept, [[Value::Text("LATE".into()), Value::Text("A7".into())]]);
}

/// On MariaDB, where a foreign key may change rows and no trigger fires: `b` is made from `a`; the key is `(code, n)`.
const MARIADB: Case<'_> = Case {
    expand: "ALTER TABLE o ADD COLUMN b varchar(30);
        CREATE TRIGGER f BEFORE INSERT ON o FOR EACH ROW SET NEW.b = NEW.a;
        CREATE TRIGGER g BEFORE UPDATE ON o FOR EACH ROW SET NEW.b = NEW.a;",
    backfill: "UPDATE o SET b = concat(a, left(sleep(0.015), 0));",
    verify: None,
    contract: "DROP TRIGGER f; DROP TRIGGER g; ALTER TABLE o DROP COLUMN a;",
    between: &[],
};

fn tables_of_mariadb(foreign_key: &str) -> [String; 4] {
    [
        "CREATE TABLE p (code varchar(30) PRIMARY KEY)".to_string(),
        "INSERT INTO p VALUES ('c1'), ('c2'), ('c3'), ('c4'), ('c5'), ('c6'), ('c7'), ('c8'), ('c9'), ('c10')"
            .to_string(),
        format!(
            "CREATE TABLE o (code varchar(30), n int, a varchar(30), other varchar(30), PRIMARY KEY (code, n){foreign_key})"
        ),
        "INSERT INTO o SELECT code, 1, code, code FROM p".to_string(),
    ]
}

async fn on_mariadb(case: &Case<'_>, foreign_key: &str) -> Option<(Change, Said)> {
    let change = Change::empty(servers::mariadb().await?);
    case.begin(&change, &tables_of_mariadb(foreign_key).each_ref().map(String::as_str)).await;
    let said = change.say(&["run"]);
    Some((change, said))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_both_triggers_are_asked_for() {
    let Some((_, said)) = on_mariadb(&MARIADB, "").await else { return };
    expect(&said, 0, &[VOUCHED, "finished"]);
    assert!(!said.err.contains("no trigger sees it"), "{}", said.err);
    let expand = "ALTER TABLE o ADD COLUMN b varchar(30);
        CREATE TRIGGER f BEFORE INSERT ON o FOR EACH ROW SET NEW.b = NEW.a;";
    let case = Case { expand, contract: "ALTER TABLE o DROP COLUMN a;", ..MARIADB };
    let Some((_, said)) = on_mariadb(&case, "").await else { return };
    expect(&said, 1, &[REFUSED, "no trigger of expand.sql is known to fire for every row of `o` that is updated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trigger_vouches_for_what_a_foreign_key_changes() {
    for (foreign_key, column) in [
        // The column that is copied, and the key, by which the proof goes.
        (", FOREIGN KEY fk (a) REFERENCES p (code) ON UPDATE CASCADE", "a"),
        (", FOREIGN KEY fk (a) REFERENCES p (code) ON DELETE SET NULL", "a"),
        (", FOREIGN KEY fk (code) REFERENCES p (code) ON UPDATE CASCADE", "code"),
    ] {
        let Some((change, said)) = on_mariadb(&MARIADB, foreign_key).await else { return };
        let because =
            format!("changes `{column}` of `o` when the row that it points to changes, and no trigger fires for that");
        expect(&said, 1, &[REFUSED, "no trigger sees it", &because]);
        if foreign_key.contains("(a) REFERENCES p (code) ON UPDATE") {
            let mut session = change.session().await;
            session.execute("UPDATE p SET code = 'moved' WHERE code = 'c7'", &[]).await.unwrap();
            let row = session.query("SELECT a, b FROM o WHERE code = 'c7'", &[]).await.unwrap();
            assert_eq!(row, [[Value::Text("moved".into()), Value::Text("c7".into())]], "as this server does it");
            expect(&change.say(&["run"]), 4, &["differs"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_of_another_column_is_in_nobodys_way() {
    for foreign_key in [
        ", FOREIGN KEY fk (other) REFERENCES p (code) ON UPDATE CASCADE",
        // It only takes rows away.
        ", FOREIGN KEY fk (a) REFERENCES p (code) ON DELETE CASCADE",
    ] {
        let contract = "DROP TRIGGER f; DROP TRIGGER g;";
        let Some((_, said)) = on_mariadb(&Case { contract, ..MARIADB }, foreign_key).await else { return };
        expect(&said, 0, &[VOUCHED, "finished"]);
        assert!(!said.err.contains("no trigger sees it"), "{}", said.err);
    }
}

/// The server moves a row, by its key, from what is not filled yet to what is, and fires no trigger.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_foreign_key_moves_behind_the_fill_is_found() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::empty(database);
    let mut session = change.session().await;
    for sql in tables_of_mariadb(", FOREIGN KEY fk (code) REFERENCES p (code) ON UPDATE CASCADE") {
        session.execute(&sql, &[]).await.unwrap();
    }
    let toml = |repair: &str| format!("dialect = \"mysql\"\n[backfill]\nbatch-rows = 1\n[proof]\nrepair = {repair}\n");
    change.write("change.toml", &toml("false"));
    change.write("expand.sql", MARIADB.expand);
    change.write("backfill.sql", "UPDATE o SET b = a;");
    change.write("contract.sql", MARIADB.contract);
    let told = ["no trigger sees it: foreign key `fk` changes `code` of `o`", "`lock-time`"];
    expect(&change.say(&["run", "--phase", "expand"]), 0, &told);
    let stop = "CREATE TRIGGER stop BEFORE UPDATE ON o FOR EACH ROW
        IF NEW.code = 'c9' THEN SIGNAL SQLSTATE '45000' SET message_text = 'not further'; END IF";
    session.execute(stop, &[]).await.unwrap();
    expect(&change.say(&["run"]), 4, &["not further"]);
    for sql in ["DROP TRIGGER stop", "UPDATE p SET code = 'a9' WHERE code = 'c9'"] {
        session.execute(sql, &[]).await.unwrap();
    }
    expect(&change.say(&["run"]), 4, &["row 'a9', 1 of `o` differs"]);
    change.write("change.toml", &toml("true"));
    expect(&change.say(&["run"]), 3, &["1 row repaired"]);
    let filled = session.query("SELECT count(*) FROM o WHERE b = a", &[]).await.unwrap();
    assert_eq!(filled, [[Value::Int(10)]]);
}
