//! MariaDB: the cheapest ALGORITHM and LOCK that it accepts, and whether the rows were written anew or an index was built.
//! `LOCKKEEPER_TEST_MARIADB_URL` may name a MySQL, which is measured in its own words, but for what it does with
//! partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use lockkeeper::database::{Connection, DatabaseError, Session, connect, server_version};
use lockkeeper::schema::{Answer, Catalog, Effect, effect};
use lockkeeper::sql::{self, Dialect, Engine, Flavour};

use super::rows;
use crate::servers;

/// Statements that are run each on a fresh setup.
struct Group<'a> {
    setup: &'a str,
    session: &'a str,
    run: Vec<&'a str>,
}

/// How the server carried a statement out.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    /// As the server had to be asked for it; `None` where its grammar knows no such words.
    mode: Option<(&'static str, &'static str)>,
    rewrites: bool,
    scans: bool,
}

/// Where claim and server differ, and why that is right.
const APART: [(&str, &str); 1] = [(
    "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE e",
    "the rows that it takes in are read, and here there are none",
)];

/// What MySQL does cheaper than we say.
const CHEAPER_ON_MYSQL: [&str; 3] = [
    "ALTER TABLE t MODIFY v varbinary(50)",
    "ALTER TABLE t MODIFY v int AS (a * 2) VIRTUAL",
    "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
];

#[tokio::test]
async fn the_server_does_what_we_claim() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let engine = Engine::from_words(&server_version(&mut session).await.unwrap()).unwrap();
    let (mut report, mut agrees, mut unknown, mut refused) = (String::new(), 0, Vec::new(), Vec::new());
    for group in groups(include_str!("../../../fixtures/effects/mariadb.sql")) {
        for run in &group.run {
            // What MySQL does with partitions it does not tell.
            let untold = !is_mariadb(engine) && group.setup.contains("PARTITION BY");
            let cheaper = !is_mariadb(engine) && CHEAPER_ON_MYSQL.contains(run);
            if untold || cheaper || APART.iter().any(|(statement, _)| statement == run) {
                continue;
            }
            // What only MariaDB has may stand in a setup.
            let Ok(catalog) = prepare(&mut session, database.name(), &group, engine).await else {
                refused.push(*run);
                continue;
            };
            let claim = claim(run, &catalog, engine);
            let done = carried_out(&mut session, database.name(), run, engine).await;
            match (claim, done) {
                (Claim::Refused, Err(_)) => agrees += 1,
                (_, Err(_)) => refused.push(*run),
                (Claim::None, Ok(_)) => unknown.push(*run),
                (Claim::Refused, Ok(done)) => {
                    write!(report, "{run}\n  claimed  refused\n  measured {done:?}\n").unwrap()
                }
                (Claim::Effect(claim), Ok(done)) => match compare(&claim, &done) {
                    None if is_unknown(&claim) => unknown.push(*run),
                    None => agrees += 1,
                    Some(how) => write!(report, "{}\n{run}\n{how}\n", group.setup.lines().next().unwrap()).unwrap(),
                },
            }
        }
    }
    let version = server_version(&mut session).await.unwrap();
    let apart = APART.len() + if is_mariadb(engine) { 0 } else { CHEAPER_ON_MYSQL.len() };
    let line = format!(
        "effects on {version}: {agrees} agree, {} unknown, {apart} apart, {} refused",
        unknown.len(),
        refused.len()
    );
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("\n{line}\n"));
    let counts = format!("{line}; unknown: {unknown:#?}; refused: {refused:#?}");
    assert!(report.is_empty(), "{counts}\n{report}");
    // A server that refuses everything, or claims that know nothing, would differ nowhere.
    // MySQL has no grammar for what is MariaDB's.
    let taken = if is_mariadb(engine) { 4 } else { 2 };
    assert!(agrees > 4 * unknown.len() && agrees > taken * refused.len(), "{counts}");
}

fn groups(text: &str) -> Vec<Group<'_>> {
    let section = |group: &str, name: &str| {
        let start = group.find(&format!("-- ! {name}\n")).map(|at| at + name.len() + 6)?;
        let end = group[start..].find("-- ! ").map_or(group.len(), |at| start + at);
        Some(start..end)
    };
    let mut groups = Vec::new();
    for group in text.split("\n\n").filter(|group| group.contains("-- ! run\n")) {
        let part = |name| section(group, name).map_or("", |range| group[range].trim());
        let run = part("run").lines().map(|line| line.trim_end_matches(';')).collect();
        groups.push(Group { setup: part("setup"), session: part("session"), run });
    }
    groups
}

