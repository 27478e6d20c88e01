//! `change.toml`: what a team says about a phased change. Every key is optional.

pub mod throttle;
pub mod window;
mod ddl;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use throttle::{Limit, Throttle};

use crate::error::{Error, Result, closest};
use crate::sql::Dialect;

pub use ddl::Ddl;

/// What stands for the version in a consumer's patterns.
pub const VERSION: &str = "{version}";

/// Between these the rows of a batch are steered to `batch-time`: below the first, commits cost more than rows; above
/// the second, row locks last too long.
pub const BATCH_ROWS: RangeInclusive<u64> = 100..=100_000;

/// How the new version is introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    Recreate,
    #[default]
    Rolling,
    BlueGreen,
    Canary,
    Shadow,
    FeatureFlag,
    AbTest,
}

/// What `change.toml` says; its defaults without the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub dialect: Option<Dialect>,
    pub strategy: Strategy,
    /// `versions.old` and `versions.new`: how the two versions are called in labels, users and session names.
    pub old_version: Option<String>,
    /// `versions.both-reads-old` and `both-reads-new`: the rungs between, where no sync keeps both shapes alike.
    pub both_reads_old: Option<String>,
    pub both_reads_new: Option<String>,
    /// `sync`: whether triggers of expand.sql keep both shapes alike, whichever is written.
    pub two_way_sync: bool,
    pub new_version: Option<String>,
    /// `depends-on`: changes beside this one that have to be finished before it begins.
    pub depends_on: Vec<String>,
    /// Everything that speaks to this database.
    pub consumers: Vec<Consumer>,
    /// `backfill.batch-rows`: rows of the first batch, which must be short in a table of wide rows, too; 1,000.
    pub batch_rows: u64,
    /// `backfill.batch-time`: the time that a batch is steered to; 100 ms.
    pub batch_time: Duration,
    /// `backfill.on-error = "quarantine"`: a row that the statement fails on is left for the end, and the others are
    /// filled; otherwise the run stops there.
    pub quarantine: bool,
    pub throttle: Throttle,
    /// `proof.repair`: rows that differ are filled again by the statement of backfill.sql; false.
    pub repair: bool,
    /// `proof.lock-time`: how long contract may ask for rows that differ while it keeps its tables locked; 1 s.
    pub proof_lock_time: Duration,
    pub ddl: Ddl,
}

/// One application that uses the database, and how its versions are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub name: String,
    /// A session name with `{version}` in it: `order-service/{version}`; text after a blank is not compared.
    /// Without `{version}`: sessions that belong to no version and never hold a gate.
    pub application_name: Option<String>,
    /// A database user with `{version}` in it: `app_{version}`. Without: as above.
    pub user: Option<String>,
    pub kubernetes: Option<Kubernetes>,
}

/// A consumer's workload on Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    pub namespace: String,
    /// A label selector: `app=order-service`.
    pub selector: String,
    /// The pod label that holds the version; `app.kubernetes.io/version`.
    pub version_label: String,
    /// A file of `kubectl get deploy,rs,po -o json` to read instead of asking kubectl, relative to the change directory.
    pub evidence: Option<String>,
}

impl Strategy {
    /// All of them, by the word of `change.toml`.
    const WORDS: [(&'static str, Self); 7] = [
        ("recreate", Self::Recreate),
        ("rolling", Self::Rolling),
        ("blue-green", Self::BlueGreen),
        ("canary", Self::Canary),
        ("shadow", Self::Shadow),
        ("feature-flag", Self::FeatureFlag),
        ("ab-test", Self::AbTest),
    ];

    /// The word of `change.toml`.
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, strategy)| *strategy == self).map_or("rolling", |(word, _)| word)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dialect: None,
            strategy: Strategy::default(),
            old_version: None,
            both_reads_old: None,
            both_reads_new: None,
            two_way_sync: false,
            depends_on: Vec::new(),
            new_version: None,
            consumers: Vec::new(),
            batch_rows: 1_000,
            batch_time: Duration::from_millis(100),
            throttle: Throttle::default(),
            quarantine: false,
            repair: false,
            proof_lock_time: Duration::from_secs(1),
            ddl: Ddl::default(),
        }
    }
}

