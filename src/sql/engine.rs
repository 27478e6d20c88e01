//! The server that runs the statements: which product, and of which version, as far as that is told.

use std::fmt;

use super::Dialect;
use crate::error::{Error, Result, closest};

/// Whose server it is. MySQL and MariaDB speak one dialect, and differ in what a change costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    Postgres,
    Mysql,
    Mariadb,
    Sqlite,
}

impl Flavour {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mysql, Self::Mariadb, Self::Sqlite];

    /// As its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }

    /// The dialect that it reads.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Postgres => Dialect::Postgres,
            Self::Mysql | Self::Mariadb => Dialect::Mysql,
            Self::Sqlite => Dialect::Sqlite,
        }
    }

    /// The oldest version that we know something about.
    pub fn oldest(self) -> Version {
        match self {
            Self::Postgres => Version([12, 0, 0]),
            Self::Mysql => Version([8, 0, 0]),
            Self::Mariadb => Version([10, 6, 0]),
            Self::Sqlite => Version([3, 35, 0]),
        }
    }

    /// What a user's word means: unlike as a dialect's name, `mysql` is MySQL alone.
    fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "mariadb" => Some(Self::Mariadb),
            word => {
                let dialect = Dialect::from_word(word).ok()?;
                Self::ALL.into_iter().find(|flavour| flavour.dialect() == dialect)
            }
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A version of a server. What is left away of its three numbers is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl From<u32> for Version {
    fn from(major: u32) -> Self {
        Self([major, 0, 0])
    }
}

impl From<(u32, u32)> for Version {
    fn from((major, minor): (u32, u32)) -> Self {
        Self([major, minor, 0])
    }
}

impl From<(u32, u32, u32)> for Version {
    fn from((major, minor, patch): (u32, u32, u32)) -> Self {
        Self([major, minor, patch])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [major, 0, 0] => write!(f, "{major}"),
            [major, minor, 0] => write!(f, "{major}.{minor}"),
            [major, minor, patch] => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// The server that runs the statements. What is not told of it may be any that we know: whatever is true of one of
/// them is to be reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    dialect: Dialect,
    /// `None`: one of the dialect's.
    flavour: Option<Flavour>,
    /// The least and the greatest that it may be: `8.0` is any 8.0.
    versions: Option<(Version, Version)>,
}

impl From<Dialect> for Engine {
    /// Nothing more is told.
    fn from(dialect: Dialect) -> Self {
        let flavour = match dialect {
            Dialect::Postgres => Some(Flavour::Postgres),
            Dialect::Mysql => None,
            Dialect::Sqlite => Some(Flavour::Sqlite),
        };
        Self { dialect, flavour, versions: None }
    }
}

impl Engine {
    /// The engine that a user's or a server's words mean: `postgres 14`, `MariaDB 10.11.19`, `mysql`.
    ///
    /// # Errors
    /// No engine of ours has that name, or what follows is no version.
    pub fn from_words(words: &str) -> Result<Self> {
        let mut parts = words.split_whitespace();
        let word = parts.next().unwrap_or_default();
        let flavour = Flavour::from_word(word).ok_or_else(|| {
            let error = Error::input(format!("no engine `{word}`"));
            match closest(word, ["postgres", "mysql", "mariadb", "sqlite"]) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(FORM),
            }
        })?;
        let wrong = |text: &str| Error::input(format!("no version `{text}` of {flavour}")).hint(FORM);
        let versions = match parts.next() {
            Some(text) => Some(versions(text).ok_or_else(|| wrong(text))?),
            None => None,
        };
        match parts.next() {
            Some(text) => Err(wrong(text)),
            None => Ok(Self { dialect: flavour.dialect(), flavour: Some(flavour), versions }),
        }
    }

    /// The dialect that it reads.
    pub fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Whether it is this one, or may be.
    pub fn may_be(self, flavour: Flavour) -> bool {
        flavour.dialect() == self.dialect && self.flavour.is_none_or(|own| own == flavour)
    }

