//! All rules. To add one: its page in `rules/`, its check in `src/lint/rules/`, and one line here.

use std::ops::Range;
use std::sync::LazyLock;

use super::page::Page;
use super::whole::Whole;
use crate::error::{Error, Result, closest};
use crate::schema::{Blocks, Catalog, Effect, Lock};
use crate::sql::{Change, Dialect, Engine, Name};

/// What a check sees: never syntax, paths, settings or a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub change: &'a Change,
    /// Its text, for what reading takes away from it.
    pub text: &'a str,
    /// The catalog before it, with the session and its transaction.
    pub before: &'a Catalog,
    pub engine: Engine,
    /// `None` where nothing is known.
    pub effect: Option<&'a Effect>,
    /// The locks that the transaction holds already.
    pub held: &'a [Lock],
    /// It stands in a loop that commits at every turn.
    pub batched: bool,
    /// All changes of the migration, before and after this one.
    pub whole: &'a Whole<'a>,
    /// Where those of its own statement stand among them.
    pub own: &'a Range<usize>,
    /// It stands in the body of a DO or of a routine.
    pub in_body: bool,
    /// It is what MySQL's MODIFY or CHANGE leaves out, and the history does not tell that it was there.
    pub restated: bool,
    /// What the change drops, the same migration makes anew.
    pub comes_back: bool,
}

impl<'a> Look<'a> {
    /// It shares a transaction with what stands before and behind it: a body is one unless it commits.
    fn in_transaction(&self) -> bool {
        let body = self.in_body && self.before.dialect() == Dialect::Postgres && !self.batched;
        body || self.before.session().in_transaction()
    }