impl Settings {
    /// Reads the text of a `change.toml`; `path` is how errors call it.
    ///
    /// # Errors
    /// Text that is no TOML, an unknown key, a value that makes no sense: with the line.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let file: file::Change = toml::from_str(text).map_err(|error| unreadable(&error, text, path))?;
        let defaults = Self::default();
        let settings = Self {
            dialect: file
                .dialect
                .as_deref()
                .map(Dialect::from_word)
                .transpose()
                .map_err(|error| Error { message: format!("{path}: {}", error.message), ..error })?,
            strategy: match file.strategy {
                None => defaults.strategy,
                Some(word) => strategy(&word, path)?,
            },
            old_version: file.versions.old,
            both_reads_old: file.versions.both_reads_old,
            both_reads_new: file.versions.both_reads_new,
            depends_on: file.depends_on,
            two_way_sync: match file.sync.as_deref() {
                None | Some("none") => false,
                Some("two-way") => true,
                Some(other) => {
                    return Err(Error::input(format!("{path}: no `sync = \"{other}\"`"))
                        .hint("it is \"two-way\" where triggers of expand.sql keep both shapes alike, or \"none\""));
                }
            },
            new_version: file.versions.new,
            consumers: file.consumers.into_iter().map(file::Consumer::read).collect(),
            batch_rows: file.backfill.batch_rows.unwrap_or(defaults.batch_rows),
            batch_time: of_key(file.backfill.batch_time, "backfill.batch-time", defaults.batch_time, path)?,
            quarantine: match file.backfill.on_error.as_deref() {
                None | Some("stop") => false,
                Some("quarantine") => true,
                Some(other) => {
                    return Err(Error::input(format!("{path}: no `backfill.on-error = \"{other}\"`"))
                        .hint("it is \"stop\", or \"quarantine\" to fill all other rows first"));
                }
            },
            repair: file.proof.repair.unwrap_or(defaults.repair),
            proof_lock_time: of_key(file.proof.lock_time, "proof.lock-time", defaults.proof_lock_time, path)?,
            throttle: file.throttle.read(path)?,
            ddl: file.ddl.read(path)?,
        };
        settings.consistent(path)?;
        Ok(settings)
    }

    fn consistent_versions(&self, path: &str) -> Result<()> {
        let refuse = |what: String| Err(Error::input(format!("{path}: {what}")));
        let between = [("both-reads-old", &self.both_reads_old), ("both-reads-new", &self.both_reads_new)];
        let versions = [("old", &self.old_version), between[0], between[1], ("new", &self.new_version)];
        for (at, (key, version)) in versions.iter().enumerate() {
            let Some(version) = version else { continue };
            if version.trim().is_empty() {
                return refuse(format!("`versions.{key}` is empty"));
            }
            if let Some((other, _)) = versions[..at].iter().find(|(_, other)| other.as_ref() == Some(version)) {
                return refuse(format!("`versions.{other}` and `versions.{key}` are the same"));
            }
        }
        match between.iter().find(|(_, version)| version.is_some() && self.two_way_sync) {
            Some((key, _)) => refuse(format!(
                "`versions.{key}` writes both shapes itself, and `sync = \"two-way\"` does it for every version: leave one out"
            )),
            None => Ok(()),
        }
    }

    /// What no key alone can tell.
    fn consistent(&self, path: &str) -> Result<()> {
        let refuse = |what: String| Err(Error::input(format!("{path}: {what}")));
        if self.batch_rows == 0 || self.batch_rows > *BATCH_ROWS.end() {
            return refuse(format!("`backfill.batch-rows` has to be 1 to {}", BATCH_ROWS.end()));
        }
        self.consistent_versions(path)?;
        for (at, consumer) in self.consumers.iter().enumerate() {
            let Consumer { name, application_name, user, kubernetes } = consumer;
            if name.trim().is_empty() {
                return refuse(format!("consumer {} has no `name`", at + 1));
            }
            if self.consumers[..at].iter().any(|other| other.name == *name) {
                return refuse(format!("two consumers are called `{name}`"));
            }
            if application_name.is_none() && user.is_none() && kubernetes.is_none() {
                return refuse(format!(
                    "consumer `{name}` says nothing by which to recognise it: give it an `application-name`, a \
                     `user` or a `[consumers.kubernetes]` table"
                ));
            }
            for (key, pattern) in [("application-name", application_name), ("user", user)] {
                let Some(pattern) = pattern else { continue };
                if pattern.trim().is_empty() || pattern.replacen(VERSION, "", 1).contains(['{', '}']) {
                    return refuse(format!(
                        "consumer `{name}`: `{key} = \"{pattern}\"` may hold `{VERSION}` once and no other braces"
                    ));
                }
            }
            let versioned = [application_name, user].into_iter().flatten().any(|pattern| pattern.contains(VERSION));
            if (versioned || kubernetes.is_some()) && self.new_version.is_none() {
                return Err(Error::input(format!(
                    "{path}: consumer `{name}` is told apart by version, but `versions.new` is not set"
                ))
                .hint("say which version is wanted: [versions] new = \"v2\""));
            }
            if let Some(Kubernetes { namespace, selector, version_label, .. }) = kubernetes
                && [namespace, selector, version_label].iter().any(|word| word.trim().is_empty())
            {
                return refuse(format!(
                    "consumer `{name}`: `namespace`, `selector` and `version-label` may not be empty"
                ));
            }
        }
        Ok(())
    }
}

