//! What comments allow: one statement, a file, up to a day; and whose comments besides our own.

use lockkeeper::history::{History, Migration};
use lockkeeper::lint::{self, Given};
use lockkeeper::settings::Settings;
use lockkeeper::sql::Dialect;

use crate::lint::lint;

#[test]
fn a_file_is_allowed_from_above_its_first_statement() {
    let files = [
        (
            "db/1.sql",
            "-- lockkeeper: allow-file drop-table, drop-column: never released\n\nDROP TABLE a;\nDROP TABLE b;\n\
             TRUNCATE c;\n",
        ),
        ("db/2.sql", "DROP TABLE d;\n-- lockkeeper: allow-file drop-table: too late\nDROP TABLE e;\n"),
        ("db/3.sql", "-- lockkeeper: allow-file drop-table\nDROP TABLE f;\n"),
    ];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/1.sql:1 unused-suppression
    db/1.sql:5 truncate-table
    db/2.sql:1 drop-table
    db/2.sql:2 unknown-directive
    db/2.sql:3 drop-table
    db/3.sql:1 suppression-without-reason
    db/3.sql:2 drop-table
    3 files, 2 suppressed
    "#);
}

#[test]
fn what_is_allowed_until_a_day_is_found_again_after_it() {
    let files = [(
        "db/1.sql",
        "-- lockkeeper: allow drop-table: the import ends in January until 2026-01-31\nDROP TABLE a;\n\
         -- lockkeeper: allow drop-table: the import goes on until 9999-12-31\nDROP TABLE b;\n\
         -- lockkeeper: allow drop-table: nobody knows until 31.01.2026\nDROP TABLE c;\n\
         -- lockkeeper: allow drop-table: until 9999-12-31\nDROP TABLE d;\n\
         -- lockkeeper: allow drop-table: it stays until release 41\nDROP TABLE e;\n",
    )];
    insta::assert_snapshot!(lint("postgres", &files), @r#"
    db/1.sql:1 expired-suppression
    db/1.sql:2 drop-table
    db/1.sql:5 unknown-directive
    db/1.sql:6 drop-table
    db/1.sql:7 suppression-without-reason
    db/1.sql:8 drop-table
    1 files, 2 suppressed
    "#);
}

/// What `lint` of one file says with other linters' comments honoured, or not.
fn honoured(text: &str, honoured: [bool; 2]) -> (Vec<&'static str>, usize, [usize; 2]) {
    let migrations = vec![Migration::new("1.sql", text, Dialect::Postgres)];
    let history =
        History { dialect: Dialect::Postgres, migrations, notes: Vec::new(), unreadable: Vec::new(), live: None };
    let outcome = lint::lint(&history, &Settings::default(), Given { honoured, ..Given::default() }).unwrap();
    (outcome.findings.iter().map(|finding| finding.rule).collect(), outcome.suppressed, outcome.ignores)
}

#[test]
fn other_linters_comments_are_heeded_when_asked() {
    let text = "-- squawk-ignore ban-drop-column, renaming-column -- nobody reads it\nALTER TABLE a DROP COLUMN b;\n\
                ALTER TABLE a DROP COLUMN c;\n/* migrationpilot-disable mp026 */\nDROP TABLE d;\n\
                -- squawk-ignore\nALTER TABLE e RENAME TO f;\n";
    let all = vec!["drop-column", "drop-column", "drop-table", "rename-table"];
    assert_eq!(honoured(text, [false, false]), (all, 0, [2, 1]));
    assert_eq!(honoured(text, [true, false]), (vec!["drop-column", "drop-table"], 2, [2, 1]));
    assert_eq!(honoured(text, [false, true]), (vec!["drop-column", "drop-column", "rename-table"], 1, [2, 1]));
    let whole = "-- squawk-ignore-file ban-drop-table\nDROP TABLE a;\nDROP TABLE b;\nALTER TABLE c DROP COLUMN d;\n";
    assert_eq!(honoured(whole, [true, true]).0, ["drop-column"]);
    assert_eq!(honoured("-- squawk-ignore\nNO SQL AT ALL;\n", [true, true]).0, ["unreadable-statement"]);
    let unknown = "-- squawk-ignore ban-drop-tables\nDROP TABLE a;\n-- migrationpilot-disable-file MP111\n";
    assert_eq!(honoured(unknown, [true, true]).0, ["unknown-directive", "drop-table"]);
}
