//! What comments say to us: `-- lockkeeper: allow <rule>[, <rule>]: <reason>[ until <date>]` before or inside a
//! statement, and above the first statement, for all of the migration, the same with `allow-file`, and
//! `-- lockkeeper: phase=contract`. What we cannot make sense of is a finding.

use std::collections::BTreeMap;
use std::ops::Range;

use time::Date;

use super::ignores::{self, Honoured, Ignored};
use super::rules;
use crate::error::closest;
use crate::history::{Migration, Phase};
use crate::settings;
use crate::sql::{self, Dialect, Statement};

/// What the comments of one file say.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub(super) phase: Option<Phase>,
    allowances: Vec<Allowance>,
    /// Which of them are for a statement and a rule.
    by_statement: BTreeMap<(usize, &'static str), Vec<usize>>,
    /// Which of them are for a rule in all statements.
    by_rule: BTreeMap<&'static str, Vec<usize>>,
    complaints: Vec<Complaint>,
    /// Comments for other linters.
    ignored: Vec<Ignored>,
    /// How many stand there of each tool.
    pub(super) ignores: [usize; 2],
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
    scope: Scope,
    range: Range<usize>,
    used: bool,
}

/// Where an allowance holds.
#[derive(Debug)]
enum Scope {
    /// Empty where no statement follows; several where one change of a changelog is several statements.
    Statements(Range<usize>),
    All,
}

/// Reads all comments of a migration; what holds until a day before `today` has expired.
/// Other linters' comments are read where they are `honoured`, and counted where not.
pub(super) fn read(migration: &Migration, dialect: Dialect, today: Option<Date>, honoured: Honoured) -> Comments {
    let mut comments = Comments::default();
    let mut file = None;
    for range in migration.comments.iter().flatten() {
        comments.count(&migration.text[range.clone()]);
        comments.read(range.clone(), file.get_or_insert_with(|| File::new(migration, today)), honoured);
    }
    for part in migration.parts.iter().filter(|_| migration.comments.is_none()) {
        let text = &migration.text[part.clone()];
        comments.count(text);
        // Most files do not speak to us: they need not be cut a second time.
        if honoured.contains(&true) || text.as_bytes().windows(NAME.len()).any(is_name) {
            let file = file.get_or_insert_with(|| File::new(migration, today));
            for range in sql::comments(text, dialect) {
                comments.read(range.start + part.start..range.end + part.start, file, honoured);
            }
        }
    }
    comments
}

fn is_name(word: &[u8]) -> bool {
    word[0].eq_ignore_ascii_case(&NAME.as_bytes()[0]) && word.eq_ignore_ascii_case(NAME.as_bytes())
}

/// The file that the comments stand in.
pub(super) struct File<'a> {
    text: &'a str,
    statements: &'a [Statement],
    line_ends: Vec<usize>,
    /// It was made of a program, whose comments stand on top.
    is_made: bool,
    today: Option<Date>,
}

impl<'a> File<'a> {
    fn new(migration: &'a Migration, today: Option<Date>) -> Self {
        let text = &*migration.text;
        // A file may hold many migrations, each with lines of its own.
        let start = migration.parts.first().map_or(0, |part| part.start);
        let end = migration.parts.last().map_or(start, |part| part.end);
        let line_ends = text[start..end].match_indices('\n').map(|(at, _)| start + at).collect();
        Self { text, statements: &migration.statements, line_ends, is_made: migration.made_from.is_some(), today }
    }

    /// It stands above the first statement.
    fn is_at_the_top(&self, comment: &Range<usize>) -> bool {
        self.statements.first().is_none_or(|first| comment.end <= first.range.start)
    }

