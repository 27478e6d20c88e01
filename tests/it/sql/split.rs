//! Where statements begin and end.

use lockkeeper::sql::Change;

use super::{Dialect, LITE, MY, PG, read};

fn check(dialect: Dialect, text: &str, expected: &[&str]) {
    let statements = read(text, dialect);
    let found: Vec<&str> = statements.iter().map(|statement| &text[statement.range.clone()]).collect();
    assert_eq!(found, expected, "\n{dialect}: {text}");
}

#[test]
fn comments_and_blanks_are_no_statements() {
    for dialect in Dialect::ALL {
        check(dialect, "", &[]);
        check(dialect, " ; ;; -- x; y\n /* ; */ ;", &[]);
        check(dialect, "\u{feff}-- x\r\nSELECT 1 -- y\r\n ;\r\nSELECT 2", &["SELECT 1", "SELECT 2"]);
        check(dialect, "/* a */ SELECT /* ; */ 1 /* b */; -- c", &["SELECT /* ; */ 1"]);
        check(dialect, "SELECT 'a;''b', \"c;d\"; SELECT 2", &["SELECT 'a;''b', \"c;d\"", "SELECT 2"]);
        check(dialect, "SELECT 'ä;ö'; SELECT 2", &["SELECT 'ä;ö'", "SELECT 2"]);
    }
}

