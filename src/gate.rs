//! Conditions in front of a phase, as pure functions over evidence snapshots.
