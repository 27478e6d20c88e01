//! Runs the Python of a project, which nobody does without the user's word: its migrations are code.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::history::Migration;
use crate::sql::Dialect;

/// No project prints longer.
const LIMIT: Duration = Duration::from_secs(300);

/// What a program printed, and whether it succeeded.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Output {
    /// The last line that it said before it failed: Python's exception.
    pub(super) fn reason(&self) -> &str {
        let said = [&self.stderr, &self.stdout].map(|text| text.trim_end().lines().next_back());
        said.into_iter().flatten().next().unwrap_or("it said nothing")
    }
}

/// The nearest directory above a file in which `mark` lies.
pub(super) fn project_of(file: &Path, mark: &str) -> Option<PathBuf> {
    let path = file.canonicalize().ok()?;
    for directory in path.ancestors().skip(1) {
        if directory.join(mark).is_file() {
            return Some(directory.to_path_buf());
        }
        if directory.join(".git").exists() {
            break;
        }
    }
    None
}

/// What a tool has printed of a file, as a migration. What the file's comments say to us stands above it.
pub(super) fn migration(file: &Path, command: &str, sql: &str, parts: &[Range<usize>], dialect: Dialect) -> Migration {
    let code = std::fs::read_to_string(file).unwrap_or_default();
    let said = code.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
    let said = said.filter(|said| said.trim_start().starts_with("lockkeeper:"));
    let head: String = said.map(|said| format!("-- {}\n", said.trim())).collect();
    let shifted = parts.iter().map(|part| part.start + head.len()..part.end + head.len());
    let parts = std::iter::once(0..head.len()).chain(shifted).filter(|part| !part.is_empty()).collect();
    let name = format!("{} ({command})", file.display());
    let mut migration = Migration::of_parts(name, Arc::from(head + sql), parts, dialect);
    migration.printed = true;
    migration.made_from = Some(file.display().to_string());
    migration
}

/// A directory as the user would type it.
pub(super) fn shown(directory: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    match directory.strip_prefix(here) {
        Ok(below) if below.as_os_str().is_empty() => ".".into(),
        Ok(below) => below.display().to_string(),
        Err(_) => directory.display().to_string(),
    }
}

/// Runs the first of `programs` that is installed, in a directory.
///
/// # Errors
/// None is installed, or it does not come to an end.
pub(super) fn run(
    programs: &[&str],
    arguments: &[&str],
    directory: &Path,
    variables: &[(&str, &str)],
) -> Result<Output> {
    for program in programs {
        if let Some(output) = run_one(program, arguments, directory, variables, LIMIT)? {
            return Ok(output);
        }
    }
    let error = Error::input(format!("`{}` is not installed, or not here", programs[0]));
    Err(error.hint(IN_ITS_ENVIRONMENT))
}

/// Where a project's Python is to be found.
pub(super) const IN_ITS_ENVIRONMENT: &str =
    "run lockkeeper in the environment of the project: `source venv/bin/activate`, `uv run`, `poetry run`";

/// `None` if the program is not there.
fn run_one(
    program: &str,
    arguments: &[&str],
    directory: &Path,
    variables: &[(&str, &str)],
    limit: Duration,
) -> Result<Option<Output>> {
    let name = program;
    let failed = |error: std::io::Error| Error::input(format!("could not run `{name}`")).because(error);
    // Files, not pipes: a pipe that nobody reads would stop it.
    let (mut stdout, mut stderr) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().map_err(failed)?)
        .stderr(stderr.try_clone().map_err(failed)?);
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if begun.elapsed() > limit {
            let _ = child.kill().and_then(|()| child.wait());
            let error = Error::input(format!("`{name}` was stopped after {} seconds", limit.as_secs()));
            return Err(error.hint("pipe what it prints: `... | lockkeeper lint -`"));
        }
        sleep(Duration::from_millis(10));
    };
    Ok(Some(Output { success: status.success(), stdout: text(&mut stdout)?, stderr: text(&mut stderr)? }))
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.map_err(|error| Error::input("could not read what a program printed").because(error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(program: &str, arguments: &[&str], limit: Duration) -> Result<Option<Output>> {
        run_one(program, arguments, Path::new("."), &[], limit)
    }

    #[test]
    fn what_does_not_end_is_stopped() {
        let Err(error) = output("sleep", &["60"], Duration::ZERO) else { panic!("it ended") };
        assert_eq!(error.message, "`sleep` was stopped after 0 seconds");
    }

    #[test]
    fn both_streams_are_read_however_much_they_hold() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo printed; echo said >&2; i=$((i+1)); done; exit 3";
        let Ok(Some(output)) = output("sh", &["-c", script], LIMIT) else { panic!("there is no shell") };
        assert!(!output.success && output.stdout.len() == 160_000 && output.reason() == "said");
    }

    #[test]
    fn a_program_that_is_not_there_is_no_error() {
        assert!(matches!(output("no-such-program", &[], LIMIT), Ok(None)));
    }
}
