//! Where the files lie that a changelog names.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// What a path in a changelog leads to. Liquibase looks in its search path, which is the class path of the program:
/// some directory above the changelog, or above another one that was found, in another module.
pub(super) fn find(
    changelog: &Path,
    path: &str,
    relative: bool,
    is_directory: bool,
    directories: &BTreeSet<PathBuf>,
) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| if is_directory { path.is_dir() } else { path.is_file() };
    let parent = changelog.parent().unwrap_or(Path::new(""));
    if relative {
        // A slash at its beginning leads to no root.
        return Some(plain(&parent.join(path.trim_start_matches('/')))).filter(is_there);
    }
    let path = path.strip_prefix("classpath*:").or_else(|| path.strip_prefix("classpath:")).unwrap_or(path);
    let path = Path::new(path.trim_start_matches('/'));
    let above = parent.ancestors().map(|directory| plain(&directory.join(path))).find(is_there);
    let absolute = || {
        let parent = parent.join(".").canonicalize().ok()?;
        parent.ancestors().map(|directory| directory.join(path)).find(is_there)
    };
    let elsewhere = || directories.iter().map(|directory| plain(&directory.join(path))).find(is_there);
    above.or_else(absolute).or_else(elsewhere)
}

/// All files below a directory in the order of their paths as text, as `includeAll` takes them. Files directly in it
/// are 1 deep.
///
/// # Errors
/// A directory cannot be read.
pub(super) fn all(
    directory: &Path,
    depths: &RangeInclusive<usize>,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![(directory.to_path_buf(), 1)];
    while let Some((directory, depth)) = open.pop() {
        let unreadable =
            |error| Error::input(format!("could not read `{}`", directory.display())).because(error);
        for entry in fs::read_dir(&directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() && depth < *depths.end() {
                open.push((entry.path(), depth + 1));
            } else if !kind.is_dir() && depths.contains(&depth) && entry.path().is_file() && wanted(&entry.path()) {
                files.push(entry.path());
            }
        }
    }
    files.sort_by_cached_key(|path| path.to_string_lossy().into_owned());
    Ok(files)
}

/// Without `.` and `a/..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
