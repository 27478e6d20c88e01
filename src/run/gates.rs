//! The gates in front of a phase: looked at over one snapshot of evidence, waited for, remembered.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Context, Event, Reminder, Request, Trouble, begin, finish, sleep};
use crate::database::{self, DatabaseError, SeenSessions, Session};
use crate::error::{Error, Kind, Result};
use crate::gate::{self, Evidence, Judgement, SessionSeen, Sessions, Verdict};
use crate::plan::{Phase, Plan};
use crate::run::Ledger;

/// What a look at the gates comes to.
pub(super) enum Gates {
    Open {
        /// They were closed for a while: what was known before that may have changed.
        waited: bool,
        /// What they were judged on.
        seen: Evidence,
    },
    /// Nobody wants to wait.
    Closed(Vec<Judgement>),
    Interrupted,
}

/// Looks at the gates of a phase until they are open, or says why they are not.
pub(super) async fn pass<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    request: &Request<'_>,
    phase: Phase,
    before: &mut Vec<Judgement>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Gates> {
    let plan = context.plan;
    let gates = context.gates(phase);
    if gates.is_empty() {
        let seen =
            Evidence { approvals: Vec::new(), sessions: Sessions::Seen(Vec::new()), kubernetes: BTreeMap::new() };
        return Ok(Gates::Open { waited: false, seen });
    }
    let mut waited = false;
    let mut reminder = Reminder::default();
    loop {
        let evidence = evidence(session, context.ledger, plan, &request.directory)
            .await
            .map_err(|error| Trouble::from(error).into_error("the gates"))?;
        let judgements: Vec<Judgement> = gates.iter().map(|gate| gate::judge(gate, &evidence)).collect();
        let news = judgements != *before;
        if news {
            remember(session, context, phase, &judgements).await.map_err(|trouble| trouble.into_error("the gates"))?;
            on_event(Event::Judged { phase, judgements: judgements.clone() });
            before.clone_from(&judgements);
        }
        if let Some(failed) = judgements.iter().find(|judgement| judgement.verdict == Verdict::Fail) {
            return Err(Error::new(Kind::Refused, format!("gate {} refuses the {} phase", failed.gate, phase.name()))
                .because(&failed.because));
        }
        let Some(closed) = judgements.iter().find(|judgement| judgement.verdict != Verdict::Pass) else {
            return Ok(Gates::Open { waited, seen: evidence });
        };
        let Some(pause) = request.wait else { return Ok(Gates::Closed(judgements)) };
        waited = true;
        let because = format!("gate {}: {}", closed.gate, closed.because);
        if reminder.is_due(&because, Instant::now()) {
            on_event(Event::Waiting { because });
        }
        if !sleep(pause, request.stop).await {
            return Ok(Gates::Interrupted);
        }
        if !context
            .ledger
            .renew(session, context.lease)
            .await
            .map_err(|error| Trouble::from(error).into_error("the gates"))?
        {
            return Err(Trouble::LeaseLost.into_error("the gates"));
        }
    }
}

/// With the locks of a contract step held: the gates once more, over the sessions and approvals of this moment
/// and what the cluster said just before (asking it would keep the locks).
///
/// # Errors
/// A gate that is no longer open: the transaction has to be rolled back.
pub(super) async fn hold<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    phase: Phase,
    seen: &Evidence,
) -> Result<(), Trouble> {
    let gates = context.gates(phase);
    if gates.is_empty() {
        return Ok(());
    }
    let approvals = context.ledger.approvals(session, &context.plan.name).await?;
    let now = Evidence { approvals, sessions: sessions(session).await?, kubernetes: seen.kubernetes.clone() };
    match gates.iter().map(|gate| gate::judge(gate, &now)).find(|judgement| judgement.verdict != Verdict::Pass) {
        Some(closed) => Err(Trouble::GateClosed(format!("gate {}: {}", closed.gate, closed.because))),
        None => Ok(()),
    }
}

async fn sessions<S: Session>(session: &mut S) -> Result<Sessions, DatabaseError> {
    Ok(match database::sessions(session).await? {
        SeenSessions::NotKnowable(why) => Sessions::NotKnowable(why),
        SeenSessions::Masked(why) => Sessions::Masked(why),
        SeenSessions::Seen(seen) => {
            let session =
                |one: database::SeenSession| SessionSeen { user: one.user, application_name: one.application_name };
            Sessions::Seen(seen.into_iter().map(session).collect())
        }
    })
}

/// One snapshot of everything that the gates of a plan ask about.
///
/// # Errors
/// What the database refused; what a cluster refuses is part of the evidence.
pub async fn evidence<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &Plan,
    directory: &std::path::Path,
) -> Result<Evidence, DatabaseError> {
    let approvals = ledger.approvals(session, &plan.name).await?;
    let sessions = sessions(session).await?;
    let kubernetes = gate::evidence::kubernetes::collect(plan, directory, std::time::SystemTime::now()).await;
    Ok(Evidence { approvals, sessions, kubernetes })
}

async fn remember<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    phase: Phase,
    judgements: &[Judgement],
) -> Result<(), Trouble> {
    let word = if context.reverting { "revert" } else { phase.name() };
    begin(session).await?;
    let written = async {
        for judgement in judgements {
            context.ledger.judged(session, &context.plan.name, word, judgement).await?;
        }
        context.ledger.fence(session, context.lease).await
    }
    .await;
    finish(session, written).await
}
