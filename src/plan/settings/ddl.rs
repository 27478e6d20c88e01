//! `[ddl]` of `change.toml`: how long statements that change the schema wait, try and take.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use crate::error::{Error, Result};

/// How long statements that change the schema wait, try and take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ddl {
    /// `ddl.lock-timeout`: how long one try waits for a lock, with the application queueing behind it; 2 s.
    pub lock_timeout: Duration,
    /// `ddl.retry-for`: how long a step that does not get its lock is tried again; 15 minutes.
    pub retry_for: Duration,
    /// `ddl.concurrent-timeout`: how long a statement may take that blocks nobody while it works; 12 hours.
    pub concurrent_timeout: Duration,
}

impl Default for Ddl {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(2),
            retry_for: Duration::from_mins(15),
            concurrent_timeout: Duration::from_hours(12),
        }
    }
}

/// The file's own shape.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct File {
    lock_timeout: Option<String>,
    retry_for: Option<String>,
    concurrent_timeout: Option<String>,
}

impl File {
    pub(super) fn read(self, path: &str) -> Result<Ddl> {
        let defaults = Ddl::default();
        let time = |key: &str, text: Option<String>, default: Duration, least: Duration, most: (Duration, &str)| {
            let Some(text) = text else { return Ok(default) };
            duration(&text).filter(|time| (least..=most.0).contains(time)).ok_or_else(|| {
                Error::input(format!("{path}: `ddl.{key} = \"{text}\"` is no duration that it can be")).hint(format!(
                    "write it as \"500ms\", \"2s\", \"15m\" or \"6h\": at least {} ms and at most {}",
                    least.as_millis(),
                    most.1
                ))
            })
        };
        let (moment, day) = (Duration::from_millis(100), Duration::from_hours(24));
        Ok(Ddl {
            lock_timeout: time(
                "lock-timeout",
                self.lock_timeout,
                defaults.lock_timeout,
                moment,
                (Duration::from_mins(1), "a minute"),
            )?,
            retry_for: time("retry-for", self.retry_for, defaults.retry_for, moment, (day, "a day"))?,
            concurrent_timeout: time(
                "concurrent-timeout",
                self.concurrent_timeout,
                defaults.concurrent_timeout,
                moment,
                (7 * day, "a week"),
            )?,
        })
    }
}
