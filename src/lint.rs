//! Rules over a history: a pure function from migrations and settings to findings.
//!
//! What is not judged is counted: statements that could not be read or that no rule looks at, findings that a comment
//! or a phase excuses.

mod drift;
pub mod finding;
pub mod ignores;
mod irregular;
pub mod key;
pub mod known;
pub mod page;
mod phase;
pub mod risk;
pub mod rules;
mod selection;
mod suppression;
mod unjudged;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use time::Date;

pub use finding::{Finding, Severity};
pub use unjudged::is_harmless;

use crate::error::Result;
use crate::history::{History, Irregular, Migration, Phase};
use crate::schema::{Catalog, Effect, Held, effect, in_order, together};
use crate::settings::Settings;
use crate::sql::{Change, Clause, Dialect, Engine};
use page::Group;
use phase::InPhase;
use rules::{Hit, Look};
use selection::{Selection, Verdict};
use whole::Whole;

/// What `lint` found, and what it looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of the files and of the text.
    pub findings: Vec<Finding>,
    /// Files that were judged, and their statements.
    pub files: usize,
    pub statements: usize,
    /// Files that only told what the schema was.
    pub replayed: usize,
    /// Their statements that could not be read: what these did to the schema is not known.
    pub replayed_unreadable: usize,
    /// Statements that could not be read: each is a finding too, unless a comment allows it.
    pub unreadable: usize,
    /// Statements that no rule looks at although they can lock or change what the running version uses.
    pub unjudged: usize,
    /// What these statements are called: `TRUNCATE`.
    pub unjudged_kinds: BTreeSet<String>,
    /// Findings that a comment or an entry of `[[lint.paths]]` allows.
    pub suppressed: usize,
    /// Findings that a file records as known.
    pub known: usize,
    /// Comments for other linters, by tool.
    pub ignores: [usize; 2],
    /// Hazards that are no findings because they are the point of their migration's phase.
    pub excused: usize,
    /// Of these, those whose expand may go out with them: which releases there are is not told.
    pub excused_on_trust: usize,
    /// Hazards that are no findings because nobody waits long for a lock on a small table.
    pub on_small_tables: usize,
    /// Findings of rules that the settings turn off.
    pub off: usize,
}

/// What only the caller knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    /// The day on which suppressions expire; `None`: none does.
    pub today: Option<Date>,
    /// All is judged that the settings are about, so that what has no effect is in vain.
    pub whole: bool,
    /// Other linters whose comments excuse findings.
    pub honoured: ignores::Honoured,
}

/// Judges every migration, each with the catalog that the ones before it leave.
///
/// # Errors
/// The settings name a rule or a group that does not exist.
pub fn lint(history: &History, settings: &Settings, given: Given) -> Result<Outcome> {
    let mut selection = Selection::new(settings, given)?;
    let engine = settings.engine.filter(|engine| engine.dialect() == history.dialect);
    let engine = engine.unwrap_or_else(|| history.dialect.into());
    let mut catalog = Catalog::new(history.dialect);
    let (files, replayed) = history.judged_and_replayed_files();
    let mut outcome = Outcome { files, replayed, ..Outcome::default() };
    let mut drifts = BTreeMap::new();
    match &history.live {
        Some(live) if live.applied.is_some() => {
            catalog.set_search_path(live.catalog.session().search_path().to_vec());
            for (index, migration) in history.migrations.iter().enumerate().filter(|(_, known)| known.applied) {
                outcome.replayed_unreadable += replay(migration, index + 1, &mut catalog);
            }
            drifts = drift::raised(history, live, &catalog);
            catalog = live.catalog.clone();
        }
        Some(live) => catalog.set_sizes(&live.catalog),
        None => {}
    }
    for (index, migration) in history.migrations.iter().enumerate() {
        let judge = Judge {
            migration,
            verdicts: selection.of(&migration.path),
            selection: &mut selection,
            engine,
            live: history.live.is_some(),
            goes_on: history.migrations.get(index + 1).is_some_and(|next| next.continues),
            knows_releases: migration.release.is_some(),
            is_last: history.migrations.get(index + 1).is_none_or(|next| next.starts_anew),
            history,
            findings: Vec::new(),
            outcome: &mut outcome,
        };
        if let Some(raised) = drifts.remove(&index) {
            judge.drifts(raised, catalog.dialect());
            continue;
        }
        if migration.applied {
            continue;
        }
        if migration.starts_anew || migration.baseline {
            let before = std::mem::replace(&mut catalog, Catalog::new(history.dialect));
            catalog.set_sizes(&before);
        }
        if migration.replayed {
            outcome.replayed_unreadable += replay(migration, index + 1, &mut catalog);
            continue;
        }
        judge.migration(index + 1, &mut catalog);
    }
    outcome.findings.append(&mut selection.complaints(given.whole));
    Ok(outcome)
}

