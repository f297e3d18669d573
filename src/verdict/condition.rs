//! `p99 > 300ms over 5m on GET /items/*`: the one small language of `--fail-on` and of rules.
//!
//! `SIGNAL OP VALUE [over DURATION] [on ROUTE | on each]`, true when the service is bad. Parsing gives a [`Condition`] or
//! an error that points into the text; what a signal's figure is over some requests is `window.rs`' matter.

use std::fmt;

use crate::route::glob::RouteGlob;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Signal {
    /// Errors by requests.
    ErrorRate,
    /// 4xx by requests.
    ClientErrorRate,
    /// 499, 460 and `-` by requests.
    AbortedRate,
    /// One status by requests.
    StatusRate(u16),
    /// Latency at a quantile (0 to 1).
    Quantile(f64),
    /// Mean latency.
    Mean,
    /// Largest latency.
    Max,
    /// Requests a second.
    Rate,
    /// Requests.
    Requests,
    /// Errors.
    Errors,
    /// Exceptions.
    Exceptions,
    /// Starts of the server's parent process.
    Restarts,
    /// Workers that died or were killed.
    WorkerDeaths,
    /// Answered from the cache, of the looked-up ones.
    CacheHitRatio,
    /// Malformed lines by lines.
    MalformedRate,
    /// Time since the last line of any kind.
    Silence,
}

/// The dimension of a signal's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// 0 to 1; written `2%` or `0.02`.
    Ratio,
    /// Microseconds; written `300ms`, `1.5s`.
    Time,
    /// A second; written `10/s`.
    PerSecond,
    /// A plain number.
    Count,
}

impl Signal {
    /// How its values are written.
    pub fn dimension(self) -> Dimension {
        match self {
            Self::ErrorRate
            | Self::ClientErrorRate
            | Self::AbortedRate
            | Self::StatusRate(_)
            | Self::CacheHitRatio
            | Self::MalformedRate => Dimension::Ratio,
            Self::Quantile(_) | Self::Mean | Self::Max | Self::Silence => Dimension::Time,
            Self::Rate => Dimension::PerSecond,
            Self::Requests | Self::Errors | Self::Exceptions | Self::Restarts | Self::WorkerDeaths => Dimension::Count,
        }
    }

    /// Whether smaller is better, as it is for nearly all.
    pub fn smaller_is_better(self) -> bool {
        !matches!(self, Self::Rate | Self::Requests | Self::CacheHitRatio)
    }

    /// The fewest requests (lines, of `malformed_rate`) a figure of it is taken from, unless a rule says otherwise.
    pub fn min_requests(self) -> u64 {
        match self {
            Self::ErrorRate
            | Self::ClientErrorRate
            | Self::AbortedRate
            | Self::StatusRate(_)
            | Self::Quantile(_)
            | Self::Mean
            | Self::CacheHitRatio
            | Self::MalformedRate => 20,
            _ => 1,
        }
    }

    /// Whether it can be asked of a single route. Exceptions are counted by service: not each can be tied to a request.
    pub fn of_route(self) -> bool {
        !matches!(self, Self::Exceptions | Self::Restarts | Self::WorkerDeaths | Self::MalformedRate | Self::Silence)
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "error_rate" => Self::ErrorRate,
            "client_error_rate" => Self::ClientErrorRate,
            "aborted_rate" => Self::AbortedRate,
            "mean" => Self::Mean,
            "max" => Self::Max,
            "rate" => Self::Rate,
            "requests" => Self::Requests,
            "errors" => Self::Errors,
            "exceptions" => Self::Exceptions,
            "restarts" => Self::Restarts,
            "worker_deaths" => Self::WorkerDeaths,
            "cache_hit_ratio" => Self::CacheHitRatio,
            "malformed_rate" => Self::MalformedRate,
            "silence" => Self::Silence,
            _ => return Self::status(word).or_else(|| Self::quantile(word)),
        })
    }

    fn status(word: &str) -> Option<Self> {
        let code = word.strip_prefix("status_")?.strip_suffix("_rate")?;
        code.parse().ok().filter(|c| (100..=599).contains(c)).map(Self::StatusRate)
    }

    /// `p50`, `p99`, `p999` (a point after two digits), `p(95)`, `p(99.5)`.
    fn quantile(word: &str) -> Option<Self> {
        let digits = word.strip_prefix('p')?;
        let percent: f64 = if let Some(inside) = digits.strip_prefix('(') {
            inside.strip_suffix(')')?.parse().ok()?
        } else {
            if digits.is_empty() || digits.len() > 6 || digits.starts_with("100") || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            let (whole, rest) = digits.split_at(digits.len().min(2));
            format!("{whole}.{rest}0").parse().ok()?
        };
        (percent > 0.0 && percent < 100.0).then_some(Self::Quantile((percent * 1e4).round() / 1e6))
    }
}

