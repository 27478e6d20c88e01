//! The command line: one file per command, each with its `Args` and a `run` that returns the exit code.
//!
//! stdout is data, stderr is talk; whether either is coloured is decided here, once.

pub mod approve;
pub mod demo;
pub mod explain;
mod interrupt;
pub mod lint;
pub mod listeners;
mod metrics_server;
pub mod pause;
pub mod plan;
pub mod reap;
pub mod resume;
pub mod revert;
pub mod rollback_check;
pub mod rules;
pub mod run;
pub mod status;
pub mod target;

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, Parser, Subcommand, ValueEnum};

use crate::database::temporary::REAP_COMMAND;
use crate::error::{Error, Kind, Result, exit_code};

/// Lint, plan and run database migrations while old and new versions of an application share one database
#[derive(Debug, Parser)]
#[command(name = "lockkeeper", version, color = ColorChoice::Never, after_help = exit_code_table(), max_term_width = 100)]
struct Cli {
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,

    /// Read the settings from FILE instead of `lockkeeper.toml` in the current directory
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(lint::Args),
    Explain(explain::Args),
    Rules(rules::Args),
    Plan(plan::Args),
    Run(run::Args),
    Status(status::Args),
    Approve(approve::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Revert(revert::Args),
    RollbackCheck(rollback_check::Args),
    Demo(demo::Args),
    #[command(name = REAP_COMMAND, hide = true)]
    Reap(reap::Args),
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How a command prints its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What every command is given besides its own arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// Paint what goes to stdout.
    pub stdout_color: bool,
    /// Paint what goes to stderr.
    pub stderr_color: bool,
    /// Somebody watches stderr.
    pub stderr_terminal: bool,
    /// What `--config` says.
    pub config: Option<PathBuf>,
}

impl Context {
    /// Writes data to stdout. A reader that has gone away is not an error: the verdict stays the same.
    ///
    /// # Errors
    /// A full disk and its like.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::input("could not write to standard output").because(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes talk to stderr; there is nobody left to tell when that fails.
    pub fn say(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Reads the command line, runs the command and turns its outcome into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { exit_code::NOT_JUDGED } else { exit_code::CLEAN });
        }
    };
    let context = Context {
        stdout_color: paint(cli.color, io::stdout().is_terminal(), variable),
        stderr_color: paint(cli.color, io::stderr().is_terminal(), variable),
        // A log of CI is no place for a bar, even where CI has a terminal.
        stderr_terminal: io::stderr().is_terminal() && variable("CI").is_none(),
        config: cli.config,
    };
    // Only progress and events are painted with `colored`, and they go to stderr.
    colored::control::set_override(context.stderr_color);
    ExitCode::from(run(cli.command, &context).unwrap_or_else(|error| {
        context.say(&describe(&error));
        error.exit_code()
    }))
}

fn run(command: Command, context: &Context) -> Result<u8> {
    match command {
        Command::Lint(args) => lint::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Rules(args) => rules::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Run(args) => run::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Approve(args) => approve::run(&args, context),
        Command::Pause(args) => pause::run(&args, context),
        Command::Resume(args) => resume::run(&args, context),
        Command::Revert(args) => revert::run(&args, context),
        Command::RollbackCheck(args) => rollback_check::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::Reap(args) => reap::run(&args, context),
    }
}

/// Runs a command's future to its end: the only place that builds a runtime.
///
/// # Errors
/// Those of the future, or a system that gives us no threads.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Input, "could not start the asynchronous runtime").because(error))?
        .block_on(future)
}

/// An error as it is printed: what, why, and what to do.
fn describe(error: &Error) -> String {
    let mut text = format!("error: {}\n", error.message);
    for cause in &error.causes {
        text += &format!("  cause: {cause}\n");
    }
    for hint in &error.hints {
        text += &format!("hint: {hint}\n");
    }
    text
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a stream is painted: the option first, then the environment, then the stream itself.
fn paint(color: Color, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let forced = |name| variable(name).is_some_and(|value| value != "0");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if variable("NO_COLOR").is_some() => false,
        Color::Auto if forced("CLICOLOR_FORCE") || forced("FORCE_COLOR") => true,
        Color::Auto => terminal && variable("TERM").as_deref() != Some("dumb"),
    }
}

fn exit_code_table() -> String {
    let rows = [
        (exit_code::CLEAN, "clean, or finished"),
        (exit_code::FINDINGS, "findings at or above --fail-on, or a phase refused by a failed gate"),
        (
            exit_code::NOT_JUDGED,
            "not judged, or not all of it: usage, settings, unreadable file or directory, no connection",
        ),
        (
            exit_code::WAITING,
            "waiting at a gate, for another runner, or for a pause or time window to end; run the same command again",
        ),
        (exit_code::STEP_FAILED, "a step failed; the ledger says which"),
        (exit_code::INTERRUPTED, "interrupted; run the same command again"),
    ];
    let rows = rows.map(|(code, meaning)| format!("{code:>5}  {meaning}"));
    format!("Exit codes:\n{}", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_decided_by_option_then_environment_then_stream() {
        type Row = (Color, bool, &'static [(&'static str, &'static str)], bool);
        let table: &[Row] = &[
            (Color::Auto, true, &[], true),
            (Color::Auto, false, &[], false),
            (Color::Auto, true, &[("NO_COLOR", "1")], false),
            (Color::Auto, true, &[("TERM", "dumb")], false),
            (Color::Auto, false, &[("FORCE_COLOR", "1")], true),
            (Color::Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Color::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (Color::Always, false, &[("NO_COLOR", "1")], true),
            (Color::Never, true, &[("FORCE_COLOR", "1")], false),
        ];
        for (color, terminal, environment, expected) in table {
            let variable =
                |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string());
            assert_eq!(paint(*color, *terminal, variable), *expected, "{color:?} {terminal} {environment:?}");
        }
    }
}
