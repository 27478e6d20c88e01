//! A renamed column on real databases: both versions' statements work between any two steps, whichever
//! column is written arrives in the other, and nothing of the old column's definition is lost.

use std::fs;
use std::path::Path;

use lockkeeper::database::{Connection, Session, Value, connect};
use lockkeeper::history::layout;
use lockkeeper::plan::recipes;
use lockkeeper::sql::{self, Dialect};

use crate::servers;

/// The phased change that a recipe makes of `rename` after `history`, or why it refuses.
fn rewrite(
    dialect: Dialect,
    history: &str,
    rename: &str,
    column_type: Option<&str>,
) -> Result<Vec<(&'static str, String)>, String> {
    let directory = tempfile::tempdir().unwrap();
    if !history.is_empty() {
        fs::write(directory.path().join("1_create.sql"), history).unwrap();
    }
    let migration = directory.path().join("2_rename.sql");
    fs::write(&migration, rename).unwrap();
    let history = layout::read(&[directory.path().to_path_buf()], dialect).unwrap();
    match recipes::rewrite(&migration, &history, column_type, Path::new("renamed")) {
        Ok(rewritten) => Ok(rewritten.draft.files),
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            let told = std::iter::once(&error.message).chain(&error.causes).chain(&error.hints);
            let shown = directory.path().display().to_string();
            Err(told.map(|line| line.replace(&shown, "m")).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn file<'a>(files: &'a [(&'static str, String)], name: &str) -> &'a str {
    files.iter().find(|(file, _)| *file == name).map(|(_, text)| text.as_str()).unwrap()
}

fn statements(text: &str, dialect: Dialect) -> Vec<&str> {
    sql::read(text, dialect).into_iter().map(|statement| &text[statement.range]).collect()
}

/// A table with the column that is renamed, as one dialect writes it.
struct Table {
    dialect: Dialect,
    create: &'static str,
    /// The old column refuses NULL.
    not_null: bool,
    /// What an INSERT gets that gives neither column.
    default: Option<&'static str>,
}

const RENAME: &str = "ALTER TABLE orders RENAME COLUMN old_status TO new_status;";

async fn all(session: &mut Connection, text: &str) {
    for statement in statements(text, session.dialect()) {
        session.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Old and new column of every row, by id: `1 a a, 2 - -`.
async fn rows(session: &mut Connection) -> String {
    let rows = session.query("SELECT id, old_status, new_status FROM orders ORDER BY id", &[]).await.unwrap();
    let shown = |value: &Value| match value {
        Value::Null => "-".to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

/// Every way in which a version writes, and what the row holds then. Row 1 was there before the change.
fn writes(table: &Table) -> Vec<(&'static str, String)> {
    let mut writes = vec![
        // The old version writes a row that nobody has filled yet.
        ("UPDATE orders SET old_status = 'b' WHERE id = 1", "1 b b".to_string()),
        // The new version, then the old one: the textbook's IS NULL would take this row for done.
        ("UPDATE orders SET new_status = 'c' WHERE id = 1", "1 c c".into()),
        ("UPDATE orders SET old_status = 'd' WHERE id = 1", "1 d d".into()),
        ("UPDATE orders SET old_status = 'D' WHERE id = 1", "1 D D".into()),
        ("UPDATE orders SET new_status = 'd' WHERE id = 1", "1 d d".into()),
        ("UPDATE orders SET customer = 'x' WHERE id = 1", "1 d d".into()),
        ("UPDATE orders SET old_status = 'e', new_status = 'f' WHERE id = 1", "1 f f".into()),
        ("UPDATE orders SET old_status = 'g', new_status = 'g' WHERE id = 1", "1 g g".into()),
        ("UPDATE orders SET new_status = new_status WHERE id = 1", "1 g g".into()),
        ("UPDATE orders SET old_status = 'h', new_status = NULL WHERE id = 1", "1 h h".into()),
        ("DELETE FROM orders WHERE id = 1", String::new()),
        ("INSERT INTO orders (id, customer, old_status) VALUES (2, 'x', 'a')", "2 a a".into()),
        ("DELETE FROM orders", String::new()),
    ];
    if !table.not_null {
        writes.extend([
            ("INSERT INTO orders (id, customer, new_status) VALUES (3, 'x', 'a')", "3 a a".to_string()),
            ("UPDATE orders SET old_status = NULL", "3 - -".into()),
            ("UPDATE orders SET new_status = 'i'", "3 i i".into()),
            ("UPDATE orders SET new_status = NULL", "3 - -".into()),
            ("DELETE FROM orders", String::new()),
        ]);
    }
    let neither = table.default.unwrap_or("-");
    writes.extend([
        ("INSERT INTO orders (id, customer, new_status) VALUES (4, 'x', 'a')", "4 a a".to_string()),
        ("DELETE FROM orders", String::new()),
    ]);
    if table.default.is_some() || !table.not_null {
        writes.extend([
            ("INSERT INTO orders (id, customer) VALUES (5, 'x')", format!("5 {neither} {neither}")),
            ("DELETE FROM orders", String::new()),
        ]);
    }
    writes.extend(upserts(table.dialect).into_iter().map(|(write, expected)| (write, expected.to_string())));
    writes
}

/// Writes that are an INSERT or an UPDATE as it comes, several rows, and a new key; on an empty table.
fn upserts(dialect: Dialect) -> Vec<(&'static str, &'static str)> {
    let mut writes = match dialect {
        Dialect::Postgres | Dialect::Sqlite => vec![
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'a') ON CONFLICT (id) DO UPDATE SET old_status = excluded.old_status",
                "6 a a",
            ),
            (
                "INSERT INTO orders (id, customer, new_status) VALUES (6, 'x', 'b') ON CONFLICT (id) DO UPDATE SET new_status = excluded.new_status",
                "6 b b",
            ),
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'c') ON CONFLICT (id) DO UPDATE SET old_status = excluded.old_status",
                "6 c c",
            ),
            ("INSERT INTO orders (id, customer, new_status) VALUES (6, 'x', 'd') ON CONFLICT DO NOTHING", "6 c c"),
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'e'), (7, 'x', 'f') ON CONFLICT (id) DO UPDATE SET old_status = excluded.old_status",
                "6 e e, 7 f f",
            ),
        ],
        Dialect::Mysql => vec![
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'a') ON DUPLICATE KEY UPDATE old_status = VALUES(old_status)",
                "6 a a",
            ),
            (
                "INSERT INTO orders (id, customer, new_status) VALUES (6, 'x', 'b') ON DUPLICATE KEY UPDATE new_status = VALUES(new_status)",
                "6 b b",
            ),
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'c') ON DUPLICATE KEY UPDATE old_status = VALUES(old_status)",
                "6 c c",
            ),
            ("INSERT IGNORE INTO orders (id, customer, new_status) VALUES (6, 'x', 'd')", "6 c c"),
            (
                "INSERT INTO orders (id, customer, old_status) VALUES (6, 'x', 'e'), (7, 'x', 'f') ON DUPLICATE KEY UPDATE old_status = VALUES(old_status)",
                "6 e e, 7 f f",
            ),
        ],
    };
    if dialect != Dialect::Postgres {
        writes.extend([
            ("REPLACE INTO orders (id, customer, old_status) VALUES (6, 'x', 'g')", "6 g g, 7 f f"),
            ("REPLACE INTO orders (id, customer, new_status) VALUES (6, 'x', 'e'), (7, 'x', 'h')", "6 e e, 7 h h"),
            ("REPLACE INTO orders (id, customer, old_status) VALUES (7, 'x', 'f')", "6 e e, 7 f f"),
        ]);
    }
    writes.extend([
        ("UPDATE orders SET new_status = CASE id WHEN 6 THEN 'i' ELSE 'j' END", "6 i i, 7 j j"),
        ("UPDATE orders SET id = 8, old_status = 'k' WHERE id = 7", "6 i i, 8 k k"),
        ("UPDATE orders SET id = 9, new_status = 'l' WHERE id = 8", "6 i i, 9 l l"),
        ("UPDATE orders SET id = 8 WHERE id = 9", "6 i i, 8 l l"),
        ("DELETE FROM orders", ""),
    ]);
    writes
}