    /// What later statements of the migration do to a table.
    fn later(&self, table: &'a Name) -> impl Iterator<Item = &'a Change> {
        self.on(table, self.own.end..usize::MAX)
    }

    /// What the migration does to a table in all.
    fn throughout(&self, table: &'a Name) -> impl Iterator<Item = &'a Change> {
        self.on(table, 0..usize::MAX)
    }

    fn on(&self, table: &'a Name, places: Range<usize>) -> impl Iterator<Item = &'a Change> {
        let before = self.before;
        let is_same = move |change: &&Change| change.table().is_some_and(|named| before.is_same_table(named, table));
        self.whole.of(table, places).filter(is_same)
    }

    /// The action of an ALTER TABLE that adds a constraint, with a name, as it may be written again; with gaps where it is
    /// too long for a sentence.
    fn added(&self, name: &str, gist: &str) -> String {
        let named = self.before.dialect().quote(name);
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let begins = |words: &str| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
        let has_comment = text.contains("--") || text.contains("/*");
        match text {
            _ if text.len() > 160 || has_comment || !begins("ADD ") => format!("ADD CONSTRAINT {named} {gist}"),
            text if begins("ADD CONSTRAINT ") => text,
            text => format!("ADD CONSTRAINT {named} {}", &text[4..]),
        }
    }

    /// What nobody can do meanwhile.
    fn blocked(&self) -> &'static str {
        match self.effect.map(Effect::blocks) {
            Some(Blocks::ReadsAndWrites) => "read or write",
            _ => "write",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What, and who breaks.
    pub message: String,
    /// What to do instead.
    pub help: String,
}

impl Hit {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Looks at one change.
pub type Check = fn(&Look<'_>) -> Option<Hit>;

/// A named hazard.
#[derive(Debug)]
pub struct Rule {
    pub id: &'static str,
    pub page: Page,
    /// `None` for what the linter itself raises: there is no change to look at.
    pub check: Option<Check>,
}

/// Declares each rule's module and takes in its page: a missing file or page does not compile.
macro_rules! rules {
    (check: $($id:literal => $module:ident,)* raised: $($raised:literal,)*) => {
        $(mod $module;)*
        const SOURCES: &[(&str, &str, Option<Check>)] = &[
            $(($id, include_str!(concat!("../../rules/", $id, ".md")), Some($module::check)),)*
            $(($raised, include_str!(concat!("../../rules/", $raised, ".md")), None),)*
        ];
    };
}

rules! {
    check:
    "add-check-blocking" => add_check_blocking,
    "add-column-not-null" => add_column_not_null,
    "add-foreign-key-blocking" => add_foreign_key_blocking,
    "alter-after-write" => alter_after_write,
    "alter-mode-blocking" => alter_mode_blocking,
    "alter-mode-refused" => alter_mode_refused,
    "alters-apart" => alters_apart,
    "attach-partition-scan" => attach_partition_scan,
    "broad-grant" => broad_grant,
    "change-column-type" => change_column_type,
    "change-default" => change_default,
    "check-rejects-writes" => check_rejects_writes,
    "concurrently-in-transaction" => concurrently_in_transaction,
    "create-does-nothing" => create_does_nothing,
    "create-index-blocking" => create_index_blocking,
    "create-trigger" => create_trigger,
    "disable-trigger" => disable_trigger,
    "discouraged-type" => discouraged_type,
    "disguised-rename" => disguised_rename,
    "domain-constraint-blocking" => domain_constraint_blocking,
    "drop-cascade" => drop_cascade,
    "drop-column" => drop_column,
    "drop-column-takes-index" => drop_column_takes_index,
    "drop-constraint" => drop_constraint,
    "drop-constraint-unique" => drop_constraint_unique,
    "drop-default" => drop_default,
    "drop-index-before-create" => drop_index_before_create,
    "drop-index-blocking" => drop_index_blocking,
    "drop-index-of-constraint" => drop_index_of_constraint,
    "drop-not-null" => drop_not_null,
    "drop-object" => drop_object,
    "drop-schema" => drop_schema,
    "drop-table" => drop_table,
    "drop-trigger" => drop_trigger,
    "enum-label-in-transaction" => enum_label_in_transaction,
    "foreign-key-without-index" => foreign_key_without_index,
    "identifier-too-long" => identifier_too_long,
    "index-may-stay-invalid" => index_may_stay_invalid,
    "lock-table" => lock_table,
    "lock-timeout-ineffective" => lock_timeout_ineffective,
    "lost-replica-identity" => lost_replica_identity,
    "missing-if-exists" => missing_if_exists,
    "missing-lock-timeout" => missing_lock_timeout,
    "missing-primary-key" => missing_primary_key,
    "narrow-type" => narrow_type,
    "needs-newer-engine" => needs_newer_engine,
    "nested-transaction" => nested_transaction,
    "new-enum-label" => new_enum_label,
    "partition-blocking" => partition_blocking,
    "prepared-select-breaks" => prepared_select_breaks,
    "rebuild-breaks-references" => rebuild_breaks_references,
    "rebuild-loses-data" => rebuild_loses_data,
    "redundant-index" => redundant_index,
    "refused-statement" => refused_statement,
    "reindex-blocking" => reindex_blocking,
    "rename-column" => rename_column,
    "rename-enum-label" => rename_enum_label,
    "rename-object" => rename_object,
    "rename-table" => rename_table,
    "revoke-privilege" => revoke_privilege,
    "rewrite-table" => rewrite_table,
    "row-security" => row_security,
    "sequence-stays-small" => sequence_stays_small,
    "set-not-null" => set_not_null,
    "several-tables-locked" => several_tables_locked,
    "small-key" => small_key,
    "truncate-table" => truncate_table,
    "unfinished-transaction" => unfinished_transaction,
    "update-unbatched" => update_unbatched,
    "using-index-refused" => using_index_refused,
    "validate-under-lock" => validate_under_lock,
    "work-under-lock" => work_under_lock,
    raised:
    "additive-in-contract",
    "contract-too-early",
    "duplicate-version",
    "expired-suppression",
    "forgotten-contract",
    "missing-version",
    "opaque-statement",
    "out-of-order-version",
    "schema-drift",
    "suppression-without-reason",
    "unknown-directive",
    "unreadable-statement",
    "unused-suppression",
}

/// Every rule, in the order of `SOURCES`.
pub fn all() -> &'static [Rule] {
    static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let read = |&(id, text, check): &(&'static str, &'static str, Option<Check>)| {
            let page = Page::read(text)
                .and_then(|page| if page.id == id { Ok(page) } else { Err(format!("its id is `{}`", page.id)) });
            Rule { id, page: page.unwrap_or_else(|reason| panic!("rules/{id}.md: {reason}")), check }
        };
        SOURCES.iter().map(read).collect()
    });
    &ALL
}

/// The rule of this id.
///
/// # Errors
/// There is none; the hint says which was meant.
pub fn find(id: &str) -> Result<&'static Rule> {
    all().iter().find(|rule| rule.id == id).ok_or_else(|| {
        let error = Error::input(format!("no rule `{id}`"));
        match closest(id, all().iter().map(|rule| rule.id)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`lockkeeper rules` lists them"),
        }
    })
}
