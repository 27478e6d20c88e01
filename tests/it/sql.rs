//! Reading SQL: where statements begin and end, what each clause does, and that nothing is lost or
//! takes the process down, whatever the file holds.

mod bodies;
mod broken;
mod dialect_forms;
mod forms;
mod placeholders;
mod postgres_forms;
mod procedures;
mod share;
mod split;

use lockkeeper::sql::{Change, Dialect, read};

const PG: Dialect = Dialect::Postgres;
const MY: Dialect = Dialect::Mysql;
const LITE: Dialect = Dialect::Sqlite;

/// A change without what is absent: `AddColumn { table: t, column: Column { name: "c", data_type: "int" } }`.
fn terse(change: &Change) -> String {
    let mut text = format!("{change:?}");
    for field in [
        "name",
        "default",
        "references",
        "schema",
        "using_index",
        "using",
        "table",
        "collation",
        "generated",
        "method",
        "predicate",
        "on_conflict",
        "query",
        "value",
        "algorithm",
        "lock",
        "mode",
        "labels",
    ] {
        text = text.replace(&format!(", {field}: None"), "").replace(&format!(" {field}: None,"), "");
    }
    let flags = ["if_exists", "if_not_exists", "concurrently", "not_null", "primary_key", "unique", "check", "partial"];
    for flag in flags.iter().chain(&[
        "identity",
        "not_valid",
        "temporary",
        "cascade",
        "partitioned",
        "positioned",
        "materialized",
        "query",
        "local",
        "or_replace",
        "limited",
        "only",
        "plain",
    ]) {
        text = text.replace(&format!(", {flag}: false"), "").replace(&format!("{flag}: true"), flag);
    }
    for list in ["columns", "constraints", "indexes", "filter", "attributes", "columns_from", "reads", "options"] {
        text = text.replace(&format!(", {list}: []"), "");
    }
    while let Some(at) = text.find("Name { name: ") {
        let name_at = at + "Name { name: ".len();
        let end = name_at + text[name_at..].find(" }").unwrap();
        let name = text[name_at..end].trim_matches('"').to_string();
        text.replace_range(at..end + 2, &name);
    }
    text
}

/// Each clause of a text: its source, and what it does.
fn clauses(text: &str, dialect: Dialect) -> Vec<(String, String)> {
    let mut clauses = Vec::new();
    for statement in read(text, dialect) {
        match statement.parsed {
            Ok(parsed) => {
                clauses.extend(parsed.iter().map(|it| (text[it.range.clone()].to_string(), terse(&it.change))))
            }
            Err(unread) => clauses.push((text[unread.range].to_string(), format!("unread: {}", unread.reason))),
        }
    }
    clauses
}

fn check(dialect: Dialect, text: &str, expected: &[(&str, &str)]) {
    let found = clauses(text, dialect);
    let found: Vec<(&str, &str)> = found.iter().map(|(source, change)| (source.as_str(), change.as_str())).collect();
    assert_eq!(found, expected, "\n{dialect}: {text}");
}

