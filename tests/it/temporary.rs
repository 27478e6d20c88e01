//! Temporary servers go with their last user, however that one ends.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::database::temporary::{Engine, Share, start};
use lockkeeper::database::{Session, connect};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::servers;

/// How a process that holds a server is told to: engine, key and what to do then.
const HOLD: &str = "LOCKKEEPER_TEST_HOLD";

/// Also the process that the other tests start and kill.
#[tokio::test]
async fn a_server_answers_and_holds_databases() {
    let asked = std::env::var(HOLD).ok();
    let mut asked = asked.as_deref().unwrap_or("postgres answers").split(' ');
    let engine = Engine::from_name(asked.next().unwrap()).unwrap();
    let key = format!("{}-{}", asked.next().unwrap(), std::process::id());
    let (key, end) = (asked.next().map_or(key, str::to_string), asked.next());
    if end.is_none() && servers::temporary(engine).is_none() {
        return;
    }
    let share = Share { key, linger: Duration::ZERO, reaper: env!("CARGO_BIN_EXE_lockkeeper").into() };
    let server = start(engine, &share).unwrap_or_else(|error| panic!("{error:?}"));
    let url = server.create_database(&format!("of_{}", std::process::id())).await.unwrap();
    let mut session = connect(&url, "lockkeeper test").await.unwrap();
    session.execute("CREATE TABLE t (id int)", &[]).await.unwrap();
    match end {
        Some("panic") => {
            say(&server.directory);
            panic!("as asked")
        }
        Some(_) => {
            say(&server.directory);
            std::future::pending().await
        }
        None => {}
    }
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn say(directory: &Path) {
    println!("holding {}", directory.display());
}

/// A process of its own that holds a server.
struct Holder {
    process: Child,
    directory: PathBuf,
    server: Pid,
}

fn holder_command(engine: Engine, key: &str, end: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "temporary::a_server_answers_and_holds_databases", "--nocapture"])
        .env(HOLD, format!("{engine} x {key} {end}"))
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

fn hold(engine: Engine, key: &str, end: &str) -> Holder {
    let mut process = holder_command(engine, key, end).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let Some(directory) = lines.find_map(|line| line.split_once("holding ").map(|(_, path)| PathBuf::from(path)))
    else {
        let mut error = String::new();
        process.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        panic!("the holder does not hold: {error}");
    };
    let pid_file = directory.join(if engine == Engine::Postgres { "data/postmaster.pid" } else { "server.pid" });
    let server = pid_in(&pid_file);
    assert!(kill(server, None).is_ok(), "the server runs");
    Holder { process, directory, server }
}

fn pid_in(file: &Path) -> Pid {
    let text = std::fs::read_to_string(file).unwrap();
    Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap())
}

/// Beside the directory: the lock files.
fn beside(directory: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", directory.display()))
}

impl Drop for Holder {
    /// A test that fails must not leave it waiting.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Holder {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// Waits until process, directory and lock files are gone.
    fn assert_vanishes(mut self) {
        self.process.wait().unwrap();
        let traces = || {
            ["", ".hold", ".reaper"]
                .map(|suffix| beside(&self.directory, suffix))
                .into_iter()
                .filter(|path| path.exists())
        };
        for _ in 0..600 {
            if traces().next().is_none() && kill(self.server, None).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("left: {:?}, server {:?}", traces().collect::<Vec<_>>(), kill(self.server, None));
    }
}

/// A key that this test and this run have to themselves.
fn key(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

#[test]
fn gone_after_sigkill() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        if servers::temporary(engine).is_none() {
            continue;
        }
        let holder = hold(engine, &key("sigkill"), "wait");
        kill(holder.pid(), Signal::SIGKILL).unwrap();
        holder.assert_vanishes();
    }
}

#[test]
fn gone_after_a_panic() {
    if servers::temporary(Engine::Postgres).is_some() {
        hold(Engine::Postgres, &key("panic"), "panic").assert_vanishes();
    }
}

#[test]
fn gone_after_ctrl_c() {
    if servers::temporary(Engine::Postgres).is_none() {
        return;
    }
    let holder = hold(Engine::Postgres, &key("ctrl-c"), "wait");
    // What a terminal does: the signal goes to the whole group.
    killpg(holder.pid(), Signal::SIGINT).unwrap();
    holder.assert_vanishes();
}

#[test]
fn stays_while_one_of_two_is_left() {
    if servers::temporary(Engine::Postgres).is_none() {
        return;
    }
    let key = key("two");
    let mut first = hold(Engine::Postgres, &key, "wait");
    let second = hold(Engine::Postgres, &key, "wait");
    assert_eq!(first.server, second.server, "they share one server");
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    let third = hold(Engine::Postgres, &key, "wait");
    assert_eq!(third.server, second.server, "the server outlived the first");
    for mut holder in [second, third] {
        holder.process.kill().unwrap();
        holder.process.wait().unwrap();
    }
    first.assert_vanishes();
}

#[test]
fn what_a_killed_reaper_left_is_replaced() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        if servers::temporary(engine).is_none() {
            continue;
        }
        // Under the same key, or whenever the next server of the kind is started.
        for (key, next) in [(key("reaper"), key("reaper")), (key("dead"), key("next"))] {
            let mut first = hold(engine, &key, "wait");
            kill(pid_in(&beside(&first.directory, ".reaper")), Signal::SIGKILL).unwrap();
            first.process.kill().unwrap();
            first.process.wait().unwrap();
            let second = hold(engine, &next, "wait");
            assert_ne!(first.server, second.server, "a new server");
            assert_eq!(first.directory.exists(), key == next);
            assert!(!outlives(first.server), "the old server is gone");
            kill(second.pid(), Signal::SIGKILL).unwrap();
            second.assert_vanishes();
        }
    }
}

/// Whether a process still runs after a time in which any server stops. Nobody may have collected it yet: a
/// zombie has no command line.
fn outlives(process: Pid) -> bool {
    let command_line = format!("/proc/{process}/cmdline");
    for _ in 0..600 {
        if std::fs::read(&command_line).unwrap_or_default().is_empty() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// What the holder says when it cannot start a server from the programs in that directory.
fn failure(programs: &Path, key: &str) -> String {
    let mut command = holder_command(Engine::Postgres, key, "wait");
    let output = command.env("LOCKKEEPER_PG_BIN", programs).env("LOCKKEEPER_TMP", "/tmp").output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path();
    std::fs::set_permissions(programs, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(failure(programs, &key("none")).contains("LOCKKEEPER_PG_BIN: no `initdb` and `postgres` in"));

    for (name, script) in [
        ("postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 0.0'\n"),
        ("initdb", "#!/bin/sh\necho 'initdb: error: out of luck' >&2\nexit 1\n"),
    ] {
        std::fs::write(programs.join(name), script).unwrap();
        std::fs::set_permissions(programs.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let key = key("luck");
    let said = failure(programs, &key);
    assert!(said.contains("the temporary postgres server did not start"), "{said}");
    assert!(said.contains("initdb: error: out of luck"), "{said}");
    let base = format!("/tmp/lockkeeper-{}", nix::unistd::geteuid());
    let left: Vec<_> = std::fs::read_dir(base)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(&key))
        .collect();
    assert_eq!(left, [""; 0]);
}
