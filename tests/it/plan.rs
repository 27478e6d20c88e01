//! Change directories into plans: the steps, and above all what is refused.

mod command;
mod probes;
mod proof;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockkeeper::plan::settings::Settings;
use lockkeeper::plan::{Action, Phase, Plan, Verify, directory, recipes};
use lockkeeper::report;
use lockkeeper::sql::Dialect;

/// A change directory called `change` with these files in it; it lives as long as the first part.
fn change(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("change");
    fs::create_dir(&path).unwrap();
    for (name, text) in files {
        fs::write(path.join(name), text).unwrap();
    }
    (parent, path)
}

fn plan(dialect: Dialect, files: &[(&str, &str)]) -> Plan {
    let (_parent, path) = change(files);
    directory::read(&path, Some(dialect)).unwrap()
}

/// The error without the temporary directory's path, its causes and hints below it.
fn refused(dialect: Option<Dialect>, files: &[(&str, &str)]) -> String {
    let (_parent, path) = change(files);
    told(&directory::read(&path, dialect).unwrap_err(), &path)
}

fn told(error: &lockkeeper::error::Error, path: &Path) -> String {
    assert_eq!(error.exit_code(), 2);
    let lines = std::iter::once(&error.message).chain(&error.causes).chain(&error.hints);
    lines.map(|line| line.replace(&path.display().to_string(), "change")).collect::<Vec<_>>().join("\n")
}

const EXAMPLES: [(&str, Dialect); 3] = [
    ("rename-column-postgres", Dialect::Postgres),
    ("rename-column-mysql", Dialect::Mysql),
    ("rename-column-sqlite", Dialect::Sqlite),
];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-examples").join(name)
}

#[test]
fn every_example_prints_its_plan() {
    for (name, dialect) in EXAMPLES.into_iter().chain([("not-null-postgres", Dialect::Postgres)]) {
        let directory = example(name);
        let plan = directory::read(&directory, None).unwrap();
        assert_eq!(plan.dialect, dialect);
        assert_eq!(plan.unprobed(), Vec::<&lockkeeper::plan::Step>::new());
        assert_eq!(report::plan::text(&plan), fs::read_to_string(directory.join("plan.txt")).unwrap(), "{name}");
    }
}

#[test]
fn every_example_is_what_the_recipe_makes_of_its_history() {
    for (name, dialect) in EXAMPLES {
        let directory = example(name);
        let history = directory.join("history");
        let migrations = lockkeeper::history::layout::read(std::slice::from_ref(&history), dialect).unwrap();
        let written = recipes::rewrite(&history.join("0002_rename_status.sql"), &migrations, None, &directory).unwrap();
        assert_eq!(written.notes, Vec::<String>::new());
        for (file, text) in &written.draft.files {
            assert_eq!(*text, fs::read_to_string(directory.join(file)).unwrap(), "{name}/{file}");
        }
        // The plan of the texts is the plan of the files.
        assert_eq!(written.plan, directory::read(&directory, Some(dialect)).unwrap());
    }
}

#[test]
fn json_says_what_the_text_says() {
    let plan = directory::read(&example("rename-column-mysql"), None).unwrap();
    let json: serde_json::Value = serde_json::from_str(&report::plan::json(&plan)).unwrap();
    assert_eq!(json["dialect"], "mysql");
    assert_eq!(json["digest"], plan.digest.as_str());
    let phases = json["phases"].as_array().unwrap();
    assert_eq!(phases[2]["gates"], serde_json::json!(["approval", "db_sessions"]));
    let steps: Vec<&serde_json::Value> = phases.iter().flat_map(|phase| phase["steps"].as_array().unwrap()).collect();
    assert_eq!(steps.len(), plan.steps.len());
    for (json, step) in steps.iter().zip(&plan.steps) {
        assert_eq!((&json["id"], &json["sql"]), (&step.id.clone().into(), &step.sql.clone().into()));
    }
    assert_eq!(steps[0]["expect"], serde_json::json!(["column orders.new_status exists"]));
}

