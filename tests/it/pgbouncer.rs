//! A real PgBouncer in front of a real server: in session mode it is as good as the server; in transaction mode we
//! say that we cannot, and leave nothing behind in its sessions.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::database::temporary::Engine;
use lockkeeper::database::{self, Session, Value};
use lockkeeper::sql::Dialect;

use super::run::{Change, expect};
use super::servers;

/// A pooler of one test's own; it ends with the test.
struct Pooler {
    process: Child,
    directory: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts PgBouncer in front of the tests' own PostgreSQL; `None` where one of the two is missing, which is told.
fn start(mode: &str, more: &[&str]) -> Option<Pooler> {
    let server = servers::temporary(Engine::Postgres)?;
    let places =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let places = places.into_iter().chain([PathBuf::from("/usr/sbin")]);
    let Some(program) = places.map(|place| place.join("pgbouncer")).find(|program| program.is_file()) else {
        servers::skip(&"PgBouncer", "no `pgbouncer` on this machine: `./dev test` installs it");
        return None;
    };
    let directory = tempfile::tempdir().unwrap();
    // It refuses root, and the account that it gets needs the directory.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut settings = format!(
        "[databases]\n* = host={} user=postgres\n[pgbouncer]\nlisten_addr=\nlisten_port=6432\nunix_socket_dir={}\n\
         auth_type=any\npool_mode={mode}\n",
        server.directory.display(),
        directory.path().display()
    );
    for line in more {
        writeln!(settings, "{line}").unwrap();
    }
    let file = directory.path().join("pgbouncer.ini");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new(program);
    command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        // The server's own, whose directory it has to pass.
        let name = |name| nix::unistd::User::from_name(name).ok().flatten();
        let user = name("postgres").or_else(|| name("nobody")).unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let process = command.spawn().unwrap();
    Some(Pooler { process, directory })
}

impl Pooler {
    /// The URL of a database through the pooler, once it listens.
    async fn url(&self, database: &str) -> String {
        let socket = self.directory.path().join(".s.PGSQL.6432");
        while !socket.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        format!("postgres://postgres@localhost:6432/{database}?host={}", self.directory.path().display())
    }
}

async fn refused(more: &[&str]) {
    let Some(pooler) = start("transaction", more) else { return };
    let Some(database) = servers::postgres().await else { return };
    let through = pooler.url(database.name()).await;
    let mut change = Change::rename(database, Dialect::Postgres, 10).await;
    let direct = std::mem::replace(&mut change.database.url, through);
    let words =
        ["no session of its own on PostgreSQL at", "a pooler in transaction mode", "connect to the server itself"];
    for arguments in [&["run"][..], &["status"], &["approve", "--reason", "a test"]] {
        expect(&change.say(arguments), 2, &words);
    }
    // Every session of the pool is as the application knows it.
    let mut session = database::connect(&direct, "test").await.unwrap();
    let ledger = session.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'lockkeeper'", &[]).await.unwrap();
    assert_eq!(ledger, [[Value::Int(0)]], "nothing was done");
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-c", "SHOW lock_timeout", "-c", "SHOW idle_in_transaction_session_timeout"])
        .arg(&change.database.url)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n0\n", "{}", String::from_utf8_lossy(&output.stderr));
    change.database.url = direct;
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_mode_is_refused_and_the_way_out_named() {
    refused(&[]).await;
}

/// A pooler that takes the parameters of a connection and forgets them.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_mode_is_found_out_behind_ignored_parameters() {
    refused(&["ignore_startup_parameters=extra_float_digits,options"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_mode_carries_a_change_out() {
    for more in [&[][..], &["ignore_startup_parameters=extra_float_digits,options"]] {
        let Some(pooler) = start("session", more) else { return };
        let Some(database) = servers::postgres().await else { return };
        let through = pooler.url(database.name()).await;
        let mut change = Change::rename(database, Dialect::Postgres, 2_000).await;
        let direct = std::mem::replace(&mut change.database.url, through);
        expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
        change.approve();
        expect(&change.say(&["run"]), 0, &["finished"]);
        change.database.url = direct;
    }
}
