//! Healthy, degraded, unhealthy or unknown; with reasons.
//!
//! A pure function of the figures, for a finished reading (batch); live conditions are judged in `alert`. With times,
//! the period is searched for outages and held against the promises; without, the whole input is judged by the lower
//! bound of its error rate. The bound is Wilson's score interval (E. B. Wilson, 1927, JASA 22, 209-212).

use crate::stats::summary::Figures;
use crate::stats::summary::Period;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Series;
use crate::stats::summary::ServiceFigures;
use crate::stats::summary::Summary;
use crate::time::Timestamp;
use crate::verdict::outage::outages;
use crate::verdict::wording::count;
use crate::verdict::wording::counted;
use crate::verdict::wording::from_to;
use crate::verdict::wording::limit;
use crate::verdict::wording::percent;

/// The word for a service's state, from good to bad; `Unknown` where too little was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nothing wrong that the log can show.
    Healthy,
    /// A ticket's worth.
    Degraded,
    /// A page's worth.
    Unhealthy,
    /// Fewer than 20 requests.
    #[default]
    Unknown,
}

impl Status {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// How bad: 0 for `Unknown`, which anything that is known outweighs.
    fn weight(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Healthy => 1,
            Self::Degraded => 2,
            Self::Unhealthy => 3,
        }
    }
}

/// A state and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub status: Status,
    /// Each with its figure and time; the gravest first. Holds names from the log: made safe where it is shown.
    pub reasons: Vec<String>,
}

impl Health {
    /// Takes a reason in, and its state where that is worse.
    fn note(&mut self, status: Status, reason: String) {
        if status.weight() > self.status.weight() {
            self.status = status;
        }
        self.reasons.push(reason);
    }
}

/// A promise about answers that are no errors, over the period that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// Its name in reasons.
    pub name: String,
    /// The share (0 to 1) of requests that may not fail.
    pub target: f64,
}

impl Promise {
    /// What holds without configuration: `available`, 99.9 %.
    pub fn default_one() -> Self {
        Self { name: "available".to_owned(), target: 0.999 }
    }
}

/// Below so many requests nothing is said.
pub(crate) const ENOUGH: u64 = 20;
/// A promise is not broken by fewer errors.
const PROMISE_ERRORS: u64 = 5;
/// A route with this share of errors is worth a ticket.
const ROUTE_SHARE: f64 = 0.05;
/// So many outages, and so many routes, are named; the rest are counted.
const NAMED: usize = 3;

/// The health of all that was read, and of each service in the order of `summary.services`.
///
/// `service_series` holds each service's own course of time in the same order; where it is shorter, no outage of that
/// service is looked for (a single service takes the total's). Where several services were read, the whole is as bad
/// as the worst of them. `promises` hold for each service.
pub fn judge(summary: &Summary, service_series: &[Series], promises: &[Promise]) -> (Health, Vec<Health>) {
    let single = summary.services.len() <= 1;
    let of_service = |(at, service): (usize, &ServiceFigures)| {
        let series = service_series.get(at).or(single.then_some(&summary.series));
        let routes: Vec<_> = summary.routes.iter().filter(|r| r.service == service.service).collect();
        Scope { figures: &service.figures, routes, series, period: &summary.period, promises }.judge()
    };
    let services: Vec<Health> = summary.services.iter().enumerate().map(of_service).collect();
    let mut whole = if single || services.iter().all(|h| h.status == Status::Unknown) {
        let routes = summary.routes.iter().collect();
        Scope { figures: &summary.total, routes, series: Some(&summary.series), period: &summary.period, promises }.judge()
    } else {
        worst(summary, &services)
    };
    unreadable(summary, &mut whole);
    (whole, services)
}

/// An alert that fires, as health sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Its service.
    pub service: Option<String>,
    /// A page's worth, not only a ticket's.
    pub page: bool,
    /// What it says, with its figure and time.
    pub reason: String,
}

