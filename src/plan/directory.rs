//! A directory of plain SQL into a plan.
//!
//! It refuses what could not be carried out as promised: a statement that cannot be read, a transaction
//! of the user's own, a backfill that cannot be cut into batches, destruction before the gates.

mod backfill;
mod group;
mod order;
mod steps;

use std::io::ErrorKind;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Action, Phase, Plan, PlanFile, Probe, Settings, Verify};
use crate::error::{Error, Result, closest};
use crate::sql::{self, Change, Clause, Dialect, Name, Object};
use group::Unit;
use steps::Steps;

/// The files of a phased change; the digest covers those that are there, in this order.
pub const FILES: [&str; 6] = [SETTINGS, EXPAND, BACKFILL, VERIFY, CONTRACT, REVERT];

const SETTINGS: &str = "change.toml";
const EXPAND: &str = "expand.sql";
const BACKFILL: &str = "backfill.sql";
const VERIFY: &str = "verify.sql";
const CONTRACT: &str = "contract.sql";
const REVERT: &str = "revert.sql";

/// Reads a phased change. `fallback` is the dialect that the caller knows of, from an option, a database
/// URL or the settings; it must not contradict `change.toml`.
///
/// # Errors
/// A directory that is none or lacks `expand.sql`, and anything in its files that could not be carried out.
pub fn read(path: &Path, fallback: Option<Dialect>) -> Result<Plan> {
    plan(path, name(path)?, &Files::read(path)?, fallback)
}

/// A path at which no change can be read.
pub fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::NotADirectory => {
            let shown = path.display();
            format!(
                "a phased change is a directory: `lockkeeper plan {shown}` writes one for a migration that needs it"
            )
        }
        _ => "a phased change is a directory with at least expand.sql".to_string(),
    };
    Error::input(format!("cannot read {}", path.display())).because(error).hint(hint)
}

/// The plan of files that are not written yet; `path` is where they would be.
///
/// # Errors
/// As `read`.
pub fn of_texts(path: &Path, texts: &[(&'static str, String)], fallback: Option<Dialect>) -> Result<Plan> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
    let list = FILES
        .iter()
        .filter_map(|file| texts.iter().find(|(name, _)| name == file))
        .map(|(name, text)| File { name, path: path.join(name).display().to_string(), text: text.clone() })
        .collect();
    plan(path, name, &Files { list }, fallback)
}

fn plan(path: &Path, name: String, files: &Files, fallback: Option<Dialect>) -> Result<Plan> {
    let settings = match files.get(SETTINGS) {
        Some(file) => Settings::read(&file.text, &file.path)?,
        None => Settings::default(),
    };
    let dialect = dialect(path, settings.dialect, fallback)?;
    if files.get(EXPAND).is_none() {
        return Err(Error::input(format!("no {EXPAND} in {}", path.display()))
            .hint("a phased change is a directory with at least expand.sql: additive statements in plain SQL"));
    }
    let mut statements = Vec::new();
    for name in [EXPAND, BACKFILL, VERIFY, CONTRACT, REVERT] {
        if let Some(file) = files.get(name) {
            statements.push((name, file.statements(dialect)?));
        }
    }
    let of = |name: &str| statements.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, list)| list);

    let mut steps = Steps::new(dialect);
    for statement in of(EXPAND) {
        statement.only_adds()?;
        steps.statement(Phase::Expand, statement);
    }
    let filled = backfill::read(dialect, of(BACKFILL), of(EXPAND), !of(VERIFY).is_empty())?;
    let enforcing = order::first_that_enforces(of(EXPAND), of(BACKFILL), &filled, dialect)?;
    let mut proofs = Vec::new();
    for (statement, batched) in of(BACKFILL)[..enforcing].iter().zip(&filled) {
        match batched {
            Some(batched) => {
                let action = Action::Backfill(batched.backfill.clone());
                let fill = steps.add(Phase::Backfill, action, statement, Probe::Ledger);
                if of(VERIFY).is_empty() {
                    proofs.push(batched.proof(dialect, fill)?);
                }
            }
            None => steps.statement(Phase::Backfill, statement),
        }
    }
    for query in of(VERIFY) {
        proofs.push(asked(query)?);
    }
    if proofs.is_empty() {
        kept_in_step(of(EXPAND), of(CONTRACT))?;
    }
    steps.proofs(Phase::Backfill, &proofs);
    for statement in &of(BACKFILL)[enforcing..] {
        steps.statement(Phase::Backfill, statement);
    }
    if !of(CONTRACT).is_empty() {
        // Nothing is dropped without a proof taken after the gates opened.
        steps.proofs(Phase::Contract, &proofs);
        let mut proved: Vec<Name> = filled.iter().flatten().map(|one| one.backfill.rows.table.clone()).collect();
        proved.extend(proofs.iter().flat_map(|proof| sql::tables_read(&proof.sql, dialect)));
        for unit in group::units(of(CONTRACT), dialect)? {
            let statement = match &unit {
                Unit::One(statement) => *statement,
                Unit::Together(statement) => statement,
            };
            steps.statement(Phase::Contract, statement);
            if !proofs.is_empty() {
                steps.recheck_before(statement, &proved);
            }
        }
    }

    let makes_trigger = |clause: &Clause| matches!(clause.change, Change::CreateTrigger { .. });
    if settings.two_way_sync && !of(EXPAND).iter().flat_map(|statement| &statement.clauses).any(makes_trigger) {
        let settings = path.join(SETTINGS);
        let error =
            Error::input(format!("{}: sync is \"two-way\", and {EXPAND} creates no trigger", settings.display()));
        return Err(
            error.hint("without triggers, versions that write both shapes stand between the old and the new one")
        );
    }
    for statement in of(REVERT) {
        steps.revert(statement)?;
    }

    let digests: Vec<PlanFile> = files.list.iter().map(File::digest).collect();
    Ok(Plan {
        name,
        dialect,
        settings,
        digest: hex(digests.iter().flat_map(|file| [file.name.as_str(), "\0", &file.digest, "\n"])),
        files: digests,
        sync: order::sync(of(EXPAND)),
        steps: steps.steps,
        revert: steps.revert,
    })
}

