use super::{Hit, Look};
use crate::schema::catalog::mentions;
use crate::sql::{Change, Constraint, ConstraintKind, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropConstraint { table, name, if_exists, .. } = change else { return None };
    let known = before.table(table);
    let constraint = known.and_then(|known| known.constraints.iter().find(|(other, _)| before.same(other, name)));
    let constraint = constraint.map(|(_, constraint)| &constraint.part);
    let is_missing = constraint.is_none() && *if_exists && known.is_some_and(|known| known.parts_known);
    if before.is_new(table) || is_missing || leaves_no_gap(look, table, name, constraint) {
        return None;
    }
    let message = match constraint.map(|constraint| &constraint.kind) {
        // Rules of their own speak of these.
        Some(ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. }) => return None,
        Some(ConstraintKind::ForeignKey { references, .. }) => format!(
            "without `{name}` rows of `{table}` may point to rows of `{references}` that are not there: the running version \
             does not expect that"
        ),
        Some(ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } | ConstraintKind::Exclude) => format!(
            "without `{name}` rows may get into `{table}` that it kept out: the running version that reads them does not \
             expect that"
        ),
        None if known.is_some_and(|known| known.indexes.contains_key(name)) => return None,
        None => format!(
            "what `{name}` on `{table}` guarantees, the migrations read do not tell: the running version may rely on it, and if \
             it is a key, its upserts fail"
        ),
    };
    Some(Hit::new(
        message,
        "release a version that can do without it first; only then let anybody write what it kept out",
    ))
}

/// It goes with what it is about, or another one says the same.
fn leaves_no_gap(look: &Look<'_>, table: &Name, name: &str, constraint: Option<&Constraint>) -> bool {
    let before = look.before;
    let names = |column: &str| match constraint.map(|constraint| &constraint.kind) {
        Some(ConstraintKind::ForeignKey { columns, .. }) => columns.iter().any(|named| before.same(named, column)),
        Some(ConstraintKind::Check { expression }) => mentions(expression, column),
        _ => false,
    };
    let is_proof = matches!(constraint.map(|constraint| &constraint.kind),
        Some(ConstraintKind::Check { expression }) if says_not_null(expression));
    let is_proof_of = |column: &str| is_proof && names(column);
    let is_done = before
        .table(table)
        .is_some_and(|known| known.columns.values().any(|column| column.not_null && is_proof_of(&column.name)));
    is_done
        || look.whole.of(table, 0..usize::MAX).any(|other| match other {
            Change::DropTable { table: gone, .. } => before.is_same_table(gone, table),
            Change::DropColumn { table: on, column, .. } => before.is_same_table(on, table) && names(column),
            Change::SetNotNull { table: on, column } => before.is_same_table(on, table) && is_proof_of(column),
            Change::AddConstraint { table: on, constraint: new } => {
                let is_same = new.name.as_deref() == Some(name) || constraint.is_some_and(|old| old.kind == new.kind);
                before.is_same_table(on, table) && is_same
            }
            _ => false,
        })
}

/// `column IS NOT NULL`, and nothing else.
fn says_not_null(expression: &str) -> bool {
    let words: Vec<_> =
        expression.split(|c: char| c.is_whitespace() || "()".contains(c)).filter(|it| !it.is_empty()).collect();
    matches!(words.as_slice(), [_, is, not, null]
        if is.eq_ignore_ascii_case("is") && not.eq_ignore_ascii_case("not") && null.eq_ignore_ascii_case("null"))
}
