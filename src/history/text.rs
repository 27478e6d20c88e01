//! Bytes into the text of a migration: whatever cannot be one is told, and nothing is waited for.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};

/// No migration is longer than this.
const LIMIT: u64 = 64 << 20;

/// Reads a file.
///
/// # Errors
/// It cannot be read, is no file, is too long, changes meanwhile, or is no text.
pub(super) fn of_file(path: &Path) -> Result<Arc<str>> {
    read(path, || {})
}

/// Reads what comes in, up to its end.
///
/// # Errors
/// It cannot be read, is too long, or is no text.
pub(super) fn of_stream(stream: impl Read, name: &str) -> Result<Arc<str>> {
    let bytes = bounded(stream, name, 0).map_err(|error| could_not_read(name, &error))??;
    text(bytes, name)
}

/// Reads a file; `meanwhile` comes between the reading and the look whether the file is still the same.
fn read(path: &Path, meanwhile: impl FnOnce()) -> Result<Arc<str>> {
    let name = path.display().to_string();
    let read = || {
        let before = fs::metadata(path)?;
        if let Some(what) = no_file(&before) {
            return Ok(Err(Error::input(format!("`{name}` is {what}: only files are read"))
                .hint("what another program writes is read from standard input: `... | lockkeeper lint -`")));
        }
        // Nothing is read of what is too long anyway.
        if before.len() > LIMIT {
            return Ok(Err(too_long(&name, Some(before.len()))));
        }
        let file = File::open(path)?;
        let bytes = bounded(&file, &name, before.len())?;
        meanwhile();
        let after = file.metadata()?;
        let is_same = before.len() == after.len() && before.modified().ok() == after.modified().ok();
        let changed = || Error::input(format!("`{name}` changed while it was read")).hint("run the command again");
        Ok(if is_same { bytes } else { Err(changed()) })
    };
    let bytes = read().map_err(|error: io::Error| could_not_read(&name, &error))??;
    text(bytes, &name)
}

/// What it is instead of a file. To open some of these is to wait for ever.
fn no_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    Some(match () {
        () if kind.is_file() => return None,
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    })
}

/// `length` is how much there is, 0 where that is not known.
fn bounded(stream: impl Read, name: &str, length: u64) -> io::Result<Result<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(LIMIT)).unwrap_or(0));
    // A file that has more by now has changed, and is asked for its length once more.
    stream.take(if length == 0 { LIMIT + 1 } else { length }).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > LIMIT { Err(too_long(name, None)) } else { Ok(bytes) })
}

fn text(bytes: Vec<u8>, name: &str) -> Result<Arc<str>> {
    if let Some((what, how)) = other_format(&bytes) {
        return Err(Error::input(format!("`{name}` is {what}")).hint(how));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(format!("`{name}` is not UTF-8: the first wrong byte is at offset {at}"))
            .hint("save the file as UTF-8; if it is Latin-1: `iconv -f ISO-8859-1 -t UTF-8`")
    })?;
    Ok(text.into())
}

/// What is known by its beginning to be no SQL in UTF-8, and what makes some of it.
fn other_format(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let head = &bytes[..bytes.len().min(512)];
    // Without a mark, every second byte of English in UTF-16 is NUL.
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || nuls * 3 > head.len() {
        return Some(("in UTF-16", "save the file as UTF-8: `iconv -f UTF-16 -t UTF-8`"));
    }
    if head.starts_with(b"PGDMP") {
        return Some(("an archive of pg_dump, not SQL", "make SQL of it: `pg_restore --file=dump.sql FILE`"));
    }
    None
}

fn could_not_read(name: &str, error: &io::Error) -> Error {
    let is_link = fs::symlink_metadata(name).is_ok_and(|entry| entry.is_symlink());
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => Some("run lockkeeper as a user who may read it"),
        ErrorKind::NotFound if is_link => Some("it is a link that leads nowhere"),
        ErrorKind::NotFound => Some("nothing is there under this name: check the path"),
        _ if is_link => Some("it is a link: look where it leads"),
        _ => None,
    };
    let error = Error::input(format!("could not read `{name}`")).because(error);
    hint.into_iter().fold(error, Error::hint)
}

fn too_long(name: &str, length: Option<u64>) -> Error {
    let limit = LIMIT >> 20;
    let message = match length {
        Some(length) => format!("`{name}` has {} MiB: no more than {limit} MiB of one file are read", length >> 20),
        None => format!("`{name}` is longer than {limit} MiB: no more is read"),
    };
    Error::input(message).hint("keep data out of migrations: load it by COPY or a program of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(read: Result<Arc<str>>) -> String {
        read.map_or_else(|error| error.message, |text| text.to_string())
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_told() -> io::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), "SELECT 1;")?;
        assert_eq!(outcome(read(file.path(), || {})), "SELECT 1;");
        let changed = read(file.path(), || {
            let _ = fs::write(file.path(), "SELECT 1; SELECT 2;");
        });
        assert!(outcome(changed).ends_with("` changed while it was read"));
        Ok(())
    }

    #[test]
    fn a_stream_without_an_end_is_not_followed() {
        let endless = of_stream(io::repeat(b' '), "<stdin>");
        assert_eq!(outcome(endless), "`<stdin>` is longer than 64 MiB: no more is read");
    }
}
