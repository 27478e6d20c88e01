//! Files that are no SQL, or too much of it.

use super::{Dialect, MY, PG, check, read};
use crate::fuzz::targets::sound;

/// Every range is in order, inside its text and inside its statement.
fn check_sound(text: &str, dialect: Dialect) {
    let mut end = 0;
    for statement in read(text, dialect) {
        assert!(statement.range.start >= end && !statement.range.is_empty(), "{statement:?}");
        end = statement.range.end;
        sound(text, &statement);
    }
    assert!(end <= text.len());
}

#[test]
fn a_broken_statement_costs_itself_only() {
    check(
        PG,
        "DROP TABLE a; ALTER TABLE t ADD COLUMN; CREAT TABLE x (a int); SELECT 1 FROM a b x; DROP TABLE b",
        &[
            ("DROP TABLE a", "DropTable { table: a }"),
            ("COLUMN", "unread: expected name, found `COLUMN`"),
            ("CREAT", "unread: no statement of PostgreSQL begins like this"),
            ("x", "unread: expected the end, found `x`"),
            ("DROP TABLE b", "DropTable { table: b }"),
        ],
    );
    check(
        MY,
        "DROP TABLE a; ALTER TABLE t ADD COLUMN x INT FOO, DROP y; UPDATE t SET a = = 1; CREATE TABLE t (a INT,); DROP TABLE b",
        &[
            ("DROP TABLE a", "DropTable { table: a }"),
            ("FOO", "unread: expected the end, found `FOO`"),
            ("=", "unread: expected an expression, found ="),
            (",", "unread: expected a column, found the end"),
            ("DROP TABLE b", "DropTable { table: b }"),
        ],
    );
}

#[test]
fn what_stands_before_an_open_quote_is_read() {
    for (dialect, open) in
        [(PG, "$$ x; y"), (PG, "'x; y"), (MY, "`x; y"), (MY, "\"x\\\"; y"), (Dialect::Sqlite, "[x; y")]
    {
        let text = format!("DROP TABLE a; DROP TABLE b; SELECT {open}");
        check(
            dialect,
            &text,
            &[
                ("DROP TABLE a", "DropTable { table: a }"),
                ("DROP TABLE b", "DropTable { table: b }"),
                (open, "unread: unterminated quote"),
            ],
        );
    }
    check(
        PG,
        "DROP TABLE a; /* x; /* y */ z",
        &[("DROP TABLE a", "DropTable { table: a }"), ("/* x; /* y */ z", "unread: unterminated comment")],
    );
}

#[test]
fn a_monster_is_refused_and_its_neighbours_are_read() {
    let monsters = [
        format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT {} true", "NOT ".repeat(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT {}1{}", "CASE WHEN ".repeat(20_000), " THEN 1 END".repeat(20_000)),
        format!("SELECT 1{}", " + 1".repeat(20_000)),
        format!("SELECT '{}'", "x".repeat(2 << 20)),
    ];
    for dialect in Dialect::ALL {
        for monster in &monsters {
            let statements = read(&format!("SELECT 1; {monster}; SELECT 2"), dialect);
            let read: Vec<bool> = statements.iter().map(|statement| statement.parsed.is_ok()).collect();
            assert_eq!(read, [true, false, true], "{dialect}: {}", &monster[..30]);
        }
        // What stays within the bounds is read, also on the small stack of a test's thread.
        for fair in [
            format!("SELECT {}1{}", "(".repeat(450), ")".repeat(450)),
            format!("SELECT {} true", "NOT ".repeat(450)),
            format!("SELECT {}1{}", "CASE WHEN ".repeat(450), " THEN 1 END".repeat(450)),
            format!("SELECT 1{}", " + 1".repeat(4_000)),
            format!("INSERT INTO t VALUES (1){}", ", (1)".repeat(20_000)),
        ] {
            assert!(read(&fair, dialect)[0].parsed.is_ok(), "{dialect}: {}", &fair[..30]);
        }
    }
}

#[test]
fn a_routine_may_hold_what_it_likes() {
    let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    check(
        PG,
        &format!("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT {deep} $$"),
        &[(
            &format!("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT {deep} $$"),
            "CreateFunction { name: f }",
        )],
    );
}

#[test]
fn nothing_panics() {
    let forms = super::forms::all();
    let mut random = fastrand::Rng::with_seed(42);
    for dialect in Dialect::ALL {
        for form in forms.iter().filter(|form| form.dialect == dialect) {
            for end in (0..form.sql.len()).filter(|end| form.sql.is_char_boundary(*end) && end % 5 == 0) {
                check_sound(&form.sql[..end], dialect);
            }
        }
        let bytes: Vec<u8> = (0..350_000).map(|_| random.u8(..)).collect();
        check_sound(&String::from_utf8_lossy(&bytes), dialect);
        check_sound(&"${".repeat(100_000), dialect);
        let words: Vec<&str> = forms.iter().flat_map(|form| form.sql.split(' ')).collect();
        let mut soup = String::new();
        while soup.len() < 100_000 {
            soup.push_str(words[random.usize(..words.len())]);
            soup.push_str(
                [" ", " ", " ", " (", ") ", ", ", "; ", "'", "\"", "`", "$$", "/*", "*/ ", "\n"][random.usize(..14)],
            );
        }
        check_sound(&soup, dialect);
    }
}
