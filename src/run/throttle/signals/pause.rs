//! `lockkeeper pause`: a person's word in the ledger.

use super::{Look, Reading, refused};
use crate::run::ledger::Pause;

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    match look.ledger.paused(&mut look.session, &look.plan).await {
        Ok(pause) => pause.map(|pause| Reading::switch("pause", true, words(&pause))),
        Err(error) => Some(Reading::unreadable("pause", refused(&error))),
    }
}

/// The pause as a sentence.
pub(in crate::run) fn words(pause: &Pause) -> String {
    format!("paused by {}: {}", pause.by, pause.reason)
}
