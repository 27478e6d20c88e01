//! Comments by which other linters' users excuse a finding, heeded where the user asks for it.

use std::ops::Range;

use super::suppression::File;

/// A linter whose comments can be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Squawk,
    MigrationPilot,
}

/// Which of `Tool::ALL` are honoured.
pub type Honoured = [bool; 2];

impl Tool {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Squawk, Self::MigrationPilot];

    /// The word of the option.
    pub fn name(self) -> &'static str {
        match self {
            Self::Squawk => "squawk",
            Self::MigrationPilot => "migration-pilot",
        }
    }

    /// The tool that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == word)
    }

    /// What its comments begin with; behind it may stand `-file`.
    pub fn directive(self) -> &'static str {
        match self {
            Self::Squawk => "squawk-ignore",
            Self::MigrationPilot => "migrationpilot-disable",
        }
    }

    /// Its rules, each with ours; where ours are none, we raise nothing of the kind.
    fn rules(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Squawk => SQUAWK,
            Self::MigrationPilot => MIGRATION_PILOT,
        }
    }
}

/// What one such comment excuses.
#[derive(Debug)]
pub(super) struct Ignored {
    /// `None`: in the whole file.
    statements: Option<Range<usize>>,
    /// `None`: every rule about what a statement does. That it could not be read, no other linter has excused.
    rules: Option<Vec<&'static str>>,
}

impl Ignored {
    pub(super) fn covers(&self, rule: &str, statement: usize) -> bool {
        self.statements.as_ref().is_none_or(|statements| statements.contains(&statement))
            && self.rules.as_ref().map_or(rule != "unreadable-statement", |rules| rules.contains(&rule))
    }
}

/// What a comment without its marks says: what it excuses, and the names in it that we do not know. `None` where it is
/// no such comment, or its tool's are not honoured.
pub(super) fn read(
    comment: &str,
    range: &Range<usize>,
    file: &File<'_>,
    honoured: Honoured,
) -> Option<(Ignored, Vec<String>)> {
    let tool = Tool::ALL.into_iter().zip(honoured).find(|(tool, honoured)| *honoured && is_by(comment, *tool))?.0;
    let rest = &comment[tool.directive().len()..];
    let (whole_file, rest) = rest.strip_prefix("-file").map_or((false, rest), |rest| (true, rest));
    let listed = rest.split_once("--").map_or(rest, |(listed, _)| listed);
    let listed: Vec<&str> = listed.split([',', ' ', ':']).filter(|name| !name.is_empty()).collect();
    let statements = (!whole_file).then(|| file.statements_of(range));
    if listed.is_empty() {
        return Some((Ignored { statements, rules: None }, Vec::new()));
    }
    let (mut rules, mut unknown) = (Vec::new(), Vec::new());
    for name in listed {
        match tool.rules().iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name)) {
            Some((_, ours)) => rules.extend_from_slice(ours),
            // Of its hundred rules, most have nothing of ours beside them.
            None if tool == Tool::MigrationPilot && is_number(name) => {}
            None => unknown.push(name.to_string()),
        }
    }
    Some((Ignored { statements, rules: Some(rules) }, unknown))
}

/// `MP042`.
fn is_number(name: &str) -> bool {
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("MP"))
        && name.len() == 5
        && name[2..].bytes().all(|byte| byte.is_ascii_digit())
}

fn is_by(comment: &str, tool: Tool) -> bool {
    let directive = tool.directive();
    comment.get(..directive.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(directive))
}

/// How often each tool's comments stand in a text.
pub(super) fn count(text: &str) -> [usize; 2] {
    Tool::ALL.map(|tool| text.matches(tool.directive()).count())
}

const SQUAWK: &[(&str, &[&str])] = &[
    ("adding-field-with-default", &["rewrite-table"]),
    ("adding-foreign-key-constraint", &["add-foreign-key-blocking"]),
    ("adding-not-nullable-field", &["set-not-null"]),
    ("adding-required-field", &["add-column-not-null"]),
    ("adding-serial-primary-key-field", &["create-index-blocking", "rewrite-table"]),
    ("ban-alter-domain-with-add-constraint", &["domain-constraint-blocking"]),
    ("ban-char-field", &["discouraged-type"]),
    ("ban-concurrent-index-creation-in-transaction", &["concurrently-in-transaction"]),
    ("ban-create-domain-with-constraint", &[]),
    ("ban-drop-column", &["drop-column", "drop-column-takes-index"]),
    ("ban-drop-database", &["drop-object", "drop-schema"]),
    ("ban-drop-not-null", &["drop-not-null"]),
    ("ban-drop-table", &["drop-table"]),
    ("ban-duplicate-column-assignments", &[]),
    ("ban-truncate-cascade", &["truncate-table"]),
    ("ban-uncommitted-transaction", &["unfinished-transaction"]),
    ("changing-column-type", &["change-column-type", "narrow-type", "prepared-select-breaks"]),
    ("constraint-missing-not-valid", &["add-check-blocking", "add-foreign-key-blocking", "validate-under-lock"]),
    ("disallowed-unique-constraint", &["create-index-blocking"]),
    ("identifier-too-long", &["identifier-too-long"]),
    ("prefer-bigint-over-int", &["small-key"]),
    ("prefer-bigint-over-smallint", &["small-key"]),
    ("prefer-identity", &["discouraged-type"]),
    ("prefer-repack", &["rewrite-table"]),
    ("prefer-robust-stmts", &["index-may-stay-invalid", "missing-if-exists"]),
    ("prefer-text-field", &["discouraged-type"]),
    ("prefer-timestamp-tz", &["discouraged-type"]),
    ("prefer-timestamptz", &["discouraged-type"]),
    ("renaming-column", &["rename-column"]),
    ("renaming-table", &["rename-table"]),
    ("require-concurrent-index-creation", &["create-index-blocking"]),
    ("require-concurrent-index-deletion", &["drop-index-blocking"]),
    ("require-concurrent-partition-detach", &["partition-blocking"]),
    ("require-concurrent-reindex", &["reindex-blocking"]),
    ("require-enum-value-ordering", &[]),
    ("require-lock-timeout", &["missing-lock-timeout"]),
    ("require-statement-timeout", &[]),
    ("require-table-schema", &[]),
    ("require-timeout-settings", &["missing-lock-timeout"]),
    ("transaction-nesting", &["nested-transaction"]),
];