#[test]
fn postgres_quotes() {
    check(
        PG,
        "SELECT $$ ; $x$ ; $$, $x$ ; $$ ; $x$; SELECT a$b$ FROM c$b$",
        &["SELECT $$ ; $x$ ; $$, $x$ ; $$ ; $x$", "SELECT a$b$ FROM c$b$"],
    );
    check(PG, r"SELECT E'\';', U&'\0061;', '\'; SELECT $1", &[r"SELECT E'\';', U&'\0061;', '\'", "SELECT $1"]);
    check(PG, "/* a /* ; */ ; */ SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]);
    check(PG, "SELECT 1 +--;\n 2; SELECT 3", &["SELECT 1 +--;\n 2", "SELECT 3"]);
}

#[test]
fn postgres_bodies() {
    check(
        PG,
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; SELECT 3",
        &["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END", "SELECT 3"],
    );
    check(
        PG,
        "CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3",
        &["CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2)", "SELECT 3"],
    );
    check(PG, "BEGIN; CREATE TABLE t (a int; COMMIT", &["BEGIN", "CREATE TABLE t (a int", "COMMIT"]);
}

#[test]
fn psql_commands_and_copied_data() {
    check(PG, "\\set x '1;2'\nSELECT 1 \\gexec\nSELECT 2;", &["\\set x '1;2'", "SELECT 1", "\\gexec", "SELECT 2"]);
    check(PG, "COPY t (a) FROM stdin;\n1\t;\n'\n\\.\n\nSELECT 1;", &["COPY t (a) FROM stdin", "SELECT 1"]);
    // No data follows where the line that ends it is missing.
    check(PG, "COPY t FROM stdin;\nSELECT 1;", &["COPY t FROM stdin", "SELECT 1"]);
}

#[test]
fn postgres_backslashes_without_standard_strings() {
    let text = r"SELECT '\'; SET standard_conforming_strings = off; SELECT 'a\';b', '\\'; SET SESSION standard_conforming_strings TO 'on'; SELECT '\'; SELECT 2";
    check(
        PG,
        text,
        &[
            r"SELECT '\'",
            "SET standard_conforming_strings = off",
            r"SELECT 'a\';b', '\\'",
            "SET SESSION standard_conforming_strings TO 'on'",
            r"SELECT '\'",
            "SELECT 2",
        ],
    );
    assert!(read(text, PG).iter().all(|statement| statement.parsed.is_ok()), "{:?}", read(text, PG));
}

#[test]
fn psql_runs_files_and_copies_data() {
    check(
        PG,
        "\\i other.sql\n\\if :x\nSELECT :'a', :b;\n\\endif\n\\copy t from stdin\n1;'\n\\.\nSELECT 2;\\connect x",
        &["\\i other.sql", "\\if :x", "SELECT :'a', :b", "\\endif", "\\copy t from stdin", "SELECT 2", "\\connect x"],
    );
    for command in ["\\i x.sql", "\\ir x.sql", "\\gexec"] {
        let parsed = read(command, PG).remove(0).parsed.unwrap();
        assert!(matches!(parsed[0].change, Change::Opaque { .. }), "{command}: {parsed:?}");
    }
}

#[test]
fn separators_of_other_tools_are_reported() {
    for dialect in Dialect::ALL {
        let text = "DROP TABLE a\r\nGO\r\nDROP TABLE b;\n/\nDROP TABLE c\ngo";
        check(dialect, text, &["DROP TABLE a", "GO", "DROP TABLE b", "/", "DROP TABLE c", "go"]);
        let reasons: Vec<Option<String>> =
            read(text, dialect).into_iter().map(|it| it.parsed.err().map(|unread| unread.reason)).collect();
        let of = |text: &str| Some(format!("{text} is a separator of another tool"));
        assert_eq!(reasons, [None, of("GO"), None, of("/"), None, of("go")], "{dialect}");
        check(dialect, "SELECT 1\n/\n2;\nSELECT 1 AS\n  go\n;", &["SELECT 1\n/\n2", "SELECT 1 AS\n  go"]);
    }
}

#[test]
fn a_nul_byte_costs_its_own_statement() {
    let statements = read("DROP TABLE a; SELECT 'x\0y'; DROP TABLE b", PG);
    let reasons: Vec<Option<String>> = statements.into_iter().map(|it| it.parsed.err().map(|it| it.reason)).collect();
    assert_eq!(reasons, [None, Some("a NUL byte, which the server refuses".into()), None]);
}

#[test]
fn mysql_quotes_and_comments() {
    check(
        MY,
        "SELECT 'a\\';', \"b\\\";\", `c;\\`; SELECT 2 # ;\n; SELECT 3--1; -- ;",
        &["SELECT 'a\\';', \"b\\\";\", `c;\\`", "SELECT 2", "SELECT 3--1"],
    );
    check(
        MY,
        "/* a /* ; */ SELECT 1; /*!40101 SET NAMES utf8 */; /*! */; SELECT /*!50000 2; */ 3",
        &["SELECT 1", "/*!40101 SET NAMES utf8 */", "SELECT /*!50000 2", "*/ 3"],
    );
}

#[test]
fn mysql_bodies() {
    for body in [
        "BEGIN SET NEW.a = 1; SET NEW.b = 2; END",
        "BEGIN IF a THEN SET NEW.a = 1; ELSEIF b THEN SET NEW.b = IF(1, 2, 3); ELSE IF (c) THEN SET d = 1; END IF; END IF; END",
        "IF a THEN SET NEW.a = 1; END IF",
        "BEGIN x: LOOP SET a = CASE WHEN b THEN IF(c, 1, 2) ELSE IF(d, 1, 2) END; LEAVE x; END LOOP; END",
        "BEGIN CASE a WHEN 1 THEN IF (b) THEN SET c = 1; END IF; ELSE BEGIN END; END CASE; END",
        "BEGIN WHILE a DO SET a = 1; END WHILE; REPEAT SET a = 2; UNTIL a END REPEAT; END",
        "SET NEW.a = 1",
    ] {
        let trigger = format!("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW {body}");
        check(MY, &format!("{trigger}; SELECT 1"), &[&trigger, "SELECT 1"]);
        let text = format!("DELIMITER $$\n{trigger}$$\nSELECT 1$$\nDELIMITER ;\nSELECT 2;");
        check(MY, &text, &[&trigger, "SELECT 1", "SELECT 2"]);
        check(MY, &format!("delimiter //\n{trigger};//\nSELECT 1; SELECT 2//"), &[&trigger, "SELECT 1", "SELECT 2"]);
    }
    check(MY, "BEGIN; SELECT 1; COMMIT", &["BEGIN", "SELECT 1", "COMMIT"]);
    check(
        MY,
        "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
        &["BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"],
    );
    check(
        MY,
        "CREATE TABLE t (delimiter int,\ndelimiter2 int); SELECT 1",
        &["CREATE TABLE t (delimiter int,\ndelimiter2 int)", "SELECT 1"],
    );
    // The delimiter is put back although no delimiter ended the statement.
    check(
        MY,
        "DELIMITER //\nUPDATE t SET a = 1\ndelimiter ;\nSELECT 1; SELECT 2",
        &["UPDATE t SET a = 1", "SELECT 1", "SELECT 2"],
    );
}

#[test]
fn sqlite_bodies() {
    check(LITE, "SELECT [a;b], `c;d`, x'00'; SELECT 2 /* open ;", &["SELECT [a;b], `c;d`, x'00'", "SELECT 2"]);
    check(
        LITE,
        "CREATE TEMP TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET a = CASE WHEN b THEN 1 END; SELECT 1; END; SELECT 2",
        &[
            "CREATE TEMP TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET a = CASE WHEN b THEN 1 END; SELECT 1; END",
            "SELECT 2",
        ],
    );
    check(LITE, ".mode csv ;\nSELECT 1;", &[".mode csv ;", "SELECT 1"]);
}

#[test]
fn a_body_without_an_end_costs_its_own_statement() {
    for (dialect, body) in [
        (PG, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1"),
        (PG, "CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1"),
        (MY, "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1"),
        (LITE, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1"),
    ] {
        let text = format!("SELECT 0; {body};\n SELECT 2; DROP TABLE t");
        check(dialect, &text, &["SELECT 0", body, "SELECT 2", "DROP TABLE t"]);
        let unread = read(&text, dialect).remove(1).parsed.unwrap_err();
        assert_eq!(unread.reason, "a body that no END closes");
    }
}

#[test]
fn mysql_modes_change_what_quotes_mean() {
    let text = "SET @x = 1, SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; INSERT INTO \"a;\" VALUES ('\\'); \
                SET GLOBAL sql_mode = ''; DROP TABLE \"b\"; /*!40101 SET sql_mode='STRICT' */; SELECT '\\';', \"c;\"";
    check(
        MY,
        text,
        &[
            "SET @x = 1, SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
            "INSERT INTO \"a;\" VALUES ('\\')",
            "SET GLOBAL sql_mode = ''",
            "DROP TABLE \"b\"",
            "/*!40101 SET sql_mode='STRICT' */",
            "SELECT '\\';', \"c;\"",
        ],
    );
    let named: Vec<String> = super::clauses(text, MY).into_iter().map(|(_, change)| change).collect();
    assert!(named.contains(&"Insert { table: a; }".to_string()), "{named:?}");
    assert!(named.contains(&"DropTable { table: b }".to_string()), "{named:?}");
}

#[test]
fn commands_to_the_clients_of_mysql_and_mariadb() {
    check(
        MY,
        "/*M!999999\\- enable the sandbox mode */\nSELECT 1\\G\nsource a;b.sql\nSELECT 2;\n\\. c.sql\nSELECT 3 \\g SELECT 4",
        &["SELECT 1", "source a;b.sql", "SELECT 2", "\\. c.sql", "SELECT 3", "SELECT 4"],
    );
    check(MY, "\u{feff}SELECT 1;\r\nSELECT 2;\r\nGO\r\nSELECT 3", &["SELECT 1", "SELECT 2", "GO", "SELECT 3"]);
}

#[test]
fn a_dump_of_mysql_is_read_whole() {
    let dump = include_str!("../../../fixtures/sql/mysqldump.sql");
    let statements = read(dump, MY);
    let unread: Vec<_> = statements.iter().filter(|statement| statement.parsed.is_err()).collect();
    assert!(unread.is_empty(), "{unread:?}");
    let changes = super::clauses(dump, MY).into_iter().map(|(_, change)| change);
    let kinds: Vec<String> =
        changes.map(|change| change.split(" {").next().unwrap().to_string()).filter(|kind| kind != "Set").collect();
    assert_eq!(
        kinds,
        [
            "DropTable",
            "CreateTable",
            "LockTable",
            "AlterTable",
            "Insert",
            "AlterTable",
            "Other",
            "CreateTrigger",
            "DropView",
            "CreateView",
            "CreateFunction",
            "Other",
            "CreateView",
        ]
    );
}

/// PostgreSQL's server ends a comment at any line end, the others at a line feed alone.
#[test]
fn what_follows_a_carriage_return_behind_a_comment_runs() {
    let text = "-- a\rSELECT 1; SELECT -- b\r 2;\r\n-- c\r\nSELECT 3";
    check(PG, text, &["SELECT 1", "SELECT -- b\r 2", "SELECT 3"]);
    check(LITE, text, &["SELECT 3"]);
    check(MY, text, &["SELECT 3"]);
    assert_eq!(super::clauses("ALTER TABLE t -- b\r DROP COLUMN c", PG).len(), 1);
}

/// The second line has the escapes of the first: where it ends decides what runs.
#[test]
fn a_string_of_postgres_goes_on_in_the_next_line() {
    check(PG, "SELECT E'a'\n 'b\\''; DROP TABLE x; --';", &["SELECT E'a'\n 'b\\''", "DROP TABLE x"]);
    check(PG, "SELECT 'a' -- c'\n'b\\'; SELECT '2'", &["SELECT 'a' -- c'\n'b\\'", "SELECT '2'"]);
    check(PG, "SELECT E'a' 'b\\'; SELECT 2", &["SELECT E'a' 'b\\'", "SELECT 2"]);
    assert_eq!(super::clauses("DO 'BEGIN DROP TABLE '\n'a; END'", PG)[0].1, "Opaque { kind: \"DO\" }");
}
