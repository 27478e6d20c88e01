//! The same work on many things at once: files do not depend on each other until their changes are replayed.

use std::iter::Flatten;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A thread takes as many things at a time: enough for the hand-over to cost nothing, few enough for all threads to
/// end together.
const CHUNK: usize = 32;

/// Results in the order of the things: what has been taken needs no more room.
type Results<R> = Flatten<std::vec::IntoIter<Vec<R>>>;

/// What `work` makes of each thing, in their order.
pub(super) fn in_order<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Results<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(things.len().div_ceil(CHUNK));
    let next = AtomicUsize::new(0);
    let take_chunks = || {
        let mut done = Vec::new();
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let Some(things) = things.chunks(CHUNK).nth(chunk) else { return done };
            done.push((chunk, things.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut chunks = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take_chunks)).collect();
        let mut chunks = take_chunks();
        for other in others {
            chunks.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        chunks
    });
    chunks.sort_by_key(|(chunk, _)| *chunk);
    chunks.into_iter().map(|(_, results)| results).collect::<Vec<_>>().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_stands_where_its_thing_stood() {
        for count in [0, 1, CHUNK, CHUNK + 1, 100 * CHUNK + 7] {
            let things: Vec<usize> = (0..count).collect();
            assert_eq!(
                in_order(&things, |thing| thing * 2).collect::<Vec<_>>(),
                (0..count).map(|thing| thing * 2).collect::<Vec<_>>()
            );
        }
    }
}
