//! The `/metrics` page in the Prometheus text form 0.0.4 (prometheus.io, "Exposition formats").
//!
//! Names and bucket bounds of the request histogram are OpenTelemetry's (semantic conventions for HTTP metrics 1.23).
//! [`series::Series`] decides which routes have series of their own and keeps every counter from falling; here rows are
//! written. Label values are made safe, at most 256 bytes; rows that become alike thereby become one.

pub mod series;

use std::collections::BTreeMap;

use crate::stats::latency::OTEL_US;
use crate::stats::summary::Latency;
use crate::write::figures::clean_to;
use series::Cells;
use series::Series;

/// What the page is served as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The longest label value, in bytes.
const LONGEST: usize = 256;
/// Kinds of exceptions with a series of their own: the first by name, as `stats::failures` keeps them.
const TYPES: usize = 100;

/// An alert that fires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firing {
    /// Its service.
    pub service: Option<String>,
    /// Its rule or promise.
    pub rule: String,
    /// Its route.
    pub route: Option<String>,
    /// `page`, `ticket` or `info`.
    pub severity: String,
}

/// What the page shows beside requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board {
    /// Latency of each service over the time the caller chooses.
    pub latency: Vec<(Option<String>, Latency)>,
    /// Exceptions by service and type; a type may come several times.
    pub exceptions: Vec<(Option<String>, String, u64)>,
    /// Starts of each service's parent process.
    pub restarts: Vec<(Option<String>, u64)>,
    /// What fires now.
    pub firing: Vec<Firing>,
    /// By service and promise: what is left of the budget, 0 to 1.
    pub budgets: Vec<(Option<String>, String, f64)>,
    /// Lines by service and kind.
    pub lines: Vec<(Option<String>, &'static str, u64)>,
    /// Bytes that lie there unread, by service.
    pub lag_bytes: Vec<(Option<String>, u64)>,
}

/// A label value: safe and bounded.
pub(crate) fn label(untrusted: &str) -> String {
    clean_to(untrusted, LONGEST).as_str().to_owned()
}

fn service(name: Option<&String>) -> String {
    name.map_or_else(String::new, |n| label(n))
}

/// One metric: its rows by labels, so that no two are alike.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    labels: &'a [&'a str],
    rows: BTreeMap<Vec<String>, String>,
}

impl Family<'_> {
    fn write(&self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        head(out, self.name, self.kind, self.help);
        for (values, figure) in &self.rows {
            let pairs: Vec<(&str, &str)> = self.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            row(out, self.name, &pairs, figure);
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
        out.push_str(part);
    }
}

fn row(out: &mut String, name: &str, labels: &[(&str, &str)], figure: &str) {
    out.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    out.push(' ');
    out.push_str(figure);
    out.push('\n');
}

/// Microseconds as seconds, exactly.
fn seconds(us: u64) -> String {
    let (whole, rest) = (us / 1_000_000, us % 1_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:06}").trim_end_matches('0').to_owned()
}

/// The page.
pub fn page(series: &Series, board: &Board) -> Vec<u8> {
    let mut out = String::with_capacity(64 << 10);
    histogram(series, &mut out);
    requests(series).write(&mut out);
    for family in around(board) {
        family.write(&mut out);
    }
    out.into_bytes()
}

fn histogram(series: &Series, out: &mut String) {
    const NAME: &str = "http_server_request_duration_seconds";
    let timed: Vec<_> = series.rows().filter(|(_, cells)| cells.timed() > 0).collect();
    if timed.is_empty() {
        return;
    }
    head(out, NAME, "histogram", "Duration of HTTP requests as logged.");
    let (bucket, count, sum) = (format!("{NAME}_bucket"), format!("{NAME}_count"), format!("{NAME}_sum"));
    for (key, cells) in timed {
        let labels = [
            ("service", key.service.as_str()),
            ("http_request_method", key.method.as_str()),
            ("http_route", key.route.as_str()),
        ];
        let mut so_far = 0;
        let bounds = OTEL_US.iter().map(|us| seconds(*us)).chain(["+Inf".to_owned()]);
        for (bound, n) in bounds.zip(cells.buckets()) {
            so_far += n;
            let labels = [labels[0], labels[1], labels[2], ("le", bound.as_str())];
            row(out, &bucket, &labels, &so_far.to_string());
        }
        row(out, &sum, &labels, &seconds(cells.sum_us()));
        row(out, &count, &labels, &so_far.to_string());
    }
}

