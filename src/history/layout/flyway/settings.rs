//! What `flyway.toml` or `flyway.conf` says about names and transactions, and what a script's own `.conf` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::directory::Directory;

const FILES: [&str; 4] = ["flyway.toml", "flyway.conf", "conf/flyway.toml", "conf/flyway.conf"];

/// How scripts are called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Where it says so.
    pub(super) file: Option<&'static str>,
    pub(super) versioned: String,
    pub(super) undo: String,
    pub(super) repeatable: String,
    pub(super) baseline: String,
    pub(super) separator: String,
    pub(super) no_transaction: bool,
    suffixes: Vec<String>,
}

impl Settings {
    /// Those of the project around a directory.
    pub(super) fn around(directory: &Directory) -> Self {
        match directory.project_file(&FILES) {
            Some((file, text)) => Self::of(Some(file), &values(file, &text)),
            None => Self::of(None, &BTreeMap::new()),
        }
    }

    fn of(file: Option<&'static str>, values: &BTreeMap<String, String>) -> Self {
        let value = |key: &str, usual: &str| values.get(key).map_or(usual, String::as_str).to_string();
        Self {
            file,
            versioned: value("sqlMigrationPrefix", "V"),
            undo: value("undoSqlMigrationPrefix", "U"),
            repeatable: value("repeatableSqlMigrationPrefix", "R"),
            baseline: value("baselineMigrationPrefix", "B"),
            separator: Some(value("sqlMigrationSeparator", "__")).filter(|word| !word.is_empty()).unwrap_or("__".into()),
            no_transaction: value("executeInTransaction", "true") == "false",
            suffixes: value("sqlMigrationSuffixes", ".sql").split(',').map(|word| word.trim().to_string()).collect(),
        }
    }

    /// What differs from the usual, and what is not read.
    pub(super) fn notes(&self, directory: &Directory) -> Vec<String> {
        let mut notes = Vec::new();
        let usual = Self::of(None, &BTreeMap::new());
        if let Some(file) = self.file.filter(|file| *self != Self { file: Some(file), ..usual }) {
            let Self { versioned, repeatable, separator, no_transaction, .. } = self;
            let transaction = if *no_transaction { ", without a transaction" } else { "" };
            notes.push(format!("by `{file}`, scripts are `{versioned}1{separator}name.sql` and `{repeatable}{separator}name.sql`{transaction}"));
        }
        let others: Vec<_> = self.suffixes.iter().filter(|suffix| !suffix.eq_ignore_ascii_case(".sql")).collect();
        for suffix in others {
            notes.push(format!("Flyway runs files named `*{suffix}` too: they are not read"));
        }
        if self.file.is_none()
            && let Some(manifest) = directory.project_names("sqlMigration", &["pom.xml", "build.gradle", "build.gradle.kts"])
        {
            notes.push(format!("`{manifest}` tells Flyway other names for its scripts: that is not read"));
        }
        notes
    }
}

/// `flyway.key=value`, or in TOML `[flyway]` and `key = value`, by the keys.
fn values(file: &str, text: &str) -> BTreeMap<String, String> {
    if !file.ends_with(".toml") {
        return properties(text).into_iter().filter_map(|(key, value)| Some((key.strip_prefix("flyway.")?.to_string(), value))).collect();
    }
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let flyway = table.get("flyway").and_then(toml::Value::as_table).into_iter().flatten();
    let word = |value: &toml::Value| match value {
        toml::Value::String(word) => word.clone(),
        toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    flyway.map(|(key, value)| (key.clone(), word(value))).collect()
}

/// What `V1__name.sql.conf` says, beside its script.
pub(super) fn of_script(script: &Path) -> BTreeMap<String, String> {
    let mut path = script.to_path_buf().into_os_string();
    path.push(".conf");
    let mut values = properties(&fs::read_to_string(path).unwrap_or_default());
    for value in values.values_mut() {
        *value = if ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)) { value.to_lowercase() } else { value.clone() };
    }
    values
}

fn properties(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim().to_string(), value.trim().to_string())).collect()
}
