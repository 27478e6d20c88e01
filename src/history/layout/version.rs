//! What is wrong with the versions of a sequence: two that are the same, and numbers that nobody has.

use std::collections::BTreeMap;
use std::path::Path;

use super::directory::{Directory, EntryKind};
use super::order::by_value;
use super::reading::Unit;
use crate::history::Irregular;

/// The irregular units of a sequence that is in order, by their place in it.
pub(super) fn irregular(units: &[Unit], directory: &Directory) -> BTreeMap<usize, Vec<Irregular>> {
    let mut found: BTreeMap<usize, Vec<Irregular>> = BTreeMap::new();
    let mut first = BTreeMap::new();
    let mut numbers: Vec<(u64, usize)> = Vec::new();
    let mut all_numbers = true;
    let mut last = None;
    for (index, unit) in units.iter().enumerate() {
        let Some(version) = &unit.version else { continue };
        let home = home(unit, directory);
        // The phases of a change are told once.
        if last.replace(home) == Some(home) {
            continue;
        }
        let (before, path) = *first.entry(by_value(version)).or_insert((index, home));
        if path != home {
            let path = directory.entries[units[before].entry].path.display().to_string();
            found.entry(index).or_default().push(Irregular::Duplicate { path });
        }
        match version.parse() {
            Ok(number) => numbers.push((number, index)),
            Err(_) => all_numbers = false,
        }
    }
    numbers.sort_unstable();
    numbers.dedup_by_key(|(number, _)| *number);
    if all_numbers && directory.is_whole() && is_dense(&numbers) {
        for pair in numbers.windows(2) {
            let (before, (after, index)) = (pair[0].0, pair[1]);
            if before + 1 < after {
                found.entry(index).or_default().push(Irregular::Missing { first: before + 1, last: after - 1 });
            }
        }
    }
    found
}

/// The files of a phased change have one version between them.
fn home<'a>(unit: &Unit, directory: &'a Directory) -> &'a Path {
    let entry = &directory.entries[unit.entry];
    match entry.kind {
        EntryKind::Phased(_) => entry.path.parent().unwrap_or(&entry.path),
        EntryKind::Script | EntryKind::Own(_) => &entry.path,
    }
}

/// Numbers from here on are dates: 20240131.
const DATES: u64 = 10_000_000;

/// The team counts: more numbers are there than are missing. Dates and steps of ten leave gaps on purpose.
fn is_dense(numbers: &[(u64, usize)]) -> bool {
    let (Some((first, _)), Some((last, _))) = (numbers.first(), numbers.last()) else { return false };
    *last < DATES && (last - first) / 2 < numbers.len() as u64
}
