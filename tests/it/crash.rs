//! The crash loop: lose the n-th answer of the database, before or after it took effect, for every n; run
//! again; the end is the same, and each step took effect exactly once. On the real engines.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lockkeeper::database::{self, Connection, DatabaseError, DatabaseErrorKind, Session, Value};
use lockkeeper::error::Error;
use lockkeeper::gate;
use lockkeeper::plan::{Phase, Plan, directory};
use lockkeeper::run::{self, Event, Ledger, Outcome, Request};
use lockkeeper::sql::Dialect;

use super::servers;

/// Rows of the table: three batches of the smallest size.
const ROWS: i64 = 250;

/// When the answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The statement never reached the server.
    Before,
    /// It took effect, but nobody heard of it.
    After,
}

/// Loses the answer to the n-th statement, counted over all sessions of one run of the plan.
pub(crate) struct Fault {
    pub(crate) counted: AtomicU32,
    pub(crate) number: u32,
    pub(crate) lost: Lost,
    /// The n-th statement only reads: lost before or after is the same to the server.
    pub(crate) only_reads: AtomicBool,
    /// How many statements there had been whenever a step began or was done.
    steps: Mutex<Vec<(String, u32)>>,
}

impl Fault {
    pub(crate) fn at(number: u32, lost: Lost) -> Self {
        Self { counted: AtomicU32::new(0), number, lost, only_reads: AtomicBool::new(false), steps: Mutex::default() }
    }

    fn pass(&self, step: &str) {
        self.steps.lock().unwrap().push((step.to_string(), self.counted.load(Ordering::SeqCst)));
    }

    /// Whether there were as many answers.
    pub(crate) fn has_hit(&self) -> bool {
        self.counted.load(Ordering::SeqCst) >= self.number
    }
}

/// A session whose connection is gone after the fault.
pub(crate) struct Flaky<'a> {
    pub(crate) connection: Option<Connection>,
    pub(crate) dialect: Dialect,
    pub(crate) fault: &'a Fault,
}

impl Flaky<'_> {
    fn lose(&mut self) -> DatabaseError {
        self.connection = None;
        let message = "the connection was lost".to_string();
        DatabaseError { kind: DatabaseErrorKind::ConnectionLost, code: None, message, position: None }
    }
}

/// Both questions meet the same fault.
macro_rules! ask {
    ($self:ident, $sql:ident, $connection:ident => $question:expr) => {{
        let Some($connection) = &mut $self.connection else { return Err($self.lose()) };
        let hit = $self.fault.counted.fetch_add(1, Ordering::SeqCst) + 1 == $self.fault.number;
        if hit {
            let locks = ["FOR UPDATE", "FOR SHARE", "LOCK IN SHARE"].iter().any(|words| $sql.contains(words));
            $self.fault.only_reads.store($sql.starts_with("SELECT") && !locks, Ordering::SeqCst);
        }
        if hit && $self.fault.lost == Lost::Before {
            return Err($self.lose());
        }
        let answer = $question.await;
        if hit { Err($self.lose()) } else { answer }
    }};
}

impl Session for Flaky<'_> {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        ask!(self, sql, connection => connection.execute(sql, parameters))
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, DatabaseError> {
        ask!(self, sql, connection => connection.query(sql, parameters))
    }

    async fn another(&self) -> Result<Self, Error> {
        let Some(connection) = &self.connection else { return Err(Error::input("the connection was lost")) };
        Ok(Flaky { connection: Some(connection.another().await?), dialect: self.dialect, fault: self.fault })
    }
}

/// Ledger, lease and plan, on one session, as the command does it.
async fn run_once(session: &mut Flaky<'_>, url: &str, plan: &Plan, path: &Path) -> Result<Outcome, Error> {
    let ledger = Ledger::open(session).await?;
    let lease = ledger.acquire(session, "the crash loop", None).await;
    let lease = lease.map_err(|error| Error::new(lockkeeper::error::Kind::Step, error.to_string()))?.unwrap();
    let request = Request {
        plan,
        directory: path.to_path_buf(),
        phase: None,
        wait: None,
        pace: None,
        workers: 1,
        stop: &|| false,
        url,
    };
    let fault = session.fault;
    let mut note = |event| match event {
        Event::StepStarted { step, .. } | Event::StepDone { step, .. } => fault.pass(&step),
        _ => {}
    };
    run::carry_out(session, &ledger, &lease, &request, &mut note).await
}

