//! `--known-findings`: what was found before does not fail, and nothing new hides behind it.

use std::fs;

use crate::cli::command;

/// A directory in which files change between two runs.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("lockkeeper.toml", "dialect = \"postgres\"\n[lint]\nknown-findings = \"known.txt\"\n");
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn known(&self) -> String {
        fs::read_to_string(self.0.path().join("known.txt")).unwrap()
    }

    /// The exit code, the rules with their lines, the summary and what stderr says.
    fn lint(&self, arguments: &[&str]) -> String {
        let output = command(self.0.path(), &[&["lint"], arguments].concat()).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let shown = stdout.lines().filter(|line| {
            line.contains("─[") || line.contains(" in ") && line.contains("finding") || line.starts_with("note: 1 of")
        });
        let shown: Vec<&str> = shown.map(str::trim).collect();
        let stderr = String::from_utf8(output.stderr).unwrap();
        format!("{}\n{}\n{stderr}", output.status.code().unwrap(), shown.join("\n"))
    }
}

#[test]
fn what_is_recorded_is_known_wherever_it_stands_and_only_that() {
    let project = Project::new();
    project.write("migrations/1.sql", "DROP TABLE b;\nDROP TABLE a;\nDROP TABLE a;\n");
    project.write("migrations/2 x.sql", "CREATE INDEX i ON orders (a);\nSELEC 1;\n");
    insta::assert_snapshot!(project.lint(&["--write-known-findings"]), @r#"
    0
    no findings in 2 files, 5 statements; 5 findings known before; 1 statement could not be read
    recorded 5 findings in `known.txt`
    "#);
    insta::assert_snapshot!(project.known(), @r#"
    # What `lockkeeper lint --write-known-findings` found: only what is not listed here is reported.
    migrations/1.sql drop-table 5ea2a690fd3a1d14
    migrations/1.sql drop-table bca15e8ebd27b464
    migrations/1.sql drop-table c217e4ee20a7071d
    migrations/2 x.sql create-index-blocking fae4f648657e763d
    migrations/2 x.sql unreadable-statement cc787adab06799d9
    "#);
    // Lines shift, blanks change, another finding comes.
    project.write("migrations/1.sql", "-- Later.\n\nSELECT 1;\nDROP   TABLE a;\nDROP TABLE a;\nDROP TABLE b;\n");
    insta::assert_snapshot!(project.lint(&[]), @r#"
    0
    no findings in 2 files, 6 statements; 5 findings known before; 1 statement could not be read
    "#);
    project.write("migrations/1.sql", "DROP TABLE a;\nDROP TABLE a;\nDROP TABLE b CASCADE;\n");
    insta::assert_snapshot!(project.lint(&[]), @r#"
    1
    ╭─[migrations/1.sql:3:1]
    ╭─[migrations/1.sql:3:1]
    note: 1 of 5 known findings in `known.txt` are found no more (`migrations/1.sql drop-table`): write it again to forget them
    2 findings (1 deny, 1 warn) in 2 files, 5 statements; 4 findings known before; 1 statement could not be read
    "#);
    // Also by another path, from another directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let absolute = |name: &str| project.0.path().join(name).display().to_string();
    let (config, migrations) = (absolute("lockkeeper.toml"), absolute("migrations"));
    let output = command(elsewhere.path(), &["lint", "--config", &config, &migrations]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("; 4 findings known before"), "{stdout}");
}

#[test]
fn the_same_statement_twice_is_not_known_by_one() {
    let project = Project::new();
    project.write("migrations/1.sql", "DROP TABLE a;\n");
    project.lint(&["--write-known-findings"]);
    project.write("migrations/1.sql", "DROP TABLE a;\nDROP TABLE a;\n");
    insta::assert_snapshot!(project.lint(&[]), @r#"
    1
    ╭─[migrations/1.sql:2:1]
    1 finding (1 deny) in 1 file, 2 statements; 1 finding known before
    "#);
}

#[test]
fn a_file_that_is_missing_or_is_none_is_an_error() {
    let project = Project::new();
    project.write("migrations/1.sql", "SELECT 1;\n");
    insta::assert_snapshot!(project.lint(&[]), @r#"
    2

    error: could not read the known findings `known.txt`
      cause: No such file or directory (os error 2)
    hint: `lockkeeper lint --write-known-findings` writes it
    "#);
    project.write("known.txt", "# Ours.\n\nmigrations/1.sql drop-table\n");
    insta::assert_snapshot!(project.lint(&[]), @r#"
    2

    error: known.txt:3: this is no finding: `PATH RULE DIGEST`
    hint: write the file again with `lockkeeper lint --write-known-findings`
    "#);
    project.write("lockkeeper.toml", "dialect = \"postgres\"\n");
    insta::assert_snapshot!(project.lint(&["--write-known-findings"]), @r#"
    2

    error: no file is named for the known findings
    hint: give --known-findings FILE, or write `known-findings` into lockkeeper.toml
    "#);
}
