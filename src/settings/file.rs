//! The settings file while it is read: a value of the wrong kind or an unknown word is an error with its place.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use time::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Level, Severity, date};
use crate::error::{Error, Result, closest};

/// A value with its place in the file.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// The file that is read, to say where something is wrong.
pub(super) struct File<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl File<'_> {
    pub(super) fn line(&self, span: Range<usize>) -> usize {
        1 + self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
    }

    fn place(&self, span: Range<usize>) -> String {
        format!("{}:{}", self.path.display(), self.line(span))
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Display) -> Error {
        Error::input(format!("{}: {message}", self.place(span)))
    }

    pub(super) fn unknown(&self, key: &Spanned<Cow<'_, str>>, known: &[&str]) -> Error {
        let error = self.error(key.span(), format!("no setting `{}`", key.get_ref()));
        match closest(key.get_ref(), known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("the settings here are {}", known.join(", "))),
        }
    }

    pub(super) fn expect<T>(&self, value: &Value<'_>, found: Option<T>, wanted: &str) -> Result<T> {
        found
            .ok_or_else(|| self.error(value.span(), format!("expected {wanted}, found {}", value.get_ref().type_str())))
    }

    pub(super) fn string<'v>(&self, value: &'v Value<'_>) -> Result<&'v str> {
        self.expect(value, value.get_ref().as_str(), "a string")
    }

    pub(super) fn table<'v, 'a>(&self, value: &'v Value<'a>) -> Result<&'v DeTable<'a>> {
        self.expect(value, value.get_ref().as_table(), "a table")
    }

    /// The strings of a list, each with its place.
    pub(super) fn strings<'v>(&self, value: &'v Value<'_>, what: &str) -> Result<Vec<(&'v str, Range<usize>)>> {
        let items = self.expect(value, value.get_ref().as_array(), what)?;
        items.iter().map(|item| Ok((self.string(item)?, item.span()))).collect()
    }

    /// A date, with or without quotation marks.
    pub(super) fn date(&self, value: &Value<'_>) -> Result<Date> {
        let written = match value.get_ref() {
            DeValue::Datetime(written) => written.to_string(),
            _ => self.string(value)?.to_string(),
        };
        let error = || self.error(value.span(), format!("no date `{written}`")).hint("write it as 2027-01-31");
        date(&written).ok_or_else(error)
    }

    pub(super) fn word<T>(&self, value: &Value<'_>, known: fn(&str) -> Result<T>) -> Result<T> {
        known(self.string(value)?)
            .map_err(|error| Error { message: format!("{}: {}", self.place(value.span()), error.message), ..error })
    }

    /// What is said about a rule or a group, in one of these words.
    pub(super) fn level(&self, value: &Value<'_>, words: &[&str]) -> Result<Level> {
        let word = self.string(value)?;
        let level = match word {
            "off" => Some(Level::Off),
            "on" => Some(Level::On),
            _ => Severity::from_word(word).map(Level::At),
        };
        level.filter(|_| words.contains(&word)).ok_or_else(|| {
            let error = self.error(value.span(), format!("no severity `{word}`"));
            error.hint(format!("write one of {}", words.join(", ")))
        })
    }
}
