//! What was read of the signals, judged: go on, go slower, or hold. Pure: recorded readings test it.

use std::collections::BTreeSet;

use crate::plan::Limit;

/// One number that a signal gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is the reading of, the same at every look: `replica-lag standby1`.
    pub signal: String,
    /// `Err`: it could not be read, and why.
    pub value: Result<f64, String>,
    /// `None`: a switch, which holds while it is more than nothing.
    pub limit: Option<Limit>,
    /// What the number says, in words, without the limit.
    pub what: String,
}

/// What the readings of one moment come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Go,
    /// Near a limit: work for this share of the time.
    Slow {
        share: f64,
        signal: String,
        because: String,
    },
    /// Every signal that holds.
    Hold(Vec<Hold>),
}

/// A signal that holds, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub signal: String,
    pub because: String,
    /// It could not be read.
    pub unreadable: bool,
}

/// The least share of the time that is worked near a limit.
const LEAST: f64 = 0.1;

impl Reading {
    /// A signal that was asked and did not answer in a way that can be judged.
    pub fn unreadable(signal: impl Into<String>, why: impl Into<String>) -> Self {
        let signal = signal.into();
        Self { what: signal.clone(), signal, value: Err(why.into()), limit: None }
    }

    /// A condition that holds or does not.
    pub fn switch(signal: &str, holds: bool, what: impl Into<String>) -> Self {
        Self { signal: signal.into(), value: Ok(f64::from(u8::from(holds))), limit: None, what: what.into() }
    }

    fn hold(&self, because: String) -> Hold {
        Hold { signal: self.signal.clone(), because, unreadable: false }
    }

    fn hold_unread(&self, why: &str) -> Hold {
        let because = format!("{} cannot be read: {why}", self.signal);
        Hold { signal: self.signal.clone(), because, unreadable: true }
    }
}

/// Judges one look. `holding` has the signals that held before, and those that hold from now on: they do until
/// they are not above their lower bound.
pub fn judge(readings: &[Reading], holding: &mut BTreeSet<String>) -> Verdict {
    let mut holds = Vec::new();
    let mut slowest: Option<(f64, &Reading, String)> = None;
    for reading in readings {
        let value = match &reading.value {
            // What is not a number says nothing.
            Ok(value) if value.is_nan() => {
                holds.push(reading.hold_unread("it is not a number"));
                continue;
            }
            Ok(value) => *value,
            Err(why) => {
                holds.push(reading.hold_unread(why));
                continue;
            }
        };
        let Some(limit) = reading.limit else {
            if value > 0.0 {
                holds.push(reading.hold(reading.what.clone()));
            }
            continue;
        };
        let show = |value| limit.unit.show(value);
        if value > limit.stop_above || (value > limit.go_below && holding.contains(&reading.signal)) {
            let (above, below) = (show(limit.stop_above), show(limit.go_below));
            holds.push(reading.hold(format!("{}; stops above {above}, goes on at {below}", reading.what)));
        } else if value > limit.go_below {
            let share = ((limit.stop_above - value) / (limit.stop_above - limit.go_below)).max(LEAST);
            if slowest.as_ref().is_none_or(|(least, ..)| share < *least) {
                slowest = Some((share, reading, show(limit.stop_above)));
            }
        }
    }
    *holding = holds.iter().map(|hold| hold.signal.clone()).collect();
    match slowest {
        _ if !holds.is_empty() => Verdict::Hold(holds),
        Some((share, reading, above)) => {
            let because = format!("{}; stops above {above}", reading.what);
            Verdict::Slow { share, signal: reading.signal.clone(), because }
        }
        None => Verdict::Go,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::settings::throttle::Unit;

    fn reading(value: Result<f64, &str>) -> Vec<Reading> {
        let limit = Some(Limit { stop_above: 5.0, go_below: 2.0, unit: Unit::Seconds });
        let value = value.map_err(str::to_string);
        vec![Reading { signal: "lag".into(), what: "it lags".into(), value, limit }]
    }

    #[test]
    fn a_signal_stops_above_one_bound_and_goes_on_at_the_other() {
        let mut holding = BTreeSet::new();
        let table: [(Result<f64, &str>, &str); 11] = [
            (Ok(0.0), "go"),
            (Ok(2.0), "go"),
            (Ok(3.5), "slow 0.5"),
            (Ok(5.0), "slow 0.1"),
            (Ok(5.1), "it lags; stops above 5 s, goes on at 2 s"),
            (Ok(3.5), "it lags; stops above 5 s, goes on at 2 s"),
            (Ok(2.0), "go"),
            (Ok(f64::NAN), "lag cannot be read: it is not a number"),
            (Err("no answer"), "lag cannot be read: no answer"),
            // What nobody could see may have been anything.
            (Ok(3.5), "it lags; stops above 5 s, goes on at 2 s"),
            (Ok(f64::INFINITY), "it lags; stops above 5 s, goes on at 2 s"),
        ];
        for (value, expected) in table {
            let verdict = match judge(&reading(value), &mut holding) {
                Verdict::Go => "go".to_string(),
                Verdict::Slow { share, .. } => format!("slow {share:.1}"),
                Verdict::Hold(holds) => holds[0].because.clone(),
            };
            assert_eq!(verdict, expected, "{value:?}");
        }
    }

    #[test]
    fn the_slowest_decides_and_every_hold_is_named() {
        let mut readings = reading(Ok(3.5));
        readings.extend(reading(Ok(4.7)));
        readings[1].signal = "other".into();
        assert!(matches!(judge(&readings, &mut BTreeSet::new()), Verdict::Slow { signal, .. } if signal == "other"));
        readings.push(Reading::switch("file", true, "there is a file"));
        readings.push(Reading::unreadable("slots", "no right"));
        let mut holding = BTreeSet::new();
        let Verdict::Hold(holds) = judge(&readings, &mut holding) else { panic!("two hold") };
        assert_eq!(
            holds.iter().map(|hold| &*hold.because).collect::<Vec<_>>(),
            ["there is a file", "slots cannot be read: no right"]
        );
        assert_eq!(holding.into_iter().collect::<Vec<_>>(), ["file", "slots"]);
        assert_eq!(judge(&[Reading::switch("file", false, "")], &mut BTreeSet::new()), Verdict::Go);
    }
}
