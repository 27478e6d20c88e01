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
