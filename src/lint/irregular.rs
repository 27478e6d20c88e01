//! Versions that are wrong, as findings.

use crate::history::Irregular;

/// The rule, what is wrong with the version, and what to do about it.
pub(super) fn told(irregular: &Irregular, version: &str) -> (&'static str, String, &'static str) {
    match irregular {
        Irregular::Duplicate { path } => (
            "duplicate-version",
            format!("version {version} is also that of `{path}`: only one of the two will run, or neither"),
            "give this migration a version of its own, greater than all that have been released",
        ),
        Irregular::Late { path } => (
            "out-of-order-version",
            format!("version {version} is new, and `{path}` with a greater one was there already"),
            "give this migration a version greater than all that are there",
        ),
        Irregular::Missing { first, last } => (
            "missing-version",
            match first == last {
                true => format!("no migration has version {first}, which comes right before {version}"),
                false => format!("no migration has the versions {first} to {last}, which come right before {version}"),
            },
            "if it was lost in a merge, bring it back; if it comes later, it will run after this one or not at all",
        ),
    }
}