/// The signal as it is written.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ErrorRate => "error_rate",
            Self::ClientErrorRate => "client_error_rate",
            Self::AbortedRate => "aborted_rate",
            Self::StatusRate(code) => return write!(f, "status_{code}_rate"),
            Self::Quantile(q) => return write!(f, "p{}", percent(*q)),
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Rate => "rate",
            Self::Requests => "requests",
            Self::Errors => "errors",
            Self::Exceptions => "exceptions",
            Self::Restarts => "restarts",
            Self::WorkerDeaths => "worker_deaths",
            Self::CacheHitRatio => "cache_hit_ratio",
            Self::MalformedRate => "malformed_rate",
            Self::Silence => "silence",
        })
    }
}

fn percent(q: f64) -> String {
    let text = format!("{:.4}", q * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.strip_prefix("99.").map_or_else(|| text.to_owned(), |rest| format!("99{rest}"))
}

/// How figure and value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Op {
    /// Does the comparison hold?
    pub fn holds(self, figure: f64, value: f64) -> bool {
        match self {
            Self::Above => figure > value,
            Self::AtLeast => figure >= value,
            Self::Below => figure < value,
            Self::AtMost => figure <= value,
        }
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

/// Which requests a condition looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum On {
    /// The service as a whole.
    #[default]
    All,
    /// Each route by itself.
    Each,
    /// The routes a glob names, together.
    Route(RouteGlob),
}

/// One condition, true when the service is bad.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As typed.
    pub text: String,
    /// What is measured.
    pub signal: Signal,
    /// How it is compared.
    pub op: Op,
    /// In the signal's dimension: ratios 0 to 1, times in microseconds.
    pub value: f64,
    /// The sliding window in seconds, where one is named.
    pub over_s: Option<u32>,
    /// Which requests.
    pub on: On,
    /// The pattern behind `on`, as typed, where one stands there.
    pub route: Option<String>,
}

impl Condition {
    /// Whether it reads like a goal (`p95 < 300ms`) and not like something bad.
    pub fn looks_like_a_goal(&self) -> bool {
        matches!(self.op, Op::Below | Op::AtMost) == self.signal.smaller_is_better()
            && !matches!(self.signal, Signal::Rate | Signal::Requests)
    }
}

/// What is wrong with a condition, and where: the byte at which it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// Byte position in the text.
    pub at: usize,
    /// What was expected there.
    pub message: String,
}

impl ConditionError {
    /// The message, the text, and a pointer below the place.
    pub fn pointed(&self, text: &str) -> String {
        let column = text.get(..self.at).map_or(0, |before| before.chars().count());
        format!("{}\n  {text}\n  {}^", self.message, " ".repeat(column))
    }
}

/// The signals, as a message lists them.
pub const SIGNALS: &str = "error_rate, client_error_rate, aborted_rate, status_429_rate (any code), p50, p95, p99, p999, \
p(99.5), mean, max, rate, requests, errors, exceptions, restarts, worker_deaths, cache_hit_ratio, malformed_rate, silence";

struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The next run of bytes that are neither blank nor one of `< > =`; a run of these three by itself.
    fn next(&mut self) -> (usize, &'a str) {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let leads = rest.chars().next().is_some_and(sign);
        let end = rest.find(|c: char| if leads { !sign(c) } else { c.is_whitespace() || sign(c) }).unwrap_or(rest.len());
        let from = self.at;
        self.at += end;
        (from, &rest[..end])
    }

    fn rest(&mut self) -> (usize, &'a str) {
        self.skip_blanks();
        let from = self.at;
        self.at = self.text.len();
        (from, self.text[from..].trim_end())
    }
}

fn wrong<T>(at: usize, message: impl Into<String>) -> Result<T, ConditionError> {
    Err(ConditionError { at, message: message.into() })
}

