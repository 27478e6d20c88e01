//! `lint --since`: what is judged and what is only replayed, in real repositories of git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::cli::command;

const CREATE: &str = "CREATE TABLE orders (id bigint, note varchar(20));\n";
const DROP: &str = "ALTER TABLE orders DROP COLUMN note;\n";
/// Widening is free if the history says how wide it was.
const WIDEN: &str = "ALTER TABLE orders ALTER COLUMN note TYPE varchar(40);\n";

/// A project below a directory of its own.
pub(crate) struct Project {
    directory: TempDir,
}

impl Project {
    /// With the files committed on `main`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(project.root()).unwrap();
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.write(files);
        project.commit();
        project
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.root().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=more"]);
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        git(&self.root(), arguments);
    }

    /// A clone that knows the last commits of `main` only.
    fn shallow(&self, depth: usize) -> Self {
        let clone = Self { directory: tempfile::tempdir().unwrap() };
        let from = format!("file://{}", self.root().display());
        git(clone.directory.path(), &["clone", "--quiet", &format!("--depth={depth}"), &from, "project"]);
        clone
    }

    /// What `lint --since` prints.
    fn lint(&self, since: &str) -> String {
        lint(&self.root(), &["db", "--since", since])
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The findings as `path:line rule`, what is said of the choice, the summary, and the errors.
pub(crate) fn lint(directory: &Path, arguments: &[&str]) -> String {
    let output = command(directory, &[&["lint", "--dialect", "postgres"], arguments].concat()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut shown = String::new();
    let mut lines = stdout.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(place) = line.split_once("╭─[").map(|(_, place)| place.trim_end_matches(']')) {
            shown += &format!("{place}\n");
        } else if line.starts_with("note: ") && !line.contains(" is read as ") || lines.peek().is_none() {
            shown += &format!("{line}\n");
        }
    }
    shown += &String::from_utf8(output.stderr).unwrap();
    let shown = without_commits(&shown).replace(&format!("{}/", directory.display()), "");
    format!("{shown}exit code: {}", output.status.code().unwrap())
}

/// Commits have another name in every run.
fn without_commits(text: &str) -> String {
    let is_commit = |word: &str| word.len() >= 10 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_inclusive(|c: char| !c.is_alphanumeric())
        .map(|word| {
            let end = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            if is_commit(end) { word.replace(end, "COMMIT") } else { word.to_string() }
        })
        .collect()
}

#[test]
fn what_a_branch_adds_is_judged_and_the_rest_is_replayed() {
    let project = Project::new(&[("db/1.sql", CREATE), ("db/2.sql", DROP), ("db/3.sql", "ALTER TABLE orders ADD;")]);
    project.git(&["switch", "--quiet", "--create=feature"]);
    project.write(&[("db/4_widen.sql", WIDEN), ("db/5_drop.sql", "DROP TABLE carts;")]);
    project.commit();
    project.write(&[("db/6_untracked.sql", "DROP TABLE users;"), ("db/7_staged.sql", "DROP TABLE items;")]);
    project.git(&["add", "db/7_staged.sql"]);
    // What has come to main in the meantime is none of this branch's.
    project.git(&["stash", "--quiet", "--include-untracked"]);
    project.git(&["switch", "--quiet", "main"]);
    project.write(&[("db/8_theirs.sql", "DROP TABLE theirs;")]);
    project.commit();
    project.git(&["switch", "--quiet", "feature"]);
    project.git(&["stash", "pop", "--quiet", "--index"]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    db/4_widen.sql:1:20
    db/5_drop.sql:1:1
    db/6_untracked.sql:1:1
    db/7_staged.sql:1:1
    note: judged: what is new or changed since `main` (where this branch left it: COMMIT)
    4 findings (4 deny) in 4 files, 4 statements; replayed: 3 files, of which 1 statement could not be read
    exit code: 1
    "#);
}

#[test]
fn an_edited_migration_is_judged_and_a_comment_in_a_replayed_one_says_nothing() {
    let unused = "-- lockkeeper: allow drop-table: nothing is dropped\nSELECT 1;\n-- lockkeeper: allow nothing\n";
    let project = Project::new(&[("db/1.sql", CREATE), ("db/2.sql", "SELECT 1;"), ("db/3.sql", unused)]);
    project.write(&[("db/2.sql", DROP)]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    db/2.sql:1:20
    note: judged: what is new or changed since `main` (where this branch left it: COMMIT)
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
    fs::remove_file(project.root().join("db/1.sql")).unwrap();
    fs::rename(project.root().join("db/3.sql"), project.root().join("db/4.sql")).unwrap();
    project.git(&["add", "--all"]);
    insta::assert_snapshot!(project.lint("HEAD"), @r#"
    db/2.sql:1:20
    db/4.sql:1:1
    db/4.sql:3:1
    db/4.sql:3:1
    note: judged: what is new or changed since `HEAD` (where this branch left it: COMMIT)
    note: `db/4.sql` was `db/3.sql`: judged as new, as tools that go by the name see it
    note: `db/1.sql` is gone since then: what it did is not replayed
    4 findings (1 deny, 3 warn) in 2 files, 2 statements
    exit code: 1
    "#);
}

#[test]
fn the_number_of_a_plain_file_is_its_version_to_people() {
    let project =
        Project::new(&[("db/0001-a.sql", CREATE), ("db/0002.sql", DROP), ("db/00020_c.sql", "DROP TABLE c;")]);
    for word in ["2", "0002"] {
        let shown = project.lint(word);
        assert!(shown.contains("in 1 file, 1 statement; replayed: 2 files"), "{shown}");
    }
}

#[test]
fn a_version_or_a_path_tells_what_is_old() {
    let project = Project::new(&[
        ("db/0001_a.up.sql", CREATE),
        ("db/0002_b.up.sql", DROP),
        ("db/0010_c.up.sql", "DROP TABLE c;"),
    ]);
    let expected = "db/0010_c.up.sql:1:1\nnote: judged: what comes after the";
    for word in ["2", "0002", "db/0002_b.up.sql", "./db/../db/0002_b.up.sql"] {
        let shown = project.lint(word);
        assert!(shown.starts_with(expected) && shown.contains("in 1 file, 1 statement; replayed: 2 files"), "{shown}");
    }
    insta::assert_snapshot!(project.lint("0010"), @r#"
    note: judged: what comes after the version `0010`
    no findings in 0 files, 0 statements; replayed: 3 files
    exit code: 0
    "#);
    insta::assert_snapshot!(project.lint("0003"), @r#"
    error: `--since 0003`: no migration has this path or version, and git knows no revision of that name
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    insta::assert_snapshot!(project.lint("db/0003_gone.up.sql"), @r#"
    error: `--since db/0003_gone.up.sql`: no migration has this path or version, and git knows no revision of that name
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    project.write(&[("other.sql", "SELECT 1;")]);
    insta::assert_snapshot!(project.lint("other.sql"), @r#"
    error: `--since other.sql`: this file is none of the migrations, and git knows no revision of that name
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    // The first of path, version and revision counts, and the other is named.
    project.git(&["tag", "0002"]);
    insta::assert_snapshot!(project.lint("0002"), @r#"
    db/0010_c.up.sql:1:1
    note: judged: what comes after the version `0002`; git knows a revision of that name too: `--since refs/tags/0002` is that one
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
    insta::assert_snapshot!(project.lint("refs/tags/0002"), @r#"
    note: judged: what is new or changed since `refs/tags/0002` (where this branch left it: COMMIT)
    no findings in 0 files, 0 statements; replayed: 3 files
    exit code: 0
    "#);
}

#[test]
fn a_directory_of_a_migration_is_its_path() {
    let project =
        Project::new(&[("db/1_a/up.sql", CREATE), ("db/2_b/up.sql", DROP), ("db/3_c/up.sql", "DROP TABLE c;")]);
    insta::assert_snapshot!(project.lint("db/2_b"), @r#"
    db/3_c/up.sql:1:1
    note: judged: what comes after the path `db/2_b`
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
    insta::assert_snapshot!(project.lint("db"), @r#"
    error: `--since db`: no migration has this path or version, and git knows no revision of that name
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
}

#[test]
fn of_several_sequences_each_has_its_own_place() {
    let project = Project::new(&[
        ("db/a/migrations/1_a.up.sql", CREATE),
        ("db/a/migrations/2_b.up.sql", DROP),
        ("db/b/migrations/1_a.up.sql", CREATE),
        ("db/b/migrations/3_b.up.sql", DROP),
    ]);
    insta::assert_snapshot!(project.lint("2"), @r#"
    db/b/migrations/3_b.up.sql:1:1
    db/b/migrations/3_b.up.sql:1:20
    note: judged: what comes after the version `2`
    note: `2` is not in the sequence that begins with `db/b/migrations/1_a.up.sql`: all of it is judged
    2 findings (1 deny, 1 warn) in 2 files, 2 statements; replayed: 2 files
    exit code: 1
    "#);
}

#[test]
fn of_two_with_one_version_the_new_one_is_told() {
    let project = Project::new(&[("db/1_a.up.sql", CREATE), ("db/2_z.up.sql", "SELECT 1;")]);
    project.write(&[("db/2_a.up.sql", "SELECT 2;")]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    db/2_a.up.sql:1:1
    note: judged: what is new or changed since `main` (where this branch left it: COMMIT)
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
}

#[test]
fn a_new_one_before_an_old_one_comes_late() {
    let project = Project::new(&[("db/1_a.up.sql", CREATE), ("db/3_z.up.sql", "SELECT 1;")]);
    project.write(&[("db/2_a.up.sql", "SELECT 2;"), ("db/4_b.up.sql", "SELECT 3;"), ("db/3_z.up.sql", "SELECT 4;")]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    db/2_a.up.sql:1:1
    note: judged: what is new or changed since `main` (where this branch left it: COMMIT)
    1 finding (1 warn) in 3 files, 3 statements; replayed: 1 file
    exit code: 0
    "#);
    // A version does not tell what is new.
    assert!(project.lint("1").contains("no findings"), "{}", project.lint("1"));
}

#[test]
fn of_a_changelog_only_what_is_new_is_judged() {
    let head = "--liquibase formatted sql\n";
    let one = "--changeset ann:1\nDROP TABLE a;\n--rollback SELECT 1;\n";
    let two = "--changeset ann:2 runInTransaction:false\nDROP TABLE b;\n";
    let project = Project::new(&[("db/log.sql", &format!("{head}{one}{two}"))]);
    let three = "--changeset ann:3\nDROP TABLE c;\n";
    project.write(&[("db/log.sql", &format!("{head}{one}{two}{three}"))]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    db/log.sql:8:1
    note: judged: what is new or changed since `main` (where this branch left it: COMMIT)
    1 finding (1 deny) in 1 file, 1 statement
    exit code: 1
    "#);
    let two = two.replace(":false", ":true");
    project.write(&[("db/log.sql", &format!("{head}{one}{two}{three}"))]);
    assert!(project.lint("main").starts_with("db/log.sql:6:1\ndb/log.sql:8:1\n"), "{}", project.lint("main"));
}

#[test]
fn a_shallow_clone_works_as_far_as_it_reaches() {
    let project = Project::new(&[("db/1.sql", CREATE)]);
    project.write(&[("db/2.sql", DROP)]);
    project.commit();
    project.write(&[("db/3.sql", "DROP TABLE carts;")]);
    project.commit();
    insta::assert_snapshot!(project.shallow(2).lint("HEAD~1"), @r#"
    db/3.sql:1:1
    note: judged: what is new or changed since `HEAD~1` (where this branch left it: COMMIT)
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
    let clone = project.shallow(1);
    insta::assert_snapshot!(clone.lint("HEAD~1"), @r#"
    error: `--since HEAD~1`: no migration has this path or version, and git knows no revision of that name
      cause: this clone is shallow: it holds only the latest commits
    hint: fetch the history: `git fetch --unshallow origin`, or as far as needed: `git fetch --deepen=100 origin`; with GitHub's checkout, `fetch-depth: 0`
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    // The other branch is there, but not where the two parted.
    project.git(&["switch", "--quiet", "--create=feature", "HEAD~1"]);
    project.write(&[("db/4.sql", "DROP TABLE users;")]);
    project.commit();
    clone.git(&["fetch", "--quiet", "--depth=1", "origin", "feature:feature"]);
    insta::assert_snapshot!(clone.lint("feature"), @r#"
    error: `--since feature`: git finds no commit that `feature` and HEAD have in common
      cause: this clone is shallow: it holds only the latest commits
    hint: fetch the history: `git fetch --unshallow origin`, or as far as needed: `git fetch --deepen=100 origin feature`; with GitHub's checkout, `fetch-depth: 0`
    exit code: 2
    "#);
    clone.git(&["fetch", "--quiet", "--deepen=1", "origin", "main", "feature"]);
    insta::assert_snapshot!(clone.lint("feature"), @r#"
    db/3.sql:1:1
    note: judged: what is new or changed since `feature` (where this branch left it: COMMIT)
    1 finding (1 deny) in 1 file, 1 statement; replayed: 2 files
    exit code: 1
    "#);
}

#[test]
fn what_git_cannot_tell_is_an_error() {
    let project = Project::new(&[("db/1.sql", CREATE)]);
    insta::assert_snapshot!(project.lint("mian"), @r#"
    error: `--since mian`: no migration has this path or version, and git knows no revision of that name
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    insta::assert_snapshot!(project.lint("--help"), @r#"
    error: a value is required for '--since <REV|VERSION|PATH>' but none was supplied

    For more information, try '--help'.
    exit code: 2
    "#);
    project.git(&["switch", "--quiet", "--orphan=other"]);
    project.write(&[("db/2.sql", DROP)]);
    insta::assert_snapshot!(project.lint("main"), @r#"
    error: `--since main`: git finds no commit that `main` and HEAD have in common
      cause: fatal: Not a valid object name HEAD
    hint: give a revision that this branch began from
    exit code: 2
    "#);
    project.commit();
    insta::assert_snapshot!(project.lint("main"), @r#"
    error: `--since main`: git finds no commit that `main` and HEAD have in common
    hint: give a revision that this branch began from
    exit code: 2
    "#);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("9.sql"), DROP).unwrap();
    insta::assert_snapshot!(lint(outside.path(), &["9.sql", "--since", "main"]), @r#"
    error: `--since main`: no migration has this path or version, and `.` is in no working tree of git
      cause: fatal: not a git repository (or any of the parent directories): .git
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    let both = lint(&project.root(), &["db", outside.path().to_str().unwrap(), "--since", "HEAD"]);
    insta::assert_snapshot!(both.replace(outside.path().to_str().unwrap(), "OUTSIDE"), @r#"
    error: `--since HEAD`: no migration has this path or version, and `OUTSIDE` is in no working tree of git
      cause: fatal: not a git repository (or any of the parent directories): .git
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    exit code: 2
    "#);
    let without = command(&project.root(), &["lint", "--dialect", "postgres", "db", "--since", "main"])
        .env("PATH", outside.path())
        .output()
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(without.stderr).unwrap(), @r#"
    error: `--since main`: no migration has this path or version, and git could not be run
      cause: No such file or directory (os error 2)
    hint: install git
    hint: give a revision of git, or the version or the path of a migration (the new one, if it was renamed)
    "#);
    assert_eq!(without.status.code(), Some(2));
}

#[test]
fn neither_settings_of_git_nor_a_hook_change_the_answer() {
    let project = Project::new(&[("db/1.sql", CREATE), ("db/größe \t.sql", DROP), ("elsewhere.txt", "")]);
    for setting in ["core.quotePath", "diff.relative", "diff.noprefix", "diff.mnemonicPrefix", "status.relativePaths"] {
        project.git(&["config", setting, "true"]);
    }
    project.git(&["config", "diff.external", "false"]);
    project.write(&[("db/3.sql", "DROP TABLE carts;")]);
    let plain = project.lint("main");
    assert!(plain.contains("in 1 file, 1 statement; replayed: 2 files"), "{plain}");
    let output = command(&project.root().join("db"), &["lint", "--dialect", "postgres", ".", "--since", "main"])
        .env("GIT_DIR", ".git")
        .env("GIT_INDEX_FILE", "nowhere")
        .env("GIT_PREFIX", "db/")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("in 1 file, 1 statement; replayed: 2 files"), "{shown}");
}

#[test]
fn a_link_is_as_new_as_what_it_leads_to() {
    let project = Project::new(&[("db/1.sql", CREATE), ("real/2.sql", "SELECT 1;")]);
    std::os::unix::fs::symlink("../real/2.sql", project.root().join("db/2.sql")).unwrap();
    project.commit();
    assert!(project.lint("main").contains("in 0 files, 0 statements; replayed: 2 files"), "{}", project.lint("main"));
    project.write(&[("real/2.sql", DROP)]);
    assert!(project.lint("main").starts_with("db/2.sql:1:20\n"), "{}", project.lint("main"));
}