/// What triggers of expand.sql keep in step is not taken away while the rows from before them are neither filled nor
/// proved: a backfill.sql that went missing would lose a whole column.
fn kept_in_step(expand: &[Statement], contract: &[Statement]) -> Result<()> {
    let watched: Vec<&Name> = changes(expand)
        .filter_map(|change| match change {
            Change::CreateTrigger { table, .. } => Some(table),
            _ => None,
        })
        .collect();
    for statement in contract {
        for Clause { change, .. } in &statement.clauses {
            let (Change::DropColumn { table, .. } | Change::DropTable { table, .. }) = change else { continue };
            if watched.contains(&table) {
                return Err(statement
                    .refused(format!("this takes away what a trigger of {EXPAND} on `{table}` keeps, and the rows from before it are neither filled nor proved"))
                    .hint(format!("fill them in {BACKFILL}, or let {VERIFY} ask for rows that are not as they should be")));
            }
        }
    }
    Ok(())
}

fn changes(statements: &[Statement]) -> impl Iterator<Item = &Change> {
    statements.iter().flat_map(|statement| &statement.clauses).map(|clause| &clause.change)
}

/// The directory's own name, also of `.` and `..`.
fn name(path: &Path) -> Result<String> {
    let absolute =
        path.canonicalize().map_err(|error| Error::input(format!("cannot read {}", path.display())).because(error))?;
    match absolute.file_name().and_then(|name| name.to_str()) {
        Some(name) => Ok(name.to_string()),
        None => Err(Error::input(format!("the directory {} has no name that could stand in a ledger", path.display()))),
    }
}

fn dialect(path: &Path, own: Option<Dialect>, fallback: Option<Dialect>) -> Result<Dialect> {
    match (own, fallback) {
        (Some(own), Some(other)) if own != other => Err(Error::input(format!(
            "{} is written for {own}, but {other} was asked for",
            path.join(SETTINGS).display()
        ))),
        (Some(dialect), _) | (None, Some(dialect)) => Ok(dialect),
        (None, None) => Err(Error::input(format!("the dialect of {} is not known", path.display()))
            .hint("say `dialect = \"postgres\"` in its change.toml, or give --dialect postgres|mysql|sqlite")),
    }
}

/// A proof before it has its place in a phase.
struct Proof {
    verify: Verify,
    sql: String,
    file: String,
    line: usize,
}

/// The proof that a query of verify.sql is.
fn asked(statement: &Statement) -> Result<Proof> {
    let query = match statement.clauses.as_slice() {
        [Clause { change: Change::Other { kind }, .. }] => {
            ["SELECT", "WITH", "VALUES", "TABLE"].contains(&first_word(kind).as_str())
        }
        _ => false,
    };
    if !query {
        return Err(statement.refused("verify.sql holds queries that must return no row, and this is none"));
    }
    Ok(Proof {
        verify: Verify::Query,
        sql: statement.sql.clone(),
        file: statement.file.to_string(),
        line: statement.line,
    })
}

/// A statement that was read, and where it stands.
struct Statement {
    file: &'static str,
    /// The file as the user would type it.
    path: String,
    line: usize,
    sql: String,
    clauses: Vec<Clause>,
}

impl Statement {
    /// Its change, when it is just one.
    fn only_change(&self) -> Option<&Change> {
        match self.clauses.as_slice() {
            [one] => Some(&one.change),
            _ => None,
        }
    }

    fn refused(&self, what: impl std::fmt::Display) -> Error {
        Error::input(format!("{}:{}: {what}", self.path, self.line))
    }

