//! `db_sessions`: no session of any version but the wanted one is connected.
//!
//! It refuses to guess: a session that no consumer of `change.toml` explains, or whose version cannot be
//! told, leaves the gate unknown, and so does a database where the wanted version is not connected either.

use std::collections::BTreeSet;

use serde::Serialize;

use super::approval::in_words;
use super::evidence::observed;
use super::{Judgement, SessionSeen, Sessions, Verdict};
use crate::plan::Consumer;
use crate::plan::settings::VERSION;

/// Sessions whose name starts so are this program's own.
const OURS: &str = "lockkeeper";

/// What a session turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Is {
    Ours,
    /// Of a consumer whose sessions belong to no version.
    Versionless,
    Version(String),
    /// Of a consumer, but its version cannot be told.
    Untold,
    Stranger,
}

#[derive(Serialize)]
struct Facts<'a> {
    want: Option<&'a str>,
    sessions: Vec<Fact<'a>>,
}

#[derive(Serialize)]
struct Fact<'a> {
    user: &'a str,
    application_name: &'a str,
    is: String,
    count: usize,
}

/// Judges the sessions that were seen.
pub fn judge(gate: &str, want: Option<&str>, consumers: &[Consumer], sessions: &Sessions) -> Judgement {
    // What was seen is told beside the gap, not in it: who is connected changes all the time.
    let blind = |why: &str, connected: &str| Judgement {
        gate: gate.to_string(),
        verdict: Verdict::Unknown,
        because: format!("{why}{connected}"),
        observed: observed(&Facts { want, sessions: Vec::new() }),
        gaps: vec![why.to_string()],
    };
    let seen = match sessions {
        Sessions::NotKnowable(why) | Sessions::Masked(why) => return blind(why, ""),
        Sessions::Seen(seen) => seen,
    };
    let Some(want) = want.filter(|want| !want.is_empty()) else {
        let why = match gate.starts_with(super::REVERT) {
            true => "change.toml does not name `versions.old`",
            false => "change.toml does not name `versions.new`",
        };
        return blind(why, &connected(seen));
    };
    if !consumers.iter().any(|consumer| patterns(consumer).any(|(pattern, _)| pattern.contains(VERSION))) {
        return blind(
            "no consumer in change.toml tells its versions apart: give one a `user` (or, on PostgreSQL, an \
             `application-name`) with `{version}` in it",
            &connected(seen),
        );
    }
    let mut counted: Vec<(&SessionSeen, Is, usize)> = Vec::new();
    let mut sorted: Vec<&SessionSeen> = seen.iter().collect();
    sorted.sort();
    for session in sorted {
        match counted.last_mut() {
            Some((last, _, count)) if *last == session => *count += 1,
            _ => counted.push((session, identify(session, consumers, want), 1)),
        }
    }
    let (verdict, reasons) = decide(want, &counted);
    let sessions = counted
        .iter()
        .map(|(session, is, count)| Fact {
            user: &session.user,
            application_name: &session.application_name,
            is: match is {
                Is::Ours => "lockkeeper".into(),
                Is::Versionless => "no version".into(),
                Is::Version(version) => version.clone(),
                Is::Untold => "version not told".into(),
                Is::Stranger => "not listed".into(),
            },
            count: *count,
        })
        .collect();
    Judgement {
        gate: gate.to_string(),
        verdict,
        because: in_words(&reasons),
        observed: observed(&Facts { want: Some(want), sessions }),
        gaps: if verdict == Verdict::Unknown { reasons } else { Vec::new() },
    }
}

/// Contrary evidence goes before missing evidence: a person's word must not open a gate that an old
/// version's session holds. Everything that is missing is told, for a person to answer for all of it.
fn decide(want: &str, counted: &[(&SessionSeen, Is, usize)]) -> (Verdict, Vec<String>) {
    let others: Vec<_> =
        counted.iter().filter(|(_, is, _)| matches!(is, Is::Version(version) if version != want)).collect();
    if let Some((session, Is::Version(version), _)) = others.first() {
        let count: usize = others.iter().map(|(_, _, count)| count).sum();
        let because = match count {
            1 => format!("1 session of {version} is still connected, {}", named(session)),
            _ => format!(
                "{count} sessions of other versions than {want} are still connected, the first of {version}, {}",
                named(session)
            ),
        };
        return (Verdict::Pending, vec![because]);
    }
    let untold: Vec<String> = counted
        .iter()
        .filter_map(|(session, is, _)| match is {
            Is::Stranger => {
                Some(format!("a session of no listed consumer, {}: list it in change.toml", named(session)))
            }
            Is::Untold => Some(format!("a session that does not tell its version, {}", named(session))),
            Is::Ours | Is::Versionless | Is::Version(_) => None,
        })
        .collect();
    if !untold.is_empty() {
        return (Verdict::Unknown, untold);
    }
    let wanted: usize = counted
        .iter()
        .filter(|(_, is, _)| matches!(is, Is::Version(version) if version == want))
        .map(|(_, _, count)| count)
        .sum();
    let (verdict, because) = match wanted {
        0 => (
            Verdict::Unknown,
            format!("no session of {want} is connected either, so that none of another version proves nothing"),
        ),
        1 => (Verdict::Pass, format!("1 session of {want} and none of another version")),
        n => (Verdict::Pass, format!("{n} sessions of {want} and none of another version")),
    };
    (verdict, vec![because])
}

