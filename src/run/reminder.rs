//! What is waited for is said when it changes, and again every minute: a log of the night shows that it still waits.

use std::time::{Duration, Instant};

/// How long the same sentence is not said again.
const PAUSE: Duration = Duration::from_secs(60);

/// What was said last, and when.
#[derive(Debug, Default)]
pub struct Reminder(Option<(String, Instant)>);

impl Reminder {
    /// Whether this is to be said now.
    pub fn is_due(&mut self, sentence: &str, now: Instant) -> bool {
        let is_due = self.0.as_ref().is_none_or(|(said, at)| said != sentence || now.duration_since(*at) >= PAUSE);
        if is_due {
            self.0 = Some((sentence.to_string(), now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_again_after_a_minute() {
        let (mut reminder, start) = (Reminder::default(), Instant::now());
        let mut is_due = |sentence, second| reminder.is_due(sentence, start + Duration::from_secs(second));
        assert_eq!(
            [is_due("a", 0), is_due("a", 5), is_due("a", 59), is_due("a", 60), is_due("a", 61)],
            [true, false, false, true, false]
        );
        assert_eq!([is_due("b", 62), is_due("a", 63), is_due("a", 64)], [true, true, false]);
    }
}