/// The whole change, with both versions writing in between.
async fn both_versions_work_throughout(url: &str, table: &Table) {
    let dialect = table.dialect;
    let files = rewrite(dialect, table.create, RENAME, None).unwrap();
    let mut session = connect(url, "lockkeeper test").await.unwrap();
    all(&mut session, table.create).await;
    all(&mut session, "INSERT INTO orders (id, customer, old_status) VALUES (1, 'x', 'a'), (9, 'x', 'a');").await;
    for (number, statement) in statements(file(&files, "expand.sql"), dialect).iter().enumerate() {
        session.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        for old in [
            format!("INSERT INTO orders (id, customer, old_status) VALUES ({}, 'x', 'a')", 10 + number),
            format!("UPDATE orders SET old_status = 'c{number}' WHERE id >= 10"),
        ] {
            session.execute(&old, &[]).await.unwrap_or_else(|error| panic!("after {statement}: {old}: {error}"));
        }
    }
    // What is filled stays right, and what moves to behind the fill is filled.
    all(&mut session, "UPDATE orders SET id = -9 WHERE id = 9;").await;
    let stale = "SELECT id FROM orders WHERE new_status <> old_status OR id = -9 AND new_status IS NULL";
    assert_eq!(session.query(stale, &[]).await.unwrap(), [[Value::Null]; 0], "{dialect}: left behind");
    all(&mut session, "DELETE FROM orders WHERE id <> 1;").await;
    for (write, expected) in writes(table) {
        session.execute(write, &[]).await.unwrap_or_else(|error| panic!("{write}: {error}"));
        assert_eq!(rows(&mut session).await, expected, "{dialect}: {write}");
    }

    // Rows from before expand: only the backfill fills them.
    session.execute("INSERT INTO orders (id, customer, old_status) VALUES (1, 'x', 'a')", &[]).await.unwrap();
    all(&mut session, file(&files, "backfill.sql")).await;
    assert_eq!(rows(&mut session).await, "1 a a");

    let mut together = false;
    for (number, statement) in statements(file(&files, "contract.sql"), dialect).iter().enumerate() {
        session.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let id = 20 + number;
        together = (together || *statement == "BEGIN") && *statement != "COMMIT";
        if together {
            // Nobody sees the middle of a transaction.
            continue;
        }
        if dialect.transactional_ddl() && *statement != "COMMIT" {
            // An old version that comes back before the drop is still heard.
            session.execute("DELETE FROM orders", &[]).await.unwrap();
            let old = "INSERT INTO orders (id, customer, old_status) VALUES (9, 'x', 'paid')";
            session.execute(old, &[]).await.unwrap_or_else(|error| panic!("after {statement}: {error}"));
            assert_eq!(rows(&mut session).await, "9 paid paid", "{dialect}: after {statement}");
        }
        for new in [
            format!("INSERT INTO orders (id, customer, new_status) VALUES ({id}, 'x', 'a')"),
            format!("UPDATE orders SET new_status = 'b' WHERE id = {id}"),
            format!("DELETE FROM orders WHERE id = {id}"),
        ] {
            session.execute(&new, &[]).await.unwrap_or_else(|error| panic!("after {statement}: {new}: {error}"));
        }
    }
    // The new column is what the old one was.
    session.execute("DELETE FROM orders", &[]).await.unwrap();
    let refused = session.execute("INSERT INTO orders (id, customer, new_status) VALUES (6, 'x', NULL)", &[]).await;
    assert_eq!(refused.is_err(), table.not_null, "{dialect}: NOT NULL");
    session.execute("DELETE FROM orders", &[]).await.unwrap();
    let neither = session.execute("INSERT INTO orders (id, customer) VALUES (7, 'x')", &[]).await;
    assert_eq!(neither.is_err(), table.not_null && table.default.is_none(), "{dialect}: DEFAULT");
    if neither.is_ok() {
        let left = session.query("SELECT * FROM orders", &[]).await.unwrap();
        let expected = table.default.map_or(Value::Null, |default| Value::Text(default.into()));
        assert_eq!(left, [[Value::Int(7), Value::Text("x".into()), expected]], "{dialect}");
    }
}

