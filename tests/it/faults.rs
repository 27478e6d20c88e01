//! The server is taken away from a run at random moments, under the same writers as in `kill`: it ends the sessions,
//! or crashes and comes back. The same command goes on, and in the end every row is what was written to it last.

mod disk;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use lockkeeper::database::{self, Session, Value};
use lockkeeper::sql::Dialect;

use super::kill::{Fault, round};
use super::run::Change;
use super::servers::{self, TestDatabase};
use super::standby::Cluster;
use super::writers::Book;

/// What is done to the server, with the URL of the database.
struct Strikes<F> {
    strike: F,
    /// Milliseconds between two of them, in the beginning.
    apart: f64,
    count: u32,
    /// The steps that ended with an error by it, and how often; "" in front of the first.
    hit: BTreeMap<String, u32>,
}

impl<F: AsyncFn(&str)> Fault for Strikes<F> {
    async fn run(&mut self, change: &Change, book: &Book, arguments: &[&str], code: i32) {
        let mut patience = self.apart;
        loop {
            let mut command = change.command(arguments);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut struck = 0;
            let mut next = tokio::time::Instant::now() + Duration::from_secs_f64(fastrand::f64() * patience / 1000.0);
            while child.try_wait().unwrap().is_none() {
                if tokio::time::Instant::now() >= next {
                    (self.strike)(&change.database.url).await;
                    struck += 1;
                    patience *= 1.1;
                    next = tokio::time::Instant::now() + Duration::from_secs_f64(patience / 1000.0);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.count += struck;
            let said = child.wait_with_output().unwrap();
            let ended = said.status.code().unwrap();
            if ended == code {
                return;
            }
            let said = String::from_utf8_lossy(&said.stderr);
            // 2: before anything was begun; 4: in a step.
            let by_us = struck > 0 && [2, 4].contains(&ended) && !said.contains("not proved");
            assert!(by_us, "{ended}: {said}{:#?}", book.differences(&change.database.url, true).await);
            let step = said.split_once("error: step ").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
            *self.hit.entry(step.to_string()).or_default() += 1;
        }
    }
}

/// Whole changes, until runs ended by a strike in two places at least: what it hits is chance.
#[expect(clippy::print_stdout, reason = "how many strikes it was")]
async fn disturbed<D: AsyncFn() -> Option<TestDatabase>, F: AsyncFn(&str)>(
    database: D,
    dialect: Dialect,
    apart: f64,
    strike: F,
) {
    let mut strikes = Strikes { strike, apart, count: 0, hit: BTreeMap::new() };
    while strikes.count < 5 || strikes.hit.len() < 2 {
        let Some(database) = database().await else { return };
        let written = round(database, dialect, &mut strikes).await;
        let Strikes { count, hit, .. } = &strikes;
        println!(
            "{dialect}: {count} strikes, which ended runs in {hit:?}; writes of each kind: {written:?}, none lost"
        );
    }
}

/// Ends every other session of the database: the run's, and the applications'.
async fn end_sessions(url: &str) {
    let mut session = database::connect(url, "somebody who ends sessions").await.unwrap();
    if session.dialect() == Dialect::Postgres {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        session.query(sql, &[]).await.unwrap();
        return;
    }
    let sql = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
    for row in session.query(sql, &[]).await.unwrap() {
        let [Value::Int(id)] = row[..] else { panic!("{row:?}") };
        // It may have gone by itself.
        let _ = session.execute(&format!("KILL {id}"), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_on_postgres() {
    disturbed(async || servers::postgres().await, Dialect::Postgres, 100.0, end_sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_on_mariadb() {
    disturbed(async || servers::mariadb().await, Dialect::Mysql, 100.0, end_sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_crashes_and_comes_back_on_postgres() {
    let Some(cluster) = Cluster::primary(&[]).await else { return };
    let database = async || {
        let mut session = database::connect(&cluster.url("template1"), "a test").await.unwrap();
        let name = format!("round_{}", fastrand::u32(..));
        session.execute(&format!("CREATE DATABASE {name}"), &[]).await.unwrap();
        Some(TestDatabase::at(cluster.url(&name)))
    };
    disturbed(database, Dialect::Postgres, 400.0, async |_| cluster.crash().await).await;
}
