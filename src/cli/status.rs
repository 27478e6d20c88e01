//! `lockkeeper status`: how far a phased change got and what it waits for.

use super::target::{self, Target};
use super::{Context, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::gate::{self, Judgement};
use crate::plan::Phase;
use crate::report;
use crate::run::{self, Ledger};

/// Show a phased change's phases, steps, rows done of rows, and what its gates wait for
///
/// Reads only; a change that has not begun is shown as such.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: super::Format,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let Target { plan, directory, mut session, .. } = target::open(&args.target, context).await?;
    let refused = |error| Error::new(Kind::Connection, "the ledger cannot be read").because(error);
    let ledger = Ledger::find(&mut session).await?;
    let mut status = run::Status { plan: &plan, record: None, steps: Vec::new(), judgements: Vec::new() };
    if let Some(ledger) = &ledger {
        status.record = ledger.plan(&mut session, &plan.name).await.map_err(refused)?;
        status.steps = ledger.steps(&mut session, &plan.name).await.map_err(refused)?;
        let evidence = run::evidence(&mut session, ledger, &plan, &directory).await.map_err(refused)?;
        for phase in Phase::ALL {
            let gates = gate::gates_of(&plan, phase);
            let judged: Vec<Judgement> = gates.iter().map(|gate| gate::judge(gate, &evidence)).collect();
            status.judgements.push((phase, judged));
        }
    }
    context.print(&match args.format {
        super::Format::Text => report::status::text(&status),
        super::Format::Json => report::status::json(&status),
    })?;
    Ok(exit_code::CLEAN)
}
