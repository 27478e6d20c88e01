//! What the settings say about each rule, for each file: by the rule's group, its name and the file's path; and which
//! of their words had no effect.

use std::collections::BTreeMap;
use std::rc::Rc;

use time::Date;

use super::ignores::Honoured;
use super::page::Group;
use super::rules::{self, Rule};
use super::{Finding, Given, Severity};
use crate::error::{Error, Result};
use crate::schema::{Catalog, Effect};
use crate::settings::{ByPath, Level, Said, Settings};
use crate::sql::Name;

/// What becomes of a rule's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `None` is off.
    pub(super) severity: Option<Severity>,
    /// Somebody said so; a group that is off by default has nobody's word.
    pub(super) is_said: bool,
    /// The entry of `[[lint.paths]]` that decides.
    pub(super) by_path: Option<usize>,
}

/// The settings' words, and which of them came to bear.
pub(super) struct Selection<'a> {
    pub(super) settings: &'a Settings,
    pub(super) today: Option<Date>,
    pub(super) honoured: Honoured,
    /// The verdicts on all rules, by the entries of `[[lint.paths]]` that hold.
    verdicts: BTreeMap<Vec<usize>, Rc<[Verdict]>>,
    /// The entries that decided about a finding.
    pub(super) used: Vec<bool>,
    /// Of each entry the patterns that fit a file.
    fitting: Vec<Vec<bool>>,
    small_tables: Vec<Name>,
    /// The small tables that a statement locks.
    locked: Vec<bool>,
}

impl<'a> Selection<'a> {
    /// Checks the names of groups and rules.
    ///
    /// # Errors
    /// The settings name a group or a rule that does not exist.
    pub(super) fn new(settings: &'a Settings, given: Given) -> Result<Self> {
        let by_path = settings.by_path.iter().map(|entry| &entry.selection);
        for selection in std::iter::once(&settings.selection).chain(by_path) {
            let at = |said: &Said, error: Error| {
                let file = settings.path.as_deref().unwrap_or_default();
                Error { message: format!("{file}:{}: {}", said.line, error.message), ..error }
            };
            for (word, said) in &selection.groups {
                Group::from_word(word).map_err(|error| at(said, error))?;
            }
            for (id, said) in &selection.rules {
                rules::find(id).map_err(|error| at(said, error))?;
            }
        }
        let name = |written: &str| match written.rsplit_once('.') {
            Some((schema, name)) => Name { schema: Some(schema.into()), name: name.into() },
            None => Name::plain(written),
        };
        Ok(Self {
            settings,
            today: given.today,
            honoured: given.honoured,
            verdicts: BTreeMap::new(),
            used: vec![false; settings.by_path.len()],
            fitting: settings.by_path.iter().map(|entry| vec![false; entry.patterns.iter().count()]).collect(),
            small_tables: settings.small_tables.iter().map(|table| name(&table.name)).collect(),
            locked: vec![false; settings.small_tables.len()],
        })
    }

    /// The verdicts on all rules in the file at this path, in the order of `rules::all()`.
    pub(super) fn of(&mut self, path: &str) -> Rc<[Verdict]> {
        let entries = if self.settings.by_path.is_empty() { Vec::new() } else { self.entries(path) };
        if let Some(known) = self.verdicts.get(&entries) {
            return known.clone();
        }
        let verdicts: Rc<[Verdict]> = rules::all().iter().map(|rule| self.verdict(rule, &entries)).collect();
        self.verdicts.insert(entries, verdicts.clone());
        verdicts
    }

    /// The entries about this file that have not expired.
    fn entries(&mut self, path: &str) -> Vec<usize> {
        let place = self.settings.place(path);
        let mut entries = Vec::new();
        for (index, entry) in self.settings.by_path.iter().enumerate() {
            let mut fits = false;
            for (pattern, fitting) in entry.patterns.iter().zip(&mut self.fitting[index]) {
                if pattern.matches(&place) {
                    (*fitting, fits) = (true, true);
                }
            }
            if fits && !self.has_expired(entry) {
                entries.push(index);
            }
        }
        entries
    }

