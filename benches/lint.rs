//! `cargo bench --bench lint`: what `lint` costs as a whole process, beside squawk in the same run.
//!
//! squawk is taken from PATH, or from the environment variable `SQUAWK`: `pip install squawk-cli` brings it. CPU
//! time is the number to read: wall time also tells what else the machine was doing.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on should stop")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// Runs of each command; the median counts.
const RUNS: usize = 5;
/// A command that takes longer is not run again.
const PATIENCE: Duration = Duration::from_secs(20);
/// And one that takes longer is ended: what it took is a lower bound then.
const LIMIT: Duration = Duration::from_secs(60);
/// As an argument of this binary: run the rest as a command and print what it cost.
const MEASURE: &str = "--measure";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == MEASURE) {
        Some(at) => println!("{}", measure(&arguments[at + 1..])),
        None => compare(),
    }
}

/// What one run of a process cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    /// Peak resident memory.
    kib: u64,
}

/// Runs a command and waits for it. This process has no other child, so that its children's usage is the command's.
fn measure(command: &[String]) -> String {
    let begun = Instant::now();
    let mut child =
        Command::new(&command[0]).args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() > LIMIT => child.kill().unwrap(),
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    };
    let wall = begun.elapsed();
    assert!(wall > LIMIT || matches!(status.code(), Some(0 | 1)), "{command:?} judged nothing");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    format!("{} {} {}", micros(usage.user_time()) + micros(usage.system_time()), wall.as_micros(), usage.max_rss())
}

/// The median of several runs, each figure for itself.
fn cost(command: &[&str]) -> Cost {
    let mut runs: Vec<Vec<u64>> = Vec::new();
    let begun = Instant::now();
    while runs.len() < RUNS && (runs.is_empty() || begun.elapsed() < PATIENCE) {
        let output = Command::new(std::env::current_exe().unwrap()).arg(MEASURE).args(command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let figures = String::from_utf8(output.stdout).unwrap();
        runs.push(figures.split_whitespace().map(|figure| figure.parse().unwrap()).collect());
    }
    let median = |figure: usize| {
        let mut all: Vec<u64> = runs.iter().map(|run| run[figure]).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    Cost { cpu: Duration::from_micros(median(0)), wall: Duration::from_micros(median(1)), kib: median(2) }
}

/// Each input, ours and theirs, and what the ratios are.
fn compare() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    small_files(Path::new(&path("small")), 10_000, 1);
    small_files(Path::new(&path("history-10")), 1_000, 10);
    small_files(Path::new(&path("history-100")), 10_000, 10);
    small_files(Path::new(&path("one")), 1, 1);
    fs::create_dir(path("large")).unwrap();
    let statements: String = (0..80_000).map(short_statement).collect();
    fs::write(path("large/1.sql"), &statements).unwrap();

    let squawk = std::env::var("SQUAWK").unwrap_or_else(|_| "squawk".into());
    let there = Command::new(&squawk).arg("--version").output().ok();
    match &there {
        Some(version) => println!("squawk: {}", String::from_utf8_lossy(&version.stdout).trim()),
        None => println!("no squawk on PATH or in SQUAWK (`pip install squawk-cli`): ours alone"),
    }
    println!("{:40} {:>10} {:>10} {:>10}", "", "CPU ms", "wall ms", "peak MiB");
    let ours = |name: &str| {
        let cost = cost(&[env!("CARGO_BIN_EXE_lockkeeper"), "lint", "--dialect", "postgres", &path(name)]);
        println!("{:40} {}", format!("lockkeeper {name}"), show(cost));
        cost
    };
    let both = |name: &str| {
        let mine = ours(name);
        if there.is_none() {
            return;
        }
        let theirs = cost(&[&squawk, &path(&format!("{name}/*.sql"))]);
        println!("{:40} {}", format!("squawk     {name}"), show(theirs));
        println!("{:40} {}", "           ratio", ratio(mine, theirs));
    };
    both("small");
    both("large");
    let (less, more) = (ours("history-10"), ours("history-100"));
    println!("{:40} {}", "           ratio, of 10 times as much", ratio(more, less));
    both("one");
}

fn show(cost: Cost) -> String {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let bound = if cost.wall > LIMIT { "  or more: ended" } else { "" };
    format!("{:10.1} {:10.1} {:10.1}{bound}", milliseconds(cost.cpu), milliseconds(cost.wall), cost.kib as f64 / 1024.0)
}

fn ratio(mine: Cost, theirs: Cost) -> String {
    let of = |mine: Duration, theirs: Duration| mine.as_secs_f64() / theirs.as_secs_f64();
    let memory = mine.kib as f64 / theirs.kib as f64;
    format!("{:10.2} {:10.2} {:10.2}", of(mine.cpu, theirs.cpu), of(mine.wall, theirs.wall), memory)
}

/// A directory of migrations as teams write them, about 190 bytes for each block of statements.
fn small_files(directory: &Path, files: usize, blocks: usize) {
    fs::create_dir(directory).unwrap();
    for file in 0..files {
        let mut text = String::new();
        for block in 0..blocks {
            statement_block(&mut text, file * blocks + block, blocks == 1);
        }
        fs::write(directory.join(format!("{:05}_change.sql", file + 1)), text).unwrap();
    }
}

/// About 190 bytes: a table now and then, columns, indexes, constraints and data changes between them.
fn statement_block(text: &mut String, number: usize, several: bool) {
    let table = number / 10;
    let statement = match number % 10 {
        0 => format!(
            "CREATE TABLE IF NOT EXISTS account_{table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());\n"
        ),
        1 | 2 => format!("ALTER TABLE account_{table} ADD COLUMN note_{number} text;\n"),
        3 => format!("CREATE INDEX CONCURRENTLY account_{table}_{number} ON account_{table} (name);\n"),
        4 => format!("ALTER TABLE account_{table} ADD CONSTRAINT c_{number} CHECK (id > 0) NOT VALID;\n"),
        5 => format!("UPDATE account_{table} SET name = 'x' WHERE id = {number} AND name IS NULL;\n"),
        6 => format!("INSERT INTO account_{table} (name) VALUES ('first'), ('second');\n"),
        7 => format!("ALTER TABLE account_{table} ALTER COLUMN name SET DEFAULT 'nobody';\n"),
        8 => format!("CREATE INDEX account_{table}_by_name ON account_{table} (lower(name));\n"),
        _ => format!("ALTER TABLE account_{table} DROP COLUMN created_at;\n"),
    };
    if several {
        write!(text, "-- Change {number}, as somebody asked for it in a ticket.\nSET lock_timeout = '2s';\n").unwrap();
    }
    text.push_str(&statement);
    if several && text.len() < 160 {
        writeln!(text, "COMMENT ON TABLE account_{table} IS 'who may sign in, since {number}';").unwrap();
    }
}

/// About 62 bytes.
fn short_statement(number: usize) -> String {
    let table = number / 20;
    match number % 4 {
        0 => format!("CREATE TABLE t_{number} (id bigint PRIMARY KEY, name text);\n"),
        1 => format!("ALTER TABLE t_{table} ADD COLUMN IF NOT EXISTS c_{number} integer;\n"),
        2 => format!("INSERT INTO t_{table} (id, name) VALUES ({number}, 'somebody');\n"),
        _ => format!("CREATE INDEX CONCURRENTLY i_{number} ON t_{table} (name);\n"),
    }
}
