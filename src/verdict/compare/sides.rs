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
use crate::stats::slots::Track;
use crate::stats::slots::wide;
use crate::stats::snapshot::Desk;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Figures;
use crate::stats::summary::Sum;
use crate::stats::tally::Tally;
use crate::time::SECOND;
use crate::time::Timestamp;

/// A span of time: from the first moment to before the second.
pub type Window = (Timestamp, Timestamp);

/// A part of what was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Portion<'a> {
    /// Where it stands.
    pub snapshot: &'a Snapshot,
    /// Requests of this version (as people know it) alone.
    pub version: Option<&'a str>,
    /// Requests logged in, or not logged in, alone.
    pub auth: Option<Auth>,
    /// Requests of this time alone.
    pub window: Option<Window>,
}

/// How much of a group lies in a portion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    Outside,
    Inside,
    /// Only its slots can tell.
    Across,
}

impl<'a> Portion<'a> {
    /// All of a snapshot.
    pub fn whole(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, version: None, auth: None, window: None }
    }

    fn lies(&self, desk: &Desk, group: &Group) -> Lies {
        let Some(era) = desk.eras.get(usize::from(group.key.era)) else { return Lies::Outside };
        if self.version.is_some_and(|wanted| era.name() != wanted) || self.auth.is_some_and(|wanted| wanted != group.key.auth) {
            return Lies::Outside;
        }
        let Some((from, to)) = self.window else { return Lies::Inside };
        match era.span.or(self.snapshot.span()) {
            Some((first, last)) if from <= first && last < to => Lies::Inside,
            Some((first, last)) if last < from || to <= first => Lies::Outside,
            _ => Lies::Across,
        }
    }

    /// Whether its figures are those that were recorded, to three digits; else they are cut at the borders of slots.
    fn is_exact(&self, layers: &BTreeMap<Service<'_>, Layer>) -> bool {
        self.groups(layers).all(|(desk, group)| self.lies(desk, group) != Lies::Across)
    }

    /// The groups of the layers that are compared.
    fn groups<'l>(
        &self,
        layers: &'l BTreeMap<Service<'_>, Layer>,
    ) -> impl Iterator<Item = (&'a Desk, &'a Group)> + use<'a, 'l> {
        let snapshot = self.snapshot;
        let own = move |group: &'a Group| Some((snapshot.desks().get(usize::from(group.key.desk))?, group));
        let chosen = |desk: &Desk| layers.get(&desk.service.as_deref()) == Some(&desk.layer);
        snapshot.groups().iter().filter_map(own).filter(move |(desk, _)| chosen(desk))
    }

    /// What slots wholly within the window hold of a group.
    fn cut(&self, group: &Group) -> Group {
        let (from, to) = self.window.unwrap_or((Timestamp(i64::MIN), Timestamp(i64::MAX)));
        let width = i64::from(self.snapshot.width());
        let mut tally = Tally::default();
        group.track.each(|slot| {
            let start = i64::from(slot.number) * width;
            if Timestamp::from_seconds(start) < from || Timestamp::from_seconds(start + width) > to {
                return;
            }
            for (status, n) in &slot.statuses {
                tally.add_status(*status, u64::from(*n));
            }
            tally.bytes += slot.bytes;
            tally.sized += if slot.bytes > 0 { slot.requests() } else { 0 };
            tally.latency.record_coarse(&wide(&slot.buckets), slot.sum_us, slot.min_us, slot.max_us);
        });
        Group { key: group.key, tally, track: Track::default() }
    }

    fn span(&self) -> Option<Window> {
        if self.version.is_none() && self.window.is_none() {
            return self.snapshot.span();
        }
        let eras = self.snapshot.desks().iter().flat_map(|d| &d.eras);
        let own = eras.filter(|e| self.version.is_none_or(|wanted| e.name() == wanted)).filter_map(|e| e.span);
        let own = own.reduce(joined).or(self.snapshot.span())?;
        let Some((from, to)) = self.window else { return Some(own) };
        let eras = self.snapshot.desks().iter().flat_map(|d| &d.eras);
        let inside = eras
            .filter(|e| self.version.is_none_or(|wanted| e.name() == wanted))
            .filter_map(|e| e.span)
            .filter(|(first, last)| from <= *first && *last < to);
        inside.reduce(joined).or_else(|| Some((own.0.max(from), own.1.min(to))).filter(|(first, last)| first <= last))
    }

    /// Exceptions of its time; of a version or of logged-in requests alone none are known, but by time.
    fn failures(&self) -> Failures {
        let mut all = Failures::empty();
        let Some((from, to)) = self.window else {
            if self.version.is_none() && self.auth.is_none() {
                all.merge(self.snapshot.failures().clone());
            }
            return all;
        };
        let sided = self.snapshot.failures_since();
        if sided.is_empty() {
            return self.snapshot.failures().within(from, to);
        }
        let first = self.snapshot.span().map(|s| s.0);
        let begins = |since: &Option<Timestamp>| since.or(first).is_some_and(|since| from <= since && since < to);
        for (_, failures) in sided.iter().filter(|(since, _)| begins(since)) {
            all.merge(failures.clone());
        }
        all
    }
}

