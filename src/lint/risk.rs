//! How risky a migration is, and how to bring out the release that it goes with.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{Breaks, Group};
use super::{Finding, Outcome, Severity, changes, rules};
use crate::history::{History, Migration};
use crate::sql::{Change, Name};

/// The classes of risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// What a guide to deployment strategies recommends for the class, as long as both versions can run on one schema.
    fn strategy(self) -> &'static str {
        match self {
            Self::Low => "rolling, with a fast maxSurge",
            Self::Medium => "canary at 5%, 25%, 100%, with automated rollback",
            Self::High => "blue-green, with manual smoke tests before the cutover",
            Self::Critical => "blue-green, with shadow validation and an extended canary",
        }
    }
}

/// Where the versions cannot run side by side, every strategy that does so is out.
const NOT_TOGETHER: &str = "blue-green as one complete switch, or recreate where downtime is acceptable: rolling and canary run \
     both versions on one schema";

/// How risky one file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    pub path: String,
    pub level: Level,
    /// Why, the gravest first; empty where nothing speaks against it.
    pub reasons: Vec<String>,
    pub strategy: &'static str,
}

/// The risk of each file that was judged, in their order.
pub fn risks(history: &History, outcome: &Outcome) -> Vec<Risk> {
    let mut by_path: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &outcome.findings {
        by_path.entry(&finding.path).or_default().push(finding);
    }
    let mut lost: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for migration in history.migrations.iter().filter(|migration| !migration.replayed && !migration.applied) {
        let known = lost.entry(&migration.path).or_insert_with(|| {
            order.push(migration.path.as_str());
            Vec::new()
        });
        known.append(&mut for_good(migration));
    }
    let none = Vec::new();
    order.into_iter().map(|path| risk(path, by_path.get(path).unwrap_or(&none), &lost[path])).collect()
}

fn risk(path: &str, findings: &[&Finding], lost: &[String]) -> Risk {
    let mut weighed: Vec<(Level, String)> = findings
        .iter()
        .filter_map(|finding| {
            Some((weight(finding, !lost.is_empty())?, format!("{}: {}", finding.rule, finding.message)))
        })
        .collect();
    // Excused or not, it is gone.
    weighed.extend(lost.iter().map(|what| (Level::High, format!("no rollback brings back {what}"))));
    weighed.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let level = weighed.first().map_or(Level::Low, |(level, _)| *level);
    let breaks = |finding: &&Finding| {
        finding.severity == Severity::Deny
            && rules::find(finding.rule).is_ok_and(|rule| rule.page.breaks.contains(&Breaks::Rollout))
    };
    let strategy = if findings.iter().any(breaks) { NOT_TOGETHER } else { level.strategy() };
    Risk { path: path.into(), level, reasons: weighed.into_iter().map(|(_, reason)| reason).collect(), strategy }
}

/// Fewer rows than this are gone through before anybody notices.
const FEW_ROWS: u64 = 10_000;

/// What a finding weighs; `None` where it is no more than a note. A schema change at large is HIGH to the guide; here it is
/// known what the change does, and a clean one is as harmless as a change of the configuration.
///
/// | finding | level |
/// |---|---|
/// | deny, data-loss | CRITICAL |
/// | deny, compatibility | HIGH, and CRITICAL where the migration also loses data for good |
/// | deny, locking, few rows known | MEDIUM |
/// | deny, any other | HIGH |
/// | warn, and what nobody could read or judge | MEDIUM |
fn weight(finding: &Finding, loses: bool) -> Option<Level> {
    let group = rules::find(finding.rule).ok()?.page.group;
    match (finding.severity, group) {
        (Severity::Deny, Group::DataLoss) => Some(Level::Critical),
        (Severity::Deny, Group::Compatibility) if loses => Some(Level::Critical),
        (Severity::Deny, Group::Locking) if finding.rows.is_some_and(|rows| rows < FEW_ROWS) => Some(Level::Medium),
        (Severity::Deny, _) => Some(Level::High),
        (Severity::Warn, _) => Some(Level::Medium),
        (Severity::Note, _) => {
            ["opaque-statement", "unreadable-statement"].contains(&finding.rule).then_some(Level::Medium)
        }
    }
}

/// What a migration takes away that it did not make itself, and no schema change brings back.
fn for_good(migration: &Migration) -> Vec<String> {
    let made: BTreeSet<&Name> = changes(migration)
        .filter_map(|change| match change {
            Change::CreateTable { table, .. } => Some(table),
            _ => None,
        })
        .collect();
    let lost = changes(migration).filter(|change| change.table().is_none_or(|table| !made.contains(table)));
    lost.filter_map(|change| match change {
        Change::DropTable { table, .. } => Some(format!("the rows of `{table}`")),
        Change::Truncate { table, .. } => Some(format!("the rows of `{table}`")),
        Change::DropColumn { table, column, .. } => Some(format!("the values of `{table}.{column}`")),
        _ => None,
    })
    .collect()
}