/// The health of a running service: what fires now says how bad it is, `summary` (of the last interval) whether enough
/// was seen and which routes fail. The whole, and each service in the order of `summary.services`.
pub fn live(summary: &Summary, firing: &[Firing]) -> (Health, Vec<Health>) {
    let of_service = |service: &ServiceFigures| {
        let own = firing.iter().filter(|f| f.service == service.service);
        let routes = summary.routes.iter().filter(|r| r.service == service.service).collect();
        live_scope(&service.figures, routes, own, &summary.period)
    };
    let services: Vec<Health> = summary.services.iter().map(of_service).collect();
    let routes = summary.routes.iter().collect();
    let mut whole = live_scope(&summary.total, routes, firing.iter(), &summary.period);
    unreadable(summary, &mut whole);
    (whole, services)
}

fn live_scope<'a>(
    figures: &Figures,
    routes: Vec<&RouteFigures>,
    firing: impl Iterator<Item = &'a Firing>,
    period: &Period,
) -> Health {
    let mut health = Health::default();
    for alert in firing {
        let status = if alert.page { Status::Unhealthy } else { Status::Degraded };
        health.note(status, alert.reason.clone());
    }
    let requests = figures.requests;
    if requests >= ENOUGH {
        if health.status == Status::Unknown {
            health.status = Status::Healthy;
        }
        let scope = Scope { figures, routes, series: None, period, promises: &[] };
        let failing = scope.failing(|r| r.requests >= ENOUGH && share(r.errors, r.requests) >= ROUTE_SHARE);
        let during = period.start.zip(period.end).map_or("in this interval".to_owned(), |(from, to)| from_to(from, to));
        note_routes(&mut health, Status::Degraded, &failing, &during);
    } else if health.status == Status::Unknown {
        health.reasons.push(format!("{}, at least {ENOUGH} are needed to judge", counted(requests, "request")));
    }
    health
}

/// The worst state of the services, with their reasons, the gravest service first.
fn worst(summary: &Summary, services: &[Health]) -> Health {
    let mut order: Vec<_> = summary.services.iter().zip(services).filter(|(_, h)| h.status != Status::Unknown).collect();
    order.sort_by_key(|(_, health)| std::cmp::Reverse(health.status.weight()));
    let mut whole = Health { status: order.first().map_or(Status::Unknown, |(_, h)| h.status), reasons: Vec::new() };
    for (service, health) in order {
        let name = service.service.as_deref().unwrap_or("(unnamed)");
        whole.reasons.extend(health.reasons.iter().map(|reason| format!("{name}: {reason}")));
    }
    whole
}

/// Input that could not be read makes what is known degraded.
fn unreadable(summary: &Summary, health: &mut Health) {
    let sources = &summary.input.sources;
    let failed: Vec<_> = sources.iter().filter(|s| s.error.is_some()).collect();
    let Some(first) = failed.first() else { return };
    let reason = format!(
        "{} of {} could not be read: '{}': {}",
        count(failed.len() as u64),
        counted(sources.len() as u64, "source"),
        first.path,
        first.error.as_deref().unwrap_or_default()
    );
    let status = if health.status == Status::Unknown { Status::Unknown } else { Status::Degraded };
    health.note(status, reason);
}

/// One set of requests with all that is needed to judge it.
struct Scope<'a> {
    figures: &'a Figures,
    routes: Vec<&'a RouteFigures>,
    series: Option<&'a Series>,
    period: &'a Period,
    promises: &'a [Promise],
}