/// Expand, a write, revert: the old table with the write in it.
async fn revert_loses_nothing(url: &str, table: &Table) {
    let files = rewrite(table.dialect, table.create, RENAME, None).unwrap();
    let mut session = connect(url, "lockkeeper test").await.unwrap();
    all(&mut session, "DROP TABLE orders;").await;
    all(&mut session, table.create).await;
    session.execute("INSERT INTO orders (id, customer, old_status) VALUES (1, 'x', 'a')", &[]).await.unwrap();
    all(&mut session, file(&files, "expand.sql")).await;
    session.execute("UPDATE orders SET new_status = 'b'", &[]).await.unwrap();
    all(&mut session, file(&files, "backfill.sql")).await;
    all(&mut session, file(&files, "revert.sql")).await;
    let left = session.query("SELECT * FROM orders", &[]).await.unwrap();
    assert_eq!(left, [[Value::Int(1), Value::Text("x".into()), Value::Text("b".into())]]);
    session.execute("INSERT INTO orders (id, customer, old_status) VALUES (2, 'x', 'a')", &[]).await.unwrap();
}

async fn promise(url: &str, tables: &[Table]) {
    for (number, table) in tables.iter().enumerate() {
        if number > 0 {
            let mut session = connect(url, "lockkeeper test").await.unwrap();
            all(&mut session, "DROP TABLE orders;").await;
        }
        both_versions_work_throughout(url, table).await;
        revert_loses_nothing(url, table).await;
    }
}

