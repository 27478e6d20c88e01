//! `lockkeeper rollback-check`: whether a version of the application would work on the schema as it is now.

use std::path::PathBuf;

use super::target;
use super::{Context, Format, block_on};
use crate::database::Session;
use crate::error::{Result, exit_code};
use crate::plan::{Plan, directory};
use crate::report;
use crate::run::rollback;

/// Say whether a version of the application would work on the schema as it is now
///
/// For deployment pipelines, in front of a rollback or a roll-out: exits with 0 if it would, with 1 if not, and with 2
/// where that cannot be told. Answers from the versions in change.toml and from what the ledger says is done. With a
/// directory of changes, all of them have a say, in the order of their names: a version that a change does not name
/// knows its new shape when only later changes name it, and not when only earlier ones do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory of a phased change, or one that holds several
    #[arg(value_name = "CHANGE|DIR")]
    path: PathBuf,

    /// The version, as `[versions]` of change.toml calls it
    #[arg(long, value_name = "VERSION")]
    to: String,

    #[command(flatten)]
    database: target::Database,

    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let directories = target::changes(&args.path)?;
    let mut session = target::connect(&args.database, context).await?;
    let dialect = session.dialect();
    let plans = directories.iter().map(|path| directory::read(path, Some(dialect))).collect::<Result<Vec<Plan>>>()?;
    let all = directories != [args.path.clone()];
    let answers = rollback::judge(&mut session, &plans, all, &args.to).await?;
    context.print(&match args.format {
        Format::Text => report::rollback::text(&args.to, &answers),
        Format::Json => report::rollback::json(&args.to, &answers),
    })?;
    Ok(match rollback::together(&answers) {
        Some(true) => exit_code::CLEAN,
        Some(false) => exit_code::FINDINGS,
        None => exit_code::NOT_JUDGED,
    })
}
