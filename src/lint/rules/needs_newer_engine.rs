use super::{Hit, Look};
use crate::sql::Flavour;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let since = look.effect?.since?;
    let flavour = Flavour::ALL.into_iter().find(|flavour| look.engine.may_be(*flavour))?;
    if look.engine.may_be_from(flavour, since) {
        return None;
    }
    let message =
        format!("{flavour} does this from {since} on, and the engine is said to be older: it refuses the statement");
    Some(Hit::new(message, format!("leave it out until every server is {flavour} {since} or newer")))
}