/// Reads a condition. The error names the place and what could stand there.
pub fn parse(text: &str) -> Result<Condition, ConditionError> {
    let mut words = Words { text, at: 0 };
    let (at, word) = words.next();
    let Some(signal) = Signal::named(word) else {
        return wrong(at, format!("'{word}' is no signal; there are {SIGNALS}"));
    };
    let (at, sign) = words.next();
    let op = match sign {
        ">" => Op::Above,
        ">=" => Op::AtLeast,
        "<" => Op::Below,
        "<=" => Op::AtMost,
        _ => return wrong(at, format!("'{signal}' is followed by >, >=, < or <=")),
    };
    let (at, word) = words.next();
    let value = value(word, signal.dimension()).map_err(|message| ConditionError { at, message })?;
    let (mut over_s, mut on, mut route) = (None, On::All, None);
    loop {
        let (at, word) = words.next();
        match word {
            "" => break,
            "over" if over_s.is_none() => {
                let (at, word) = words.next();
                let Some(seconds) = duration_us(word).map(|us| us / 1e6).filter(|s| (1.0..=30.0 * 86_400.0).contains(s)) else {
                    return wrong(at, format!("'{word}' is no window; write 30s, 5m, 6h or 3d (1s to 30d)"));
                };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 2,592,000")]
                let seconds = seconds as u32;
                over_s = Some(seconds);
            }
            "on" if matches!(on, On::All) => {
                let (at, name) = words.rest();
                if !signal.of_route() {
                    return wrong(at, format!("'{signal}' is not told by route"));
                }
                on = match name {
                    "each" => On::Each,
                    "" => return wrong(at, "'on' is followed by a route, e.g. POST /checkout, or 'each'"),
                    _ => {
                        route = Some(name.to_owned());
                        On::Route(RouteGlob::new(name).map_err(|e| ConditionError { at, message: e.message })?)
                    }
                };
            }
            _ => {
                return wrong(at, format!("'{word}' does not belong here; 'over DURATION' or 'on ROUTE' can follow the value"));
            }
        }
    }
    Ok(Condition { text: text.trim().to_owned(), signal, op, value, over_s, on, route })
}

fn value(word: &str, dimension: Dimension) -> Result<f64, String> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    match dimension {
        Dimension::Ratio => word
            .strip_suffix('%')
            .map_or_else(|| number(word), |percent| number(percent).map(|n| n / 100.0))
            .filter(|n| *n <= 1.0)
            .ok_or_else(|| format!("'{word}' is no ratio; write 2% or 0.02")),
        Dimension::Time => duration_us(word).ok_or_else(|| format!("'{word}' is no time; write 300ms, 1.5s or 5m")),
        Dimension::PerSecond => {
            number(word.strip_suffix("/s").unwrap_or(word)).ok_or_else(|| format!("'{word}' is no rate; write 10/s"))
        }
        Dimension::Count => number(word).ok_or_else(|| format!("'{word}' is no number; write 20")),
    }
}

/// Microseconds of `300ms`, `1.5s`, `250us`, `5m`, `6h`, `2d`; `None` without a unit.
pub fn duration_us(word: &str) -> Option<f64> {
    let split = word.find(|c: char| c.is_ascii_alphabetic() || c == 'µ')?;
    let (number, unit) = word.split_at(split);
    let scale = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3_600e6,
        "d" => 86_400e6,
        _ => return None,
    };
    number.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0).map(|n| n * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_condition_is_read() {
        let cases = [
            ("error_rate > 2%", Signal::ErrorRate, Op::Above, 0.02, None),
            ("error_rate>0.02 over 5m", Signal::ErrorRate, Op::Above, 0.02, Some(300)),
            ("p99 >= 300ms over 1h", Signal::Quantile(0.99), Op::AtLeast, 300_000.0, Some(3600)),
            ("p999 > 1.5s", Signal::Quantile(0.999), Op::Above, 1_500_000.0, None),
            ("p(95) > 250us", Signal::Quantile(0.95), Op::Above, 250.0, None),
            ("status_429_rate > 10%", Signal::StatusRate(429), Op::Above, 0.1, None),
            ("rate < 10/s over 10m", Signal::Rate, Op::Below, 10.0, Some(600)),
            ("cache_hit_ratio < 50%", Signal::CacheHitRatio, Op::Below, 0.5, None),
            ("silence > 5m", Signal::Silence, Op::Above, 300e6, None),
        ];
        for (text, signal, op, value, over_s) in cases {
            let got = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!((signal, op, over_s), (got.signal, got.op, got.over_s), "{text}");
            assert!((value - got.value).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn an_error_points_at_its_place() {
        let cases = [
            ("errorrate > 2%", 0),
            ("error_rate = 2%", 11),
            ("error_rate > 200%", 13),
            ("p95 > 300", 6),
            ("p100 > 1s", 0),
            ("p95 > 300ms over 5", 17),
            ("p95 > 300ms for 5m", 12),
            ("p95 > 300ms on ", 15),
            ("restarts > 1 on each", 16),
            ("status_999_rate > 1%", 0),
        ];
        for (text, at) in cases {
            assert_eq!(Some(at), parse(text).err().map(|e| e.at), "{text}");
        }
        let error = parse("p95 > 300").unwrap_err();
        assert_eq!("'300' is no time; write 300ms, 1.5s or 5m\n  p95 > 300\n        ^", error.pointed("p95 > 300"));
    }

    #[test]
    fn a_goal_is_told_from_something_bad() {
        let goal = |text: &str| parse(text).unwrap().looks_like_a_goal();
        assert_eq!(
            [true, false, false, true, false],
            ["p95 < 300ms", "p95 > 300ms", "rate < 10/s", "cache_hit_ratio > 50%", "cache_hit_ratio < 50%"].map(goal)
        );
    }
}
