//! `file`: an operator's brake, `touch` to stop and `rm` to go on.

use super::{Look, Reading};

pub(super) fn read(look: &Look) -> Option<Reading> {
    let file = look.settings.file.as_ref()?;
    Some(match look.directory.join(file).try_exists() {
        Ok(exists) => Reading::switch("file", exists, format!("the file {file} exists")),
        Err(error) => Reading::unreadable("file", format!("{file}: {error}")),
    })
}
