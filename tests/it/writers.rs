//! Applications of two versions that write to one table while a change runs, and the book of what they wrote last.
//!
//! The old version knows `item.price`, a text such as `12.5`; the new one knows `item.cents`. The way there and
//! back is not the identity: a trigger or a batch that turns a value round once too often shows in the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use lockkeeper::database::{self, Connection, DatabaseErrorKind, Session, Value};
use lockkeeper::sql::Dialect;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// Customers that the writers fight over, spread over the key; the rest is the backfill's alone.
const SLOTS: i64 = 40;
/// Lines that each customer begins with, and how many it may have.
const LINES: i64 = 6;
const MOST_LINES: i64 = 12;

/// Which version of the application wrote last, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Old(Option<String>),
    New(Option<i64>),
}

impl Written {
    fn random(version: Version) -> Self {
        let cents = fastrand::i64(0..100_000);
        match version {
            Version::Old => {
                let (whole, rest) = (cents / 100, cents % 100);
                // One number has many names, of which a conversion back and forth gives only one.
                let names =
                    [format!("{whole}.{rest:02}"), format!("{whole}.{rest:02}0"), format!("0{whole}.{rest:02}")];
                Self::Old(Some(fastrand::choice(names).unwrap()))
            }
            Version::New => Self::New(Some(cents)),
        }
    }

    fn null(version: Version) -> Self {
        match version {
            Version::Old => Self::Old(None),
            Version::New => Self::New(None),
        }
    }

    fn column(&self) -> &'static str {
        if matches!(self, Self::Old(_)) { "price" } else { "cents" }
    }

    fn literal(&self) -> String {
        match self {
            Self::Old(Some(price)) => format!("'{price}'"),
            Self::New(Some(cents)) => cents.to_string(),
            Self::Old(None) | Self::New(None) => "NULL".to_string(),
        }
    }

    /// What the new version reads.
    fn cents(&self) -> Value {
        match self {
            Self::Old(Some(price)) => Value::Int(cents(price)),
            Self::New(Some(cents)) => Value::Int(*cents),
            Self::Old(None) | Self::New(None) => Value::Null,
        }
    }

    /// Whether this is what the old version would read: to the byte what it wrote itself.
    fn is_price(&self, price: &Value) -> bool {
        match (self, price) {
            (Self::Old(Some(written)), Value::Text(price)) => written == price,
            (Self::New(Some(written)), Value::Text(price)) => *written == cents(price),
            (Self::Old(None) | Self::New(None), Value::Null) => true,
            _ => false,
        }
    }
}

/// `12.5` is 1250.
fn cents(price: &str) -> i64 {
    let (whole, rest) = price.split_once('.').unwrap();
    let rest: String = rest.chars().chain("00".chars()).take(2).collect();
    whole.parse::<i64>().unwrap() * 100 + rest.parse::<i64>().unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Old,
    New,
}

/// A customer that moves between two ids, near one end of the table and near the other.
#[derive(Debug, Clone)]
struct Slot {
    id: i64,
    other: i64,
    lines: BTreeMap<i64, Written>,
    /// How many writes it has had, which each of them tells its row: so we know of a COMMIT without an answer.
    writes: i64,
}

/// What was last written: each slot is locked while it is written, so that the order is known.
#[derive(Clone)]
pub(crate) struct Book {
    slots: Arc<Vec<Mutex<Slot>>>,
    customers: i64,
}

/// What the row of an untouched customer says.
fn first(customer: i64, line: i64) -> Written {
    Written::Old((line != LINES).then(|| format!("{}.{}", customer, line)))
}

