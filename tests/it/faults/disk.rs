//! A disk that is full in the middle of a backfill: the run says so and stops, what is written and what the ledger
//! says of it are the same, and when there is room the same command goes on.

use std::path::Path;
use std::process::Command;

use lockkeeper::database::{self, Session, Value};
use lockkeeper::sql::Dialect;
use nix::unistd::{getgid, getuid};

use crate::run::{Change, expect};
use crate::servers::{self, TestDatabase};
use crate::standby::{Cluster, account};

/// A small file system in memory, gone with this value.
struct Small {
    directory: tempfile::TempDir,
}

impl Small {
    /// For files of this account; `None` where we may not mount.
    fn mount(name: &str) -> Option<Self> {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let user = account(name);
        let (uid, gid) = user.map_or((getuid(), getgid()), |user| (user.uid, user.gid));
        // Parents that only we may enter would keep the account out.
        let options = format!("size=3m,uid={uid},gid={gid},mode=700");
        let small = Self { directory };
        if small.root(&["mount", "-t", "tmpfs", "-o", &options, "small"], true) {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(small.directory.path(), open).unwrap();
            return Some(small);
        }
        servers::tell("SKIP: no full disk for this test: nothing can be mounted");
        None
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn grow(&self) {
        assert!(self.root(&["mount", "-o", "remount,size=64m"], true));
    }

    /// A command for this place, as root or by leave of sudo; whether it went well.
    fn root(&self, command: &[&str], quietly: bool) -> bool {
        let sudo = if nix::unistd::geteuid().is_root() { &[][..] } else { &["sudo", "-n"] };
        let words = [sudo, command].concat();
        let output = Command::new(words[0]).args(&words[1..]).arg(self.path()).output();
        let done = output.as_ref().is_ok_and(|output| output.status.success());
        assert!(done || quietly, "{output:?}");
        done
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.root(&["umount", "-l"], true);
    }
}

const ROWS: i64 = 8_000;

/// A backfill of `t`, for which there is no room; `ledger` is what its tables' names begin with.
async fn fills_the_disk(database: TestDatabase, small: Small, create: &str, ledger: &str) {
    let mut session = database::connect(&database.url, "test set-up").await.unwrap();
    let (dialect, long) = match session.dialect() {
        Dialect::Sqlite => (Dialect::Sqlite, "hex(zeroblob(200))"),
        dialect => (dialect, "repeat('x', 400)"),
    };
    session.execute(create, &[]).await.unwrap();
    for from in (0..ROWS).step_by(1_000) {
        let rows: Vec<String> = (from..from + 1_000).map(|id| format!("({id})")).collect();
        session.execute(&format!("INSERT INTO t (id) VALUES {}", rows.join(", ")), &[]).await.unwrap();
    }
    let mut change = Change::empty(database);
    change.named("0044_long");
    change.write("expand.sql", "ALTER TABLE t ADD COLUMN long_text varchar(400);\n");
    change.write("backfill.sql", &format!("UPDATE t SET long_text = {long};\n"));
    change.write(
        "change.toml",
        &format!("dialect = \"{dialect}\"\n[backfill]\nbatch-rows = 200\nbatch-time = \"1ms\"\n"),
    );
    let words = ["step backfill.1 (backfill.sql:1): the database has no room left", "hint: make room on its disk"];
    expect(&change.say(&["run"]), 4, &words);
    let counted = format!(
        "SELECT (SELECT count(*) FROM t WHERE long_text IS NOT NULL), CAST((SELECT sum(rows_done) FROM {ledger}step)
             + coalesce((SELECT sum(rows_done) FROM {ledger}range), 0) AS {})",
        if dialect == Dialect::Mysql { "signed" } else { "bigint" }
    );
    let rows = session.query(&counted, &[]).await.unwrap();
    let [Value::Int(filled), Value::Int(told)] = rows[0][..] else { panic!("{rows:?}") };
    assert!(0 < filled && filled < ROWS && filled == told, "{filled} rows are filled, the ledger says {told}");
    // Still no room, still the same answer.
    expect(&change.say(&["run"]), 4, &words);
    small.grow();
    expect(&change.say(&["run"]), 0, &["(going on)", "finished"]);
    let rows = session.query(&counted, &[]).await.unwrap();
    assert_eq!(rows, [[Value::Int(ROWS), Value::Int(ROWS)]]);
    session.execute("DROP TABLE t", &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_on_postgres() {
    let Some(small) = Small::mount("postgres") else { return };
    let Some(cluster) = Cluster::primary(&[]).await else { return };
    let mut session = database::connect(&cluster.url("postgres"), "test set-up").await.unwrap();
    let tablespace = format!("CREATE TABLESPACE small LOCATION '{}'", small.path().display());
    session.execute(&tablespace, &[]).await.unwrap();
    let database = TestDatabase::at(cluster.url("postgres"));
    fills_the_disk(database, small, "CREATE TABLE t (id int PRIMARY KEY) TABLESPACE small", "lockkeeper.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let Some(small) = Small::mount("mysql") else { return };
    let create =
        format!("CREATE TABLE t (id int PRIMARY KEY) ENGINE=InnoDB DATA DIRECTORY='{}'", small.path().display());
    fills_the_disk(database, small, &create, "lockkeeper_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_on_sqlite() {
    let Some(small) = Small::mount("nobody") else { return };
    let file = small.path().join("test.db");
    std::fs::write(&file, "").unwrap();
    let database = TestDatabase::at(format!("sqlite:{}", file.display()));
    fills_the_disk(database, small, "CREATE TABLE t (id integer PRIMARY KEY)", "lockkeeper_").await;
}
