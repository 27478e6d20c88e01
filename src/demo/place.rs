//! Where the story takes place: a temporary directory, and a database that is made for it and removed after it.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{Event, Listener};
use crate::database::temporary::{Engine, Server, Share, start};
use crate::database::{self, Session};
use crate::error::{Error, Kind, Result};
use crate::sql::Dialect;

/// Which database the demo makes its own in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A file in the temporary directory.
    Sqlite,
    /// A database of its own on the server of this URL.
    Server(String),
    /// A PostgreSQL server of its own, from the binaries found on this machine.
    TemporaryPostgres,
}

/// The database of the demo, and where it keeps its files.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) directory: TempDir,
    /// On a server that stays: the URL to remove our database by, and its name.
    made: Option<(String, String)>,
    _server: Option<Server>,
}

impl Place {
    pub(super) async fn make(choice: &Choice, listener: &Listener<'_>) -> Result<Self> {
        let directory = tempfile::tempdir()
            .map_err(|error| Error::input("no temporary directory for the demo can be made").because(error))?;
        let (url, made, server) = match choice {
            Choice::Sqlite => (sqlite(directory.path()).await?, None, None),
            Choice::Server(url) => {
                let name = format!("lockkeeper_demo_{:08x}", fastrand::u32(..));
                let own = create_on(url, &name).await?;
                listener.tell(Event::DatabaseMade { name: name.clone() });
                (own, Some((url.clone(), name)), None)
            }
            Choice::TemporaryPostgres => {
                listener.tell(Event::Starting { engine: Engine::Postgres });
                // It waits for initdb and the server without the runtime's help.
                let started = tokio::task::spawn_blocking(|| start(Engine::Postgres, &Share::none()?)).await;
                let server =
                    started.map_err(|error| Error::input("the temporary server did not start").because(error))??;
                (server.create_database("shop").await?, None, Some(server))
            }
        };
        Ok(Self { url, directory, made, _server: server })
    }

    /// Removes the database from a server that stays. The sessions of the story have to be closed.
    pub(super) async fn remove(self) -> Result<()> {
        let Some((url, name)) = &self.made else { return Ok(()) };
        let failed = |why: String| {
            Error::new(Kind::Connection, format!("the demo's database `{name}` could not be removed"))
                .because(why)
                .hint(format!("remove it by hand: DROP DATABASE {name}"))
        };
        let mut session = database::connect(url, "lockkeeper demo").await.map_err(|error| failed(error.to_string()))?;
        // A server needs a moment to notice that a session was closed.
        let mut attempts = 0;
        loop {
            match session.execute(&format!("DROP DATABASE {name}"), &[]).await {
                Ok(_) => return Ok(()),
                Err(error) if attempts == 50 => return Err(failed(error.to_string())),
                Err(_) => attempts += 1,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn sqlite(directory: &Path) -> Result<String> {
    let file = directory.join("shop.db");
    std::fs::File::create(&file)
        .map_err(|error| Error::input(format!("cannot write {}", file.display())).because(error))?;
    let path = file.display().to_string().replace('%', "%25").replace('?', "%3F");
    let url = format!("sqlite:{path}");
    let mut session = database::connect(&url, "lockkeeper demo").await?;
    // Readers and the one writer do not wait for each other.
    let wal = session.query("PRAGMA journal_mode = WAL", &[]).await;
    wal.map_err(|error| super::broken("the database cannot be made", &error))?;
    Ok(url)
}

async fn create_on(url: &str, name: &str) -> Result<String> {
    if Dialect::of_url(url) == Some(Dialect::Sqlite) {
        return Err(Error::input("the demo makes an SQLite file of its own").hint("leave --database-url out"));
    }
    let mut session = database::connect(url, "lockkeeper demo").await?;
    session.execute(&format!("CREATE DATABASE {name}"), &[]).await.map_err(|error| {
        Error::new(Kind::Connection, format!("the demo cannot create its database `{name}` on this server"))
            .because(error)
            .hint("it touches no database but one of its own: use a user who may create databases, or --postgres")
    })?;
    let mut own = url::Url::parse(url).map_err(|_| Error::input("the database URL cannot be read"))?;
    own.set_path(name);
    Ok(own.to_string())
}