fn requests(series: &Series) -> Family<'static> {
    let one = |key: &series::Key, cells: &Cells| -> Vec<(Vec<String>, String)> {
        cells
            .statuses()
            .map(|(status, n)| {
                let status = if status == 0 { "-".to_owned() } else { status.to_string() };
                (vec![key.service.clone(), key.method.clone(), key.route.clone(), status], n.to_string())
            })
            .collect()
    };
    Family {
        name: "vitalog_requests_total",
        kind: "counter",
        help: "Requests by route and status.",
        labels: &["service", "http_request_method", "http_route", "http_response_status_code"],
        rows: series.rows().flat_map(|(key, cells)| one(key, cells)).collect(),
    }
}

/// Adds up rows that have the same labels.
fn summed(rows: impl Iterator<Item = (Vec<String>, u64)>) -> BTreeMap<Vec<String>, String> {
    let mut all: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (labels, n) in rows {
        let sum = all.entry(labels).or_default();
        *sum = sum.saturating_add(n);
    }
    all.into_iter().map(|(labels, n)| (labels, n.to_string())).collect()
}

fn around(board: &Board) -> [Family<'static>; 8] {
    let quantiles = |(name, l): &(Option<String>, Latency)| {
        let service = service(name.as_ref());
        [("0.5", l.p50_us), ("0.9", l.p90_us), ("0.95", l.p95_us), ("0.99", l.p99_us), ("0.999", l.p999_us)]
            .map(|(q, us)| (vec![service.clone(), q.to_owned()], seconds(us)))
    };
    let own = |name: &Option<String>| service(name.as_ref());
    let firing = |f: &Firing| {
        let route = f.route.as_deref().map_or_else(String::new, label);
        (vec![own(&f.service), label(&f.rule), route, label(&f.severity)], "1".to_owned())
    };
    let budget = |(s, promise, left): &(Option<String>, String, f64)| {
        (vec![own(s), label(promise)], format!("{:.6}", left.clamp(0.0, 1.0)))
    };
    let gauge = |name, help, labels, rows| Family { name, kind: "gauge", help, labels, rows };
    let counter = |name, help, labels, rows| Family { name, kind: "counter", help, labels, rows };
    [
        gauge(
            "vitalog_request_latency_seconds",
            "Latency quantiles.",
            &["service", "quantile"],
            board.latency.iter().flat_map(quantiles).collect(),
        ),
        counter("vitalog_exceptions_total", "Exceptions by type.", &["service", "type"], exceptions(board)),
        counter(
            "vitalog_restarts_total",
            "Starts of the server.",
            &["service"],
            summed(board.restarts.iter().map(|(s, n)| (vec![own(s)], *n))),
        ),
        gauge(
            "vitalog_alert_firing",
            "Alerts that fire.",
            &["service", "rule", "http_route", "severity"],
            board.firing.iter().map(firing).collect(),
        ),
        gauge(
            "vitalog_promise_budget_remaining_ratio",
            "What is left of a promise's budget.",
            &["service", "promise"],
            board.budgets.iter().filter(|b| b.2.is_finite()).map(budget).collect(),
        ),
        counter(
            "vitalog_input_lines_total",
            "Lines read, by what they are.",
            &["service", "kind"],
            summed(board.lines.iter().map(|(s, kind, n)| (vec![own(s), (*kind).to_owned()], *n))),
        ),
        gauge(
            "vitalog_input_lag_bytes",
            "Bytes that lie there unread.",
            &["service"],
            summed(board.lag_bytes.iter().map(|(s, n)| (vec![own(s)], *n))),
        ),
        gauge(
            "vitalog_build_info",
            "The running program.",
            &["service", "version"],
            BTreeMap::from([(vec![String::new(), env!("CARGO_PKG_VERSION").to_owned()], "1".to_owned())]),
        ),
    ]
}

