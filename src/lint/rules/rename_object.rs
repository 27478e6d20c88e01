use super::{Hit, Look};
use crate::sql::{Change, Object};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (what, name, becomes) = match change {
        Change::RenameObject { object, name, to, .. } => match object {
            Object::View | Object::MaterializedView if before.is_new(name) => return None,
            Object::Type | Object::Domain if before.is_new_data_type(name) => return None,
            Object::View
            | Object::MaterializedView
            | Object::Function
            | Object::Aggregate
            | Object::Type
            | Object::Domain
            | Object::Sequence
            | Object::Schema => (object.words().to_lowercase(), name, format!("becomes `{to}`")),
            _ => return None,
        },
        Change::MoveToSchema { object, name, schema } => {
            if before.is_new(name) {
                return None;
            }
            (object.words().to_lowercase(), name, format!("moves to the schema `{schema}`"))
        }
        _ => return None,
    };
    Some(Hit::new(
        format!("the {what} `{name}` {becomes}: every query of the running version that names it fails"),
        "create the new one beside it, and drop the old one in a contract phase, when nobody names it any more",
    ))
}
