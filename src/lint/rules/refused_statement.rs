use super::{Hit, Look};
use crate::schema::catalog::{Catalog, Kind};
use crate::sql::{Change, Column, ConstraintKind, Dialect, Flavour, Generated, Name};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let (why, help) = match before.dialect() {
        Dialect::Postgres => of_postgres(look)?,
        Dialect::Sqlite => match change {
            Change::AddColumn { table, column, .. } if !before.is_new(table) => of_sqlite(column)?,
            _ => return None,
        },
        Dialect::Mysql => return None,
    };
    Some(Hit::new(format!("the server refuses `{}`: {why}", change.words()), help))
}

fn of_postgres(look: &Look<'_>) -> Option<(String, String)> {
    let Look { change, before, engine, .. } = *look;
    let is_partitioned = |table: &Name| before.table(table).is_some_and(|known| known.partitioned);
    match change {
        Change::CreateIndex { table, concurrently: true, .. } if is_partitioned(table) => Some((
            format!("`{table}` is partitioned, and its indexes cannot be built concurrently"),
            "make it `ON ONLY` the parent; then the same index CONCURRENTLY on each partition, and `ALTER INDEX ... ATTACH \
             PARTITION` for each"
                .into(),
        )),
        Change::AddConstraint { table, constraint }
            if constraint.not_valid
                && matches!(constraint.kind, ConstraintKind::ForeignKey { .. })
                && is_partitioned(table)
                && engine.may_be_before(Flavour::Postgres, 18) =>
        {
            Some((
                format!("`{table}` is partitioned, and before PostgreSQL 18 its foreign keys cannot be NOT VALID"),
                "add it to each partition NOT VALID, validate it there, and then to the parent".into(),
            ))
        }
        Change::ChangeType { table, column, .. } | Change::DropColumn { table, column, cascade: false, .. } => {
            let view = views(before, table).next()?;
            let quoted = before.dialect().quote_name(&view);
            Some((
                format!("if the view `{view}`, which reads `{table}`, uses `{column}`"),
                format!("in one transaction: `DROP VIEW {quoted}`, this, and the view anew"),
            ))
        }
        _ => None,
    }
}

/// The views that read a table.
fn views<'a>(before: &'a Catalog, table: &'a Name) -> impl Iterator<Item = Name> + 'a {
    before.users(table).filter(|user| user.kind != Kind::Table).map(|user| user.name.clone())
}

/// What SQLite cannot add to a table that has rows (`lang_altertable.html`, section 4).
fn of_sqlite(column: &Column) -> Option<(String, String)> {
    let default = column.default.as_deref().unwrap_or_default();
    let clocks = ["current_time", "current_date", "current_timestamp"];
    let why = if column.primary_key {
        "a column that is added can be no key"
    } else if column.unique {
        "a column that is added cannot be UNIQUE"
    } else if column.generated == Some(Generated::Stored) {
        "a column that is added cannot be STORED"
    } else if default.starts_with('(') || clocks.iter().any(|clock| default.eq_ignore_ascii_case(clock)) {
        "the default of a column that is added to rows has to be a constant"
    } else if column.references.is_some() && !default.is_empty() {
        "where foreign keys are enforced, a column that is added with REFERENCES has to be NULL"
    } else {
        return None;
    };
    Some((why.to_string(), "add it without that, or rebuild the table; a unique index can be made afterwards".into()))
}