/// Carries a migration over into the catalog and returns how many of its statements could not be read.
fn replay(migration: &Migration, number: usize, catalog: &mut Catalog) -> usize {
    let dialect = catalog.dialect();
    enter(migration, number, catalog);
    for clauses in migration.statements.iter().filter_map(|statement| statement.parsed.as_ref().ok()) {
        for clause in in_order(clauses, dialect) {
            catalog.apply(clause);
        }
    }
    migration.statements.iter().filter(|statement| statement.parsed.is_err()).count()
}

/// Tells the catalog what begins, or what goes on.
fn enter(migration: &Migration, number: usize, catalog: &mut Catalog) {
    if migration.continues {
        catalog.go_on(changes(migration));
    } else {
        catalog.next_release(migration.release);
        catalog.enter(number, migration.in_transaction, changes(migration));
    }
}

fn changes(migration: &Migration) -> impl Iterator<Item = &Change> {
    migration.statements.iter().flat_map(|statement| statement.parsed.iter().flatten()).map(|clause| &clause.change)
}

/// The name of what a change makes, where that is no table and no column.
fn made(change: &Change) -> Option<&str> {
    match change {
        Change::CreateView { view: name, .. }
        | Change::CreateFunction { name, .. }
        | Change::CreateType { name, .. }
        | Change::CreateDomain { domain: name, .. }
        | Change::CreateSequence { sequence: name, .. } => Some(&name.name),
        Change::CreateTrigger { name, .. } | Change::CreatePolicy { name, .. } => Some(name),
        _ => None,
    }
}

/// The name of what a change drops, where that is no table and no column.
fn dropped(change: &Change) -> Option<&str> {
    match change {
        Change::DropView { view: name, .. } | Change::DropFunction { name, .. } | Change::DropObject { name, .. } => {
            Some(&name.name)
        }
        Change::DropTrigger { name, .. } => Some(name),
        _ => None,
    }
}

/// Judges one migration.
struct Judge<'a, 's> {
    migration: &'a Migration,
    verdicts: Rc<[Verdict]>,
    selection: &'a mut Selection<'s>,
    engine: Engine,
    /// There is a live database to differ from.
    live: bool,
    /// The next migration goes on with it.
    goes_on: bool,
    /// It is told which migrations go out together.
    knows_releases: bool,
    /// With it the history, or its sequence, ends.
    is_last: bool,
    history: &'a History,
    /// Each with the number of its statement.
    findings: Vec<(usize, Finding)>,
    outcome: &'a mut Outcome,
}

/// Why what a rule finds may be no finding.
#[derive(Debug, Clone, Copy)]
struct Excuses {
    in_phase: InPhase,
    /// Nobody waits long for any lock of the change.
    locks_only_small: bool,
}

