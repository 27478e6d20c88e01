//! PostgreSQL: the locks that a statement holds, the files that it replaces and the tables that it reads through,
//! before its transaction is rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use lockkeeper::database::{Connection, Session, connect, server_version};
use lockkeeper::schema::{Answer, Catalog, Effect, InTransaction};
use lockkeeper::sql::{self, Dialect, Engine};

use super::{claim, rows};
use crate::servers;

/// One statement and what has to be there for it.
#[derive(Debug, Default)]
struct Case<'a> {
    id: &'a str,
    session: &'a str,
    setup: &'a str,
    /// Runs earlier in the same transaction.
    before: &'a str,
    run: &'a str,
}

/// What became of a case.
enum Outcome {
    Agrees,
    /// The server and the claim differ.
    Differs(String),
    /// The history cannot tell, and the claim says so.
    Unknown,
    /// The server does not do it: another version's, or meant to fail.
    Refused,
}

/// Where claim and server differ, and why that is right.
const APART: [(&str, &str); 6] = [
    ("index.create_partitioned_only", "a change does not tell ONLY: the claim is the dearer"),
    ("misc.create_index_if_not_exists_temp", "a temporary table: nobody else sees it"),
    ("table.alter_if_exists_missing", "a table that the history does not tell of is there"),
    ("table.drop_if_exists_missing", "the same"),
    ("table.set_user_catalog_table", "an option that only decoding plugins need; the others take the weaker lock"),
    ("combo.create_table_and_copy_same_txn", "what is read to fill a new table"),
];

#[tokio::test]
async fn the_server_does_what_we_claim() {
    let Some(database) = servers::postgres().await else { return };
    let text = include_str!("../../../fixtures/effects/postgres.sql");
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let engine = Engine::from_words(&server_version(&mut session).await.unwrap()).unwrap();
    let (mut report, mut agrees, mut unknown, mut refused) = (String::new(), 0, Vec::new(), Vec::new());
    for case in cases(text) {
        if APART.iter().any(|(id, _)| *id == case.id) {
            continue;
        }
        match measured(&mut session, &case, engine).await {
            Outcome::Agrees => agrees += 1,
            Outcome::Differs(how) => write!(report, "{}: {}\n{how}\n", case.id, case.run).unwrap(),
            Outcome::Unknown => unknown.push(case.id),
            Outcome::Refused => refused.push(case.id),
        }
    }
    let counts = format!("{agrees} agree; unknown: {unknown:?}; refused: {refused:?}");
    assert!(report.is_empty(), "{counts}\n{report}");
    // A server that refuses everything, or claims that know nothing, would differ nowhere.
    assert!(agrees > 4 * unknown.len() && agrees > 4 * refused.len(), "{counts}");
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let section = |case: &str, name: &str| {
        let start = case.find(&format!("--! {name}\n")).map(|at| at + name.len() + 5)?;
        let end = case[start..].find("--! ").map_or(case.len(), |at| start + at);
        Some(start..end)
    };
    text.split("--! id: ")
        .skip(1)
        .map(|case| {
            let part = |name| section(case, name).map_or("", |range| case[range].trim());
            Case {
                id: case.lines().next().unwrap().trim(),
                session: part("session"),
                setup: part("setup"),
                before: part("before"),
                run: part("run"),
            }
        })
        .collect()
}

async fn measured(session: &mut Connection, case: &Case<'_>, engine: Engine) -> Outcome {
    session.execute("DROP SCHEMA IF EXISTS m2, public CASCADE", &[]).await.unwrap();
    session.execute("DISCARD ALL", &[]).await.unwrap();
    session.execute("CREATE SCHEMA public", &[]).await.unwrap();
    let mut catalog = Catalog::new(Dialect::Postgres);
    if !run_all(session, &mut catalog, case.setup).await {
        return Outcome::Refused;
    }
    catalog.enter(1, false, []);
    if !run_all(session, &mut catalog, case.session).await {
        return Outcome::Refused;
    }
    session.execute("BEGIN", &[]).await.unwrap();
    let outcome = in_transaction(session, case, catalog, engine).await;
    session.execute("ROLLBACK", &[]).await.unwrap();
    outcome
}

async fn in_transaction(session: &mut Connection, case: &Case<'_>, mut catalog: Catalog, engine: Engine) -> Outcome {
    let relations = rows(session, RELATIONS).await;
    if !run_all(session, &mut catalog, case.before).await {
        return Outcome::Refused;
    }
    let held = locks(session, &relations).await;
    let (files, read) = (files(session, &relations).await, read(session).await);
    let Some(claim) = claim(case.run, &catalog, engine) else { return Outcome::Unknown };
    for statement in sql::read(case.run, Dialect::Postgres) {
        match session.execute(&case.run[statement.range], &[]).await {
            Err(error) if error.code.as_deref() == Some("25001") && claim.transaction == InTransaction::Refuses => {
                return Outcome::Agrees;
            }
            Err(error) if error.code.as_deref() == Some("25001") => {
                return Outcome::Differs("  claimed  that it goes into a transaction".into());
            }
            Err(_) => return Outcome::Refused,
            Ok(_) if claim.transaction == InTransaction::Refuses => {
                return Outcome::Differs("  claimed  that it is refused in a transaction".into());
            }
            Ok(_) => {}
        }
    }
    let now = locks(session, &relations).await;
    let new_locks: BTreeMap<_, _> =
        now.into_iter().filter(|(relation, mode)| held.get(relation) != Some(mode)).collect();
    let files_now = self::files(session, &relations).await;
    // What is emptied or dropped is not written anew.
    let mut rewrites = false;
    for (relation, _) in files_now.iter().filter(|(relation, file)| files.get(*relation) != Some(file)) {
        let name = rows(session, &format!("SELECT {relation}::regclass::text")).await;
        rewrites |= !rows(session, &format!("SELECT 1 FROM {} LIMIT 1", name[0][0])).await.is_empty();
    }
    let read_now = self::read(session).await;
    let scans = read_now.iter().any(|(relation, rows)| read.get(relation) != Some(rows));
    let is_empty = relations_are_empty(session, &claim).await;
    if is_empty {
        // Nothing to read and nothing to write anew: the claim is about tables with rows.
        return compare(
            &claim.clone(),
            &held,
            &new_locks,
            claim.rewrites == Answer::Yes,
            claim.scans.max(claim.rewrites) == Answer::Yes,
        );
    }
    compare(&claim, &held, &new_locks, rewrites, scans || rewrites)
}

