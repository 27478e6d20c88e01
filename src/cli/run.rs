//! `lockkeeper run`: carries a phased change out, or goes on with it.

use std::time::{Duration, Instant};

use clap::builder::NonEmptyStringValueParser;

use super::interrupt::Interrupt;
use super::listeners::{self, Listeners};
use super::target::{self, Target};
use super::{Context, block_on};
use crate::database;
use crate::error::{Error, Kind, Result, exit_code};
use crate::gate::{Judgement, Verdict};
use crate::plan::Phase;
use crate::run::Word;
use crate::run::before;
use crate::run::revert;
use crate::run::{self, Event, HeldBy, Helped, Helper, Lease, Ledger, Outcome, Pace, Reminder, Request};
use crate::settings::Settings;

/// Run a phased change through its phases and gates, or go on after a crash
///
/// The ledger in the target database remembers how far earlier runs got: whatever was killed, the same
/// command goes on. Waits at a closed gate only with --wait; otherwise exits with 3.
///
/// A backfill begins with a batch of 1,000 rows; the later ones have as many, between 100 and 100,000, as are filled in
/// 100 ms. change.toml says otherwise: `[backfill]` `batch-rows` (of the first batch) and `batch-time`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: target::Args,

    /// Run only this phase; the ones before it must be finished
    #[arg(long, value_enum)]
    phase: Option<PhaseWord>,

    /// Wait at a closed gate, or for another runner, instead of exiting with 3
    #[arg(long)]
    wait: bool,

    /// Fill so many ranges of a backfill at a time, each over a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,

    /// Help a run of this change that is under way, on this or another machine, with its backfills, and end with them
    ///
    /// Takes ranges of the key from the ledger as the run itself does; killed, it loses nothing. Needs no lease and
    /// does nothing else of the change. Exits with 3 when there is nothing to help with; with --wait it waits for that.
    #[arg(long, conflicts_with = "phase")]
    join: bool,

    /// Seconds between two looks at what --wait waits for
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// The most rows a second that a backfill writes; instead of change.toml's `throttle.max-rate`
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    max_rate: Option<u64>,

    /// Begin a change although its own statements speak against it
    #[arg(long, requires = "reason", conflicts_with = "join")]
    force: bool,

    /// Why it is forced; the ledger keeps it
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,

    #[command(flatten)]
    listeners: listeners::Args,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PhaseWord {
    Expand,
    Backfill,
    Contract,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    block_on(go(args, context))
}

async fn go(args: &Args, context: &Context) -> Result<u8> {
    let interrupt = Interrupt::listen();
    let mut target = target::open(&args.target, context).await?;
    let listeners = Listeners::open(&args.listeners, &target.plan.name, context).await?;
    let statement = target.statement().await?;
    let phase = args.phase.map(|word| match word {
        PhaseWord::Expand => Phase::Expand,
        PhaseWord::Backfill => Phase::Backfill,
        PhaseWord::Contract => Phase::Contract,
    });
    let wait = args.wait.then(|| Duration::from_secs(args.interval));
    let (workers, max_rate) = (args.workers, args.max_rate);
    let by = if args.force { target::who(None, "forces it")? } else { String::new() };
    let force = args.reason.as_deref().map(|reason| Word { by: &by, reason });
    if args.join {
        let helping = help(args, wait, target, &interrupt, &listeners, context);
        return listeners.attend(helping, &interrupt, statement).await;
    }
    let work = Work::Run { phase, workers, max_rate, force };
    let work = carry_out(work, wait, target, &interrupt, &listeners, context);
    listeners.attend(work, &interrupt, statement).await
}

/// What is done under the lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work<'a> {
    /// All phases, or only this one.
    Run {
        phase: Option<Phase>,
        workers: u32,
        max_rate: Option<u64>,
        force: Option<Word<'a>>,
    },
    Undo(Word<'a>),
}