impl Judge<'_, '_> {
    fn migration(mut self, number: usize, catalog: &mut Catalog) {
        let migration = self.migration;
        let comments = suppression::read(migration, catalog.dialect(), self.selection.today, self.selection.honoured);
        let said = || comments.phase.or_else(|| self.selection.settings.phase(&migration.path));
        let in_phase = InPhase { phase: migration.phase.or_else(said), gated: migration.phase.is_some() };
        enter(migration, number, catalog);
        let mut held = Held::default();
        let whole = Whole::new(changes(migration), self.goes_on, migration.printed);
        let mut place = 0;
        let made: BTreeSet<String> = changes(migration).filter_map(made).map(str::to_lowercase).collect();
        for (index, statement) in migration.statements.iter().enumerate() {
            self.outcome.statements += 1;
            if !catalog.session().in_transaction() {
                held.clear();
            }
            match &statement.parsed {
                Ok(clauses) => {
                    let mut kinds = Vec::new();
                    let mut effects = Vec::new();
                    let before = self.findings.len();
                    let own = place..place + clauses.len();
                    place = own.end;
                    let together = in_one_way(clauses).then(|| together(clauses, catalog, self.engine)).flatten();
                    for clause in in_order(clauses, catalog.dialect()) {
                        let refused = together.as_ref().is_some_and(|effect| effect.refused.is_some());
                        let effect = match &clause.change {
                            // What is refused locks nothing.
                            Change::AlterMode { .. } => together.clone(),
                            _ if refused => together.clone(),
                            change => effect(change, catalog, self.engine),
                        };
                        let locks_only_small = self.selection.locks_only_small(effect.as_ref(), catalog);
                        let rebuilt = catalog.rebuilt(clause);
                        for clause in rebuilt.iter().flatten().chain([clause]) {
                            let look = Look {
                                change: &clause.change,
                                text: migration.text.get(clause.range.clone()).unwrap_or_default(),
                                before: catalog,
                                engine: self.engine,
                                effect: effect.as_ref(),
                                held: held.locks(),
                                whole: &whole,
                                own: &own,
                                batched: clause.batched,
                                in_body: clause.in_body,
                                restated: unjudged::is_restated(clause, clauses, catalog),
                                comes_back: dropped(&clause.change)
                                    .is_some_and(|name| made.contains(&name.to_lowercase())),
                            };
                            if !self.clause(index, clause, &look, Excuses { in_phase, locks_only_small }) {
                                kinds.extend(unjudged::kind(clause, clauses, catalog));
                            }
                        }
                        // The statements of a body follow each other, the actions of an ALTER TABLE are one.
                        if clause.in_body && !clause.batched {
                            effect.iter().flat_map(|effect| &effect.locks).for_each(|lock| held.add(lock.clone()));
                        }
                        effects.extend(effect);
                        catalog.apply(clause);
                    }
                    self.outcome.unjudged += usize::from(!kinds.is_empty());
                    self.outcome.unjudged_kinds.extend(kinds);
                    if catalog.dialect() == Dialect::Mysql
                        && let Some(together) = together
                    {
                        self.one_lock(before, &together);
                    }
                    effects.into_iter().flat_map(|effect| effect.locks).for_each(|lock| held.add(lock));
                }
                Err(unread) => {
                    self.outcome.unreadable += 1;
                    let message = format!("this statement could not be read: {}", unread.reason);
                    self.raise("unreadable-statement", index, unread.range.clone(), message, UNREADABLE_HELP.into());
                }
            }
        }
        for irregular in &migration.irregular {
            self.irregular(irregular);
        }
        if self.is_last {
            let open = phase::forgotten(self.history, self.selection.settings, catalog, number);
            self.forgotten(open, number);
        }
        self.finish(comments);
    }

    /// What differs from the live database, in a migration that it has had.
    fn drifts(mut self, raised: Vec<drift::Raised>, dialect: Dialect) {
        let mut comments = suppression::read(self.migration, dialect, self.selection.today, self.selection.honoured);
        for drift::Raised { range, message } in raised {
            let statements = &self.migration.statements;
            let statement = statements.partition_point(|statement| statement.range.end <= range.start);
            self.raise("schema-drift", statement, range, message, drift::HELP.into());
        }
        self.allow(&mut comments);
        self.hand_over();
    }

