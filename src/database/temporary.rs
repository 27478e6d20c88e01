//! Temporary servers from the binaries found on this machine: for tests, `demo` and shadow databases.
//!
//! A server listens on a socket in a directory of its own and never on the network. Whoever uses it holds a
//! shared file lock, which the kernel lets go of however the process ends; the reaper, a process of its own and
//! the server's parent, waits for the exclusive lock, stops the server and removes the directory.
//!
//! ```text
//! BASE/postgres.start         held while a server is found, joined or started: one at a time
//! BASE/postgres-KEY.hold      shared: a user; exclusive: the reaper, while it tears down
//! BASE/postgres-KEY.reaper    exclusive: a reaper is alive
//! BASE/postgres-KEY/          data directory, socket, log
//! BASE/template-...           a data directory as initdb makes it, copied for every server
//! ```

mod engine;
mod reaper;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use url::Url;

use super::{Session, connect};
use crate::error::{Error, Kind, Result};
use crate::sql::Dialect;

pub use engine::Engine;
pub use reaper::reap;

/// The hidden command that runs the reaper.
pub const REAP_COMMAND: &str = "__reap";

/// Who shares a temporary server, and for how long it stays when nobody does.
#[derive(Debug, Clone)]
pub struct Share {
    /// Processes that name the same key use the same server.
    pub key: String,
    /// How long the server waits for another user after the last one left.
    pub linger: Duration,
    /// The binary that knows the reaper's command.
    pub reaper: PathBuf,
}

impl Share {
    /// A server of this process alone, gone when the process is.
    ///
    /// # Errors
    /// A system that does not tell where our own binary is.
    pub fn none() -> Result<Self> {
        let reaper = std::env::current_exe()
            .map_err(|error| trouble("the path of lockkeeper's own binary is not known").because(error))?;
        Ok(Self { key: std::process::id().to_string(), linger: Duration::ZERO, reaper })
    }
}

/// A running server; it stays as long as this value, or another process with the same key, does.
#[derive(Debug)]
pub struct Server {
    pub engine: Engine,
    /// As the binary says it: `PostgreSQL 15.18`.
    pub version: String,
    /// Socket, data and log.
    pub directory: PathBuf,
    _hold: File,
}

impl Server {
    /// The URL of a database on this server, as its superuser.
    pub fn url(&self, database: &str) -> String {
        let (base, parameter, socket) = match self.engine {
            Engine::Postgres => ("postgres://postgres@localhost", "host", self.directory.clone()),
            Engine::Mariadb => ("mysql://root@localhost", "socket", self.directory.join(engine::MARIADB_SOCKET)),
        };
        let mut url = Url::parse(base).expect("the text is a URL");
        url.set_path(database);
        url.query_pairs_mut().append_pair(parameter, &socket.to_string_lossy());
        url.to_string()
    }

    /// Creates a database and gives its URL.
    ///
    /// # Errors
    /// What the server said.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let (admin, dialect) = match self.engine {
            Engine::Postgres => ("postgres", Dialect::Postgres),
            Engine::Mariadb => ("mysql", Dialect::Mysql),
        };
        let mut session = connect(&self.url(admin), "lockkeeper").await?;
        session
            .execute(&format!("CREATE DATABASE {}", dialect.quote(name)), &[])
            .await
            .map_err(|error| trouble(format!("could not create the database `{name}`")).because(error))?;
        Ok(self.url(name))
    }
}

/// Joins the server of `share`, or starts it.
///
/// # Errors
/// No binaries on this machine, with the package that has them; or what kept the server from starting.
pub fn start(engine: Engine, share: &Share) -> Result<Server> {
    let programs = engine::Programs::find(engine)?;
    let place = Place::new(base(engine)?, engine, &share.key);
    let _one_at_a_time = lock_file(&place.base.join(format!("{engine}.start")), Lock::Exclusive)?;
    place.sweep();
    // From here on the reaper, this one or a living one, leaves the server to us.
    let hold = lock_file(&place.hold(), Lock::Shared)?;
    if place.reaper_lives() {
        place.await_ready()?;
    } else {
        place.clear();
        spawn_reaper(engine, &place, share)?;
    }
    Ok(Server { engine, version: programs.version, directory: place.directory(), _hold: hold })
}