/// An empty database with the group's tables in it, and what the history tells of them; or what the server has not.
async fn prepare(
    session: &mut Connection,
    database: &str,
    group: &Group<'_>,
    engine: Engine,
) -> Result<Catalog, DatabaseError> {
    let mariadbs_own = ", check_constraint_checks = 1, system_versioning_alter_history = ERROR";
    let afresh = [
        format!("SET foreign_key_checks = 1{}", if is_mariadb(engine) { mariadbs_own } else { "" }),
        "UNLOCK TABLES".into(),
        format!("DROP DATABASE `{database}`"),
        format!("CREATE DATABASE `{database}`"),
        format!("USE `{database}`"),
    ];
    for statement in afresh {
        session.execute(&statement, &[]).await.unwrap();
    }
    let mut catalog = Catalog::new(Dialect::Mysql);
    for text in [group.setup, group.session] {
        if text == group.session {
            catalog.enter(1, false, []);
        }
        for statement in sql::read(text, Dialect::Mysql) {
            let source = &text[statement.range];
            let numbers = source.replace("seq_1_to_50", &format!("{} AS numbers", servers::numbers(1, 50)));
            match session.execute(if is_mariadb(engine) { source } else { &numbers }, &[]).await {
                Err(error) if is_mariadb(engine) => panic!("{source}: {error}"),
                outcome => outcome?,
            };
            statement.parsed.unwrap().iter().for_each(|clause| catalog.apply(clause));
        }
    }
    Ok(catalog)
}

fn is_mariadb(engine: Engine) -> bool {
    engine.may_be(Flavour::Mariadb)
}

enum Claim {
    /// Nothing is known.
    None,
    /// The server does not do it in the way that the statement asks for.
    Refused,
    Effect(Effect),
}

fn claim(run: &str, catalog: &Catalog, engine: Engine) -> Claim {
    let statement = sql::read(run, Dialect::Mysql).remove(0);
    let clauses = statement.parsed.unwrap_or_else(|unread| panic!("{run}: {}", unread.reason));
    match effect::together(&clauses, catalog, engine) {
        None => Claim::None,
        Some(effect) if effect.refused.is_some() => Claim::Refused,
        Some(effect) => Claim::Effect(effect),
    }
}

fn is_unknown(claim: &Effect) -> bool {
    [claim.rewrites, claim.scans].iter().any(|answer| matches!(answer, Answer::Unknown(_)))
}

/// From the cheapest to the dearest; MySQL knows no NOCOPY, and no LOCK beside INSTANT.
const MODES: [(&str, &str); 11] = [
    ("INSTANT", "DEFAULT"),
    ("INSTANT", "NONE"),
    ("INSTANT", "SHARED"),
    ("INSTANT", "EXCLUSIVE"),
    ("NOCOPY", "NONE"),
    ("NOCOPY", "SHARED"),
    ("INPLACE", "NONE"),
    ("INPLACE", "SHARED"),
    ("COPY", "NONE"),
    ("COPY", "SHARED"),
    ("COPY", "EXCLUSIVE"),
];

async fn carried_out(
    session: &mut Connection,
    database: &str,
    run: &str,
    engine: Engine,
) -> Result<Done, DatabaseError> {
    let before = tables(session, database, engine).await;
    let (mut mode, mut moved) = (None, 0);
    if takes_modes(run) {
        let mut last = Ok(());
        let mysqls = |&&(algorithm, lock): &&(&str, &str)| {
            (algorithm == "INSTANT") == (lock == "DEFAULT") && algorithm != "NOCOPY"
        };
        let mariadbs = |&&(_, lock): &&(&str, &str)| lock != "DEFAULT";
        for &(algorithm, lock) in
            MODES.iter().filter(|mode| if is_mariadb(engine) { mariadbs(mode) } else { mysqls(mode) })
        {
            last = session.execute(&with_mode(run, algorithm, lock), &[]).await.map(|_| ());
            match &last {
                Ok(()) => {
                    mode = Some((algorithm, lock));
                    break;
                }
                // "not supported" in this way, without and with the reason.
                Err(error) if ["1845", "1846"].contains(&error.code.as_deref().unwrap_or_default()) => {}
                Err(_) => break,
            }
        }
        last?;
    } else {
        moved = session.execute(run, &[]).await?;
    }
    let after = tables(session, database, engine).await;
    let mut done = Done { mode, rewrites: false, scans: false };
    // How many rows it moved, or changed, the server says itself.
    done.rewrites = run.starts_with("ALTER") && moved > 0;
    done.scans = done.rewrites || (run.starts_with("UPDATE") || run.starts_with("DELETE")) && moved > 0;
    let on_rows = ["ALTER", "OPTIMIZE", "REPAIR"].iter().any(|word| run.starts_with(word)) || run.contains(" INDEX ");
    if mode.is_none() && (!on_rows || run.contains("PARTITION") && !run.contains("OPTIMIZE")) {
        // What is emptied, or takes another table's name, has another number, too.
        return Ok(done);
    }
    if mode.is_some_and(|(algorithm, lock)| algorithm == "COPY" || (algorithm, lock) == ("INSTANT", "SHARED")) {
        // Other engines than InnoDB have no numbers; and where it takes INSTANT with a lock, it copies.
        done = Done { mode: Some(("COPY", "SHARED")), rewrites: true, scans: true };
    }
    for (table, was) in &before {
        let Some(is) = after.get(table) else { continue };
        done.rewrites |= was.id != is.id;
        done.scans |= was.id == is.id && !is.indexes.is_subset(&was.indexes);
    }
    done.scans |= done.rewrites;
    Ok(done)
}