#[test]
fn a_backfill_proves_itself_and_contract_proves_it_again() {
    let plan = plan(
        Dialect::Postgres,
        &[
            ("expand.sql", "ALTER TABLE t ADD COLUMN a int, ADD COLUMN \"B\" text;"),
            (
                "backfill.sql",
                "-- why\nUPDATE t SET a = x + 1, \"B\" = lower(y) WHERE a IS NULL AND x > 0 AND (y = 'k' OR z);\n\
                 CREATE INDEX CONCURRENTLY i ON t (a);",
            ),
            ("contract.sql", "ALTER TABLE t DROP COLUMN x;"),
        ],
    );
    let ids: Vec<(&str, Phase)> = plan.steps.iter().map(|step| (step.id.as_str(), step.phase)).collect();
    assert_eq!(
        ids,
        [
            ("expand.1", Phase::Expand),
            ("backfill.1", Phase::Backfill),
            ("backfill.2", Phase::Backfill),
            ("backfill.3", Phase::Backfill),
            ("contract.1", Phase::Contract),
            ("contract.2", Phase::Contract),
        ]
    );
    let Action::Backfill(backfill) = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
    assert!(backfill.batch("RANGE").contains(" WHERE RANGE AND ("), "{}", backfill.batch("RANGE"));
    assert_eq!((plan.steps[1].file.as_str(), plan.steps[1].line), ("backfill.sql", 2));
    // The guard says which rows are done, not which are meant: it does not stand in the proof.
    let condition =
        "(a IS DISTINCT FROM (x + 1) OR \"B\" IS DISTINCT FROM (lower(y))) AND (x > 0) AND ((y = 'k' OR z))";
    for step in [&plan.steps[3], &plan.steps[4]] {
        let Action::Verify(Verify::Derived { condition: derived, .. }) = &step.action else { panic!("{step:?}") };
        assert_eq!(derived, condition);
        assert_eq!(step.sql, format!("SELECT * FROM t WHERE {condition}"));
    }
    assert_ne!(plan.steps[3].digest, plan.steps[4].digest);
}

#[test]
fn queries_of_verify_sql_stand_in_for_the_derived_proof() {
    let plan = plan(
        Dialect::Sqlite,
        &[
            ("expand.sql", "ALTER TABLE t ADD COLUMN a int;"),
            ("backfill.sql", "UPDATE t SET a = 1;"),
            ("verify.sql", "SELECT 1 FROM t WHERE a <> 1;\nWITH x AS (SELECT 1) SELECT * FROM x WHERE 0;"),
        ],
    );
    let verify: Vec<(&str, usize)> =
        plan.steps.iter().filter(|s| s.action == Action::Verify(Verify::Query)).map(|s| (&*s.id, s.line)).collect();
    // Without contract.sql there is no contract phase, and nothing to prove in front of it.
    assert_eq!(verify, [("backfill.2", 1), ("backfill.3", 2)]);
}

#[test]
fn the_digest_covers_every_file_and_nothing_else() {
    let files = [("expand.sql", "ALTER TABLE t ADD COLUMN a int;"), ("revert.sql", "ALTER TABLE t DROP COLUMN a;")];
    let first = plan(Dialect::Postgres, &files);
    assert_eq!(first, plan(Dialect::Postgres, &[files[0], files[1], ("README.md", "why")]));
    assert_eq!(first.digest.len(), 64);
    let names: Vec<&str> = first.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["expand.sql", "revert.sql"]);
    for other in [
        vec![files[0]],
        vec![("expand.sql", "ALTER TABLE t ADD COLUMN a int; "), files[1]],
        vec![files[0], files[1], ("change.toml", "")],
        vec![files[0], ("revert.sql", "ALTER TABLE t DROP COLUMN a")],
    ] {
        assert_ne!(first.digest, plan(Dialect::Postgres, &other).digest, "{other:?}");
    }
}