/// Who is connected besides us, each name once: a person who stands in for the evidence should know.
fn connected(seen: &[SessionSeen]) -> String {
    let others = seen.iter().filter(|session| !session.application_name.starts_with(OURS));
    let names: BTreeSet<String> = others.map(named).collect();
    match names.is_empty() {
        true => "; nobody else is connected".to_string(),
        false => format!("; connected: {}", in_words(&names.into_iter().collect::<Vec<_>>())),
    }
}

fn named(session: &SessionSeen) -> String {
    match session.application_name.as_str() {
        "" => format!("user `{}`", session.user),
        application => format!("user `{}`, application `{application}`", session.user),
    }
}

/// A consumer's patterns, each with what it is compared with.
fn patterns(consumer: &Consumer) -> impl Iterator<Item = (&str, fn(&SessionSeen) -> &str)> {
    let by_name = consumer.application_name.as_deref().map(|pattern| {
        let of: fn(&SessionSeen) -> &str = |session| &session.application_name;
        (pattern, of)
    });
    let by_user = consumer.user.as_deref().map(|pattern| {
        let of: fn(&SessionSeen) -> &str = |session| &session.user;
        (pattern, of)
    });
    by_name.into_iter().chain(by_user)
}

/// Which consumer's session it is, and of which version. Of several patterns that fit, the one with
/// the most literal text counts; of equals, one that speaks against the wanted version.
fn identify(session: &SessionSeen, consumers: &[Consumer], want: &str) -> Is {
    if session.application_name.starts_with(OURS) {
        return Is::Ours;
    }
    let mut best: Option<(usize, Is)> = None;
    for consumer in consumers {
        if let Some((weight, is)) = identify_as(session, consumer, want) {
            let heavier = match &best {
                None => true,
                Some((best, _)) if weight != *best => weight > *best,
                Some((_, held)) => speaks_against(&is, want) > speaks_against(held, want),
            };
            if heavier {
                best = Some((weight, is));
            }
        }
    }
    best.map_or(Is::Stranger, |(_, is)| is)
}

/// How strongly a reading holds the gate.
fn speaks_against(is: &Is, want: &str) -> u8 {
    match is {
        Is::Version(version) if version != want => 3,
        Is::Untold => 2,
        Is::Version(_) => 1,
        Is::Versionless | Is::Ours | Is::Stranger => 0,
    }
}

/// What the session is, read as one of this consumer's; `None` where it is not.
fn identify_as(session: &SessionSeen, consumer: &Consumer, want: &str) -> Option<(usize, Is)> {
    let mut weight = 0;
    let mut versions = Vec::new();
    let (mut matched, mut unmatched, mut versioned) = (false, false, false);
    for (pattern, of) in patterns(consumer) {
        versioned |= pattern.contains(VERSION);
        match compare(pattern, of(session)) {
            Some(version) => {
                matched = true;
                weight = weight.max(pattern.replace(VERSION, "").len());
                versions.extend(version);
            }
            None => unmatched = true,
        }
    }
    let other = versions.iter().find(|version| version.as_str() != want).cloned();
    match (matched, versioned) {
        (false, _) => None,
        // A pattern without a version must not let a session pass that the pattern with one does not fit:
        // it may be an old version's that does not set its name.
        (true, true) => Some(match other.or_else(|| versions.first().cloned()) {
            Some(version) => (weight, Is::Version(version)),
            None => (weight, Is::Untold),
        }),
        (true, false) if unmatched => None,
        (true, false) => Some((weight, Is::Versionless)),
    }
}

/// Whether `text` fits; with the version when the pattern has a place for it. Only as many words of
/// `text` are compared as the pattern has: what follows is often a host, a thread or a script's name.
fn compare(pattern: &str, text: &str) -> Option<Option<String>> {
    let end = text.match_indices(' ').nth(pattern.matches(' ').count()).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end)?;
    match pattern.split_once(VERSION) {
        None => (pattern == text).then_some(None),
        Some((before, after)) => {
            let version = text.strip_prefix(before)?.strip_suffix(after)?;
            (!version.is_empty()).then(|| Some(version.to_string()))
        }
    }
}
