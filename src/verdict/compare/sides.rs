//! Halves of a comparison, made of snapshots.
//!
//! Names come from the keys of both sides together: a route that the change turned into 404 is still that route, and not
//! `(not found)`. Where a service was read at its edge on both sides, the edge is compared, else the application. Streams
//! keep their figures and have no histogram. Snapshots must be closed.

use std::collections::BTreeMap;

use super::Half;
use super::RouteSide;
use super::Side;
use crate::parse::Auth;
use crate::route::RouteKey;
use crate::route::glob::RouteGlob;
use crate::route::learn::Counted;
use crate::route::learn::Named;
use crate::route::learn::name;
use crate::stats::counts::ErrorRule;
use crate::stats::failures::Failures;
use crate::stats::group::Group;
use crate::stats::group::Layer;
use crate::stats::snapshot::Desk;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Sum;
use crate::time::SECOND;
use crate::time::Timestamp;

/// A part of what was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Portion<'a> {
    /// Where it stands.
    pub snapshot: &'a Snapshot,
    /// Requests of this version alone.
    pub version: Option<&'a str>,
    /// Requests logged in, or not logged in, alone.
    pub auth: Option<Auth>,
}

impl<'a> Portion<'a> {
    /// All of a snapshot.
    pub fn whole(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, version: None, auth: None }
    }

    fn takes(&self, desk: &Desk, group: &Group) -> bool {
        let version = desk.eras.get(usize::from(group.key.era)).map(|era| era.version.as_str());
        self.version.is_none_or(|wanted| version == Some(wanted)) && self.auth.is_none_or(|wanted| wanted == group.key.auth)
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let Some(version) = self.version else { return self.snapshot.span() };
        let eras = self.snapshot.desks().iter().flat_map(|d| &d.eras).filter(|e| e.version == version);
        eras.filter_map(|e| e.span).reduce(joined)
    }
}

fn joined(a: (Timestamp, Timestamp), b: (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// What shapes the halves.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Most routes told apart.
    pub routes_max: usize,
    /// What counts as an error.
    pub errors: ErrorRule,
    /// Narrows the routes.
    pub route: Option<RouteGlob>,
    /// Probes are judged as any route.
    pub include_probes: bool,
}

type Service<'a> = Option<&'a str>;

/// The two sides, their routes named alike. Labels are left empty and nothing is left out as warm-up: the caller knows.
/// Exceptions are known of whole snapshots alone, so a portion by version or by login brings none.
pub fn halves(before: &[Portion<'_>], after: &[Portion<'_>], asked: &Asked) -> (Half, Half) {
    let layers = layers(before, after);
    let mut keys: BTreeMap<Service<'_>, BTreeMap<&RouteKey, Counted<'_>>> = BTreeMap::new();
    for portion in before.iter().chain(after) {
        each(portion, &layers, |desk, group| {
            let key = desk.router.key(group.key.route);
            let counted = keys.entry(desk.service.as_deref()).or_default().entry(key);
            let counted = counted.or_insert(Counted { key, requests: 0, not_found: 0, client_errors: 0, denied: 0 });
            for (status, n) in group.tally.statuses() {
                counted.requests += n;
                match status {
                    404 | 405 => counted.not_found += n,
                    400..500 => counted.client_errors += n,
                    _ => {}
                }
                counted.denied += if matches!(status, 401 | 403 | 407 | 429) { n } else { 0 };
            }
        });
    }
    let names = keys
        .into_iter()
        .map(|(service, counted)| {
            let list: Vec<Counted<'_>> = counted.values().copied().collect();
            (service, counted.into_keys().zip(name(&list, asked.routes_max)).collect())
        })
        .collect();
    (half(before, &layers, &names, asked), half(after, &layers, &names, asked))
}

/// The layer of each service that is compared: the edge where both sides have it.
fn layers<'a>(before: &[Portion<'a>], after: &[Portion<'a>]) -> BTreeMap<Service<'a>, Layer> {
    let has = |side: &[Portion<'_>], service: Service<'_>, layer: Layer| {
        side.iter().flat_map(|p| p.snapshot.desks()).any(|d| d.layer == layer && d.service.as_deref() == service)
    };
    let desks = before.iter().chain(after).flat_map(|p| p.snapshot.desks());
    let layer = |service: Service<'_>| {
        let both = |layer| has(before, service, layer) && has(after, service, layer);
        let edge =
            both(Layer::Edge) || (!both(Layer::App) && !has(before, service, Layer::App) && !has(after, service, Layer::App));
        if edge { Layer::Edge } else { Layer::App }
    };
    desks.map(|d| (d.service.as_deref(), layer(d.service.as_deref()))).collect()
}

/// Calls `tell` with each group of a portion.
fn each<'a>(portion: &Portion<'a>, layers: &BTreeMap<Service<'_>, Layer>, mut tell: impl FnMut(&'a Desk, &'a Group)) {
    for group in portion.snapshot.groups() {
        let Some(desk) = portion.snapshot.desks().get(usize::from(group.key.desk)) else { continue };
        if layers.get(&desk.service.as_deref()) == Some(&desk.layer) && portion.takes(desk, group) {
            tell(desk, group);
        }
    }
}

type Names<'a> = BTreeMap<Service<'a>, BTreeMap<&'a RouteKey, Named>>;

