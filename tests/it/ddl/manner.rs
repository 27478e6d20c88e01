//! MySQL and MariaDB are told how to carry out what alters a table: nothing copies one that is not small unless the user
//! says so.

use lockkeeper::database::{Session, Value};

use super::{change, connect, execute, start, until};
use crate::run::{Change, Said, expect};
use crate::servers;

/// 1,000 rows become 16,000.
const GROW: &str = "INSERT INTO t SELECT 1000 + seq, seq FROM seq_1_to_15000";

async fn grown(expand: &str) -> Option<Change> {
    let change = change(servers::mariadb().await?, expand, "").await;
    execute(&mut connect(&change, "").await, &[GROW]).await;
    Some(change)
}

/// The linter speaks against most of what is tried here; the run looks by itself.
fn forced(change: &Change) -> Said {
    change.say(&["run", "--force", "--reason", "a test"])
}

/// What `question` says of the table `t` of the test's own database.
async fn asked(change: &Change, question: &str) -> Vec<Vec<Value>> {
    change.session().await.query(question, &[]).await.unwrap()
}

async fn type_of_a(change: &Change) -> Vec<Vec<Value>> {
    asked(change, "SELECT data_type FROM information_schema.columns WHERE table_schema = database() AND table_name = 't' AND column_name = 'a'").await
}

fn text(word: &str) -> Vec<Vec<Value>> {
    vec![vec![Value::Text(word.into())]]
}

/// The plan prints the statement with its clause, and the server gets it so, while a writer goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_while_a_writer_goes_on() {
    let Some(change) = grown("CREATE INDEX t_a ON t (a);").await else { return };
    let planned = change.say(&["plan", "--dialect", "mysql"]);
    expect(&planned, 0, &[]);
    assert!(planned.out.contains("\n      CREATE INDEX t_a ON t (a) LOCK=NONE\n"), "{}", planned.out);
    let mut writer = connect(&change, "writer").await;
    execute(&mut writer, &["BEGIN", "INSERT INTO t VALUES (100000, 1)"]).await;
    let run = start(&change);
    let sent = "SELECT count(*) FROM information_schema.processlist
        WHERE db = database() AND info = concat('CREATE INDEX t_a ON t (a)', ' LOCK=NONE')";
    until(&mut connect(&change, "look").await, sent).await;
    for id in 100_001..100_050 {
        execute(&mut writer, &[&format!("INSERT INTO t VALUES ({id}, 1)")]).await;
    }
    execute(&mut writer, &["COMMIT"]).await;
    expect(&run.join().unwrap(), 0, &["finished"]);
    let indexed = asked(&change, "SELECT count(*) FROM t FORCE INDEX (t_a) WHERE id >= 100000 AND a = 1").await;
    assert_eq!(indexed, [[Value::Int(50)]]);
}

/// A column that every server adds instantly is asked for so; where this table cannot have it so, in the next way.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_added_instantly_or_said_to_be_added_otherwise() {
    let Some(change) = grown("ALTER TABLE t ADD COLUMN b int;\nALTER TABLE z ADD COLUMN b int;").await else { return };
    let compressed = "CREATE TABLE z (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED";
    execute(&mut change.session().await, &[compressed, "INSERT INTO z SELECT id FROM t"]).await;
    let planned = change.say(&["plan", "--dialect", "mysql"]).out;
    assert!(planned.contains("\n      ALTER TABLE t ADD COLUMN b int, ALGORITHM=INSTANT\n"), "{planned}");
    let said = forced(&change);
    expect(&said, 0, &["expand.2  the server cannot do it with ALGORITHM=INSTANT: tried with LOCK=NONE", "finished"]);
    assert!(!said.err.contains("expand.1  the server cannot"), "{}", said.err);
}

