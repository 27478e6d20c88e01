use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::Revoke { privileges, object, name, from } = change else { return None };
    if before.is_new(name) || from.iter().all(|role| role.eq_ignore_ascii_case("public")) {
        return None;
    }
    let what = privileges.join(", ");
    Some(Hit::new(
        format!(
            "{} may no longer {what} on the {} `{name}`: the running version that connects as such a role is refused",
            from.join(", "),
            object.to_lowercase()
        ),
        "revoke in a contract phase, when no process of a version that needs it is left; it is a fence that can be taken back",
    ))
}
