//! `vitalog.compare/1`: keys in the order of the contract, p values and shares to six significant digits.

use std::io;

use serde_json::Value;
use serde_json::json;

use crate::verdict::compare::About;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::LatencyTest;
use crate::verdict::compare::Of;
use crate::verdict::compare::RouteChange;
use crate::verdict::compare::ShareTest;
use crate::verdict::compare::shares::Share;
use crate::write::json::exception;
use crate::write::json::list;
use crate::write::json::six_digits;
use crate::write::json::some_text;
use crate::write::json::stats;
use crate::write::json::text;
use crate::write::json::time;

/// Writes the comparison as one line of JSON.
pub fn json(comparison: &Comparison, out: &mut impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &object(comparison))?;
    out.write_all(b"\n")
}

/// The comparison as a JSON value, for messages that carry it inside something else.
pub fn object(comparison: &Comparison) -> Value {
    json!({
        "schema": "vitalog.compare/1",
        "before": about(&comparison.before),
        "after": after(comparison),
        "verdict": comparison.verdict.word(),
        "routes": list(&comparison.routes, route),
        "new_exceptions": list(&comparison.new_exceptions, exception),
        "rollback": some_text(comparison.rollback.as_ref()),
        "purge": comparison.purge.as_ref().map(|p| p.lines().map(text).collect::<Vec<_>>().join("\n")),
    })
}

fn about(about: &About) -> Value {
    json!({
        "label": text(&about.label),
        "version": some_text(about.version.as_ref()),
        "start": time(about.period.map(|p| p.0)),
        "end": time(about.period.map(|p| p.1)),
        "requests": about.requests,
        "left_out": about.left_out,
    })
}

/// The side after, with what is known of the change and what is shown beside.
fn after(comparison: &Comparison) -> Value {
    let mut side = about(&comparison.after);
    if let Value::Object(side) = &mut side {
        side.insert("changed_at".to_owned(), time(comparison.changed_at).into());
        side.insert("week_earlier".to_owned(), comparison.week.as_ref().map_or(Value::Null, about));
        side.insert("notes".to_owned(), list(&comparison.notes, |note| text(note).into()));
    }
    side
}

fn route(route: &RouteChange) -> Value {
    json!({
        "service": some_text(route.service.as_ref()),
        "method": text(&route.method),
        "route": text(&route.route),
        "verdict": route.verdict.word(),
        "reasons": list(&route.reasons, |r| r.text.as_str().into()),
        "before": stats(&route.before),
        "after": stats(&route.after),
        "tests": {
            "latency": route.latency.as_ref().map(|test| latency(test, route)),
            "shares": list(&route.shares, share),
            "week_earlier": route.week.as_ref().map(stats),
        },
    })
}

fn latency(test: &LatencyTest, route: &RouteChange) -> Value {
    let quantiles = |figures: &crate::stats::summary::Figures| {
        figures.latency.as_ref().map_or([None; 3], |l| [Some(l.p50_us), Some(l.p95_us), Some(l.p99_us)])
    };
    let [p50, p95, p99] = std::array::from_fn(|at| {
        let (was, is) = (quantiles(&route.before)[at]?, quantiles(&route.after)[at]?);
        i64::try_from(i128::from(is) - i128::from(was)).ok()
    });
    json!({
        "mann_whitney": { "u": test.ranks.u, "p": six_digits(test.ranks.p), "superiority": six_digits(test.ranks.superiority) },
        "slowest_twentieth": sides(test.tail.share, test.tail.p),
        "p": six_digits(test.p),
        "adjusted_p": six_digits(test.adjusted_p),
        "significant": test.ranks_significant || test.tail_significant,
        "shift_us": { "p50": p50, "p95": p95, "p99": p99 },
    })
}

fn sides(share: Share, p: f64) -> Value {
    json!({
        "before": { "count": share.before.0, "of": share.before.1 },
        "after": { "count": share.after.0, "of": share.after.1 },
        "p": six_digits(p),
    })
}

fn share(test: &ShareTest) -> Value {
    let of = match test.of {
        Of::Errors => "errors".to_owned(),
        Of::ClientErrors => "client_errors".to_owned(),
        Of::Status(0) => "-".to_owned(),
        Of::Status(status) => status.to_string(),
    };
    json!({
        "of": of,
        "before": { "count": test.share.before.0, "of": test.share.before.1 },
        "after": { "count": test.share.after.0, "of": test.share.after.1 },
        "p": six_digits(test.p),
        "adjusted_p": test.possible.then(|| six_digits(test.adjusted_p)).flatten(),
        "significant": test.significant,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::compare::tests::comparison;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The keys of the contract, section 8, as it writes them.
    #[test]
    fn keys_stand_in_the_order_of_the_contract() {
        let all = object(&comparison("/checkout"));
        for (at, want) in [
            ("", "schema before after verdict routes new_exceptions rollback purge"),
            ("/routes/0", "service method route verdict reasons before after tests"),
            ("/routes/0/tests", "latency shares week_earlier"),
            ("/before", "label version start end requests left_out"),
            ("/after", "label version start end requests left_out changed_at week_earlier notes"),
        ] {
            assert_eq!(want.split_whitespace().collect::<Vec<_>>(), keys(all.pointer(at).unwrap()), "{at}");
        }
        assert_eq!(("regressed", "POST"), (all["verdict"].as_str().unwrap(), all["routes"][0]["method"].as_str().unwrap()));
        assert_eq!(12, keys(&all["routes"][0]["before"]).len());
    }
}