fn exceptions(board: &Board) -> BTreeMap<Vec<String>, String> {
    let types: std::collections::BTreeSet<String> = board.exceptions.iter().map(|(_, kind, _)| label(kind)).collect();
    let listed: std::collections::BTreeSet<&String> = types.iter().take(TYPES).collect();
    summed(board.exceptions.iter().map(|(s, kind, n)| {
        let kind = label(kind);
        let kind = if listed.contains(&kind) { kind } else { "(other)".to_owned() };
        (vec![service(s.as_ref()), kind], *n)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Row = (String, Vec<(String, String)>, String);

    /// Name, labels and figure of each row, read as the text form is defined.
    fn parsed(page: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for line in page.strip_suffix('\n').expect("the last line ends").split('\n').filter(|l| !l.starts_with('#')) {
            let (name, mut rest) = line.split_at(line.find(['{', ' ']).unwrap());
            let mut labels = Vec::new();
            if rest.starts_with('{') {
                loop {
                    rest = &rest[1..];
                    let (label, value) = rest.split_once("=\"").unwrap();
                    let (mut text, mut chars) = (String::new(), value.char_indices());
                    let end = loop {
                        match chars.next().unwrap() {
                            (_, '\\') => text.push(match chars.next().unwrap().1 {
                                'n' => '\n',
                                c @ ('\\' | '"') => c,
                                c => panic!("\\{c} is no escape"),
                            }),
                            (at, '"') => break at,
                            (_, c) => text.push(c),
                        }
                    };
                    labels.push((label.to_owned(), text));
                    rest = &value[end + 1..];
                    if rest.starts_with('}') {
                        rest = &rest[1..];
                        break;
                    }
                    assert!(rest.starts_with(','), "{line}");
                }
            }
            rows.push((name.to_owned(), labels, rest.strip_prefix(' ').unwrap().to_owned()));
        }
        rows
    }

    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[\\\\\"\n\r\\x00-\\x1f\u{202e}a]{0,12}",
            Just("x".repeat(10_000)),
            Just("ü".repeat(200)),
            Just("\",evil=\"1".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in prop::collection::vec(hostile(), 1..8), n in 0u64..1_000_000) {
            let board = Board {
                exceptions: texts.iter().map(|t| (Some(t.clone()), t.clone(), n)).collect(),
                firing: texts.iter().map(|t| Firing { rule: t.clone(), route: Some(t.clone()), ..Firing::default() }).collect(),
                ..Board::default()
            };
            let page = String::from_utf8(page(&Series::default(), &board)).unwrap();
            let rows = parsed(&page);
            let names: std::collections::BTreeSet<_> = rows.iter().map(|r| (&r.0, &r.1)).collect();
            prop_assert_eq!(names.len(), rows.len(), "no two rows are alike");
            for (_, labels, _) in &rows {
                for (_, value) in labels {
                    prop_assert!(value.len() <= 256 && !value.chars().any(char::is_control), "{:?}", value);
                }
            }
            let mut want: BTreeMap<String, u64> = BTreeMap::new();
            for t in &texts {
                *want.entry(clean_to(t, 256).as_str().to_owned()).or_default() += n;
            }
            let got: BTreeMap<String, u64> = rows
                .iter()
                .filter(|r| r.0 == "vitalog_exceptions_total")
                .map(|r| (r.1[1].1.clone(), r.2.parse().unwrap()))
                .collect();
            prop_assert_eq!(want, got);
        }
    }

    #[test]
    fn microseconds_are_seconds_to_the_last_digit() {
        for (expected, us) in
            [("0", 0), ("0.005", 5_000), ("10", 10_000_000), ("1.000001", 1_000_001), ("18446744073709.551615", u64::MAX)]
        {
            assert_eq!(expected, seconds(us));
        }
    }

    #[test]
    fn the_page_has_the_promised_names() {
        let board = Board {
            latency: vec![(Some("shop".to_owned()), Latency { p50_us: 1_500, ..Latency::default() })],
            exceptions: vec![(None, "KeyError".to_owned(), 3)],
            restarts: vec![(Some("shop".to_owned()), 2)],
            firing: vec![Firing { rule: "available".to_owned(), severity: "page".to_owned(), ..Firing::default() }],
            budgets: vec![(None, "fast".to_owned(), 0.61), (None, "unknown".to_owned(), f64::NAN)],
            lines: vec![(None, "request", 7)],
            lag_bytes: vec![(None, 12)],
        };
        let page = String::from_utf8(page(&Series::default(), &board)).unwrap();
        for line in [
            "vitalog_request_latency_seconds{service=\"shop\",quantile=\"0.5\"} 0.0015",
            "vitalog_exceptions_total{service=\"\",type=\"KeyError\"} 3",
            "vitalog_restarts_total{service=\"shop\"} 2",
            "vitalog_alert_firing{service=\"\",rule=\"available\",http_route=\"\",severity=\"page\"} 1",
            "vitalog_promise_budget_remaining_ratio{service=\"\",promise=\"fast\"} 0.610000",
            "vitalog_input_lines_total{service=\"\",kind=\"request\"} 7",
            "vitalog_input_lag_bytes{service=\"\"} 12",
            concat!("vitalog_build_info{service=\"\",version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(page.lines().any(|l| l == line), "{line} in\n{page}");
        }
        assert!(!page.contains("NaN") && !page.contains("unknown"));
    }
}
