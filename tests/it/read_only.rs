//! Where nothing can be written nothing is begun: a standby, a read-only server, database or file. A standby that was
//! promoted is the database in which the change began, and the change goes on there.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::database::temporary::{Engine, Share, start};
use lockkeeper::database::{self, Connection, Session, Value};
use lockkeeper::sql::Dialect;
use nix::unistd::User;

use super::run::{Change, expect};
use super::servers::{self, TestDatabase};

/// What every one of them says.
const REFUSED: &str = "the ledger cannot be written in this database";

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_refused_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let name = database.name().to_string();
    let change = Change::rename(database, Dialect::Postgres, 10).await;
    let set = |value| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    change.session().await.execute(&set("on"), &[]).await.unwrap();
    expect(&change.say(&["run"]), 2, &[REFUSED, "cause: default_transaction_read_only is on", "hint: turn it off"]);
    let mut session = change.session().await;
    session.execute("SET default_transaction_read_only = off", &[]).await.unwrap();
    session.execute(&set("off"), &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_is_refused_on_sqlite() {
    let mut change = Change::rename(servers::sqlite(), Dialect::Sqlite, 10).await;
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    change.database.url.push_str("?mode=ro");
    expect(&change.say(&["run"]), 2, &[REFUSED, "cause: the file cannot be written", "hint: this user needs to write"]);
    expect(&change.say(&["approve", "--reason", "a test"]), 2, &[REFUSED]);
    expect(&change.say(&["status"]), 0, &["gate approval: pending"]);
}

/// Also to an account that might write all the same, which would part a replica from its primary.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_refused_on_mariadb() {
    let share = Share {
        key: format!("readonly-{}", std::process::id()),
        linger: Duration::ZERO,
        reaper: env!("CARGO_BIN_EXE_lockkeeper").into(),
    };
    let server = match start(Engine::Mariadb, &share) {
        Ok(server) => server,
        Err(error) => return servers::skip(&Engine::Mariadb, &error.to_string()),
    };
    let url = server.create_database("shop").await.unwrap();
    let change = Change::rename(TestDatabase::at(url), Dialect::Mysql, 10).await;
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    let mut session = change.session().await;
    session.execute("SET GLOBAL read_only = 1", &[]).await.unwrap();
    expect(&change.say(&["run"]), 2, &[REFUSED, "cause: read_only is ON", "hint: connect to the primary"]);
    session.execute("SET GLOBAL read_only = 0", &[]).await.unwrap();
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
}

/// Two PostgreSQL servers of one test's own.
struct Pair {
    directory: tempfile::TempDir,
    programs: PathBuf,
    servers: Vec<Child>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        for server in &self.servers {
            // At once, also for its children.
            let pid = nix::unistd::Pid::from_raw(i32::try_from(server.id()).unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        }
        for server in &mut self.servers {
            let _ = server.wait();
        }
    }
}

impl Pair {
    /// `None` where PostgreSQL's programs are missing, which is told.
    fn new() -> Option<Self> {
        let mut places: Vec<PathBuf> = std::env::var_os("LOCKKEEPER_PG_BIN").into_iter().map(PathBuf::from).collect();
        places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        places.extend(versions.map(|entry| entry.path().join("bin")));
        let all_there =
            |place: &PathBuf| ["initdb", "postgres", "pg_basebackup"].iter().all(|one| place.join(one).is_file());
        let Some(programs) = places.into_iter().find(all_there) else {
            servers::skip(&"PostgreSQL standby", "no `initdb`, `postgres` and `pg_basebackup` in one place");
            return None;
        };
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        if let Some(user) = account() {
            std::os::unix::fs::chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        Some(Self { directory, programs, servers: Vec::new() })
    }

    fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        if let Some(user) = account() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str], data: &Path) {
        let output = self.command(program).arg("-D").arg(data).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the server of a data directory and gives its URL, once it answers.
    async fn serve(&mut self, name: &str, port: &str) -> String {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data(name)).arg("-k").arg(self.directory.path()).args(["-p", port]);
        for setting in
            ["listen_addresses=", "fsync=off", "wal_level=replica", "max_wal_senders=3", "max_connections=20"]
        {
            command.args(["-c", setting]);
        }
        self.servers.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let url = format!("postgres://postgres@localhost:{port}/postgres?host={}", self.directory.path().display());
        while database::connect(&url, "test").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        url
    }
}

/// PostgreSQL refuses to run as root.
fn account() -> Option<User> {
    let name = |name| User::from_name(name).ok().flatten();
    nix::unistd::geteuid().is_root().then(|| name("postgres").or_else(|| name("nobody")).unwrap())
}

async fn yes(session: &mut Connection, sql: &str) -> bool {
    session.query(sql, &[]).await.unwrap() == [[Value::Int(1)]]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_and_goes_on_when_it_is_promoted() {
    let Some(mut pair) = Pair::new() else { return };
    pair.run(
        "initdb",
        &["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"],
        &pair.data("primary"),
    );
    let primary = pair.serve("primary", "5432").await;
    let mut change = Change::rename(TestDatabase::at(primary), Dialect::Postgres, 500).await;
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    let socket = pair.directory.path().to_str().unwrap();
    pair.run(
        "pg_basebackup",
        &["-h", socket, "-p", "5432", "-U", "postgres", "-X", "stream", "-R", "-c", "fast", "--no-sync"],
        &pair.data("standby"),
    );
    change.database.url = pair.serve("standby", "5433").await;
    let words = [REFUSED, "cause: it is a standby", "hint: connect to its primary"];
    expect(&change.say(&["run"]), 2, &words);
    expect(&change.say(&["approve", "--reason", "a test"]), 2, &words);
    expect(&change.say(&["status"]), 0, &["backfill.1   done", "gate approval: pending"]);
    let mut session = change.session().await;
    assert!(yes(&mut session, "SELECT pg_promote()").await);
    expect(&change.say(&["run"]), 3, &["gate approval: pending"]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
}
