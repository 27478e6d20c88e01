//! `lockkeeper resume`: lets a paused change go on.

use clap::builder::NonEmptyStringValueParser;

use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::run::Ledger;

/// Let a paused change go on
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// Who lets it go on (default: the variable USER)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let by = target::who(args.by.as_ref(), "resumes")?;
    let Target { plan, mut session, .. } = target::open(&args.target, context).await?;
    let ledger = Ledger::open(&mut session).await?;
    let was_paused = ledger
        .resume(&mut session, &plan.name, &by)
        .await
        .map_err(|error| Error::new(Kind::Connection, "the pause was not taken back").because(error))?;
    context.say(&match was_paused {
        true => format!("{by} resumed {}\n", plan.name),
        false => format!("{} was not paused\n", plan.name),
    });
    Ok(exit_code::CLEAN)
}
