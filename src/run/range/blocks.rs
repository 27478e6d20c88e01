//! A table of PostgreSQL without any key, cut by the blocks that its rows lie in. An update moves a row to another
//! block: those that others update meanwhile are the sync triggers' business, as those that they insert.
//!
//! A place is `F:N`: the first N blocks of the file F. When the table is written anew, by VACUUM FULL or CLUSTER, its
//! rows lie elsewhere, in another file, and no place means anything any more.

use super::{Trouble, count};
use crate::database::{DatabaseError, Session, Value};
use crate::error::{Error, Kind};
use crate::plan::Rows;
use crate::sql::Dialect;

/// Rows of a block, where the server knows of none.
const ROWS_PER_BLOCK: u64 = 50;

#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// As `to_regclass` reads it.
    table: Value,
    rows_per_block: u64,
}

impl Blocks {
    pub(super) async fn of<S: Session>(session: &mut S, rows: &Rows) -> Result<Self, Trouble> {
        let table = Value::Text(Dialect::Postgres.quote_name(&rows.table));
        let sql = "SELECT relkind::text, current_setting('server_version_num')::int,
                CASE WHEN relpages > 0 AND reltuples > 0 THEN (reltuples / relpages)::bigint ELSE 0 END,
                EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)
            FROM pg_catalog.pg_class c WHERE oid = to_regclass($1)";
        let found = session.query(sql, std::slice::from_ref(&table)).await?;
        let refused = |why: &str, hint: &str| {
            let name = &rows.table;
            Err(Error::input(format!("table `{name}` has no primary key and no unique index without NULLs, {why}"))
                .hint(hint)
                .into())
        };
        match found.first().map(Vec::as_slice) {
            Some([Value::Text(kind), _, _, below]) if kind != "r" || *below == Value::Int(1) && !rows.only => refused(
                "and is not one table whose blocks could be counted",
                "add a primary key, or write one UPDATE for each of the tables below it",
            ),
            Some([_, Value::Int(version), ..]) if *version < 140_000 => refused(
                "and this server would scan all of it for each batch",
                "add a primary key; from PostgreSQL 14 on it goes without",
            ),
            Some([_, _, rows, _]) => {
                let rows_per_block = Some(count(Some(rows))).filter(|rows| *rows > 0).unwrap_or(ROWS_PER_BLOCK);
                Ok(Self { table, rows_per_block })
            }
            _ => Err(Error::input(format!("there is no table `{}`", rows.table)).into()),
        }
    }

    /// The end of the table as it is now; `None` for a table without a block.
    pub(super) async fn last<S: Session>(&self, session: &mut S) -> Result<Option<String>, DatabaseError> {
        let sql = "SELECT pg_relation_filenode(to_regclass($1))::bigint,
            pg_relation_size(to_regclass($1)) / current_setting('block_size')::bigint";
        let row = session.query(sql, std::slice::from_ref(&self.table)).await?;
        let place = row.first().map(|row| (count(row.first()), count(row.get(1))));
        Ok(place.filter(|(_, blocks)| *blocks > 0).map(|(file, blocks)| format!("{file}:{blocks}")))
    }

    pub(super) async fn still_mean<S: Session>(&self, session: &mut S, place: &str) -> Result<bool, DatabaseError> {
        let sql = "SELECT pg_relation_filenode(to_regclass($1))::bigint";
        let row = session.query(sql, std::slice::from_ref(&self.table)).await?;
        Ok(row.first().is_some_and(|row| count(row.first()) == parse(place).0))
    }

    pub(super) async fn bound<S: Session>(
        &self,
        session: &mut S,
        table: &str,
        row: &str,
        from: Option<&str>,
        last: &str,
        rows: u64,
    ) -> Result<(String, u64), Trouble> {
        let (file, end) = parse(last);
        let begin = from.map_or(0, |from| parse(from).1);
        let to = format!("{file}:{}", end.min(begin + (rows / self.rows_per_block).max(1)));
        // Asked together: who reads the table holds off whoever would write it anew.
        let sql = format!(
            "SELECT count(*), pg_relation_filenode(to_regclass($1))::bigint FROM {table} WHERE {}",
            condition(row, from, Some(&to))
        );
        let found = session.query(&sql, std::slice::from_ref(&self.table)).await?;
        let asked = found.first().map(|row| (count(row.first()), count(row.get(1))));
        match asked {
            Some((rows, same)) if same == file => Ok((to, rows)),
            _ => Err(moved(written_anew(table)).into()),
        }
    }
}

/// Why places mean nothing any more.
pub(super) fn written_anew(table: &str) -> String {
    format!("{table}, which is gone through block by block, was written anew: by VACUUM FULL, CLUSTER or ALTER TABLE")
}

/// The places that the ledger knows mean nothing any more.
pub(super) fn moved(because: String) -> Error {
    Error::new(Kind::Step, because).hint("the same command goes through it from the beginning")
}

/// The rows in the blocks behind `from` up to `to`.
pub(super) fn condition(row: &str, from: Option<&str>, to: Option<&str>) -> String {
    let begin = from.map_or(0, |from| parse(from).1);
    let mut condition = format!("{row}.ctid >= CAST('({begin},0)' AS tid)");
    if let Some(to) = to {
        condition += &format!(" AND {row}.ctid < CAST('({},0)' AS tid)", parse(to).1);
    }
    condition
}

fn parse(place: &str) -> (u64, u64) {
    let (file, blocks) = place.split_once(':').unwrap_or_default();
    (file.parse().unwrap_or(0), blocks.parse().unwrap_or(0))
}
