//! `[[throttle.prometheus]]`: queries to a Prometheus server, over its HTTP API.

use std::time::Duration;

use serde::Deserialize;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use super::{Look, Reading};
use crate::plan::settings::throttle::Prometheus;
use crate::settings;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than one number has.
const LONGEST_ANSWER: u64 = 1 << 20;

pub(super) async fn read(look: &Look) -> Vec<Reading> {
    let mut readings = Vec::new();
    for query in &look.settings.prometheus {
        let signal = format!("prometheus query {}", query.name);
        readings.push(match ask(query).await {
            Ok(value) => {
                let what = format!("{} is {}", query.name, query.limit.unit.show(value));
                Reading { signal, value: Ok(value), limit: Some(query.limit), what }
            }
            Err(why) => Reading::unreadable(signal, why),
        });
    }
    readings
}

/// On a thread of its own, whose end nobody waits for: an interrupted run does not wait for a silent server.
async fn ask(query: &Prometheus) -> Result<f64, String> {
    let url = address(query)?;
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(get(&url)));
    let (status, body) = answer.await.map_err(|_| "the question was not asked".to_string())??;
    parse(status, &body)
}

fn address(query: &Prometheus) -> Result<Url, String> {
    let url = settings::resolve_url(&query.url)
        .map_err(|_| format!("its `url` is {}, and that variable is not set", query.url))?;
    // Without the text: it may hold a password.
    let wrong = || "its `url` is none: write it as http://host:9090".to_string();
    let mut url = Url::parse(&url).map_err(|_| wrong())?;
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(["api", "v1", "query"]);
    url.query_pairs_mut().append_pair("query", &query.query);
    Ok(url)
}

/// The status and what the server said with it.
fn get(url: &Url) -> Result<(u16, String), String> {
    // As with the databases: a company's own authorities count.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .tls_config(tls)
        .build()
        .new_agent();
    let mut response = agent.get(url.as_str()).call().map_err(|error| in_words(&error))?;
    let body = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
    Ok((response.status().as_u16(), body.map_err(|error| in_words(&error))?))
}

/// Without the address, which may hold a password.
fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer in {} seconds", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "its host is not known".to_string(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::BadUri(_) => "its `url` cannot be asked".to_string(),
        other => other.to_string(),
    }
}

/// The API's answer.
#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

/// The value of a series at one moment: when, and the number as text.
type Sample = (f64, String);

#[derive(Deserialize)]
struct Series {
    value: Sample,
}

/// One number, or why it is none.
fn parse(status: u16, body: &str) -> Result<f64, String> {
    let answer: Result<Answer, _> = serde_json::from_str(body);
    let answer = match answer {
        Ok(answer) if answer.status == "success" && status == 200 => answer,
        Ok(Answer { error: Some(error), .. }) => return Err(format!("{error} (HTTP {status})")),
        _ if status != 200 => return Err(format!("the server answers with HTTP {status}")),
        _ => return Err("the answer is not that of Prometheus".to_string()),
    };
    let Some(Data { result_type, result }) = answer.data else { return Err("the answer holds no data".to_string()) };
    let broken = |_| format!("the answer's {result_type} cannot be read");
    let (_, value) = match result_type.as_str() {
        "scalar" => serde_json::from_value::<Sample>(result).map_err(broken)?,
        "vector" => {
            let mut series: Vec<Series> = serde_json::from_value(result).map_err(broken)?;
            match (series.pop(), series.len()) {
                (None, _) => return Err("the query finds no series".to_string()),
                (Some(only), 0) => only.value,
                (Some(_), more) => return Err(format!("the query returns {} series, not one number", more + 1)),
            }
        }
        other => return Err(format!("the query returns a {other}, not one number")),
    };
    match value.parse::<f64>() {
        Ok(number) if !number.is_nan() => Ok(number),
        _ => Err(format!("the query returns {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of a real server, and what one in front of it may say.
    #[test]
    fn only_one_number_is_a_number() {
        let recorded = |name: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/prometheus").join(name);
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let table = [
            (200, "one.json", "Ok(1.0)"),
            (200, "scalar.json", "Ok(0.5)"),
            (200, "infinity.json", "Ok(inf)"),
            (200, "nan.json", "Err(\"the query returns NaN\")"),
            (200, "empty.json", "Err(\"the query finds no series\")"),
            (200, "several.json", "Err(\"the query returns 2 series, not one number\")"),
            (200, "matrix.json", "Err(\"the query returns a matrix, not one number\")"),
            (200, "string.json", "Err(\"the query returns a string, not one number\")"),
            (
                400,
                "parse-error.json",
                "Err(\"invalid parameter \\\"query\\\": 1:4: parse error: unclosed left parenthesis (HTTP 400)\")",
            ),
            (404, "not-found.txt", "Err(\"the server answers with HTTP 404\")"),
            (200, "not-found.txt", "Err(\"the answer is not that of Prometheus\")"),
        ];
        for (status, name, expected) in table {
            assert_eq!(format!("{:?}", parse(status, &recorded(name))), expected, "{name}");
        }
    }

    #[test]
    fn a_path_in_front_of_the_api_is_kept() {
        let limit = crate::plan::Limit::at(1.0, crate::plan::settings::throttle::Unit::Number);
        let query =
            |url: &str| Prometheus { name: "a".into(), url: url.into(), query: "up{job=\"a b\"}".into(), limit };
        let address = |url: &str| address(&query(url)).map(|url| url.to_string());
        let asked = "api/v1/query?query=up%7Bjob%3D%22a+b%22%7D";
        assert_eq!(address("http://prometheus:9090"), Ok(format!("http://prometheus:9090/{asked}")));
        assert_eq!(address("https://metrics/prod/"), Ok(format!("https://metrics/prod/{asked}")));
        assert_eq!(address("prometheus:9090"), Err("its `url` is none: write it as http://host:9090".into()));
    }
}