    /// Expand and backfill have no gate in front of them: they may only add.
    fn only_adds(&self) -> Result<()> {
        for Clause { change, .. } in &self.clauses {
            match change {
                Change::Update { .. } if self.file == EXPAND => {
                    return Err(self.refused("an UPDATE belongs in backfill.sql, where it is done in batches"));
                }
                Change::Other { kind } if !["DROP", "TRUNCATE"].contains(&first_word(kind).as_str()) => {}
                Change::RenameObject { object: Object::Index | Object::Constraint, .. } => {}
                Change::DropTable { .. }
                | Change::DropColumn { .. }
                | Change::DropView { .. }
                | Change::DropObject { .. }
                | Change::Other { .. }
                | Change::Truncate { .. }
                | Change::RenameLabel { .. }
                | Change::RenameObject { .. }
                | Change::MoveToSchema { .. }
                | Change::Revoke { .. }
                | Change::RenameTable { .. }
                | Change::RenameColumn { .. }
                | Change::Delete { .. } => {
                    return Err(
                        self.refused("this belongs in contract.sql: it breaks the version that is still running")
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// One file of the directory.
struct File {
    name: &'static str,
    path: String,
    text: String,
}

impl File {
    fn digest(&self) -> PlanFile {
        PlanFile { name: self.name.to_string(), digest: hex([self.text.as_str()]) }
    }

    /// Its statements; a file without any is a mistake, most of all an empty verify.sql, which would
    /// prove nothing.
    fn statements(&self, dialect: Dialect) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        for statement in sql::read(&self.text, dialect) {
            let at = |offset: usize| sql::line_column(&self.text, offset).0;
            let line = at(statement.range.start);
            let clauses = statement.parsed.map_err(|unread| {
                Error::input(format!("{}:{}: cannot read this statement", self.path, at(unread.range.start)))
                    .because(unread.reason)
            })?;
            let sql = self.text[statement.range].to_string();
            let statement = Statement { file: self.name, path: self.path.clone(), line, sql, clauses };
            for clause in &statement.clauses {
                runnable(&statement, clause, dialect)?;
            }
            statements.push(statement);
        }
        if statements.is_empty() {
            return Err(Error::input(format!("{} holds no statement", self.path)));
        }
        Ok(statements)
    }
}

/// Refuses what cannot be a step of its own.
fn runnable(statement: &Statement, clause: &Clause, dialect: Dialect) -> Result<()> {
    let decided_later = |what: &str| {
        let error = statement.refused(format!("what this {what} does is decided only when it runs"));
        error.hint("write the statements out")
    };
    let verb = first_word(&statement.sql);
    if clause.in_body || verb == "DO" {
        return Err(decided_later(&verb));
    }
    if verb == "COPY" {
        return Err(statement
            .refused("COPY speaks to psql, not to the server")
            .hint("write it as SQL: INSERT for COPY"));
    }
    match &clause.change {
        Change::Begin | Change::Commit if group::allowed(statement, dialect) => Ok(()),
        Change::Begin | Change::Commit | Change::Rollback => Err(statement
            .refused("the runner makes the transactions")
            .hint("leave BEGIN, COMMIT and ROLLBACK out: every step commits together with its ledger row")
            .hint("contract.sql may say BEGIN and COMMIT around what must happen together, on PostgreSQL and SQLite")),
        Change::Opaque { kind } => Err(decided_later(kind)),
        other => match first_word(&other.words()).as_str() {
            "SAVEPOINT" | "RELEASE" | "ROLLBACK" => Err(statement.refused("the runner makes the transactions")),
            word @ ("SET" | "RESET" | "USE" | "PRAGMA" | "ATTACH" | "DETACH" | "DISCARD" | "LISTEN" | "LOCK"
            | "PREPARE") => Err(statement
                .refused(format!("{word} speaks to one session only, and a resumed run has another"))
                .hint("leave it out; the runner sets its own timeouts")),
            word if word.starts_with('\\') => Err(statement
                .refused(format!("{word} speaks to psql, not to the server"))
                .hint("write it as SQL: INSERT for COPY")),
            _ => Ok(()),
        },
    }
}

/// The first word of a statement's kind, in upper case.
fn first_word(kind: &str) -> String {
    kind.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

/// The files that are there, in the order of `FILES`.
struct Files {
    list: Vec<File>,
}

impl Files {
    fn read(directory: &Path) -> Result<Self> {
        let unreadable = |error| unreadable(directory, error);
        let entries = std::fs::read_dir(directory).map_err(unreadable)?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in &names {
            if name.ends_with(".sql") && !name.starts_with('.') && !FILES.contains(&name.as_str()) {
                let error = Error::input(format!("{} is no file of a phased change", directory.join(name).display()));
                return Err(match closest(name, FILES) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!("its files are {}", FILES.join(", "))),
                });
            }
        }
        let mut list = Vec::new();
        for name in FILES {
            if !names.iter().any(|found| found == name) {
                continue;
            }
            let path = directory.join(name);
            let shown = path.display().to_string();
            let bytes = std::fs::read(&path).map_err(|e| Error::input(format!("cannot read {shown}")).because(e))?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let offset = error.utf8_error().valid_up_to();
                Error::input(format!("{shown} is not UTF-8: the byte at offset {offset} is none"))
            })?;
            list.push(File { name, path: shown, text });
        }
        Ok(Self { list })
    }

    fn get(&self, name: &str) -> Option<&File> {
        self.list.iter().find(|file| file.name == name)
    }
}

/// SHA-256 over the pieces, in hex.
fn hex<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
