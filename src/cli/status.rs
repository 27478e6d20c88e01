//! `lockkeeper status`: how far phased changes got and what they wait for.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::target::{self, Target};
use super::{Context, Format, block_on};
use crate::error::{Error, Kind, Result, exit_code};
use crate::gate::{self, Judgement};
use crate::plan::Phase;
use crate::report;
use crate::report::status::Paces;
use crate::run::{self, Ledger};

/// Show a phased change's phases, steps, rows done of rows, and what its gates wait for
///
/// With a directory of changes: each of them. Without one: all changes that the database's ledger knows. Reads only; a change that has not begun is shown as
/// such.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory of a phased change, or one that holds several
    #[arg(value_name = "CHANGE|DIR")]
    change: Option<PathBuf>,

    #[command(flatten)]
    database: target::Database,

    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// Look again and again, until it is finished: a terminal is drawn anew, elsewhere what changed is printed
    #[arg(long)]
    watch: bool,

    /// Seconds between two looks of --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

/// What a look shows, and whether there is nothing left to wait for.
struct Look {
    /// In the format that was asked for.
    output: String,
    /// For people: without the times that move while nothing else does.
    text: String,
    finished: bool,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let began = Instant::now();
    let mut paces = Paces::default();
    let mut shown = look(args, context, &mut paces, began).await?;
    print(args, context, &shown.output, true)?;
    let mut told = String::new();
    while args.watch && !shown.finished {
        tokio::time::sleep(Duration::from_secs(args.interval)).await;
        match look(args, context, &mut paces, began).await {
            Ok(seen) => {
                if seen.text != shown.text {
                    print(args, context, &seen.output, false)?;
                }
                shown = seen;
                told.clear();
            }
            // A server that restarts comes back.
            Err(error) if error.kind == Kind::Connection => {
                let sentence = format!("{error}; looking again\n");
                if told != sentence {
                    context.say(&sentence);
                    told = sentence;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit_code::CLEAN)
}

/// On a terminal in place of what was there, elsewhere below it.
fn print(args: &Args, context: &Context, text: &str, first: bool) -> Result<()> {
    let before = match (args.watch, args.format) {
        (true, _) if std::io::stdout().is_terminal() => "\u{1b}[H\u{1b}[2J",
        (true, Format::Text) if !first => "\n",
        _ => "",
    };
    context.print(&format!("{before}{text}"))
}

/// Over a new connection each time: MySQL's gate cannot tell a standing one from an application's.
async fn look(args: &Args, context: &Context, paces: &mut Paces, began: Instant) -> Result<Look> {
    match &args.change {
        Some(change) => {
            let mut all = Look { output: String::new(), text: String::new(), finished: true };
            for path in target::changes(change)? {
                let mut target = target::at(&path, &args.database, context).await?;
                let Look { output, text, finished } = of_change(args, &mut target, paces, began).await?;
                let between = if all.text.is_empty() || args.format == Format::Json { "" } else { "\n" };
                all.output += &format!("{between}{output}");
                all.text += &format!("{between}{text}");
                all.finished &= finished;
            }
            Ok(all)
        }
        None => of_all(args, context).await,
    }
}

async fn of_change(args: &Args, target: &mut Target, paces: &mut Paces, began: Instant) -> Result<Look> {
    let Target { plan, directory, session, .. } = target;
    let ledger = Ledger::find(session).await?;
    let mut status = run::Status {
        plan,
        record: None,
        steps: Vec::new(),
        proofs: Vec::new(),
        pause: None,
        throttles: Vec::new(),
        forced: None,
        revert: None,
        revert_steps: Vec::new(),
        quarantined: Vec::new(),
        judgements: Vec::new(),
        runner: None,
        workers: Vec::new(),
        now: String::new(),
    };
    if let Some(ledger) = &ledger {
        ledger.refuse_other_schemas(session, &plan.name).await?;
        status.record = ledger.plan(session, &plan.name).await.map_err(refused)?;
        status.steps = ledger.steps(session, &plan.name).await.map_err(refused)?;
        status.forced = ledger.forced(session, &plan.name).await.map_err(refused)?;
        status.revert = ledger.last_revert(session, &plan.name).await.map_err(refused)?;
        status.revert_steps = ledger.revert_steps(session, &plan.name).await.map_err(refused)?;
        status.proofs = ledger.proofs(session, &plan.name).await.map_err(refused)?;
        status.quarantined = ledger.quarantined(session, &plan.name).await.map_err(refused)?;
        status.workers = ledger.workers(session, &plan.name).await.map_err(refused)?;
        status.runner = ledger.runner(session).await.map_err(refused)?;
        status.pause = ledger.paused(session, &plan.name).await.map_err(refused)?;
        status.throttles = ledger.throttles(session, &plan.name).await.map_err(refused)?;
        status.now = ledger.now(session).await.map_err(refused)?;
        let evidence = run::evidence(session, ledger, plan, directory).await.map_err(refused)?;
        for phase in Phase::ALL {
            let gates = gate::gates_of(plan, phase);
            let judged: Vec<Judgement> = gates.iter().map(|gate| gate::judge(gate, &evidence)).collect();
            status.judgements.push((phase, judged));
        }
    }
    paces.see(&status, began.elapsed());
    let text = report::status::text(&status, paces);
    Ok(Look {
        finished: status.record.as_ref().is_some_and(|record| record.finished_at.is_some()),
        output: match args.format {
            Format::Text => text.clone(),
            Format::Json => report::status::json(&status),
        },
        text,
    })
}

async fn of_all(args: &Args, context: &Context) -> Result<Look> {
    let mut session = target::connect(&args.database, context).await?;
    let (mut runner, mut plans) = (None, Vec::new());
    if let Some(ledger) = Ledger::find(&mut session).await? {
        runner = ledger.runner(&mut session).await.map_err(refused)?;
        plans = ledger.plans(&mut session).await.map_err(refused)?;
    }
    let text = report::overview::text(runner.as_ref(), &plans);
    Ok(Look {
        finished: !plans.is_empty() && plans.iter().all(|plan| plan.finished_at.is_some()),
        output: match args.format {
            Format::Text => text.clone(),
            Format::Json => report::overview::json(runner.as_ref(), &plans),
        },
        text,
    })
}

fn refused(error: crate::database::DatabaseError) -> Error {
    Error::new(Kind::Connection, "the ledger cannot be read").because(error)
}
