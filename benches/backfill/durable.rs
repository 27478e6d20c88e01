//! Servers as in production: what is committed is on the disk. They are this process's children and end with it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::sql::Dialect;
use nix::unistd::{User, geteuid};
use std::os::unix::fs::chown;

/// A running server with a database `bench`.
pub(crate) struct Durable {
    pub(crate) dialect: Dialect,
    pub(crate) version: String,
    pub(crate) url: String,
    directory: tempfile::TempDir,
    server: Child,
}

impl Drop for Durable {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Durable {
    pub(crate) fn postgres() -> Result<Self, String> {
        let programs =
            std::env::var("LOCKKEEPER_PG_BIN").map_or_else(|_| newest("/usr/lib/postgresql"), |bin| Ok(bin.into()))?;
        let directory = place("postgres")?;
        let data = directory.path().join("data");
        let mut initialize = command(&programs.join("initdb"), "postgres");
        run(initialize.arg("-D").arg(&data).args(["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C"]))?;
        let mut server = command(&programs.join("postgres"), "postgres");
        server.arg("-D").arg(&data).arg("-k").arg(directory.path());
        for setting in ["listen_addresses=", "shared_buffers=512MB", "max_wal_size=4GB", "autovacuum=off", "fsync=on"] {
            server.args(["-c", setting]);
        }
        let url = format!("postgres://postgres@localhost/postgres?host={}", directory.path().display());
        let version = version(&programs.join("postgres"))?;
        Self::ready(Dialect::Postgres, version, url, directory, server.stdout(Stdio::null()))
    }

    pub(crate) fn mariadb() -> Result<Self, String> {
        let directory = place("mysql")?;
        let data = directory.path().join("data");
        let mut initialize = command(Path::new("mariadb-install-db"), "mysql");
        let plain = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"];
        run(initialize.args(plain).arg(format!("--datadir={}", data.display())))?;
        let mut server = command(Path::new("/usr/sbin/mariadbd"), "mysql");
        server.args([
            "--no-defaults",
            "--skip-networking",
            "--innodb-buffer-pool-size=512M",
            "--innodb-log-file-size=512M",
        ]);
        server.arg(format!("--datadir={}", data.display()));
        server.arg(format!("--socket={}", directory.path().join("mysql.sock").display()));
        let socket = directory.path().join("mysql.sock");
        let url = format!("mysql://root@localhost/mysql?socket={}", socket.display());
        let version = version(Path::new("/usr/sbin/mariadbd"))?;
        Self::ready(Dialect::Mysql, version, url, directory, server.stdout(Stdio::null()))
    }

    /// Where the MariaDB server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("mysql.sock")
    }

    fn ready(
        dialect: Dialect,
        version: String,
        url: String,
        directory: tempfile::TempDir,
        server: &mut Command,
    ) -> Result<Self, String> {
        let server = server.spawn().map_err(|error| error.to_string())?;
        let mut this = Self { dialect, version, url, directory, server };
        let admin = this.url.clone();
        let made = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().map_err(|error| error.to_string())?.block_on(make(&admin))
        });
        made.join().map_err(|_| "the server could not be asked".to_string())??;
        this.url = this.url.replace("/postgres?", "/bench?").replace("/mysql?", "/bench?");
        Ok(this)
    }
}

/// Waits for the server, and makes the database.
async fn make(url: &str) -> Result<(), String> {
    use lockkeeper::database::Session;
    let mut said = String::new();
    for _ in 0..300 {
        match lockkeeper::database::connect(url, "bench").await {
            Ok(mut session) => {
                return session
                    .execute("CREATE DATABASE bench", &[])
                    .await
                    .map(drop)
                    .map_err(|error| error.to_string());
            }
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(said)
}

/// A directory on the disk, of the account that the server runs as.
fn place(account: &str) -> Result<tempfile::TempDir, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    if let Some(user) = account_of(account) {
        chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(|error| error.to_string())?;
    }
    Ok(directory)
}

/// Both servers refuse to run as root.
fn account_of(name: &str) -> Option<User> {
    let named = |name| User::from_name(name).ok().flatten();
    if geteuid().is_root() { named(name).or_else(|| named("nobody")) } else { None }
}

fn command(program: &Path, account: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C").stderr(Stdio::null());
    if let Some(user) = account_of(account) {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::null()).status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

fn version(program: &Path) -> Result<String, String> {
    let output = Command::new(program).arg("--version").output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The directory of the newest version's programs.
fn newest(parent: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(parent).map_err(|_| "no PostgreSQL server programs".to_string())?;
    let versions = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    versions
        .max()
        .map(|version| Path::new(parent).join(version.to_string()).join("bin"))
        .ok_or_else(|| "no PostgreSQL".into())
}