const MIGRATION_PILOT: &[(&str, &[&str])] = &[
    ("MP001", &["create-index-blocking"]),
    ("MP002", &["set-not-null"]),
    ("MP003", &["rewrite-table"]),
    ("MP004", &["missing-lock-timeout"]),
    ("MP005", &["add-foreign-key-blocking"]),
    ("MP006", &["rewrite-table"]),
    ("MP007", &["change-column-type", "prepared-select-breaks"]),
    ("MP008", &["several-tables-locked", "work-under-lock"]),
    ("MP009", &["drop-index-blocking"]),
    ("MP010", &["rename-column"]),
    ("MP011", &["update-unbatched"]),
    ("MP012", &["enum-label-in-transaction"]),
    ("MP015", &["rewrite-table"]),
    ("MP016", &["foreign-key-without-index"]),
    ("MP017", &["drop-column", "drop-column-takes-index"]),
    ("MP018", &["set-not-null"]),
    ("MP021", &["reindex-blocking"]),
    ("MP022", &["drop-cascade"]),
    ("MP023", &["missing-if-exists"]),
    ("MP024", &["narrow-type"]),
    ("MP025", &["concurrently-in-transaction"]),
    ("MP026", &["drop-table"]),
    ("MP027", &["create-index-blocking"]),
    ("MP028", &["rename-table"]),
    ("MP029", &["drop-not-null"]),
    ("MP030", &["add-check-blocking"]),
    ("MP031", &["create-index-blocking"]),
    ("MP032", &["rewrite-table"]),
    ("MP033", &["rewrite-table"]),
    ("MP034", &["drop-object", "drop-schema"]),
    ("MP035", &["drop-object", "drop-schema"]),
    ("MP036", &["truncate-table"]),
    ("MP037", &["discouraged-type"]),
    ("MP038", &["small-key"]),
    ("MP039", &["discouraged-type"]),
    ("MP040", &["discouraged-type"]),
    ("MP041", &["discouraged-type"]),
    ("MP043", &["domain-constraint-blocking"]),
    ("MP044", &["narrow-type"]),
    ("MP045", &["missing-primary-key"]),
    ("MP046", &["partition-blocking"]),
    ("MP047", &["rewrite-table"]),
    ("MP052", &["drop-cascade", "refused-statement"]),
    ("MP053", &["unfinished-transaction"]),
    ("MP054", &["enum-label-in-transaction"]),
    ("MP055", &["lost-replica-identity"]),
    ("MP057", &["row-security"]),
    ("MP058", &["alters-apart"]),
    ("MP060", &["rename-enum-label"]),
    ("MP062", &["rewrite-table"]),
    ("MP063", &["opaque-statement"]),
    ("MP064", &["disable-trigger"]),
    ("MP065", &["lock-table"]),
    ("MP067", &["update-unbatched"]),
    ("MP069", &["add-foreign-key-blocking"]),
    ("MP070", &["index-may-stay-invalid"]),
    ("MP071", &["rename-column", "rename-table"]),
    ("MP084", &["add-column-not-null"]),
    ("MP085", &["broad-grant"]),
    ("MP089", &["change-column-type"]),
    ("MP090", &["create-trigger"]),
    ("MP094", &["attach-partition-scan"]),
    ("MP095", &["rewrite-table"]),
    ("MP097", &["drop-index-of-constraint"]),
    ("MP098", &["rename-object"]),
    ("MP100", &["redundant-index"]),
    ("MP110", &["create-index-blocking"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules;

    #[test]
    fn every_rule_of_ours_in_the_tables_is_one() {
        for tool in Tool::ALL {
            for id in tool.rules().iter().flat_map(|(_, ours)| *ours) {
                assert!(rules::find(id).is_ok(), "{id}");
            }
        }
    }
}
