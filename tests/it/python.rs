//! Alembic and Django, the real ones: what they print is judged, and nothing of theirs runs without the user's word.
//!
//! Where they are not installed, they are installed by pip into a directory below `target`; where that cannot be,
//! the tests say SKIP.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::cli::command;

/// The PATH under which both are found; `None` where they cannot be had.
fn path() -> Option<&'static OsString> {
    static PATH: OnceLock<Option<OsString>> = OnceLock::new();
    PATH.get_or_init(|| {
        let found = installed().map_err(|why| {
            // Past the capture of a passing test's output, which would swallow it.
            let _ = writeln!(std::io::stderr(), "SKIP: no Alembic and Django for this test: {why}");
        });
        found.ok()
    })
    .as_ref()
}

fn installed() -> Result<OsString, String> {
    let here = std::env::var_os("PATH").unwrap_or_default();
    let imports = |python: &Path| run(python, &["-c", "import alembic, django, psycopg2"]).is_ok();
    if imports(Path::new("python3")) && run(Path::new("alembic"), &["--version"]).is_ok() {
        return Ok(here);
    }
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = place.join("bin/python");
    // Other processes may be at it too.
    let lock = File::create(place.with_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !imports(&python) {
        run(Path::new("python3"), &["-m", "venv", "--clear", place.to_str().unwrap()])?;
        let packages = ["alembic", "django", "psycopg2-binary"];
        run(&python, &[&["-m", "pip", "install", "--quiet", "--disable-pip-version-check"][..], &packages].concat())?;
    }
    let mut paths = vec![place.join("bin")];
    paths.extend(std::env::split_paths(&here));
    std::env::join_paths(paths).map_err(|error| error.to_string())
}

fn run(program: &Path, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{}: {error}", program.display()))?;
    let last = String::from_utf8_lossy(&output.stderr).trim_end().lines().next_back().unwrap_or_default().to_string();
    if output.status.success() { Ok(()) } else { Err(last) }
}

/// A project of `fixtures/python/` where it may be written.
fn project(name: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/python").join(name), &directory.path().join(name));
    directory
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(drop).unwrap() }
    }
}

/// Lints a project: `place rule` of findings, the notes, what was judged, and the errors.
fn lint(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Option<String> {
    let directory = project(name);
    Some(lint_in(directory.path(), name, arguments, variables, path()?))
}

/// What else is found is the business of the rules' own tests.
const RULES: [&str; 4] = ["drop-column", "drop-table", "rename-column", "update-unbatched"];

fn lint_in(root: &Path, name: &str, arguments: &[&str], variables: &[(&str, &str)], path: &OsString) -> String {
    let mut lint = command(root, &[&["lint", name], arguments].concat());
    let output = lint.env("PATH", path).envs(variables.iter().copied()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut shown = String::new();
    let mut lines = stdout.lines().peekable();
    let mut rule = "";
    while let Some(line) = lines.next() {
        if let Some((_, place)) = line.split_once("╭─[") {
            if RULES.contains(&rule) {
                shown += &format!("{} {rule}\n", place.trim_end_matches(']'));
            }
        } else if line.starts_with("note: ") {
            shown += &format!("{line}\n");
        } else if lines.peek().is_none() {
            let line = line.split_once(" in ").map_or(line, |(_, judged)| judged);
            let parts = line.split("; ").filter(|part| !part.starts_with("not judged: "));
            shown += &format!("{}\n", parts.collect::<Vec<_>>().join("; "));
        } else if !line.starts_with(' ') && !line.is_empty() {
            rule = line;
        }
    }
    shown += &String::from_utf8(output.stderr).unwrap();
    let left: Vec<_> = leavings(root);
    assert!(left.is_empty(), "it left {left:?}");
    format!("{shown}exit code: {}", output.status.code().unwrap())
}

/// What a run of Python leaves in a project if nobody keeps it from that.
fn leavings(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leavings(&path));
        }
        if path.extension().is_some_and(|end| end == "pyc") || path.ends_with("nowhere") {
            found.push(path);
        }
    }
    found
}

