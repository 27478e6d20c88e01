//! A rule's page: what GitHub shows, what `explain` prints, what the tests run, and where the severity is kept.

use super::Severity;
use crate::error::{Error, Result, closest};
use crate::history::Phase;
use crate::sql::Dialect;

/// What kind of hazard it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// A running version breaks.
    Compatibility,
    /// Queries wait.
    Locking,
    DataLoss,
    Transaction,
    Robustness,
    Style,
}

impl Group {
    const ALL: [Self; 6] =
        [Self::Compatibility, Self::Locking, Self::DataLoss, Self::Transaction, Self::Robustness, Self::Style];

    /// The word of pages and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatibility => "compatibility",
            Self::Locking => "locking",
            Self::DataLoss => "data-loss",
            Self::Transaction => "transaction",
            Self::Robustness => "robustness",
            Self::Style => "style",
        }
    }

    /// The group that a word means.
    ///
    /// # Errors
    /// A word that is none.
    pub fn from_word(word: &str) -> Result<Self> {
        if let Some(group) = Self::ALL.into_iter().find(|group| group.name() == word) {
            return Ok(group);
        }
        let error = Error::input(format!("no group `{word}`"));
        let names = Self::ALL.map(Self::name);
        Err(match closest(word, names) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("the groups are {}", names.join(", "))),
        })
    }
}

/// When a version breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// The old one, while the new one is rolled out.
    Rollout,
    /// The old one, when the new one has been rolled back.
    Rollback,
}

impl Breaks {
    const ALL: [Self; 2] = [Self::Rollout, Self::Rollback];

    /// The word of pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Rollback => "rollback",
        }
    }

    /// The end of a sentence about the old version.
    pub fn when(self) -> &'static str {
        match self {
            Self::Rollout => "while the new one is rolled out",
            Self::Rollback => "after a rollback",
        }
    }
}

/// A page, read.
#[derive(Debug, Clone)]
pub struct Page {
    pub id: &'static str,
    pub group: Group,
    pub severity: Severity,
    pub dialects: Vec<Dialect>,
    /// The phase where this is no hazard but the point of the phase: dropping a column in contract.
    pub belongs_in: Option<Phase>,
    /// When a version breaks; none where nobody does, and queries only wait.
    pub breaks: Vec<Breaks>,
    /// From which phase and gate on the same statement is clean, as the end of a sentence.
    pub allowed_when: Option<&'static str>,
    /// It is said at the first place of a migration only: what mends that one mends the others.
    pub once: bool,
    /// The heading, without its mark.
    pub title: &'static str,
    /// The page from its heading up to the test cases.
    pub explanation: &'static str,
    /// The page after its front matter.
    pub body: &'static str,
}

impl Page {
    /// Reads a page; a page that is written wrongly is an error in the sentence that it returns.
    pub fn read(text: &'static str) -> Result<Self, String> {
        let (front, body) =
            text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).ok_or("no front matter")?;
        let (mut id, mut group, mut severity, mut since) = (None, None, None, None);
        let (mut dialects, mut belongs_in, mut breaks, mut allowed_when) = (Vec::new(), None, Vec::new(), None);
        let mut once = false;
        for line in front.lines() {
            let (key, value) = line.split_once(": ").ok_or_else(|| format!("`{line}` is not `key: value`"))?;
            match key {
                "id" => id = Some(value),
                "group" => group = Group::from_word(value).ok(),
                "breaks" => {
                    for word in value.split(", ") {
                        let known = Breaks::ALL.into_iter().find(|breaks| breaks.name() == word);
                        breaks.push(known.ok_or_else(|| format!("nobody breaks at `{word}`"))?);
                    }
                }
                "once" => once = value == "yes",
                "allowed-when" => allowed_when = Some(value),
                "severity" => severity = Severity::from_word(value),
                "dialects" => {
                    for word in value.split(", ") {
                        dialects.push(Dialect::from_word(word).map_err(|error| error.to_string())?);
                    }
                }
                "belongs-in" => belongs_in = Phase::ALL.into_iter().find(|phase| phase.name() == value),
                "since" => since = Some(value),
                _ => return Err(format!("no key `{key}`")),
            }
        }
        let title = body.lines().find_map(|line| line.strip_prefix("# ")).ok_or("no heading")?;
        since.ok_or("no `since`")?;
        Ok(Self {
            id: id.ok_or("no `id`")?,
            group: group.ok_or("no `group`, or not one that there is")?,
            severity: severity.ok_or("no `severity`, or not deny, warn or note")?,
            dialects,
            belongs_in,
            breaks,
            allowed_when,
            once,
            title,
            explanation: body.split_once("\n## Cases\n").map_or(body, |(before, _)| before),
            body,
        })
    }
}
