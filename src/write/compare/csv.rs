//! A comparison as one row a route, for a spreadsheet; in the form of the report's CSV.

use std::io;

use crate::stats::summary::Figures;
use crate::stats::summary::Latency;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::RouteChange;
use crate::write::csv::field;

const HEAD: &str = "service,method,route,probe,verdict,before_requests,after_requests,before_errors,after_errors,\
before_client_errors,after_client_errors,before_p50_us,after_p50_us,before_p95_us,after_p95_us,before_p99_us,after_p99_us,reasons";

/// Writes each route, worst first.
pub fn csv(comparison: &Comparison, out: &mut impl io::Write) -> io::Result<()> {
    write!(out, "{HEAD}\r\n")?;
    for route in &comparison.routes {
        write!(out, "{}\r\n", row(route))?;
    }
    Ok(())
}

fn row(route: &RouteChange) -> String {
    let mut fields = vec![
        field(route.service.as_deref().unwrap_or_default()),
        field(&route.method),
        field(&route.route),
        route.probe.to_string(),
        route.verdict.word().to_owned(),
    ];
    let counts: [fn(&Figures) -> u64; 3] = [|f| f.requests, |f| f.errors, |f| f.client_errors];
    fields.extend(counts.iter().flat_map(|pick| [pick(&route.before).to_string(), pick(&route.after).to_string()]));
    let quantiles: [fn(&Latency) -> u64; 3] = [|l| l.p50_us, |l| l.p95_us, |l| l.p99_us];
    let quantile = |figures: &Figures, pick: &fn(&Latency) -> u64| {
        figures.latency.as_ref().map(|l| pick(l).to_string()).unwrap_or_default()
    };
    fields.extend(quantiles.iter().flat_map(|pick| [quantile(&route.before, pick), quantile(&route.after, pick)]));
    let reasons: Vec<&str> = route.reasons.iter().map(|r| r.text.as_str()).collect();
    fields.push(field(&reasons.join("; ")));
    fields.join(",")
}
