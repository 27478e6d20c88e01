//! Supabase: `supabase/migrations/<time>_name.sql`.

use super::directory::{Directory, Entry};
use super::order::by_text;
use super::reading::{Place, Reading, Run, Transaction, numbered};
use super::{Sign, Tool};
use crate::sql::Dialect;

pub(super) static TOOL: Tool = Tool {
    name: "supabase",
    recursive: false,
    unique: true,
    sign,
    dialect: |_| Some(Dialect::Postgres),
    read: |directory, _| Reading::of(directory, by_text, |entry, _| place(entry)),
    assumed: "in the order of the names as text, each file in one pipeline, which is a transaction",
};

fn sign(directory: &Directory) -> Option<Sign> {
    let path = directory.path.canonicalize().ok()?;
    let is_place = path.file_name()? == "migrations" && path.parent()?.file_name()? == "supabase";
    let fits = directory.mostly(|entry| entry.script().is_some_and(|name| numbered(name).is_some()));
    (is_place && fits).then_some(Sign::Mark("the directory supabase/migrations"))
}

fn place(entry: &Entry) -> Place {
    match entry.script().and_then(|name| Some((name, numbered(name)?))) {
        Some((name, (version, _))) => Place::run(Run::new(version, Transaction::Always).ordered(by_text(name))),
        None => Place::Aside("Supabase runs only `<time>_name.sql`"),
    }
}
