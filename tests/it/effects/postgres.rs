//! PostgreSQL: the locks that a statement holds, the files that it replaces and the tables that it reads through,
//! before its transaction is rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use lockkeeper::database::{Connection, Session, connect, server_version};
use lockkeeper::schema::{Answer, Catalog, Effect, InTransaction};
use lockkeeper::sql::{self, Dialect, Engine, Flavour};

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
    /// The major from which on the server takes the whole case, where the change does not tell.
    from: &'a str,
    /// The SQLSTATE with which the server refuses it; some majors have one of their own.
    refused: &'a str,
}

/// What became of a case.
enum Outcome {
    Agrees,
    /// The server and the claim differ.
    Differs(String),
    /// The history cannot tell, and the claim says so.
    Unknown,
    /// The server does not do it, and says why.
    Refused(String),
}

/// Where claim and server differ, and why that is right.
const APART: [(&str, &str); 5] = [
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
    let version = server_version(&mut session).await.unwrap();
    let engine = Engine::from_words(&version).unwrap();
    let (mut report, mut counts) = (String::new(), BTreeMap::<&str, Vec<&str>>::new());
    for case in cases(text) {
        let apart = APART.iter().any(|(id, _)| *id == case.id);
        let word = match measured(&mut session, &case, engine).await {
            Outcome::Differs(_) if apart => "apart",
            _ if apart => {
                writeln!(report, "{}: it is no longer apart", case.id).unwrap();
                continue;
            }
            Outcome::Refused(code) if case.is_refused(engine, &code) => "refused",
            Outcome::Refused(code) => {
                writeln!(report, "{}: {}\n  refused  {code}", case.id, case.run).unwrap();
                continue;
            }
            _ if case.is_refused(engine, case.refused.split_whitespace().next().unwrap_or_default()) => {
                writeln!(report, "{}: {}\n  taken, and should be refused", case.id, case.run).unwrap();
                continue;
            }
            Outcome::Agrees => "agree",
            Outcome::Unknown => "unknown",
            Outcome::Differs(how) => {
                write!(report, "{}: {}\n{how}\n", case.id, case.run).unwrap();
                continue;
            }
        };
        counts.entry(word).or_default().push(case.id);
    }
    let count = |word| counts.get(word).map_or(0, Vec::len);
    let line = ["agree", "unknown", "apart", "refused"].map(|word| format!("{} {word}", count(word))).join(", ");
    // For `./dev majors`, past the capture.
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("\neffects on {version}: {line}\n"));
    assert!(report.is_empty(), "{version}: {line}\n{report}");
    // A server that refuses everything, or claims that know nothing, would differ nowhere.
    assert!(count("agree") > 4 * count("unknown") && count("agree") > 4 * count("refused"), "{counts:?}");
}

impl Case<'_> {
    /// The case says that the server refuses it with this code, or that it is for newer ones.
    fn is_refused(&self, engine: Engine, code: &str) -> bool {
        let too_old = self.from.parse().is_ok_and(|from: u32| !engine.may_be_from(Flavour::Postgres, from));
        too_old || self.refused.split_whitespace().any(|refused| refused == code)
    }
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
            let line = |name: &str| {
                let mut said = case.lines().filter_map(|line| line.strip_prefix("--! ")?.strip_prefix(name));
                said.next().unwrap_or_default()
            };
            Case {
                id: case.lines().next().unwrap().trim(),
                session: part("session"),
                from: line("from: "),
                refused: line("refused: "),
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
    if let Err(code) = run_all(session, &mut catalog, case.setup).await {
        return Outcome::Refused(code);
    }
    catalog.enter(1, false, []);
    if let Err(code) = run_all(session, &mut catalog, case.session).await {
        return Outcome::Refused(code);
    }
    session.execute("BEGIN", &[]).await.unwrap();
    let outcome = in_transaction(session, case, catalog, engine).await;
    session.execute("ROLLBACK", &[]).await.unwrap();
    outcome
}

async fn in_transaction(session: &mut Connection, case: &Case<'_>, mut catalog: Catalog, engine: Engine) -> Outcome {
    let relations = rows(session, RELATIONS).await;
    if let Err(code) = run_all(session, &mut catalog, case.before).await {
        return Outcome::Refused(code);
    }
    let held = locks(session, &relations).await;
    let (files, read) = (files(session, &relations).await, read(session).await);
    let claim = claim(case.run, &catalog, engine);
    let too_old = claim.as_ref().and_then(|claim| claim.since);
    let too_old = too_old.is_some_and(|since| !engine.may_be_from(Flavour::Postgres, since));
    let refuses = claim.as_ref().is_some_and(|claim| claim.transaction == InTransaction::Refuses);
    for statement in sql::read(case.run, Dialect::Postgres) {
        match session.execute(&case.run[statement.range], &[]).await {
            // Either way it comes out as claimed.
            Err(_) if too_old => return Outcome::Agrees,
            Err(error) if error.code.as_deref() == Some("25001") && refuses => return Outcome::Agrees,
            Err(error) if error.code.as_deref() == Some("25001") => {
                return Outcome::Differs("  claimed  that it goes into a transaction".into());
            }
            Err(error) => return Outcome::Refused(error.code.unwrap_or_default()),
            Ok(_) if too_old => return Outcome::Differs("  claimed  that this version refuses it".into()),
            Ok(_) if refuses => return Outcome::Differs("  claimed  that it is refused in a transaction".into()),
            Ok(_) => {}
        }
    }
    let Some(claim) = claim else { return Outcome::Unknown };
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
async fn run_all(session: &mut Connection, catalog: &mut Catalog, text: &str) -> Result<(), String> {
    for statement in sql::read(text, Dialect::Postgres) {
        let done = session.execute(&text[statement.range], &[]).await;
        done.map_err(|error| error.code.unwrap_or_default())?;
        statement.parsed.iter().flatten().for_each(|clause| catalog.apply(clause));
    }
    Ok(())
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