#[test]
fn what_cannot_be_carried_out_is_refused_with_its_place() {
    let expand = ("expand.sql", "ALTER TABLE t ADD COLUMN a int;");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "no expand.sql in change"),
        (&[("contract.sql", "DROP TABLE t")], "no expand.sql in change"),
        (&[("expand.sql", "")], "change/expand.sql holds no statement"),
        (&[("expand.sql", "-- nothing yet\n;")], "change/expand.sql holds no statement"),
        (&[expand, ("verify.sql", "-- later")], "change/verify.sql holds no statement"),
        (
            &[expand, ("backfil.sql", "")],
            "change/backfil.sql is no file of a phased change\ndid you mean `backfill.sql`?",
        ),
        (&[("expand.sql", "SELECT 1;\nALTER TABEL t;")], "change/expand.sql:2: cannot read this statement"),
        (&[expand, ("revert.sql", "ALTER TABEL t;")], "change/revert.sql:1: cannot read this statement"),
        (&[("expand.sql", "BEGIN; SELECT 1; COMMIT;")], "change/expand.sql:1: the runner makes the transactions"),
        (&[("expand.sql", "SELECT 1;\n\nROLLBACK;")], "change/expand.sql:3: the runner makes the transactions"),
        (
            &[("expand.sql", "DO $$ begin end $$;")],
            "change/expand.sql:1: what this DO does is decided only when it runs",
        ),
        (&[expand, ("contract.sql", "BEGIN;\nDROP TABLE t;")], "change/contract.sql:1: this BEGIN has no COMMIT"),
        (&[expand, ("contract.sql", "DROP TABLE t;\nCOMMIT;")], "change/contract.sql:2: this COMMIT has no BEGIN"),
        (&[expand, ("contract.sql", "BEGIN;\nCOMMIT;")], "change/contract.sql:1: this transaction is empty"),
        (&[expand, ("contract.sql", "BEGIN;\nBEGIN;")], "change/contract.sql:2: a transaction has begun already"),
        (
            &[expand, ("contract.sql", "BEGIN;\nDROP INDEX CONCURRENTLY i;\nCOMMIT;")],
            "change/contract.sql:2: this statement cannot run inside a transaction",
        ),
        (&[("expand.sql", "SAVEPOINT a;")], "change/expand.sql:1: the runner makes the transactions"),
        (&[("expand.sql", "\\set x 1\nSELECT 1;")], "change/expand.sql:1: \\SET speaks to psql, not to the server"),
        (
            &[("expand.sql", "COPY t FROM stdin;\n1\n\\.\n")],
            "change/expand.sql:1: COPY speaks to psql, not to the server",
        ),
        (&[("expand.sql", "TRUNCATE t;")], "change/expand.sql:1: this belongs in contract.sql"),
        (&[("expand.sql", "DROP SCHEMA s;")], "change/expand.sql:1: this belongs in contract.sql"),
        (&[("expand.sql", "DROP VIEW v;")], "change/expand.sql:1: this belongs in contract.sql"),
        (&[("expand.sql", "SET lock_timeout = '1s';")], "change/expand.sql:1: SET speaks to one session only"),
        (&[("expand.sql", "\n UPDATE t SET a = 1;")], "change/expand.sql:2: an UPDATE belongs in backfill.sql"),
        (&[("expand.sql", "DELETE FROM t;")], "change/expand.sql:1: this belongs in contract.sql"),
        (
            &[("expand.sql", "ALTER TABLE t ADD COLUMN b int, DROP COLUMN a;")],
            "change/expand.sql:1: this belongs in contract",
        ),
        (&[("expand.sql", "ALTER TABLE t RENAME TO u;")], "change/expand.sql:1: this belongs in contract"),
        (
            &[expand, ("backfill.sql", "DELETE FROM t;")],
            "change/backfill.sql:1: a DELETE of all rows belongs in contract.sql",
        ),
        (
            &[expand, ("backfill.sql", "UPDATE t SET a = 1 WHERE CURRENT OF c;")],
            "change/backfill.sql:1: this UPDATE cannot be cut",
        ),
        (&[expand, ("backfill.sql", "UPDATE t SET a = DEFAULT;")], "change/backfill.sql:1: DEFAULT cannot be compared"),
        (
            &[
                (
                    "expand.sql",
                    "ALTER TABLE t ADD COLUMN a int;\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;",
                ),
                ("backfill.sql", "UPDATE t SET a = b;"),
            ],
            "change/expand.sql:2: this demands something of `a` before backfill.sql has filled it",
        ),
        (
            &[expand, ("backfill.sql", "ALTER TABLE t ALTER a SET NOT NULL;\nUPDATE t SET a = b;")],
            "change/backfill.sql:2: this fills after line 1 has begun to enforce",
        ),
        (
            &[expand, ("backfill.sql", "UPDATE t SET a = b;\nUPDATE t SET a = c WHERE a IS NULL;")],
            "change/backfill.sql:2: `a` is filled a second time, after line 1",
        ),
        (&[expand, ("verify.sql", "UPDATE t SET a = 1;")], "change/verify.sql:1: verify.sql holds queries"),
        (
            &[expand, ("change.toml", "dialect = \"mysql\"")],
            "change/change.toml is written for mysql, but postgres was asked for",
        ),
    ];
    for (files, expected) in cases {
        let error = refused(Some(Dialect::Postgres), files);
        assert!(error.starts_with(expected), "{files:?}\nexpected {expected}\n     got {error}");
    }
    let error = refused(None, &[expand]);
    assert!(error.starts_with("the dialect of change is not known\nsay `dialect = \"postgres\"`"), "{error}");
    let error = refused(Some(Dialect::Mysql), &[expand, ("backfill.sql", "UPDATE t SET a = 1 ORDER BY b LIMIT 5;")]);
    assert!(error.starts_with("change/backfill.sql:1: this UPDATE cannot be cut"), "{error}");
}

