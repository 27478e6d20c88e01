use super::{Hit, Look};
use crate::schema::catalog::DataTypeKind;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::AddLabel { enumeration, label, .. } = change else { return None };
    let known = before.data_type(enumeration).map(|known| &known.kind);
    let is_there = matches!(known, Some(DataTypeKind::Enum { labels }) if labels.contains(label));
    if is_there || before.is_new_data_type(enumeration) {
        return None;
    }
    Some(Hit::new(
        format!(
            "`{enumeration}` gets the label `{label}`: a running version that reads it without knowing it fails on that row"
        ),
        "release a version that can read it, and only then one that writes it",
    ))
}
