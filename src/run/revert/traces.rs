//! The traces that a change has left: where the definitions of what it names are not what they were before its first
//! step. The ledger remembers them, so that an undo can tell what it has not undone.

use std::collections::BTreeMap;
use std::fmt;

use crate::database::{self, DatabaseError, Fact, Session};
use crate::plan::Plan;
use crate::plan::revert::{culprit, objects};
use crate::run::{Context, Ledger, Trouble, begin, finish};
use crate::sql::{Dialect, Name};

/// A part of an object, or all of it, that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    object: Name,
    kind: String,
    name: String,
    was: Option<String>,
    is: Option<String>,
    /// The statement that it comes from, as far as its text can tell.
    place: Option<String>,
}

/// Writes down how everything is defined that the change names; before its first step.
pub(in crate::run) async fn remember<S: Session>(session: &mut S, context: &Context<'_>) -> Result<(), Trouble> {
    let Context { plan, ledger, lease, .. } = *context;
    let mut definitions = Vec::new();
    for object in objects(plan) {
        // Also of what is not there: an object without facts is not one that nobody looked at.
        let looked_at = Fact { kind: String::new(), name: String::new(), definition: String::new() };
        let facts = database::definition(session, &object).await?;
        definitions.extend([looked_at].into_iter().chain(facts).map(|fact| (object.to_string(), fact)));
    }
    if definitions == ledger.definitions(session, &plan.name).await? {
        return Ok(());
    }
    begin(session).await?;
    let written = async {
        ledger.set_definitions(session, &plan.name, &definitions).await?;
        ledger.fence(session, lease).await
    }
    .await;
    finish(session, written).await
}

/// What is not as it was before the first step. `None`: the ledger does not know how it was.
pub(super) async fn of<S: Session>(
    session: &mut S,
    ledger: &Ledger,
    plan: &Plan,
) -> Result<Option<Vec<Trace>>, DatabaseError> {
    let remembered = ledger.definitions(session, &plan.name).await?;
    let objects = objects(plan);
    if remembered.is_empty() && !objects.is_empty() {
        return Ok(None);
    }
    let mut traces = Vec::new();
    for object in objects {
        let known = object.to_string();
        let before = remembered.iter().filter(|(name, fact)| *name == known && !fact.kind.is_empty());
        let before = parts(before.map(|(_, fact)| fact));
        let now = database::definition(session, &object).await?;
        traces.extend(differences(plan, &object, &before, &parts(now.iter())));
    }
    Ok(Some(traces))
}

/// Definitions by kind and name; functions of one name are one.
type Parts = BTreeMap<(String, String), String>;

fn parts<'a>(facts: impl Iterator<Item = &'a Fact>) -> Parts {
    let mut parts = Parts::new();
    for Fact { kind, name, definition } in facts {
        *parts.entry((kind.clone(), name.clone())).or_default() += definition;
    }
    parts
}

/// The parts that are objects of their own.
const OBJECTS: [&str; 7] = ["table", "options of table", "view", "sequence", "function", "type", "index"];

fn differences(plan: &Plan, object: &Name, before: &Parts, now: &Parts) -> Vec<Trace> {
    let trace = |kind: &str, name: &str, was: Option<&String>, is: Option<&String>| {
        let place = culprit(plan, object, kind, name).map(|step| format!("{}:{}", step.file, step.line));
        let (kind, name) = (kind.to_string(), name.to_string());
        Trace { object: object.clone(), kind, name, was: was.cloned(), is: is.cloned(), place }
    };
    // What came or went as a whole takes its parts along.
    if before.is_empty() != now.is_empty() {
        let parts = if before.is_empty() { now } else { before };
        let whole = parts.iter().find(|((kind, _), _)| OBJECTS.contains(&kind.as_str()));
        return whole.map_or_else(Vec::new, |((kind, _), definition)| {
            let kind = kind.strip_prefix("options of ").unwrap_or(kind);
            let (was, is) = if before.is_empty() { (None, Some(definition)) } else { (Some(definition), None) };
            vec![trace(kind, &object.name, was, is)]
        });
    }
    let mut keys: Vec<&(String, String)> = before.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| before.get(key) != now.get(key));
    let of_changed_column = |(kind, name): &&(String, String)| {
        let column = ("column".to_string(), name.clone());
        kind.ends_with("of column") && before.contains_key(&column) != now.contains_key(&column)
    };
    let differ = differ.filter(|key| !of_changed_column(key));
    differ.map(|key| trace(&key.0, &key.1, before.get(key), now.get(key))).collect()
}

impl Trace {
    /// It comes from the change, and something undoes it: a label that was added to an enum stays for good.
    pub(super) fn is_ours(&self) -> bool {
        self.place.is_some() && !(self.kind == "label" && self.was.is_none())
    }

