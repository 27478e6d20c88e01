//! Ctrl-c and SIGTERM. The first finishes what is at hand, the second ends it on the server, a third ends the process.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::database;

/// How often somebody asked to stop.
#[derive(Clone)]
pub(super) struct Interrupt(watch::Receiver<u32>);

/// What the second signal ends: the statement of this session, asked for from another one.
pub(super) struct Statement {
    pub(super) url: String,
    pub(super) id: i64,
}

/// The pause between two tries to end a statement: the first may come between two of them.
const AGAIN: Duration = Duration::from_millis(500);

/// A server that does not end a statement in this time is left alone with it.
const PATIENCE: Duration = Duration::from_secs(15);

impl Interrupt {
    /// Listens from now on. In a container the process may be the first one, which no signal ends without that.
    pub(super) fn listen() -> Self {
        let (sender, times) = watch::channel(0);
        tokio::spawn(async move {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                sender.send_modify(|times| *times += 1);
            }
        });
        Self(times)
    }

    /// Nothing new may begin.
    pub(super) fn asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// What is at hand is not waited for either.
    pub(super) fn asked_twice(&self) -> bool {
        *self.0.borrow() > 1
    }

    /// Ends when somebody asked so often.
    pub(super) async fn asked_times(&self, times: u32) {
        let asked = self.0.clone().wait_for(|seen| *seen >= times).await.is_ok();
        // Without a listener nobody ever asks.
        if !asked {
            std::future::pending::<()>().await;
        }
    }

    /// Does `work`, and `tell`s when somebody asks to stop, the second time with true. The second time `statement`
    /// is ended on the server, because it would go on without us. `None`: where it cannot be, and at the third time,
    /// `work` is left as it is, which is as safe as any crash.
    pub(super) async fn heed<T>(
        &self,
        work: impl Future<Output = T>,
        statement: Option<Statement>,
        tell: &(dyn Fn(bool) + Sync),
    ) -> Option<T> {
        let mut work = pin!(work);
        for times in [1, 2] {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.asked_times(times) => tell(times == 2),
            }
        }
        if let Some(statement) = statement {
            let patience = async {
                tokio::select! {
                    () = end(&statement) => {}
                    () = self.asked_times(3) => {}
                    () = tokio::time::sleep(PATIENCE) => {}
                }
            };
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = patience => {}
            }
        }
        None
    }
}

/// Ends the statement, again and again; returns only when the server cannot be asked.
async fn end(statement: &Statement) {
    let Ok(mut second) = database::connect(&statement.url, "lockkeeper cancel").await else { return };
    while database::cancel(&mut second, statement.id).await.is_ok() {
        tokio::time::sleep(AGAIN).await;
    }
}
