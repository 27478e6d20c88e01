//! The files of a plan that began, beside those that it has now.

use super::Ledger;
use crate::database::{DatabaseError, Session};
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;

/// The files of a plan that may change after it has begun: that voids its approvals.
const MAY_CHANGE: [&str; 2] = ["change.toml", "revert.sql"];

/// The files that are not what the ledger knows: other content, added, or gone.
pub(super) fn changed_files(plan: &Plan, known: &[(String, String)]) -> Vec<String> {
    if known.is_empty() {
        return Vec::new();
    }
    let now = plan.files.iter().map(|file| (file.name.clone(), file.digest.clone()));
    let differs = now.filter(|file| !known.contains(file)).map(|(name, _)| name);
    let gone =
        known.iter().map(|(name, _)| name).filter(|name| !plan.files.iter().any(|file| file.name == **name)).cloned();
    let mut names: Vec<String> = differs.chain(gone).collect();
    names.sort();
    names
}

/// Refuses a plan that has begun with other SQL: what is done of it, its files must tell.
///
/// # Errors
/// Which files are not what they were, since when, and how to find them again.
pub(super) async fn refuse_other_sql<S: Session>(session: &mut S, ledger: &Ledger, plan: &Plan) -> Result<()> {
    let unreadable = |error: DatabaseError| Error::new(Kind::Connection, "the ledger cannot be read").because(error);
    let known = ledger.files(session, &plan.name).await.map_err(unreadable)?;
    let changed: Vec<String> =
        changed_files(plan, &known).into_iter().filter(|name| !MAY_CHANGE.contains(&name.as_str())).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let record = ledger.plan(session, &plan.name).await.map_err(unreadable)?;
    let since = record.and_then(|record| record.started_at).unwrap_or_else(|| "?".to_string());
    let error = Error::input(format!(
        "{}: {} changed after the plan had begun, {since} UTC: what is done in the database is told by the files as they were",
        plan.name,
        changed.join(", ")
    ));
    let error = changed.iter().fold(error, |error, name| {
        let of = |digest: Option<&str>| digest.map_or("not there".to_string(), |digest| digest[..12].to_string());
        let was = known.iter().find(|(known, _)| known == name).map(|(_, digest)| digest.as_str());
        let is = plan.files.iter().find(|file| file.name == *name).map(|file| file.digest.as_str());
        error.because(format!("{name} was {} (sha256), and is {}", of(was), of(is)))
    });
    let file = &changed[0];
    Err(error
        .hint(format!("put them back: `git log -- {file}` in the change's directory lists what they were, and `git show COMMIT:./{file} | sha256sum` tells the right one"))
        .hint("with them back, `lockkeeper run` goes on and `lockkeeper revert` undoes; a correction is a change of its own, after this one"))
}
