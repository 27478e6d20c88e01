//! What `run`, `status`, `approve` and the like have in common: a change directory and the database that it is for.

use std::path::{Path, PathBuf};

use super::Context;
use super::interrupt::Statement;
use crate::database::{self, Connection};
use crate::error::{Error, Kind, Result};
use crate::plan::{Plan, directory};
use crate::run::Ledger;
use crate::settings::{self, Settings};

/// A change directory and its database.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// The directory of the phased change
    #[arg(value_name = "CHANGE")]
    change: PathBuf,

    #[command(flatten)]
    database: Database,
}

/// A database.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Database {
    /// The database, or env:NAME to read the URL from a variable (default: the settings' database-url)
    #[arg(long, value_name = "URL", env = "LOCKKEEPER_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// The change read, the database connected.
pub(super) struct Target {
    pub(super) plan: Plan,
    pub(super) directory: PathBuf,
    pub(super) url: String,
    pub(super) session: Connection,
}

impl Target {
    /// What a second ctrl-c ends on the server; `None` for SQLite, which works in our own process.
    pub(super) async fn statement(&mut self) -> Result<Option<Statement>> {
        let id = database::id(&mut self.session).await;
        let id = id.map_err(|error| Error::new(Kind::Connection, "the session has no number").because(error))?;
        Ok(id.map(|id| Statement { url: self.url.clone(), id }))
    }
}

/// Whose word it is that the ledger keeps: the option's, else that of the variable USER.
pub(super) fn who(by: Option<&String>, does: &str) -> Result<String> {
    by.cloned().or_else(|| std::env::var("USER").ok().filter(|user| !user.trim().is_empty())).ok_or_else(|| {
        Error::input(format!("nobody is named who {does}: USER is not set")).hint("pass --by with a person's name")
    })
}

/// As `at`, of the arguments that most commands have.
pub(super) async fn open(args: &Args, context: &Context) -> Result<Target> {
    at(&args.change, &args.database, context).await
}

/// Reads the change first, so that a typo is told before a server is asked.
pub(super) async fn at(change: &Path, database: &Database, context: &Context) -> Result<Target> {
    let url = url(database, context)?;
    let plan = directory::read(change, Some(database::dialect(&url)?))?;
    let session = database::connect(&url, "lockkeeper").await?;
    Ok(Target { plan, directory: change.to_path_buf(), url, session })
}

/// The database without a change.
pub(super) async fn connect(database: &Database, context: &Context) -> Result<Connection> {
    database::connect(&url(database, context)?, "lockkeeper").await
}

fn url(database: &Database, context: &Context) -> Result<String> {
    let settings = Settings::load(context.config.as_deref())?;
    let url = match &database.database_url {
        Some(url) => Some(settings::resolve_url(url)?),
        None => settings.database_url()?,
    };
    url.ok_or_else(|| {
        Error::input("no database to work on").hint("pass --database-url, or set database-url in lockkeeper.toml")
    })
}

/// That a change is finished, as a sentence, where it is.
pub(super) async fn finished(session: &mut Connection, ledger: &Ledger, plan: &Plan) -> Result<Option<String>> {
    let record = ledger.plan(session, &plan.name).await;
    let record = record.map_err(|error| Error::new(Kind::Connection, "the ledger cannot be read").because(error))?;
    let at = record.and_then(|record| record.finished_at);
    Ok(at.map(|at| format!("{} is finished since {at} UTC", plan.name)))
}

/// The change itself, or all changes of a directory by their names.
pub(super) fn changes(path: &Path) -> Result<Vec<PathBuf>> {
    let is_change = |path: &Path| path.join("expand.sql").is_file();
    if is_change(path) {
        return Ok(vec![path.to_path_buf()]);
    }
    let unreadable = |error| directory::unreadable(path, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if is_change(&entry) {
            found.push(entry);
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(Error::input(format!("no phased change in {}", path.display()))
            .hint("give a directory with an expand.sql, or one that holds such directories")),
        false => Ok(found),
    }
}