/// Partitions, and statements other than ALTER TABLE and CREATE INDEX, take no ALGORITHM and no LOCK; what says them
/// already is run as it is.
fn takes_modes(run: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| run.contains(word));
    (run.starts_with("ALTER TABLE") || run.starts_with("CREATE") && has(&["INDEX "]))
        && !has(&[
            "ALGORITHM=",
            "LOCK=",
            " PARTITION p",
            "ADD PARTITION",
            "COALESCE",
            "PARTITION ALL",
            "REORGANIZE",
            "TABLESPACE",
        ])
}

fn with_mode(run: &str, algorithm: &str, lock: &str) -> String {
    let mode = format!("ALGORITHM={algorithm}, LOCK={lock}");
    for words in ["PARTITION BY", "REMOVE PARTITIONING"] {
        if let Some(at) = run.find(words) {
            return format!("{}{mode} {}", &run[..at], &run[at..]);
        }
    }
    if run.starts_with("CREATE") { format!("{run} {}", mode.replace(',', "")) } else { format!("{run}, {mode}") }
}

/// What InnoDB keeps of a table: who writes every row anew makes another one.
#[derive(Debug)]
struct Kept {
    id: String,
    indexes: BTreeSet<String>,
}

async fn tables(session: &mut Connection, database: &str, engine: Engine) -> BTreeMap<String, Kept> {
    let sys = if is_mariadb(engine) { "SYS_" } else { "" };
    let query = format!(
        "SELECT t.NAME, CAST(t.TABLE_ID AS CHAR), CAST(coalesce(group_concat(i.INDEX_ID), '') AS CHAR)
        FROM information_schema.INNODB_{sys}TABLES t
        LEFT JOIN information_schema.INNODB_{sys}INDEXES i ON i.TABLE_ID = t.TABLE_ID
        WHERE t.NAME LIKE '{database}/%' AND t.NAME NOT LIKE '%/FTS\\_%' GROUP BY t.NAME, t.TABLE_ID"
    );
    let kept =
        |row: &Vec<String>| Kept { id: row[1].clone(), indexes: row[2].split(',').map(str::to_string).collect() };
    rows(session, &query).await.iter().map(|row| (row[0].clone(), kept(row))).collect()
}

fn compare(claim: &Effect, done: &Done) -> Option<String> {
    let fits = |claimed: Answer, measured: bool| matches!(claimed, Answer::Unknown(_)) || claimed == measured.into();
    let unknown = matches!(claim.rewrites, Answer::Unknown(_));
    let mode = claim.locks.first().map(|lock| lock.mode).unwrap_or_default();
    let same_mode = done.mode.is_none_or(|(algorithm, lock)| {
        let algorithm = if algorithm == "NOCOPY" { "INPLACE" } else { algorithm };
        let exclusive = mode == "EXCLUSIVE METADATA LOCK" && ["EXCLUSIVE", "DEFAULT"].contains(&lock);
        unknown
            || exclusive
            || mode == format!("ALGORITHM={algorithm}, LOCK={lock}")
            || mode == "ALGORITHM=INSTANT" && algorithm == "INSTANT" && lock != "SHARED"
    });
    if same_mode && fits(claim.rewrites, done.rewrites) && fits(claim.scans.max(claim.rewrites), done.scans) {
        return None;
    }
    Some(format!("  claimed  {mode} rewrites={:?} scans={:?}\n  measured {done:?}", claim.rewrites, claim.scans))
}
