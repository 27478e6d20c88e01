//! What `lint --format` prints for other programs: by their own rules, and never silent about what was not judged.

use serde_json::Value;

use crate::cli::run;

/// A file with a finding of each severity in a path and a text that want escaping, and what is not judged: a statement
/// that cannot be read, one that no rule looks at, and a file that is no text.
const FILES: &[(&str, &str)] = &[
    (
        "db/1,a: 100%.sql",
        "-- größe\nDROP TABLE \"a%0A<&>\u{1}\";\nCREATE INDEX CONCURRENTLY IF NOT EXISTS \"ü\" ON orders (a,\n  b);\n\
         ALTER TABLE orders REPLICA IDENTITY FULL;\nSELEC 1;\n",
    ),
    ("db/2.sql", "CREATE TABLE t (id bigint PRIMARY KEY);\n"),
    ("db/3.sql", "\0\0\0\0"),
    ("lockkeeper.toml", "[lint.rules]\nunreadable-statement = \"note\"\nindex-may-stay-invalid = \"warn\"\n"),
];

fn printed(format: &str) -> (String, String) {
    let output = run(FILES, &["lint", "--dialect", "postgres", "db", "--format", format]);
    let (code, rest) = output.split_once("\n----- stdout -----\n").unwrap();
    (code.to_string(), rest.split_once("----- stderr -----").unwrap().0.to_string())
}

