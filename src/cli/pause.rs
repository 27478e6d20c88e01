//! `lockkeeper pause`: holds a phased change from another terminal.

use clap::builder::NonEmptyStringValueParser;

use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::run::Ledger;

/// Hold a phased change: its runner stops after the batch or step at hand and waits
///
/// The word stands in the ledger until `resume`, also for runs that begin later: those exit with 3, or wait
/// with --wait.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// Who pauses it (default: the variable USER)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,

    /// Why; runner, status and ledger say it
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let by = target::who(args.by.as_ref(), "pauses")?;
    let Target { plan, mut session, .. } = target::open(&args.target, context).await?;
    let ledger = Ledger::open(&mut session).await?;
    if let Some(sentence) = target::finished(&mut session, &ledger, &plan).await? {
        context.say(&format!("{sentence}: nothing is left to pause\n"));
        return Ok(exit_code::CLEAN);
    }
    ledger
        .pause(&mut session, &plan.name, &by, &args.reason)
        .await
        .map_err(|error| Error::new(Kind::Connection, "the pause was not written").because(error))?;
    context.say(&format!("{by} paused {}: a runner stops after what is at hand\n", plan.name));
    Ok(exit_code::CLEAN)
}
