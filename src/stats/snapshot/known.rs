//! What one recording leaves to the next: services, routes and versions, without a figure.
//!
//! What a path is called is learned from everything that was read before. A history that is recorded in stretches hands
//! that on from each to the next. Two stretches may also begin with the same knowledge and what they found be put
//! together, as long as neither has brought together what it knew before: then every path is called what it would have
//! been called in one go.

use super::Desk;
use super::ERAS;
use super::Era;
use super::Snapshot;
use crate::route::table::Router;
use crate::stats::group::Layer;

/// What is known of services, in the order they were first seen.
#[derive(Default)]
pub struct Known {
    desks: Vec<Desk>,
}

/// How much was known when a recording began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// By desk: how many numbers of routes were given.
    routes: Vec<usize>,
}

impl Known {
    /// The same once more, for a recording that begins now, and how much that is.
    pub fn copy(&self) -> (Self, Extent) {
        let desks = self.desks.iter().map(|desk| desk.bare(desk.router.clone())).collect();
        (Self { desks }, Extent { routes: self.desks.iter().map(|desk| desk.router.numbers()).collect() })
    }

    /// Adds what a recording found that began with a [`Known::copy`] of `begun`. False, and nothing is added, where that
    /// could give anything another name than one recording would have: it must be read again.
    pub fn learn(&mut self, found: &Snapshot, begun: &Extent) -> bool {
        let base = |at: usize| begun.routes.get(at).copied().unwrap_or(0);
        let fits = found.desks.iter().enumerate().all(|(at, desk)| match self.of(desk.service.as_deref(), desk.layer) {
            Some(own) => {
                let is_new = |era: &&Era| !own.eras.iter().any(|o| (&o.version, o.since) == (&era.version, era.since));
                let eras = own.eras.len() + desk.eras.iter().filter(is_new).count();
                own.router.may_learn(&desk.router, base(at)) && eras <= ERAS
            }
            None => desk.router.is_unfolded() && desk.eras.len() <= ERAS,
        });
        if !fits {
            return false;
        }
        for (at, desk) in found.desks.iter().enumerate() {
            match self.of(desk.service.as_deref(), desk.layer) {
                Some(own) => {
                    own.router.learn(&desk.router, base(at));
                    for era in &desk.eras {
                        own.era(era.version.as_bytes(), era.since);
                    }
                }
                None => self.desks.push(desk.bare(desk.router.clone())),
            }
        }
        // As one recording does where a stretch ends: nothing moves, but when that is due next is settled.
        for desk in &mut self.desks {
            let moved = desk.router.fold();
            debug_assert!(moved.is_empty());
        }
        true
    }

    fn of(&mut self, service: Option<&str>, layer: Layer) -> Option<&mut Desk> {
        self.desks.iter_mut().find(|desk| desk.layer == layer && desk.service.as_deref() == service)
    }
}

impl Desk {
    /// Without a figure, over another table of routes.
    fn bare(&self, router: Router) -> Self {
        let bare = |era: &Era| Era { version: era.version.clone(), since: era.since, ..Era::default() };
        Self {
            service: self.service.clone(),
            layer: self.layer,
            router,
            eras: self.eras.iter().map(bare).collect(),
            last_version: self.last_version.clone(),
            last_since: self.last_since,
            last_era: self.last_era,
            lanes: self.eras.iter().map(|_| Vec::new()).collect(),
        }
    }
}

impl Snapshot {
    /// Hands over what it knows to [`Snapshot::know`] of the next recording. Nothing more can be recorded here; what was
    /// recorded keeps its names.
    pub fn hand_over(&mut self) -> Known {
        let desk = |desk: &mut Desk| {
            let names = desk.router.names();
            let router = std::mem::replace(&mut desk.router, names);
            desk.bare(router)
        };
        Known { desks: self.desks.iter_mut().map(desk).collect() }
    }