fn compare(
    claim: &Effect,
    held: &BTreeMap<String, String>,
    measured: &BTreeMap<String, String>,
    rewrites: bool,
    scans: bool,
) -> Outcome {
    let claimed: BTreeMap<String, String> = claim
        .locks
        .iter()
        .filter_map(|lock| Some((lock.relation.as_ref()?.name.clone(), lock.mode.to_string())))
        .filter(|(relation, mode)| held.get(relation).is_none_or(|held| strength(held) < strength(mode)))
        .collect();
    let claimed_scans = claim.scans.max(claim.rewrites);
    let fits = |claimed: Answer, measured: bool| matches!(claimed, Answer::Unknown(_)) || claimed == measured.into();
    let others = claim.others.is_possible();
    let same_locks = match others {
        true => claimed.iter().all(|(relation, mode)| measured.get(relation) == Some(mode)),
        false => claimed == *measured,
    };
    if !same_locks || !fits(claim.rewrites, rewrites) || !fits(claimed_scans, scans) {
        return Outcome::Differs(format!(
            "  claimed  {claimed:?} rewrites={:?} scans={claimed_scans:?}\n  measured {measured:?} rewrites={rewrites} scans={scans}",
            claim.rewrites
        ));
    }
    let unknown = others || [claim.rewrites, claimed_scans].iter().any(|answer| matches!(answer, Answer::Unknown(_)));
    if unknown { Outcome::Unknown } else { Outcome::Agrees }
}

/// Runs the statements and replays them.
async fn run_all(session: &mut Connection, catalog: &mut Catalog, text: &str) -> bool {
    for statement in sql::read(text, Dialect::Postgres) {
        if session.execute(&text[statement.range], &[]).await.is_err() {
            return false;
        }
        statement.parsed.iter().flatten().for_each(|clause| catalog.apply(clause));
    }
    true
}

/// Tables, partitioned tables, materialized views and views.
const RELATIONS: &str = "SELECT oid::int8, relname::text FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'v') \
     AND relnamespace IN ('public'::regnamespace)";

/// The strongest lock on each relation that existed, without those that keep nobody waiting who does not lock rows.
async fn locks(session: &mut Connection, relations: &[Vec<String>]) -> BTreeMap<String, String> {
    let query =
        "SELECT relation::int8, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND relation IS NOT NULL";
    let mut strongest: BTreeMap<String, String> = BTreeMap::new();
    for lock in rows(session, query).await {
        let Some(relation) = relations.iter().find(|relation| relation[0] == lock[0]) else { continue };
        let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == lock[1]) else { continue };
        let known = strongest.entry(relation[1].clone()).or_default();
        if strength(mode) > strength(known) {
            *known = (*mode).to_string();
        }
    }
    strongest
}

/// From the weakest to the strongest.
const MODES: [(&str, &str); 6] = [
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

fn strength(mode: &str) -> Option<usize> {
    MODES.iter().position(|(_, name)| *name == mode)
}

async fn files(session: &mut Connection, relations: &[Vec<String>]) -> BTreeMap<String, String> {
    let now = rows(session, "SELECT oid::int8, relfilenode::int8 FROM pg_class WHERE relkind IN ('r', 'm')").await;
    let now: BTreeMap<_, _> = now.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let existed: BTreeSet<_> = relations.iter().map(|relation| relation[0].as_str()).collect();
    now.into_iter().filter(|(relation, _)| existed.contains(relation.as_str())).collect()
}

/// How many rows were read of each table by going through it from the beginning.
async fn read(session: &mut Connection) -> BTreeMap<String, String> {
    let query = "SELECT relid::int8, seq_tup_read FROM pg_stat_xact_all_tables WHERE schemaname = 'public' AND seq_tup_read > 0";
    rows(session, query).await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

async fn relations_are_empty(session: &mut Connection, claim: &Effect) -> bool {
    let mut all = !claim.locks.is_empty();
    for relation in claim.relations() {
        let there = format!(
            "SELECT relname::text FROM pg_class WHERE oid = to_regclass('{relation}') AND relkind IN ('r', 'p', 'm')"
        );
        let there = !rows(session, &there).await.is_empty();
        all &= there && rows(session, &format!("SELECT 1 FROM {relation} LIMIT 1")).await.is_empty();
    }
    all
}
