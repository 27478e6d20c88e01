use super::{Hit, Look};
use crate::sql::{Change, Object};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (what, name) = match change {
        Change::DropView { view, .. } => (if before.is_new(view) { return None } else { "view" }, view),
        Change::DropFunction { name, .. } => ("function", name),
        Change::DropObject { object, name, .. } => match object {
            Object::Type => ("type", name),
            Object::Domain => ("domain", name),
            Object::Sequence => ("sequence", name),
            Object::Schema => ("schema", name),
            Object::Database => ("database", name),
            Object::Extension => ("extension", name),
            Object::Aggregate => ("aggregate", name),
            _ => return None,
        },
        _ => return None,
    };
    if look.comes_back {
        return None;
    }
    Some(Hit::new(
        format!("the {what} `{name}` is dropped: every query of the running version that uses it fails"),
        "release a version that does not use it, then drop it in a contract phase, when no process of the old one is left",
    ))
}
