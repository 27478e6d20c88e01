//! `[lint]`: which rules find what, by group, by rule, by path and by table.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use time::Date;

use super::Severity;
use super::file::{File, Value};
use crate::error::Result;

/// What is said about a rule or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Off,
    /// Each rule has the severity of its page.
    On,
    At(Severity),
}

/// What is said, and where in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub level: Level,
    /// The 1-based line, for errors.
    pub line: usize,
}

/// What is said about groups and about rules: the rule's word counts before its group's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub groups: BTreeMap<String, Said>,
    pub rules: BTreeMap<String, Said>,
}

/// What is said about some files only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByPath {
    pub patterns: Patterns,
    pub selection: Selection,
    pub reason: String,
    /// The last day on which it holds.
    pub until: Option<Date>,
    /// Where it stands in the file.
    pub range: Range<usize>,
}

/// A table that is small enough for nobody to wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallTable {
    /// With or without its schema.
    pub name: String,
    pub range: Range<usize>,
}

/// Patterns of paths, as seen from the directory of the settings file.
#[derive(Debug, Clone, Default)]
pub struct Patterns(Vec<Pattern>);

/// One of them.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As written.
    pub text: String,
    pub range: Range<usize>,
    matcher: GlobMatcher,
}

impl Patterns {
    /// Reads a list of patterns.
    pub(super) fn read(file: &File<'_>, value: &Value<'_>) -> Result<Self> {
        let read = |(text, range): (&str, Range<usize>)| {
            let glob =
                GlobBuilder::new(text.trim_end_matches('/')).literal_separator(true).build().map_err(|error| {
                    let error = file.error(range.clone(), format!("no pattern `{text}`: {}", error.kind()));
                    error.hint("`*` is a part of a name, `**` any directories: `db/legacy/**`")
                })?;
            Ok(Pattern { text: text.to_string(), range, matcher: glob.compile_matcher() })
        };
        file.strings(value, "a list of patterns")?.into_iter().map(read).collect::<Result<_>>().map(Self)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter()
    }
}

impl Pattern {
    /// Whether the file at this place, or a directory above it, is meant.
    pub fn matches(&self, place: &Path) -> bool {
        let mut parts = place.ancestors().filter(|part| !part.as_os_str().is_empty());
        parts.any(|part| self.matcher.is_match(part))
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(|pattern| &pattern.text).eq(other.iter().map(|pattern| &pattern.text))
    }
}

impl Eq for Patterns {}

const GROUP_WORDS: &[&str] = &["off", "on", "deny", "warn", "note"];
const RULE_WORDS: &[&str] = &["off", "deny", "warn", "note"];

impl Selection {
    /// Reads the table `groups`.
    pub(super) fn read_groups(&mut self, file: &File<'_>, value: &Value<'_>) -> Result<()> {
        self.groups = levels(file, value, GROUP_WORDS)?;
        Ok(())
    }

    /// Reads the table `rules`.
    pub(super) fn read_rules(&mut self, file: &File<'_>, value: &Value<'_>) -> Result<()> {
        self.rules = levels(file, value, RULE_WORDS)?;
        Ok(())
    }
}

fn levels(file: &File<'_>, value: &Value<'_>, words: &[&str]) -> Result<BTreeMap<String, Said>> {
    let read = |(id, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &Value<'_>)| {
        Ok((id.get_ref().to_string(), Said { level: file.level(value, words)?, line: file.line(id.span()) }))
    };
    file.table(value)?.iter().map(read).collect()
}

impl ByPath {
    /// Reads the list of tables `[[lint.paths]]`.
    pub(super) fn read_all(file: &File<'_>, value: &Value<'_>) -> Result<Vec<Self>> {
        let items = file.expect(value, value.get_ref().as_array(), "a list of tables: `[[lint.paths]]`")?;
        items.iter().map(|item| Self::read(file, item)).collect()
    }

    fn read(file: &File<'_>, value: &Value<'_>) -> Result<Self> {
        let (mut patterns, mut selection, mut reason, mut until) = (None, Selection::default(), None, None);
        for (key, value) in file.table(value)? {
            match key.get_ref().as_ref() {
                "paths" => patterns = Some(Patterns::read(file, value)?),
                "groups" => selection.read_groups(file, value)?,
                "rules" => selection.read_rules(file, value)?,
                "reason" => reason = Some(file.string(value)?).filter(|reason| !reason.trim().is_empty()),
                "until" => until = Some(file.date(value)?),
                _ => return Err(file.unknown(key, &["paths", "groups", "rules", "reason", "until"])),
            }
        }
        let missing = |what: &str, hint: &str| file.error(value.span(), what).hint(hint);
        let patterns = patterns.filter(|patterns| patterns.iter().next().is_some());
        let range = value.span();
        Ok(Self {
            patterns: patterns.ok_or_else(|| missing("no `paths`", "write which: `paths = [\"db/legacy/**\"]`"))?,
            reason: reason.ok_or_else(|| missing("no `reason`", "write why this is right for these files"))?.into(),
            selection: Some(selection).filter(|selection| *selection != Selection::default()).ok_or_else(|| {
                missing("no `rules` and no `groups`", "write what: `rules = { drop-table = \"off\" }`")
            })?,
            until,
            range,
        })
    }
}

/// Reads the list of small tables.
pub(super) fn small_tables(file: &File<'_>, value: &Value<'_>) -> Result<Vec<SmallTable>> {
    let tables = file.strings(value, "a list of tables' names")?;
    Ok(tables.into_iter().map(|(name, range)| SmallTable { name: name.to_string(), range }).collect())
}
