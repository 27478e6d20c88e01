//! Gates over what is really there: sessions of a server, and a program called `kubectl`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockkeeper::database::{Session, connect};

use super::recorded;
use crate::servers;

/// A change without rows to fill, whose contract waits for `consumers`.
fn change(dialect: &str, consumers: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("change");
    fs::create_dir(&path).unwrap();
    let settings = format!("dialect = \"{dialect}\"\n[versions]\nnew = \"v2\"\n{consumers}");
    fs::write(path.join("change.toml"), settings).unwrap();
    fs::write(path.join("expand.sql"), "CREATE TABLE t (id int PRIMARY KEY, a int);").unwrap();
    fs::write(path.join("contract.sql"), "DROP TABLE t;").unwrap();
    (directory, path)
}

/// Runs the change; the line that tells of `gate`, and the exit code.
fn run(change: &Path, url: &str, path: &str, gate: &str) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["run", "--database-url", url])
        .arg(change)
        .env("PATH", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains(&format!("gate {gate}:"))).unwrap_or_else(|| panic!("{said}"));
    (line.trim().to_string(), output.status.code())
}

#[tokio::test]
async fn sessions_of_a_real_postgres_hold_the_gate() {
    let Some(database) = servers::postgres().await else { return };
    let consumers = "[[consumers]]\nname = \"order-service\"\napplication-name = \"order-service/{version}\"\n";
    let (_directory, path) = change("postgres", consumers);
    let gate = || run(&path, &database.url, "", "db_sessions");

    let told = gate();
    assert_eq!(told.1, Some(3));
    assert!(told.0.contains("unknown, no session of v2 is connected either"), "{told:?}");

    let _new = connect(&database.url, "order-service/v2 worker").await.unwrap();
    let old = connect(&database.url, "order-service/v1").await.unwrap();
    let told = gate();
    assert!(told.0.contains("pending, 1 session of v1 is still connected"), "{told:?}");
    drop(old);

    let stranger = connect(&database.url, "psql").await.unwrap();
    for _ in 0..100 {
        // The server notices a closed connection in its own time.
        if !gate().0.contains("pending") {
            break;
        }
    }
    let told = gate();
    assert!(told.0.contains("unknown, a session of no listed consumer"), "{told:?}");
    drop(stranger);
    for _ in 0..100 {
        if gate().0.contains("pass, 1 session of v2 and none of another version") {
            return;
        }
    }
    panic!("{:?}", gate());
}

#[tokio::test]
async fn users_of_a_real_mariadb_hold_the_gate() {
    let Some(database) = servers::mariadb().await else { return };
    let mut admin = connect(&database.url, "lockkeeper test").await.unwrap();
    let own = admin.query("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)", &[]).await.unwrap();
    let lockkeeper::database::Value::Text(own) = &own[0][0] else { panic!("{own:?}") };

    // The only other session is this test's own: first as nobody's, then as a version's.
    let (_directory, path) = change("mysql", "[[consumers]]\nname = \"a\"\nuser = \"app_{version}\"\n");
    let told = run(&path, &database.url, "", "db_sessions");
    assert_eq!(told.1, Some(3));
    assert!(told.0.contains("unknown, a session of no listed consumer, user"), "{told:?}");

    let (_directory, path) =
        change("mysql", &format!("[[consumers]]\nname = \"a\"\nuser = \"{}{{version}}\"\n", &own[..1]));
    fs::write(path.join("expand.sql"), "CREATE TABLE u (id int PRIMARY KEY);").unwrap();
    fs::write(path.join("contract.sql"), "DROP TABLE u;").unwrap();
    let renamed = path.with_file_name("other");
    fs::rename(&path, &renamed).unwrap();
    let told = run(&renamed, &database.url, "", "db_sessions");
    assert!(told.0.contains(&format!("pending, 1 session of {} is still connected", &own[1..])), "{told:?}");
}

#[test]
fn kubectl_is_asked_and_not_believed_without_an_answer() {
    let consumers = "[[consumers]]\nname = \"order-service\"\n[consumers.kubernetes]\nnamespace = \"rec\"\n\
                     selector = \"app=order-service\"\nversion-label = \"version\"\n";
    let (directory, path) = change("sqlite", consumers);
    let database = servers::sqlite();
    let bin = directory.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let search = bin.display().to_string();
    let gate = || run(&path, &database.url, &search, "k8s_only_version:order-service").0;

    assert!(gate().contains("unknown, kubectl could not be started"), "{}", gate());
    let kubectl = |script: &str| {
        let file = bin.join("kubectl");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        gate()
    };
    let told = kubectl("echo 'error: forbidden' >&2; exit 1");
    assert!(told.contains("unknown, kubectl failed (exit status: 1): error: forbidden"), "{told}");
    let told = kubectl("exit 0");
    assert!(told.contains("unknown, the answer is no list of objects"), "{told}");
    for (name, expected) in
        [("07-one-old-terminating", "pending, the pod"), ("08-only-v2", "pass, 2 live pods, all of v2")]
    {
        let file = directory.path().join(name);
        fs::write(&file, recorded(name)).unwrap();
        let told = kubectl(&format!(
            "[ \"$*\" = 'get deploy,sts,rs,po -n rec -l app=order-service -o json' ] && exec /bin/cat {}",
            file.display()
        ));
        assert!(told.contains(expected), "{name}: {told}");
    }
}
