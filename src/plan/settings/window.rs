//! A time window: `Mon-Fri 22:00-06:00 Europe/Berlin`, on the days on which it opens.
//!
//! It lasts from one moment to another, not over readings of a clock: the night in which clocks are put forward
//! is shorter, and a time that is left out begins with the hour that follows.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::error::{Error, Result};

/// When there may be work.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// As it was written, for people.
    pub text: String,
    days: Vec<Weekday>,
    from: Time,
    /// `None`: midnight, the end of the day.
    to: Option<Time>,
    zone: TimeZone,
}

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Window {
    /// Reads `[DAYS] HH:MM-HH:MM ZONE`; without days it is every day.
    ///
    /// # Errors
    /// What of it cannot be read.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let refuse = |what: String| {
            Error::input(format!("{path}: the window \"{text}\" {what}"))
                .hint("write it as \"Mon-Fri 22:00-06:00 Europe/Berlin\": days, hours, time zone; UTC is one")
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words[..] {
            [days, hours, zone] => (Some(days), hours, zone),
            [hours, zone] => (None, hours, zone),
            _ => return Err(refuse("has not the two or three words of one".into())),
        };
        let days = match days {
            None => DAYS.map(|(_, day)| day).to_vec(),
            Some(word) => read_days(word).ok_or_else(|| refuse(format!("has no days in `{word}`")))?,
        };
        let (from, to) = read_hours(hours).ok_or_else(|| refuse(format!("has no hours in `{hours}`")))?;
        let zone = TimeZone::get(zone).map_err(|_| refuse(format!("names no known time zone: `{zone}`")))?;
        Ok(Self { text: text.to_string(), days, from, to, zone })
    }

    /// Whether it is open at this moment.
    pub fn is_open(&self, now: Timestamp) -> bool {
        // Yesterday's may last until this morning.
        self.around(now, -1, 1).any(|(opens, closes)| opens <= now && now < closes)
    }

    /// When it opens next.
    pub fn opens_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.around(now, 0, 8)
            .filter(|(opens, closes)| opens < closes)
            .map(|(opens, _)| opens)
            .find(|opens| *opens > now)
    }

    /// From when to when it is open, on the days around a moment.
    fn around(&self, now: Timestamp, first: i32, last: i32) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = now.to_zoned_datetime(self.zone.clone()).date();
        (first..=last).filter_map(move |days| {
            let day = today.checked_add(Span::new().try_days(days).ok()?).ok()?;
            if !self.days.contains(&day.weekday()) {
                return None;
            }
            let end = if self.to.is_some_and(|to| to > self.from) { day } else { day.tomorrow().ok()? };
            Some((self.moment(day, self.from)?, self.moment(end, self.to.unwrap_or(Time::midnight()))?))
        })
    }

    fn moment(&self, day: Date, time: Time) -> Option<Timestamp> {
        self.zone.to_timestamp(day.to_datetime(time)).ok()
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon,Wed`.
fn read_days(word: &str) -> Option<Vec<Weekday>> {
    let day = |word: &str| DAYS.iter().position(|(name, _)| name.eq_ignore_ascii_case(word));
    let mut days = Vec::new();
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + DAYS.len() - first) % DAYS.len() + 1;
        days.extend((0..count).map(|step| DAYS[(first + step) % DAYS.len()].1));
    }
    Some(days)
}

/// `22:00-06:00`, `00:00-24:00`.
fn read_hours(word: &str) -> Option<(Time, Option<Time>)> {
    let time = |word: &str| {
        let (hour, minute) = word.split_once(':')?;
        if hour.len() != 2 || minute.len() != 2 {
            return None;
        }
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let (from, to) = word.split_once('-')?;
    let from = time(from)?;
    let to = if to == "24:00" { None } else { Some(time(to)?) };
    (to != Some(from)).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Openings and closings between two moments, looked for every five minutes.
    fn check(window: &str, from: &str, to: &str, expected: &[&str]) {
        let window = Window::read(window, "change.toml").expect("a window");
        let moment = |text: &str| -> Timestamp { text.parse().expect("a moment") };
        let (mut now, to) = (moment(from), moment(to));
        let mut was = window.is_open(now);
        let mut changes = vec![if was { "open".to_string() } else { "closed".to_string() }];
        while now < to {
            let next = window.opens_after(now);
            now += jiff::SignedDuration::from_mins(5);
            if window.is_open(now) != was {
                was = !was;
                changes.push(now.to_string());
                assert!(!was || next == Some(now), "{now} was announced as {next:?}");
            }
        }
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_window_opens_and_closes() {
        check(
            "Mon-Fri 22:00-06:00 Europe/Berlin",
            "2026-11-26T12:00:00Z",
            "2026-12-01T12:00:00Z",
            &[
                "closed",
                // Thursday night, and Friday's, which ends on Saturday.
                "2026-11-26T21:00:00Z",
                "2026-11-27T05:00:00Z",
                "2026-11-27T21:00:00Z",
                "2026-11-28T05:00:00Z",
                "2026-11-30T21:00:00Z",
                "2026-12-01T05:00:00Z",
            ],
        );
        check(
            "Sat,sun 00:00-24:00 UTC",
            "2026-11-28T12:00:00Z",
            "2026-12-01T00:00:00Z",
            &["open", "2026-11-30T00:00:00Z"],
        );
        check("00:00-24:00 America/New_York", "2026-11-28T12:00:00Z", "2026-12-05T00:00:00Z", &["open"]);
    }

    /// In the night of 29 March 2026 Berlin has no 02:30; in that of 25 October it has two.
    #[test]
    fn clocks_are_put_forward_and_back() {
        check(
            "01:00-04:00 Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "2026-03-29T12:00:00Z",
            &["closed", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"],
        );
        check(
            "02:30-02:45 Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "2026-03-29T12:00:00Z",
            &["closed", "2026-03-29T01:30:00Z", "2026-03-29T01:45:00Z"],
        );
        check(
            "01:00-04:00 Europe/Berlin",
            "2026-10-24T12:00:00Z",
            "2026-10-25T12:00:00Z",
            &["closed", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"],
        );
    }

    #[test]
    fn what_is_no_window_is_told() {
        for (text, what) in [
            ("22:00-06:00", "has not the two or three words of one"),
            ("Mon-Frei 22:00-06:00 UTC", "has no days in `Mon-Frei`"),
            ("Mon 22-06 UTC", "has no hours in `22-06`"),
            ("Mon 06:00-06:00 UTC", "has no hours in `06:00-06:00`"),
            ("Mon 22:00-25:00 UTC", "has no hours in `22:00-25:00`"),
            ("22:00-06:00 Europe/Bielefeld", "names no known time zone: `Europe/Bielefeld`"),
        ] {
            let error = Window::read(text, "change.toml").expect_err(text);
            assert_eq!(error.message, format!("change.toml: the window \"{text}\" {what}"));
        }
    }
}