/// A backfill whose proof failed runs again: what it writes may not depend on what it wrote.
#[test]
fn an_update_that_may_not_be_done_twice_is_refused() {
    let check = |dialect, update: &str, verify: &str, expected: Option<&str>| {
        let mut files = vec![("expand.sql", "ALTER TABLE t ADD COLUMN x int;"), ("backfill.sql", update)];
        if !verify.is_empty() {
            files.push(("verify.sql", verify));
        }
        let (_parent, path) = change(&files);
        match (directory::read(&path, Some(dialect)), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => assert!(error.message.contains(expected), "{update}: {}", error.message),
            (Ok(_), Some(_)) => panic!("{update} is not refused"),
            (Err(error), None) => panic!("{update} is refused: {}", error.message),
        }
    };
    for (update, expected) in [
        ("UPDATE t SET a = a * 100", Some("`a` is made from `a`")),
        ("UPDATE t SET a = t.a + 1 WHERE b", Some("`a` is made from `a`")),
        ("UPDATE t SET \"A b\" = \"A b\" || 'x'", Some("made from `A b`")),
        ("UPDATE t SET a = b, b = c", Some("`a` is made from `b`")),
        ("UPDATE t SET x = a;\nUPDATE t SET a = x || '!'", Some("`x` is made from `a`")),
        ("UPDATE t SET a = coalesce(a * 2, 0)", Some("`a` is made from `a`")),
        ("UPDATE t SET a = (SELECT max(a) + 1 FROM t)", Some("`a` is made from `a`")),
        ("UPDATE t SET a = (SELECT sum(u.b) + t.a FROM u)", Some("`a` is made from `a`")),
        ("UPDATE t SET a = coalesce(a, b)", None),
        ("UPDATE t SET email = lower(trim(email))", None),
        ("UPDATE t SET a = b;\nUPDATE t SET c = a", None),
        ("UPDATE t SET a = (SELECT sum(a) FROM u WHERE u.t = t.id)", None),
        ("UPDATE t SET a = a(b)", None),
        ("UPDATE t SET a = 'a' WHERE a = 'b'", None),
        ("UPDATE t SET a = now()", Some("`a` is made from `now`")),
        ("UPDATE t SET a = gen_random_uuid() WHERE a IS NULL", Some("`a` is made from `gen_random_uuid`")),
        ("UPDATE t SET a = CURRENT_TIMESTAMP", Some("`a` is made from `CURRENT_TIMESTAMP`")),
    ] {
        check(Dialect::Postgres, update, "", expected);
    }
    check(Dialect::Postgres, "UPDATE t SET date = created::date", "", None);
    check(Dialect::Sqlite, "UPDATE t SET a = datetime('now')", "", Some("`a` is made from `'now'`"));
    check(Dialect::Mysql, "UPDATE t SET `a` = `a` + 1", "", Some("`a` is made from `a`"));
    let missing = "SELECT 1 FROM t WHERE a IS NULL";
    check(Dialect::Postgres, "UPDATE t SET a = gen_random_uuid() WHERE a IS NULL", missing, None);
    check(
        Dialect::Postgres,
        "UPDATE t SET a = random() WHERE a IS NULL OR b",
        missing,
        Some("another value every time"),
    );
    check(Dialect::Postgres, "UPDATE t SET a = gen_random_uuid()", missing, Some("another value every time"));
    check(Dialect::Postgres, "UPDATE t SET a = a + 1 WHERE x IS NULL", missing, Some("a second run"));
}

