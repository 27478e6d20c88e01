//! Whoever is told what happens in a run: the person at the terminal, the file of `--events`, and who asks for
//! metrics. And what they are told in the end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use super::interrupt::{Interrupt, Statement};
use super::metrics_server;
use crate::database;
use crate::error::{Error, Result, exit_code};
use crate::report::events;
use crate::report::metrics::Metrics;
use crate::report::progress::{self, Progress};
use crate::run::Event;

/// Who else is told.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Append every event to FILE as a JSON object on its own line; `-` is standard output
    ///
    /// Each has time (UTC), plan, kind and the fields of that kind, which the README lists. A FILE that cannot be
    /// written is refused before anything is run; when it fails later, that is said once and the run goes on.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// Serve metrics for Prometheus at http://ADDR/metrics while it runs; a port alone is on this machine only
    #[arg(long, value_name = "ADDR")]
    metrics_addr: Option<String>,
}

/// All of them, behind one door that several tasks may use.
#[derive(Clone)]
pub(super) struct Listeners(Arc<Mutex<Inner>>);

struct Inner {
    plan: String,
    context: Context,
    began: Instant,
    progress: Progress,
    /// What a signal interrupts: the batch or the statement at hand, in words.
    at_hand: Option<String>,
    metrics: Metrics,
    /// `None` once writing failed: a stream with a hole would look whole.
    events: Option<Stream>,
}

/// Where events go, and its name for people.
struct Stream {
    to: Box<dyn Write + Send>,
    name: String,
}

impl Listeners {
    /// Opens what `args` name, before anything is run.
    ///
    /// # Errors
    /// A file that cannot be written, an address that cannot be had.
    pub(super) async fn open(args: &Args, plan: &str, context: &Context) -> Result<Self> {
        let events = args.events.as_ref().map(stream).transpose()?;
        let listeners = Self(Arc::new(Mutex::new(Inner {
            plan: plan.to_string(),
            context: context.clone(),
            began: Instant::now(),
            progress: Progress::new(context.stderr_terminal),
            at_hand: None,
            metrics: Metrics::new(plan),
            events,
        })));
        if let Some(address) = &args.metrics_addr {
            let asked = listeners.clone();
            let place = metrics_server::serve(address, move || asked.lock().metrics.text()).await?;
            context.say(&format!("metrics at {place}\n"));
        }
        Ok(listeners)
    }

    /// Does `work`, heeds signals meanwhile, and tells how it ended.
    ///
    /// # Errors
    /// Those of the work, unless it was cut off.
    pub(super) async fn attend(
        &self,
        work: impl Future<Output = Result<u8>>,
        interrupt: &Interrupt,
        statement: Option<Statement>,
    ) -> Result<u8> {
        let on_server = statement.is_some();
        let stopping = |at_once| {
            let event = self.lock().stopping(at_once, on_server);
            self.tell(&event);
        };
        let outcome = match interrupt.heed(work, statement, &stopping).await {
            Some(Err(error)) if interrupt.asked_twice() => {
                self.lock().context.say(&format!("cut off: {error}\n"));
                Ok(exit_code::INTERRUPTED)
            }
            Some(outcome) => outcome,
            None => Ok(exit_code::INTERRUPTED),
        };
        let because = match &outcome {
            Ok(_) => Vec::new(),
            Err(error) => std::iter::once(&error.message).chain(&error.causes).cloned().collect(),
        };
        let exit_code = outcome.as_ref().map_or_else(Error::exit_code, |code| *code);
        self.tell(&Event::Ended { exit_code, because });
        if exit_code == exit_code::INTERRUPTED {
            let command = typed(std::env::args());
            self.lock().context.say(&format!("interrupted; what is done is in the ledger. To go on: {command}\n"));
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all of them.
    pub(super) fn tell(&self, event: &Event) {
        self.lock().tell(event);
    }
}

impl Inner {
    fn tell(&mut self, event: &Event) {
        if let Some(at_hand) = progress::at_hand(event) {
            self.at_hand = at_hand;
        }
        let context = &self.context;
        self.progress.event(event, self.began.elapsed(), &mut |line| context.say(line));
        let now = OffsetDateTime::from(SystemTime::now());
        self.metrics.see(event, now.unix_timestamp());
        let Some(stream) = &mut self.events else { return };
        let line = events::line(&rfc3339(now), &self.plan, event);
        if let Err(error) = stream.to.write_all(line.as_bytes()).and_then(|()| stream.to.flush()) {
            context.say(&format!(
                "events can no longer be written to {}: {error}; the run goes on, and the ledger keeps its state\n",
                stream.name
            ));
            self.events = None;
        }
    }

    /// What happens now that somebody asked to stop.
    fn stopping(&self, at_once: bool, on_server: bool) -> Event {
        let because = match (&self.at_hand, at_once, on_server) {
            (None, false, _) => "stopping; once more to stop at once".to_string(),
            (Some(at_hand), false, _) => format!("stopping when {at_hand} has ended; once more to cut it off"),
            (_, true, true) => "ending the statement on the server; once more to leave without that".to_string(),
            (_, true, false) => "stopping at once".to_string(),
        };
        Event::Stopping { at_once, because }
    }
}

/// The command as it was typed, to be typed again: without the passwords that its URLs hold.
fn typed(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    let word = |argument: String| {
        let shown = database::redact(&argument);
        let bare = !shown.is_empty() && shown.chars().all(plain);
        if bare { shown } else { format!("'{}'", shown.replace('\'', "'\\''")) }
    };
    let words: Vec<String> = arguments.skip(1).map(word).collect();
    format!("lockkeeper {}", words.join(" "))
}

/// To the millisecond.
fn rfc3339(now: OffsetDateTime) -> String {
    let now = now.replace_millisecond(now.millisecond()).unwrap_or(now);
    now.format(&Rfc3339).unwrap_or_default()
}

fn stream(path: &PathBuf) -> Result<Stream> {
    if path.as_os_str() == "-" {
        return Ok(Stream { to: Box::new(io::stdout()), name: "standard output".to_string() });
    }
    let name = format!("`{}`", path.display());
    let opened: io::Result<File> = OpenOptions::new().append(true).create(true).open(path);
    let file = opened.map_err(|error| {
        Error::input(format!("events cannot be written to {name}"))
            .because(error)
            .hint("nothing was run; --events takes a file, or - for standard output")
    })?;
    Ok(Stream { to: Box::new(file), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed_again_but_without_passwords() {
        let typed = |words: &[&str]| typed(words.iter().map(|word| (*word).to_string()));
        assert_eq!(typed(&["/opt/lk", "run", "my dir", "--wait"]), "lockkeeper run 'my dir' --wait");
        assert_eq!(typed(&["lk", "run", "it's", ""]), r"lockkeeper run 'it'\''s' ''");
        let url = "postgres://anna:secret@host:5432/shop";
        let shown = "lockkeeper run c --database-url 'postgres://anna:***@host:5432/shop'";
        assert_eq!(typed(&["lk", "run", "c", "--database-url", url]), shown);
        let shown = "lockkeeper run c '--database-url=postgres://anna:***@host:5432/shop'";
        assert_eq!(typed(&["lk", "run", "c", &format!("--database-url={url}")]), shown);
        assert_eq!(typed(&["lk", "run", "c", "--database-url", "env:URL"]), "lockkeeper run c --database-url env:URL");
    }
}