    fn thing(&self) -> String {
        let Self { object, kind, name, .. } = self;
        match kind.as_str() {
            "column" => format!("column {object}.{name}"),
            kind if kind.ends_with("of column") => format!("{kind} {object}.{name}"),
            kind if name.is_empty() => format!("{kind} of {object}"),
            kind if *name == object.name => format!("{kind} {object}"),
            kind => format!("{kind} {name} on {object}"),
        }
    }

    /// The statement that would undo it, where the definitions tell it.
    fn undoing(&self, dialect: Dialect) -> Option<String> {
        let Self { object, kind, name, was, is, .. } = self;
        let quoted = dialect.quote(name);
        let on = dialect.quote_name(object);
        let alter = |action: String| Some(format!("ALTER TABLE {on} {action}"));
        let is_object = *name == object.name;
        match (kind.as_str(), was.as_deref(), is.as_deref()) {
            ("table", None, _) => Some(format!("DROP TABLE {on}")),
            ("view" | "sequence" | "function" | "type", None, _) => Some(format!("DROP {} {on}", kind.to_uppercase())),
            ("index", None, _) => Some(match dialect {
                Dialect::Postgres => {
                    let schema = object.schema.clone();
                    let index = dialect.quote_name(&Name { schema, name: name.clone() });
                    format!("DROP INDEX CONCURRENTLY {index}")
                }
                Dialect::Mysql => format!("DROP INDEX {quoted} ON {on}"),
                Dialect::Sqlite => format!("DROP INDEX {quoted}"),
            }),
            ("index", Some(was), None) => match dialect {
                Dialect::Postgres => Some(was.replacen("INDEX ", "INDEX CONCURRENTLY ", 1)),
                Dialect::Mysql if !is_object => alter(format!("ADD {was}")),
                _ => Some(was.to_string()),
            },
            ("trigger", None, _) if dialect == Dialect::Postgres => Some(format!("DROP TRIGGER {quoted} ON {on}")),
            ("trigger", None, _) => Some(format!("DROP TRIGGER {quoted}")),
            ("constraint", None, _) if dialect == Dialect::Mysql && name == "PRIMARY" => {
                alter("DROP PRIMARY KEY".into())
            }
            ("constraint", None, _) if dialect != Dialect::Sqlite => alter(format!("DROP CONSTRAINT {quoted}")),
            ("constraint", Some(was), None) if dialect == Dialect::Mysql => alter(format!("ADD {was}")),
            ("column", None, _) => alter(format!("DROP COLUMN {quoted}")),
            ("column", Some(was), Some(_)) if dialect == Dialect::Mysql => {
                alter(format!("MODIFY COLUMN {quoted} {was}"))
            }
            _ if dialect != Dialect::Postgres => None,
            ("NOT NULL of column", None, _) => alter(format!("ALTER COLUMN {quoted} DROP NOT NULL")),
            ("default of column", None, _) => alter(format!("ALTER COLUMN {quoted} DROP DEFAULT")),
            ("default of column", Some(was), _) => alter(format!("ALTER COLUMN {quoted} SET DEFAULT {was}")),
            ("row level security", None, _) => alter("DISABLE ROW LEVEL SECURITY".into()),
            ("policy", None, _) => Some(format!("DROP POLICY {quoted} ON {on}")),
            _ => None,
        }
    }

    /// What depends on something else goes first.
    fn rank(&self) -> usize {
        let order = ["view", "constraint", "index", "trigger", "function", "policy", "default of column", "column"];
        order.iter().position(|kind| *kind == self.kind).unwrap_or(order.len())
    }
}

/// `column orders.note as bigint, which was integer (expand.sql:3)`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.thing())?;
        let short = |definition: &str| definition.len() <= 80 && !definition.contains('\n');
        match (&self.was, &self.is) {
            (Some(_), None) => f.write_str(", which is gone")?,
            (Some(was), Some(is)) if short(was) && short(is) => write!(f, " as `{is}`, which was `{was}`")?,
            (Some(_), Some(_)) => f.write_str(", which is defined otherwise than before")?,
            (None, _) => {}
        }
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// A revert.sql that undoes these, as far as it can be told; what cannot stands in comments.
pub(super) fn undoing(dialect: Dialect, traces: &[Trace]) -> String {
    let mut ours: Vec<&Trace> = traces.iter().filter(|trace| trace.is_ours()).collect();
    ours.sort_by_key(|trace| trace.rank());
    let mut sql = String::new();
    for trace in ours {
        sql += &match trace.undoing(dialect) {
            Some(statement) => format!("{statement};\n"),
            None => format!("-- by hand: {trace}\n"),
        };
    }
    sql
}
