//! `lockkeeper lint [PATHS]`: findings over migrations, with or without a database.

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use time::OffsetDateTime;

use super::Context;
use crate::database::{self, live};
use crate::error::{Error, Result, exit_code};
use crate::history::layout::{self, Choice, Layout};
use crate::history::since::Told;
use crate::history::{History, since, stdin};
use crate::lint::ignores::Tool;
use crate::lint::known::Known;
use crate::lint::risk::risks;
use crate::lint::{Given, Outcome, Severity, lint};
use crate::report::{self, Report};
use crate::settings::{Settings, resolve_url};
use crate::sql::{Dialect, Engine};

/// Find changes that break or block the version of the application that is still running
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and directories, or `-` for standard input; without any, those of the settings (`migrations`)
    paths: Vec<PathBuf>,

    /// Whose SQL it is: postgres, mysql (also for MariaDB) or sqlite
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<String>,

    /// The server that the migrations are for, as far as it is known: `postgres 14`, `mariadb 10.11`, `mysql 8.0`.
    /// It tells the dialect; what its version would decide is otherwise judged for the worst of all
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,

    /// Which tool's files they are
    #[arg(long, value_name = "LAYOUT", help = layout_help())]
    layout: Option<String>,

    /// Judge only what is new: what comes after the migration of this path or version, or what has changed since
    /// the revision of git; the rest is replayed to know its tables
    #[arg(long, value_name = "REV|VERSION|PATH")]
    since: Option<String>,

    /// Everything up to this migration, release or tag is out, and what comes after it goes out together: nobody uses
    /// yet what is new there, and a contract does not go out with its expand. `--since` says what is judged, this what
    /// the running version knows
    #[arg(long, value_name = "VERSION|PATH|RELEASE|REV")]
    released_up_to: Option<String>,

    /// Let Alembic and Django print their migrations as SQL, which runs the project's Python. No settings file can
    /// say this: whoever changes a repository could
    #[arg(long, env = "LOCKKEEPER_RUN_PYTHON", value_parser = clap::builder::FalseyValueParser::new())]
    run_python: bool,

    /// Replay this dump of the schema before the first migration; it is not judged
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Read the live schema of this database, or of `env:NAME`: judge what it has not had against it, tell how many
    /// rows are concerned, and where it differs from the migrations. Nothing is written
    #[arg(long, value_name = "URL", env = "LOCKKEEPER_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,

    /// Also say how risky each migration is, why, and with which deployment strategy to bring it out
    #[arg(long)]
    risk: bool,

    /// Report only what this file does not record; it was written by --write-known-findings
    #[arg(long, value_name = "FILE")]
    known_findings: Option<PathBuf>,

    /// Record all that is found now in the file of --known-findings, or of `known-findings` in the settings
    #[arg(long, conflicts_with = "since")]
    write_known_findings: bool,

    /// Heed what comments of another linter ignore: squawk, migration-pilot
    #[arg(long, value_name = "LINTER", value_delimiter = ',', value_parser = linter)]
    honour_ignores: Vec<Tool>,

    /// How the findings are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// The least severity that makes the exit code 1: deny, warn or note
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    fail_on: Option<Severity>,
}

/// How the findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: an object per line, the summary last
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For GitHub Actions: workflow commands
    Github,
    /// For GitLab: Code Quality
    Gitlab,
    /// For whatever shows test results: JUnit XML
    Junit,
}

/// Prints the findings; the exit code tells clean, findings, and not judged apart.
///
/// # Errors
/// Nothing could be judged.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    if args.risk && !matches!(args.format, Format::Text | Format::Json) {
        return Err(Error::input("`--risk` is printed as text or JSON only").hint("leave out --risk, or --format"));
    }
    let mut settings = Settings::load(context.config.as_deref())?;
    let engine = args.engine.as_deref().map(Engine::from_words).transpose()?;
    let url = args.database_url.as_deref().map(resolve_url).transpose()?;
    let layout = args.layout.as_deref().map(Layout::from_word).transpose()?.or(settings.layout);
    let dialect = dialect(args, engine, url.as_deref(), &settings)?;
    let choice = Choice { dialect, layout, transaction: settings.transaction, run_python: args.run_python };
    let paths = if args.paths.is_empty() { &settings.migrations } else { &args.paths };
    let mut history = read(args, paths, choice)?;
    if let Some(word) = &args.since {
        since::narrow(&mut history, word)?;
    }
    let told = Told {
        list: &settings.releases,
        tags: settings.release_tags.as_deref(),
        up_to: args.released_up_to.as_deref(),
    };
    since::mark_releases(&mut history, &told)?;
    if let Some(baseline) = args.baseline.as_ref().or(settings.baseline.as_ref()) {
        history.set_baseline(baseline)?;
    }
    if let Some(url) = &url {
        history.set_live(super::block_on(live::read(url))?);
    }
    settings.engine = engine.or_else(|| live_engine(&history)).or(settings.engine);
    if let Some(note) = settings.engine.and_then(Engine::too_old) {
        history.notes.push(note);
    }
    let given = Given {
        today: Some(OffsetDateTime::now_utc().date()),
        honoured: Tool::ALL.map(|tool| args.honour_ignores.contains(&tool)),
        whole: args.paths.is_empty() && args.since.is_none() && history.live.is_none() && history.unreadable.is_empty(),
    };
    settings.fail_on = args.fail_on.unwrap_or(settings.fail_on);
    let mut outcome = lint(&history, &settings, given)?;
    for ((tool, count), honoured) in Tool::ALL.into_iter().zip(outcome.ignores).zip(given.honoured) {
        if count > 0 && !honoured {
            let (directive, name) = (tool.directive(), tool.name());
            let comments = if count == 1 { "comment" } else { "comments" };
            history.notes.push(format!("{count} `{directive}` {comments} not heeded: `--honour-ignores {name}` does"));
        }
    }
    known_findings(args, &settings, given, &mut history, &mut outcome, context)?;
    let report = Report { history: &history, settings: &settings, outcome: &outcome };
    for error in &history.unreadable {
        context.say(&super::describe(error));
    }
    if args.risk {
        let risks = risks(&history, &outcome);
        context.print(&match args.format {
            Format::Json => report::risk::json(&risks),
            _ => report::risk::text(&risks),
        })?;
    }
    context.print(&match args.format {
        Format::Text => report::text::lint(&report, context.stdout_color),
        Format::Json => report::json::lint(&report),
        Format::Sarif => report::sarif::lint(&report),
        Format::Github => report::github::lint(&report),
        Format::Gitlab => report::gitlab::lint(&report),
        Format::Junit => report::junit::lint(&report),
    })?;
    let code = if !history.unreadable.is_empty() {
        exit_code::NOT_JUDGED
    } else if outcome.findings.iter().any(|finding| finding.severity >= settings.fail_on) {
        exit_code::FINDINGS
    } else {
        exit_code::CLEAN
    };
    // The process ends: to free a long history piece by piece would only take time.
    std::mem::forget((history, outcome));
    Ok(code)
}