/// Takes the lease, keeps it alive, and does the work.
pub(super) async fn carry_out(
    work: Work<'_>,
    wait: Option<Duration>,
    target: Target,
    interrupt: &Interrupt,
    listeners: &Listeners,
    context: &Context,
) -> Result<u8> {
    let Target { plan, directory, url, mut session } = target;
    let asked_to_stop = || interrupt.asked();
    let settings = Settings::load(context.config.as_deref())?;
    let ledger = Ledger::open(&mut session).await?;
    let Some(lease) = take_lease(&mut session, &ledger, wait, &asked_to_stop, listeners).await? else {
        return Ok(exit_code::INTERRUPTED);
    };
    let heartbeat = tokio::spawn(keep_alive(url.clone(), ledger.clone(), lease.clone(), listeners.clone()));
    let (phase, workers, pace) = match work {
        Work::Run { phase, workers, max_rate, .. } => (phase, workers, Some(Pace { url: url.clone(), max_rate })),
        Work::Undo(_) => (None, 1, None),
    };
    let request = Request { plan: &plan, directory, phase, wait, pace, workers, stop: &asked_to_stop, url: &url };
    let mut tell = |event: Event| listeners.tell(&event);
    let outcome = match work {
        Work::Run { force, .. } => {
            match before::judge(&mut session, &ledger, &lease, &request, &settings, force, &mut tell).await {
                Ok(()) => run::carry_out(&mut session, &ledger, &lease, &request, &mut tell).await,
                Err(error) => Err(error),
            }
        }
        Work::Undo(word) => revert::undo(&mut session, &ledger, &lease, &request, word, &mut tell).await,
    };
    heartbeat.abort();
    let outcome = match outcome {
        Err(error) if error.kind == Kind::Step && is_overtaken(&url, &ledger, &lease).await => {
            return Err(Error::new(Kind::Waiting, "another runner has taken over")
                .because(error)
                .hint("it goes on with the same plan: see `lockkeeper status`"));
        }
        outcome => outcome,
    };
    // On a lost connection the lease ends by itself.
    let _ = ledger.release(&mut session, &lease).await;
    Ok(match outcome? {
        Outcome::Finished => exit_code::CLEAN,
        Outcome::Waiting(_) if matches!(work, Work::Undo(_)) => {
            context.say("waiting until the new version is gone: run the same command again, or with --wait\n");
            exit_code::WAITING
        }
        Outcome::Waiting(judgements) => {
            context.say("waiting at a gate: run the same command again, or with --wait\n");
            for judgement in &judgements {
                context.say(&what_opens(judgement));
            }
            exit_code::WAITING
        }
        Outcome::Held(because) => {
            context.say(&format!("held: {because}\n"));
            context.say("hint: run the same command again later, or with --wait; `lockkeeper resume` ends a pause\n");
            exit_code::WAITING
        }
        Outcome::Interrupted => exit_code::INTERRUPTED,
    })
}

/// Helps a run that is under way; the one thing that is done without the lease.
async fn help(
    args: &Args,
    wait: Option<Duration>,
    target: Target,
    interrupt: &Interrupt,
    listeners: &Listeners,
    context: &Context,
) -> Result<u8> {
    let Target { plan, directory, url, mut session } = target;
    let (holder, stop) = (&holder(), &|| interrupt.asked());
    let pace = Some(Pace { url, max_rate: args.max_rate });
    let helper = Helper { plan: &plan, directory: &directory, holder, workers: args.workers, pace, stop };
    join(&mut session, &helper, wait, listeners, context).await
}

/// Helps as soon as there is something to help with.
async fn join(
    session: &mut database::Connection,
    helper: &Helper<'_>,
    wait: Option<Duration>,
    listeners: &Listeners,
    context: &Context,
) -> Result<u8> {
    let mut told = String::new();
    loop {
        let sentence = match run::help(session, helper, &mut |event| listeners.tell(&event)).await? {
            Helped::Finished => {
                context.say("nothing is left to help with; the run goes on\n");
                return Ok(exit_code::CLEAN);
            }
            Helped::Interrupted => return Ok(exit_code::INTERRUPTED),
            Helped::NothingToDo(sentence) => sentence,
        };
        let Some(pause) = wait else {
            return Err(Error::new(Kind::Waiting, format!("nothing to help with: {sentence}"))
                .hint("with --wait it waits until there is"));
        };
        if told != sentence {
            listeners.tell(&Event::Waiting { because: format!("something to help with: {sentence}") });
            told = sentence;
        }
        if !run::sleep(pause, helper.stop).await {
            return Ok(exit_code::INTERRUPTED);
        }
    }
}

/// A hint on a gate that only a person can open.
fn what_opens(judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Pending if judgement.gate == "approval" => {
            "hint: `lockkeeper approve` with a --reason opens gate approval\n".to_string()
        }
        Verdict::Unknown => format!(
            "hint: where that evidence cannot be had, `lockkeeper approve --gate {}` with a --reason stands in for it\n",
            judgement.gate
        ),
        Verdict::Pass | Verdict::Pending | Verdict::Fail => String::new(),
    }
}

