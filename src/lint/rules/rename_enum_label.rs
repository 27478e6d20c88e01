use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Change::RenameLabel { enumeration, label, to } = look.change else { return None };
    Some(Hit::new(
        format!(
            "`{label}` of the enum `{enumeration}` becomes `{to}`: the running version that writes or compares with `{label}` fails"
        ),
        format!(
            "add `{to}` as a label of its own, let both versions read both, move the rows, and leave `{label}` unused"
        ),
    ))
}