#[test]
fn alembic_prints_each_revision() {
    let Some(shown) = lint("alembic", &["--run-python"], &[]) else { return };
    insta::assert_snapshot!(shown, @r#"
    alembic/app/versions/b2_drop.py (alembic upgrade --sql):1:20 drop-column
    alembic/app/versions/e5_asks.py (alembic upgrade --sql):1:1 update-unbatched
    alembic/app/versions/f6_rename.py (alembic upgrade --sql):1:20 rename-column
    note: `alembic` is read as alembic: by `alembic upgrade --sql`, which has run its Python
    6 files, 7 statements; 1 file could not be read
    error: `alembic/app/versions/e5_asks.py` could not be printed as SQL to its end
      cause: TypeError: 'NoneType' object is not iterable
    hint: where it asks the database for something, nobody can print it: read it yourself
    exit code: 2
    "#);
}

#[test]
fn django_prints_each_migration_without_its_database() {
    let Some(shown) = lint("django", &["--run-python", "--dialect", "postgres"], &[]) else { return };
    insta::assert_snapshot!(shown, @r#"
    django/shop/migrations/0002_code.py (manage.py sqlmigrate):13:1 update-unbatched
    django/shop/migrations/0003_drop.py (manage.py sqlmigrate):4:26 drop-column
    note: not judged: what `django/shop/migrations/0002_code.py` do in Python, besides their SQL
    note: `django` is read as django: by what `manage.py sqlmigrate` prints, which has run its Python
    note: `django/idle/migrations/0001_initial.py` not linted: Django does not know them: is their app installed?
    3 files, 5 statements; 1 file could not be read
    error: `django/shop/migrations/0004_broken.py` could not be printed as SQL
      cause: ValueError: No index named none on model Order
    hint: if Django looks into the database for it, start the one of the settings
    exit code: 2
    "#);
    let sqlite = [("SHOP_DATABASE", "sqlite3")];
    let Some(shown) = lint("django", &["--run-python", "--dialect", "sqlite"], &sqlite) else { return };
    assert!(shown.contains("\n3 files, "), "{shown}");
}

#[test]
fn the_dialect_is_that_of_the_settings() {
    let Some(shown) = lint("alembic", &["--run-python", "--dialect", "mysql"], &[]) else { return };
    insta::assert_snapshot!(shown, @r#"
    nothing was judged: 1 file could not be read
    error: 6 files of Alembic in `alembic` were not judged: it prints SQL for postgres, and the dialect is mysql
    hint: give the URL of the real database to env.py, or another `--dialect`
    exit code: 2
    "#);
    let Some(shown) = lint("django", &["--run-python", "--dialect", "mysql"], &[]) else { return };
    insta::assert_snapshot!(shown, @r#"
    nothing was judged: 1 file could not be read
    error: 5 files of Django in `django` were not judged: it prints SQL for postgresql, and the dialect is mysql
    hint: choose the settings of the real database: `DJANGO_SETTINGS_MODULE`, or another `--dialect`
    exit code: 2
    "#);
}

#[test]
fn a_project_that_fails_does_not_stop_the_others() {
    let Some(path) = path() else { return };
    let directory = project("alembic");
    copy(&directory.path().join("alembic"), &directory.path().join("projects/broken"));
    copy(&directory.path().join("alembic"), &directory.path().join("projects/good"));
    fs::write(directory.path().join("projects/broken/app/env.py"), "raise RuntimeError('no such setting')\n").unwrap();
    insta::assert_snapshot!(lint_in(directory.path(), "projects", &["--run-python"], &[], path), @r#"
    projects/good/app/versions/b2_drop.py (alembic upgrade --sql):1:20 drop-column
    projects/good/app/versions/e5_asks.py (alembic upgrade --sql):1:1 update-unbatched
    projects/good/app/versions/f6_rename.py (alembic upgrade --sql):1:20 rename-column
    note: `projects/good` is read as alembic: by `alembic upgrade --sql`, which has run its Python
    6 files, 7 statements; 2 files could not be read
    error: 6 files of Alembic in `projects/broken` were not judged: `alembic` failed
      cause: RuntimeError: no such setting
    hint: run lockkeeper in the environment of the project: `source venv/bin/activate`, `uv run`, `poetry run`
    error: `projects/good/app/versions/e5_asks.py` could not be printed as SQL to its end
      cause: TypeError: 'NoneType' object is not iterable
    hint: where it asks the database for something, nobody can print it: read it yourself
    exit code: 2
    "#);
}

#[test]
fn a_comment_in_python_is_for_the_whole_migration() {
    let Some(path) = path() else { return };
    let directory = project("alembic");
    let file = directory.path().join("alembic/app/versions/b2_drop.py");
    let drop = "    op.drop_column(\"orders\", \"note\")\n";
    let code = fs::read_to_string(&file).unwrap().replace(drop, &format!("{drop}{}", drop.replace("note", "id")));
    let lint = |head: &str| {
        fs::write(&file, format!("{head}{code}")).unwrap();
        lint_in(directory.path(), "alembic", &["--run-python"], &[], path)
    };
    let drops = |shown: &str| shown.matches("b2_drop.py").count();
    assert_eq!(drops(&lint("")), 2);
    let allowed = lint("# lockkeeper: allow drop-column: nothing reads them since release 41\n");
    assert!(drops(&allowed) == 0 && allowed.contains("; 2 findings suppressed"), "{allowed}");
    let phase = lint("# lockkeeper: phase=contract\n");
    assert!(drops(&phase) == 0 && phase.contains("excused by their phase"), "{phase}");
}

#[test]
fn without_the_users_word_nothing_is_run() {
    let nowhere = OsString::from("/nowhere");
    let directory = project("alembic");
    let trap = "open('trapped', 'w')\n";
    fs::write(directory.path().join("alembic/app/env.py"), trap).unwrap();
    fs::write(directory.path().join("alembic/app/versions/g7_trap.py"), trap).unwrap();
    let path = path().unwrap_or(&nowhere);
    insta::assert_snapshot!(lint_in(directory.path(), "alembic", &[], &[], path), @r#"
    error: no migration in `alembic`
      cause: not judged: 7 files (`alembic/app/versions/a1_orders.py`, ...) of Alembic: `--run-python` lets Alembic print their SQL, which runs the project's code
    hint: a migration is a file named `*.sql`
    exit code: 2
    "#);
    fs::write(directory.path().join("lockkeeper.toml"), "run-python = true\n").unwrap();
    assert!(lint_in(directory.path(), "alembic", &[], &[], path).contains("no setting `run-python`"));
    assert!(!directory.path().join("alembic/trapped").exists() && !directory.path().join("trapped").exists());
}

#[test]
fn what_is_not_installed_is_told() {
    let nowhere = OsString::from("/nowhere");
    let directory = project("alembic");
    fs::write(directory.path().join("alembic/1.sql"), "DROP TABLE a;").unwrap();
    insta::assert_snapshot!(lint_in(directory.path(), "alembic", &[], &[("LOCKKEEPER_RUN_PYTHON", "1")], &nowhere), @r#"
    alembic/1.sql:1:1 drop-table
    note: `alembic` is read as plain (no tool's names or marks are there): in natural order of the paths, each statement its own transaction
    1 file, 1 statement; 1 file could not be read
    error: 6 files of Alembic in `alembic` were not judged: `alembic` is not installed, or not here
    hint: run lockkeeper in the environment of the project: `source venv/bin/activate`, `uv run`, `poetry run`
    exit code: 2
    "#);
    let directory = project("django");
    let arguments = ["--run-python", "--dialect", "postgres"];
    insta::assert_snapshot!(lint_in(directory.path(), "django", &arguments, &[], &nowhere), @r#"
    nothing was judged: 1 file could not be read
    error: 5 files of Django in `django` were not judged: `python` is not installed, or not here
    hint: run lockkeeper in the environment of the project: `source venv/bin/activate`, `uv run`, `poetry run`
    exit code: 2
    "#);
}