/// Runs the plan until a run ends that lost no answer.
pub(crate) async fn run_past(url: &str, plan: &Plan, path: &Path, fault: &Fault) -> Result<Outcome, Error> {
    loop {
        let connection = database::connect(url, "lockkeeper crash loop").await.unwrap();
        let mut session = Flaky { connection: Some(connection), dialect: plan.dialect, fault };
        let ended = run_once(&mut session, url, plan, path).await;
        if session.connection.is_some() {
            return ended;
        }
    }
}

/// Runs the plan again and again until it is finished; at most one run fails, by the fault.
async fn run_to_the_end(url: &str, plan: &Plan, path: &Path, fault: &Fault) {
    let mut failures = 0;
    loop {
        let connection = database::connect(url, "lockkeeper crash loop").await.unwrap();
        let mut session = Flaky { connection: Some(connection), dialect: plan.dialect, fault };
        match run_once(&mut session, url, plan, path).await {
            Ok(Outcome::Finished) => break,
            Ok(Outcome::Waiting(_)) => approve(url, plan, path).await,
            Ok(Outcome::Interrupted | Outcome::Held(_)) => unreachable!("nobody interrupts or pauses"),
            Err(error) => {
                failures += 1;
                assert!(session.connection.is_none(), "answer {} {:?}: {error}", fault.number, fault.lost);
                assert_eq!(failures, 1, "answer {} {:?}: a second failure: {error}", fault.number, fault.lost);
            }
        }
    }
}

async fn approve(url: &str, plan: &Plan, path: &Path) {
    let mut session = database::connect(url, "lockkeeper crash loop").await.unwrap();
    let ledger = Ledger::open(&mut session).await.unwrap();
    let evidence = run::evidence(&mut session, &ledger, plan, path).await.unwrap();
    for gate in gate::gates_of(plan, Phase::Contract) {
        let missing = gate::without_stand_in(&gate, &evidence).gaps;
        ledger.approve(&mut session, plan, &gate.name, "the crash loop", "only us", &missing).await.unwrap();
    }
}

/// The ledger's own tables or views, as statements name them.
async fn of_ledger(session: &mut Connection, views: bool) -> Vec<String> {
    let kind = if views { "VIEW" } else { "TABLE" };
    let sql = match session.dialect() {
        Dialect::Postgres => format!(
            "SELECT 'lockkeeper.' || table_name FROM information_schema.tables
             WHERE table_schema = 'lockkeeper' AND table_type LIKE '%{kind}'"
        ),
        Dialect::Mysql => format!(
            "SELECT table_name FROM information_schema.tables
             WHERE table_schema = database() AND table_name LIKE 'lockkeeper%' AND table_type LIKE '%{kind}'"
        ),
        Dialect::Sqlite => {
            format!("SELECT name FROM sqlite_schema WHERE name LIKE 'lockkeeper%' AND type = lower('{kind}')")
        }
    };
    let rows = session.query(&sql, &[]).await.unwrap();
    rows.into_iter()
        .map(|row| if let [Value::Text(name)] = &row[..] { name.clone() } else { panic!("{row:?}") })
        .collect()
}

async fn execute(session: &mut Connection, statements: impl IntoIterator<Item = String>) {
    for statement in statements {
        session.execute(&statement, &[]).await.unwrap();
    }
}

/// A database that has never seen a ledger.
async fn drop_ledger(session: &mut Connection) {
    for (kind, views) in [("VIEW", true), ("TABLE", false)] {
        let names = of_ledger(session, views).await;
        execute(session, names.iter().map(|name| format!("DROP {kind} {name}"))).await;
    }
    if session.dialect() == Dialect::Postgres {
        execute(session, ["DROP SCHEMA IF EXISTS lockkeeper".to_string()]).await;
    }
}

