//! The two servers that can be started: where their programs are, and how they are called.

use std::fmt;
use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use super::trouble;
use crate::error::{Error, Result};

/// How often a server that starts is looked at.
pub(super) const POLL: Duration = Duration::from_millis(5);

/// The socket's name in a MariaDB server's directory.
pub(super) const MARIADB_SOCKET: &str = "mysql.sock";

/// A server that can be started temporarily.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Mariadb,
}

impl Engine {
    /// Its name in directories and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }

    /// The engine of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Postgres, Self::Mariadb].into_iter().find(|engine| engine.name() == name)
    }

    /// How its server is asked to stop at once: the data directory goes anyway.
    pub(super) fn stop_signal(self) -> Signal {
        match self {
            // The postmaster tells its children and frees its shared memory.
            Self::Postgres => Signal::SIGQUIT,
            Self::Mariadb => Signal::SIGKILL,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An engine's programs on this machine.
#[derive(Debug)]
pub(super) struct Programs {
    engine: Engine,
    initialize: PathBuf,
    server: PathBuf,
    /// `PostgreSQL 15.18`.
    pub(super) version: String,
}

impl Programs {
    /// Finds them, the newest where a system keeps several.
    pub(super) fn find(engine: Engine) -> Result<Self> {
        let (initialize, server) = match engine {
            Engine::Postgres => postgres_programs()?,
            Engine::Mariadb => mariadb_programs()?,
        };
        let output = Command::new(&server).arg("--version").output();
        let output = output.map_err(|error| trouble(format!("could not run `{}`", server.display())).because(error))?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = output.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').find(|word| {
            word.starts_with(|c: char| c.is_ascii_digit())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        });
        let product = match engine {
            Engine::Postgres => "PostgreSQL",
            Engine::Mariadb => "MariaDB",
        };
        let version = format!("{product} {}", number.unwrap_or("of unknown version"));
        Ok(Self { engine, initialize, server, version })
    }

    /// Makes a fresh data directory; run once per version and account.
    pub(super) fn initialize(&self, data: &Path, account: Option<&User>) -> Command {
        let mut command = as_account(&self.initialize, account);
        match self.engine {
            Engine::Postgres => command.arg("-D").arg(data).args([
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "--wal-segsize=1",
            ]),
            Engine::Mariadb => command
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .args(["--skip-name-resolve", "--innodb-log-file-size=4M"])
                .arg(format!("--datadir={}", data.display())),
        };
        command
    }

    /// The server on that data directory, with its socket in `directory`. It may forget everything when the
    /// machine loses power: nobody will ask.
    pub(super) fn serve(&self, directory: &Path, data: &Path, account: Option<&User>) -> Command {
        let mut command = as_account(&self.server, account);
        match self.engine {
            Engine::Postgres => {
                command.arg("-D").arg(data).arg("-k").arg(directory);
                for setting in POSTGRES_SETTINGS {
                    command.args(["-c", setting]);
                }
            }
            Engine::Mariadb => {
                command
                    .arg("--no-defaults")
                    .arg(format!("--datadir={}", data.display()))
                    .arg(format!("--tmpdir={}", directory.display()))
                    .arg(format!("--socket={}", directory.join(MARIADB_SOCKET).display()))
                    .arg(format!("--pid-file={}", pid_file(self.engine, directory).display()))
                    .args(MARIADB_SETTINGS);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

const POSTGRES_SETTINGS: &[&str] = &[
    "listen_addresses=",
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "shared_buffers=32MB",
    "autovacuum=off",
];

const MARIADB_SETTINGS: &[&str] = &[
    "--skip-networking",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--max-connections=200",
    "--performance-schema=off",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=64M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
];

/// Whether the server answers.
pub(super) fn answers(engine: Engine, directory: &Path, data: &Path) -> bool {
    match engine {
        // Its socket takes connections before the server does; pg_ctl looks here, too.
        Engine::Postgres => fs::read_to_string(data.join("postmaster.pid"))
            .is_ok_and(|pid| pid.lines().nth(7).is_some_and(|status| status.trim() == "ready")),
        Engine::Mariadb => UnixStream::connect(directory.join(MARIADB_SOCKET)).is_ok(),
    }
}

/// The account that a server started by root runs as, since both refuse root; `None` for an ordinary user.
pub(super) fn account(engine: Engine) -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let own = match engine {
        Engine::Postgres => "postgres",
        Engine::Mariadb => "mysql",
    };
    match [own, "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten()) {
        Some(user) => Ok(Some(user)),
        None => Err(trouble(format!("{engine} refuses to run as root, and there is no account `{own}` or `nobody`"))
            .hint("run this as an ordinary user")),
    }
}

fn as_account(program: &Path, account: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

fn postgres_programs() -> Result<(PathBuf, PathBuf)> {
    let programs = |directory: &Path| {
        let (initialize, server) = (directory.join("initdb"), directory.join("postgres"));
        (initialize.is_file() && server.is_file()).then_some((initialize, server))
    };
    if let Some(directory) = std::env::var_os("LOCKKEEPER_PG_BIN") {
        let directory = PathBuf::from(directory);
        return programs(&directory).ok_or_else(|| {
            trouble(format!("LOCKKEEPER_PG_BIN: no `initdb` and `postgres` in `{}`", directory.display()))
        });
    }
    let kept = [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ];
    let kept = kept.iter().flat_map(|(parent, prefix, bin)| versions(Path::new(parent), prefix, bin));
    search_path().into_iter().chain(kept).find_map(|directory| programs(&directory)).ok_or_else(|| {
        missing("PostgreSQL", "postgresql-common postgresql")
            .hint("or set LOCKKEEPER_PG_BIN to the directory of `initdb`")
    })
}

/// `parent/PREFIX15/bin`, the highest version first.
fn versions(parent: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(bin)))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, directory)| directory).collect()
}

fn mariadb_programs() -> Result<(PathBuf, PathBuf)> {
    let mut directories = search_path();
    // An ordinary user's PATH may lack the directory of servers.
    directories.extend(["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let find = |program| directories.iter().map(|directory| directory.join(program)).find(|path| path.is_file());
    // The last one, which the first one calls, comes with the client programs.
    match (find("mariadb-install-db"), find("mariadbd"), find("my_print_defaults")) {
        (Some(initialize), Some(server), Some(_)) => Ok((initialize, server)),
        _ => Err(missing("MariaDB", "mariadb-server-core mariadb-client-core")),
    }
}

fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn missing(product: &str, package: &str) -> Error {
    trouble(format!("no {product} server programs on this machine"))
        .hint(format!("on Debian and Ubuntu: sudo apt-get install {package}"))
}

fn pid_file(engine: Engine, directory: &Path) -> PathBuf {
    match engine {
        Engine::Postgres => directory.join("data/postmaster.pid"),
        Engine::Mariadb => directory.join("server.pid"),
    }
}

/// Kills the server of a directory whose reaper is gone, if the process of its pid file is really that server.
pub(super) fn kill_leftover(engine: Engine, directory: &Path) {
    let Ok(text) = fs::read_to_string(pid_file(engine, directory)) else { return };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else { return };
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command_line).contains(&*directory.to_string_lossy()) {
        let _ = kill(Pid::from_raw(pid), engine.stop_signal());
    }
}
