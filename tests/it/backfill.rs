//! Backfills over every shape of key: each row is filled exactly once, and the proof sees each.

use std::collections::BTreeSet;

use lockkeeper::database::{self, Session, Value};
use lockkeeper::plan::directory;
use lockkeeper::run::{self, Ledger, Request};
use lockkeeper::sql::Dialect;

use super::run::Change;
use super::servers::{self, TestDatabase};

/// A table with a key, and the values of its rows: `definition` names the columns before `a`.
struct Shape {
    name: &'static str,
    definition: &'static str,
    /// A statement that fills the key and `a`; `a` is never NULL.
    rows: String,
}

fn shape(name: &'static str, definition: &'static str, rows: impl Into<String>) -> Shape {
    Shape { name, definition, rows: rows.into() }
}

fn values(list: &[&str]) -> String {
    let rows: Vec<String> = list.iter().enumerate().map(|(number, key)| format!("({key}, 'value {number}')")).collect();
    rows.join(", ")
}

/// Fills `b` from `a` in batches of one row, killed by nothing; no trigger, no guard.
async fn fills(database: TestDatabase, dialect: Dialect, shapes: &[Shape]) {
    let mut failures = Vec::new();
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let mut change = Change::empty(database);
    for (number, Shape { name, definition, rows }) in shapes.iter().enumerate() {
        let table = dialect.quote(name);
        session.execute(&format!("CREATE TABLE {table} ({definition})"), &[]).await.unwrap();
        if !rows.is_empty() {
            for rows in rows.split(";;") {
                session
                    .execute(&format!("INSERT INTO {table} {rows}"), &[])
                    .await
                    .map_err(|error| format!("{name}: {error}"))
                    .unwrap();
            }
        }
        change.named(&format!("{number:04}"));
        change.write(
            "change.toml",
            &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 1\nbatch-time = \"1us\"\n"),
        );
        change.write("expand.sql", &format!("ALTER TABLE {table} ADD COLUMN b text;"));
        change.write("backfill.sql", &format!("UPDATE {table} SET b = a -- the old one\n; -- the end"));
        let said = change.say(&["run"]);
        let wrong =
            session.query(&format!("SELECT count(*) FROM {table} WHERE b IS NULL OR b <> a"), &[]).await.unwrap();
        if said.code != 0 || wrong != [[Value::Int(0)]] {
            failures.push(format!("{name}: exit {}, {wrong:?} rows wrong\n{}", said.code, said.err));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// More rows than a batch may be small, with every kind of text in their keys.
fn texts(dialect: Dialect) -> String {
    let separator = match dialect {
        Dialect::Postgres => "chr(31)",
        Dialect::Mysql => "char(31)",
        Dialect::Sqlite => "char(31)",
    };
    let join = |parts: &[&str]| match dialect {
        Dialect::Mysql => format!("concat({})", parts.join(", ")),
        _ => parts.join(" || "),
    };
    let (inside, first, last) =
        (join(&["'y'", separator, "'z'"]), join(&[separator, "'z'"]), join(&["'z'", separator]));
    values(&[
        "'a'",
        "'Zebra'",
        "''",
        "' '",
        "'o''clock'",
        "'\"'",
        "'München'",
        "'日本'",
        "'😀'",
        "'b c'",
        "'?'",
        "'$1'",
        &inside,
        &first,
        &last,
        "'x''6162'''",
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let many = "SELECT 'k' || i, 'v' || i FROM generate_series(1, 350) i";
    let shapes = [
        shape("empty", "id bigint PRIMARY KEY, a text", ""),
        shape("one", "id bigint PRIMARY KEY, a text", "VALUES (7, 'x')"),
        shape("texts", "id text PRIMARY KEY, a text", format!("VALUES {};;{many}", texts(Dialect::Postgres))),
        shape("varchars", "id varchar(30) PRIMARY KEY, a text", format!("VALUES {};;{many}", texts(Dialect::Postgres))),
        shape(
            "texts_c",
            "id text COLLATE \"C\" PRIMARY KEY, a text",
            format!("VALUES {};;{many}", texts(Dialect::Postgres)),
        ),
        shape(
            "chars",
            "id char(12) PRIMARY KEY, a text",
            format!("VALUES ('ab', 'x'), (E'ab\\t', 'x'), ('B', 'x'), ('a', 'x'), ('', 'x');;{many}"),
        ),
        shape(
            "Ordered?",
            "\"Id?\" bigint, \"user\" text, a text, PRIMARY KEY (\"user\", \"Id?\")",
            "SELECT i, 'u' || i % 3, 'v' || i FROM generate_series(1, 350) i",
        ),
        shape(
            "bigints",
            "id bigint PRIMARY KEY, a text",
            "VALUES (-9223372036854775808, 'x'), (9223372036854775807, 'y'), (0, 'z'), (-5, 'q');;SELECT i::bigint * 1000000000, 'v' FROM generate_series(1, 250) i",
        ),
        shape(
            "uuids",
            "id uuid PRIMARY KEY, a text",
            "SELECT gen_random_uuid(), 'v' || i FROM generate_series(1, 350) i",
        ),
        shape(
            "stamps",
            "id timestamptz, n numeric, a text, PRIMARY KEY (id, n)",
            "SELECT now() + i % 7 * interval '1 microsecond', i / 7.0, 'v' FROM generate_series(1, 350) i",
        ),
        shape(
            "identity",
            "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text",
            "(a) SELECT 'v' || i FROM generate_series(1, 350) i",
        ),
        shape("unique_only", "id int NOT NULL UNIQUE, a text", "SELECT i, 'v' || i FROM generate_series(-150, 150) i"),
    ];
    fills(database, Dialect::Postgres, &shapes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_on_mariadb() {
    let Some(database) = servers::mariadb_itself().await else { return };
    let many = "SELECT concat('k', seq), concat('v', seq) FROM seq_1_to_350";
    let shapes = [
        shape("empty", "id bigint PRIMARY KEY, a text", ""),
        shape(
            "texts",
            "id varchar(30) COLLATE utf8mb4_nopad_bin PRIMARY KEY, a text",
            format!("VALUES {};;{many}", texts(Dialect::Mysql)),
        ),
        shape(
            "texts_ci",
            "id varchar(30) COLLATE utf8mb4_unicode_ci PRIMARY KEY, a text",
            format!("VALUES ('B','x'),('a','x'),('Zebra','x'),('','x'),('M\u{fc}nchen','x');;{many}"),
        ),
        shape(
            "latin",
            "id varchar(30) CHARACTER SET latin1 PRIMARY KEY, a text",
            format!("VALUES ('B','x'),('a','x'),('Z\u{fc}','x'),('','x'),('M\u{fc}nchen','x');;{many}"),
        ),
        shape(
            "unsigned",
            "id bigint unsigned PRIMARY KEY, a text",
            "SELECT 18446744073709551615 - seq, concat('v', seq) FROM seq_0_to_350",
        ),
        shape(
            "bigints",
            "id bigint PRIMARY KEY, a text",
            "VALUES (-9223372036854775808, 'x'), (9223372036854775807, 'y'), (0, 'z');;SELECT seq * 1000000000, 'v' FROM seq_1_to_250",
        ),
        shape(
            "bytes",
            "id varbinary(16) PRIMARY KEY, a text",
            "SELECT unhex(md5(seq)), concat('v', seq) FROM seq_1_to_350",
        ),
        shape(
            "moments",
            "id datetime(6), n int unsigned, a text, PRIMARY KEY (id, n)",
            "SELECT '2026-01-01 00:00:00.000001' + INTERVAL seq % 7 MICROSECOND, seq, 'v' FROM seq_1_to_350",
        ),
        shape("uuids", "id uuid PRIMARY KEY, a text", "SELECT uuid(), concat('v', seq) FROM seq_1_to_350"),
        shape(
            "Ordered?",
            "`Id?` bigint, `rank` varchar(9), a text, PRIMARY KEY (`rank`, `Id?`)",
            "SELECT seq, concat('u', seq % 3), 'v' FROM seq_1_to_350",
        ),
    ];
    fills(database, Dialect::Mysql, &shapes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_on_sqlite() {
    const MANY: &str = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 350)";
    let many = |select: &str| format!("{MANY} SELECT {select} FROM s");
    let texts = texts(Dialect::Sqlite);
    let shapes = [
        shape("empty", "id integer PRIMARY KEY, a text", ""),
        shape("texts", "id text PRIMARY KEY, a text", format!("VALUES {texts};;{}", many("'k' || i, 'v' || i"))),
        shape(
            "no_case",
            "id text COLLATE NOCASE PRIMARY KEY, a text",
            format!("VALUES ('B', 'x'), ('a', 'x'), ('Z', 'x');;{}", many("'k' || i, 'v' || i")),
        ),
        shape(
            "mixed",
            "id int PRIMARY KEY, a text",
            format!(
                "VALUES ('abc', 'x'), ('''abc''', 'x'), (1.5, 'x'), (x'6162', 'x'), (x'', 'x'), (-1e300, 'x');;{}",
                many("i, 'v' || i")
            ),
        ),
        shape(
            "blobs",
            "id text PRIMARY KEY, a text",
            format!("VALUES (x'6162', 'x'), (x'ff', 'x');;{}", many("'k' || i, 'v' || i")),
        ),
        shape("bare", "id text, n int, a text, PRIMARY KEY (id, n)", many("'k' || i % 5, i, 'v' || i")),
        shape(
            "Ordered?",
            "\"Id?\" int, \"order\" text, a text, PRIMARY KEY (\"order\", \"Id?\")",
            many("i, 'u' || i % 3, 'v'"),
        ),
        shape("unique_only", "id int NOT NULL UNIQUE, a text", many("i - 170, 'v' || i")),
    ];
    fills(servers::sqlite(), Dialect::Sqlite, &shapes).await;
}

/// A name that the server would read as a word of its own has to come back in quotes. The servers say
/// themselves which words they know; that the table is missing tells that the statement was read.
#[tokio::test(flavor = "multi_thread")]
async fn every_word_that_a_server_reserves_is_quoted() {
    let mut words = BTreeSet::new();
    let mut sessions = Vec::new();
    let lite = servers::sqlite();
    sessions.push(database::connect(&lite.url, "test").await.unwrap());
    if let Some(database) = servers::postgres().await {
        sessions.push(database::connect(&database.url, "test").await.unwrap());
    }
    if let Some(database) = servers::mariadb_itself().await {
        sessions.push(database::connect(&database.url, "test").await.unwrap());
    }
    for session in &mut sessions {
        let list = match session.dialect() {
            Dialect::Postgres => "SELECT word FROM pg_get_keywords()",
            Dialect::Mysql => "SELECT lower(word) FROM information_schema.keywords",
            Dialect::Sqlite => continue,
        };
        for row in session.query(list, &[]).await.unwrap() {
            let Value::Text(word) = &row[0] else { panic!("a word") };
            words.insert(word.clone());
        }
    }
    let mut unquoted = BTreeSet::new();
    for session in &mut sessions {
        for word in words.iter().filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
            let name = session.dialect().quote(word);
            let sql = format!("UPDATE {name} SET {name} = {name} WHERE {name} > 1 AND {name}.{name} IS NULL");
            let error = session.execute(&sql, &[]).await.unwrap_err();
            let missing = match session.dialect() {
                Dialect::Postgres => error.code.as_deref() == Some("42P01"),
                Dialect::Mysql => error.code.as_deref() == Some("1146"),
                Dialect::Sqlite => error.message.contains("no such table"),
            };
            if !missing {
                unquoted.insert(word.clone());
            }
        }
    }
    assert_eq!(unquoted, BTreeSet::new());
}

/// What a collation takes for equal, or a type, is not the same value: after contract one of the two is gone.
async fn proof_sees(database: TestDatabase, dialect: Dialect, definition: &str, rows: &[(&str, &str)]) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    session.execute(&format!("CREATE TABLE t (id integer PRIMARY KEY, {definition})"), &[]).await.unwrap();
    let mut change = Change::empty(database);
    for (number, (a, b)) in rows.iter().enumerate() {
        session.execute("DELETE FROM t", &[]).await.unwrap();
        session.execute(&format!("INSERT INTO t VALUES (1, {a}, {b})"), &[]).await.unwrap();
        change.named(&format!("{number:04}"));
        change.write("change.toml", &format!("dialect = \"{dialect}\""));
        change.write("expand.sql", &format!("CREATE TABLE u{number} (id int);"));
        // The textbook's guard keeps the row as it is.
        change.write("backfill.sql", "UPDATE t SET b = a WHERE b IS NULL;");
        // One that differs is not finished, on the same table.
        let said = change.say(&["run", "--force", "--reason", "a test"]);
        let same = a == b;
        assert_eq!(said.code, if same { 0 } else { 4 }, "{a} against {b}: {}", said.err);
        assert_eq!(said.err.contains("row 1 of `t` differs"), !same, "{}", said.err);
    }
}

const ALIKE: [(&str, &str); 7] = [
    ("'a'", "'a'"),
    ("'a'", "'A'"),
    ("'a'", "'a '"),
    ("''", "' '"),
    ("'e'", "'\u{e9}'"),
    ("NULL", "''"),
    ("'1'", "'1.0'"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_compares_bytes_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let definition = "a varchar(20) CHARACTER SET latin1, b varchar(20) COLLATE utf8mb4_unicode_ci";
    proof_sees(database, Dialect::Mysql, definition, &ALIKE).await;
}

/// The same number is written in other digits.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_compares_numbers_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    proof_sees(database, Dialect::Mysql, "a int, b decimal(10, 2)", &[("5", "5"), ("1", "2"), ("NULL", "0")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_compares_bytes_on_sqlite() {
    proof_sees(servers::sqlite(), Dialect::Sqlite, "a text, b text COLLATE NOCASE", &ALIKE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_compares_bytes_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    proof_sees(database, Dialect::Postgres, "a text, b varchar(20)", &ALIKE).await;
}

/// The ledger keeps keys of every letter, whatever the database's own character set holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_in_a_latin1_database_keeps_every_key() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    // Trailing blanks count.
    let definition = if servers::is_mariadb(&mut session).await {
        "id varchar(30) COLLATE utf8mb4_nopad_bin PRIMARY KEY, a text CHARACTER SET utf8mb4"
    } else {
        "id varchar(30) COLLATE utf8mb4_0900_bin PRIMARY KEY, a text CHARACTER SET utf8mb4"
    };
    let alter = format!("ALTER DATABASE {} CHARACTER SET latin1", Dialect::Mysql.quote(database.name()));
    session.execute(&alter, &[]).await.unwrap();
    let rows = format!("VALUES {};;SELECT concat('\u{65e5}', seq), seq FROM seq_1_to_150", texts(Dialect::Mysql));
    fills(database, Dialect::Mysql, &[shape("t", definition, rows)]).await;
}

/// A server that takes what does not fit, and says so in a warning that nobody reads, would cut values short.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_is_not_cut_short_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    session.execute("CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b int)", &[]).await.unwrap();
    session.execute("INSERT INTO t VALUES (1, '12', NULL), (2, '13 and more', NULL)", &[]).await.unwrap();
    let mut change = Change::empty(database);
    change.named("0001");
    change.write("expand.sql", "ALTER TABLE t ADD COLUMN c int;");
    change.write("backfill.sql", "UPDATE t SET b = a;");
    let plan = directory::read(&change.path, Some(Dialect::Mysql)).unwrap();
    let ledger = Ledger::open(&mut session).await.unwrap();
    let lease = ledger.acquire(&mut session, "test", None).await.unwrap().unwrap();
    // As on a server whose settings say so; those of this server are other tests' too.
    session.execute("SET SESSION sql_mode = ''", &[]).await.unwrap();
    let request = Request {
        plan: &plan,
        directory: change.path.clone(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url: &change.database.url,
    };
    let error = run::carry_out(&mut session, &ledger, &lease, &request, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.message, "step backfill.1 (backfill.sql:1): row 2 of `t` cannot be filled");
    assert_eq!(
        error.causes,
        ["Data truncated for column 'b' at row 1 (1265)"],
        "the first of the rows that were tried"
    );
    let rows = session.query("SELECT b FROM t", &[]).await.unwrap();
    assert_eq!(rows, [[Value::Null], [Value::Null]], "nothing of the batch stays");
}