/// A table of rows without anything of the change, and a ledger that knows of no plan.
async fn reset(session: &mut Connection) {
    let dialect = session.dialect();
    let tables = of_ledger(session, false).await;
    // These two hold nothing of a plan.
    let of_plans = tables.iter().filter(|name| !name.ends_with("lease") && !name.ends_with("schema_history"));
    execute(session, of_plans.map(|name| format!("DELETE FROM {name}"))).await;
    if dialect == Dialect::Postgres {
        execute(session, ["DROP FUNCTION IF EXISTS orders_sync CASCADE".to_string()]).await;
    }
    let tables = [
        "DROP TABLE IF EXISTS orders".to_string(),
        "DROP TABLE IF EXISTS journal".to_string(),
        "CREATE TABLE journal (what varchar(20))".to_string(),
        "CREATE TABLE orders (id bigint PRIMARY KEY, old_status varchar(40))".to_string(),
        format!("INSERT INTO orders (id, old_status) VALUES {}", rows().join(", ")),
        "CREATE INDEX orders_old_status ON orders (old_status)".to_string(),
    ];
    execute(session, tables).await;
}

/// Keys with gaps, and every seventh row without a value.
fn rows() -> Vec<String> {
    let value = |id: i64| if id % 7 == 0 { "NULL".to_string() } else { format!("'state {}'", id % 5) };
    (1..=ROWS).map(|id| format!("({}, {})", id * 3, value(id))).collect()
}

/// Everything that the change was to bring about, and how often. On a connection of its own: sqlx trips over
/// `SELECT *` where another connection has changed SQLite's columns since it connected.
async fn end_state(url: &str) -> Vec<Vec<Vec<Value>>> {
    let mut session = database::connect(url, "lockkeeper control").await.unwrap();
    let ledger = if session.dialect() == Dialect::Postgres { "lockkeeper." } else { "lockkeeper_" };
    let mut state = Vec::new();
    for sql in [
        // Without the old column, and with the new ones in this order.
        "SELECT * FROM orders ORDER BY id".to_string(),
        "SELECT what, count(*) FROM journal GROUP BY what ORDER BY what".to_string(),
        format!("SELECT id, state, rows_done, rows_total, problem FROM {ledger}step ORDER BY position"),
        format!("SELECT step, count(*) FROM {ledger}event WHERE kind = 'done' GROUP BY step ORDER BY step"),
        format!("SELECT count(*) FROM {ledger}plan WHERE finished_at IS NOT NULL"),
        format!("SELECT count(*) FROM {ledger}event WHERE kind = 'repaired'"),
        format!("SELECT DISTINCT step FROM {ledger}proof WHERE outcome = 'proved' ORDER BY step"),
    ] {
        state.push(session.query(&sql, &[]).await.unwrap());
    }
    state
}

/// What must be so, whatever the other runs agree on.
fn assert_right(state: &[Vec<Vec<Value>>]) {
    assert_eq!(state[0].len(), usize::try_from(ROWS).unwrap());
    for row in &state[0] {
        let [Value::Int(id), status, Value::Int(hits), filled] = row.as_slice() else { panic!("columns: {row:?}") };
        let number = id / 3;
        // The trigger of expand.sql counts: once for `filled`, once more where there was a status to copy.
        let (expected, times) =
            if number % 7 == 0 { (Value::Null, 1) } else { (Value::Text(format!("state {}", number % 5)), 2) };
        assert_eq!((status, *hits, filled), (&expected, times, &Value::Int(*id)), "row {id}");
    }
    let once = |what: &str| vec![Value::Text(what.to_string()), Value::Int(1)];
    assert_eq!(state[1], [once("contract"), once("expand")], "statements of the plan, each once");
    assert!(
        state[2].iter().all(|step| step[1] == Value::Text("done".into()) && step[4] == Value::Null),
        "{:?}",
        state[2]
    );
    assert!(state[3].iter().all(|step| step[1] == Value::Int(1)), "{:?}", state[3]);
}