    /// A version that is wrong is a finding at the migration's beginning.
    fn irregular(&mut self, irregular: &Irregular) {
        let migration = self.migration;
        let start = migration.parts.first().map_or(0, |part| part.start);
        let range = migration.statements.first().map_or(start..start, |statement| statement.range.clone());
        let version = migration.version.as_deref().unwrap_or_default();
        let (rule, message, help) = irregular::told(irregular, version);
        self.raise(rule, 0, range, message, help.into());
    }

    /// Whether a rule had something to say.
    fn clause(&mut self, statement: usize, clause: &Clause, look: &Look<'_>, excuses: Excuses) -> bool {
        let mut hit = false;
        if let Change::Opaque { kind } = &clause.change {
            let message = format!("what `{kind}` does is decided when it runs: nobody has judged it");
            let help = "write plain statements where that is possible, and read this one twice".into();
            self.raise("opaque-statement", statement, clause.range.clone(), message, help);
        }
        let Excuses { in_phase, .. } = excuses;
        let too_early = if in_phase.is_open_contract() { phase::too_early(look) } else { None };
        if let Some(message) = &too_early {
            let help = phase::TOO_EARLY_HELP.to_string();
            self.raise("contract-too-early", statement, clause.range.clone(), message.clone(), help);
        }
        if in_phase.phase == Some(Phase::Contract)
            && let Some(message) = phase::additive(look)
        {
            let help = "put it into an expand of its own: contract waits until every version that needs it runs".into();
            self.raise("additive-in-contract", statement, clause.range.clone(), message, help);
        }
        let verdicts = Rc::clone(&self.verdicts);
        for (rule, verdict) in rules::all().iter().zip(verdicts.iter()) {
            let Some(check) = rule.check.filter(|_| rule.page.dialects.contains(&look.before.dialect())) else {
                continue;
            };
            // A group that nobody has switched on judges nothing.
            if verdict.severity.is_none() && !verdict.is_said {
                continue;
            }
            let Some(Hit { message, help }) = check(look) else { continue };
            hit = true;
            if rule.page.once && self.findings.iter().any(|(_, finding)| finding.rule == rule.id) {
                continue;
            }
            if rule.page.belongs_in.is_some() && rule.page.belongs_in == in_phase.phase {
                // The finding that it comes too early says why.
                self.outcome.excused += usize::from(too_early.is_none() && self.severity(rule.id).is_some());
                let is_taken_on_trust = in_phase.is_open_contract() && !self.knows_releases;
                self.outcome.excused_on_trust += usize::from(is_taken_on_trust && self.severity(rule.id).is_some());
                continue;
            }
            let help = match in_phase.phase {
                Some(phase) if rule.page.belongs_in == Some(Phase::Contract) => {
                    format!("{help}; it belongs in contract, and this is {}", phase.name())
                }
                _ => help,
            };
            let is_wait = rule.page.group == Group::Locking && rule.page.breaks.is_empty();
            if is_wait && excuses.locks_only_small {
                self.outcome.on_small_tables += usize::from(self.severity(rule.id).is_some());
                continue;
            }
            let finding = Finding {
                rule: rule.id,
                severity: rule.page.severity,
                path: self.migration.path.clone(),
                range: clause.range.clone(),
                statement: self.migration.statements[statement].range.clone(),
                message,
                help: if clause.in_body { help + IN_BODY } else { help },
                lock: look.effect.and_then(Effect::sentence),
                rows: look.effect.and_then(|effect| effect.rows),
            };
            self.findings.push((statement, finding));
        }
        hit
    }

