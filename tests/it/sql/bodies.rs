//! What stands in the body of a DO, or of a routine that the file calls.

use lockkeeper::sql::Statement;

use super::{PG, clauses, read, terse};

/// The changes of the last statement of `text`, each with its source; what stands in a body begins with a blank.
fn last(text: &str) -> Vec<(String, String)> {
    let Statement { parsed, .. } = read(text, PG).pop().unwrap();
    let place = |in_body| if in_body { " " } else { "" };
    let clauses = parsed.unwrap();
    let shown =
        clauses.iter().map(|it| (format!("{}{}", place(it.in_body), &text[it.range.clone()]), terse(&it.change)));
    shown.collect()
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let found = last(text);
    let found: Vec<(&str, &str)> = found.iter().map(|(source, change)| (source.as_str(), change.as_str())).collect();
    assert_eq!(found, expected, "\n{text}");
}

/// The sources of what a DO with this body does.
fn check_do(body: &str, expected: &[&str]) {
    let text = format!("DO $do$ {body} $do$");
    let found = last(&text);
    let found: Vec<&str> = found.iter().map(|(source, _)| source.trim_start()).collect();
    assert_eq!(found, expected, "\n{body}");
}

#[test]
fn control_flow_is_walked() {
    check_do("BEGIN DROP TABLE a; DROP TABLE b; END", &["DROP TABLE a", "DROP TABLE b"]);
    check_do("<<x>> DECLARE a int := 1; b CURSOR FOR SELECT 1; BEGIN DROP TABLE a; END x;", &["DROP TABLE a"]);
    check_do("#variable_conflict use_column\nBEGIN DROP TABLE a; END", &["DROP TABLE a"]);
    check_do(
        "BEGIN IF CASE WHEN a THEN b END THEN DROP TABLE a; ELSIF c THEN DROP TABLE b; ELSE DROP TABLE c; END IF; END",
        &["DROP TABLE a", "DROP TABLE b", "DROP TABLE c"],
    );
    check_do(
        "BEGIN CASE a WHEN 1, 2 THEN DROP TABLE a; ELSE DROP TABLE b; END CASE; END",
        &["DROP TABLE a", "DROP TABLE b"],
    );
    check_do(
        "BEGIN LOOP DROP TABLE a; EXIT WHEN x; END LOOP; WHILE a LOOP DROP TABLE b; END LOOP; END",
        &["DROP TABLE a", "DROP TABLE b"],
    );
    check_do(
        "BEGIN FOR i IN REVERSE 1..(2) BY 3 LOOP DROP TABLE a; CONTINUE; END LOOP; FOREACH x SLICE 1 IN ARRAY y LOOP TRUNCATE b; END LOOP; END",
        &["DROP TABLE a", "TRUNCATE b"],
    );
    check_do(
        "BEGIN FOR r IN DELETE FROM a RETURNING id LOOP NULL; END LOOP; FOR r IN cur(1) LOOP NULL; END LOOP; END",
        &["DELETE FROM a RETURNING id"],
    );
    check_do(
        "BEGIN BEGIN DROP TABLE a; EXCEPTION WHEN SQLSTATE '22012' OR others THEN DROP TABLE b; END; DROP TABLE c; END",
        &["DROP TABLE a", "DROP TABLE b", "DROP TABLE c"],
    );
    check_do(
        "BEGIN a := 1; a.b[1] = 2; RAISE NOTICE 'x; %', a USING HINT = 'y'; ASSERT a; GET DIAGNOSTICS a = ROW_COUNT; \
         OPEN c FOR SELECT 1; FETCH c INTO a; CLOSE c; RETURN; END",
        &[
            "DO $do$ BEGIN a := 1; a.b[1] = 2; RAISE NOTICE 'x; %', a USING HINT = 'y'; ASSERT a; GET DIAGNOSTICS a = ROW_COUNT; OPEN c FOR SELECT 1; FETCH c INTO a; CLOSE c; RETURN; END $do$",
        ],
    );
    check_do("BEGIN IF a THEN COMMIT; ELSE ROLLBACK; END IF; END", &["COMMIT", "ROLLBACK"]);
}

