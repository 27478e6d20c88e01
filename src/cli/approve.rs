//! `lockkeeper approve`: a person's word, bound to the plan's files as they are now.

use clap::builder::NonEmptyStringValueParser;

use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::gate;
use crate::plan::Phase;
use crate::run::Ledger;

/// Approve a phased change's contract phase, or stand in for evidence that a gate cannot get
///
/// The approval is bound to the change's files: it is void when one of them changes. It opens the `approval`
/// gate; with --gate, a gate whose verdict is unknown, never one that has seen the old version.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// The gate to stand in for
    #[arg(long, value_name = "GATE", default_value = "approval")]
    gate: String,

    /// Who approves
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    by: String,

    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let Target { plan, mut session, .. } = target::open(&args.target, context).await?;
    let names: Vec<String> = gate::gates_of(&plan, Phase::Contract).into_iter().map(|gate| gate.name).collect();
    if !names.contains(&args.gate) {
        return Err(Error::input(format!("no gate `{}` in front of {}", args.gate, plan.name))
            .hint(format!("its gates are {}", names.join(", "))));
    }
    let ledger = Ledger::open(&mut session).await?;
    ledger
        .approve(&mut session, &plan, &args.gate, &args.by, &args.reason)
        .await
        .map_err(|error| Error::new(Kind::Connection, "the approval was not written").because(error))?;
    context.say(&format!("{} approved gate {} of {} ({})\n", args.by, args.gate, plan.name, &plan.digest[..12]));
    Ok(exit_code::CLEAN)
}
