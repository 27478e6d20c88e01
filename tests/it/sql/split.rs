//! Where statements begin and end.

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
