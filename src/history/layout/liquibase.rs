//! Liquibase's formatted SQL: a file is a list of changesets, each a migration of its own.

use std::ops::Range;

use super::directory::{Directory, Entry};
use super::reading::{Place, Reading, Run, Transaction, comment, lines};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "liquibase",
    recursive: true,
    unique: false,
    sign: |directory: &Directory| {
        directory.mostly_says(is_formatted).then_some(Sign::Mark("`--liquibase formatted sql`"))
    },
    dialect: |_| None,
    read,
    assumed: "files in natural order of their paths, each changeset in a transaction unless it says runInTransaction:false; \
              contexts and preconditions are taken to hold",
};

fn read(directory: &Directory, dialect: Dialect) -> Reading {
    let mut others = Vec::new();
    let mut reading = Reading::of(directory, |_| Vec::new(), |entry, text| place(entry, text, dialect, &mut others));
    reading.notes = others;
    reading
}

fn place(entry: &Entry, text: &str, dialect: Dialect, notes: &mut Vec<String>) -> Place {
    if !is_formatted(text) {
        return Place::Aside("no `--liquibase formatted sql` on the first line");
    }
    let changesets = changesets(text);
    let all = changesets.len();
    let runs: Vec<Run> =
        changesets.into_iter().filter(|changeset| changeset.is_for(dialect)).map(Changeset::run).collect();
    if runs.len() < all {
        let path = entry.path.display();
        notes.push(format!(
            "{} of {all} changesets in `{path}` not linted: their `dbms` is not {dialect}",
            all - runs.len()
        ));
    }
    Place::Forward(runs)
}

fn is_formatted(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).and_then(comment);
    first.is_some_and(|said| said.to_ascii_lowercase().split_whitespace().eq(["liquibase", "formatted", "sql"]))
}

/// A changeset: its head, and the parts of the file that it runs.
#[derive(Default)]
struct Changeset<'a> {
    id: &'a str,
    attributes: &'a str,
    parts: Vec<Range<usize>>,
}

/// Lines that speak to Liquibase and are not SQL to it: MySQL would not take all of them for comments.
const DIRECTIVES: [&str; 7] =
    ["liquibase", "rollback", "precondition", "preconditions", "comment", "property", "validchecksum"];

fn changesets(text: &str) -> Vec<Changeset<'_>> {
    // What stands before the first changeset belongs to none; it is read, so that nothing gets lost.
    let mut changesets = vec![Changeset::default()];
    for (at, line) in lines(text) {
        let said = comment(line);
        if let Some(head) = said.and_then(|said| strip_word(said, "changeset")) {
            let end = id_end(head);
            changesets.push(Changeset { id: &head[..end], attributes: &head[end..], parts: Vec::new() });
        } else if !said.is_some_and(|said| DIRECTIVES.iter().any(|word| strip_word(said, word).is_some())) {
            let parts = &mut changesets.last_mut().expect("there is always one").parts;
            match parts.last_mut() {
                Some(last) if last.end == at => last.end = at + line.len(),
                _ => parts.push(at..at + line.len()),
            }
        }
    }
    let is_blank = |changeset: &Changeset<'_>| changeset.parts.iter().all(|part| text[part.clone()].trim().is_empty());
    if is_blank(&changesets[0]) {
        changesets.remove(0);
    }
    changesets
}

impl Changeset<'_> {
    /// `dbms:postgresql,h2` or `dbms:!mysql`.
    fn is_for(&self, dialect: Dialect) -> bool {
        let Some(list) = self.attribute("dbms") else { return true };
        let (mut wanted, mut allowed) = (false, false);
        for word in list.split(',').map(str::trim) {
            match word.strip_prefix('!') {
                Some(other) if Dialect::from_word(other).is_ok_and(|other| other == dialect) => return false,
                Some(_) => {}
                None => {
                    wanted = true;
                    allowed |= word == "all" || Dialect::from_word(word).is_ok_and(|word| word == dialect);
                }
            }
        }
        allowed || !wanted
    }

    fn run(self) -> Run {
        let never = self.attribute("runInTransaction").is_some_and(|value| value.eq_ignore_ascii_case("false"));
        let version = (!self.id.is_empty()).then(|| self.id.to_string());
        let transaction = Transaction::unless(never);
        Run { version, order: Some(Vec::new()), parts: Some(self.parts), transaction }
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        let at = self.attributes.to_ascii_lowercase().find(&format!(" {}:", key.to_ascii_lowercase()))?;
        let value = &self.attributes[at + key.len() + 2..];
        match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => value.split_whitespace().next(),
        }
    }
}

/// What follows a word, in any case.
fn strip_word<'a>(said: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = said.split_at_checked(word.len())?;
    let ends = rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric());
    (head.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start_matches(':').trim_start())
}

/// Where `author:id` ends; either may be quoted.
fn id_end(head: &str) -> usize {
    let mut quoted = false;
    head.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    })
    .unwrap_or(head.len())
}
