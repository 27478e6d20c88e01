//! `lockkeeper plan`: the steps of a phased change, or an unsafe migration turned into one.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use crate::error::{Error, Result, exit_code};
use crate::history::layout::{self, Choice};
use crate::plan::{Plan, directory, recipes};
use crate::report;
use crate::run::before;
use crate::settings::Settings;
use crate::sql::Dialect;

/// Print the steps of a phased change, or turn an unsafe migration into one
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A change directory, or a migration file with one unsafe change in it
    #[arg(value_name = "CHANGE|MIGRATION")]
    target: PathBuf,

    /// Whose SQL it is, where change.toml does not say: postgres, mysql (also for MariaDB) or sqlite
    #[arg(long)]
    dialect: Option<String>,

    /// The changed column's type, where the migrations beside it do not tell: `varchar(20) NOT NULL`
    #[arg(long = "type", value_name = "TYPE")]
    column_type: Option<String>,

    /// Write the phased change to DIR, which must not exist yet; without it, it is only printed
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// What `--format` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Prints a plan; of a migration, also the phased change that it becomes.
///
/// # Errors
/// A change that cannot be read or could not be carried out, a migration that has no recipe.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let settings = Settings::load(context.config.as_deref())?;
    let dialect = match &args.dialect {
        Some(word) => Some(Dialect::from_word(word)?),
        None => settings.dialect,
    };
    let target = &args.target;
    match std::fs::metadata(target) {
        Err(error) => return Err(Error::input(format!("cannot read {}", target.display())).because(error)),
        Ok(metadata) if metadata.is_dir() => {
            for (option, given) in [("--type", args.column_type.is_some()), ("--output", args.output.is_some())] {
                if given {
                    return Err(Error::input(format!(
                        "{option} is for a migration; {} is a directory",
                        target.display()
                    )));
                }
            }
            let plan = directory::read(target, dialect)?;
            context.print(&shown(&plan, args.format))?;
            warn(&before::against(&plan, target, None, &settings)?, context);
        }
        Ok(_) => rewrite(args, &settings, dialect, context)?,
    }
    Ok(exit_code::CLEAN)
}

/// What `run` would refuse to begin.
fn warn(against: &[String], context: &Context) {
    for because in against {
        context.say(&format!("against it: {because}\n"));
    }
    if !against.is_empty() {
        context
            .say("hint: `run` asks the database's own schema, and begins what it does not excuse only with --force\n");
    }
}

fn shown(plan: &Plan, format: Format) -> String {
    match format {
        Format::Text => report::plan::text(plan),
        Format::Json => report::plan::json(plan),
    }
}

fn rewrite(args: &Args, settings: &Settings, dialect: Option<Dialect>, context: &Context) -> Result<()> {
    let target = &args.target;
    let dialect = dialect.ok_or_else(|| {
        Error::input(format!("the dialect of {} is not known", target.display()))
            .hint("give --dialect postgres|mysql|sqlite, or say it in lockkeeper.toml")
    })?;
    let choice = Choice { layout: settings.layout, transaction: settings.transaction, ..Choice::from(dialect) };
    let history = layout::read(&[root_of(target, settings)], choice)?;
    let output = args.output.clone().unwrap_or_else(|| target.with_file_name(recipes::title(target)));
    if args.output.is_some() && output.exists() {
        return Err(Error::input(format!("{} exists already and is not overwritten", output.display())));
    }
    let rewritten = recipes::rewrite(target, &history, args.column_type.as_deref(), &output)?;
    for note in &rewritten.notes {
        context.say(&format!("note: {note}\n"));
    }
    let mut text = String::new();
    let plan = if args.output.is_some() {
        write(&output, &rewritten.draft.files)?;
        context.say(&format!("wrote {}; it takes the place of {}\n", output.display(), target.display()));
        directory::read(&output, Some(dialect))?
    } else {
        if args.format == Format::Text {
            text += &report::plan::files(&rewritten.draft.files);
        }
        context.say("nothing is written; give --output DIR to write it\n");
        rewritten.plan
    };
    text += &shown(&plan, args.format);
    if args.format == Format::Text {
        text += &report::plan::ladder(&rewritten.draft.ladder);
    }
    context.print(&text)
}

/// The directory that holds the migration's history: one of the settings', or else the one whose
/// files are ordered with it.
fn root_of(target: &Path, settings: &Settings) -> PathBuf {
    let within = |root: &&PathBuf| match (root.canonicalize(), target.canonicalize()) {
        (Ok(root), Ok(target)) => root.is_dir() && target.starts_with(root),
        _ => false,
    };
    if let Some(root) = settings.migrations.iter().find(within) {
        return root.clone();
    }
    layout::home_of(target)
}

/// Writes the directory beside its place and moves it there, so that no half of it is left behind.
fn write(output: &Path, files: &[(&'static str, String)]) -> Result<()> {
    let failed = |error: std::io::Error| Error::input(format!("could not write {}", output.display())).because(error);
    let parent = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(failed)?;
    let draft = tempfile::Builder::new().prefix(".lockkeeper-").tempdir_in(parent).map_err(failed)?;
    let written = draft.path().join("change");
    std::fs::create_dir(&written).map_err(failed)?;
    for (name, text) in files {
        std::fs::write(written.join(name), text).map_err(failed)?;
    }
    std::fs::rename(&written, output).map_err(failed)
}
