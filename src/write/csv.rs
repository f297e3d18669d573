//! One row a route, for a spreadsheet: RFC 4180 (comma, CRLF, quotes doubled), with a head.
//!
//! What the log does not tell is an empty field. Text that a spreadsheet would take for a formula is led by an
//! apostrophe, as OWASP's page on CSV injection advises.

use std::io;

use crate::stats::summary::Latency;
use crate::stats::summary::RouteFigures;
use crate::write::Report;
use crate::write::figures::clean_to;

/// The head, in the order of the fields.
const HEAD: &str = "service,method,route,probe,streaming,named_by,requests,rate_per_s,errors,error_rate,client_errors,aborted,\
1xx,2xx,3xx,4xx,5xx,bytes,latency_count,min_us,mean_us,p50_us,p90_us,p95_us,p99_us,p999_us,max_us";

/// The longest text in a field, in bytes.
const LONGEST: usize = 4096;

/// Writes the routes as CSV, most requests first, as the report has them.
pub fn csv(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    write!(out, "{HEAD}\r\n")?;
    for route in &report.summary.routes {
        write!(out, "{}\r\n", row(route))?;
    }
    Ok(())
}

fn row(route: &RouteFigures) -> String {
    let figures = &route.figures;
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let ratio = |r: Option<f64>| r.map(|r| format!("{r:.6}")).unwrap_or_default();
    let mut fields = vec![
        field(route.service.as_deref().unwrap_or_default()),
        field(&route.method),
        field(&route.route),
        route.probe.to_string(),
        route.streaming.to_string(),
        route.named_by.word().to_owned(),
        figures.requests.to_string(),
        ratio(figures.rate_per_s),
        figures.errors.to_string(),
        ratio(figures.error_rate),
        figures.client_errors.to_string(),
        figures.aborted.to_string(),
    ];
    fields.extend(figures.classes.iter().map(u64::to_string));
    fields.push(number(figures.bytes));
    let picks: [fn(&Latency) -> u64; 9] = [
        |l| l.count,
        |l| l.min_us,
        |l| l.mean_us,
        |l| l.p50_us,
        |l| l.p90_us,
        |l| l.p95_us,
        |l| l.p99_us,
        |l| l.p999_us,
        |l| l.max_us,
    ];
    fields.extend(picks.iter().map(|pick| number(figures.latency.as_ref().map(pick))));
    fields.join(",")
}

/// Text as one field. A lone `-` (no method) is no formula and stays.
pub(super) fn field(untrusted: &str) -> String {
    let safe = clean_to(untrusted, LONGEST);
    let text = safe.as_str();
    let formula =
        text != "-" && text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\'', ' ']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_never_a_formula() {
        for (field_text, raw) in [
            ("GET", "GET"),
            ("-", "-"),
            ("/items/{id}", "/items/{id}"),
            ("\"/a,b\"", "/a,b"),
            ("\"say \"\"hi\"\"\"", "say \"hi\""),
            ("\"'=1+1\"", "=1+1"),
            ("\"'@SUM(A1)\"", "@SUM(A1)"),
            ("\"'-2\"", "-2"),
            ("\"' +1\"", "\t+1"),
        ] {
            assert_eq!(field_text, field(raw));
        }
    }

    #[test]
    fn each_route_is_one_row_with_a_field_for_each_name() {
        let mut out = Vec::new();
        csv(&example::full(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Vec<&str>> = text.split_terminator("\r\n").map(|row| row.split(',').collect()).collect();
        assert_eq!(5, rows.len());
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
        let value = |name: &str| rows[2][rows[0].iter().position(|head| *head == name).unwrap()];
        assert_eq!(
            ["POST", "412", "25", "0.060680", "", "47500", "950000"],
            ["method", "requests", "5xx", "error_rate", "bytes", "p50_us", "max_us"].map(value)
        );
    }
}
