use super::{Hit, Look};
use crate::schema::effect::Type;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let (table, columns) = match look.change {
        Change::CreateTable { table, columns, .. } => (table, columns.as_slice()),
        Change::AddColumn { table, column, .. } => (table, std::slice::from_ref(column)),
        _ => return None,
    };
    columns.iter().find_map(|column| {
        let (_, trap, instead) = TRAPS.iter().find(|(name, ..)| *name == Type::read(&column.data_type).name)?;
        Some(Hit::new(format!("`{table}.{}` is {}: {trap}", column.name, column.data_type), format!("take {instead}")))
    })
}

/// Types, what is wrong with them, and what to take instead.
const TRAPS: &[(&str, &str, &str)] = &[
    ("json", "it has no `=`, so that SELECT DISTINCT fails", "jsonb"),
    ("char", "it is filled up with blanks", "text, with a CHECK on its length"),
    ("varchar", "its length has to be changed some day", "text, with a CHECK on its length"),
    ("timestamp", "it forgets the time zone", "timestamptz"),
    ("timetz", "a time zone without a date means nothing", "timestamptz, or time"),
    ("money", "what it says depends on a setting of the server", "numeric"),
    ("serial", "who may insert needs a privilege on its sequence as well", "bigint GENERATED ALWAYS AS IDENTITY"),
    ("bigserial", "who may insert needs a privilege on its sequence as well", "bigint GENERATED ALWAYS AS IDENTITY"),
];