fn strategy(word: &str, path: &str) -> Result<Strategy> {
    if let Some((_, strategy)) = Strategy::WORDS.iter().find(|(known, _)| *known == word) {
        return Ok(*strategy);
    }
    let words = Strategy::WORDS.map(|(word, _)| word);
    let error = Error::input(format!("{path}: no strategy `{word}`"));
    Err(match closest(word, words) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the strategies are {}", words.join(", "))),
    })
}

/// The duration that a key says.
fn of_key(text: Option<String>, key: &str, default: Duration, path: &str) -> Result<Duration> {
    let Some(text) = text else { return Ok(default) };
    duration(&text).filter(|time| *time <= Duration::from_mins(1)).ok_or_else(|| {
        Error::input(format!("{path}: `{key} = \"{text}\"` is no duration"))
            .hint("write it as \"100ms\" or \"2s\"; it has to be more than nothing and at most a minute")
    })
}

/// `1500us`, `100ms`, `2s`, `15m`, `6h`: more than nothing.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let duration = match unit.trim() {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    };
    (!duration.is_zero()).then_some(duration)
}

/// What is wrong with the text, and in which line. serde names an unknown key and then the known ones,
/// each between backticks.
fn unreadable(error: &toml::de::Error, text: &str, path: &str) -> Error {
    let place = match error.span() {
        Some(span) => format!("{path}:{}", text[..span.start.min(text.len())].matches('\n').count() + 1),
        None => path.to_string(),
    };
    let said = error.message();
    let mut words = said.split('`').skip(1).step_by(2);
    match (said.starts_with("unknown field"), words.next()) {
        (true, Some(word)) => {
            let known: Vec<&str> = words.collect();
            let error = Error::input(format!("{place}: no setting `{word}`"));
            match closest(word, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("the settings here are {}", known.join(", "))),
            }
        }
        _ => Error::input(format!("{place}: {}", said.lines().collect::<Vec<_>>().join(" "))),
    }
}

/// The file's own shape.
mod file {
    use serde::Deserialize;

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    pub(super) struct Change {
        pub(super) dialect: Option<String>,
        pub(super) strategy: Option<String>,
        pub(super) sync: Option<String>,
        pub(super) depends_on: Vec<String>,
        pub(super) versions: Versions,
        pub(super) backfill: Backfill,
        pub(super) proof: Proof,
        pub(super) ddl: super::ddl::File,
        pub(super) consumers: Vec<Consumer>,
        pub(super) throttle: super::throttle::File,
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    pub(super) struct Versions {
        pub(super) old: Option<String>,
        pub(super) both_reads_old: Option<String>,
        pub(super) both_reads_new: Option<String>,
        pub(super) new: Option<String>,
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    pub(super) struct Backfill {
        pub(super) batch_rows: Option<u64>,
        pub(super) batch_time: Option<String>,
        pub(super) on_error: Option<String>,
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    pub(super) struct Proof {
        pub(super) repair: Option<bool>,
        pub(super) lock_time: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    pub(super) struct Consumer {
        name: String,
        application_name: Option<String>,
        user: Option<String>,
        kubernetes: Option<Kubernetes>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Kubernetes {
        namespace: String,
        selector: String,
        version_label: Option<String>,
        evidence: Option<String>,
    }

    impl Consumer {
        pub(super) fn read(self) -> super::Consumer {
            super::Consumer {
                name: self.name,
                application_name: self.application_name,
                user: self.user,
                kubernetes: self.kubernetes.map(|kubernetes| super::Kubernetes {
                    namespace: kubernetes.namespace,
                    selector: kubernetes.selector,
                    version_label: kubernetes.version_label.unwrap_or_else(|| "app.kubernetes.io/version".into()),
                    evidence: kubernetes.evidence,
                }),
            }
        }
    }
}
