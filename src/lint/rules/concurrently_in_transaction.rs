use super::{Hit, Look};
use crate::schema::{InTransaction, Transaction};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    if effect?.transaction != InTransaction::Refuses || !look.in_transaction() {
        return None;
    }
    let words = change.words();
    let (whose, help) = match before.session().transaction() {
        _ if look.in_body => ("the body of a DO or of a routine", "write it as a statement of its own"),
        Transaction::Explicit => ("the migration's own transaction", "move it behind the COMMIT"),
        _ => (
            "the transaction that the migration tool puts around the file",
            "give it a file of its own that says in the tool's way that it wants no transaction",
        ),
    };
    Some(Hit::new(format!("`{words}` stands in {whose}, where the server refuses it: the migration fails"), help))
}
