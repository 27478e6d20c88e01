//! The ledger's own tables, versioned by refinery-core over our session.
//!
//! Every statement repeats harmlessly, because MySQL commits DDL one by one: a version that was cut
//! off half way is simply applied again.

use std::time::Duration;

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, Runner};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Words, string};
use crate::database::{self, DatabaseError, DatabaseErrorKind, Held, Session, Value};
use crate::error::{Error, Kind, Result};
use crate::plan::Expectation;
use crate::sql::{Dialect, Name};

/// The versions of the ledger, oldest first.
const VERSIONS: &[(&str, &str)] = &[
    ("V1__ledger", include_str!("V1__ledger.sql")),
    ("V2__origin_and_views", include_str!("V2__origin_and_views.sql")),
    ("V3__throttle", include_str!("V3__throttle.sql")),
    ("V4__revert", include_str!("V4__revert.sql")),
    ("V5__proof", include_str!("V5__proof.sql")),
    ("V6__ranges", include_str!("V6__ranges.sql")),
    ("V7__search_path", include_str!("V7__search_path.sql")),
    ("V8__backfill_key", include_str!("V8__backfill_key.sql")),
    ("V9__quarantine", include_str!("V9__quarantine.sql")),
    ("V10__definition", include_str!("V10__definition.sql")),
];

/// The version of this program.
pub(super) fn newest() -> i64 {
    i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the ledger to the version of this program; creates it where there is none.
///
/// # Errors
/// A ledger of a newer program, or what the database refused.
pub(super) async fn upgrade<S: Session>(session: &mut S, words: &Words) -> Result<()> {
    let ours = newest();
    if known(session, words).await? == ours {
        return Ok(());
    }
    if let Some(schema) = &words.schema {
        // Two first runs at once: the loser of the race is told "already exists", which is what it wanted.
        if let Err(error) = session.execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"), &[]).await
            && error.code.as_deref() != Some("23505")
        {
            return Err(refused(&error, words.dialect));
        }
    }
    let migrations = VERSIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, &words.fill(sql)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::input("the ledger's own versions cannot be read").because(error))?;
    let mut runner = Runner::new(&migrations);
    runner.set_migration_table_name(words.table("schema_history"));
    let mut adapter = Adapter { session };
    let mut tries = 0;
    loop {
        let Err(error) = runner.run_async(&mut adapter).await else { return Ok(()) };
        // Other first runs are at it: one of them succeeds, and its version is there then, or soon.
        match version(adapter.session, words).await {
            Ok(version) if version == ours => return Ok(()),
            Ok(_) if tries < RACES => tries += 1,
            _ => {
                return Err(Error::new(Kind::Connection, "the ledger's tables could not be created")
                    .because(cause(&error))
                    .hint(rights(words.dialect)));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How often an upgrade is tried again that met another one, and after which pause.
const RACES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Refuses a database in which the ledger cannot be written.
///
/// # Errors
/// A standby, a read-only server or file, or what the database refused.
pub(super) async fn check_writable<S: Session>(session: &mut S) -> Result<()> {
    let read_only = database::why_read_only(session).await;
    match read_only.map_err(|error| refused(&error, session.dialect()))? {
        Some((why, way_out)) => Err(Error::new(Kind::Connection, "the ledger cannot be written in this database")
            .because(why)
            .hint(way_out)),
        None => Ok(()),
    }
}

/// Refuses a PostgreSQL session that looks names up in the ledger's schema, as that of a user called like the schema
/// does: what a change calls `event` would be the ledger's own table, and what it creates would stand beside it.
///
/// # Errors
/// As the sentence says, or what the database refused.
pub(super) async fn check_apart<S: Session>(session: &mut S, words: &Words) -> Result<()> {
    let Some(schema) = &words.schema else { return Ok(()) };
    let sql = format!(
        "SELECT current_setting('search_path'), current_user FROM pg_namespace \
         WHERE nspname = '{schema}' AND nspname = ANY (current_schemas(false))"
    );
    let rows = session.query(&sql, &[]).await.map_err(|error| refused(&error, words.dialect))?;
    let [row] = rows.as_slice() else { return Ok(()) };
    let (path, user) = (string(row, 0), string(row, 1));
    Err(Error::input(format!("the search path `{path}` of `{user}` leads into the ledger's schema `{schema}`"))
        .hint(format!("take it out: ALTER ROLE \"{user}\" SET search_path = public; or use a role of another name")))
}

/// The ledger's version, if this program knows it; 0 where there is none.
///
/// # Errors
/// As `upgrade`.
pub(super) async fn known<S: Session>(session: &mut S, words: &Words) -> Result<i64> {
    let ours = newest();
    let theirs = version(session, words).await.map_err(|error| refused(&error, words.dialect))?;
    if theirs > ours {
        return Err(Error::input(format!(
            "the ledger in this database has version {theirs}, this program knows versions up to {ours}"
        ))
        .hint("a newer lockkeeper wrote it: use that one or a later one"));
    }
    Ok(theirs)
}

/// The newest version that this database's ledger has; 0 where there is none.
async fn version<S: Session>(session: &mut S, words: &Words) -> Result<i64, DatabaseError> {
    let history = Name { schema: words.schema.clone(), name: words.bare("schema_history") };
    let there = Expectation::Table { table: history, exists: true };
    if database::holds(session, &there).await? != Held::Yes {
        return Ok(0);
    }
    let rows = session.query(&format!("SELECT max(version) FROM {}", words.table("schema_history")), &[]).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(version)) => *version,
        _ => 0,
    })
}

fn refused(error: &DatabaseError, dialect: Dialect) -> Error {
    Error::new(Kind::Connection, "the ledger cannot be opened").because(error).hint(rights(dialect))
}

/// What the user of the database URL must be allowed for the ledger.
fn rights(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "the first run needs CREATE on the database, for the schema lockkeeper, and the first run of a new version the \
             role that owns that schema; another user needs USAGE on that schema, and SELECT, INSERT, UPDATE and DELETE on all its tables"
        }
        Dialect::Mysql => {
            "the user needs CREATE, CREATE VIEW, SELECT, INSERT, UPDATE and DELETE on the database, for the lockkeeper_ \
             tables and views"
        }
        Dialect::Sqlite => "the user needs to write the file and its directory, for the lockkeeper_ tables",
    }
}