    /// Begins with what another recording knew. Nothing may have been recorded yet.
    pub fn know(&mut self, known: Known) {
        self.desks = known.desks;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Record;
    use crate::route::table;
    use crate::route::table::Limits;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;

    /// Tables that bring paths together beyond `answered` of them.
    fn recording(answered: usize, known: Known) -> Snapshot {
        let settings = table::Settings { limits: Limits { answered, values: 2, most: 50, refused: 3 }, ..Default::default() };
        let mut snapshot = Snapshot::empty(Plan {
            bounds: Arc::new(Bounds::new(&[])),
            limits_us: Arc::from([]),
            routers: Arc::new(move |_: Option<&str>| Router::new(Arc::default(), settings.clone())),
            borders: Arc::from([]),
            by_route: true,
        });
        snapshot.know(known);
        snapshot
    }

    fn record(snapshot: &mut Snapshot, service: &str, status: u16, version: &[u8], paths: &[&str]) {
        let desk = snapshot.desk(Some(service), Layer::App);
        for path in paths {
            let record = Record { method: b"GET", path: path.as_bytes(), status: Some(status), version, ..Record::default() };
            snapshot.request(desk, &record, None);
        }
    }

    fn names(known: &Known) -> Vec<(String, Vec<String>, Vec<String>)> {
        let of = |desk: &Desk| {
            let routes = (0..desk.router.numbers()).map(|at| u32::try_from(at).unwrap());
            let routes = routes.map(|at| desk.router.key(crate::route::RouteId(at)).path.clone()).collect();
            (desk.service.clone().unwrap(), routes, desk.eras.iter().map(|era| era.version.clone()).collect())
        };
        known.desks.iter().map(of).collect()
    }

    #[test]
    fn two_that_began_alike_leave_what_one_would_have_left() {
        let mut first = recording(9, Known::default());
        record(&mut first, "shop", 200, b"v1", &["/a", "/b/7"]);
        let (mut left, begun) = {
            let known = first.hand_over();
            let (copy, begun) = known.copy();
            let mut second = recording(9, known);
            record(&mut second, "shop", 200, b"v2", &["/c", "/b/8"]);
            record(&mut second, "billing", 404, b"", &["/x"]);
            second.close();
            let mut third = recording(9, copy);
            record(&mut third, "mail", 200, b"", &["/y"]);
            record(&mut third, "shop", 200, b"v3", &["/d", "/c"]);
            third.close();
            let mut known = second.hand_over();
            assert!(known.learn(&third, &begun));
            (known, begun)
        };
        let text = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let shop = ("shop".to_owned(), text(&["/a", "/b/{id}", "/c", "/d"]), text(&["", "v1", "v2", "v3"]));
        let others = [("billing".to_owned(), text(&["/x"]), text(&[""])), ("mail".to_owned(), text(&["/y"]), text(&[""]))];
        assert_eq!([&[shop][..], &others].concat(), names(&left));
        assert_eq!(vec![2], begun.routes);
        let before = names(&left);
        let same = recording(9, Known::default());
        assert!(left.learn(&same, &Extent::default()));
        assert_eq!(before, names(&left));
    }

    #[test]
    fn nothing_is_learned_where_paths_would_have_been_brought_together() {
        for (status, paths) in [(200, ["/c/x", "/c/y"]), (404, ["/no", "/nowhere"])] {
            let mut first = recording(5, Known::default());
            record(&mut first, "shop", 200, b"", &["/a", "/b"]);
            record(&mut first, "shop", 404, b"", &["/w"]);
            let known = first.hand_over();
            let (copy, begun) = known.copy();
            let mut second = recording(5, known);
            record(&mut second, "shop", 200, b"", &["/d", "/e"]);
            record(&mut second, "shop", 404, b"", &["/v"]);
            second.close();
            let mut third = recording(5, copy);
            record(&mut third, "shop", status, b"", &paths);
            third.close();
            let mut left = second.hand_over();
            let before = names(&left);
            assert!(!left.learn(&third, &begun), "{status}");
            assert_eq!(before, names(&left), "and nothing was added");
        }
    }
}
