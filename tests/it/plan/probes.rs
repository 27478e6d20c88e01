//! The probe of every statement, by engine.

use lockkeeper::plan::{Plan, Probe};
use lockkeeper::report;
use lockkeeper::sql::Dialect;

use super::plan;

fn probes(plan: &Plan) -> Vec<String> {
    let shown = |probe: &Probe| match probe {
        Probe::Ledger => "ledger".to_string(),
        Probe::Schema(expected) => expected.iter().map(report::plan::expectation).collect::<Vec<_>>().join(", "),
        Probe::Rebuilt { index, name } => format!("{} {name} rebuilt", if *index { "index" } else { "table" }),
        Probe::Repeat => "repeat".to_string(),
        Probe::None => "none".to_string(),
    };
    plan.steps.iter().map(|step| shown(&step.probe)).collect()
}

#[test]
fn every_statement_has_the_probe_that_its_engine_allows() {
    let cases: &[(Dialect, &str, &[&str])] = &[
        (Dialect::Postgres, "CREATE TABLE t (a int); CREATE INDEX i ON t (a)", &["ledger", "ledger"]),
        (Dialect::Postgres, "CREATE INDEX CONCURRENTLY i ON s.t (a)", &["index s.i on s.t exists and is valid"]),
        // IF NOT EXISTS would pass over the invalid index that a broken build leaves behind.
        (
            Dialect::Postgres,
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            &["index i on t exists and is valid"],
        ),
        (Dialect::Postgres, "CREATE INDEX CONCURRENTLY ON t (a)", &["none"]),
        (Dialect::Postgres, "DROP INDEX CONCURRENTLY i", &["index i is gone"]),
        (Dialect::Postgres, "VACUUM t", &["repeat"]),
        (Dialect::Postgres, "REINDEX TABLE CONCURRENTLY t", &["table t rebuilt"]),
        (Dialect::Postgres, "REINDEX INDEX CONCURRENTLY s.i", &["index s.i rebuilt"]),
        (Dialect::Postgres, "REINDEX SCHEMA CONCURRENTLY s", &["none"]),
        (Dialect::Postgres, "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", &["partition p of t is out"]),
        (Dialect::Postgres, "INSERT INTO t VALUES (1)", &["ledger"]),
        (Dialect::Sqlite, "ALTER TABLE t ADD COLUMN a int", &["ledger"]),
        (Dialect::Sqlite, "VACUUM", &["repeat"]),
        (Dialect::Mysql, "INSERT INTO t VALUES (1)", &["ledger"]),
        (Dialect::Mysql, "CREATE TABLE t (a int)", &["table t exists"]),
        (Dialect::Mysql, "CREATE TABLE IF NOT EXISTS t (a int)", &["repeat"]),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD COLUMN a int, ADD INDEX i (a)",
            &["column t.a exists, index i on t exists and is valid"],
        ),
        (Dialect::Mysql, "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", &["repeat"]),
        // A NOT NULL that stood there before would look as if the new type had come with it.
        (Dialect::Mysql, "ALTER TABLE t MODIFY a bigint NOT NULL", &["repeat"]),
        (Dialect::Mysql, "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", &["repeat"]),
        (Dialect::Mysql, "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", &["trigger x on t exists"]),
        (Dialect::Mysql, "CREATE OR REPLACE VIEW v AS SELECT 1", &["repeat"]),
        (Dialect::Mysql, "CREATE VIEW v AS SELECT 1", &["view v exists"]),
        (Dialect::Mysql, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", &["constraint c on t exists"]),
        (Dialect::Mysql, "ALTER TABLE t ADD CHECK (a > 0)", &["none"]),
        (Dialect::Mysql, "ANALYZE TABLE t", &["repeat"]),
        (Dialect::Mysql, "ALTER TABLE t ENGINE=InnoDB", &["repeat"]),
        (Dialect::Mysql, "ALTER TABLE t REMOVE PARTITIONING", &["none"]),
        (Dialect::Mysql, "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)", &["constraint PRIMARY on t exists"]),
        (Dialect::Mysql, "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)", &["repeat"]),
        (
            Dialect::Mysql,
            "ALTER TABLE t RENAME INDEX i TO j",
            &["index j on t exists and is valid, index i on t is gone"],
        ),
    ];
    for (dialect, sql, expected) in cases {
        let plan = plan(*dialect, &[("expand.sql", sql)]);
        assert_eq!(probes(&plan), *expected, "{dialect}: {sql}");
        assert_eq!(plan.unprobed().len(), expected.iter().filter(|probe| **probe == "none").count());
    }
    // What is there before and after tells nothing.
    let anew: [(&str, &[&str]); 2] = [
        ("RENAME TABLE t TO old, new TO t", &["table old exists, table new is gone"]),
        ("ALTER TABLE t DROP COLUMN a, ADD COLUMN a int", &["none"]),
    ];
    for (sql, expected) in anew {
        let plan = plan(Dialect::Mysql, &[("expand.sql", "CREATE TABLE x (a int)"), ("contract.sql", sql)]);
        assert_eq!(probes(&plan)[1..], *expected, "{sql}");
    }
    let plan = plan(
        Dialect::Mysql,
        &[
            ("expand.sql", "CREATE TABLE x (a int)"),
            (
                "contract.sql",
                "ALTER TABLE t RENAME COLUMN a TO b; RENAME TABLE t TO u, v TO w; DROP TABLE IF EXISTS t; DROP TABLE u",
            ),
        ],
    );
    assert_eq!(
        probes(&plan)[1..],
        [
            "column t.b exists, column t.a is gone",
            "table u exists, table t is gone, table w exists, table v is gone",
            "repeat",
            "table u is gone"
        ]
    );
}