/// How many requests a portion holds of the layers that are compared beside it, as exactly as it can be told.
pub fn requests(portion: &Portion<'_>, beside: &[Portion<'_>]) -> u64 {
    let layers = layers(beside, &[]);
    let count = |(desk, group): (&Desk, &Group)| match portion.lies(desk, group) {
        Lies::Outside => 0,
        Lies::Inside => group.tally.requests(),
        Lies::Across => portion.cut(group).tally.requests(),
    };
    portion.groups(&layers).map(count).sum()
}

fn joined(a: Window, b: Window) -> Window {
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

/// Sides whose routes are named alike.
#[derive(Debug, Clone, Default)]
pub struct Halves {
    /// One for each side that was given, in that order.
    pub halves: Vec<Half>,
    /// Some time was not kept apart while recording: all figures are cut at the borders of slots, latencies to two digits.
    pub coarse: bool,
}

/// The two sides, their routes named alike. Labels are left empty and nothing is left out as warm-up: the caller knows.
/// Exceptions are known by time alone, so a portion by version or by login without a window brings none.
pub fn halves(before: &[Portion<'_>], after: &[Portion<'_>], asked: &Asked) -> (Half, Half) {
    let mut all = sides(&[before, after], asked).halves.into_iter();
    (all.next().unwrap_or_default(), all.next().unwrap_or_default())
}

/// [`halves`] for any number of sides; the first two decide which layers are compared.
pub fn sides(all: &[&[Portion<'_>]], asked: &Asked) -> Halves {
    let layers = layers(all.first().copied().unwrap_or_default(), all.get(1).copied().unwrap_or_default());
    let coarse = !all.iter().copied().flatten().all(|portion| portion.is_exact(&layers));
    let mut keys: BTreeMap<Service<'_>, BTreeMap<&RouteKey, Counted<'_>>> = BTreeMap::new();
    for portion in all.iter().copied().flatten() {
        each(portion, &layers, coarse, |desk, group, tally| {
            let key = desk.router.key(group.key.route);
            let counted = keys.entry(desk.service.as_deref()).or_default().entry(key);
            let counted = counted.or_insert(Counted { key, requests: 0, not_found: 0, client_errors: 0, denied: 0 });
            for (status, n) in tally.statuses() {
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
    let halves = all.iter().map(|portions| half(portions, &layers, &names, coarse, asked)).collect();
    Halves { halves, coarse }
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

/// Calls `tell` with each group of a portion, and what of it lies there.
fn each<'a>(
    portion: &Portion<'a>,
    layers: &BTreeMap<Service<'_>, Layer>,
    coarse: bool,
    mut tell: impl FnMut(&'a Desk, &Group, &Tally),
) {
    for (desk, group) in portion.groups(layers) {
        match portion.lies(desk, group) {
            Lies::Outside => {}
            Lies::Inside if !coarse => tell(desk, group, &group.tally),
            Lies::Inside | Lies::Across => {
                let cut = portion.cut(group);
                tell(desk, group, &cut.tally);
            }
        }
    }
}

type Names<'a> = BTreeMap<Service<'a>, BTreeMap<&'a RouteKey, Named>>;

fn half(
    portions: &[Portion<'_>],
    layers: &BTreeMap<Service<'_>, Layer>,
    names: &Names<'_>,
    coarse: bool,
    asked: &Asked,
) -> Half {
    let period = portions.iter().filter_map(Portion::span).reduce(joined);
    #[expect(clippy::cast_precision_loss, reason = "a span of 285 years of microseconds is exact to the microsecond")]
    let seconds = period.map(|p| (p.1.micros() - p.0.micros()) as f64 / SECOND as f64);
    let mut routes: BTreeMap<(Service<'_>, &Named), Sum> = BTreeMap::new();
    for portion in portions {
        each(portion, layers, coarse, |desk, group, tally| {
            let of = names.get(&desk.service.as_deref()).and_then(|n| n.get(desk.router.key(group.key.route)));
            if let Some(named) = of {
                routes.entry((desk.service.as_deref(), named)).or_default().add_part(group, tally, true);
            }
        });
    }
    let chosen = |named: &Named| asked.route.as_ref().is_none_or(|glob| glob.matches(&named.method, &named.route));
    let mut failures = Failures::empty();
    for portion in portions {
        failures.merge(portion.failures());
    }
    let routes = routes.into_iter().filter(|((_, named), sum)| chosen(named) && sum.requests() > 0);
    let routes = routes.map(|((service, named), sum)| RouteSide {
        service: service.map(str::to_owned),
        method: named.method.clone(),
        route: named.route.clone(),
        probe: named.probe && !asked.include_probes,
        side: Side {
            figures: told(sum.figures(&asked.errors, seconds), coarse),
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

/// Figures that say how exact they are.
fn told(mut figures: Figures, coarse: bool) -> Figures {
    if coarse {
        let parts = figures.auth.iter_mut().flat_map(|a| [&mut a.authenticated, &mut a.anonymous, &mut a.unknown]);
        let latencies = figures.latency.iter_mut().chain(parts.filter_map(|part| part.latency.as_mut()));
        let cached = figures.cache.iter_mut().flat_map(|c| c.by_status_latency.values_mut());
        for latency in latencies.chain(cached) {
            latency.digits = 2;
        }
    }
    figures
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
            by_route: true,
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
