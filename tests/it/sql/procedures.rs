//! MySQL's procedures and prepared statements, where the file that runs them also defines them.

use super::{MY, read, terse};

/// What each statement does: `in a body: ` in front of what stands in one, with its source.
fn shown(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    for statement in read(text, MY) {
        for clause in statement.parsed.unwrap_or_else(|unread| panic!("{unread:?}")) {
            let change = terse(&clause.change);
            match clause.in_body {
                true => shown.push(format!("{} <- {change}", &text[clause.range])),
                false => shown.push(change),
            }
        }
    }
    shown
}

const GUARDED: &str = "\
DROP PROCEDURE IF EXISTS p;
DELIMITER //
CREATE DEFINER=`root`@`%` PROCEDURE p(IN x INT) COMMENT 'add' NOT DETERMINISTIC
BEGIN
  DECLARE done INT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR SQLSTATE '42S01', NOT FOUND DROP TABLE h;
  IF NOT EXISTS (SELECT CASE WHEN a THEN b END FROM c) THEN
    ALTER TABLE t ADD COLUMN d int, DROP COLUMN e;
  ELSEIF x = 1 THEN TRUNCATE f;
  ELSE DELETE FROM g LIMIT 5;
  END IF;
  top: WHILE x > 0 DO LEAVE top; END WHILE top;
  REPEAT CASE x WHEN 1 THEN OPTIMIZE TABLE k; ELSE BEGIN END; END CASE; UNTIL x END REPEAT;
  SELECT 1 INTO done;
END//
";

#[test]
fn a_call_does_what_the_body_says() {
    let body = [
        "DROP TABLE h <- DropTable { table: h }",
        "ADD COLUMN d int <- AddColumn { table: t, column: Column { name: \"d\", data_type: \"int\" } }",
        "DROP COLUMN e <- DropColumn { table: t, column: \"e\" }",
        "TRUNCATE f <- Truncate { table: f }",
        "DELETE FROM g LIMIT 5 <- Delete { table: g, limited }",
        "OPTIMIZE TABLE k <- Maintain { table: Some(k), action: \"OPTIMIZE\" }",
    ];
    let text = format!("{GUARDED}CALL P(1)//\nCALL p(2)//\nDROP PROCEDURE p//\nCALL p(3)//");
    let found = shown(&text);
    assert_eq!(found[0], "DropFunction { name: p, if_exists }");
    assert_eq!(found[1], "CreateFunction { name: p }");
    assert_eq!(found[2..8], body);
    // What it does is said once; once it is gone, nobody here knows what it does.
    assert_eq!(found[8..], ["Other { kind: \"CALL\" }", "DropFunction { name: p }", "Opaque { kind: \"CALL\" }"]);
    assert_eq!(shown(GUARDED).len(), 2, "a procedure that nobody calls does nothing");
}

/// What a text does besides setting variables and preparing.
fn done(text: &str) -> Vec<String> {
    shown(text).into_iter().filter(|it| !it.contains("PREPARE") && !it.contains("Set {")).collect()
}

#[test]
fn what_a_body_puts_together_is_opaque_and_its_neighbours_are_not() {
    let text = "DELIMITER $$\nCREATE PROCEDURE p(n TEXT) BEGIN DROP TABLE a; SET @q = CONCAT('DROP TABLE ', n); \
                PREPARE s FROM @q; EXECUTE s; CALL p(n); DROP TABLE b; END$$\nCALL p(@c)$$\nCALL p(d())$$";
    assert_eq!(
        done(text),
        [
            "CreateFunction { name: p }",
            "DROP TABLE a <- DropTable { table: a }",
            "DROP TABLE b <- DropTable { table: b }",
            "Opaque { kind: \"CALL\" }",
            "Opaque { kind: \"CALL\" }",
        ]
    );
}

#[test]
fn what_a_body_puts_together_from_literals_of_the_call_stands_there() {
    let procedures = "DELIMITER $$\n\
        CREATE PROCEDURE p(IN `t` VARCHAR(64), IN c DECIMAL(3, 1), e TEXT) BEGIN DROP TABLE a; \
        IF EXISTS (SELECT 1 FROM i WHERE n = t AND m = c) THEN \
        SET @q = CONCAT('ALTER TABLE `', T, '` ALTER d SET DEFAULT ''', c, ''';'); \
        PREPARE s FROM @q; EXECUTE s; END IF; END$$\n\
        CREATE PROCEDURE q(x TEXT) BEGIN CALL p(CONCAT(x, '_b'), 2, @e); END$$\n";
    let calls = ["CALL p('u', 1, e)", "CALL p(\"v\", 1, e)", "CALL p('v', 1, f)", "CALL q('w')", "CALL p(g, 1, 2)"];
    let set = |call: &str, table: &str, value: &str| {
        format!("{call} <- SetDefault {{ table: {table}, column: \"d\", expression: \"'{value}'\" }}")
    };
    assert_eq!(
        done(&format!("{procedures}{}", calls.join("$$")))[2..],
        [
            "DROP TABLE a <- DropTable { table: a }".to_string(),
            set(calls[0], "u", "1"),
            set(calls[1], "v", "1"),
            // Only what another call did before.
            "Other { kind: \"CALL\" }".to_string(),
            set("CALL p(CONCAT(x, '_b'), 2, @e)", "w_b", "2"),
            "Opaque { kind: \"CALL\" }".to_string(),
        ]
    );
}

