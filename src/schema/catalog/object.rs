//! What besides tables has a place in the catalog: types and sequences.

use super::{Birth, Catalog};
use crate::sql::{Beside, Change, Name};

/// A type that the history made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataType {
    pub name: Name,
    pub kind: DataTypeKind,
    pub born: Birth,
}

/// What kind of type it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataTypeKind {
    /// With its labels in their order.
    Enum {
        labels: Vec<String>,
    },
    Domain {
        data_type: String,
        not_null: bool,
        check: bool,
    },
    /// A composite or a range.
    Other,
}

/// A sequence that the history made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub name: Name,
    /// The table and the column with which it goes.
    pub owned_by: Option<(Name, String)>,
    pub born: Birth,
}

impl Catalog {
    /// Replays what a change does to types and sequences; false where it is about neither.
    pub(super) fn apply_to_object(&mut self, change: &Change) -> bool {
        match change {
            Change::CreateType { name, labels } => {
                let kind = labels.clone().map_or(DataTypeKind::Other, |labels| DataTypeKind::Enum { labels });
                self.add_data_type(name, kind);
            }
            Change::CreateDomain { domain, data_type, not_null, check } => {
                let (data_type, not_null, check) = (data_type.clone(), *not_null, *check);
                self.add_data_type(domain, DataTypeKind::Domain { data_type, not_null, check });
            }
            Change::AddLabel { enumeration, label, beside, .. } => {
                if let Some(labels) = self.labels(enumeration)
                    && !labels.contains(label)
                {
                    let place = |neighbour| labels.iter().position(|known| known == neighbour);
                    let at = match beside {
                        Some(Beside::Before(next)) => place(next),
                        Some(Beside::After(last)) => place(last).map(|at| at + 1),
                        None => None,
                    };
                    labels.insert(at.unwrap_or(labels.len()), label.clone());
                }
            }
            Change::RenameLabel { enumeration, label, to } => {
                let known = self.labels(enumeration).and_then(|labels| labels.iter_mut().find(|known| *known == label));
                if let Some(known) = known {
                    known.clone_from(to);
                }
            }
            Change::CreateSequence { sequence, .. } => {
                let key = self.resolve(sequence, |key| self.sequences.contains_key(key));
                let born = self.at.clone();
                self.sequences.entry(key).or_insert(Sequence { name: sequence.clone(), owned_by: None, born });
            }
            _ => return false,
        }
        true
    }

    fn add_data_type(&mut self, name: &Name, kind: DataTypeKind) {
        let key = self.resolve(name, |key| self.data_types.contains_key(key));
        self.data_types.insert(key, DataType { name: name.clone(), kind, born: self.at.clone() });
    }

    fn labels(&mut self, enumeration: &Name) -> Option<&mut Vec<String>> {
        let key = self.resolve(enumeration, |key| self.data_types.contains_key(key));
        match &mut self.data_types.get_mut(&key)?.kind {
            DataTypeKind::Enum { labels } => Some(labels),
            _ => None,
        }
    }

    /// The key of the type that a column's type names, if the history made it.
    pub(super) fn data_type_key(&self, written: &str) -> Option<Name> {
        if self.data_types.is_empty() {
            return None;
        }
        let base = written.split(['(', '[']).next().unwrap_or_default().trim();
        let bare = |part: &str| part.trim_matches('"').to_string();
        let name = match base.rsplit_once('.') {
            Some((schema, name)) => Name { schema: Some(bare(schema)), name: bare(name) },
            None => Name::plain(bare(base)),
        };
        Some(self.resolve(&name, |key| self.data_types.contains_key(key)))
            .filter(|key| self.data_types.contains_key(key))
    }
}