    fn has_expired(&self, entry: &ByPath) -> bool {
        entry.until.zip(self.today).is_some_and(|(until, today)| until < today)
    }

    /// The last entry that says anything counts, then what is said for all files.
    fn verdict(&self, rule: &Rule, entries: &[usize]) -> Verdict {
        let said = |selection: &crate::settings::Selection| {
            selection.rules.get(rule.id).or_else(|| selection.groups.get(rule.page.group.name())).map(|said| said.level)
        };
        let by_path =
            entries.iter().rev().find_map(|&index| Some((index, said(&self.settings.by_path[index].selection)?)));
        let level = by_path.map(|(_, level)| level).or_else(|| said(&self.settings.selection));
        let severity = match level {
            Some(Level::Off) => None,
            None if rule.page.group == Group::Style => None,
            Some(Level::On) | None => Some(rule.page.severity),
            Some(Level::At(severity)) => Some(severity),
        };
        Verdict { severity, is_said: level.is_some(), by_path: by_path.map(|(index, _)| index) }
    }

    /// Whether all that a change locks is small, so that nobody waits long.
    pub(super) fn locks_only_small(&mut self, effect: Option<&Effect>, catalog: &Catalog) -> bool {
        let Some(effect) = effect.filter(|_| !self.small_tables.is_empty()) else { return false };
        let mut all = !effect.locks.is_empty() && !effect.others.is_possible();
        for lock in &effect.locks {
            let table = lock.relation.as_ref().map(|relation| catalog.table_of_index(relation).unwrap_or(relation));
            let is_it = |small: &Name| table.is_some_and(|table| catalog.is_same_table(small, table));
            match self.small_tables.iter().position(is_it) {
                Some(index) => self.locked[index] = true,
                None => all = false,
            }
        }
        all
    }

    /// Findings about the settings themselves. Whether a word is in vain is known only when all that the settings
    /// name was judged, `whole`.
    pub(super) fn complaints(mut self, whole: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let path = self.settings.path.clone().unwrap_or_default();
        let mut complain = |rule, range: &std::ops::Range<usize>, message, help: &str| {
            findings.push(Finding {
                rule,
                severity: Severity::Note,
                path: path.clone(),
                range: range.clone(),
                statement: range.clone(),
                message,
                help: help.into(),
                lock: None,
                rows: None,
            });
        };
        for (index, entry) in self.settings.by_path.iter().enumerate() {
            if let Some(until) = entry.until.filter(|_| self.has_expired(entry)) {
                let message = format!("this held until {until}: it has no effect any more");
                complain("expired-suppression", &entry.range, message, EXPIRED);
            } else if whole {
                let unfit = entry.patterns.iter().zip(&self.fitting[index]).filter(|(_, fitting)| !**fitting);
                let unfit: Vec<_> = unfit.map(|(pattern, _)| pattern).collect();
                for pattern in &unfit {
                    let message = format!("no file matches `{}`", pattern.text);
                    complain("unused-suppression", &pattern.range, message, UNFIT);
                }
                if unfit.is_empty() && !self.used[index] {
                    let message = "nothing in these files is found by these rules".into();
                    complain("unused-suppression", &entry.range, message, "remove the entry");
                }
            }
        }
        for (table, _) in self.settings.small_tables.iter().zip(&self.locked).filter(|(_, locked)| whole && !**locked) {
            let message = format!("no statement locks a table `{}`", table.name);
            complain("unused-suppression", &table.range, message, "remove the name, or write it as the migrations do");
        }
        let verdicts = self.of(&path);
        let position = |id: &str| rules::all().iter().position(|rule| rule.id == id);
        findings.sort_by_key(|finding| finding.range.start);
        findings.retain_mut(|finding| {
            let severity = position(finding.rule).and_then(|position| verdicts[position].severity);
            finding.severity = severity.unwrap_or(finding.severity);
            severity.is_some()
        });
        findings
    }
}

const EXPIRED: &str = "remove the entry, or look again whether it is right and give it a later date";

const UNFIT: &str = "patterns count from the directory of the settings file: `db/legacy/**`";
