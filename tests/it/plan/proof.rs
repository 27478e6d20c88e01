//! Where a plan proves, and what.

use lockkeeper::plan::{Action, Verify};
use lockkeeper::sql::Dialect;

use super::{plan, refused};

/// Shape, sync, fill, prove, enforce: whatever order the statements below the UPDATE stand in.
#[test]
fn what_enforces_comes_after_the_proof() {
    let plan = plan(
        Dialect::Postgres,
        &[
            (
                "expand.sql",
                "ALTER TABLE t ADD COLUMN a int; CREATE TABLE u (id int, b int); CREATE UNIQUE INDEX ub ON u (b);",
            ),
            (
                "backfill.sql",
                "UPDATE t SET a = x WHERE a IS NULL; CREATE INDEX CONCURRENTLY i ON t (a);\n\
                 INSERT INTO journal VALUES (1);\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n\
                 ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN y SET NOT NULL;",
            ),
            (
                "contract.sql",
                "ALTER TABLE t ADD UNIQUE (a); DROP INDEX j; DROP TRIGGER s ON t; ALTER TABLE t DROP COLUMN x;",
            ),
        ],
    );
    let steps: Vec<String> = plan.steps.iter().map(|step| format!("{} {}", step.id, &step.sql[..10])).collect();
    assert_eq!(
        steps[3..],
        [
            "backfill.1 UPDATE t S",
            "backfill.2 CREATE IND",
            "backfill.3 INSERT INT",
            "backfill.4 SELECT * F",
            "backfill.5 ALTER TABL",
            "backfill.6 ALTER TABL",
            "backfill.7 ALTER TABL",
            "contract.1 SELECT * F",
            "contract.2 ALTER TABL",
            "contract.3 DROP INDEX",
            "contract.4 DROP TRIGG",
            "contract.5 ALTER TABL"
        ]
    );
    let recheck: Vec<_> =
        plan.steps.iter().filter_map(|step| Some((&*step.id, step.recheck.as_ref()?.len()))).collect();
    assert_eq!(recheck, [("contract.4", 1)], "where the first thing goes that keeps the rows");
}

/// Beside a constant there is no old value: IS NULL says which rows are meant.
#[test]
fn a_constant_is_proved_by_the_condition() {
    for (sql, condition) in [
        ("UPDATE t SET a = 'x' WHERE a IS NULL", "(a IS DISTINCT FROM ('x')) AND (a IS NULL)"),
        ("UPDATE t SET a = -1 WHERE a IS NULL AND b > 0", "(a IS DISTINCT FROM (-1)) AND (a IS NULL) AND (b > 0)"),
        ("UPDATE t SET a = b WHERE a IS NULL", "a IS DISTINCT FROM (b)"),
        ("UPDATE t SET a = 'x'", "a IS DISTINCT FROM ('x')"),
    ] {
        let plan = plan(Dialect::Postgres, &[("expand.sql", "ALTER TABLE t ADD COLUMN a int;"), ("backfill.sql", sql)]);
        let Action::Verify(Verify::Derived { condition: derived, .. }) = &plan.steps[2].action else { panic!("{sql}") };
        assert_eq!(derived, condition, "{sql}");
    }
}

#[test]
fn nothing_that_a_trigger_keeps_is_dropped_unfilled() {
    let expand =
        "ALTER TABLE t ADD COLUMN b int; CREATE TRIGGER s BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();";
    let (expand, contract) = (("expand.sql", expand), ("contract.sql", "ALTER TABLE t DROP COLUMN a"));
    let said = refused(Some(Dialect::Postgres), &[expand, contract]);
    assert_eq!(
        said,
        "change/contract.sql:1: this takes away what a trigger of expand.sql on `t` keeps, and the rows from before it \
         are neither filled nor proved\n\
         fill them in backfill.sql, or let verify.sql ask for rows that are not as they should be"
    );
    plan(Dialect::Postgres, &[expand, contract, ("verify.sql", "SELECT 1 FROM t WHERE b IS NULL")]);
}
