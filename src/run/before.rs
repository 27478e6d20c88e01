//! What is judged before the first step of a change: whether those that it depends on are finished, whether another one
//! is under way on its tables, and its own statements, by the linter's rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Event, Lease, Ledger, Request, State, Word, begin, finish};
use crate::database::{DatabaseError, Session, live};
use crate::error::{Error, Kind, Result, closest};
use crate::history::layout::{self, Choice};
use crate::history::live::{Applied, Live, Versions};
use crate::lint::page::Group;
use crate::lint::{self, Finding, Given, Severity, rules};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::sql::{self, Dialect, Engine};

/// Judges a change that has not begun; one that has is let through. What was forced is told, and the ledger keeps it.
///
/// # Errors
/// A change that it depends on is not finished; what speaks against it, or another change on the same table that is not
/// finished, unless it is forced.
pub async fn judge<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    lease: &Lease,
    request: &Request<'_>,
    settings: &Settings,
    force: Option<Word<'_>>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    let plan = request.plan;
    let records = ledger.steps(session, &plan.name).await.map_err(unreadable)?;
    if records.iter().any(|record| record.state != State::Pending || record.last_key.is_some()) {
        return Ok(());
    }
    after_what_it_depends_on(session, ledger, plan, &request.directory).await?;
    // Whoever may not read the whole schema is judged by the files alone, and that is stricter: a table that is not
    // known is big and busy.
    let live = live::read(request.url).await.ok();
    let mut against = against(plan, &request.directory, live, settings)?;
    let of_its_own = !against.is_empty();
    for (other, table) in ledger.in_the_way(session, plan).await.map_err(unreadable)? {
        against.push(format!("{other} has begun on {table} and is not finished"));
    }
    if against.is_empty() {
        return Ok(());
    }
    let Some(Word { by, reason }) = force else {
        let mut error = match of_its_own {
            true => {
                Error::new(Kind::Refused, format!("{} is not begun: its own statements speak against it", plan.name))
                    .hint("`lockkeeper explain` with a name in parentheses says why, and what to write in its place")
            }
            false => Error::new(Kind::Waiting, format!("{} is not begun: another change is in its way", plan.name))
                .hint("finish or revert that one first: `lockkeeper status` says what it waits for"),
        };
        error.causes = against;
        return Err(
            error.hint("where it is right as it is, `run --force --reason` begins it, and the ledger keeps why")
        );
    };
    begin(session).await.map_err(unreadable)?;
    let written = async {
        let detail = format!("{by}: {reason}\n{}", against.join("\n"));
        ledger.event(session, &plan.name, "", "forced", &detail).await?;
        ledger.fence(session, lease).await
    }
    .await;
    finish(session, written).await.map_err(|trouble| trouble.into_error(&plan.name))?;
    on_event(Event::Forced { by: by.to_string(), reason: reason.to_string(), against });
    Ok(())
}

fn unreadable(error: DatabaseError) -> Error {
    Error::new(Kind::Connection, "the ledger cannot be read").because(error)
}

/// What expand and backfill break or block although no gate stands in front of them, and what contract brings too late
/// for the version that needs it; judged on the live schema, where there is one.
///
/// # Errors
/// The settings name a rule that does not exist.
pub fn against(plan: &Plan, directory: &Path, live: Option<Live>, settings: &Settings) -> Result<Vec<String>> {
    let phases = ["expand.sql", "backfill.sql", "contract.sql"].map(|name| directory.join(name));
    let files: Vec<PathBuf> = phases.into_iter().filter(|path| path.is_file()).collect();
    let mut history = layout::read(&files, Choice::from(plan.dialect))?;
    let mut settings = settings.clone();
    let reads_schema = live.is_some();
    if let Some(mut live) = live {
        settings.engine = Engine::from_words(&live.server).ok().or(settings.engine);
        // Nothing of this change has run, whatever another tool's table says.
        live.applied = Some(Applied { table: String::new(), versions: Versions::Each(BTreeSet::new()) });
        history.set_live(live);
    }
    let given = Given { today: None, whole: false, honoured: lint::ignores::Honoured::default() };
    let mut against = Vec::new();
    for finding in lint::lint(&history, &settings, given)?.findings {
        let Finding { rule, path, range, message, .. } = &finding;
        let file = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // What enforces stands behind the proof in backfill.sql. What is left to ask is whether PostgreSQL reads every row
        // under its lock, or a check proves it, which only the live schema tells.
        let is_proved =
            file == "backfill.sql" && *rule == "set-not-null" && !(reads_schema && plan.dialect == Dialect::Postgres);
        if !is_proved && speaks_against(&finding, file == "contract.sql")? {
            let text = history.migrations.iter().find(|migration| migration.path == *path);
            let line = text.map_or(1, |migration| sql::line_column(&migration.text, range.start).0);
            against.push(format!("{file}:{line}: {message} ({rule})"));
        }
    }
    Ok(against)
}

/// Whether a finding keeps a change from beginning. Only what hurts does: a tool that refuses needlessly is forced out of
/// habit.
fn speaks_against(finding: &Finding, in_contract: bool) -> Result<bool> {
    if in_contract {
        return Ok(finding.rule == "additive-in-contract");
    }
    let page = &rules::find(finding.rule)?.page;
    let hurts = match page.group {
        Group::Compatibility | Group::DataLoss => true,
        // The runner waits for locks with a limit: one that is held for a moment is in nobody's way.
        Group::Locking => finding.rule != "drop-index-blocking",
        Group::Transaction | Group::Robustness | Group::Style => false,
    };
    Ok(hurts && finding.severity == Severity::Deny)
}

/// What change.toml says has to be finished before, in this database.
async fn after_what_it_depends_on<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &Plan,
    directory: &Path,
) -> Result<()> {
    if plan.settings.depends_on.is_empty() {
        return Ok(());
    }
    let known = ledger.plans(session).await.map_err(unreadable)?;
    for name in &plan.settings.depends_on {
        match known.iter().find(|other| other.plan == *name) {
            Some(other) if other.finished_at.is_some() => {}
            Some(_) => {
                return Err(Error::new(
                    Kind::Waiting,
                    format!("{} depends on {name}, which is not finished", plan.name),
                )
                .hint(format!("finish {name} first: `lockkeeper status` says what it waits for")));
            }
            None => refuse_unknown(plan, name, directory)?,
        }
    }
    Ok(())
}

/// A change that has not begun here: one that stands beside this one is waited for, any other word is a mistake.
fn refuse_unknown(plan: &Plan, name: &str, directory: &Path) -> Result<()> {
    // `.` has no parent that a path could show.
    let home = directory.canonicalize().ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default();
    let beside = std::fs::read_dir(home).into_iter().flatten().flatten();
    let names: Vec<String> = beside
        .filter(|entry| entry.path().join("expand.sql").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|other| *other != plan.name)
        .collect();
    if names.iter().any(|other| other == name) {
        return Err(Error::new(Kind::Waiting, format!("{} depends on {name}, which has not begun here", plan.name))
            .hint(format!("run {name} first")));
    }
    let error = Error::input(format!("{} depends on `{name}`, which no change beside it is called", plan.name));
    Err(match closest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`depends-on` in change.toml names the directories of other changes"),
    })
}
