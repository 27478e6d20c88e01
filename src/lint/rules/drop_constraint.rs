use super::{Hit, Look};
use crate::schema::catalog::mentions;
use crate::sql::{Change, Constraint, ConstraintKind, Name, conditions};

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
    let becomes_not_null = |column: &String| {
        before.column(table, column).is_some_and(|known| known.not_null)
            || look
                .throughout(table)
                .any(|other| matches!(other, Change::SetNotNull { column: of, .. } if before.same(of, column)))
    };
    let has_served = match constraint.map(|constraint| &constraint.kind) {
        Some(ConstraintKind::Check { expression }) => {
            let conditions = conditions(expression, before.dialect());
            conditions
                .iter()
                .all(|condition| not_null_column(condition).is_some_and(|column| becomes_not_null(&column)))
        }
        _ => false,
    };
    has_served
        || look.whole.of(table, 0..usize::MAX).any(|other| match other {
            Change::DropTable { table: gone, .. } => before.is_same_table(gone, table),
            Change::DropColumn { table: on, column, .. } => before.is_same_table(on, table) && names(column),
            Change::AddConstraint { table: on, constraint: new } => {
                let is_same = new.name.as_deref() == Some(name)
                    || constraint.is_some_and(|old| keeps(&old.kind, &new.kind, look));
                before.is_same_table(on, table) && is_same
            }
            _ => false,
        })
}

/// The column of `column IS NOT NULL`.
fn not_null_column(condition: &str) -> Option<String> {
    let words: Vec<_> =
        condition.split(|c: char| c.is_whitespace() || "()".contains(c)).filter(|it| !it.is_empty()).collect();
    let [column, rest @ ..] = words.as_slice() else { return None };
    rest.join(" ").eq_ignore_ascii_case("is not null").then(|| column.trim_matches(['"', '`']).to_string())
}

/// The new one says at least what the old one said: the same, or the same foreign key over more columns.
fn keeps(old: &ConstraintKind, new: &ConstraintKind, look: &Look<'_>) -> bool {
    match (old, new) {
        (
            ConstraintKind::ForeignKey { columns, references },
            ConstraintKind::ForeignKey { columns: more, references: to },
        ) => look.before.is_same_table(references, to) && columns.iter().all(|column| more.contains(column)),
        _ => old == new,
    }
}