#[test]
fn into_belongs_to_the_body() {
    check(
        "DO $$ BEGIN SELECT a INTO STRICT x.y, z[1] FROM t; INSERT INTO t (a) VALUES (1) RETURNING a INTO x; END $$",
        &[
            (" SELECT a INTO STRICT x.y, z[1] FROM t", r#"Other { kind: "SELECT" }"#),
            (" INSERT INTO t (a) VALUES (1) RETURNING a", r#"Insert { table: t, columns: ["a"] }"#),
        ],
    );
}

#[test]
fn dynamic_sql_is_opaque_and_a_constant_is_not() {
    check(
        "DO $$ BEGIN EXECUTE 'DROP TABLE ' || x; EXECUTE format('DROP TABLE %I', x); DROP TABLE a; \
         FOR r IN EXECUTE q USING 1 LOOP NULL; END LOOP; RETURN QUERY EXECUTE q; END $$",
        &[
            (" EXECUTE 'DROP TABLE ' || x", r#"Opaque { kind: "EXECUTE" }"#),
            (" EXECUTE format('DROP TABLE %I', x)", r#"Opaque { kind: "EXECUTE" }"#),
            (" DROP TABLE a", "DropTable { table: a }"),
            (" EXECUTE q USING 1", r#"Opaque { kind: "EXECUTE" }"#),
            (" EXECUTE q", r#"Opaque { kind: "EXECUTE" }"#),
        ],
    );
    check(
        "DO $$ BEGIN EXECUTE 'DROP TABLE a; ALTER TABLE t ALTER a SET DEFAULT ''x'', DROP b' USING 1; EXECUTE $q$DROP TABLE c$q$; END $$",
        &[
            (" DROP TABLE a", "DropTable { table: a }"),
            (" ALTER a SET DEFAULT ''x'", r#"SetDefault { table: t, column: "a", expression: "'x'" }"#),
            (" DROP b", r#"DropColumn { table: t, column: "b" }"#),
            (" DROP TABLE c", "DropTable { table: c }"),
        ],
    );
    // Backslashes would have to be read by two languages at once.
    check(
        "DO $$ BEGIN EXECUTE E'DROP TABLE \\'a\\''; END $$",
        &[(" E'DROP TABLE \\'a\\''", r#"Opaque { kind: "EXECUTE" }"#)],
    );
}

#[test]
fn a_routine_does_something_when_it_is_called() {
    let define = "CREATE FUNCTION s.f(a int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE a; PERFORM g(); END $$;\n\
        CREATE OR REPLACE FUNCTION g() RETURNS void AS 'DROP TABLE b' LANGUAGE 'sql';\n\
        CREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM c; DELETE FROM d; END;\n";
    let called = |call: &str, expected: &[(&str, &str)]| check(&format!("{define}{call}"), expected);
    let both = [(" DROP TABLE a", "DropTable { table: a }"), (" DROP TABLE b", "DropTable { table: b }")];
    for call in ["SELECT s.f(1)", "SELECT x FROM f(2) x"] {
        called(call, &[&[(call, r#"Other { kind: "SELECT" }"#)], both.as_slice()].concat());
    }
    called(
        "DO $$ BEGIN a := f(1); END $$",
        &[&[("DO $$ BEGIN a := f(1); END $$", r#"Other { kind: "DO" }"#)], both.as_slice()].concat(),
    );
    called(
        "CALL p()",
        &[
            ("CALL p()", r#"Other { kind: "CALL" }"#),
            (" DELETE FROM c", "Delete { table: c }"),
            (" DELETE FROM d", "Delete { table: d }"),
        ],
    );
    called("CALL q()", &[("CALL q()", r#"Opaque { kind: "CALL" }"#)]);
    for not_called in [
        "DROP FUNCTION f(int)",
        "CREATE TRIGGER x BEFORE UPDATE ON t EXECUTE FUNCTION f()",
        "INSERT INTO f (a) VALUES (1)",
    ] {
        assert_eq!(last(&format!("{define}{not_called}")).len(), 1, "{not_called}");
    }
    // The second call does the same again, and nothing is said twice.
    assert_eq!(last(&format!("{define}SELECT g(); SELECT g()")).len(), 1);
}

#[test]
fn what_cannot_be_read_in_a_body_costs_itself_only() {
    check(
        "DO $$ BEGIN ALTER TABEL a; DROP TABLE b; END $$",
        &[(" ALTER TABEL a", r#"Opaque { kind: "DO" }"#), (" DROP TABLE b", "DropTable { table: b }")],
    );
    for body in ["$$ BEGIN x := 'open; END $$", "E'BEGIN x := \\'a\\'; END'"] {
        check(&format!("DO {body}"), &[(&format!(" {body}"), r#"Opaque { kind: "DO" }"#)]);
    }
    check("DO LANGUAGE plpython3u $$$$", &[(" $$$$", r#"Opaque { kind: "LANGUAGE plpython3u" }"#)]);
    // Bodies in bodies end somewhere.
    let mut nested = "DROP TABLE a".to_string();
    for depth in 0..20 {
        nested = format!("DO $d{depth}$ BEGIN {nested}; END $d{depth}$");
    }
    assert!(clauses(&nested, PG)[0].1.starts_with("Opaque"), "{:?}", clauses(&nested, PG));
}

/// What a function of the database does, nobody here can tell: neither that of a SELECT nor that of a PERFORM.
#[test]
fn a_function_that_nobody_here_knows_is_opaque() {
    let text = "SELECT add_everywhere('orders'); SELECT * FROM \"Other\".now() x (a); SELECT now(), s.f(1); \
                SELECT count(*) FILTER (WHERE a IN (1)) OVER (PARTITION BY b), pg_catalog.anything(1), setval('s', 1) \
                FROM t AS u (a, b), LATERAL unnest(a) v(c), (VALUES (1)) w (d) WHERE EXISTS (SELECT coalesce(1)); \
                CREATE FUNCTION mine() RETURNS void LANGUAGE sql AS 'DROP TABLE a'; SELECT mine(); \
                DO $$ BEGIN PERFORM yours(now()); PERFORM mine(); PERFORM 1 FROM t; END $$;";
    let kinds: Vec<String> = super::clauses(text, super::PG)
        .into_iter()
        .map(|(_, change)| change)
        .filter(|it| it.starts_with("Opaque"))
        .collect();
    assert_eq!(
        kinds,
        ["add_everywhere", "now", "f"]
            .map(|name| format!("Opaque {{ kind: \"SELECT {name}\" }}"))
            .into_iter()
            .chain(["Opaque { kind: \"PERFORM yours\" }".to_string()])
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_fills_a_table_or_a_file_calls_functions_too() {
    let text = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM a'; CREATE TABLE k AS SELECT f(); \
                CREATE MATERIALIZED VIEW m AS SELECT g(); COPY (SELECT h()) TO STDOUT; COPY t FROM PROGRAM 'date';";
    let found: Vec<String> = super::clauses(text, super::PG).into_iter().map(|(_, change)| change).collect();
    for what in [
        "Delete { table: a",
        "Opaque { kind: \"CREATE MATERIALIZED VIEW g\"",
        "Opaque { kind: \"COPY h\"",
        "\"COPY PROGRAM\"",
    ] {
        assert!(found.iter().any(|change| change.contains(what)), "{what}: {found:?}");
    }
}
