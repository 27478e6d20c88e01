//! What comments allow: one statement, a file, up to a day; and whose comments besides our own.

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
