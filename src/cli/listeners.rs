//! Whoever is told what happens in a run: the person at the terminal, and the file of `--events`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use crate::error::{Error, Result};
use crate::report::events;
use crate::report::progress::Progress;
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
}

/// All of them, behind one door that several tasks may use.
#[derive(Clone)]
pub(super) struct Listeners(Arc<Mutex<Inner>>);

struct Inner {
    plan: String,
    context: Context,
    began: Instant,
    progress: Progress,
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
    /// A file that cannot be written.
    pub(super) fn open(args: &Args, plan: &str, context: &Context) -> Result<Self> {
        let events = args.events.as_ref().map(stream).transpose()?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            plan: plan.to_string(),
            context: context.clone(),
            began: Instant::now(),
            progress: Progress::new(context.stderr_terminal),
            events,
        }))))
    }

    /// Tells all of them.
    pub(super) fn tell(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tell(event);
    }
}

impl Inner {
    fn tell(&mut self, event: &Event) {
        let context = &self.context;
        self.progress.event(event, self.began.elapsed(), &mut |line| context.say(line));
        let Some(stream) = &mut self.events else { return };
        let line = events::line(&now(), &self.plan, event);
        if let Err(error) = stream.to.write_all(line.as_bytes()).and_then(|()| stream.to.flush()) {
            context.say(&format!(
                "events can no longer be written to {}: {error}; the run goes on, and the ledger keeps its state\n",
                stream.name
            ));
            self.events = None;
        }
    }
}

/// RFC 3339 in UTC, to the millisecond.
fn now() -> String {
    let now = OffsetDateTime::from(SystemTime::now());
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
