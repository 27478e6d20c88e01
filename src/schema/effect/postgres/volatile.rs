//! Which defaults differ from row to row.

use crate::schema::Answer;

/// Whether a default differs from row to row, so that adding the column writes every row.
pub(super) fn is_volatile(default: &str) -> Answer {
    let outside_strings = default.split('\'').step_by(2);
    outside_strings.flat_map(functions).map(|name| volatility(&name)).max().unwrap_or(Answer::No)
}

/// The names that stand in front of a parenthesis.
fn functions(part: &str) -> impl Iterator<Item = String> {
    part.match_indices('(').filter_map(|(at, _)| {
        let before = part[..at].trim_end();
        let word = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
        let is_type = before[..word].trim_end().ends_with("::");
        (word < before.len() && !is_type).then(|| before[word..].to_ascii_lowercase())
    })
}

fn volatility(function: &str) -> Answer {
    if STABLE.contains(&function) {
        Answer::No
    } else if VOLATILE.contains(&function) {
        Answer::Yes
    } else {
        Answer::Unknown("whether that function is volatile, the history does not tell")
    }
}

const VOLATILE: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_bytes",
    "gen_random_uuid",
    "gen_salt",
    "lastval",
    "nextval",
    "random",
    "random_normal",
    "setval",
    "timeofday",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
];

/// Immutable or stable ones, and words that are no functions.
const STABLE: &[&str] = &[
    "now",
    "current_timestamp",
    "localtimestamp",
    "current_time",
    "localtime",
    "transaction_timestamp",
    "statement_timestamp",
    "current_setting",
    "timezone",
    "date_trunc",
    "to_timestamp",
    "make_interval",
    "lower",
    "upper",
    "md5",
    "array",
    "coalesce",
    "cast",
    "row",
    "in",
    "and",
    "or",
    "not",
    "values",
    "jsonb_build_object",
    "jsonb_build_array",
    "json_build_object",
    "json_build_array",
    "extract",
    "concat",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_defaults_are_those_that_differ_from_row_to_row() {
        let table = [
            ("0", Some(false)),
            ("'a(b'", Some(false)),
            ("'x'::varchar(20)", Some(false)),
            ("now()", Some(false)),
            ("now() + interval '1 day'", Some(false)),
            ("clock_timestamp()", Some(true)),
            ("gen_random_uuid()", Some(true)),
            ("nextval('s')", Some(true)),
            ("my_function(random())", Some(true)),
            ("my_function()", None),
            ("(1 + 1)", Some(false)),
            ("'{}'::jsonb", Some(false)),
        ];
        for (default, expected) in table {
            let answer = is_volatile(default);
            match expected {
                Some(expected) => assert_eq!(answer, expected.into(), "{default}"),
                None => assert!(matches!(answer, Answer::Unknown(_)), "{default}"),
            }
        }
    }
}