impl Scope<'_> {
    fn judge(&self) -> Health {
        let requests = self.figures.requests;
        if requests < ENOUGH {
            let seen = if requests == 0 { "no request".to_owned() } else { format!("only {}", counted(requests, "request")) };
            return Health { status: Status::Unknown, reasons: vec![format!("{seen}, at least {ENOUGH} are needed to judge")] };
        }
        let mut health = Health { status: Status::Healthy, reasons: Vec::new() };
        match (self.period.start, self.period.end) {
            (Some(start), Some(end)) => self.judge_period(start, end, &mut health),
            _ => self.judge_whole(&mut health),
        }
        health
    }

    /// With times: outages, promises, routes.
    fn judge_period(&self, start: Timestamp, end: Timestamp, health: &mut Health) {
        let during = from_to(start, end);
        let found = self.series.map(outages).unwrap_or_default();
        for outage in found.iter().take(NAMED) {
            health.note(Status::Unhealthy, outage.reason());
        }
        if found.len() > NAMED {
            health.note(Status::Unhealthy, format!("{} more", counted((found.len() - NAMED) as u64, "outage")));
        }
        let (requests, errors) = self.promised();
        for promise in self.promises {
            let allowed = 1.0 - promise.target;
            if errors >= PROMISE_ERRORS && share(errors, requests) > allowed && wilson_lower(errors, requests) > allowed {
                let reason = format!(
                    "promise '{}' ({}) broken: {} of {} failed ({}, allowed {}), {during}",
                    promise.name,
                    limit(promise.target),
                    count(errors),
                    counted(requests, "request"),
                    percent(share(errors, requests)),
                    limit(allowed),
                );
                health.note(Status::Unhealthy, reason);
            }
        }
        let failing = self.failing(|r| r.requests >= ENOUGH && share(r.errors, r.requests) >= ROUTE_SHARE);
        note_routes(health, Status::Degraded, &failing, &during);
    }

    /// Without times: the lower bound of the error rate of all that was read, the gravest first.
    fn judge_whole(&self, health: &mut Health) {
        const DURING: &str = "in the whole input (no times)";
        let (requests, errors) = (self.figures.requests, self.figures.errors);
        let bound = wilson_lower(errors, requests);
        let total = |over| {
            let seen = counted(requests, "request");
            let failed = percent(share(errors, requests));
            format!("{} of {seen} failed ({failed}, surely over {}), {DURING}", count(errors), limit(over))
        };
        if bound > 0.05 {
            health.note(Status::Unhealthy, total(0.05));
        }
        let down = self.failing(|r| wilson_lower(r.errors, r.requests) > 0.5);
        note_routes(health, Status::Unhealthy, &down, DURING);
        if bound > 0.01 && bound <= 0.05 {
            health.note(Status::Degraded, total(0.01));
        }
        let is_failing = |bound: f64| bound > 0.05 && bound <= 0.5;
        let failing = self.failing(|r| is_failing(wilson_lower(r.errors, r.requests)));
        note_routes(health, Status::Degraded, &failing, DURING);
    }

    /// Requests and errors that count for promises: without paths that no route answers.
    fn promised(&self) -> (u64, u64) {
        let mut counts = (self.figures.requests, self.figures.errors);
        for route in self.routes.iter().filter(|r| r.route == "(not found)" && !r.probe) {
            counts = (counts.0.saturating_sub(route.figures.requests), counts.1.saturating_sub(route.figures.errors));
        }
        counts
    }

    /// Routes (no probes) that `bad` holds of, the highest error rate first, then the most errors, then by name.
    fn failing(&self, bad: impl Fn(&Figures) -> bool) -> Vec<&RouteFigures> {
        let mut found: Vec<_> = self.routes.iter().copied().filter(|r| !r.probe && bad(&r.figures)).collect();
        found.sort_by(|a, b| {
            let key = |r: &RouteFigures| (share(r.figures.errors, r.figures.requests), r.figures.errors);
            let ((rate_a, errors_a), (rate_b, errors_b)) = (key(a), key(b));
            rate_b
                .total_cmp(&rate_a)
                .then(errors_b.cmp(&errors_a))
                .then_with(|| (&a.route, &a.method).cmp(&(&b.route, &b.method)))
        });
        found
    }
}

fn note_routes(health: &mut Health, status: Status, routes: &[&RouteFigures], during: &str) {
    for route in routes.iter().take(NAMED) {
        let figures = &route.figures;
        let reason = format!(
            "{} {}: {} of {} failed ({}), {during}",
            route.method,
            route.route,
            count(figures.errors),
            counted(figures.requests, "request"),
            percent(share(figures.errors, figures.requests))
        );
        health.note(status, reason);
    }
    if routes.len() > NAMED {
        let more = counted((routes.len() - NAMED) as u64, "more route");
        health.note(status, format!("{more} failing 5 % and over, {during}"));
    }
}