/// What the live database says that it is.
fn live_engine(history: &History) -> Option<Engine> {
    Engine::from_words(&history.live.as_ref()?.server).ok()
}

/// Takes away what was known before, or records what is found now; that is then known.
fn known_findings(
    args: &Args,
    settings: &Settings,
    given: Given,
    history: &mut History,
    outcome: &mut Outcome,
    context: &Context,
) -> Result<()> {
    let Some(path) = args.known_findings.as_ref().or(settings.known_findings.as_ref()) else {
        if args.write_known_findings {
            let error = Error::input("no file is named for the known findings");
            return Err(error.hint("give --known-findings FILE, or write `known-findings` into lockkeeper.toml"));
        }
        return Ok(());
    };
    let name = path.display().to_string();
    let known = if args.write_known_findings {
        let known = Known::of(outcome, history, settings);
        fs::write(path, known.text())
            .map_err(|error| Error::input(format!("could not write `{name}`")).because(error))?;
        let count = known.count();
        context.say(&format!("recorded {count} {} in `{name}`\n", if count == 1 { "finding" } else { "findings" }));
        known
    } else {
        let text = fs::read_to_string(path).map_err(|error| {
            let error = Error::input(format!("could not read the known findings `{name}`")).because(error);
            error.hint("`lockkeeper lint --write-known-findings` writes it")
        })?;
        Known::parse(&text, &name)?
    };
    let (gone, count) = known.take_from(outcome, history, settings);
    // What is in files that were not looked at may still be there.
    if given.whole && count > 0 {
        let more = if count > gone.len() { ", ..." } else { "" };
        history.notes.push(format!(
            "{count} of {} known findings in `{name}` are found no more ({}{more}): write it again to forget them",
            known.count(),
            gone.join(", ")
        ));
    }
    Ok(())
}

/// Reads the files, or standard input.
fn read(args: &Args, paths: &[PathBuf], choice: Choice) -> Result<History> {
    if paths.iter().any(|path| path.as_os_str() == "-") {
        if paths.len() > 1 {
            let error = Error::input("standard input is read alone, not together with files");
            return Err(error.hint("give `-`, or files and directories"));
        }
        if args.layout.is_some() {
            let error = Error::input("`--layout` is for files: standard input has no names");
            return Err(error.hint("what node-pg-migrate, Alembic and Knex print is recognised"));
        }
        return stdin::read(std::io::stdin().lock(), choice);
    }
    layout::read(paths, choice).map_err(|error| {
        if args.paths.is_empty() && !paths.iter().all(|path| path.exists()) {
            return error.hint("without PATHS, `migrations` in lockkeeper.toml is read, or the directory `migrations`");
        }
        error
    })
}

/// What the command line says counts before what the settings say.
/// `None` leaves it to the directories.
fn dialect(args: &Args, engine: Option<Engine>, url: Option<&str>, settings: &Settings) -> Result<Option<Dialect>> {
    let named = args.dialect.as_deref().map(Dialect::from_word).transpose()?;
    if let (Some(named), Some(engine)) = (named, engine.map(Engine::dialect))
        && named != engine
    {
        let error = Error::input(format!("--dialect says {named}, and --engine {engine}"));
        return Err(error.hint("leave --dialect out"));
    }
    let said = named.or(engine.map(Engine::dialect));
    if let Some(url) = url {
        let live = database::dialect(url)?;
        return match said {
            Some(said) if said != live => {
                let option = if named.is_some() { "--dialect" } else { "--engine" };
                let error = Error::input(format!("{option} says {said}, and the database is {live}"));
                Err(error.hint(format!("leave {option} out, or --database-url")))
            }
            _ => Ok(Some(live)),
        };
    }
    if said.is_some() || settings.dialect.is_some() {
        return Ok(said.or(settings.dialect));
    }
    settings.database_url()?.map(|url| database::dialect(&url)).transpose()
}

fn layout_help() -> String {
    format!("Which tool's files they are, instead of finding it out: {}", Layout::words())
}

fn severity(word: &str) -> std::result::Result<Severity, String> {
    Severity::from_word(word).ok_or_else(|| "it is deny, warn or note".into())
}

fn linter(word: &str) -> std::result::Result<Tool, String> {
    Tool::from_word(word).ok_or_else(|| "it is squawk or migration-pilot".into())
}