#[test]
fn a_parameter_that_a_body_may_change_stands_for_nothing() {
    for (parameters, change) in [
        ("OUT n TEXT", ""),
        ("INOUT n TEXT", ""),
        ("n TEXT", "SET n = 'b';"),
        ("n TEXT", "SET x = 1, `N` := 'b';"),
        ("n TEXT", "SELECT a, b INTO x, n FROM t;"),
        ("n TEXT", "FETCH c INTO n;"),
        ("n TEXT", "BEGIN DECLARE n TEXT; END;"),
    ] {
        let text = format!(
            "DELIMITER $$\nCREATE PROCEDURE p({parameters}) BEGIN {change} SET @q = CONCAT('DROP TABLE ', n); \
             PREPARE s FROM @q; EXECUTE s; END$$\nCALL p('a')$$"
        );
        assert_eq!(done(&text).last().unwrap(), "Opaque { kind: \"CALL\" }", "{parameters} {change}");
    }
}

/// What the EXECUTE at the end of a text does.
fn check_executed(text: &str, expected: &[&str]) {
    let statements = read(text, MY);
    let clauses = statements.last().and_then(|last| last.parsed.as_ref().ok()).unwrap_or_else(|| panic!("{text}"));
    let found: Vec<String> = clauses.iter().map(|clause| terse(&clause.change)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_constant_string_is_read_where_it_is_executed() {
    let dropped = "DropTable { table: a }";
    check_executed("PREPARE s FROM 'DROP TABLE a'; EXECUTE s", &[dropped]);
    check_executed("SET @x := \"DROP TABLE `a`\", @y = 1; PREPARE s FROM @X; EXECUTE S", &[dropped]);
    check_executed("EXECUTE IMMEDIATE 'DROP TABLE a'", &[dropped]);
    check_executed(
        "SET @x = (SELECT IF((SELECT COUNT(*) FROM b) > 0, 'SELECT 1', 'ALTER TABLE a ALTER c SET DEFAULT ''x''')); \
         PREPARE s FROM @x; EXECUTE s",
        &["Other { kind: \"SELECT\" }", "SetDefault { table: a, column: \"c\", expression: \"'x'\" }"],
    );
    check_executed("SET @x = CONCAT('DROP ', CONCAT('TABLE ', '', 'a')); PREPARE s FROM @x; EXECUTE s", &[dropped]);
    let opaque = "Opaque { kind: \"EXECUTE\" }";
    for text in [
        "PREPARE s FROM @unknown; EXECUTE s",
        "EXECUTE never_prepared",
        "SET @x = CONCAT('DROP TABLE ', b); PREPARE s FROM @x; EXECUTE s",
        "SET @x = CONCAT(@x, 'DROP TABLE a'); PREPARE s FROM @x; EXECUTE s",
        "SET @x = 'DROP TABLE a'; SET @x = b; PREPARE s FROM @x; EXECUTE s",
        "PREPARE s FROM 'ALTER TABLE a COMMENT ''it''''s'''; EXECUTE s",
        "EXECUTE IMMEDIATE 'NO SQL AT ALL'",
    ] {
        check_executed(text, &[opaque]);
    }
    check_executed("PREPARE s FROM 'DROP TABLE a'; EXECUTE s; EXECUTE s", &["Other { kind: \"EXECUTE\" }"]);
}

#[test]
fn each_branch_may_be_the_one_that_assigns() {
    let text = "BEGIN NOT ATOMIC IF a THEN SET @s = 'DROP TABLE a'; ELSE SET @s = 'DROP TABLE b'; END IF; \
                PREPARE z FROM @s; EXECUTE z; SET @s = 'DROP TABLE c'; EXECUTE IMMEDIATE @s; END; SELECT 1";
    let drops: Vec<String> = shown(text).into_iter().filter(|it| it.contains("DropTable")).collect();
    let expected = ["a", "b", "c"].map(|it| format!("DROP TABLE {it} <- DropTable {{ table: {it} }}"));
    assert_eq!(drops, expected);
}

#[test]
fn calls_in_calls_end() {
    let mut text = String::from("DELIMITER //\n");
    for number in 0..50 {
        text.push_str(&format!(
            "CREATE PROCEDURE p{number}() BEGIN CALL p{}(); CALL p{}(); END//\n",
            number + 1,
            number + 1
        ));
    }
    text.push_str("CALL p0()//");
    assert_eq!(shown(&text).last().unwrap(), "Opaque { kind: \"CALL\" }");
}

#[test]
fn calls_in_calls_with_other_arguments_end() {
    let mut text = String::from("DELIMITER //\n");
    for number in 0..9 {
        let calls: String = (0..10).map(|it| format!("CALL p{}(CONCAT(a, '{it}'));", number + 1)).collect();
        text.push_str(&format!("CREATE PROCEDURE p{number}(a TEXT) BEGIN {calls} END//\n"));
    }
    text.push_str("CALL p0('x')//");
    assert_eq!(shown(&text).last().unwrap(), "Opaque { kind: \"CALL\" }");
}