    /// What was opened long ago and never closed is said at the last migration.
    fn forgotten(&mut self, open: Vec<(usize, String)>, number: usize) {
        let migration = self.migration;
        let Some(first) = migration.statements.first() else { return };
        for (born, what) in open {
            let path = self.history.migrations.get(born - 1).map_or("", |migration| &migration.path);
            let message = format!("open since `{path}`, {} migrations ago: {what}", number - born);
            let help = "validate the constraint, or drop what no version needs any more".into();
            self.raise("forgotten-contract", 0, first.range.clone(), message, help);
        }
    }

    /// MySQL carries out all actions of an ALTER TABLE in one way, the dearest that one of them needs. Its
    /// findings begin at `first_finding`.
    fn one_lock(&mut self, first_finding: usize, together: &Effect) {
        for (_, finding) in self.findings[first_finding..].iter_mut().filter(|(_, finding)| finding.lock.is_some()) {
            finding.lock = together.sentence();
        }
    }

    /// A finding of the linter itself.
    fn raise(&mut self, rule: &'static str, statement: usize, range: Range<usize>, message: String, help: String) {
        let around = self.migration.statements.get(statement).map(|statement| statement.range.clone());
        let around = around.filter(|around| around.start <= range.start && range.end <= around.end);
        let around = around.unwrap_or_else(|| range.clone());
        let path = self.migration.path.clone();
        let severity = Severity::Note;
        let finding = Finding { rule, severity, path, range, statement: around, message, help, lock: None, rows: None };
        self.findings.push((statement, finding));
    }

    /// Takes away what comments allow, adds what is wrong with the comments, and hands over the rest.
    fn finish(mut self, mut comments: suppression::Comments) {
        for (all, more) in self.outcome.ignores.iter_mut().zip(comments.ignores) {
            *all += more;
        }
        self.allow(&mut comments);
        // Without a database nothing drifts, and nobody can say that it is not allowed in vain.
        let is_off = |id: &str| self.severity(id).is_none() || (id == "schema-drift" && !self.live);
        for complaint in comments.complaints(is_off) {
            self.raise(complaint.rule, 0, complaint.range, complaint.message, complaint.help);
        }
        self.hand_over();
    }

    fn allow(&mut self, comments: &mut suppression::Comments) {
        let all = self.findings.len();
        self.findings.retain(|(statement, finding)| !comments.allow(finding.rule, *statement));
        self.outcome.suppressed += all - self.findings.len();
    }

    fn hand_over(self) {
        let mut kept = Vec::new();
        for (_, mut finding) in self.findings {
            let Some(verdict) = verdict(&self.verdicts, finding.rule) else { continue };
            if let Some(entry) = verdict.by_path {
                self.selection.used[entry] = true;
            }
            match verdict.severity {
                Some(severity) => {
                    finding.severity = severity;
                    kept.push(finding);
                }
                None if verdict.by_path.is_some() => self.outcome.suppressed += 1,
                None => self.outcome.off += usize::from(verdict.is_said),
            }
        }
        kept.sort_by_key(|finding| finding.range.start);
        self.outcome.findings.append(&mut kept);
    }

    fn severity(&self, id: &str) -> Option<Severity> {
        verdict(&self.verdicts, id)?.severity
    }
}

fn verdict(verdicts: &[Verdict], id: &str) -> Option<Verdict> {
    rules::all().iter().position(|rule| rule.id == id).map(|position| verdicts[position])
}

/// Several actions on one table.
fn in_one_way(clauses: &[Clause]) -> bool {
    let table = |clause: &Clause| clause.change.table().cloned();
    clauses.len() > 1 && clauses.iter().all(|clause| table(clause).is_some() && table(clause) == table(&clauses[0]))
}

/// Control flow is read past, not judged.
const IN_BODY: &str = "; it stands in the body of a DO or of a routine, where a condition may skip it";

const UNREADABLE_HELP: &str = "no rule has looked at it; read it yourself, and if it is right say so: \
     `-- lockkeeper: allow unreadable-statement: <reason>`";
