use super::{Hit, Look};
use crate::sql::{Change, Name, Object};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    if let Change::CreateView { view, or_replace: true, reads, columns, .. } = change {
        return loses_columns(look, view, reads, columns);
    }
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
        let anew = look.whole.all()[look.own.end..].iter().find_map(|later| match later {
            Change::CreateView { view, reads, columns, .. } if before.is_same_table(view, name) => {
                Some((reads, columns))
            }
            _ => None,
        });
        return anew.and_then(|(reads, columns)| loses_columns(look, name, reads, columns));
    }
    Some(Hit::new(
        format!("the {what} `{name}` is dropped: every query of the running version that uses it fails"),
        "release a version that does not use it, then drop it in a contract phase, when no process of the old one is left",
    ))
}

/// A view that is made anew without a column that it had.
fn loses_columns(look: &Look<'_>, view: &Name, reads: &[Name], columns: &[String]) -> Option<Hit> {
    let before = look.before;
    let gives = before.given(reads, columns);
    let gone = before.table(view)?.gives.iter().find(|had| !gives.iter().any(|given| before.same(given, had)));
    let gone = gone.filter(|_| !gives.is_empty() && !before.is_new(view))?;
    Some(Hit::new(
        format!(
            "the view `{view}` comes back without `{gone}`: every query of the running version that names it fails"
        ),
        "keep the column until no version that is live or wanted names it",
    ))
}