#[test]
fn a_path_that_is_no_readable_directory_is_refused() {
    let (_parent, path) = change(&[("expand.sql", "SELECT 1;")]);
    let read = |path: &Path| told(&directory::read(path, Some(Dialect::Sqlite)).unwrap_err(), path);
    assert!(read(&path.join("none")).starts_with("cannot read change"));
    assert!(read(&path.join("expand.sql")).starts_with("cannot read change"));
    fs::write(path.join("expand.sql"), b"SELECT '\xff';").unwrap();
    let error = told(&directory::read(&path, Some(Dialect::Sqlite)).unwrap_err(), &path);
    assert_eq!(error, "change/expand.sql is not UTF-8: the byte at offset 8 is none");
}

#[test]
fn change_toml_is_read_whole() {
    let settings = Settings::read(
        r#"
        dialect = "mariadb"
        strategy = "blue-green"
        [versions]
        old = "v1"
        new = "v2"
        [backfill]
        batch-rows = 200
        batch-time = "2s"
        [[consumers]]
        name = "order-service"
        application-name = "order-service/{version}"
        user = "app_{version}"
        [consumers.kubernetes]
        namespace = "shop"
        selector = "app=order-service"
        [[consumers]]
        name = "metabase"
        user = "metabase"
        "#,
        "change.toml",
    )
    .unwrap();
    assert_eq!(settings.dialect, Some(Dialect::Mysql));
    assert_eq!(settings.strategy.name(), "blue-green");
    assert_eq!((settings.batch_rows, settings.batch_time), (200, Duration::from_secs(2)));
    assert_eq!(settings.new_version.as_deref(), Some("v2"));
    let kubernetes = settings.consumers[0].kubernetes.as_ref().unwrap();
    assert_eq!(kubernetes.version_label, "app.kubernetes.io/version");
    assert_eq!(settings.consumers[1].user.as_deref(), Some("metabase"));
    assert_eq!(Settings::read("", "change.toml").unwrap(), Settings::default());
}

