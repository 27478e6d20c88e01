//! What comments say to us: `-- lockkeeper: allow <rule>[, <rule>]: <reason>` before or inside a statement,
//! and `-- lockkeeper: phase=contract` for a whole migration, before its first statement. What we cannot make
//! sense of is a finding.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rules;
use crate::error::closest;
use crate::history::{Migration, Phase};
use crate::sql::{self, Dialect, Statement};

/// What the comments of one file say.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub(super) phase: Option<Phase>,
    allowances: Vec<Allowance>,
    /// Which of them are for a statement and a rule.
    by_statement: BTreeMap<(usize, &'static str), Vec<usize>>,
    complaints: Vec<Complaint>,
}

/// A finding about a comment.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) rule: &'static str,
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// One rule that a comment allows for one statement.
#[derive(Debug)]
struct Allowance {
    rule: &'static str,
    /// Empty where no statement follows; several where one change of a changelog is several statements.
    statements: Range<usize>,
    range: Range<usize>,
    used: bool,
}

/// Reads all comments of a migration.
pub(super) fn read(migration: &Migration, dialect: Dialect) -> Comments {
    let mut comments = Comments::default();
    let mut file = None;
    for range in migration.comments.iter().flatten() {
        comments.read(range.clone(), file.get_or_insert_with(|| File::new(migration)));
    }
    for part in migration.parts.iter().filter(|_| migration.comments.is_none()) {
        let text = &migration.text[part.clone()];
        // Most files do not speak to us: they need not be cut a second time.
        if text.as_bytes().windows(NAME.len()).any(is_name) {
            let file = file.get_or_insert_with(|| File::new(migration));
            for range in sql::comments(text, dialect) {
                comments.read(range.start + part.start..range.end + part.start, file);
            }
        }
    }
    comments
}

fn is_name(word: &[u8]) -> bool {
    word[0].eq_ignore_ascii_case(&NAME.as_bytes()[0]) && word.eq_ignore_ascii_case(NAME.as_bytes())
}

/// The file that the comments stand in.
struct File<'a> {
    text: &'a str,
    statements: &'a [Statement],
    line_ends: Vec<usize>,
    /// It was made of a program, whose comments stand on top.
    is_made: bool,
}

impl<'a> File<'a> {
    fn new(migration: &'a Migration) -> Self {
        let text = &*migration.text;
        // A file may hold many migrations, each with lines of its own.
        let start = migration.parts.first().map_or(0, |part| part.start);
        let end = migration.parts.last().map_or(start, |part| part.end);
        let line_ends = text[start..end].match_indices('\n').map(|(at, _)| start + at).collect();
        Self { text, statements: &migration.statements, line_ends, is_made: migration.made_from.is_some() }
    }

    /// The statement that a comment belongs to: the one around it, the one that ends on its line, or the next; with
    /// it those that stand in the same place.
    fn statements_of(&self, comment: &Range<usize>) -> Range<usize> {
        // A line of the program is many statements or none: a comment in it is for all.
        if self.is_made && self.statements.first().is_some_and(|first| comment.end <= first.range.start) {
            return 0..self.statements.len();
        }
        let up_to = |end: usize| self.statements.partition_point(|statement| statement.range.end <= end);
        let line = |offset: usize| self.line_ends.partition_point(|end| *end < offset);
        let next = up_to(comment.start);
        let previous = next.checked_sub(1).map(|previous| &self.statements[previous].range);
        let on_its_line = previous.filter(|previous| line(previous.end) == line(comment.start));
        match on_its_line.or(self.statements.get(next).map(|statement| &statement.range)) {
            Some(place) => {
                self.statements.partition_point(|statement| statement.range.end < place.end)..up_to(place.end)
            }
            None => next..next,
        }
    }
}

const NAME: &str = "lockkeeper";
const ADDRESS: &str = "lockkeeper:";

impl Comments {
    /// Whether a comment allows this rule's finding on this statement.
    pub(super) fn allow(&mut self, rule: &'static str, statement: usize) -> bool {
        let Some(allowing) = self.by_statement.get_mut(&(statement, rule)) else { return false };
        // The next finding need not mark them again.
        for allowance in std::mem::take(allowing) {
            self.allowances[allowance].used = true;
        }
        true
    }