/// Starts the reaper, which starts the server, and waits for its one word.
fn spawn_reaper(engine: Engine, place: &Place, share: &Share) -> Result<()> {
    let mut reaper = Command::new(&share.reaper)
        .arg(REAP_COMMAND)
        .arg(engine.name())
        .arg(&place.base)
        .arg(&place.key)
        .arg(share.linger.as_millis().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Ctrl-c reaches the processes of the terminal's group: the reaper has to outlive them.
        .process_group(0)
        .spawn()
        .map_err(|error| trouble(format!("could not start `{}`", share.reaper.display())).because(error))?;
    let mut answer = String::new();
    let mut stdout = BufReader::new(reaper.stdout.take().expect("stdout is piped"));
    let read = stdout.read_line(&mut answer);
    if read.is_ok() && answer == READY {
        // It outlives us; whoever is alive then waits for it.
        std::thread::spawn(move || reaper.wait());
        return Ok(());
    }
    let _ = stdout.read_to_string(&mut answer);
    let _ = reaper.wait();
    let why = if answer.trim().is_empty() { "its reaper ended without a word" } else { answer.trim() };
    Err(trouble(format!("the temporary {engine} server did not start")).because(why))
}

/// What the reaper says when the server answers.
const READY: &str = "ready\n";

/// Where one server and its locks live.
struct Place {
    base: PathBuf,
    engine: Engine,
    key: String,
}

impl Place {
    fn new(base: PathBuf, engine: Engine, key: &str) -> Self {
        // The key becomes part of a socket's path, which has about a hundred bytes.
        let key = key.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(36).collect();
        Self { base, engine, key }
    }

    fn named(&self, suffix: &str) -> PathBuf {
        self.base.join(format!("{}-{}{suffix}", self.engine, self.key))
    }

    fn directory(&self) -> PathBuf {
        self.named("")
    }

    fn hold(&self) -> PathBuf {
        self.named(".hold")
    }

    fn reaper(&self) -> PathBuf {
        self.named(".reaper")
    }

    /// Written when the server answers.
    fn ready(&self) -> PathBuf {
        self.directory().join("ready")
    }

    fn reaper_lives(&self) -> bool {
        File::open(self.reaper())
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }

    /// A reaper whose starter was killed is still at work.
    fn await_ready(&self) -> Result<()> {
        while !self.ready().exists() {
            if !self.reaper_lives() {
                return Err(trouble(format!("the temporary {} server did not start", self.engine)));
            }
            std::thread::sleep(engine::POLL);
        }
        Ok(())
    }

    /// Removes what servers left behind whose reaper was killed. Under the start lock.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.base) else { return };
        let prefix = format!("{}-", self.engine);
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(key) = name.strip_prefix(&prefix) else { continue };
            let other = Self::new(self.base.clone(), self.engine, key);
            let unheld = File::create(other.hold()).is_ok_and(|hold| hold.try_lock().is_ok());
            if unheld && !other.reaper_lives() {
                other.clear();
                let _ = fs::remove_file(other.hold());
            }
        }
    }

    /// Kills what still runs in a directory without a reaper, and removes it.
    fn clear(&self) {
        engine::kill_leftover(self.engine, &self.directory());
        let _ = fs::remove_dir_all(self.directory());
        let _ = fs::remove_file(self.reaper());
    }
}

/// The directory of all temporary servers of this user; `LOCKKEEPER_TMP` or the system's temporary directory.
/// Other users must not be able to put their own in its place.
fn base(engine: Engine) -> Result<PathBuf> {
    let uid = nix::unistd::geteuid();
    let parent = std::env::var_os("LOCKKEEPER_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
    let parent = std::path::absolute(&parent).unwrap_or(parent);
    let parent = if parent.as_os_str().len() > LONGEST_PARENT { PathBuf::from("/tmp") } else { parent };
    let base = parent.join(format!("lockkeeper-{uid}"));
    // The account that root's servers run as has to pass.
    let mode = if uid.is_root() { 0o711 } else { 0o700 };
    let made = fs::DirBuilder::new().mode(mode).create(&base);
    let ours = fs::symlink_metadata(&base)
        .is_ok_and(|found| found.is_dir() && found.uid() == uid.as_raw() && found.mode() & 0o022 == 0);
    match made {
        _ if ours => Ok(base),
        Err(error) if !base.exists() => {
            Err(trouble(format!("no directory `{}` for a temporary {engine} server", base.display())).because(error))
        }
        _ => Err(trouble(format!("`{}` belongs to somebody else", base.display()))
            .hint("set LOCKKEEPER_TMP to a directory of your own, with a short path")),
    }
}

/// A socket's path has 103 bytes on every system; what we add to the parent has at most 82.
const LONGEST_PARENT: usize = 21;

enum Lock {
    Shared,
    Exclusive,
}

/// Takes a lock, waiting for it; again when the file was removed by the one who had it.
fn lock_file(path: &Path, lock: Lock) -> Result<File> {
    let failed = |error: std::io::Error| trouble(format!("could not lock `{}`", path.display())).because(error);
    loop {
        let file = File::options().create(true).append(true).open(path).map_err(failed)?;
        match lock {
            Lock::Shared => file.lock_shared().map_err(failed)?,
            Lock::Exclusive => file.lock().map_err(failed)?,
        }
        let locked = file.metadata().map_err(failed)?.ino();
        if fs::metadata(path).is_ok_and(|named| named.ino() == locked) {
            return Ok(file);
        }
    }
}

fn trouble(message: impl Into<String>) -> Error {
    Error::new(Kind::Connection, message)
}

/// What a server's log or a program's output says is wrong; without a word like that, its last lines.
fn complaint(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let wrong = |line: &&str| ["error", "fatal"].iter().any(|word| line.to_ascii_lowercase().contains(word));
    let mut told: Vec<&str> = lines.iter().copied().filter(wrong).take(3).collect();
    if told.is_empty() {
        told = lines[lines.len().saturating_sub(3)..].to_vec();
    }
    told.join("; ")
}

/// Writes a file in one go, for those who poll for its being there.
fn mark(path: &Path) -> Result<()> {
    File::create(path)
        .and_then(|mut file| file.write_all(b""))
        .map_err(|error| trouble(format!("could not write `{}`", path.display())).because(error))
}