/// Refused before anything is done, with what it would do; done when the user says so, and when the table is small.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_small_table_is_copied_unasked() {
    let Some(change) = grown("ALTER TABLE t MODIFY a bigint;").await else { return };
    let why = [
        "step expand.1 (expand.sql:1) is not carried out: it would copy or scan `t`, which has more than 10000 rows, while its writers wait",
        "LOCK=NONE is not supported",
        "to do it all the same, when nobody needs to write, say so in the statement: `ALTER TABLE t LOCK=SHARED, ...`",
    ];
    expect(&forced(&change), 4, &why);
    assert_eq!(type_of_a(&change).await, text("int"));
    expect(&change.say(&["status"]), 0, &["is not carried out"]);

    change.write("expand.sql", "ALTER TABLE t MODIFY a bigint, ALGORITHM=INPLACE;");
    let refused =
        ["is not carried out in the way that it asks for", "ALGORITHM=INPLACE is not supported", "nothing was done"];
    expect(&forced(&change), 4, &refused);
    assert_eq!(type_of_a(&change).await, text("int"));

    change.write("expand.sql", "ALTER TABLE t MODIFY a bigint, ALGORITHM=COPY;");
    expect(&forced(&change), 0, &["finished"]);
    assert_eq!(type_of_a(&change).await, text("bigint"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_table_is_copied_and_that_is_said() {
    let Some(database) = servers::mariadb().await else { return };
    let change = change(database, "ALTER TABLE t MODIFY a bigint;", "").await;
    expect(&forced(&change), 0, &["done as it is written, `t` is small", "finished"]);
    assert_eq!(type_of_a(&change).await, text("bigint"));
}

/// MariaDB copies for these whatever their clause says, or they take none behind them: the table is looked at first.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_no_clause_is_looked_at_first() {
    let Some(change) = grown("").await else { return };
    let forms = [
        ("ALTER TABLE t ADD COLUMN c int, ORDER BY a;", "ALTER TABLE t LOCK=SHARED, ADD COLUMN c int, ORDER BY a;"),
        ("ALTER TABLE t ADD COLUMN d int, ENGINE=Aria;", "ALTER TABLE t LOCK=SHARED, ADD COLUMN d int, ENGINE=Aria;"),
        (
            "ALTER TABLE t ADD COLUMN e int PARTITION BY HASH (id) PARTITIONS 2;",
            "ALTER TABLE t LOCK=SHARED, ADD COLUMN e int PARTITION BY HASH (id) PARTITIONS 2;",
        ),
    ];
    for (at, (unsaid, said)) in forms.iter().enumerate() {
        let mut change = Change::empty(servers::TestDatabase::at(change.database.url.clone()));
        change.named(&format!("000{}", at + 2));
        change.write("expand.sql", unsaid);
        expect(&forced(&change), 4, &["is not carried out: it would copy or scan `t`"]);
        change.write("expand.sql", said);
        expect(&forced(&change), 0, &["finished"]);
    }
}

/// A full-text index keeps writers waiting while it is built, although nothing is copied.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_text_index_is_built_when_the_user_says_so() {
    let Some(change) = grown("CREATE FULLTEXT INDEX t_w ON t (w);").await else { return };
    execute(&mut change.session().await, &["ALTER TABLE t ADD COLUMN w text"]).await;
    expect(&forced(&change), 4, &["is not carried out", "LOCK=SHARED at the end of CREATE INDEX"]);
    change.write("expand.sql", "CREATE FULLTEXT INDEX t_w ON t (w) LOCK=SHARED;");
    expect(&forced(&change), 0, &["finished"]);
}

/// What is taken away and made anew in one statement, what is renamed, what is only set: each is carried out, and again
/// when its answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_made_up_for_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let statements = [
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, a);",
        "ALTER TABLE u ADD PRIMARY KEY (id);",
        "ALTER TABLE u RENAME INDEX u_a TO u_by_a;",
        "ALTER TABLE u COMMENT = 'orders';",
        "ALTER TABLE u CONVERT TO CHARACTER SET utf8mb4;",
        "ALTER TABLE u FORCE;",
        "CREATE PROCEDURE p() SELECT 1;",
        "RENAME TABLE s TO s_old, s_new TO s;",
    ];
    let change = change(database, "CREATE TABLE other (id int);", "").await;
    change.write("contract.sql", &statements.join("\n"));
    change.approve();
    let more = [
        "CREATE TABLE s (id int)",
        "CREATE TABLE s_new (id int)",
        "CREATE TABLE u (id int NOT NULL, a int, KEY u_a (a))",
    ];
    execute(&mut change.session().await, &more).await;
    expect(&forced(&change), 0, &["finished"]);
    // As a crash leaves it behind that comes between the answer and its ledger row.
    let lost = "UPDATE lockkeeper_step SET state = 'running', finished_at = NULL WHERE id LIKE 'contract%'";
    execute(&mut change.session().await, &[lost, "UPDATE lockkeeper_plan SET finished_at = NULL"]).await;
    expect(&forced(&change), 0, &["finished"]);
    let names = "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = 's_old'),
        (SELECT count(*) FROM information_schema.statistics WHERE table_schema = database() AND index_name = 'u_by_a')";
    assert_eq!(asked(&change, names).await, [[Value::Int(1), Value::Int(1)]]);
}