#[test]
fn sarif_is_what_its_schema_says() {
    let (code, text) = printed("sarif");
    assert_eq!(code, "exit code: 2");
    let log: Value = serde_json::from_str(&text).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sarif-2.1.0.schema.json");
    // The committee's schema has a bracket too many in a pattern for languages.
    let schema = std::fs::read_to_string(schema).unwrap().replace("{2}]?$", "{2}$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, [""; 0]);
    let run = &log["runs"][0];
    let mut shown = String::new();
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        shown += &format!(
            "{} {} {} {} {}\n",
            result["level"],
            result["ruleId"],
            place["artifactLocation"]["uri"],
            place["region"],
            result["partialFingerprints"]
        );
    }
    for notification in run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap() {
        shown += &format!("{} {}\n", notification["level"], notification["message"]["text"]);
    }
    shown += &format!("executionSuccessful: {}", run["invocations"][0]["executionSuccessful"]);
    insta::assert_snapshot!(shown, @r#"
    "error" "drop-table" "db/1%2Ca%3A%20100%25.sql" {"byteLength":21,"byteOffset":11,"endColumn":22,"endLine":2,"startColumn":1,"startLine":2} {"lockkeeper/v1":"53ee77cdfedb1165"}
    "warning" "index-may-stay-invalid" "db/1%2Ca%3A%20100%25.sql" {"byteLength":63,"byteOffset":34,"endColumn":5,"endLine":4,"startColumn":1,"startLine":3} {"lockkeeper/v1":"804ab26a087f054f"}
    "note" "unreadable-statement" "db/1%2Ca%3A%20100%25.sql" {"byteLength":5,"byteOffset":141,"endColumn":6,"endLine":6,"startColumn":1,"startLine":6} {"lockkeeper/v1":"ef0ff55ff3e9813a"}
    "error" "`db/3.sql` is in UTF-16"
    "note" "1 statement could not be read"
    "note" "no rule looks at 1 statement (ALTER TABLE REPLICA IDENTITY FULL)"
    "note" "`db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction"
    "note" "3 findings (1 deny, 1 warn, 1 note) in 2 files, 5 statements; not judged: 1 statement (ALTER TABLE REPLICA IDENTITY FULL); 1 statement could not be read; 1 file could not be read"
    executionSuccessful: false
    "#);
    assert!(run["tool"]["driver"]["rules"][0]["help"]["markdown"].as_str().unwrap().contains("## Why"));
}

#[test]
fn github_shows_findings_by_commands_of_a_line() {
    let (code, text) = printed("github");
    assert_eq!(code, "exit code: 2");
    insta::assert_snapshot!(text, @r#"
    ::error file=db/1%2Ca%3A 100%25.sql,line=2,endLine=2,col=1,endColumn=22,title=drop-table::`a%250A<&>` is dropped: every query of the running version that names it fails, and its rows are gone%0Ahelp: release a version that does not use it, then drop it in a contract phase, when no process of the old one is left%0Alock: ACCESS EXCLUSIVE on `a%250A<&>`: blocks reads and writes only for a moment, but whoever comes after it queues behind it%0Abreaks: the old version, while the new one is rolled out and after a rollback%0Aallowed when: contract, when no process of a version that names the table is live or wanted
    ::warning file=db/1%2Ca%3A 100%25.sql,line=3,endLine=4,title=index-may-stay-invalid::IF NOT EXISTS keeps an index `ü` that a broken build has left invalid: the statement succeeds, and no query uses the index%0Ahelp: `DROP INDEX CONCURRENTLY IF EXISTS "ü"` in front of it, in a statement of its own%0Alock: SHARE UPDATE EXCLUSIVE on `orders`: blocks neither reads nor writes; waits for every open transaction that has written to the table, and for long queries on any other%0Aallowed when: any phase, without a timeout and behind a DROP INDEX CONCURRENTLY IF EXISTS
    ::notice file=db/1%2Ca%3A 100%25.sql,line=6,endLine=6,col=1,endColumn=6,title=unreadable-statement::this statement could not be read: no statement of PostgreSQL begins like this%0Ahelp: no rule has looked at it; read it yourself, and if it is right say so: `-- lockkeeper: allow unreadable-statement: <reason>`
    ::error title=not judged::`db/3.sql` is in UTF-16
    ::notice title=lockkeeper::3 findings (1 deny, 1 warn, 1 note) in 2 files, 5 statements; not judged: 1 statement (ALTER TABLE REPLICA IDENTITY FULL); 1 statement could not be read; 1 file could not be read%0Anote: `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    "#);
}

#[test]
fn gitlab_reads_a_list_with_fingerprints() {
    let (code, text) = printed("gitlab");
    assert_eq!(code, "exit code: 2");
    let issues: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut shown = String::new();
    let mut fingerprints = std::collections::BTreeSet::new();
    for issue in &issues {
        assert!(fingerprints.insert(issue["fingerprint"].as_str().unwrap()), "{issue}");
        let description = issue["description"].as_str().unwrap().lines().next().unwrap();
        shown += &format!("{} {} {} {description}\n", issue["severity"], issue["check_name"], issue["location"]);
    }
    insta::assert_snapshot!(shown, @r#"
    "critical" "drop-table" {"lines":{"begin":2,"end":2},"path":"db/1,a: 100%.sql"} `a%0A<&>` is dropped: every query of the running version that names it fails, and its rows are gone
    "minor" "index-may-stay-invalid" {"lines":{"begin":3,"end":4},"path":"db/1,a: 100%.sql"} IF NOT EXISTS keeps an index `ü` that a broken build has left invalid: the statement succeeds, and no query uses the index
    "info" "unreadable-statement" {"lines":{"begin":6,"end":6},"path":"db/1,a: 100%.sql"} this statement could not be read: no statement of PostgreSQL begins like this
    "blocker" "not-judged" {"lines":{"begin":1,"end":1},"path":"db/1,a: 100%.sql"} `db/3.sql` is in UTF-16
    "info" "not-judged" {"lines":{"begin":1,"end":1},"path":"db/1,a: 100%.sql"} 1 statement could not be read
    "info" "not-judged" {"lines":{"begin":1,"end":1},"path":"db/1,a: 100%.sql"} no rule looks at 1 statement (ALTER TABLE REPLICA IDENTITY FULL)
    "info" "not-judged" {"lines":{"begin":1,"end":1},"path":"db/1,a: 100%.sql"} `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    "#);
}

#[test]
fn junit_is_xml_with_a_test_for_each_finding() {
    let (code, text) = printed("junit");
    assert_eq!(code, "exit code: 2");
    let document = roxmltree::Document::parse(&text).unwrap();
    let mut shown = String::new();
    for node in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let suite = node.parent().unwrap().attribute("name").unwrap();
        let status = node.children().find(roxmltree::Node::is_element);
        shown += &format!(
            "{suite} | {} | {} | {}\n",
            node.attribute("name").unwrap(),
            status.map_or("passed", |status| status.tag_name().name()),
            status.and_then(|status| status.attribute("message")).unwrap_or_default()
        );
    }
    insta::assert_snapshot!(shown, @r#"
    db/1,a: 100%.sql | drop-table (2:1) | failure | `a%0A<&>` is dropped: every query of the running version that names it fails, and its rows are gone
    db/1,a: 100%.sql | index-may-stay-invalid (3:1) | system-out | 
    db/1,a: 100%.sql | unreadable-statement (6:1) | system-out | 
    db/2.sql | no findings | passed | 
    not judged | `db/3.sql` is in UTF-16 | error | `db/3.sql` is in UTF-16
    not judged | 1 statement could not be read | skipped | 1 statement could not be read
    not judged | no rule looks at 1 statement (ALTER TABLE REPLICA IDENTITY FULL) | skipped | no rule looks at 1 statement (ALTER TABLE REPLICA IDENTITY FULL)
    not judged | `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction | skipped | `db` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    "#);
    // Without findings that make the command fail there is no failure.
    let files = [("db/1.sql", "DROP TABLE a;"), ("lockkeeper.toml", "[lint.rules]\ndrop-table = \"warn\"\n")];
    let output = run(&files, &["lint", "--dialect", "sqlite", "db", "--format", "junit"]);
    assert!(output.starts_with("exit code: 0\n") && output.contains("failures=\"0\" errors=\"0\""), "{output}");
    let output = run(&files, &["lint", "--dialect", "sqlite", "db", "--format", "junit", "--fail-on", "warn"]);
    assert!(output.starts_with("exit code: 1\n") && output.contains("failures=\"1\" errors=\"0\""), "{output}");
}

#[test]
fn a_history_without_findings_is_said_in_every_format() {
    for format in ["sarif", "github", "gitlab", "junit"] {
        let files = [("db/1.sql", "CREATE TABLE t (id bigint PRIMARY KEY);")];
        let output = run(&files, &["lint", "--dialect", "sqlite", "db", "--format", format]);
        assert!(output.starts_with("exit code: 0\n"), "{output}");
        let said = if format == "gitlab" { "is read as plain" } else { "no findings" };
        assert!(output.contains(said), "{output}");
    }
}