fn half(portions: &[Portion<'_>], layers: &BTreeMap<Service<'_>, Layer>, names: &Names<'_>, asked: &Asked) -> Half {
    let period = portions.iter().filter_map(Portion::span).reduce(joined);
    #[expect(clippy::cast_precision_loss, reason = "a span of 285 years of microseconds is exact to the microsecond")]
    let seconds = period.map(|p| (p.1.micros() - p.0.micros()) as f64 / SECOND as f64);
    let mut routes: BTreeMap<(Service<'_>, &Named), Sum> = BTreeMap::new();
    for portion in portions {
        each(portion, layers, |desk, group| {
            let of = names.get(&desk.service.as_deref()).and_then(|n| n.get(desk.router.key(group.key.route)));
            if let Some(named) = of {
                routes.entry((desk.service.as_deref(), named)).or_default().add(group, true);
            }
        });
    }
    let chosen = |named: &Named| asked.route.as_ref().is_none_or(|glob| glob.matches(&named.method, &named.route));
    let mut failures = Failures::empty();
    for portion in portions.iter().filter(|p| p.version.is_none() && p.auth.is_none()) {
        failures.merge(portion.snapshot.failures().clone());
    }
    let routes = routes.into_iter().filter(|((_, named), sum)| chosen(named) && sum.requests() > 0);
    let routes = routes.map(|((service, named), sum)| RouteSide {
        service: service.map(str::to_owned),
        method: named.method.clone(),
        route: named.route.clone(),
        probe: named.probe && !asked.include_probes,
        side: Side {
            figures: sum.figures(&asked.errors, seconds),
            buckets: if named.streaming { Vec::new() } else { sum.buckets() },
        },
    });
    let version = portions.first().and_then(|p| p.version).filter(|v| portions.iter().all(|p| p.version == Some(v)));
    Half {
        period,
        version: version.map(str::to_owned),
        routes: routes.collect(),
        exceptions: failures.figures(),
        ..Half::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Record;
    use crate::route::table::Router;
    use crate::route::table::Settings;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;

    fn empty() -> Snapshot {
        Snapshot::empty(Plan {
            bounds: Arc::new(Bounds::default()),
            limits_us: Arc::new([]),
            routers: Arc::new(|_| Router::new(Arc::default(), Settings::default())),
            borders: Arc::default(),
        })
    }

    fn asked() -> Asked {
        Asked { routes_max: 500, ..Asked::default() }
    }

    fn add(to: &mut Snapshot, layer: Layer, n: usize, record: Record<'_>) {
        let desk = to.desk(Some("shop"), layer);
        for second in 0..n {
            let time = Timestamp::from_seconds(1_795_394_208 + i64::try_from(second).unwrap());
            to.request(desk, &Record { method: b"GET", latency_us: Some(900), ..record }, Some(time));
        }
        to.close();
    }

    fn listed(half: &Half) -> Vec<(String, u64)> {
        half.routes.iter().map(|r| (r.route.clone(), r.side.figures.requests)).collect()
    }

    #[test]
    fn a_route_that_only_answers_404_after_the_change_keeps_its_name() {
        let (mut before, mut after) = (empty(), empty());
        add(&mut before, Layer::App, 30, Record { path: b"/items/7", status: Some(200), ..Record::default() });
        add(&mut after, Layer::App, 31, Record { path: b"/items/9", status: Some(404), ..Record::default() });
        let (before, after) = halves(&[Portion::whole(&before)], &[Portion::whole(&after)], &asked());
        assert_eq!(vec![("/items/{id}".to_owned(), 30)], listed(&before));
        assert_eq!(vec![("/items/{id}".to_owned(), 31)], listed(&after));
        assert_eq!(Some(30.0 / 30.0), after.routes[0].side.figures.rate_per_s.map(|r| (r * 30.0 / 31.0).round()));
    }

    #[test]
    fn the_edge_is_compared_where_both_sides_have_it_else_the_application() {
        let (mut both, mut app) = (empty(), empty());
        let record = Record { path: b"/a", status: Some(200), ..Record::default() };
        add(&mut both, Layer::App, 3, record);
        add(&mut both, Layer::Edge, 5, record);
        add(&mut app, Layer::App, 7, record);
        let requests = |before: &Snapshot, after: &Snapshot| {
            let (before, after) = halves(&[Portion::whole(before)], &[Portion::whole(after)], &asked());
            (before.routes[0].side.figures.requests, after.routes[0].side.figures.requests)
        };
        assert_eq!((5, 5), requests(&both, &both));
        assert_eq!((3, 7), requests(&both, &app));
    }

    #[test]
    fn versions_and_logins_are_told_apart() {
        let mut all = empty();
        let record = Record { path: b"/a", status: Some(200), auth: Auth::Authenticated, ..Record::default() };
        add(&mut all, Layer::App, 4, Record { version: b"1.0", ..record });
        add(&mut all, Layer::App, 9, Record { version: b"1.1", auth: Auth::Anonymous, ..record });
        let portion = |version| Portion { version: Some(version), ..Portion::whole(&all) };
        let (before, after) = halves(&[portion("1.0")], &[portion("1.1")], &asked());
        assert_eq!((4, 9), (before.routes[0].side.figures.requests, after.routes[0].side.figures.requests));
        assert_eq!((Some("1.0"), Some(4)), (before.version.as_deref(), before.period.map(|p| (p.1.0 - p.0.0) / SECOND + 1)));
        let portion = |auth| Portion { auth: Some(auth), ..Portion::whole(&all) };
        let (anonymous, known) = halves(&[portion(Auth::Anonymous)], &[portion(Auth::Authenticated)], &asked());
        assert_eq!((9, 4), (anonymous.routes[0].side.buckets[0].1, known.routes[0].side.buckets[0].1));
    }
}
