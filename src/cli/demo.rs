//! `lockkeeper demo`: the whole story on a live database.

use std::sync::Mutex;

use super::interrupt::Interrupt;
use super::{Context, block_on};
use crate::demo::{self, Choice, Event, Story};
use crate::error::{Result, exit_code};
use crate::report;
use crate::settings;

/// Watch two versions of an application live through a phased change, in under a minute
///
/// Makes a database of its own (a temporary SQLite file, if not told otherwise) and removes it at the end.
/// Exits with 4 if a query failed or a write was lost.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Make the database on this server, or env:NAME to read the URL from a variable
    #[arg(long, value_name = "URL", conflicts_with = "postgres")]
    database_url: Option<String>,

    /// Use a temporary PostgreSQL server, from the binaries found on this machine
    #[arg(long)]
    postgres: bool,

    /// Show instead how many writes the textbook's three steps lose under the same load; exits with 0
    #[arg(long)]
    textbook: bool,
}

pub fn run(args: &Args, context: &Context) -> Result<u8> {
    // The story is this command's data.
    colored::control::set_override(context.stdout_color);
    let choice = match (&args.database_url, args.postgres) {
        (Some(url), _) => Choice::Server(settings::resolve_url(url)?),
        (None, true) => Choice::TemporaryPostgres,
        (None, false) => Choice::Sqlite,
    };
    let story = if args.textbook { Story::Textbook } else { Story::Phased };
    block_on(go(&choice, story, context))
}

async fn go(choice: &Choice, story: Story, context: &Context) -> Result<u8> {
    let interrupt = Interrupt::listen();
    let teller = Mutex::new(report::demo::Teller::default());
    let on_event = |event: Event| {
        let mut teller = teller.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Whoever closed the pipe does not want to hear more; the end says it again.
        let _ = context.print(&teller.event(&event));
    };
    let asked_to_stop = || interrupt.asked();
    let told = demo::tell(choice, story, &asked_to_stop, &on_event);
    let say = |at_once: bool| {
        if !at_once {
            context.say("finishing what is at hand; once more to stop at once\n");
        }
    };
    let Some(totals) = interrupt.heed(told, None, &say).await.transpose()? else { return Ok(exit_code::INTERRUPTED) };
    context.print(&report::demo::totals(&totals, story))?;
    Ok(match story {
        Story::Phased if !totals.is_clean() => exit_code::STEP_FAILED,
        Story::Phased | Story::Textbook => exit_code::CLEAN,
    })
}
