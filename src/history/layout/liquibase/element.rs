//! A change or a part of one, asked for what it says: names quoted as the dialect needs, properties put in.

use std::ops::Range;

use super::node::Node;
use super::property::Properties;
use crate::sql::Dialect;

/// An element while it is written out as SQL.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) node: &'a Node,
    pub(super) dialect: Dialect,
    pub(super) properties: &'a Properties,
}

impl<'a> Element<'a> {
    /// The value of an attribute.
    pub(super) fn said(&self, name: &str) -> Option<String> {
        self.node.value(name).map(|value| self.properties.expand(&value.text))
    }

    /// The value of an attribute, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.said(name).filter(|value| !value.trim().is_empty())
    }

    /// The value of an attribute that must be there.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn need(&self, name: &str) -> Result<String, String> {
        self.get(name).ok_or_else(|| format!("`{}` says no `{name}`", self.node.name))
    }

    /// An attribute that is `true` or `false`; `None` without it.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// An attribute that says `true`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// The elements of this name inside.
    pub(super) fn all(&self, name: &'a str) -> Vec<Self> {
        self.node.all(name).map(|node| Self { node, ..*self }).collect()
    }

    /// The element of this name inside.
    pub(super) fn child(&self, name: &str) -> Option<Self> {
        self.node.child(name).map(|node| Self { node, ..*self })
    }

    /// Where it stands.
    pub(super) fn range(&self) -> Range<usize> {
        self.node.range.clone()
    }

    /// A name as Liquibase sends it. It quotes for PostgreSQL what has letters of both cases; what has only one
    /// is folded by the server.
    pub(super) fn quote(&self, name: &str) -> String {
        let name = name.trim();
        let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let one_case = !name.chars().any(char::is_lowercase);
        match self.dialect {
            Dialect::Postgres if is_word && one_case => self.dialect.quote(&name.to_lowercase()),
            // An index on a part of a column, or on an expression.
            Dialect::Mysql | Dialect::Sqlite if name.contains('(') => name.to_string(),
            Dialect::Mysql | Dialect::Sqlite if is_word && self.dialect.quote(&name.to_lowercase()) == name.to_lowercase() => {
                name.to_string()
            }
            _ => self.dialect.quote(name),
        }
    }

    /// A list of names: `a, b`.
    pub(super) fn quote_each(&self, names: &str) -> String {
        let names = names.split(',').filter(|name| !name.trim().is_empty());
        names.map(|name| self.quote(name)).collect::<Vec<_>>().join(", ")
    }

    /// The name that an attribute says.
    ///
    /// # Errors
    /// It says none.
    pub(super) fn name(&self, key: &str) -> Result<String, String> {
        Ok(self.quote(&self.need(key)?))
    }

    /// The name of an object with its schema.
    ///
    /// # Errors
    /// The element says no name.
    pub(super) fn qualified(&self, schema_key: &str, key: &str) -> Result<String, String> {
        let name = self.need(key)?;
        let schema = self.get(schema_key);
        Ok(match schema {
            Some(schema) => format!("{}.{}", self.quote(&schema), self.quote(&name)),
            None => self.quote(&name),
        })
    }

    /// The table that a change is about.
    ///
    /// # Errors
    /// The element names none.
    pub(super) fn table(&self) -> Result<String, String> {
        self.qualified("schemaName", "tableName")
    }

    /// `CONSTRAINT name `, or nothing.
    pub(super) fn constraint(&self, key: &str) -> String {
        self.get(key).map(|name| format!("CONSTRAINT {} ", self.quote(&name))).unwrap_or_default()
    }

    /// A text as a literal.
    pub(super) fn literal(&self, text: &str) -> String {
        let text = if self.dialect == Dialect::Mysql { text.replace('\\', "\\\\") } else { text.to_string() };
        format!("'{}'", text.replace('\'', "''"))
    }
}