#[tokio::test]
async fn postgres_keeps_both_versions_working() {
    let Some(database) = servers::postgres().await else { return };
    let table = |create, not_null, default| Table { dialect: Dialect::Postgres, create, not_null, default };
    let tables = [
        table("CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, old_status text)", false, None),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, old_status varchar(20) NOT NULL);
             CREATE INDEX by_status ON orders (old_status, id);",
            true,
            None,
        ),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, old_status text DEFAULT 'n' NOT NULL)",
            true,
            Some("n"),
        ),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, old_status text DEFAULT 'n')",
            false,
            Some("n"),
        ),
    ];
    promise(&database.url, &tables).await;
}

#[tokio::test]
async fn mariadb_keeps_both_versions_working() {
    let Some(database) = servers::mariadb().await else { return };
    let table = |create, not_null, default| Table { dialect: Dialect::Mysql, create, not_null, default };
    let tables = [
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, old_status varchar(20))",
            false,
            None,
        ),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, old_status varchar(20) NOT NULL,
             KEY by_status (old_status, id));",
            true,
            None,
        ),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, old_status varchar(20) NOT NULL DEFAULT 'n')",
            true,
            Some("n"),
        ),
        table(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, old_status char(3) DEFAULT 'n')",
            false,
            Some("n"),
        ),
    ];
    promise(&database.url, &tables).await;
}

#[tokio::test]
async fn sqlite_keeps_both_versions_working() {
    let table = |create| Table { dialect: Dialect::Sqlite, create, not_null: false, default: None };
    let tables = [
        table("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, old_status TEXT)"),
        table(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, old_status TEXT) STRICT;
             CREATE INDEX by_status ON orders (old_status);",
        ),
        table("CREATE TABLE orders (id INT, customer TEXT, old_status, PRIMARY KEY (id)) WITHOUT ROWID"),
        table(
            "PRAGMA recursive_triggers = ON;
             CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, old_status TEXT)",
        ),
    ];
    promise(&servers::sqlite().url, &tables).await;
}