    /// The statement that a comment belongs to: the one around it, the one that ends on its line, or the next; with
    /// it those that stand in the same place.
    pub(super) fn statements_of(&self, comment: &Range<usize>) -> Range<usize> {
        // A line of the program is many statements or none: a comment in it is for all.
        if self.is_made && !self.statements.is_empty() && self.is_at_the_top(comment) {
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
        let own = self.by_statement.get_mut(&(statement, rule));
        let mut is_allowed = false;
        for allowing in own.into_iter().chain(self.by_rule.get_mut(rule)) {
            is_allowed = true;
            // The next finding need not mark them again.
            for allowance in std::mem::take(allowing) {
                self.allowances[allowance].used = true;
            }
        }
        is_allowed || self.ignored.iter().any(|ignored| ignored.covers(rule, statement))
    }

    /// What is wrong with the comments, once all findings have asked for leave. A rule that is off finds
    /// nothing to be allowed.
    pub(super) fn complaints(self, is_off: impl Fn(&str) -> bool) -> Vec<Complaint> {
        let unused = self.allowances.into_iter().filter(|allowance| !allowance.used && !is_off(allowance.rule));
        let unused = unused.map(|allowance| Complaint {
            rule: "unused-suppression",
            range: allowance.range,
            message: match allowance.scope {
                Scope::All => format!("nothing in all of this is a `{}`", allowance.rule),
                Scope::Statements(statements) if statements.is_empty() => {
                    format!("no statement follows that could be a `{}`", allowance.rule)
                }
                Scope::Statements(_) => format!("nothing here is a `{}`", allowance.rule),
            },
            help: "remove the comment, or move it to the statement that it is about".into(),
        });
        self.complaints.into_iter().chain(unused).collect()
    }

    /// Counts what other linters are told.
    fn count(&mut self, text: &str) {
        for (all, more) in self.ignores.iter_mut().zip(ignores::count(text)) {
            *all += more;
        }
    }

    fn read(&mut self, range: Range<usize>, file: &File<'_>, honoured: Honoured) {
        let comment = file.text[range.clone()].trim_start_matches(['-', '#', '/', '*', '<', '!']);
        let comment = comment.trim_end_matches(['*', '/', '-', '>']).trim();
        if let Some((ignored, unknown)) = ignores::read(comment, &range, file, honoured) {
            self.ignored.push(ignored);
            for name in unknown {
                let help = "we know no rule of this name, and excuse nothing by it".into();
                self.complain("unknown-directive", &range, format!("no rule `{name}`"), help);
            }
            return;
        }
        let Some(directive) = comment.strip_prefix(ADDRESS).map(str::trim) else {
            if is_meant_for_us(comment) {
                let message = "this has no effect: a comment to us begins with `lockkeeper:`, in lower case".into();
                let help = format!("write `-- {ADDRESS} allow <rule>: <reason>` or `-- {ADDRESS} phase=<phase>`");
                self.complain("unknown-directive", &range, message, help);
            }
            return;
        };
        if let Some(phase) = directive.strip_prefix("phase=") {
            self.read_phase(phase, &range, file.is_at_the_top(&range));
        } else if let Some(allowed) = directive.strip_prefix("allow ") {
            self.read_allow("allow", allowed, &range, file);
        } else if let Some(allowed) = directive.strip_prefix("allow-file ") {
            self.read_allow("allow-file", allowed, &range, file);
        } else {
            let word = directive.split([' ', '=', ':']).next().unwrap_or_default();
            let message = format!("`{directive}` says nothing that we know");
            let help = match word {
                "phase" => "write `phase=contract`, or expand, or backfill".to_string(),
                "allow" | "allow-file" => format!("write `{word} RULE: reason`"),
                _ => did_you_mean(word, &["allow", "allow-file", "phase"]),
            };
            self.complain("unknown-directive", &range, message, help);
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

    fn read_allow(&mut self, word: &str, allowed: &str, range: &Range<usize>, file: &File<'_>) {
        let (ids, reason) = allowed.split_once(':').unwrap_or((allowed, ""));
        let (reason, until) = dated(reason);
        let mut holds = true;
        if reason.is_empty() {
            holds = false;
            let message = "without a reason nothing is suppressed".into();
            let help = format!("write `{ADDRESS} {word} {}: <why this is right here>`", ids.trim());
            self.complain("suppression-without-reason", range, message, help);
        }
        if word == "allow-file" && !file.is_at_the_top(range) {
            holds = false;
            let message = "`allow-file` behind the first statement has no effect".into();
            let help = "write it above the first statement, where every reader sees it".into();
            self.complain("unknown-directive", range, message, help);
        }
        match until.map(|until| (until, settings::date(until))) {
            Some((until, None)) => {
                holds = false;
                let message = format!("no date `{until}`: nothing is suppressed");
                self.complain("unknown-directive", range, message, "write `until 2027-01-31`, at the end".into());
            }
            Some((until, Some(date))) if file.today.is_some_and(|today| date < today) => {
                holds = false;
                let message = format!("this held until {until}: it suppresses nothing any more");
                let help = "remove the comment, or look again whether it is right and give it a later date".into();
                self.complain("expired-suppression", range, message, help);
            }
            _ => {}
        }
        for id in ids.split(',').map(str::trim) {
            match rules::all().iter().find(|rule| rule.id == id) {
                Some(rule) if holds => {
                    let place = self.allowances.len();
                    let scope = if word == "allow-file" {
                        self.by_rule.entry(rule.id).or_default().push(place);
                        Scope::All
                    } else {
                        let statements = file.statements_of(range);
                        for statement in statements.clone() {
                            self.by_statement.entry((statement, rule.id)).or_default().push(place);
                        }
                        Scope::Statements(statements)
                    };
                    self.allowances.push(Allowance { rule: rule.id, scope, range: range.clone(), used: false });
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

/// A reason, and what stands behind its last `until` if that is to be a date.
fn dated(reason: &str) -> (&str, Option<&str>) {
    let reason = reason.trim();
    match reason.rsplit_once(' ') {
        Some((before, last)) if last.starts_with(|c: char| c.is_ascii_digit()) => match before.strip_suffix("until") {
            Some(rest) if rest.is_empty() || rest.ends_with(' ') => (rest.trim(), Some(last)),
            _ => (reason, None),
        },
        _ => (reason, None),
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