    /// What is wrong with the comments, once all findings have asked for leave. A rule that is off finds
    /// nothing to be allowed.
    pub(super) fn complaints(self, is_off: impl Fn(&str) -> bool) -> Vec<Complaint> {
        let unused = self.allowances.into_iter().filter(|allowance| !allowance.used && !is_off(allowance.rule));
        let unused = unused.map(|allowance| Complaint {
            rule: "unused-suppression",
            range: allowance.range,
            message: match allowance.statements.is_empty() {
                false => format!("nothing here is a `{}`", allowance.rule),
                true => format!("no statement follows that could be a `{}`", allowance.rule),
            },
            help: "remove the comment, or move it to the statement that it is about".into(),
        });
        self.complaints.into_iter().chain(unused).collect()
    }

    fn read(&mut self, range: Range<usize>, file: &File<'_>) {
        let comment = file.text[range.clone()].trim_start_matches(['-', '#', '/', '*', '<', '!']);
        let comment = comment.trim_end_matches(['*', '/', '-', '>']).trim();
        let Some(directive) = comment.strip_prefix(ADDRESS).map(str::trim) else {
            if is_meant_for_us(comment) {
                let message = "this has no effect: a comment to us begins with `lockkeeper:`, in lower case".into();
                let help = format!("write `-- {ADDRESS} allow <rule>: <reason>` or `-- {ADDRESS} phase=<phase>`");
                self.complain("unknown-directive", &range, message, help);
            }
            return;
        };
        if let Some(phase) = directive.strip_prefix("phase=") {
            let first = file.statements.first().map_or(usize::MAX, |statement| statement.range.start);
            self.read_phase(phase, &range, range.end <= first);
        } else if let Some(allowed) = directive.strip_prefix("allow ") {
            self.read_allow(allowed, &range, file);
        } else {
            let word = directive.split([' ', '=', ':']).next().unwrap_or_default();
            let message = format!("`{directive}` says nothing that we know");
            self.complain("unknown-directive", &range, message, did_you_mean(word, &["allow", "phase"]));
        }
    }

    /// A phase excuses a whole migration: it counts only at the top, where every reader sees it.
    fn read_phase(&mut self, word: &str, range: &Range<usize>, at_the_top: bool) {
        let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.name() == word) else {
            let names = Phase::ALL.map(Phase::name);
            self.complain("unknown-directive", range, format!("no phase `{word}`"), did_you_mean(word, &names));
            return;
        };
        if !at_the_top {
            let message = "a phase behind the first statement has no effect".into();
            let help = "write it above the first statement: it is the phase of the whole migration".into();
            self.complain("unknown-directive", range, message, help);
        } else if let Some(known) = self.phase.filter(|known| *known != phase) {
            let message = format!("this is in phase {} already: a second phase has no effect", known.name());
            self.complain("unknown-directive", range, message, "make two migrations of it".into());
        } else {
            self.phase = Some(phase);
        }
    }

    fn read_allow(&mut self, allowed: &str, range: &Range<usize>, file: &File<'_>) {
        let (ids, reason) = allowed.split_once(':').unwrap_or((allowed, ""));
        if reason.trim().is_empty() {
            let message = "without a reason nothing is suppressed".into();
            let help = format!("write `{ADDRESS} allow {}: <why this is right here>`", ids.trim());
            self.complain("suppression-without-reason", range, message, help);
        }
        for id in ids.split(',').map(str::trim) {
            match rules::all().iter().find(|rule| rule.id == id) {
                Some(rule) if !reason.trim().is_empty() => {
                    let statements = file.statements_of(range);
                    for statement in statements.clone() {
                        self.by_statement.entry((statement, rule.id)).or_default().push(self.allowances.len());
                    }
                    self.allowances.push(Allowance { rule: rule.id, statements, range: range.clone(), used: false });
                }
                Some(_) => {}
                None => {
                    let ids: Vec<_> = rules::all().iter().map(|rule| rule.id).collect();
                    self.complain("unknown-directive", range, format!("no rule `{id}`"), did_you_mean(id, &ids));
                }
            }
        }
    }

    fn complain(&mut self, rule: &'static str, range: &Range<usize>, message: String, help: String) {
        self.complaints.push(Complaint { rule, range: range.clone(), message, help });
    }
}

/// `Lockkeeper: ...` or `lockkeeper allow ...`; a comment that only speaks of us is none of ours.
fn is_meant_for_us(comment: &str) -> bool {
    let comment = comment.to_ascii_lowercase();
    let Some(rest) = comment.strip_prefix(NAME).map(str::trim_start) else { return false };
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    rest.starts_with(':') || ["allow", "phase", "ignore", "disable"].contains(&word)
}

fn did_you_mean(word: &str, known: &[&'static str]) -> String {
    match closest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > 3 => "`lockkeeper rules` lists them".into(),
        None => format!("we know {}", known.join(", ")),
    }
}