impl Book {
    /// The tables `customer` and `item`, and at least so many rows.
    pub(crate) async fn open(url: &str, rows: u32) -> Self {
        let mut session = database::connect(url, "test set-up").await.unwrap();
        let customers = i64::from(rows) / LINES;
        assert!(customers > 4 * SLOTS, "{rows} rows are too few");
        let apart = customers / SLOTS;
        // Low ids end in the first of their stretch, high ones in the second: no two slots share one.
        let slots: Vec<Slot> = (0..SLOTS)
            .map(|slot| {
                let (id, other) = (slot * apart + 1, (SLOTS - 1 - slot) * apart + 2);
                Slot { id, other, lines: (1..=LINES).map(|line| (line, first(id, line))).collect(), writes: 0 }
            })
            .collect();
        let engine = if session.dialect() == Dialect::Mysql { " ENGINE=InnoDB" } else { "" };
        for sql in [
            format!("CREATE TABLE customer (id bigint PRIMARY KEY, writes bigint){engine}"),
            format!(
                "CREATE TABLE item (customer bigint NOT NULL, line bigint NOT NULL, price varchar(40), note varchar(40),
                 PRIMARY KEY (customer, line),
                 FOREIGN KEY (customer) REFERENCES customer (id) ON UPDATE CASCADE ON DELETE CASCADE){engine}"
            ),
        ] {
            session.execute(&sql, &[]).await.unwrap();
        }
        let ids: Vec<i64> = (1..=customers).filter(|id| slots.iter().all(|slot| slot.other != *id)).collect();
        for ids in ids.chunks(250) {
            let parents: Vec<String> = ids.iter().map(|id| format!("({id})")).collect();
            let lines = ids.iter().flat_map(|id| (1..=LINES).map(move |line| (id, line, first(*id, line).literal())));
            let lines: Vec<String> = lines.map(|(id, line, price)| format!("({id}, {line}, {price})")).collect();
            for sql in [
                format!("INSERT INTO customer (id) VALUES {}", parents.join(", ")),
                format!("INSERT INTO item (customer, line, price) VALUES {}", lines.join(", ")),
            ] {
                session.execute(&sql, &[]).await.unwrap();
            }
        }
        Self { slots: Arc::new(slots.into_iter().map(Mutex::new).collect()), customers }
    }

    /// Every row as it must be, by its key.
    fn rows(&self, slots: &[MutexGuard<'_, Slot>]) -> BTreeMap<(i64, i64), Written> {
        let moved: BTreeSet<i64> = slots.iter().flat_map(|slot| [slot.id, slot.other]).collect();
        let cold = (1..=self.customers).filter(|id| !moved.contains(id));
        let cold = cold.flat_map(|id| (1..=LINES).map(move |line| ((id, line), first(id, line))));
        let hot = slots.iter().flat_map(|slot| slot.lines.iter().map(|(line, last)| ((slot.id, *line), last.clone())));
        cold.chain(hot).collect()
    }

    /// Row by row: the table is what was written last. `both`: the old column is still there, and is judged too.
    pub(crate) async fn compare(&self, url: &str, both: bool) {
        let wrong = self.differences(url, both).await;
        assert!(wrong.is_empty(), "{} rows are not what was written last:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// The rows that are not what was written last.
    pub(crate) async fn differences(&self, url: &str, both: bool) -> Vec<String> {
        let mut session = database::connect(url, "test comparison").await.unwrap();
        let price = if both { "price" } else { "NULL" };
        let sql = format!("SELECT customer, line, cents, {price} FROM item");
        // Whoever still writes waits for as long as we read.
        let mut slots = Vec::new();
        for slot in self.slots.iter() {
            slots.push(slot.lock().await);
        }
        let mut expected = self.rows(&slots);
        let mut wrong = Vec::new();
        for row in session.query(&sql, &[]).await.unwrap() {
            let [Value::Int(customer), Value::Int(line), cents, price] = row.as_slice() else { panic!("{row:?}") };
            match expected.remove(&(*customer, *line)) {
                Some(written) if written.cents() == *cents && (!both || written.is_price(price)) => {}
                written => {
                    wrong.push(format!("{customer}/{line}: {cents:?}, {price:?}, but written last: {written:?}"))
                }
            }
        }
        wrong.extend(expected.into_iter().map(|(key, written)| format!("{key:?} is gone: {written:?}")));
        wrong
    }

    /// An application of this version, which writes until it is told to stop.
    pub(crate) fn writer(&self, url: &str, version: Version) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let done: Arc<[AtomicU32; OPERATIONS]> = Arc::default();
        let (book, url, stopping, counted) = (self.clone(), url.to_string(), Arc::clone(&stop), Arc::clone(&done));
        let task = tokio::spawn(async move {
            let mut session = connect(&url).await;
            while !stopping.load(Ordering::SeqCst) {
                let operation = fastrand::usize(..OPERATIONS);
                let mut slot = fastrand::choice(book.slots.iter()).unwrap().lock().await;
                let mut after = slot.clone();
                let mut statements = operate(operation, &mut after, version, session.dialect());
                if !statements.is_empty() {
                    after.writes += 1;
                    statements.push(format!("UPDATE customer SET writes = {} WHERE id = {}", after.writes, after.id));
                    let happened = match transact(&mut session, &statements).await {
                        Some(happened) => happened,
                        None => {
                            session = connect(&url).await;
                            has_happened(&mut session, &after).await
                        }
                    };
                    if happened {
                        *slot = after;
                        counted[operation].fetch_add(1, Ordering::SeqCst);
                    }
                }
                drop(slot);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Writer { stop, done, task }
    }
}

/// A writer at work.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    done: Arc<[AtomicU32; OPERATIONS]>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Stops it; how many writes it did, by kind.
    pub(crate) async fn end(self) -> [u32; OPERATIONS] {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        std::array::from_fn(|operation| self.done[operation].load(Ordering::SeqCst))
    }
}

/// Tries until the server is there.
async fn connect(url: &str) -> Connection {
    loop {
        let Ok(mut session) = database::connect(url, "a version").await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if session.dialect() == Dialect::Sqlite {
            session.execute("PRAGMA foreign_keys = ON", &[]).await.unwrap();
        }
        return session;
    }
}

/// Whether the write that made a customer so is committed.
async fn has_happened(session: &mut Connection, slot: &Slot) -> bool {
    loop {
        let sql = format!("SELECT 1 FROM customer WHERE id = {} AND writes = {}", slot.id, slot.writes);
        match session.query(&sql, &[]).await {
            Ok(rows) => return !rows.is_empty(),
            Err(_) => match session.another().await {
                Ok(another) => *session = another,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

/// All or nothing; whether it happened, `None` where nobody said. One that met a lock did not.
async fn transact(session: &mut Connection, statements: &[String]) -> Option<bool> {
    let begin = if session.dialect() == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    for sql in [begin].into_iter().chain(statements.iter().map(String::as_str)).chain(["COMMIT"]) {
        let Err(error) = session.execute(sql, &[]).await else { continue };
        match error.kind {
            DatabaseErrorKind::ConnectionLost => return None,
            DatabaseErrorKind::LockTimeout | DatabaseErrorKind::Deadlock => {}
            // The program that COPY reads ends with its server process.
            _ if error.code.as_deref() == Some("38000") => {}
            _ => panic!("{sql}: {error}"),
        }
        if sql != begin && session.execute("ROLLBACK", &[]).await.is_err() {
            return None;
        }
        return Some(false);
    }
    Some(true)
}

/// The kinds of writes below.
pub(crate) const OPERATIONS: usize = 10;

/// One write to a customer: its statements, and what the customer is then. Nothing where the kind does not fit.
fn operate(operation: usize, slot: &mut Slot, version: Version, dialect: Dialect) -> Vec<String> {
    let id = slot.id;
    let present = fastrand::choice(slot.lines.keys().copied());
    let absent = fastrand::choice((1..=MOST_LINES).filter(|line| !slot.lines.contains_key(line)).collect::<Vec<_>>());
    let at = |line: i64| format!("customer = {id} AND line = {line}");
    let value = Written::random(version);
    let insert = |line: i64, value: &Written| {
        format!("INSERT INTO item (customer, line, {}) VALUES ({id}, {line}, {})", value.column(), value.literal())
    };
    match (operation, present, absent) {
        // INSERT
        (0, _, Some(line)) => {
            let sql = insert(line, &value);
            slot.lines.insert(line, value);
            vec![sql]
        }
        // UPDATE
        (1, Some(line), _) => {
            let sql = format!("UPDATE item SET {} = {} WHERE {}", value.column(), value.literal(), at(line));
            slot.lines.insert(line, value);
            vec![sql]
        }
        // UPDATE to NULL. The new version first has a value there: where the fill has not been, its NULL is no
        // change, and no trigger can tell it from a row that somebody only touched.
        (2, Some(line), _) => {
            let null = Written::null(version);
            let set = |value: &Written| {
                format!("UPDATE item SET {} = {} WHERE {}", value.column(), value.literal(), at(line))
            };
            let sql = vec![set(&value), set(&null)];
            slot.lines.insert(line, null);
            sql
        }
        // DELETE
        (3, Some(line), _) => {
            slot.lines.remove(&line);
            vec![format!("DELETE FROM item WHERE {}", at(line))]
        }
        // DELETE and INSERT again
        (4, Some(line), _) => {
            let sql = vec![format!("DELETE FROM item WHERE {}", at(line)), insert(line, &value)];
            slot.lines.insert(line, value);
            sql
        }
        // The key moves within the customer
        (5, Some(from), Some(to)) => {
            let written = slot.lines.remove(&from).unwrap();
            slot.lines.insert(to, written);
            vec![format!("UPDATE item SET line = {to} WHERE {}", at(from))]
        }
        // UPSERT, of a row that is there or not
        (6, _, _) => {
            let line = fastrand::i64(1..=MOST_LINES);
            let set = format!("{} = {}", value.column(), value.literal());
            let conflict = match dialect {
                Dialect::Mysql => format!("ON DUPLICATE KEY UPDATE {set}"),
                Dialect::Postgres | Dialect::Sqlite => format!("ON CONFLICT (customer, line) DO UPDATE SET {set}"),
            };
            let sql = format!("{} {conflict}", insert(line, &value));
            slot.lines.insert(line, value);
            vec![sql]
        }
        // The parent's key moves to the other end of the table, and its lines with it
        (7, _, _) => {
            std::mem::swap(&mut slot.id, &mut slot.other);
            vec![format!("UPDATE customer SET id = {} WHERE id = {id}", slot.id)]
        }
        // The parent goes, its lines with it, and both come back: COPY where there is one
        (8, _, _) => {
            slot.lines = (1..=LINES).map(|line| (line, Written::random(version))).collect();
            let mut sql = vec![
                format!("DELETE FROM customer WHERE id = {id}"),
                format!("INSERT INTO customer (id) VALUES ({id})"),
            ];
            sql.push(many(id, &slot.lines, dialect));
            sql
        }
        // A column that the change does not concern: the touch of a row that may not have been filled
        (9, Some(line), _) => vec![format!("UPDATE item SET note = '{}' WHERE {}", fastrand::u32(..), at(line))],
        _ => Vec::new(),
    }
}

/// All lines of a customer at once.
fn many(id: i64, lines: &BTreeMap<i64, Written>, dialect: Dialect) -> String {
    let column = lines.values().next().unwrap().column();
    if dialect == Dialect::Postgres {
        let lines: String =
            lines.iter().map(|(line, value)| format!("{id},{line},{}\\n", value.literal().replace('\'', ""))).collect();
        return format!("COPY item (customer, line, {column}) FROM PROGRAM 'printf \"{lines}\"' (FORMAT csv)");
    }
    let lines: Vec<String> = lines.iter().map(|(line, value)| format!("({id}, {line}, {})", value.literal())).collect();
    format!("INSERT INTO item (customer, line, {column}) VALUES {}", lines.join(", "))
}