/// The fill did not see the last row: its proof found and filled it, once.
fn assert_repaired(state: &[Vec<Vec<Value>>]) {
    assert_eq!(state[0].len(), usize::try_from(ROWS).unwrap() + 1);
    for row in &state[0] {
        let [Value::Int(id), Value::Text(status)] = row.as_slice() else { panic!("columns: {row:?}") };
        let expected = match id {
            9000 => "late".to_string(),
            id if id / 3 % 7 == 0 => "none".to_string(),
            id => format!("state {}", id / 3 % 5),
        };
        assert_eq!(*status, expected, "row {id}");
    }
    assert!(state[2].iter().all(|step| step[1] == Value::Text("done".into())), "{:?}", state[2]);
    assert_eq!(state[5], [[Value::Int(1)]], "repaired once");
    assert_eq!(state[6].len(), 2, "proved after the fill and before the drop: {:?}", state[6]);
}

/// Loses every answer of a run of the plan, and of a proof that has something to repair.
#[expect(clippy::print_stdout, reason = "how many runs it was")]
async fn crash_loop(url: &str, dialect: Dialect) {
    let mut control = database::connect(url, "lockkeeper control").await.unwrap();
    let mut runs = opening_loop(url, &mut control).await;
    runs += answers_loop(url, dialect, ("everything", None), &mut control, assert_right).await;
    runs += answers_loop(url, dialect, ("repaired", Some("backfill.3")), &mut control, assert_repaired).await;
    println!("crash loop on {dialect}: {runs} runs, an answer lost in each");
}

/// Loses every answer of a run of one plan, or of one of its steps. Returns the runs.
async fn answers_loop(
    url: &str,
    dialect: Dialect,
    (plan, only): (&str, Option<&str>),
    control: &mut Connection,
    assert_right: fn(&[Vec<Vec<Value>>]),
) -> u32 {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/crash").join(dialect.name()).join(plan);
    let plan = directory::read(&path, Some(dialect)).unwrap();
    let mut runs = 0;
    reset(control).await;
    let undisturbed = Fault::at(0, Lost::Before);
    run_to_the_end(url, &plan, &path, &undisturbed).await;
    let expected = end_state(url).await;
    assert_right(&expected);

    let steps = undisturbed.steps.into_inner().unwrap();
    let counts: Vec<u32> =
        steps.iter().filter(|(step, _)| Some(step.as_str()) == only).map(|(_, count)| *count).collect();
    let (first, last) = match (only, counts.as_slice()) {
        (Some(_), [before, .., last]) => (before + 1, *last),
        (Some(step), _) => panic!("{step} is none of {steps:?}"),
        (None, _) => (1, undisturbed.counted.into_inner()),
    };
    assert!(last >= first + 10, "{first} to {last} are too few answers to be all of them");
    for number in first..=last {
        for lost in [Lost::After, Lost::Before] {
            reset(control).await;
            let fault = Fault::at(number, lost);
            run_to_the_end(url, &plan, &path, &fault).await;
            assert_eq!(end_state(url).await, expected, "after answer {number} was lost, {lost:?}");
            runs += 1;
            if fault.only_reads.into_inner() {
                break;
            }
        }
    }
    runs
}

/// Loses every answer of the first opening of a ledger; the ledger is there in the end. Returns the runs.
async fn opening_loop(url: &str, control: &mut Connection) -> u32 {
    let mut runs = 0;
    for number in 1.. {
        let mut hit = true;
        for lost in [Lost::Before, Lost::After] {
            drop_ledger(control).await;
            let fault = Fault::at(number, lost);
            for attempt in 1..=2 {
                let connection = database::connect(url, "lockkeeper crash loop").await.unwrap();
                let mut session = Flaky { dialect: connection.dialect(), connection: Some(connection), fault: &fault };
                match Ledger::open(&mut session).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(attempt, 1, "answer {number} {lost:?}: {error}"),
                }
            }
            let ledger = Ledger::open(control).await.unwrap();
            assert_eq!(ledger.acquire(control, "the crash loop", None).await.unwrap().unwrap().token, 1);
            hit = fault.counted.load(Ordering::SeqCst) >= number;
            runs += 1;
        }
        if !hit {
            break;
        }
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_loop_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    crash_loop(&database.url, Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_loop_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    crash_loop(&database.url, Dialect::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_loop_on_sqlite() {
    crash_loop(&servers::sqlite().url, Dialect::Sqlite).await;
}
