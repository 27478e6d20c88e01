//! What a revert.sql forgets: whatever took something from the old version is named, the change does not count as undone
//! before it is, and the statements that are proposed undo it.

use std::fmt::Write as _;

use lockkeeper::database::Session;
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// Statements of expand.sql, and what is named when nothing undoes them.
type Case = (&'static str, &'static [&'static str]);

const TABLES: &[&str] = &[
    "CREATE TABLE items (id integer PRIMARY KEY, note varchar(40), kept varchar(40) NOT NULL, price integer DEFAULT 7)",
    "CREATE TABLE owners (id integer PRIMARY KEY)",
    "INSERT INTO owners VALUES (7)",
    "INSERT INTO items (id, note, kept) VALUES (1, 'a', 'x'), (2, 'b', 'y')",
];

/// What the old version does.
const OLD: &str = "INSERT INTO items (id, kept) VALUES (3, 'z')";

/// Runs expand, forgets to undo `case`, sees it named and undoes it as proposed.
async fn forgotten(database: TestDatabase, dialect: Dialect, (expand, named): Case) {
    let mut change = Change::empty(database);
    change.named("0044_items");
    let mut session = change.session().await;
    for sql in TABLES {
        session.execute(sql, &[]).await.unwrap();
    }
    let files = |change: &Change, revert: &str| {
        change.write("expand.sql", &format!("CREATE TABLE scratch (id integer PRIMARY KEY);\n{expand};\n"));
        change.write("revert.sql", revert);
    };
    files(&change, "DROP TABLE scratch;");
    expect(&change.say(&["run", "--phase", "expand", "--force", "--reason", "a test"]), 0, &[]);
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 4, &["revert.sql is carried out, and leaves behind: "]);
    expect(&said, 4, named);
    expect(&change.say(&["status"]), 0, &["being undone since"]);
    let proposed = said.err.split_once("as by:\n").unwrap().1;
    let proposed = proposed.split("\nhint: ").next().unwrap();
    let mut revert = "DROP TABLE scratch;\n".to_string();
    for line in proposed.lines() {
        assert!(!line.trim_start().starts_with("--"), "{expand}: {proposed}");
        writeln!(revert, "{}", line.trim()).unwrap();
    }
    files(&change, &revert);
    let said = change.say(&["revert", "--yes"]);
    assert_eq!(said.code, 0, "{expand}\n{revert}\n{}", said.err);
    assert!(!said.err.contains("left as it is"), "{expand}\n{}", said.err);
    session.execute(OLD, &[]).await.unwrap_or_else(|error| panic!("{dialect}: {expand}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stands_unsaid_on_postgres() {
    let cases: &[Case] = &[
        (
            "ALTER TABLE items ALTER COLUMN note SET NOT NULL",
            &["leaves behind: NOT NULL of column items.note (expand.sql:2)\n"],
        ),
        // One that was there before is no trace.
        (
            "ALTER TABLE items ALTER COLUMN kept SET NOT NULL, ALTER COLUMN price SET DEFAULT 9",
            &["leaves behind: default of column items.price as `9`, which was `7` (expand.sql:2)\n"],
        ),
        ("ALTER TABLE items ALTER COLUMN price DROP DEFAULT", &["default of column items.price, which is gone"]),
        ("ALTER TABLE items ADD CHECK (note IS NOT NULL)", &["constraint items_note_check on items (expand.sql:2)"]),
        (
            "ALTER TABLE items ADD CONSTRAINT owned FOREIGN KEY (price) REFERENCES owners (id) NOT VALID",
            &["constraint owned on items (expand.sql:2)"],
        ),
        ("ALTER TABLE items ADD UNIQUE (note)", &["constraint items_note_key on items"]),
        ("CREATE UNIQUE INDEX CONCURRENTLY by_note ON items (note)", &["index by_note on items (expand.sql:2)"]),
        ("ALTER TABLE items ENABLE ROW LEVEL SECURITY", &["row level security of items (expand.sql:2)"]),
        ("CREATE VIEW cheap AS SELECT * FROM items; CREATE TYPE mood AS ENUM ('sad')", &["view cheap", "type mood"]),
    ];
    for case in cases {
        let Some(database) = servers::postgres().await else { return };
        forgotten(database, Dialect::Postgres, *case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stands_unsaid_on_mariadb() {
    let cases: &[Case] = &[
        (
            "ALTER TABLE items MODIFY note varchar(40) NOT NULL",
            &["column items.note as `varchar(40) NOT NULL`, which was `varchar(40) DEFAULT NULL` (expand.sql:2)"],
        ),
        ("ALTER TABLE items ALTER COLUMN price SET DEFAULT 9", &["column items.price as `int(11) DEFAULT 9`"]),
        ("ALTER TABLE items ADD CONSTRAINT some CHECK (note IS NOT NULL)", &["constraint some on items"]),
        (
            "ALTER TABLE items ADD CONSTRAINT owned FOREIGN KEY (price) REFERENCES owners (id)",
            &["constraint owned on items", "index owned on items"],
        ),
        ("ALTER TABLE items ADD UNIQUE by_note (note)", &["index by_note on items (expand.sql:2)"]),
    ];
    for case in cases {
        let Some(database) = servers::mariadb().await else { return };
        forgotten(database, Dialect::Mysql, *case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stands_unsaid_on_sqlite() {
    let cases: &[Case] = &[
        ("CREATE UNIQUE INDEX by_note ON items (note)", &["index by_note on items (expand.sql:2)"]),
        (
            "CREATE TRIGGER refuses BEFORE INSERT ON items WHEN new.note IS NULL BEGIN SELECT raise(ABORT, 'no'); END",
            &["trigger refuses on items (expand.sql:2)"],
        ),
    ];
    for case in cases {
        forgotten(servers::sqlite(), Dialect::Sqlite, *case).await;
    }
}

/// What no statement can be written for is said, and left to whoever knows; and what somebody else did meanwhile to the
/// same table is said, and is no reason to hold the undo up.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_to_people_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let mut change = Change::empty(database);
    change.named("0044_items");
    let mut session = change.session().await;
    for sql in TABLES {
        session.execute(sql, &[]).await.unwrap();
    }
    let expand = "ALTER TABLE items ALTER COLUMN price TYPE bigint;\nGRANT INSERT ON items TO PUBLIC;\n";
    change.write("expand.sql", expand);
    expect(&change.say(&["run", "--phase", "expand", "--force", "--reason", "a test"]), 0, &[]);
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 2, &["has no revert.sql", "-- by hand: column items.price as `bigint`, which was `integer`"]);
    expect(&said, 2, &["-- by hand: privileges of public on items (expand.sql:2)"]);
    session.execute("ALTER TABLE items ADD COLUMN of_others integer", &[]).await.unwrap();
    change.write("revert.sql", "ALTER TABLE items ALTER COLUMN price TYPE integer;\n");
    expect(&change.say(&["revert", "--yes"]), 4, &["leaves behind: privileges of public on items (expand.sql:2)"]);
    session.execute("REVOKE INSERT ON items FROM PUBLIC", &[]).await.unwrap();
    let said = change.say(&["revert", "--yes"]);
    expect(&said, 0, &["look: left as it is, and perhaps not from this change: column items.of_others", "undone"]);
}
