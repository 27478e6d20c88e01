//! What `rollback-check` says of a version, beside what that version's queries do on a real server: at every stage of a
//! change, a yes is a version whose queries all work, and a no is one of which one fails or reads what is not so.

use lockkeeper::database::{Session, Value};

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// A change, and the two versions of an application around it.
struct Case {
    name: &'static str,
    /// change.toml besides the versions.
    settings: &'static str,
    expand: &'static str,
    backfill: &'static str,
    contract: &'static str,
    revert: &'static str,
    /// What each version does: statements, and the last one reads a value that has to be this.
    old: (&'static [&'static str], &'static str),
    new: (&'static [&'static str], &'static str),
    /// A write of the new version that stays, once it is rolled out.
    written: &'static str,
    /// The exit codes for the old and the new version at each stage: not begun, half of expand, expand, half of the
    /// backfill, the gates, half of contract, the end; and after the undo at the gates.
    codes: [[i32; 2]; 8],
}

const CASES: &[Case] = &[
    Case {
        name: "a column that only the new version knows",
        settings: "",
        expand: "ALTER TABLE items ADD COLUMN note2 text;",
        backfill: "",
        contract: "",
        revert: "ALTER TABLE items DROP COLUMN note2;",
        old: (&["INSERT INTO items (id, note) VALUES (9, 'x')"], "SELECT note FROM items WHERE id = 1"),
        new: (&["INSERT INTO items (id, note2) VALUES (9, 'x')"], "SELECT note FROM items WHERE id = 1"),
        written: "UPDATE items SET note2 = 'only new' WHERE id = 2",
        codes: [[0, 1], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 1]],
    },
    Case {
        name: "NOT NULL on what the old version leaves out",
        settings: "",
        expand: "CREATE TABLE seen (id bigint PRIMARY KEY);",
        backfill: "UPDATE items SET grade = 'none' WHERE grade IS NULL;
            ALTER TABLE items ADD CONSTRAINT graded CHECK (grade IS NOT NULL) NOT VALID;
            ALTER TABLE items VALIDATE CONSTRAINT graded; ALTER TABLE items ALTER COLUMN grade SET NOT NULL;
            ALTER TABLE items DROP CONSTRAINT graded;",
        contract: "",
        revert: "ALTER TABLE items ALTER COLUMN grade DROP NOT NULL; DROP TABLE seen;",
        old: (&["INSERT INTO items (id, note) VALUES (9, 'x')"], "SELECT note FROM items WHERE id = 1"),
        new: (
            &["INSERT INTO items (id, note, grade) VALUES (9, 'x', 'b')"],
            "SELECT CASE WHEN count(grade) = count(*) THEN 'a' END FROM items",
        ),
        written: "UPDATE items SET grade = 'c' WHERE id = 2",
        codes: [[0, 1], [0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [0, 1]],
    },
    Case {
        name: "a new name without a sync",
        settings: "",
        expand: "ALTER TABLE items ADD COLUMN remark text;",
        backfill: "UPDATE items SET remark = note;",
        contract: "ALTER TABLE items DROP COLUMN note;",
        revert: "ALTER TABLE items DROP COLUMN remark;",
        old: (&["INSERT INTO items (id, note) VALUES (9, 'x')"], "SELECT note FROM items WHERE id = 1"),
        new: (&["INSERT INTO items (id, remark) VALUES (9, 'x')"], "SELECT remark FROM items WHERE id = 1"),
        written: "UPDATE items SET remark = 'b' WHERE id = 1",
        codes: [[0, 1], [0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [0, 1]],
    },
];

const STAGES: [&str; 8] =
    ["not begun", "half of expand", "expand", "half of backfill", "gates", "half of contract", "end", "undone"];

async fn database_of(case: &Case) -> Option<Change> {
    let database: TestDatabase = servers::postgres().await?;
    let mut change = Change::empty(database);
    change.named("0046_items");
    let mut session = change.session().await;
    for sql in [
        "CREATE TABLE items (id bigint PRIMARY KEY, note text, grade text)",
        "INSERT INTO items VALUES (1, 'a', NULL), (2, 'b', 'x')",
    ] {
        session.execute(sql, &[]).await.unwrap();
    }
    change.write("change.toml", &format!("{}\n[versions]\nold = \"v1\"\nnew = \"v2\"\n", case.settings));
    // Each phase stops half way for as long as a table is missing.
    change.write("expand.sql", &format!("{}\nCREATE INDEX CONCURRENTLY stop_e ON go_e (id);\n", case.expand));
    if !case.backfill.is_empty() {
        let (first, rest) = case.backfill.split_once(';').unwrap();
        change.write("backfill.sql", &format!("{first};\nCREATE INDEX CONCURRENTLY stop_b ON go_b (id);\n{rest}\n"));
    }
    if !case.contract.is_empty() {
        change.write("contract.sql", &format!("{}\nDROP TABLE go_c;\n", case.contract));
    }
    let backfilled = if case.backfill.is_empty() { "" } else { "DROP INDEX CONCURRENTLY stop_b;\n" };
    change.write("revert.sql", &format!("{backfilled}DROP INDEX CONCURRENTLY stop_e;\n{}\n", case.revert));
    Some(change)
}

/// Whether the version's queries do what they should, in a transaction that leaves nothing behind.
async fn works(change: &Change, (writes, read): (&[&str], &str), expected: &str) -> bool {
    let mut session = change.session().await;
    session.execute("BEGIN", &[]).await.unwrap();
    for sql in writes {
        if session.execute(sql, &[]).await.is_err() {
            return false;
        }
    }
    session.query(read, &[]).await.is_ok_and(|rows| rows == [[Value::Text(expected.to_string())]])
}

/// Compares the answer with the truth, for both versions. `value` is what a version has to read.
async fn compare(case: &Case, change: &Change, stage: usize, value: &str) {
    let shown = format!("{}, {}", case.name, STAGES[stage]);
    for (version, queries, code) in [("v1", case.old, case.codes[stage][0]), ("v2", case.new, case.codes[stage][1])] {
        let said = change.say(&["rollback-check", "--to", version]);
        assert_eq!(said.code, code, "{shown}: {version}: {}{}", said.out, said.err);
        if said.code == 0 || stage > 1 && code == 1 && version == "v1" {
            assert_eq!(works(change, queries, value).await, code == 0, "{shown}: {version}: {}", said.out);
        }
    }
}

async fn up_to(change: &Change, arguments: &[&str], code: i32, table: &str) {
    if !table.is_empty() {
        let sql = format!("CREATE TABLE {table} (id bigint PRIMARY KEY)");
        change.session().await.execute(&sql, &[]).await.unwrap();
    }
    expect(&change.say(arguments), code, &[]);
}

async fn at_every_stage(case: &Case, undo: bool) -> Option<()> {
    let change = database_of(case).await?;
    let expand = ["run", "--phase", "expand", "--force", "--reason", "a test"];
    compare(case, &change, 0, "a").await;
    up_to(&change, &expand, 4, "").await;
    compare(case, &change, 1, "a").await;
    up_to(&change, &expand, 0, "go_e").await;
    compare(case, &change, 2, "a").await;
    if !case.backfill.is_empty() {
        up_to(&change, &["run", "--phase", "backfill"], 4, "").await;
        compare(case, &change, 3, "a").await;
        up_to(&change, &["run", "--phase", "backfill"], 0, "go_b").await;
    }
    change.session().await.execute(case.written, &[]).await.unwrap();
    let value = if case.written.ends_with("WHERE id = 1") { "b" } else { "a" };
    compare(case, &change, 4, value).await;
    if undo {
        expect(&change.say(&["revert", "--yes"]), 0, &["undone"]);
        // What only the new version wrote is lost, as was said.
        compare(case, &change, 7, "a").await;
        return Some(());
    }
    if !case.contract.is_empty() {
        // Contract's proof would refuse a value that is in the new shape alone.
        change.session().await.execute("UPDATE items SET note = remark", &[]).await.unwrap();
        expect(&change.say(&["run"]), 3, &[]);
        change.approve();
        up_to(&change, &["run"], 4, "").await;
        compare(case, &change, 5, value).await;
        up_to(&change, &["run"], 0, "go_c").await;
    }
    compare(case, &change, 6, value).await;
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_what_the_queries_do_on_postgres() {
    for case in CASES {
        for undo in [false, true] {
            if at_every_stage(case, undo).await.is_none() {
                return;
            }
        }
    }
}