/// Takes the lease; `None` when the user interrupted the wait for it.
async fn take_lease(
    session: &mut database::Connection,
    ledger: &Ledger,
    wait: Option<Duration>,
    stop: &(dyn Fn() -> bool + Sync),
    listeners: &Listeners,
) -> Result<Option<Lease>> {
    let me = holder();
    let mut dead: Option<String> = None;
    let mut reminder = Reminder::default();
    loop {
        let taken = ledger.acquire(session, &me, dead.as_deref()).await;
        let held = match taken {
            Ok(Ok(lease)) => return Ok(Some(lease)),
            Ok(Err(held)) => held,
            // The holder is writing at this moment.
            Err(error) if error.kind == database::DatabaseErrorKind::LockTimeout => {
                HeldBy { holder: "a runner that is writing".to_string(), until: String::new() }
            }
            Err(error) => return Err(Error::new(Kind::Connection, "the ledger's lease cannot be taken").because(error)),
        };
        if dead.is_none() && is_gone(&held.holder, &me) {
            dead = Some(held.holder);
            continue;
        }
        let sentence = format!("another runner holds the lease: {}", held.shown());
        let Some(pause) = wait else {
            return Err(Error::new(Kind::Waiting, sentence).hint(format!(
                "if it was killed, its lease ends by itself at {} UTC: run again then, or with --wait",
                held.until
            )));
        };
        let because = format!("the lease: {sentence}");
        if reminder.is_due(&because, Instant::now()) {
            listeners.tell(&Event::Waiting { because });
        }
        if !run::sleep(pause, stop).await {
            return Ok(None);
        }
    }
}

/// Who we are, for people and for a later runner on this machine.
fn holder() -> String {
    let host = nix::unistd::gethostname()
        .map_or_else(|_| "unknown host".to_string(), |name| name.to_string_lossy().into_owned());
    format!("pid {} on {host}{}", std::process::id(), namespace())
}

/// Containers share host names but not process numbers: the namespace tells them apart. Machines share the
/// numbers of namespaces: the boot tells those apart. Empty where either is not known.
fn namespace() -> String {
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    match (namespace, boot) {
        (Ok(namespace), Ok(boot)) => format!(" {} boot {}", namespace.display(), boot.trim()),
        _ => String::new(),
    }
}

/// A holder on this machine and in this process namespace whose process is no more.
fn is_gone(holder: &str, me: &str) -> bool {
    let (Some(theirs), Some(ours)) = (holder.split_once(" on "), me.split_once(" on ")) else { return false };
    let Some(pid) = theirs.0.strip_prefix("pid ").and_then(|pid| pid.parse::<i32>().ok()) else { return false };
    let gone = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH);
    theirs.1 == ours.1 && !namespace().is_empty() && (gone() || is_zombie(pid))
}

/// A process that has ended and whose parent has not asked how: it still has its number, and does nothing more.
fn is_zombie(pid: i32) -> bool {
    // The state follows the program's name, which is in parentheses and may hold any.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Renews the lease from a connection of its own while a long statement runs; a new one each time, because
/// MySQL's gate cannot tell a standing one from an application's. Where that fails, every write still renews it, and
/// a write after another runner took over is refused.
async fn keep_alive(url: String, ledger: Ledger, lease: Lease, listeners: Listeners) {
    let mut told = false;
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let because = match tokio::time::timeout(HEARTBEAT, renew(&url, &ledger, &lease)).await {
            Ok(Ok(true)) => {
                told = false;
                continue;
            }
            Ok(Ok(false)) => "another runner has taken over; this one stops at its next write".to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_string(),
        };
        if !told {
            told = true;
            listeners.tell(&Event::LeaseInDoubt { because });
        }
    }
}

/// How often the lease is renewed; it lives three times as long.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Renews the lease on a new connection; false when another runner has it.
async fn renew(url: &str, ledger: &Ledger, lease: &Lease) -> Result<bool> {
    let mut session = database::connect(url, "lockkeeper lease").await?;
    match ledger.renew(&mut session, lease).await {
        Ok(ours) => Ok(ours),
        // Somebody writes at this moment, who renews it, too.
        Err(error) if error.kind == database::DatabaseErrorKind::LockTimeout => Ok(true),
        Err(error) => Err(Error::new(Kind::Connection, "the ledger cannot be written").because(error)),
    }
}

/// Whether another runner has the lease: whoever stood still past its end loses his session or meets what the other
/// one has done, and that is the reason to tell.
async fn is_overtaken(url: &str, ledger: &Ledger, lease: &Lease) -> bool {
    matches!(renew(url, ledger, lease).await, Ok(false))
}
