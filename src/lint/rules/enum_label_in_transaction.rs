use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::AddLabel { enumeration, label, .. } = change else { return None };
    if !look.in_transaction() || before.is_new_data_type(enumeration) {
        return None;
    }
    let literal = format!("'{}'", label.replace('\'', "''"));
    let rest = look.whole.all()[look.own.end..].iter();
    let mut same_transaction = rest.take_while(|change| !matches!(change, Change::Commit | Change::Rollback));
    let user = same_transaction.find(|change| names(change, &literal))?;
    Some(Hit::new(
        format!(
            "the label {literal} of `{enumeration}` is used by {} in the transaction that adds it: the server refuses that, and the \
             migration fails",
            user.words()
        ),
        "add the label in a migration of its own, in front of the one that uses it",
    ))
}

/// Whether a change's expressions name the label. The rows of an INSERT are not kept.
fn names(change: &Change, literal: &str) -> bool {
    let has = |text: &String| text.contains(literal);
    match change {
        Change::Update { set, filter, .. } => {
            set.iter().any(|it| has(&it.expression)) || filter.iter().any(|it| has(&it.text))
        }
        Change::Delete { filter, .. } => filter.iter().any(|it| has(&it.text)),
        Change::SetDefault { expression, .. } => has(expression),
        Change::AddColumn { column, .. } => column.default.as_ref().is_some_and(has),
        Change::CreateTable { columns, .. } => columns.iter().any(|it| it.default.as_ref().is_some_and(has)),
        Change::AddConstraint { constraint, .. } => {
            matches!(&constraint.kind, ConstraintKind::Check { expression } if has(expression))
        }
        Change::CreateIndex { index, .. } => index.predicate.as_ref().is_some_and(has),
        Change::ChangeType { using, .. } => using.as_ref().is_some_and(has),
        _ => false,
    }
}
