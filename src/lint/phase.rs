//! What the phase of a migration excuses, what does not belong in it, and contracts that never came.

use std::collections::{BTreeMap, BTreeSet};

use super::ignores::Honoured;
use super::rules::Look;
use super::suppression;
use crate::history::{History, Phase};
use crate::schema::catalog::Kind;
use crate::schema::{Catalog, Table};
use crate::settings::Settings;
use crate::sql::{Change, ConstraintKind};

/// In which phase a migration is, and who says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct InPhase {
    pub(super) phase: Option<Phase>,
    /// It is part of a phased change: the runner's gates keep its contract back, whatever is released when.
    pub(super) gated: bool,
}

impl InPhase {
    /// Its contract runs as soon as its release does.
    pub(super) fn is_open_contract(self) -> bool {
        self.phase == Some(Phase::Contract) && !self.gated
    }
}

/// What a contract does away with although its expand goes out with it; `None` also where releases are not known.
pub(super) fn too_early(look: &Look<'_>) -> Option<String> {
    let Look { change, before, .. } = *look;
    if !before.knows_release() {
        return None;
    }
    let new_column = |table, column| (!before.is_new(table) && before.is_new_column(table, column)).then_some(column);
    let from_the_same = |what: String| Some(format!("{what} in the same release"));
    match change {
        Change::DropColumn { table, column, .. } => {
            let known = before.table(table).filter(|known| !before.is_own(&known.born))?;
            let old = known.columns.values().find(|other| before.same(&other.name, column));
            if old.is_some_and(|old| before.is_own(&old.at)) {
                return None;
            }
            let new = known.columns.values().find(|other| before.is_own(&other.at));
            match new {
                Some(new) => from_the_same(format!("`{table}.{column}` is dropped, and `{}` is added", new.name)),
                None => {
                    let trigger = new_trigger(known, before)?;
                    from_the_same(format!("`{table}.{column}` is dropped, and the trigger `{trigger}` is created"))
                }
            }
        }
        Change::DropTable { table, .. } => {
            let trigger = new_trigger(before.table(table).filter(|known| !before.is_own(&known.born))?, before)?;
            from_the_same(format!("`{table}` is dropped, and its trigger `{trigger}` is created"))
        }
        Change::DropTrigger { table: Some(table), name, .. } => {
            let known = before.table(table).filter(|known| !before.is_own(&known.born))?;
            let (_, born) = known.triggers.iter().find(|(other, _)| before.same(other, name))?;
            before.is_own(born).then_some(())?;
            from_the_same(format!("the trigger `{name}` on `{table}` is dropped, and created"))
        }
        Change::DropView { view, .. } => {
            before.is_new(view).then_some(())?;
            from_the_same(format!("the view `{view}` is dropped, and created"))
        }
        Change::SetNotNull { table, column } => {
            let column = new_column(table, column)?;
            from_the_same(format!("`{table}.{column}` refuses NULL, and is added"))
        }
        Change::AddConstraint { table, constraint } => {
            let columns: Vec<&String> = match &constraint.kind {
                ConstraintKind::NotNull { column } => vec![column],
                ConstraintKind::Unique { columns } | ConstraintKind::ForeignKey { columns, .. } => {
                    columns.iter().collect()
                }
                ConstraintKind::Check { .. } | ConstraintKind::PrimaryKey { .. } | ConstraintKind::Exclude => {
                    return None;
                }
            };
            let column = columns.into_iter().find_map(|column| new_column(table, column))?;
            from_the_same(format!("`{table}.{column}` is constrained, and is added"))
        }
        _ => None,
    }
}

fn new_trigger<'a>(known: &'a Table, before: &Catalog) -> Option<&'a str> {
    known.triggers.iter().find(|(_, born)| before.is_own(born)).map(|(name, _)| name.as_str())
}

pub(super) const TOO_EARLY_HELP: &str = "let the release with the expand go out alone, and bring the contract with a later one: \
     until then the version that is running, and the one that you may roll back to, know the old shape only";

/// What a migration in contract adds although every version that needs it is out already.
pub(super) fn additive(look: &Look<'_>) -> Option<String> {
    match look.change {
        Change::AddColumn { table, column, .. } if !look.before.is_new(table) => {
            Some(format!("`{table}.{}` is added in contract", column.name))
        }
        Change::CreateTable { table, columns_from, temporary: false, .. } if columns_from.is_empty() => {
            let is_renamed = |other: &Change| matches!(other, Change::RenameTable { table: from, .. } if look.before.is_same_table(from, table));
            let made = look.whole.of(table, 0..usize::MAX).any(is_renamed);
            (!made).then(|| format!("the table `{table}` is created in contract"))
        }
        Change::AddLabel { enumeration, label, .. } => {
            Some(format!("`{enumeration}` gets the label `{label}` in contract"))
        }
        _ => None,
    }
}

/// What stays open: the migration that opened it, and what it is.
type Open = (usize, String);

/// What was opened more than `settings.forgotten_after` migrations before the one of number `last`.
pub(super) fn forgotten(history: &History, settings: &Settings, catalog: &Catalog, last: usize) -> Vec<Open> {
    let is_old = |born: usize| born > 0 && last.saturating_sub(born) > settings.forgotten_after;
    let mut renamed = BTreeMap::new();
    let mut expands = BTreeMap::new();
    let mut open = Vec::new();
    for table in catalog.tables() {
        let name = &table.name;
        for (constraint, known) in
            table.constraints.iter().filter(|(_, known)| known.not_valid && is_old(known.at.migration))
        {
            open.push((known.at.migration, format!("the constraint `{constraint}` on `{name}` is not validated")));
        }
        for (trigger, born) in table.triggers.iter().filter(|(_, born)| is_old(born.migration)) {
            if *expands.entry(born.migration).or_insert_with(|| is_expand(history, settings, catalog, born.migration)) {
                open.push((
                    born.migration,
                    format!("the trigger `{trigger}` on `{name}`, which an expand made, still works"),
                ));
            }
        }
        if table.kind == Kind::View && is_old(table.born.migration) {
            let names =
                renamed.entry(table.born.migration).or_insert_with(|| renamed_in(history, table.born.migration));
            if names.contains(&name.name) {
                open.push((
                    table.born.migration,
                    format!("the view `{name}` still stands for a table that was renamed"),
                ));
            }
        }
    }
    open.sort();
    open
}

fn is_expand(history: &History, settings: &Settings, catalog: &Catalog, number: usize) -> bool {
    history.migrations.get(number - 1).is_some_and(|migration| {
        let said = || suppression::read(migration, catalog.dialect(), None, Honoured::default()).phase;
        migration.phase.or_else(said).or_else(|| settings.phase(&migration.path)) == Some(Phase::Expand)
    })
}

/// The names that a migration took from tables.
fn renamed_in(history: &History, number: usize) -> BTreeSet<String> {
    let changes = history.migrations.get(number - 1).into_iter().flat_map(super::changes);
    let names = changes.filter_map(|change| match change {
        Change::RenameTable { table, .. } => Some(table.name.clone()),
        _ => None,
    });
    names.collect()
}
