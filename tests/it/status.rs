//! `status` from another terminal: one change, all changes, and again and again.

use std::process::Stdio;

use lockkeeper::database::Session;
use lockkeeper::run::Ledger;
use lockkeeper::sql::Dialect;
use serde_json::Value as Json;

use super::run::{Change, Said, expect};
use super::servers::{self, TestDatabase};

/// `status` without a change.
fn overview(change: &Change, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["--color", "never", "status"]).args(arguments);
    command.env("LOCKKEEPER_DATABASE_URL", &change.database.url).output().unwrap().into()
}

async fn of_all_changes(database: TestDatabase, dialect: Dialect) {
    let change = Change::rename(database, dialect, 300).await;
    expect(&overview(&change, &[]), 0, &["no runner is at work\nno plan has begun\n"]);
    expect(&change.say(&["run"]), 3, &[]);
    let said = overview(&change, &[]);
    expect(&said, 0, &["0042_orders_status  ", " steps  contract.", " pending\n"]);

    let mut session = change.session().await;
    let (step, lease) = match dialect {
        Dialect::Postgres => ("lockkeeper.step", "lockkeeper.lease"),
        Dialect::Mysql | Dialect::Sqlite => ("lockkeeper_step", "lockkeeper_lease"),
    };
    let running = "state = 'running', rows_done = 100, rows_total = 400, started_at = started_at, problem = 'it hurt'";
    session.execute(&format!("UPDATE {step} SET {running} WHERE id = 'backfill.1'"), &[]).await.unwrap();
    let ledger = Ledger::open(&mut session).await.unwrap();
    let held = ledger.acquire(&mut session, "pid 7 on far away pid:[1] boot x", None).await.unwrap().unwrap();
    let said = overview(&change, &[]);
    expect(&said, 0, &["runner: pid 7 on far away\n", "backfill.1 running  100 of about 400 rows (25 %)\n"]);
    expect(&said, 0, &["  last problem: it hurt\n"]);
    let json: Json = serde_json::from_str(&overview(&change, &["--format", "json"]).out).unwrap();
    assert_eq!(json["runner"]["holder"], "pid 7 on far away");
    let plan = &json["plans"][0];
    assert_eq!((&plan["plan"], &plan["next_step"]["rows_total"]), (&"0042_orders_status".into(), &400.into()));

    // Two ranges of one process, one of another that was killed.
    let range = step.replace("step", "range");
    for (holder, until) in
        [("pid 7 on far away pid:[1]", "2999"), ("pid 7 on far away pid:[1]", "2999"), ("pid 9", "1999")]
    {
        let values = format!("'0042_orders_status', 'backfill.1', '9', 0, 1, 1, '{holder}', '{until}-01-01 00:00:00'");
        let columns = "plan, step, last_key, rows_done, token, lease, holder, held_until";
        session.execute(&format!("INSERT INTO {range} ({columns}) VALUES ({values})"), &[]).await.unwrap();
    }
    let workers = "  ranges at work: pid 7 on far away (2), left behind (1)\n";
    expect(&change.say(&["status"]), 0, &[workers]);
    let said = change.say(&["status"]);
    expect(&said, 0, &["not finished\nrunner: pid 7 on far away\n", "running  100 of about 400 rows (25 %)"]);
    let json: Json = serde_json::from_str(&change.say(&["status", "--format", "json"]).out).unwrap();
    assert_eq!(json["runner"]["holder"], "pid 7 on far away");
    assert_eq!(json["phases"][1]["steps"][0]["rows_total"], 400);
    ledger.release(&mut session, &held).await.unwrap();
    // A lease that has run out is nobody's, whatever name it bears.
    session.execute(&format!("UPDATE {lease} SET holder = 'pid 8 on Mars'"), &[]).await.unwrap();
    expect(&change.say(&["status"]), 0, &["no runner is at work"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_changes_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    of_all_changes(database, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_changes_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    of_all_changes(database, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_changes_on_sqlite() {
    of_all_changes(servers::sqlite(), Dialect::Sqlite).await;
}

/// Somebody who looks on sees each change of state once, and the end.
#[tokio::test(flavor = "multi_thread")]
async fn watched_to_its_end() {
    let change = Change::rename(servers::sqlite(), Dialect::Sqlite, 100).await;
    let watch = |format: &'static str| {
        let mut command = change.command(&["status", "--watch", "--interval", "1", "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (text, json) = (watch("text"), watch("json"));
    expect(&change.say(&["run"]), 3, &[]);
    // Nothing changes meanwhile, and nothing is said of it.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    let (text, json) = (Said::from(text.wait_with_output().unwrap()), Said::from(json.wait_with_output().unwrap()));
    expect(&text, 0, &["finished 2"]);
    assert!(!text.out.contains('\u{1b}'), "no terminal: {}", text.out);
    let looks: Vec<&str> = text.out.split("\n\n0042_orders_status (").collect();
    assert!(looks.len() <= 6 && looks.windows(2).all(|two| two[0] != two[1]), "{} looks: {}", looks.len(), text.out);
    assert_eq!(json.code, 0);
    let last: Json = serde_json::from_str(json.out.lines().last().unwrap()).unwrap();
    assert!(last["finished_at"].is_string(), "{last}");
}

/// What is finished is not approved or paused any more, a directory of changes is shown change by change, and what
/// is no change is said with what would be one.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_finished_change_and_of_a_directory() {
    let mut change = Change::rename(servers::sqlite(), Dialect::Sqlite, 20).await;
    expect(&change.say(&["run"]), 3, &[]);
    change.approve();
    expect(&change.say(&["run"]), 0, &["finished"]);
    expect(&change.say(&["approve", "--reason", "late"]), 0, &["is finished since 2", "nothing is left to approve"]);
    expect(&change.say(&["pause", "--reason", "late"]), 0, &["is finished since 2", "nothing is left to pause"]);
    assert!(!change.say(&["status"]).out.contains("paused"));

    let (first, parent) = (change.path.clone(), change.path.parent().unwrap().to_path_buf());
    change.named("0043_notes");
    change.write("expand.sql", "CREATE TABLE notes (id integer PRIMARY KEY);");
    change.path = parent.clone();
    let said = change.say(&["status"]);
    expect(&said, 0, &["0042_orders_status (sqlite", "\n\n0043_notes (sqlite", "not begun"]);
    let json = change.say(&["status", "--format", "json"]);
    let plans: Vec<Json> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&plans[0]["plan"], &plans[1]["plan"]), (&"0042_orders_status".into(), &"0043_notes".into()));
    change.path = parent.join("nowhere");
    expect(
        &change.say(&["status"]),
        2,
        &["cannot read", "hint: a phased change is a directory with at least expand.sql"],
    );
    change.path = first.join("expand.sql");
    let hint = "hint: a phased change is a directory: `lockkeeper plan ";
    expect(&change.say(&["run"]), 2, &["Not a directory", hint]);

    // An edit is named with what it was, and when that was so.
    change.path = first;
    let expand = std::fs::read_to_string(change.path.join("expand.sql")).unwrap();
    change.write("expand.sql", &format!("{expand}\nALTER TABLE orders ADD COLUMN more text;\n"));
    let edited = ["expand.sql changed after the plan had begun, 2", "cause: expand.sql was ", "git log -- expand.sql"];
    expect(&change.say(&["run"]), 2, &edited);
    expect(&change.say(&["rollback-check", "--to", "v1"]), 2, &[]);
}
