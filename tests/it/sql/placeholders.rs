//! What templates and clients put values in place of.

use lockkeeper::sql::Change;

use super::{Dialect, LITE, MY, PG, check, clauses, read};

#[test]
fn a_placeholder_is_an_identifier() {
    check(
        MY,
        "DROP TABLE ${schema}.t_{{ .Name }}",
        &[(
            "DROP TABLE ${schema}.t_{{ .Name }}",
            r#"DropTable { table: Name { schema: Some("${schema}"), name: "t_{{ .Name }}" } }"#,
        )],
    );
    for name in ["${t}", "{{t}}", "<%= t['a;b'] %>", "$%T%$", "@t@", "x_${t}_y", ":t"] {
        let text = format!("DROP TABLE {name}; ALTER VIEW {name} RENAME TO b");
        let [drop, alter] = [format!("DROP TABLE {name}"), format!("ALTER VIEW {name} RENAME TO b")];
        check(
            PG,
            &text,
            &[
                (drop.as_str(), &format!("DropTable {{ table: {} }}", name)),
                (&alter, &format!("RenameObject {{ object: View, name: {}, to: \"b\" }}", name)),
            ],
        );
    }
}

#[test]
fn a_placeholder_is_a_value() {
    for value in ["${v}", "{{ v }}", "<%= v %>", "$%V%$", "@v@", ":v", ":'v'", "%(v)s", "%s", "$1"] {
        for text in [
            format!("ALTER TABLE t ALTER a SET DEFAULT {value}, DROP b"),
            format!("UPDATE t SET a = {value} WHERE b = {value}"),
            format!("INSERT INTO t (a, b) VALUES ({value}, {value})"),
            format!("SELECT a::int, b[1:2] FROM t LIMIT {value}"),
        ] {
            assert!(read(&text, PG)[0].parsed.is_ok(), "{text}: {:?}", clauses(&text, PG));
        }
    }
    check(
        PG,
        "ALTER TABLE :s.t ALTER a SET DEFAULT :'v'",
        &[(
            "ALTER a SET DEFAULT :'v'",
            r#"SetDefault { table: Name { schema: Some(":s"), name: "t" }, column: "a", expression: ":'v'" }"#,
        )],
    );
}

#[test]
fn a_quoted_variable_keeps_its_spelling() {
    for text in ["DROP TABLE :\"t\"", "ALTER TABLE :\"t\" RENAME TO b", "TRUNCATE :\"t\""] {
        let parsed = read(text, PG).remove(0).parsed.unwrap();
        let (Change::DropTable { table, .. } | Change::RenameTable { table, .. } | Change::Truncate { table, .. }) =
            &parsed[0].change
        else {
            panic!("{parsed:?}")
        };
        assert_eq!(table.name, ":\"t\"", "{text}");
    }
}

#[test]
fn a_placeholder_that_the_grammar_does_not_allow_is_reported() {
    for text in [
        "{{ if .X }} DROP TABLE t",
        "DROP ${what} t",
        "ALTER TABLE t {{ action }} c",
        "ALTER TABLE $1 ADD c int",
        "SELECT 1 <% x %> 2 <%",
    ] {
        let parsed = &read(text, PG)[0].parsed;
        assert!(parsed.is_err(), "{text}: {parsed:?}");
    }
    // What only looks like one is an operator.
    for text in
        ["SELECT a <% b AND c %> d", "SELECT @ -5", "SELECT a @> b", "SELECT a::int, b[x:y], 5 %(x)s", "SELECT a @@ b"]
    {
        let parsed = &read(text, PG)[0].parsed;
        assert!(parsed.is_ok(), "{text}: {parsed:?}");
    }
    for dialect in [MY, LITE] {
        for text in ["SELECT 5 % (3)", "SELECT @a, @b"] {
            assert!(dialect == LITE || read(text, dialect)[0].parsed.is_ok(), "{dialect}: {text}");
        }
    }
    assert_eq!(read("SET @a = 1, @b = @a; SELECT 1", Dialect::Mysql).len(), 2);
}

#[test]
fn mysql_and_sqlite_know_placeholders_too() {
    for dialect in [MY, LITE] {
        for value in ["${v}", "{{ v }}", "<%= v %>", "@v@", ":v", "%(v)s", "%s", "?"] {
            for text in [
                format!("ALTER TABLE t ADD COLUMN a INT DEFAULT {value}"),
                format!("UPDATE t SET a = {value} WHERE b = {value} AND c IN ({value}, {value})"),
                format!("INSERT INTO t (a, b) VALUES ({value}, {value})"),
                format!("SELECT a FROM t WHERE a LIKE {value} LIMIT {value}"),
            ] {
                assert!(read(&text, dialect)[0].parsed.is_ok(), "{dialect}: {:?}", clauses(&text, dialect));
            }
        }
        for name in ["${t}", "{{t}}", "<%= t %>", "@t@", ":t", "%(t)s", "%s", "x_${t}_y"] {
            let texts = [format!("DROP TABLE {name}"), format!("DELETE FROM {name}")];
            let expected = [format!("DropTable {{ table: {name} }}"), format!("Delete {{ table: {name} }}")];
            for (text, expected) in texts.iter().zip(&expected) {
                check(dialect, text, &[(text, expected)]);
            }
        }
        for text in ["DROP ${what} t", "{{ if x }} DROP TABLE t", "ALTER TABLE t {{ action }} c", "ALTER TABLE t ? c"] {
            assert!(read(text, dialect)[0].parsed.is_err(), "{dialect}: {:?}", clauses(text, dialect));
        }
        // What only looks like one is an operator.
        assert!(read("SELECT a %s, 5 %(x), (a)%s FROM t", dialect)[0].parsed.is_ok());
    }
}