#[test]
fn what_would_be_lost_is_refused() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let table = |column: &str| format!("CREATE TABLE orders (id int PRIMARY KEY, {column});");
    let cases: &[(Dialect, String, &str)] = &[
        (Postgres, table("old_status text UNIQUE"), "orders.old_status is unique: this recipe would lose that"),
        (Postgres, table("old_status text REFERENCES s (a)"), "orders.old_status has a foreign key"),
        (Postgres, table("old_status text CHECK (old_status > '')"), "orders.old_status has a CHECK"),
        (Postgres, table("old_status int GENERATED ALWAYS AS IDENTITY"), "orders.old_status is filled by the database"),
        (Postgres, table("old_status int GENERATED ALWAYS AS (id + 1) STORED"), "orders.old_status is generated"),
        (Postgres, table("old_status json"), "orders.old_status is of a type without a true `=`"),
        (Postgres, table("old_status citext"), "orders.old_status is of a type without a true `=`"),
        (Postgres, table("old_status text COLLATE \"C\""), "orders.old_status has `COLLATE \"C\"`"),
        (Postgres, table("old_status text, UNIQUE (id, old_status)"), "orders.old_status is part of a unique key"),
        (Postgres, table("old_status text, CHECK (length(old_status) < 9)"), "orders.old_status stands in a CHECK"),
        (
            Postgres,
            table("old_status int, FOREIGN KEY (old_status) REFERENCES s"),
            "orders.old_status has a foreign key",
        ),
        (
            Postgres,
            "CREATE TABLE orders (a int, old_status int, PRIMARY KEY (a, old_status));".into(),
            "orders.old_status is part of the primary key",
        ),
        (
            Postgres,
            table("old_status text") + "CREATE UNIQUE INDEX i ON orders (old_status);",
            "orders.old_status is unique",
        ),
        (
            Postgres,
            table("old_status text") + "CREATE INDEX i ON orders (lower(old_status));",
            "orders.old_status is part of an index that is more",
        ),
        (
            Postgres,
            table("old_status text") + "CREATE INDEX i ON orders USING gin (old_status);",
            "orders.old_status is part of an index that is more",
        ),
        (
            Postgres,
            table("old_status text") + "CREATE INDEX i ON orders (old_status DESC);",
            "orders.old_status is part of an index that is more",
        ),
        (
            Postgres,
            table("old_status text") + "CREATE INDEX i ON orders (id) WHERE old_status = 'x';",
            "orders.old_status may stand in the condition",
        ),
        (Mysql, table("old_status varchar(9) COLLATE utf8mb4_bin"), "orders.old_status has `COLLATE utf8mb4_bin`"),
        (Mysql, table("old_status varchar(9) COMMENT 'x'"), "orders.old_status has `COMMENT 'x'`"),
        (Mysql, table("old_status timestamp ON UPDATE CURRENT_TIMESTAMP"), "orders.old_status has `ON UPDATE"),
        (Mysql, table("old_status text, KEY k (old_status(10))"), "orders.old_status is part of an index that is more"),
        (
            Mysql,
            table("old_status text, FULLTEXT KEY k (old_status)"),
            "orders.old_status is part of an index that is more",
        ),
        (
            Mysql,
            table("old_status text") + "CREATE FULLTEXT INDEX i ON orders (old_status);",
            "orders.old_status is part of an index that is more",
        ),
        (Mysql, table("old_status int UNIQUE"), "orders.old_status is unique"),
        (Sqlite, table("old_status text NOT NULL"), "orders.old_status is NOT NULL, which SQLite cannot add"),
        (Sqlite, table("old_status text DEFAULT 'x'"), "orders.old_status has a DEFAULT, which SQLite cannot add"),
        (Sqlite, table("old_status text COLLATE NOCASE"), "orders.old_status has `COLLATE NOCASE`"),
        (
            Sqlite,
            table("old_status text") + "CREATE INDEX i ON orders (old_status DESC);",
            "orders.old_status is part of an index that is more",
        ),
        (Sqlite, table("other text"), "the migrations before this one know no column orders.old_status"),
        (Sqlite, table("old_status text, NEW_STATUS text"), "there is a column orders.new_status already"),
        (Sqlite, String::new(), "the type of orders.old_status is not known\nput the migration beside"),
    ];
    for (dialect, history, expected) in cases {
        let error = rewrite(*dialect, history, RENAME, None).expect_err(history);
        assert!(error.starts_with(expected), "{dialect}: {history}\nexpected {expected}\n     got {error}");
    }
}

