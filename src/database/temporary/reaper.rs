//! The reaper: starts one server, waits until nobody holds it, stops it and removes its directory.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::{Pid, User};
use tokio::signal::unix::{SignalKind, signal};

use super::engine::{self, Engine, Programs};
use super::{Lock, Place, READY, complaint, lock_file, mark, trouble};
use crate::error::{Error, Result};

/// How long a server may take until it answers, on a machine that does much else.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Changes with the way in which templates are made.
const TEMPLATE_FORMAT: u32 = 1;

/// Runs the reaper with the arguments of its hidden command. `say` gets one line when the server answers.
///
/// # Errors
/// What kept the server from starting; nothing is left behind then.
pub async fn reap(arguments: &[String], say: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let [engine, base, key, linger] = arguments else {
        return Err(Error::input("the reaper is started by lockkeeper itself"));
    };
    let engine = Engine::from_name(engine).ok_or_else(|| Error::input(format!("no engine `{engine}`")))?;
    let linger = Duration::from_millis(linger.parse().map_err(|_| Error::input("the linger time is no number"))?);
    let place = Place::new(PathBuf::from(base), engine, key);
    let mut alive = lock_file(&place.reaper(), Lock::Exclusive)?;
    // For whoever wonders what this process is.
    let _ = writeln!(alive, "{}", std::process::id());
    let server = match launch(&place) {
        Ok(server) => server,
        Err(error) => {
            remove(&place);
            let _ = fs::remove_file(place.hold());
            return Err(error);
        }
    };
    // The starter may be dead already: then nobody holds the server, and it goes at once.
    let _ = mark(&place.ready()).and_then(|()| say(READY));
    let hold = tokio::select! {
        hold = unheld(place.hold(), linger) => hold,
        () = told_to_stop() => None,
    };
    stop(engine, server);
    remove(&place);
    let _ = fs::remove_file(place.hold());
    drop(hold);
    Ok(())
}

/// Initializes the template if need be, copies it, and starts the server on the copy.
fn launch(place: &Place) -> Result<Child> {
    let programs = Programs::find(place.engine)?;
    let account = engine::account(place.engine)?;
    let directory = place.directory();
    make_directory(&directory, account.as_ref())?;
    let data = directory.join("data");
    let template = template(place, &programs, account.as_ref())?;
    run(Command::new("cp").arg("-a").arg(&template).arg(&data))?;
    let log = directory.join("log");
    let log_file = File::create(&log).map_err(|error| trouble(format!("no log `{}`", log.display())).because(error))?;
    let mut server = programs
        .serve(&directory, &data, account.as_ref())
        .stderr(Stdio::from(log_file))
        .spawn()
        .map_err(|error| trouble(format!("could not start {}", programs.version)).because(error))?;
    let deadline = Instant::now() + START_TIMEOUT;
    while !engine::answers(place.engine, &directory, &data) {
        let ended = server.try_wait().ok().flatten();
        if ended.is_some() || Instant::now() > deadline {
            stop(place.engine, server);
            return Err(trouble(format!("{} does not come up", programs.version))
                .because(complaint(&fs::read(&log).unwrap_or_default())));
        }
        std::thread::sleep(engine::POLL);
    }
    Ok(server)
}

/// A data directory as initdb leaves it, made once per version and account. It comes to its name in one move.
fn template(place: &Place, programs: &Programs, account: Option<&User>) -> Result<PathBuf> {
    let version = programs.version.replace(' ', "-").to_ascii_lowercase();
    let owner = account.map_or_else(nix::unistd::geteuid, |account| account.uid);
    let template = place.base.join(format!("template-{version}-{owner}-{TEMPLATE_FORMAT}"));
    if !template.is_dir() {
        let fresh = place.directory().join("template");
        make_directory(&fresh, account)?;
        run(&mut programs.initialize(&fresh, account))?;
        if let Err(error) = fs::rename(&fresh, &template)
            && !template.is_dir()
        {
            return Err(trouble(format!("no template `{}`", template.display())).because(error));
        }
    }
    Ok(template)
}

fn make_directory(path: &Path, account: Option<&User>) -> Result<()> {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.and_then(|()| match account {
        Some(account) => chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw())),
        None => Ok(()),
    })
    .map_err(|error| trouble(format!("could not make `{}`", path.display())).because(error))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| trouble(format!("could not run `{program}`")).because(error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = complaint(&[output.stdout, output.stderr].concat());
    Err(trouble(format!("`{program}` failed")).because(said))
}

/// Comes back, with the exclusive lock, when nobody has held the server for `linger`.
async fn unheld(hold: PathBuf, linger: Duration) -> Option<File> {
    let (send, receive) = tokio::sync::oneshot::channel();
    // A thread and not a task: a lock call cannot be cancelled, and must not keep the runtime from ending.
    std::thread::spawn(move || {
        let _ = send.send(wait_unheld(&hold, linger));
    });
    receive.await.ok().flatten()
}

fn wait_unheld(hold: &Path, linger: Duration) -> Option<File> {
    loop {
        let lock = lock_file(hold, Lock::Exclusive).ok()?;
        if linger.is_zero() {
            return Some(lock);
        }
        lock.unlock().ok()?;
        std::thread::sleep(linger);
        if lock.try_lock().is_ok() {
            return Some(lock);
        }
    }
}

/// Comes back when somebody asks the reaper itself to end.
async fn told_to_stop() {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}

fn stop(engine: Engine, mut server: Child) {
    if let Ok(pid) = i32::try_from(server.id())
        && matches!(server.try_wait(), Ok(None))
    {
        let _ = kill(Pid::from_raw(pid), engine.stop_signal());
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while matches!(server.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = server.kill();
        }
        std::thread::sleep(engine::POLL);
    }
}

fn remove(place: &Place) {
    let _ = fs::remove_dir_all(place.directory());
    let _ = fs::remove_file(place.reaper());
}
