//! Database URLs: read strictly, shown without their password.

use sqlx::error::Error as DriverError;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::sql::Dialect;

/// The URL as it may be shown: the password replaced, however broken the URL is.
pub fn redact(url: &str) -> String {
    let shown = match (url.split_once("://"), Dialect::of_url(url)) {
        (_, Some(Dialect::Sqlite)) => url.to_string(),
        // A URL without its scheme, or a list of parameters: where the password stands in it, nobody can tell.
        (None, _) if url.contains([':', '@', '=']) && !url.starts_with("env:") => return "***".to_string(),
        (None, _) => url.to_string(),
        (Some((scheme, rest)), _) => format!("{scheme}://{}", redact_authority(rest)),
    };
    redact_query(&shown)
}

/// `user:secret@host/db`. A raw `/`, `?`, `#` or `@` in the password is a common mistake, so that everything
/// up to the last `@` counts as its part, and so does a port that is no number.
fn redact_authority(rest: &str) -> String {
    if let Some((account, place)) = rest.rsplit_once('@') {
        return match account.split_once(':') {
            Some((user, _)) => format!("{user}:***@{place}"),
            None => rest.to_string(),
        };
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.split_once(':') {
        Some((host, port)) if !authority.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit()) => {
            format!("{host}:***{}", &rest[authority.len()..])
        }
        _ => rest.to_string(),
    }
}

/// Drivers also take a `password=` parameter.
fn redact_query(url: &str) -> String {
    let Some((place, query)) = url.split_once('?') else { return url.to_string() };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((key, _)) if key.to_ascii_lowercase().contains("password") => format!("{key}=***"),
            _ => parameter.to_string(),
        })
        .collect();
    format!("{place}?{}", parameters.join("&"))
}

/// The dialect of a URL that can be tried; anything doubtful is refused before a part of a password can be
/// taken for a host, a port or a database.
pub fn dialect(url: &str) -> Result<Dialect> {
    let Some(dialect) = Dialect::of_url(url) else {
        return Err(malformed(url, "it names no database that lockkeeper knows"));
    };
    if dialect != Dialect::Sqlite {
        let parsed = Url::parse(url).map_err(|error| malformed(url, &error.to_string()))?;
        let after_host = &parsed[url::Position::AfterHost..];
        if after_host.contains(['@', '#']) {
            return Err(malformed(url, "a `/`, `?`, `#` or `@` stands where only its percent-encoded form may"));
        }
        if !parsed.has_host() && parsed.query().is_none() {
            return Err(malformed(url, "it names no host"));
        }
    }
    Ok(dialect)
}

fn malformed(url: &str, why: &str) -> Error {
    Error::input(format!("the database URL `{}` cannot be read: {why}", redact(url)))
        .hint("postgres://user:password@host/database, mysql://user:password@host/database, or sqlite:path/to/file.db")
        .hint("in a user or password, `/`, `?`, `#`, `@` and `%` are written %2F, %3F, %23, %40 and %25")
}

/// Where a connection was tried, in words: what an error may say.
pub(super) struct Place {
    pub(super) server: &'static str,
    /// `host:port`, or the socket.
    pub(super) address: String,
    pub(super) database: Option<String>,
    pub(super) user: String,
}

impl Place {
    /// What went wrong while connecting, with the driver's own text only where it cannot hold a password.
    pub(super) fn refused(&self, url: &str, error: &DriverError) -> Error {
        let failed = || Error::new(Kind::Connection, format!("no connection to {self}"));
        match error {
            DriverError::Database(error) => {
                let error_at_login = failed().because(error.message());
                match error.code().as_deref() {
                    Some("28P01" | "28000") => error_at_login
                        .hint(format!("check the user `{}`, its password and the server's access rules", self.user)),
                    Some("3D000" | "42000") => {
                        error_at_login.hint("check the database's name and the user's rights on it")
                    }
                    _ => error_at_login.hint("the server answered, but does not let us in"),
                }
            }
            DriverError::Io(error) => {
                failed().because(error).hint("check host and port, and that the server is running and listens there")
            }
            DriverError::Tls(error) => {
                failed().because(error).hint("check the URL's sslmode (ssl-mode on MySQL) and certificate parameters")
            }
            DriverError::Configuration(_) => malformed(url, "a parameter has a value that the driver does not take"),
            _ => failed().because("the answer is not the one of such a server").hint("check host and port"),
        }
    }

    /// Nobody answered in time.
    pub(super) fn silent(&self, seconds: u64) -> Error {
        Error::new(Kind::Connection, format!("no connection to {self}"))
            .because(format!("no answer within {seconds} s"))
            .hint("check host and port, and whether a firewall stands in between")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.server, self.address)?;
        match &self.database {
            Some(database) => write!(f, ", database `{database}`, as `{}`", self.user),
            None => write!(f, ", as `{}`", self.user),
        }
    }
}
