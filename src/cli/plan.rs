//! `lockkeeper plan`: the steps of a phased change, or an unsafe migration turned into one.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use crate::error::{Error, Result, exit_code};
use crate::plan::{Plan, directory};
use crate::report;
use crate::settings::Settings;
use crate::sql::Dialect;

/// Print the steps of a phased change
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A change directory
    #[arg(value_name = "CHANGE")]
    target: PathBuf,

    /// Whose SQL it is, where change.toml does not say: postgres, mysql (also for MariaDB) or sqlite
    #[arg(long)]
    dialect: Option<String>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// What `--format` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Prints a plan.
///
/// # Errors
/// A change that cannot be read or could not be carried out.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let settings = Settings::load(context.config.as_deref())?;
    let dialect = match &args.dialect {
        Some(word) => Some(Dialect::from_word(word)?),
        None => settings.dialect,
    };
    print(&read(&args.target, dialect)?, args.format, context)?;
    Ok(exit_code::CLEAN)
}

fn read(target: &Path, dialect: Option<Dialect>) -> Result<Plan> {
    if !target.exists() {
        return Err(Error::input(format!("no file or directory {}", target.display())));
    }
    directory::read(target, dialect)
}

fn print(plan: &Plan, format: Format, context: &Context) -> Result<()> {
    context.print(&match format {
        Format::Text => report::plan::text(plan),
        Format::Json => report::plan::json(plan),
    })
}
