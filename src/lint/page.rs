//! A rule's page: what GitHub shows, what `explain` prints, what the tests run, and where the severity is kept.

use super::Severity;
use crate::history::Phase;
use crate::sql::Dialect;

/// A page, read.
#[derive(Debug, Clone)]
pub struct Page {
    pub id: &'static str,
    pub severity: Severity,
    pub dialects: Vec<Dialect>,
    /// The phase where this is no hazard but the point of the phase: dropping a column in contract.
    pub belongs_in: Option<Phase>,
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
        let (mut id, mut severity, mut dialects, mut belongs_in, mut since) = (None, None, Vec::new(), None, None);
        for line in front.lines() {
            let (key, value) = line.split_once(": ").ok_or_else(|| format!("`{line}` is not `key: value`"))?;
            match key {
                "id" => id = Some(value),
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
            severity: severity.ok_or("no `severity`, or not deny, warn or note")?,
            dialects,
            belongs_in,
            title,
            explanation: body.split_once("\n## Cases\n").map_or(body, |(before, _)| before),
            body,
        })
    }
}
