//! `cargo bench --bench growth [SHAPE]`: what n, 2n and 4n of an awkward input cost `lint` in CPU time. Four times as
//! much may cost four times as much: a line that grows with the square is marked.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lockkeeper::sql::Dialect;
use nix::sys::resource::{UsageWho, getrusage};

/// The name of an input, how much of it is little, and how it is made: what stands in front, what is repeated with its
/// number for `#`, and what stands behind.
type Shape = (&'static str, usize, &'static str, &'static str, &'static str);

const SHAPES: &[Shape] = &[
    ("open parentheses", 100_000, "SELECT ", "(", ""),
    ("open brackets", 100_000, "SELECT ", "[", ""),
    ("a short chain", 2_400, "SELECT a", "+a", ""),
    ("a long chain", 100_000, "SELECT a", "+a", ""),
    ("a list", 60_000, "SELECT a", ",a+a", ""),
    ("quotes", 250_000, "SELECT ", "'''", ""),
    ("open comments", 250_000, "", "/*", ""),
    ("slashed comments", 250_000, "", "/*/", ""),
    ("dollar quotes", 100_000, "SELECT ", "$a$b", ""),
    ("dollar tags", 100_000, "SELECT ", "$a#", ""),
    ("BEGIN", 100_000, "", "BEGIN ", ""),
    ("nested bodies", 50_000, "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW ", "BEGIN ", ";"),
    ("open routines", 10_000, "", "CREATE PROCEDURE t() BEGIN SELECT 1;\n", ""),
    ("open SQL routines", 10_000, "", "CREATE FUNCTION t() RETURNS int BEGIN ATOMIC SELECT 1;\n", ""),
    ("terminators", 200_000, "", ";", ""),
    ("statements", 25_000, "", "SELECT 1;", ""),
    ("statements of one line", 10_000, "", "DROP TABLE t#; ", ""),
    ("broken statements", 10_000, "", "ALTER TABLE t ADD; ", ""),
    ("directives before", 25_000, "", "-- lockkeeper: allow drop-table: because\n", "DROP TABLE x;"),
    ("directives behind", 12_000, "DROP TABLE x;", "/* lockkeeper: allow drop-table: because */ ", ""),
    ("directives for each", 8_000, "", "-- lockkeeper: allow drop-table: because\nDROP TABLE t#;\n", ""),
    ("wrong directives", 8_000, "", "-- lockkeeper: allw drop-table: because\n", ""),
    ("columns", 12_500, "CREATE TABLE t (a int", ", c# int", ");"),
    ("checked columns", 4_000, "CREATE TABLE t (a int", ", c# int DEFAULT (1+#) CHECK (c# > 0)", ");"),
    ("actions", 10_000, "ALTER TABLE t ADD COLUMN a int", ", ADD COLUMN c# int", ";"),
    ("actions on a known table", 10_000, "CREATE TABLE t (a int); ALTER TABLE t ADD b int", ", ADD c# int", ";"),
    ("drops of columns", 10_000, "CREATE TABLE t (a int); ALTER TABLE t DROP COLUMN a", ", DROP COLUMN c#", ";"),
    ("columns one by one", 10_000, "CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c# int;\n", ""),
    (
        "columns that come and go",
        5_000,
        "CREATE TABLE t (a int);",
        "ALTER TABLE t ADD c# int; ALTER TABLE t DROP COLUMN c#;",
        "",
    ),
    ("indexes", 10_000, "CREATE TABLE t (a int);", "CREATE INDEX i# ON t (a);\n", ""),
    ("indexes without names", 2_500, "CREATE TABLE t (a int);", "CREATE INDEX ON t (a);\n", ""),
    ("constraints", 5_000, "CREATE TABLE t (a int);", "ALTER TABLE t ADD CONSTRAINT k# CHECK (a > 0);\n", ""),
    ("constraints without names", 2_500, "CREATE TABLE t (a int);", "ALTER TABLE t ADD CHECK (a > 0);\n", ""),
    (
        "proofs",
        5_000,
        "CREATE TABLE t (a int);",
        "ALTER TABLE t ADD CONSTRAINT k# CHECK (a > 0); ALTER TABLE t ALTER a SET NOT NULL;\n",
        "",
    ),
    (
        "foreign keys",
        5_000,
        "CREATE TABLE p (a int PRIMARY KEY);",
        "CREATE TABLE t# (a int REFERENCES p (a));\n",
        "DROP TABLE p CASCADE;",
    ),
    (
        "triggers",
        5_000,
        "CREATE TABLE t (a int);",
        "CREATE TRIGGER r# AFTER INSERT ON t BEGIN SELECT 1; END; DROP TRIGGER r#;\n",
        "",
    ),
    ("tables", 10_000, "", "CREATE TABLE t# (a int); ALTER TABLE t# ADD b int NOT NULL;\n", ""),
    ("renames", 5_000, "CREATE TABLE a (a int);", "ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME TO a;\n", ""),
    ("views", 5_000, "CREATE TABLE t (a int);", "CREATE VIEW v# AS SELECT a FROM t; ALTER TABLE t ADD c# int;\n", ""),
    ("labels", 5_000, "CREATE TYPE e AS ENUM ('a');", "ALTER TYPE e ADD VALUE 'v#';\n", ""),
    (
        "partitions",
        5_000,
        "CREATE TABLE t (a int) PARTITION BY RANGE (a);",
        "CREATE TABLE p# PARTITION OF t FOR VALUES FROM (#) TO (#0);\n",
        "",
    ),
    ("search paths", 10_000, "", "SET search_path TO a, b;\n", ""),
    ("conditions", 1_200, "UPDATE t SET a = 1 WHERE a = 1", " AND c# = 1", ";"),
    ("alternatives", 1_200, "UPDATE t SET a = 1 WHERE a = 1", " OR c# = 1", ";"),
    ("assignments", 10_000, "UPDATE t SET a = 1", ", c# = 1", " WHERE a IS NULL;"),
    ("rows", 25_000, "INSERT INTO t VALUES (1, 'x')", ", (#, 'x')", ";"),
    ("values", 25_000, "DELETE FROM t WHERE a IN (1", ", #", ");"),
    ("copies without data", 12_500, "", "COPY t FROM stdin;\n", ""),
    ("copies with data", 12_500, "", "COPY t FROM stdin;\na\n\\.\n", ""),
    ("delimiters", 12_500, "", "DELIMITER //\nDELIMITER ;\n", ""),
    ("delimiters on one line", 25_000, "DELIMITER //\nx ", "delimiter ", ""),
    ("executed comments", 25_000, "", "/*!50000 SELECT 1 */;", ""),
    ("open placeholders", 50_000, "SELECT ", "${", ""),
    ("placeholders", 25_000, "SELECT 1", ",${ab}{{x}}", ""),
    ("blocks", 5_000, "", "DO $$ BEGIN DROP TABLE x; END $$;\n", ""),
    ("a long block", 5_000, "DO $$ BEGIN ", "ALTER TABLE t ADD COLUMN c# int;\n", "END $$;"),
    (
        "called functions",
        2_500,
        "",
        "CREATE FUNCTION f#() RETURNS void LANGUAGE sql AS $$ DROP TABLE x $$; SELECT f#();\n",
        "",
    ),
    (
        "a function called often",
        5_000,
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE x $$;",
        "SELECT f();\n",
        "",
    ),
    ("unions", 1_000, "SELECT 1", " UNION SELECT 1", ""),
    ("joins", 600, "SELECT 1 FROM t", " JOIN t ON a = b", ""),
    ("a name of many parts", 2_000, "SELECT a", ".a", ""),
    ("blank lines", 1_000_000, "", "\n", "SELECT 1"),
    ("a long word", 250_000, "SELECT ", "a", ""),
];

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let place = tempfile::tempdir().unwrap();
    println!("{:26} {:9} {:>8} {:>8} {:>8}   CPU ms", "", "", "n", "2n", "4n");
    for shape in SHAPES.iter().filter(|shape| wanted.as_ref().is_none_or(|wanted| shape.0 == wanted)) {
        for dialect in Dialect::ALL {
            let costs = [1, 2, 4].map(|times| cost(place.path(), &input(shape, times), dialect));
            let shown: Vec<_> = costs.iter().map(|cost| format!("{:8.0}", cost.as_secs_f64() * 1000.0)).collect();
            // Below that, the start of the process and the machine's other work are what is measured.
            let square = costs[2] > Duration::from_millis(200) && costs[2] > costs[1] * 3;
            let mark = if square { "  grows with the square" } else { "" };
            println!("{:26} {:9} {}{mark}", shape.0, dialect.name(), shown.join(" "));
        }
    }
}

fn input((_, count, front, repeated, behind): &Shape, times: usize) -> String {
    let mut text = (*front).to_string();
    for number in 0..count * times {
        text += &repeated.replace('#', &number.to_string());
    }
    text + behind
}

fn cost(place: &Path, text: &str, dialect: Dialect) -> Duration {
    let file = place.join("1.sql");
    fs::write(&file, text).unwrap();
    let before = cpu();
    let status = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["lint", "--format", "json", "--dialect", dialect.name()])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(matches!(status.unwrap().code(), Some(0 | 1)), "{dialect}: {}", &text[..60]);
    cpu() - before
}

/// What all children took so far.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap();
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}
