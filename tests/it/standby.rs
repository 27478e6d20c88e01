//! A PostgreSQL primary with standbys, for a test of its own: the shared server replicates to nobody, and a lag on
//! it would be every other test's.
//!
//! A shell holds the server and reads from us; when we are gone, however that came about, it stops the server and
//! removes its directory.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::database::temporary::Engine;
use nix::unistd::{User, geteuid};

use super::servers;

/// A running server, gone with this value.
pub(crate) struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    keeper: Child,
}

/// Stops the server by this signal when its standard input ends, and starts it again for a line with a signal. The
/// server itself has no input.
pub(crate) const KEEP: &str = r#"trap "" INT; signal=$1; d=$2; shift 2; "$@" & server=$!; while read with; do kill -$with $server; wait $server; "$@" & server=$!; done; kill -$signal $server; wait $server; rm -rf "$d""#;

impl Cluster {
    /// A primary that standbys may follow, with these settings besides; `None` where the machine cannot.
    pub(crate) async fn primary(settings: &[&str]) -> Option<Self> {
        // Says SKIP, or fails, as for every other test.
        servers::temporary(Engine::Postgres)?;
        let programs = programs()?;
        let directory = directory("postgres");
        let data = directory.join("data");
        let mut initialize = as_postgres(&programs.join("initdb"));
        initialize.arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        succeed(&mut initialize);
        Some(Self::serve(programs, directory, settings).await)
    }

    /// A standby that follows this server under this name, through a slot of the same name.
    pub(crate) async fn standby(&self, name: &str, settings: &[&str]) -> Self {
        let directory = directory("postgres");
        let mut copy = as_postgres(&self.programs.join("pg_basebackup"));
        copy.arg("-D").arg(directory.join("data")).args([
            "-X",
            "stream",
            "--checkpoint=fast",
            "--no-sync",
            "-R",
            "-C",
            "-S",
            name,
        ]);
        copy.arg("-d").arg(format!("host={} user=postgres application_name={name}", self.directory.display()));
        succeed(&mut copy);
        Self::serve(self.programs.clone(), directory, settings).await
    }

    /// The URL of a database on it, as its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.display())
    }

    /// Stops the server as a crash does, and starts it again.
    pub(crate) async fn crash(&self) {
        let before = self.state().first().cloned();
        writeln!(self.keeper.stdin.as_ref().unwrap(), "QUIT").unwrap();
        self.ready(before.as_deref()).await;
    }

    /// The lines of the file in which the server says what it is: its process first.
    fn state(&self) -> Vec<String> {
        let state = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap_or_default();
        state.lines().map(|line| line.trim().to_string()).collect()
    }

    /// Waits until a server is there, of another process than `before`.
    async fn ready(&self, before: Option<&str>) {
        for _ in 0..2_000 {
            let state = self.state();
            // Its eighth line says so; a standby's when it can be read.
            if state.get(7).is_some_and(|line| line == "ready") && state.first().map(String::as_str) != before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", std::fs::read_to_string(self.directory.join("log")).unwrap_or_default());
    }

    async fn serve(programs: PathBuf, directory: PathBuf, settings: &[&str]) -> Self {
        let mut keeper = as_postgres(Path::new("sh"));
        keeper.args(["-c", KEEP, "keep", "QUIT"]).arg(&directory).arg(programs.join("postgres"));
        keeper.arg("-D").arg(directory.join("data")).arg("-k").arg(&directory);
        let ours = ["listen_addresses=", "fsync=off", "wal_level=replica", "max_wal_senders=8", "shared_buffers=16MB"];
        for setting in ours.iter().chain(settings) {
            keeper.args(["-c", setting]);
        }
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let cluster = Self { programs, directory, keeper };
        cluster.ready(None).await;
        cluster
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// As this account where we are root, which servers refuse to run as.
pub(crate) fn as_account(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C").process_group(0);
    if let Some(user) = account(name) {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn as_postgres(program: &Path) -> Command {
    as_account(program, "postgres")
}

/// The account under which a server runs where we are root.
pub(crate) fn account(name: &str) -> Option<User> {
    let named = |name| User::from_name(name).ok().flatten();
    geteuid().is_root().then(|| named(name).or_else(|| named("nobody")).expect("an account for servers"))
}

/// A directory with a short path, for the socket, that the server's account owns.
pub(crate) fn directory(name: &str) -> PathBuf {
    let parent = std::env::var_os("LOCKKEEPER_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::Builder::new().prefix("lk-").tempdir_in(parent).unwrap().keep();
    if let Some(user) = account(name) {
        std::os::unix::fs::chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    directory
}

pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where PostgreSQL's programs are, the newest where there are several.
fn programs() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("LOCKKEEPER_PG_BIN") {
        return Some(directory.into());
    }
    let major = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|path| path.join("pg_basebackup").exists()).max_by_key(major)
}
