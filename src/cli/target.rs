//! What `run`, `status` and `approve` have in common: a change directory and the database that it is for.

use std::path::PathBuf;

use super::Context;
use crate::database::{self, Connection};
use crate::error::{Error, Result};
use crate::plan::{Plan, directory};
use crate::settings::{self, Settings};

/// A change directory and its database.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// The directory of the phased change
    #[arg(value_name = "CHANGE")]
    change: PathBuf,

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

/// Reads the change first, so that a typo is told before a server is asked.
pub(super) async fn open(args: &Args, context: &Context) -> Result<Target> {
    let settings = Settings::load(context.config.as_deref())?;
    let url = match &args.database_url {
        Some(url) => Some(settings::resolve_url(url)?),
        None => settings.database_url()?,
    };
    let url = url.ok_or_else(|| {
        Error::input("no database to work on").hint("pass --database-url, or set database-url in lockkeeper.toml")
    })?;
    let plan = directory::read(&args.change, Some(database::dialect(&url)?))?;
    let session = database::connect(&url, "lockkeeper").await?;
    Ok(Target { plan, directory: args.change.clone(), url, session })
}