/// `part / whole`, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "shares of counts below 2^53 are exact enough")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The lower end of Wilson's 95 % interval (z = 1.96, two-sided) for a share of `bad` of `all`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact enough")]
pub fn wilson_lower(bad: u64, all: u64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    if all == 0 || bad == 0 {
        return 0.0;
    }
    let n = all as f64;
    let p = share(bad, all).min(1.0);
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre - spread) / (1.0 + z2 / n)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::NamedBy;
    use crate::stats::summary::SourceFigures;
    use crate::time::SECOND;
    use crate::verdict::outage::tests::slots;

    const START: Timestamp = Timestamp(1_795_394_208 * SECOND);

    fn figures(requests: u64, errors: u64) -> Figures {
        Figures { requests, errors, ..Figures::default() }
    }

    fn route(path: &str, requests: u64, errors: u64) -> RouteFigures {
        RouteFigures {
            service: None,
            method: "GET".to_owned(),
            route: path.to_owned(),
            probe: false,
            streaming: false,
            named_by: NamedBy::Learned,
            figures: figures(requests, errors),
        }
    }

    /// A summary with times: all of `routes`, evenly in one slot a minute.
    fn timed(routes: Vec<RouteFigures>, series: Series) -> Summary {
        let requests = routes.iter().map(|r| r.figures.requests).sum();
        let errors = routes.iter().map(|r| r.figures.errors).sum();
        Summary {
            period: Period {
                start: Some(START),
                end: Some(Timestamp(START.0 + 600 * SECOND)),
                seconds: Some(600.0),
                time_source: "line",
                zone_assumed: None,
            },
            total: figures(requests, errors),
            routes,
            series,
            ..Summary::default()
        }
    }

    fn untimed(routes: Vec<RouteFigures>) -> Summary {
        Summary { period: Period { time_source: "none", ..Period::default() }, ..timed(routes, Series::default()) }
    }

    fn judged(summary: &Summary) -> Health {
        judge(summary, &[], &[Promise::default_one()]).0
    }

    #[test]
    fn the_lower_bound_is_wilsons() {
        // Worked by hand: 10 of 100 is 0.0552, 1 of 1 is 1 / (1 + 3.8415) = 0.2065, 4 of 4 is 4 / 7.8415 = 0.5101.
        for (bound, bad, all) in [(0.0552, 10, 100), (0.2065, 1, 1), (0.5101, 4, 4), (0.0, 0, 50), (0.0, 0, 0)] {
            assert!((bound - wilson_lower(bad, all)).abs() < 0.00005, "{bad} of {all}: {}", wilson_lower(bad, all));
        }
    }

    #[test]
    fn below_twenty_requests_nothing_is_known() {
        for (status, requests) in [(Status::Unknown, 0), (Status::Unknown, 19), (Status::Healthy, 20)] {
            assert_eq!(status, judged(&timed(vec![route("/", requests, 0)], Series::default())).status, "{requests}");
        }
        let health = judged(&timed(vec![route("/", 19, 19)], Series::default()));
        assert_eq!(["only 19 requests, at least 20 are needed to judge"], health.reasons[..]);
    }

    #[test]
    fn with_times_the_period_is_judged() {
        let cases = [
            ("nothing failed", Status::Healthy, route("/", 10_000, 0)),
            ("four errors break no promise", Status::Healthy, route("/", 1000, 4)),
            ("five of a thousand break it", Status::Unhealthy, route("/", 1000, 5)),
            ("five of three thousand may be chance", Status::Healthy, route("/", 3000, 5)),
            ("ten of ten thousand are allowed", Status::Healthy, route("/", 10_000, 10)),
        ];
        for (name, status, route) in cases {
            assert_eq!(status, judged(&timed(vec![route], Series::default())).status, "{name}");
        }
    }

    #[test]
    fn a_route_that_fails_one_in_twenty_degrades() {
        let cases = [
            ("one of twenty", Status::Degraded, 20, 1),
            ("one of nineteen is too few", Status::Healthy, 19, 1),
            ("one of twenty-one is below", Status::Healthy, 21, 1),
        ];
        for (name, status, requests, errors) in cases {
            let summary = timed(vec![route("/a", requests, errors), route("/b", 5000, 0)], Series::default());
            assert_eq!(status, judged(&summary).status, "{name}");
        }
        let mut probe = route("/health", 20, 20);
        probe.probe = true;
        let mut summary = timed(vec![probe, route("/b", 5000, 0)], Series::default());
        summary.total = figures(5000, 0);
        assert_eq!(Status::Healthy, judged(&summary).status, "a probe is no route");
    }

    #[test]
    fn paths_that_no_route_answers_dilute_no_promise() {
        let summary = timed(vec![route("/a", 1000, 5), route("(not found)", 100_000, 0)], Series::default());
        assert_eq!(Status::Unhealthy, judged(&summary).status);
    }

    #[test]
    fn each_reason_carries_its_figure_and_its_time() {
        let series = slots(1, &[(0, 100, 0), (120, 30, 20), (150, 10, 10), (180, 30, 25), (600, 900, 0)]);
        let summary = timed(vec![route("/checkout", 70, 55), route("/", 1000, 0)], series);
        insta::assert_snapshot!(judged(&summary).reasons.join("\n"), @r"
        outage from 2026-11-23 00:38:48 UTC to 2026-11-23 00:39:49 UTC: 35 of 40 requests failed (87.5 %) at its worst
        promise 'available' (99.9 %) broken: 55 of 1,070 requests failed (5.1 %, allowed 0.1 %), 2026-11-23 00:36:48 to 00:46:48 UTC
        GET /checkout: 55 of 70 requests failed (78.6 %), 2026-11-23 00:36:48 to 00:46:48 UTC
        ");
    }

    #[test]
    fn without_times_the_whole_is_judged_by_its_lower_bound() {
        let cases = [
            ("nothing failed", Status::Healthy, vec![route("/", 100, 0)]),
            ("10 of 100 is surely over 5 %", Status::Unhealthy, vec![route("/", 100, 10)]),
            ("9 of 100 is surely over 1 %", Status::Degraded, vec![route("/", 100, 9)]),
            ("5 of 1000 may be below 1 %", Status::Healthy, vec![route("/", 1000, 5)]),
            ("a route surely half down", Status::Unhealthy, vec![route("/a", 20, 16), route("/b", 9000, 0)]),
            ("a route surely over 5 %", Status::Degraded, vec![route("/a", 20, 4), route("/b", 9000, 0)]),
        ];
        for (name, status, routes) in cases {
            assert_eq!(status, judged(&untimed(routes)).status, "{name}");
        }
    }

    #[test]
    fn input_that_could_not_be_read_degrades() {
        let mut summary = timed(vec![route("/", 100, 0)], Series::default());
        let gone =
            SourceFigures { path: "b.log".to_owned(), error: Some("permission denied".to_owned()), ..SourceFigures::default() };
        summary.input.sources = vec![SourceFigures::default(), gone];
        let health = judged(&summary);
        assert_eq!(Status::Degraded, health.status);
        assert_eq!(["1 of 2 sources could not be read: 'b.log': permission denied"], health.reasons[..]);
    }

    #[test]
    fn the_whole_is_as_bad_as_its_worst_service() {
        let service = |name: &str, requests, errors| ServiceFigures {
            service: Some(name.to_owned()),
            figures: figures(requests, errors),
        };
        let mut summary = timed(vec![], Series::default());
        summary.services = vec![service("api", 100_000, 0), service("idle", 3, 0), service("shop", 100, 10)];
        summary.total = figures(100_103, 10);
        let (whole, each) = judge(&summary, &[], &[Promise::default_one()]);
        assert_eq!(Status::Unhealthy, whole.status);
        assert_eq!(
            vec![Status::Healthy, Status::Unknown, Status::Unhealthy],
            each.iter().map(|h| h.status).collect::<Vec<_>>()
        );
        assert!(whole.reasons[0].starts_with("shop: promise 'available'"), "{:?}", whole.reasons);
    }
}
