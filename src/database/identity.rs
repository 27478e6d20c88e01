//! Which database this is, and whether it may be written: a ledger that came with a restored dump knows of
//! another one, and a standby keeps what its primary writes.

use super::{DatabaseError, DatabaseErrorKind, Session, Value, text};
use crate::sql::Dialect;

/// What tells a database from a copy of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// PostgreSQL: the system identifier of the cluster, which its standbys share. MySQL: the server's UUID.
    /// Empty where it cannot be read.
    pub server: String,
    /// MySQL and MariaDB: the number by which replication knows the server.
    pub server_number: String,
    /// PostgreSQL: the database's number in its cluster, which a rename keeps. MySQL: its name.
    pub database: String,
    /// For people.
    pub name: String,
}

/// A database as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    pub identity: Identity,
    /// MySQL and MariaDB: the GTIDs that this server has from others.
    pub replicated: String,
}

impl Present {
    /// Whether this is the database that was `recorded`, or the successor to which a failover led. A copy of the
    /// data directory is not told apart from a successor.
    pub fn continues(&self, recorded: &Identity) -> bool {
        let now = &self.identity;
        if now.database != recorded.database {
            return false;
        }
        let unknown = now.server.is_empty() || recorded.server.is_empty();
        unknown || now.server == recorded.server || self.has_replicated_from(recorded)
    }

    /// MySQL writes the source's UUID into its GTIDs, `uuid:1-9`; MariaDB its number, `domain-number-sequence`.
    fn has_replicated_from(&self, recorded: &Identity) -> bool {
        self.replicated.split([',', '\n']).map(str::trim).any(|gtid| {
            gtid.split_once(':').is_some_and(|(source, _)| source == recorded.server)
                || matches!(gtid.split('-').collect::<Vec<_>>()[..], [_, number, _] if number == recorded.server_number)
        })
    }
}

/// Which database the session is in. `None` on SQLite: there the ledger is in the same file as the rows, and goes
/// wherever they go.
///
/// # Errors
/// What the database said.
pub async fn identity<S: Session>(session: &mut S) -> Result<Option<Present>, DatabaseError> {
    match session.dialect() {
        Dialect::Postgres => postgres(session).await.map(Some),
        Dialect::Mysql => mysql(session).await.map(Some),
        Dialect::Sqlite => Ok(None),
    }
}

/// The schemas in which the session finds a name without one, as `search_path` is written: those that exist, in
/// order; a table is made in the first. `None` where a database has no schemas of its own.
///
/// # Errors
/// What the database said.
pub async fn search_path<S: Session>(session: &mut S) -> Result<Option<String>, DatabaseError> {
    if session.dialect() != Dialect::Postgres {
        return Ok(None);
    }
    let sql = "SELECT string_agg(quote_ident(schema), ', ' ORDER BY place)
        FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)";
    Ok(Some(text(session.query(sql, &[]).await?.first(), 0)))
}

async fn postgres<S: Session>(session: &mut S) -> Result<Present, DatabaseError> {
    let sql = "SELECT oid::text, datname::text FROM pg_catalog.pg_database WHERE datname = current_database()";
    let database = session.query(sql, &[]).await?;
    let server = match session.query("SELECT system_identifier::text FROM pg_catalog.pg_control_system()", &[]).await {
        Ok(rows) => text(rows.first(), 0),
        Err(error) if error.kind == DatabaseErrorKind::Statement => String::new(),
        Err(error) => return Err(error),
    };
    let (number, name) = (text(database.first(), 0), text(database.first(), 1));
    let identity = Identity { server, server_number: String::new(), database: number, name };
    Ok(Present { identity, replicated: String::new() })
}

async fn mysql<S: Session>(session: &mut S) -> Result<Present, DatabaseError> {
    let name = text(session.query("SELECT database()", &[]).await?.first(), 0);
    let sql = "SHOW GLOBAL VARIABLES WHERE variable_name IN
        ('server_uid', 'server_uuid', 'server_id', 'gtid_slave_pos', 'gtid_executed')";
    let rows = session.query(sql, &[]).await?;
    let first = |names: [&str; 2]| {
        let found = rows.iter().find(|row| names.iter().any(|name| row[0] == Value::Text((*name).to_string())));
        text(found, 1)
    };
    let identity = Identity {
        server: first(["server_uuid", "server_uid"]),
        server_number: first(["server_id", "server_id"]),
        database: name.clone(),
        name,
    };
    Ok(Present { identity, replicated: first(["gtid_executed", "gtid_slave_pos"]) })
}

/// Why nothing can, or should, be written here, and what to do; `None` where it can.
///
/// # Errors
/// What the database said.
pub async fn why_read_only<S: Session>(session: &mut S) -> Result<Option<(String, String)>, DatabaseError> {
    let (why, way_out) = match session.dialect() {
        Dialect::Postgres => {
            let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')";
            let rows = session.query(sql, &[]).await?;
            match rows.first().map(Vec::as_slice) {
                Some([Value::Int(1), _]) => ("it is a standby", "connect to its primary"),
                Some([_, Value::Text(on)]) if on == "on" => (
                    "default_transaction_read_only is on",
                    "turn it off for this user: ALTER ROLE ... SET default_transaction_read_only = off",
                ),
                _ => return Ok(None),
            }
        }
        Dialect::Mysql => {
            // An account with the right to write all the same would part a replica from its primary.
            let sql = "SHOW VARIABLES WHERE value NOT IN ('OFF', '0') AND variable_name IN
                ('read_only', 'super_read_only', 'innodb_read_only', 'tx_read_only', 'transaction_read_only')";
            let rows = session.query(sql, &[]).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let named = format!("{} is {}", text(rows.first(), 0), text(rows.first(), 1));
            let way_out = "connect to the primary, if this is a replica; otherwise turn the variable off";
            return Ok(Some((named, way_out.to_string())));
        }
        Dialect::Sqlite => match try_to_write(session).await {
            Ok(()) => return Ok(None),
            // The low byte of an extended code is the plain one: READONLY, CANTOPEN.
            Err(error) if matches!(error.code.as_deref().and_then(low_byte), Some(8 | 14)) => (
                "the file cannot be written",
                "this user needs to write the file and its directory, and the URL no mode=ro",
            ),
            // Somebody writes at this moment.
            Err(error) if error.kind == DatabaseErrorKind::LockTimeout => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    Ok(Some((why.to_string(), way_out.to_string())))
}

/// BEGIN IMMEDIATE alone is quiet about a file that can only be read.
async fn try_to_write<S: Session>(session: &mut S) -> Result<(), DatabaseError> {
    session.execute("BEGIN IMMEDIATE", &[]).await?;
    let written = session.execute("CREATE TABLE lockkeeper_can_write (it int)", &[]).await;
    session.execute("ROLLBACK", &[]).await?;
    written.map(drop)
}

fn low_byte(code: &str) -> Option<i32> {
    code.parse::<i32>().ok().map(|code| code & 0xff)
}
