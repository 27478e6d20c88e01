//! A person's word.

/// Who says that something is to be done although something is missing or speaks against it, and why: the ledger keeps
/// both.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    pub by: &'a str,
    pub reason: &'a str,
}