/// The innermost words of a refinery error: its outer ones name traits and types.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

struct Adapter<'a, S> {
    session: &'a mut S,
}

impl<S: Session> AsyncTransaction for Adapter<'_, S> {
    type Error = DatabaseError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Self::Error> {
        let mut count = 0;
        self.session.execute("BEGIN", &[]).await?;
        for query in queries {
            // Our own text: no statement of it holds a semicolon inside.
            for statement in query.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                if let Err(error) = self.session.execute(statement, &[]).await {
                    let _ = self.session.execute("ROLLBACK", &[]).await;
                    return Err(error);
                }
                count += 1;
            }
        }
        self.session.execute("COMMIT", &[]).await?;
        Ok(count)
    }
}

impl<S: Session> AsyncQuery<Vec<Migration>> for Adapter<'_, S> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Self::Error> {
        let rows = self.session.query(query, &[]).await?;
        rows.iter().map(|row| applied(row)).collect()
    }
}

impl<S: Session> AsyncMigrate for Adapter<'_, S> {}

fn applied(row: &[Value]) -> Result<Migration, DatabaseError> {
    let broken = || DatabaseError {
        kind: DatabaseErrorKind::Statement,
        code: None,
        message: "the ledger's schema_history holds a row that no version of ours wrote".into(),
        position: None,
    };
    let [Value::Int(version), Value::Text(name), Value::Text(applied_on), Value::Text(checksum)] = row else {
        return Err(broken());
    };
    Ok(Migration::applied(
        i32::try_from(*version).map_err(|_| broken())?,
        name.clone(),
        OffsetDateTime::parse(applied_on, &Rfc3339).map_err(|_| broken())?,
        checksum.parse().map_err(|_| broken())?,
    ))
}