#[test]
fn each_action_is_a_clause_of_its_own() {
    check(
        PG,
        "ALTER TABLE ONLY orders /* x */ ADD COLUMN note text NOT NULL , -- why\n DROP COLUMN Old CASCADE;",
        &[
            (
                "ADD COLUMN note text NOT NULL",
                r#"AddColumn { table: orders, column: Column { name: "note", data_type: "text", not_null } }"#,
            ),
            ("DROP COLUMN Old CASCADE", r#"DropColumn { table: orders, column: "old", cascade }"#),
        ],
    );
    check(
        MY,
        "ALTER TABLE `Orders` CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z, DROP PARTITION p0, p1",
        &[
            (
                "CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z",
                r#"RenameColumn { table: Orders, column: "a", to: "b" }"#,
            ),
            (
                "CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z",
                r#"ChangeType { table: Orders, column: "b", to: "decimal(10,2) unsigned", positioned }"#,
            ),
            (
                "CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z",
                r#"SetNotNull { table: Orders, column: "b" }"#,
            ),
            (
                "CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z",
                r#"SetDefault { table: Orders, column: "b", expression: "'0'" }"#,
            ),
            (
                "CHANGE a b DECIMAL(10, 2) UNSIGNED NOT NULL DEFAULT '0' AFTER z",
                r#"AlterColumn { table: Orders, column: "b", action: DropIdentity }"#,
            ),
            ("DROP PARTITION p0, p1", r#"AlterTable { table: Orders, action: "DROP PARTITION" }"#),
        ],
    );
    check(
        PG,
        "DROP TABLE IF EXISTS a, s.b; DROP TABLE c",
        &[
            ("a", "DropTable { table: a, if_exists }"),
            ("s.b", r#"DropTable { table: Name { schema: Some("s"), name: "b" }, if_exists }"#),
            ("DROP TABLE c", "DropTable { table: c }"),
        ],
    );
}

#[test]
fn a_default_ends_before_the_next_attribute() {
    let check_default = |dialect: Dialect, definition: &str, expected: Option<&str>| {
        let text = format!("ALTER TABLE t ADD COLUMN c int DEFAULT {definition}");
        let parsed = read(&text, dialect).remove(0).parsed.unwrap();
        let Change::AddColumn { column, .. } = &parsed[0].change else { panic!("{parsed:?}") };
        assert_eq!(column.default.as_deref(), expected, "{dialect}: {definition}");
        assert_eq!(column.not_null, definition.ends_with("NOT NULL"), "{dialect}: {definition}");
    };
    for dialect in Dialect::ALL {
        check_default(dialect, "-1.5 NOT NULL", Some("-1.5"));
        check_default(dialect, "NULL", None);
        check_default(dialect, "'it''s' NOT NULL", Some("'it''s'"));
        check_default(dialect, "CURRENT_TIMESTAMP UNIQUE", Some("CURRENT_TIMESTAMP"));
        check_default(dialect, "(1 + 2) CHECK (c IS NOT NULL) NOT NULL", Some("(1 + 2)"));
    }
    check_default(PG, "now() - '1 day'::interval NOT NULL", Some("now() - '1 day'::interval"));
    check_default(MY, "NOW(6) ON UPDATE NOW(6) COMMENT 'x' NOT NULL", Some("NOW(6)"));
    check_default(MY, "b'0' NOT NULL", Some("b'0'"));
    check_default(MY, "_utf8mb4'x' AFTER z", Some("_utf8mb4'x'"));
    check_default(LITE, "x'00' NOT NULL", Some("x'00'"));
}

#[test]
fn or_replace_drops_what_is_there() {
    check(
        MY,
        "CREATE OR REPLACE TABLE t (a INT)",
        &[
            ("CREATE OR REPLACE TABLE t (a INT)", "DropTable { table: t, if_exists }"),
            (
                "CREATE OR REPLACE TABLE t (a INT)",
                r#"CreateTable { table: t, columns: [Column { name: "a", data_type: "int" }] }"#,
            ),
        ],
    );
}

#[test]
fn what_sqlite_does_not_know_is_unread() {
    for text in [
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
        "ALTER TABLE t MODIFY c int",
        "ALTER TABLE t ALTER COLUMN c TYPE int",
        "ALTER TABLE t ADD INDEX i (c)",
        "TRUNCATE t",
        "DROP INDEX i ON t",
        "COMMENT ON TABLE t IS 'x'",
    ] {
        assert!(read(text, LITE)[0].parsed.is_err(), "{text}: {:?}", read(text, LITE));
    }
}

#[test]
fn a_type_ends_before_its_attributes() {
    let check_type = |dialect: Dialect, definition: &str, expected: &str| {
        let text = format!("CREATE TABLE t (c {definition})");
        let parsed = read(&text, dialect).remove(0).parsed.unwrap();
        let Change::CreateTable { columns, .. } = &parsed[0].change else { panic!("{parsed:?}") };
        assert_eq!(columns[0].data_type, expected, "{dialect}: {definition}");
    };
    check_type(MY, "TEXT CHARACTER SET utf8 NOT NULL", "text");
    check_type(MY, "LONG VARCHAR CHARSET utf8", "long varchar");
    check_type(MY, "NATIONAL CHARACTER VARYING (5) COLLATE utf8_bin", "national character varying(5)");
    check_type(MY, "DOUBLE PRECISION UNSIGNED DEFAULT -1.5", "double precision unsigned");
    check_type(MY, "ENUM ('a', 'B,c') DEFAULT 'a' COMMENT \"x\"", "enum('a','B,c')");
    check_type(PG, "character varying ( 20 ) [] COLLATE \"C\"", "character varying(20)[]");
    check_type(PG, "Interval day to second (3)", "interval day to second(3)");
    check_type(PG, "Public.\"Mood\" NOT NULL", "public.\"Mood\"");
    check_type(LITE, "UNSIGNED BIG INT NOT NULL", "unsigned big int");
    check_type(LITE, "PRIMARY KEY", "");
}

#[test]
fn names_are_folded_as_the_dialect_folds_them() {
    let long = "x".repeat(70);
    check(
        PG,
        &format!("ALTER TABLE Shop.\"Orders\" RENAME COLUMN Café TO \"a\"\"b\"; DROP VIEW {long}"),
        &[
            (
                "RENAME COLUMN Café TO \"a\"\"b\"",
                r#"RenameColumn { table: Name { schema: Some("shop"), name: "Orders" }, column: "café", to: "a\"b" }"#,
            ),
            (&format!("DROP VIEW {long}"), &format!("DropView {{ view: {} }}", &long[..63])),
        ],
    );
    check(
        MY,
        "ALTER TABLE `Shop`.Orders RENAME COLUMN A TO `b``c`",
        &[(
            "RENAME COLUMN A TO `b``c`",
            r#"RenameColumn { table: Name { schema: Some("Shop"), name: "Orders" }, column: "A", to: "b`c" }"#,
        )],
    );
    check(LITE, "DROP TABLE [Or ders]", &[("DROP TABLE [Or ders]", "DropTable { table: Or ders }")]);
}

/// The conditions of an UPDATE; those in brackets only say what is still to be done.
fn check_filter(dialect: Dialect, text: &str, expected: &[&str]) {
    let parsed = read(text, dialect).remove(0).parsed.unwrap();
    let Change::Update { filter, .. } = &parsed[0].change else { panic!("{parsed:?}") };
    let found: Vec<String> =
        filter.iter().map(|it| if it.guard { format!("[{}]", it.text) } else { it.text.clone() }).collect();
    assert_eq!(found, expected, "\n{dialect}: {text}");
}

#[test]
fn conditions_are_split_at_and_and_guards_are_told_apart() {
    for dialect in Dialect::ALL {
        check_filter(dialect, "UPDATE t SET a = b WHERE a IS NULL AND id > 5", &["[a IS NULL]", "id > 5"]);
        check_filter(
            dialect,
            "UPDATE t SET a = b WHERE (t.a IS NULL AND (c = 1 OR d = 2))",
            &["[t.a IS NULL]", "(c = 1 OR d = 2)"],
        );
        check_filter(
            dialect,
            "UPDATE t SET a = b WHERE c BETWEEN 1 AND 2 AND b IS NULL",
            &["c BETWEEN 1 AND 2", "b IS NULL"],
        );
        check_filter(
            dialect,
            "UPDATE t SET a = b WHERE CASE WHEN x AND y THEN z END = 1",
            &["CASE WHEN x AND y THEN z END = 1"],
        );
        check_filter(dialect, "UPDATE t SET a = 1", &[]);
    }
    check_filter(
        PG,
        "UPDATE t SET a = lower(b) WHERE a IS DISTINCT FROM lower( b )",
        &["[a IS DISTINCT FROM lower( b )]"],
    );
    // These are the rows that are meant, not those that are still to be done.
    check_filter(PG, "UPDATE t SET a = 'y' WHERE a IS DISTINCT FROM 'x'", &["a IS DISTINCT FROM 'x'"]);
    check_filter(PG, "UPDATE t SET a = 'y' WHERE a = 'x' OR b IS NULL", &["a = 'x' OR b IS NULL"]);
    check_filter(MY, "UPDATE t SET a = b WHERE NOT (a <=> b)", &["[NOT (a <=> b)]"]);
    check_filter(MY, "UPDATE t SET a = b WHERE a IS NULL OR a = ''", &["[a IS NULL OR a = '']"]);
    check_filter(MY, "UPDATE t SET a = b WHERE c IS NULL OR a = ''", &["c IS NULL OR a = ''"]);
    let by_byte = "NOT (CAST(a AS BINARY) <=> CAST(b AS BINARY))";
    check_filter(MY, &format!("UPDATE t SET a = b WHERE {by_byte}"), &[&format!("[{by_byte}]")]);
    let by_other = "NOT (CAST(a AS BINARY) <=> CAST(c AS BINARY))";
    check_filter(MY, &format!("UPDATE t SET a = b WHERE {by_other}"), &[by_other]);
    check_filter(MY, "UPDATE t SET `A` = b WHERE a IS NULL", &["[a IS NULL]"]);
    check_filter(LITE, "UPDATE t SET a = b WHERE b IS NOT a", &["[b IS NOT a]"]);
    check_filter(LITE, "UPDATE t SET a = b WHERE a IS NOT NULL", &["a IS NOT NULL"]);
}

#[test]
fn an_update_is_plain_when_there_is_nothing_but_set_and_where() {
    let is_plain = |dialect: Dialect, text: &str| {
        let parsed = read(text, dialect).remove(0).parsed.unwrap();
        matches!(parsed.last().map(|it| &it.change), Some(Change::Update { plain: true, .. }))
    };
    for dialect in Dialect::ALL {
        assert!(is_plain(dialect, "UPDATE t SET a = 1, b = coalesce(c, 'x, y') WHERE id = 1"), "{dialect}");
        assert!(!is_plain(dialect, "UPDATE t AS x SET a = 1"), "{dialect}");
    }
    assert!(is_plain(PG, "UPDATE t SET (a, b) = (1, 2)"));
    for text in [
        "UPDATE t SET a = o.a FROM o",
        "UPDATE ONLY t SET a = 1",
        "UPDATE t SET a = 1 RETURNING a",
        "UPDATE t SET a[1] = 1",
        "UPDATE t SET (a, b) = (SELECT 1, 2)",
        "WITH x AS (SELECT 1) UPDATE t SET a = 1",
        "WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT 1",
    ] {
        assert!(!is_plain(PG, text), "{text}");
    }
    for text in ["UPDATE t, o SET t.a = 1", "UPDATE t SET a = 1 LIMIT 5", "UPDATE IGNORE t SET a = 1"] {
        assert!(!is_plain(MY, text), "{text}");
    }
    for text in ["UPDATE OR IGNORE t SET a = 1", "UPDATE t SET a = 1 FROM o", "UPDATE t SET a = 1 RETURNING a"] {
        assert!(!is_plain(LITE, text), "{text}");
    }
}

#[test]
fn a_keyword_may_be_a_name() {
    check(PG, "SET local = 1", &[("SET local = 1", r#"Set { name: "local", value: Some("1") }"#)]);
    check(PG, "SET SESSION x = 1", &[("SET SESSION x = 1", r#"Set { name: "x", value: Some("1") }"#)]);
    check(
        PG,
        "GRANT USAGE ON type, schema TO u",
        &[
            ("type", r#"Grant { privileges: ["USAGE"], object: "TABLE", name: type, to: ["u"] }"#),
            ("schema", r#"Grant { privileges: ["USAGE"], object: "TABLE", name: schema, to: ["u"] }"#),
        ],
    );
    check(
        PG,
        "REVOKE GRANT OPTION FOR SELECT (a, b), UPDATE ON s.t, u FROM GROUP x, PUBLIC CASCADE",
        &[
            (
                "s.t",
                r#"Revoke { privileges: ["SELECT (a, b)", "UPDATE"], object: "TABLE", name: Name { schema: Some("s"), name: "t" }, from: ["GROUP x", "PUBLIC"] }"#,
            ),
            (
                "u",
                r#"Revoke { privileges: ["SELECT (a, b)", "UPDATE"], object: "TABLE", name: u, from: ["GROUP x", "PUBLIC"] }"#,
            ),
        ],
    );
}

#[test]
fn lines_and_columns_count_characters_from_one() {
    let text = "a\r\näö x\n";
    let place = |needle: &str| lockkeeper::sql::line_column(text, text.find(needle).unwrap());
    assert_eq!(place("a"), (1, 1));
    assert_eq!(place("x"), (2, 4));
    assert_eq!(lockkeeper::sql::line_column(text, text.len()), (3, 1));
    assert_eq!(lockkeeper::sql::line_column(text, 999), (3, 1));
}
