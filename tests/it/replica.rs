//! A MariaDB primary with a replica, for a test of its own, kept and stopped as `standby` does it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockkeeper::database::temporary::Engine;
use lockkeeper::database::{Connection, Session, connect};

use super::servers;
use super::standby::{KEEP, as_account, directory, succeed};

/// Both servers, gone with this value.
pub(crate) struct Replicated {
    primary: PathBuf,
    replica: PathBuf,
    keepers: [Child; 2],
}

const ACCOUNT: &str = "mysql";

impl Replicated {
    /// A replica that has caught up with its primary; `None` where the machine cannot.
    pub(crate) async fn start() -> Option<Self> {
        // Says SKIP, or fails, as for every other test.
        servers::temporary(Engine::Mariadb)?;
        let (primary, replica) = (directory(ACCOUNT), directory(ACCOUNT));
        let mut initialize = as_account(Path::new("mariadb-install-db"), ACCOUNT);
        initialize
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--skip-name-resolve", "--innodb-log-file-size=4M"])
            .arg(format!("--datadir={}", primary.join("data").display()));
        succeed(&mut initialize);
        succeed(as_account(Path::new("cp"), ACCOUNT).arg("-a").arg(primary.join("data")).arg(replica.join("data")));
        // Replication knows no sockets; the port is free at this moment.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let keepers = [
            serve(&primary, &["--server-id=1", "--log-bin=log", "--bind-address=127.0.0.1", &format!("--port={port}")]),
            serve(&replica, &["--server-id=2", "--skip-networking"]),
        ];
        let pair = Self { primary, replica, keepers };
        let mut session = patiently(&pair.url("mysql")).await;
        for statement in [
            "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reads'",
            "GRANT REPLICATION SLAVE ON *.* TO reader@'127.0.0.1'",
            "CREATE DATABASE shop",
        ] {
            session.execute(statement, &[]).await.unwrap();
        }
        let mut session = patiently(&pair.replica_url("mysql")).await;
        let source = format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'reader',
             MASTER_PASSWORD = 'reads', MASTER_USE_GTID = slave_pos"
        );
        session.execute(&source, &[]).await.unwrap();
        session.execute("START SLAVE", &[]).await.unwrap();
        patiently(&pair.replica_url("shop")).await;
        Some(pair)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        url(&self.primary, database)
    }

    pub(crate) fn replica_url(&self, database: &str) -> String {
        url(&self.replica, database)
    }
}

impl Drop for Replicated {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

fn url(directory: &Path, database: &str) -> String {
    format!("mysql://root@localhost/{database}?socket={}/mysql.sock", directory.display())
}

fn serve(directory: &Path, settings: &[&str]) -> Child {
    let programs = ["/usr/sbin/mariadbd", "/usr/bin/mariadbd", "/usr/local/bin/mariadbd"];
    let program = programs.into_iter().find(|path| Path::new(path).exists()).unwrap_or("mariadbd");
    let mut keeper: Command = as_account(Path::new("sh"), ACCOUNT);
    keeper.args(["-c", KEEP, "keep", "KILL"]).arg(directory).arg(program).arg("--no-defaults");
    for (key, file) in [("datadir", "data"), ("socket", "mysql.sock"), ("pid-file", "pid"), ("tmpdir", "")] {
        keeper.arg(format!("--{key}={}", directory.join(file).display()));
    }
    keeper.args(["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=4M"]);
    keeper.args(["--skip-name-resolve", "--performance-schema=off", "--innodb-buffer-pool-size=32M"]).args(settings);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Connects as soon as the server, and the database, are there.
async fn patiently(url: &str) -> Connection {
    let mut last = None;
    for _ in 0..600 {
        match connect(url, "test").await {
            Ok(session) => return session,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{last:?}");
}
