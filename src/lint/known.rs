//! Findings that were there before: a file records them, so that only new ones fail.
//!
//! A line for each, `PATH RULE DIGEST`, sorted: a merge is a merge of lines, and a statement that changes is new.

use std::collections::BTreeSet;

use super::Outcome;
use super::key::{Key, keys};
use crate::error::{Error, Result};
use crate::history::History;
use crate::settings::Settings;

/// The findings that a file records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(BTreeSet<Key>);

impl Known {
    /// Reads the text of the file of this name.
    ///
    /// # Errors
    /// A line that is not `PATH RULE DIGEST`.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let mut known = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.rsplitn(3, ' ');
            let (digest, rule, place) = (words.next(), words.next(), words.next());
            let is_digest = |digest: &&str| digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            let (Some(place), Some(rule), Some(digest)) = (place, rule, digest.filter(is_digest)) else {
                let error = Error::input(format!("{name}:{}: this is no finding: `PATH RULE DIGEST`", index + 1));
                return Err(error.hint("write the file again with `lockkeeper lint --write-known-findings`"));
            };
            known.insert(Key { place: place.into(), rule: rule.into(), digest: digest.into() });
        }
        Ok(Self(known))
    }

    /// All findings of an outcome.
    pub fn of(outcome: &Outcome, history: &History, settings: &Settings) -> Self {
        Self(keys(&outcome.findings, history, settings).into_iter().collect())
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let line = |Key { place, rule, digest }: &Key| format!("{place} {rule} {digest}\n");
        HEADER.to_string() + &self.0.iter().map(line).collect::<String>()
    }

    /// Takes what is known away from the findings and counts it. Of what is not found any more the first ones are
    /// returned, with their number.
    pub fn take_from(&self, outcome: &mut Outcome, history: &History, settings: &Settings) -> (Vec<String>, usize) {
        const SHOWN: usize = 3;
        let mut gone = self.0.clone();
        let mut keys = keys(&outcome.findings, history, settings).into_iter();
        let all = outcome.findings.len();
        outcome.findings.retain(|_| keys.next().is_none_or(|key| !gone.remove(&key)));
        outcome.known = all - outcome.findings.len();
        let shown = gone.iter().take(SHOWN).map(|key| format!("`{} {}`", key.place, key.rule));
        (shown.collect(), gone.len())
    }
}

const HEADER: &str =
    "# What `lockkeeper lint --write-known-findings` found: only what is not listed here is reported.\n";