    /// Whether it is, or may be, one of this flavour that is older than `version`.
    pub fn may_be_before(self, flavour: Flavour, version: impl Into<Version>) -> bool {
        let least = self.versions.map_or(flavour.oldest(), |(least, _)| least);
        self.may_be(flavour) && least < version.into()
    }

    /// Whether it is, or may be, one of this flavour of `version` or newer.
    pub fn may_be_from(self, flavour: Flavour, version: impl Into<Version>) -> bool {
        self.may_be(flavour) && self.versions.is_none_or(|(_, greatest)| greatest >= version.into())
    }

    /// What is to be said of one that is older than all that we know something about.
    pub fn too_old(self) -> Option<String> {
        let (flavour, (_, greatest)) = self.flavour.zip(self.versions)?;
        let oldest = flavour.oldest();
        let said = || {
            format!("this {flavour} is older than {oldest}, the oldest that is known: it is judged as if it were that")
        };
        (greatest < oldest).then(said)
    }
}

const FORM: &str = "write it like `postgres 14`, `mariadb 10.11`, `mysql 8.0` or `sqlite 3.46`; without the version it \
     may be any";

/// The least and the greatest version that a text means. What follows the numbers is a builder's own: `8.0.36-28`.
fn versions(text: &str) -> Option<(Version, Version)> {
    let numbers = text.split_once(|c: char| !c.is_ascii_digit() && c != '.').map_or(text, |(numbers, _)| numbers);
    let numbers: Vec<u32> = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let filled = |rest: u32| {
        let mut number = numbers.iter().copied().chain(std::iter::repeat(rest));
        Version(std::array::from_fn(|_| number.next().unwrap_or(rest)))
    };
    Some((filled(0), filled(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_may_be_any() {
        let engine = |words: &str| Engine::from_words(words).expect("it is one");
        let table = [
            // Words, flavour, version: may it be older, may it be that or newer?
            ("postgres 14", Flavour::Postgres, 14.into(), (false, true)),
            ("postgres 14", Flavour::Postgres, 15.into(), (true, false)),
            ("PostgreSQL 14.3", Flavour::Postgres, 15.into(), (true, false)),
            ("pg", Flavour::Postgres, 14.into(), (true, true)),
            ("pg", Flavour::Postgres, 12.into(), (false, true)),
            ("mysql 8.0", Flavour::Mysql, (8, 0, 29).into(), (true, true)),
            ("MySQL 8.0.36-28", Flavour::Mysql, (8, 0, 29).into(), (false, true)),
            ("mysql", Flavour::Mariadb, (10, 11).into(), (false, false)),
            ("MariaDB 10.11.19", Flavour::Mariadb, (11, 2).into(), (true, false)),
        ];
        for (words, flavour, version, expected) in table {
            let engine = engine(words);
            let told: (bool, bool) = (engine.may_be_before(flavour, version), engine.may_be_from(flavour, version));
            assert_eq!(told, expected, "{words}, {flavour} {}", Version::to_string(&version));
        }
        let either = Engine::from(Dialect::Mysql);
        assert!(either.may_be(Flavour::Mysql) && either.may_be(Flavour::Mariadb) && !either.may_be(Flavour::Sqlite));
        assert!(engine("postgres 9.6").too_old().is_some() && engine("postgres 12").too_old().is_none());
    }

    #[test]
    fn what_is_no_engine_is_said() {
        for (words, expected) in [
            ("postgras 14", "no engine `postgras` | did you mean `postgres`?"),
            ("oracle", "no engine `oracle` | write it like `postgres 14`, "),
            ("", "no engine `` | write it like"),
            ("postgres fourteen", "no version `fourteen` of PostgreSQL | write it like"),
            ("postgres 14 15", "no version `15` of PostgreSQL | write it like"),
            ("mysql 8..0", "no version `8..0` of MySQL | write it like"),
        ] {
            let error = Engine::from_words(words).expect_err(words);
            let said = format!("{error} | {}", error.hints.join(" "));
            assert!(said.starts_with(expected), "{words}: {said}");
        }
    }
}
