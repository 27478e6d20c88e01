use super::{Hit, Look};
use crate::sql::{Change, Dialect, Object};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropObject { object, name, cascade, .. } = change else { return None };
    let what = match object {
        Object::Database => "database",
        Object::Schema if *cascade || before.dialect() == Dialect::Mysql => "schema",
        _ => return None,
    };
    let inside = |table: &&crate::schema::Table| table.name.schema.as_deref() == Some(name.name.as_str());
    let tables: Vec<String> = before.tables().filter(inside).map(|table| format!("`{}`", table.name)).collect();
    let known = if tables.is_empty() { String::new() } else { format!(", {} among them", tables.join(", ")) };
    Some(Hit::new(
        format!("with the {what} `{name}` go all its tables and their rows{known}"),
        "release a version that uses none of them; then drop them one by one, in a contract phase, and the empty one last",
    ))
}
