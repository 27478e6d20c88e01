//! How fast rows are done, over the last half minute, and how long the rest takes if that goes on.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back is looked: long enough to even out batches, short enough to notice a pause.
const WINDOW: Duration = Duration::from_secs(30);

/// Less than this tells nothing of the rest.
const ENOUGH: Duration = Duration::from_secs(2);

/// The rows that were done at moments of the last half minute.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// At this moment so many rows were done in all. Fewer than before: it began anew.
    pub(super) fn see(&mut self, at: Duration, rows: u64) {
        if self.seen.back().is_some_and(|(_, before)| *before > rows) {
            self.seen.clear();
        }
        self.seen.push_back((at, rows));
        // One moment before the window stays, so that slow batches have a pace, too.
        while self.seen.len() > 2 && at.saturating_sub(self.seen[1].0) >= WINDOW {
            self.seen.pop_front();
        }
    }

    /// Rows a second; `None` where too little was seen to say.
    pub(super) fn per_second(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.seen.front()?, self.seen.back()?);
        let time = to.saturating_sub(*from);
        #[expect(clippy::cast_precision_loss, reason = "a pace is no count")]
        let rows = (now - before) as f64;
        (time >= ENOUGH).then(|| rows / time.as_secs_f64())
    }

    /// How long the rest of an estimate takes; `None` where nobody knows: past the estimate, or without a pace.
    pub(super) fn left(&self, rows_total: Option<u64>) -> Option<Duration> {
        let (_, done) = self.seen.back()?;
        let rest = rows_total?.checked_sub(*done).filter(|rest| *rest > 0)?;
        let pace = self.per_second().filter(|pace| *pace > 0.0)?;
        #[expect(clippy::cast_precision_loss, reason = "an estimate of an estimate")]
        Duration::try_from_secs_f64(rest as f64 / pace).ok()
    }
}

/// A time as people say it, in one unit: seconds below two minutes, minutes below two hours.
pub(super) fn roughly(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pace_is_that_of_the_last_half_minute_and_known_only_after_a_while() {
        let mut pace = Pace::default();
        assert_eq!((pace.per_second(), pace.left(Some(9))), (None, None));
        pace.see(at(0), 1_000);
        pace.see(at(1), 2_000);
        assert_eq!((pace.per_second(), pace.left(Some(9_000))), (None, None), "a second tells nothing");
        pace.see(at(10), 11_000);
        assert_eq!((pace.per_second(), pace.left(Some(21_000))), (Some(1_000.0), Some(at(10))));
        // A pause of a minute, and then a tenth of it.
        pace.see(at(70), 11_100);
        pace.see(at(80), 12_100);
        pace.see(at(100), 14_100);
        assert_eq!(pace.per_second(), Some(100.0));
    }

    #[test]
    fn nobody_knows_the_rest_without_an_estimate_or_past_it_or_when_nothing_moves() {
        let mut pace = Pace::default();
        pace.see(at(0), 0);
        pace.see(at(10), 100);
        assert_eq!(pace.left(None), None);
        assert_eq!(pace.left(Some(100)), None);
        assert_eq!(pace.left(Some(50)), None);
        pace.see(at(100), 100);
        assert_eq!((pace.per_second(), pace.left(Some(200))), (Some(0.0), None));
        pace.see(at(101), 10);
        assert_eq!(pace.per_second(), None, "it began anew");
    }

    #[test]
    fn times_are_said_in_one_unit() {
        let said = [0, 119, 120, 7_199, 7_200, 200_000].map(|seconds| roughly(at(seconds)));
        assert_eq!(said, ["0 s", "119 s", "2 min", "119 min", "2 h", "55 h"]);
    }
}
