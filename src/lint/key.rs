//! By what a finding is known again when lines have shifted: its file, its rule and its statement.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Finding;
use crate::history::History;
use crate::settings::Settings;

/// What stays the same of a finding while its statement does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The file, as seen from the directory of the settings file.
    pub place: String,
    pub rule: String,
    /// Of the place, the rule and the statement: no two findings of a report share it.
    pub digest: String,
}

/// The keys of findings, in their order.
pub fn keys(findings: &[Finding], history: &History, settings: &Settings) -> Vec<Key> {
    let mut texts: BTreeMap<&str, &str> =
        history.migrations.iter().map(|migration| (&*migration.path, &*migration.text)).collect();
    if let Some(path) = &settings.path {
        texts.insert(path, &settings.text);
    }
    let mut seen = BTreeMap::new();
    let mut key = |finding: &Finding| {
        let place = settings.place(&finding.path).display().to_string().replace(['\n', '\r'], " ");
        let text = texts.get(&*finding.path).and_then(|text| text.get(finding.statement.clone())).unwrap_or_default();
        let statement = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let digest = digest(&[&place, finding.rule, &statement]);
        // The same statement may stand there twice, and a rule may find two things in it.
        let earlier: &mut usize = seen.entry(digest.clone()).or_default();
        *earlier += 1;
        let digest = if *earlier == 1 { digest } else { self::digest(&[&digest, &earlier.to_string()]) };
        Key { place, rule: finding.rule.to_string(), digest }
    };
    findings.iter().map(&mut key).collect()
}

fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