#[test]
fn a_phased_change_is_made_of_one_change() {
    let cases: &[(&str, &str)] = &[
        ("-- nothing\n", "m/2_rename.sql changes nothing"),
        (
            "ALTER TABLE orders DROP COLUMN old_status;",
            "no recipe for what m/2_rename.sql does\nthe recipes are: rename-column",
        ),
        (
            "ALTER TABLE orders RENAME COLUMN old_status TO new_status;\nALTER TABLE orders ADD COLUMN c int;",
            "m/2_rename.sql:2: `ALTER TABLE orders ADD COLUMN c int;` is in the way",
        ),
        (
            "ALTER TABLE orders RENAME COLUMN old_status TO new_status;\nALTER TABLE orders RENAME COLUMN id TO key;",
            "m/2_rename.sql:2: `ALTER TABLE orders RENAME COLUMN id TO key;` is in the way",
        ),
        ("ALTER TABEL orders;", "m/2_rename.sql:1: cannot read this statement"),
    ];
    for (rename, expected) in cases {
        let error =
            rewrite(Dialect::Postgres, "CREATE TABLE orders (id int, old_status text);", rename, None).unwrap_err();
        assert!(error.starts_with(expected), "{rename}\nexpected {expected}\n     got {error}");
    }
    // What a tool needs around it falls away.
    let rename = format!("BEGIN;\nSET lock_timeout = '2s';\n{RENAME}\nCOMMIT;");
    rewrite(Dialect::Postgres, "CREATE TABLE orders (id int, old_status text);", &rename, None).unwrap();
}

#[test]
fn the_type_may_be_told() {
    let files = rewrite(Dialect::Postgres, "", RENAME, Some("varchar(20) NOT NULL DEFAULT 'n'")).unwrap();
    assert!(file(&files, "expand.sql").contains("ALTER TABLE orders ADD COLUMN new_status varchar(20);"));
    assert!(file(&files, "contract.sql").contains("ALTER COLUMN new_status SET DEFAULT 'n';"));
    assert!(file(&files, "contract.sql").contains("ALTER COLUMN new_status SET NOT NULL;"));
    for wrong in ["", "text, ADD COLUMN d int", "text; DROP TABLE orders", "text UNIQUE"] {
        let error = rewrite(Dialect::Postgres, "", RENAME, Some(wrong)).expect_err(wrong);
        assert!(error.starts_with("--type") || error.contains("is unique"), "{wrong}: {error}");
    }
    let known = "CREATE TABLE orders (id int, old_status text);";
    let error = rewrite(Dialect::Postgres, known, RENAME, Some("text")).unwrap_err();
    assert_eq!(error, "the migrations tell that orders.old_status is text: leave --type out");
}

#[test]
fn names_are_quoted_and_cut_as_the_server_reads_them() {
    let history = "CREATE TABLE app.\"Order\" (id int, \"Old\" text);";
    let rename = "ALTER TABLE app.\"Order\" RENAME COLUMN \"Old\" TO \"New\";";
    let files = rewrite(Dialect::Postgres, history, rename, None).unwrap();
    let expand = file(&files, "expand.sql");
    assert!(expand.contains("ALTER TABLE app.\"Order\" ADD COLUMN \"New\" text;"), "{expand}");
    assert!(expand.contains("CREATE FUNCTION app.\"Order_New_sync\"()"), "{expand}");
    assert!(
        expand.contains("CREATE TRIGGER \"zzz_Order_New_sync\" BEFORE INSERT OR UPDATE ON app.\"Order\""),
        "{expand}"
    );

    let (table, column) = ("t".repeat(40), "ü".repeat(20));
    for (dialect, limit) in [(Dialect::Postgres, 63), (Dialect::Mysql, 64), (Dialect::Sqlite, 63)] {
        let history = format!("CREATE TABLE {table} (id int, a int); CREATE INDEX i ON {table} (a);");
        let quoted = dialect.quote(&column);
        let rename = format!("ALTER TABLE {table} RENAME COLUMN a TO {quoted};");
        let files = rewrite(dialect, &history, &rename, None).unwrap();
        for (name, text) in &files {
            for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
                assert!(word.len() <= limit, "{dialect} {name}: {word}");
            }
        }
    }
}