#[test]
fn what_change_toml_cannot_mean_is_refused() {
    let consumer = |rest: &str| format!("[versions]\nnew = \"v2\"\n[[consumers]]\nname = \"a\"\n{rest}");
    let cases: &[(String, &str)] = &[
        (
            "dialect = \"postgres\"\n[backfill]\nbatch-row = 5".into(),
            "c.toml:3: no setting `batch-row`: did you mean `batch-rows`?",
        ),
        (
            "colour = 1".into(),
            "c.toml:1: no setting `colour`: the settings here are dialect, strategy, sync, depends-on, versions, backfill, proof, ddl, consumers",
        ),
        ("dialect = \"postgre\"".into(), "c.toml: no dialect `postgre`: did you mean `postgres`?"),
        ("strategy = \"rollin\"".into(), "c.toml: no strategy `rollin`: did you mean `rolling`?"),
        ("\ndialect = 5".into(), "c.toml:2: invalid type: integer `5`, expected a string"),
        ("dialect = ".into(), "c.toml:1: "),
        ("[backfill]\nbatch-time = \"100\"".into(), "c.toml: `backfill.batch-time = \"100\"` is no duration"),
        ("[backfill]\nbatch-time = \"0ms\"".into(), "c.toml: `backfill.batch-time = \"0ms\"` is no duration"),
        ("[backfill]\nbatch-time = \"1h\"".into(), "c.toml: `backfill.batch-time = \"1h\"` is no duration"),
        ("[proof]\nlock-time = \"1h\"".into(), "c.toml: `proof.lock-time = \"1h\"` is no duration"),
        ("[backfill]\nbatch-rows = 0".into(), "c.toml: `backfill.batch-rows` has to be 1 to 100000"),
        ("[backfill]\nbatch-rows = 100001".into(), "c.toml: `backfill.batch-rows` has to be 1 to 100000"),
        ("[backfill]\nbatch-rows = -1".into(), "c.toml:2: invalid value: integer `-1`"),
        ("[versions]\nnew = \"\"".into(), "c.toml: `versions.new` is empty"),
        ("[versions]\nold = \"v\"\nnew = \"v\"".into(), "c.toml: `versions.old` and `versions.new` are the same"),
        ("[[consumers]]\nuser = \"a\"".into(), "c.toml:1: missing field `name`"),
        (consumer(""), "c.toml: consumer `a` says nothing by which to recognise it"),
        (consumer("user = \"a\"\n[[consumers]]\nname = \"a\"\nuser = \"b\""), "c.toml: two consumers are called `a`"),
        (
            consumer("user = \"app_{verison}\""),
            "c.toml: consumer `a`: `user = \"app_{verison}\"` may hold `{version}` once",
        ),
        (consumer("user = \"{version}{version}\""), "c.toml: consumer `a`: `user ="),
        (consumer("user = \"\""), "c.toml: consumer `a`: `user = \"\"` may hold"),
        (
            "[[consumers]]\nname = \"a\"\nuser = \"a_{version}\"".into(),
            "c.toml: consumer `a` is told apart by version, but `versions.new` is not set",
        ),
        (
            "[[consumers]]\nname = \"a\"\n[consumers.kubernetes]\nnamespace = \"n\"\nselector = \"app=a\"".into(),
            "c.toml: consumer `a` is told apart by version, but `versions.new` is not set",
        ),
        (consumer("[consumers.kubernetes]\nnamespace = \"n\""), "c.toml:5: missing field `selector`"),
        (
            consumer("[consumers.kubernetes]\nnamespace = \"n\"\nselector = \"\""),
            "c.toml: consumer `a`: `namespace`, `selector`",
        ),
        (
            consumer("[consumers.kubernetes]\nnamespace = \"n\"\nselecter = \"\""),
            "c.toml:7: no setting `selecter`: did you mean `selector`?",
        ),
    ];
    for (text, expected) in cases {
        let error = Settings::read(text, "c.toml").unwrap_err();
        let error = std::iter::once(error.message).chain(error.hints).collect::<Vec<_>>().join(": ");
        assert!(error.starts_with(expected), "{text}\nexpected {expected}\n     got {error}");
    }
}
