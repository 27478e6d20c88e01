//! `${name}`: values that a changelog defines and uses.

use std::collections::BTreeMap;

/// The properties that are defined so far.
#[derive(Default, Clone)]
pub(super) struct Properties {
    global: BTreeMap<String, String>,
    /// Of the changelog that is being read alone.
    pub(super) local: BTreeMap<String, String>,
}

/// A property's value may name others; no deeper than this, so that it ends.
const DEPTH: usize = 8;
/// Longer than any value that somebody wrote.
const LENGTH: usize = 1 << 16;

impl Properties {
    /// The first definition counts.
    pub(super) fn define(&mut self, name: &str, value: &str, global: bool) {
        let values = if global { &mut self.global } else { &mut self.local };
        values.entry(name.to_string()).or_insert_with(|| value.to_string());
    }

    /// The lines `name=value` of a file.
    pub(super) fn define_all(&mut self, text: &str, global: bool) {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!'])) {
            if let Some((name, value)) = line.split_once(['=', ':']) {
                self.define(name.trim(), value.trim(), global);
            }
        }
    }

    /// A text with the values of the properties that it names; a name that nobody defines stays as it is.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut text = text.to_string();
        for _ in 0..DEPTH {
            match self.expand_once(&text) {
                Some(expanded) if expanded.len() <= LENGTH.max(text.len()) => text = expanded,
                _ => break,
            }
        }
        text
    }

    fn expand_once(&self, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        let mut any = false;
        while let Some(at) = rest.find("${") {
            let Some(length) = rest[at..].find('}') else { break };
            let name = rest[at + 2..at + length].trim();
            expanded += &rest[..at];
            match self.local.get(name).or_else(|| self.global.get(name)) {
                Some(value) => {
                    expanded += value;
                    any = true;
                }
                None => expanded += &rest[at..=at + length],
            }
            rest = &rest[at + length + 1..];
        }
        any.then(|| expanded + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_values_and_unknown_names_stay() {
        let mut properties = Properties::default();
        properties.define_all("# a comment\ntype = ${text}\nloop=x${loop}\n", true);
        properties.define("text", "clob", true);
        properties.define("text", "blob", true);
        assert_eq!(properties.expand("a ${type}, ${ text } ${nobody} ${"), "a clob, clob ${nobody} ${");
        assert!(properties.expand("${loop}").len() < 40);
        properties.define("text", "varchar(9)", false);
        assert_eq!(properties.expand("${type}"), "varchar(9)");
    }

    #[test]
    fn values_that_double_each_other_end() {
        let mut properties = Properties::default();
        properties.define("a", &"${a}".repeat(1000), true);
        assert!(properties.expand("${a}").len() <= LENGTH);
    }
}
