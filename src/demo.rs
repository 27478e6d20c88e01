//! The whole story on a live database: two versions of an application read and write through a phased
//! change. In: a database to make its own in, which story. Out: events while it goes on, and totals.
//!
//! Nothing in it is acted: the pods' queries, the sessions, the gates and the runner are real, and every
//! number is counted. Only the cluster is simulated, by a file of the shape that kubectl prints.

pub mod book;
mod cluster;
mod phased;
mod place;
mod pod;
mod textbook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::database::temporary::Engine;
use crate::database::{self, Connection, DatabaseError, Session};
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;
use crate::run;

pub use book::{Book, Comparison, Difference, Tally};
pub use place::Choice;

/// Which story is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// A phased change behind its gates.
    Phased,
    /// The textbook's three steps, by hand.
    Textbook,
}

/// Running and terminating pods by version.
pub type Census = BTreeMap<&'static str, (usize, usize)>;

/// A part of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chapter {
    /// Only the first version runs.
    FirstVersion,
    Plan,
    /// While only v1 runs.
    ExpandAndBackfill,
    /// Contract is tried while v1 runs.
    ContractTooEarly,
    /// v2 replaces v1, and contract waits for it.
    Rollout,
    /// Only v2 runs.
    Afterwards,
    TextbookExpand,
    TextbookMigrate,
    TextbookContract,
    /// The pods have ended; the table is compared.
    End,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A temporary server is about to start, which takes a moment.
    Starting {
        engine: Engine,
    },
    /// A database was created on the user's server; it is dropped at the end.
    DatabaseMade {
        name: String,
    },
    /// The database is there, with a table of so many rows.
    Opened {
        server: String,
        rows: usize,
    },
    Chapter(Chapter),
    PodStarted {
        pod: String,
        pods: Census,
    },
    /// Told to stop; it goes on serving for a while.
    PodTerminating {
        pod: String,
        pods: Census,
    },
    PodGone {
        pod: String,
        pods: Census,
    },
    /// The unsafe migration, and the phased change that it became.
    Planned {
        migration: &'static str,
        plan: Box<Plan>,
    },
    /// The demo gave its word for a gate.
    Approved {
        gate: String,
        reason: &'static str,
    },
    /// A statement by hand, and the rows that an UPDATE touched.
    Statement {
        sql: String,
        rows: Option<u64>,
    },
    /// The textbook's question for rows that are left to fill.
    Unfilled {
        sql: String,
        rows: i64,
    },
    /// What the runner says.
    Run(run::Event),
    /// The queries so far, by version.
    Load(BTreeMap<&'static str, Tally>),
}

/// How it ended: counted and compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    pub versions: BTreeMap<&'static str, Tally>,
    /// Every row that is not what its last writer left is a lost write.
    pub table: Comparison,
    pub took: Duration,
}

impl Totals {
    /// Whether every query worked, every read was right and no write was lost.
    pub fn is_clean(&self) -> bool {
        self.table.differences.is_empty() && self.versions.values().all(|tally| tally.failed == 0 && tally.stale == 0)
    }

    /// The lost writes of a version; of the first rows, which no version wrote, by the empty name.
    pub fn lost_by(&self, version: &str) -> usize {
        self.table.differences.iter().filter(|difference| difference.by == version).count()
    }
}

/// Tells a story on a database that is made for it and removed after it, however it ends.
///
/// # Errors
/// No database to be had, a step that failed, or the user's interruption.
pub async fn tell(
    choice: &Choice,
    story: Story,
    stop: &(dyn Fn() -> bool + Sync),
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Totals> {
    let began = std::time::Instant::now();
    let listener = Listener { stop, on_event };
    let place = place::Place::make(choice, &listener).await?;
    let book = Arc::new(Book::default());
    let told = match story {
        Story::Phased => phased::tell(&place, &book, &listener).await,
        Story::Textbook => textbook::tell(&place, &book, &listener).await,
    };
    let table = match (told, place.remove().await) {
        (Ok(table), Ok(())) => table,
        (Err(error), Ok(())) => return Err(error),
        (Ok(_), Err(left)) => return Err(left),
        (Err(error), Err(left)) => return Err(error.hint(left.to_string())),
    };
    Ok(Totals { versions: book.tallies(), table, took: began.elapsed() })
}

/// Who is told, and whether they still want to hear.
struct Listener<'a> {
    stop: &'a (dyn Fn() -> bool + Sync),
    on_event: &'a (dyn Fn(Event) + Sync),
}

impl Listener<'_> {
    fn tell(&self, event: Event) {
        (self.on_event)(event);
    }

    /// Lets the pods work for a while.
    async fn pause(&self, time: Duration) -> Result<()> {
        if run::sleep(time, self.stop).await {
            return Ok(());
        }
        Err(Error::new(Kind::Interrupted, "interrupted, the story has no end"))
    }
}

/// Makes the table, and says where we are.
async fn open(session: &mut Connection, book: &Book, listener: &Listener<'_>) -> Result<()> {
    let in_words = |error| broken("the table cannot be made", &error);
    let server = database::server_version(session).await.map_err(in_words)?;
    let rows = book.create_table(session, &book::schema(session.dialect())).await.map_err(in_words)?;
    listener.tell(Event::Opened { server, rows });
    Ok(())
}

fn broken(what: &str, error: &DatabaseError) -> Error {
    Error::new(Kind::Step, what).because(error)
}
