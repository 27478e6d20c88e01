//! `lockkeeper approve`: a person's word, bound to the plan's files as they are now.

use clap::builder::NonEmptyStringValueParser;

use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::gate::{self, Condition, Evidence, Gate, Judgement, Verdict};
use crate::plan::Phase;
use crate::run::{self, Ledger};

/// Approve a phased change's contract phase, or stand in for evidence that a gate cannot get
///
/// The approval is bound to the change's files: it is void when one of them changes. It opens the `approval`
/// gate; with --gate, a gate whose verdict is unknown, for what is missing at this moment and nothing else,
/// and never one that has seen the old version.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// The gate to stand in for
    #[arg(long, value_name = "GATE", default_value = "approval")]
    gate: String,

    /// Who approves (default: the variable USER)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,

    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let by = target::who(args.by.as_ref(), "approves")?;
    let Target { plan, directory, mut session, .. } = target::open(&args.target, context).await?;
    let gates = gate::gates_of(&plan, Phase::Contract);
    let Some(gate) = gates.iter().find(|gate| gate.name == args.gate) else {
        let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
        return Err(Error::input(format!("no gate `{}` in front of {}", args.gate, plan.name))
            .hint(format!("its gates are {}", names.join(", "))));
    };
    let ledger = Ledger::open(&mut session).await?;
    ledger.refuse_other_schemas(&mut session, &plan.name).await?;
    if let Some(sentence) = target::finished(&mut session, &ledger, &plan).await? {
        context.say(&format!("{sentence}: nothing is left to approve\n"));
        return Ok(exit_code::CLEAN);
    }
    let (mut stands_in_for, mut because) = (Vec::new(), String::new());
    if gate.condition != Condition::Approval {
        let unreadable = |error| Error::new(Kind::Connection, "the gate cannot be looked at").because(error);
        let evidence = run::evidence(&mut session, &ledger, &plan, &directory).await.map_err(unreadable)?;
        (stands_in_for, because) = what_is_missing(gate, &evidence)?;
    }
    ledger
        .approve(&mut session, &plan, &gate.name, &by, &args.reason, &stands_in_for)
        .await
        .map_err(|error| Error::new(Kind::Connection, "the approval was not written").because(error))?;
    context.say(&format!("{by} approved gate {} of {} ({})\n", gate.name, plan.name, &plan.digest[..12]));
    if !because.is_empty() {
        context.say(&format!("stands in for: {because}\n"));
    }
    Ok(exit_code::CLEAN)
}

/// What the word will stand in for, as gaps and as a sentence.
fn what_is_missing(gate: &Gate, evidence: &Evidence) -> Result<(Vec<String>, String)> {
    let Judgement { verdict, because, gaps, .. } = gate::without_stand_in(gate, evidence);
    let why = match verdict {
        Verdict::Unknown => return Ok((gaps, because)),
        Verdict::Pass => "is open: nothing has to be stood in for",
        Verdict::Pending | Verdict::Fail => "has evidence to the contrary, which no approval overrules",
    };
    Err(Error::new(Kind::Refused, format!("gate {} {why}", gate.name))
        .because(format!("{}, {because}", verdict.name())))
}
