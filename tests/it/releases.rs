//! What goes out together: by the settings' list, by git's tags, by `--released-up-to`; and the phase of a path.

use crate::cli::run;
use crate::since::{Project, lint};

const FILES: [(&str, &str); 5] = [
    ("db/V1__orders.sql", "CREATE TABLE orders (id bigint, old_status text);\n"),
    ("db/V2__carts.sql", "CREATE TABLE carts (id bigint, note text);\n"),
    ("db/V3__status.sql", "ALTER TABLE orders ADD COLUMN new_status text;\nCREATE INDEX carts_id ON carts (id);\n"),
    ("db/V4__carts.sql", "ALTER TABLE carts DROP COLUMN note;\n"),
    ("db/V5__contract_old.sql", "ALTER TABLE orders DROP COLUMN old_status;\n"),
];

const PHASES: &str = "[lint.phases]\ncontract = [\"db/*_contract_*\"]\n";

/// `rule path:line` of every finding, and what is said of releases.
fn judge(settings: &str, arguments: &[&str]) -> String {
    let mut files = FILES.to_vec();
    files.push(("lockkeeper.toml", settings));
    let output = run(&files, &[&["lint", "--dialect", "postgres", "db"], arguments].concat());
    let lines: Vec<&str> = output.lines().collect();
    let mut shown = String::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((_, place)) = line.split_once("╭─[") {
            shown += &format!("{} {}\n", lines[at - 3], place.trim_end_matches(']'));
        }
        if line.starts_with("note: ") && line.contains("release")
            || line.contains(" in 5 files")
            || line.contains("error")
        {
            shown += &format!("{line}\n");
        }
    }
    shown
}

#[test]
fn without_releases_each_migration_stands_alone_and_a_contract_is_taken_on_trust() {
    insta::assert_snapshot!(judge(PHASES, &[]), @r#"
    create-index-blocking db/V3__status.sql:2:1
    work-under-lock db/V3__status.sql:2:1
    drop-column db/V4__carts.sql:1:19
    3 findings (2 deny, 1 warn) in 5 files, 6 statements; 1 finding excused by its phase (whether their expand was released before is not told)
    "#);
}

#[test]
fn what_the_running_version_does_not_know_is_free() {
    insta::assert_snapshot!(judge(PHASES, &["--released-up-to", "1"]), @r#"
    contract-too-early db/V5__contract_old.sql:1:20
    note: released up to `db/V1__orders.sql`: the 4 migrations after it are not
    1 finding (1 deny) in 5 files, 6 statements
    "#);
    insta::assert_snapshot!(judge(PHASES, &["--released-up-to", "db/V3__status.sql"]), @r#"
    create-index-blocking db/V3__status.sql:2:1
    work-under-lock db/V3__status.sql:2:1
    drop-column db/V4__carts.sql:1:19
    note: released up to `db/V3__status.sql`: the 2 migrations after it are not
    3 findings (2 deny, 1 warn) in 5 files, 6 statements; 1 finding excused by its phase
    "#);
    insta::assert_snapshot!(judge(PHASES, &["--released-up-to", "9"]), @r#"
    error: `--released-up-to 9`: no release or migration is called so, and `db` is in no working tree of git
    "#);
}

#[test]
fn the_settings_list_releases() {
    let listed = |last: &str| format!("[releases]\n\"1.0\" = \"1\"\n\"1.1\" = \"{last}\"\n{PHASES}");
    insta::assert_snapshot!(judge(&listed("3"), &[]), @r#"
    drop-column db/V4__carts.sql:1:19
    note: released up to `db/V3__status.sql`: the 2 migrations after it are not
    1 finding (1 deny) in 5 files, 6 statements; 1 finding excused by its phase
    "#);
    insta::assert_snapshot!(judge(&listed("5"), &[]), @r#"
    contract-too-early db/V5__contract_old.sql:1:20
    note: released up to `db/V5__contract_old.sql`: nothing is after it
    1 finding (1 deny) in 5 files, 6 statements
    "#);
    insta::assert_snapshot!(judge(&listed("3"), &["--released-up-to", "1.0"]), @r#"
    contract-too-early db/V5__contract_old.sql:1:20
    note: released up to `db/V1__orders.sql`: the 4 migrations after it are not
    1 finding (1 deny) in 5 files, 6 statements
    "#);
    insta::assert_snapshot!(judge(&listed("7"), &[]), @r#"
    error: release `1.1`: no migration has the path or version `7`
    "#);
}

#[test]
fn git_tags_are_releases() {
    let mut files = FILES.to_vec();
    let settings = format!("release-tags = \"v*\"\n{PHASES}");
    files.push(("lockkeeper.toml", &settings));
    let project = Project::new(&files[..1]);
    project.git(&["tag", "v1.0"]);
    project.git(&["tag", "nightly"]);
    project.write(&files[1..3]);
    project.commit();
    project.git(&["tag", "v1.1"]);
    project.write(&files[3..]);
    insta::assert_snapshot!(lint(&project.root(), &["db"]), @r#"
    db/V4__carts.sql:1:19
    note: released up to `db/V3__status.sql`: the 2 migrations after it are not
    1 finding (1 deny) in 5 files, 6 statements; 1 finding excused by its phase
    exit code: 1
    "#);
    insta::assert_snapshot!(lint(&project.root(), &["db", "--released-up-to", "v1.0"]), @r#"
    db/V5__contract_old.sql:1:20
    note: released up to `db/V1__orders.sql`: the 4 migrations after it are not
    1 finding (1 deny) in 5 files, 6 statements
    exit code: 1
    "#);
    insta::assert_snapshot!(lint(&project.root(), &["db", "--since", "HEAD"]), @r#"
    db/V4__carts.sql:1:19
    note: judged: what is new or changed since `HEAD` (where this branch left it: COMMIT)
    note: released up to `db/V3__status.sql`: the 2 migrations after it are not
    1 finding (1 deny) in 2 files, 2 statements; replayed: 3 files; 1 finding excused by its phase
    exit code: 1
    "#);
    project.git(&["tag", "--delete", "v1.0", "v1.1"]);
    insta::assert_snapshot!(lint(&project.root(), &["db"]), @r#"
    error: git knows no `refs/tags/v*` behind HEAD: which releases there were is not told
    hint: fetch the tags and the history: `git fetch --tags --unshallow origin`
    exit code: 2
    "#);
}
