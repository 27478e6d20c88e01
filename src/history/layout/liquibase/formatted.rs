//! Formatted SQL: comments cut a file into changesets.

use std::ops::Range;

use super::is_meant;
use crate::history::layout::reading::{Run, Transaction, comment, lines};
use crate::sql::Dialect;

/// The changesets of this dialect, and how many are of others.
pub(super) fn read(text: &str, dialect: Dialect) -> (Vec<Run>, usize) {
    let changesets = changesets(text);
    let all = changesets.len();
    let for_us = |changeset: &Changeset<'_>| {
        let contexts = changeset.attribute("contextFilter").or_else(|| changeset.attribute("context"));
        is_meant(changeset.attribute("dbms"), contexts, dialect)
    };
    let runs: Vec<Run> = changesets.into_iter().filter(for_us).map(Changeset::run).collect();
    let others = all - runs.len();
    (runs, others)
}

/// The first line says so.
pub(super) fn is_formatted(text: &str) -> bool {
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
