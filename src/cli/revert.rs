//! `lockkeeper revert`: undoes a phased change that has not come to contract.

use std::io::IsTerminal;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::interrupt::Interrupt;
use super::listeners::{self, Listeners};
use super::run::{Work, carry_out};
use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Result, exit_code};
use crate::gate::Verdict;
use crate::report;
use crate::run::revert::{self, Survey};
use crate::run::{Ledger, Word};

/// Undo a phased change that is in expand or backfill, also one that got half way
///
/// Carries out revert.sql and says before what is lost with it. Asks first; where nobody can answer, --yes is needed:
/// it also stands in for evidence that the new version is gone, where there is none, but never against a session or
/// pod of it. Killed at any moment, the same command goes on. After contract has begun it refuses.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// Do it without asking
    #[arg(long)]
    yes: bool,

    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", default_value = "no reason given", value_parser = NonEmptyStringValueParser::new())]
    reason: String,

    /// Who undoes it (default: the variable USER)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,

    /// Wait until the new version is gone, or for another runner, instead of exiting with 3
    #[arg(long)]
    wait: bool,

    /// Seconds between two looks at what --wait waits for
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    #[command(flatten)]
    listeners: listeners::Args,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let by = target::who(args.by.as_ref(), "undoes it")?;
    let mut target = target::open(&args.target, context).await?;
    let Target { plan, directory, session, .. } = &mut target;
    let not_begun = || Error::input(format!("{} has not begun on this database: there is nothing to undo", plan.name));
    let ledger = Ledger::find(session).await?.ok_or_else(not_begun)?;
    match revert::survey(session, &ledger, plan, directory).await? {
        Survey::Undone(record) => {
            context.say(&report::revert::undone(plan, &record));
            return Ok(exit_code::CLEAN);
        }
        Survey::Undoable { losses, judgements, begun } => {
            context.say(&report::revert::survey(plan, &losses, &judgements, begun.as_ref()));
            let unknown = judgements.iter().any(|judgement| judgement.verdict == Verdict::Unknown);
            if begun.is_none() || unknown {
                confirm(args.yes, &plan.name, context)?;
            }
        }
    }
    let interrupt = Interrupt::listen();
    let listeners = Listeners::open(&args.listeners, &target.plan.name, context).await?;
    let statement = target.statement().await?;
    let wait = args.wait.then(|| Duration::from_secs(args.interval));
    let word = Word { by: &by, reason: &args.reason };
    let work = carry_out(Work::Undo(word), wait, target, &interrupt, &listeners, context);
    listeners.attend(work, &interrupt, statement).await
}

/// Asks whoever watches; where nobody does, the command line has to say it.
fn confirm(yes: bool, name: &str, context: &Context) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !context.stderr_terminal {
        return Err(Error::input(format!("{name} is not undone: nobody is there to be asked"))
            .hint("read what is lost, and say --yes"));
    }
    context.say(&format!("undo {name}? [y/N] "));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::input("the answer could not be read").because(error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::input(format!("{name} is not undone: the answer was not yes"))),
    }
}
