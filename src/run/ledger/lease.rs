//! The lease: one runner at a time, and a token that stops one that was overtaken.

use super::{Ledger, text};
use crate::database::{DatabaseError, Session, Value};
use crate::run::Trouble;

/// The right to write, until another runner takes it over: its token grows with every holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub holder: String,
    pub token: i64,
}

/// Who holds the lease when it was not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    pub holder: String,
    /// UTC, to the second.
    pub until: String,
}

impl HeldBy {
    /// The holder for people: what follows the host, namespace and boot, is for machines.
    pub fn shown(&self) -> &str {
        self.holder.split(" pid:[").next().unwrap_or_default()
    }
}

impl Ledger {
    /// Takes the lease when it is free, expired, our own, or held by `dead`, a holder known to be gone.
    pub async fn acquire<S: Session>(
        &self,
        session: &mut S,
        holder: &str,
        dead: Option<&str>,
    ) -> Result<Result<Lease, HeldBy>, DatabaseError> {
        let taken = self
            .execute(
                session,
                "UPDATE {prefix}lease SET holder = ?, token = token + 1, held_until = {lease_end} \
                 WHERE id = 1 AND (held_until <= {now} OR holder = ? OR holder = ?)",
                &[text(holder), text(holder), text(dead.unwrap_or(holder))],
            )
            .await?;
        let until = self.words.time_text("held_until");
        let rows = self
            .query(session, &format!("SELECT holder, token, {until} FROM {{prefix}}lease WHERE id = 1"), &[])
            .await?;
        let (current, token, until) = match rows.first().map(Vec::as_slice) {
            Some([Value::Text(current), Value::Int(token), Value::Text(until)]) => {
                (current.clone(), *token, until.clone())
            }
            _ => (String::new(), 0, String::new()),
        };
        // Whoever took it over between the two questions has the token that we would read here.
        Ok(if taken == 1 && current == holder {
            Ok(Lease { holder: holder.to_string(), token })
        } else {
            Err(HeldBy { holder: current, until })
        })
    }

    /// Lives on for another half minute; false when somebody else has the lease.
    pub async fn renew<S: Session>(&self, session: &mut S, lease: &Lease) -> Result<bool, DatabaseError> {
        let renewed = self
            .execute(
                session,
                "UPDATE {prefix}lease SET held_until = {lease_end} WHERE id = 1 AND token = ?",
                &[Value::Int(lease.token)],
            )
            .await?;
        Ok(renewed == 1)
    }

    /// Gives the lease back, so that the next runner need not wait for its end. What held this one, nobody waits for now.
    pub async fn release<S: Session>(&self, session: &mut S, lease: &Lease) -> Result<(), DatabaseError> {
        let held = "DELETE FROM {prefix}throttled WHERE token = ?";
        self.execute(session, held, &[Value::Int(lease.token)]).await?;
        self.execute(
            session,
            "UPDATE {prefix}lease SET holder = '', held_until = {now} WHERE id = 1 AND token = ?",
            &[Value::Int(lease.token)],
        )
        .await?;
        Ok(())
    }

    /// Inside a transaction that writes: stops it when another runner has taken over.
    pub(in crate::run) async fn fence<S: Session>(&self, session: &mut S, lease: &Lease) -> Result<(), Trouble> {
        if self.renew(session, lease).await? { Ok(()) } else { Err(Trouble::LeaseLost) }
    }
}
