//! Names for learned keys, made from all of them when a report is made.
//!
//! A pure function of the keys with their counts: which literal segments are values of one parameter (`position.rs`
//! decides), which refused paths belong to a route that answers others, what was `(not found)`, and what is `(other)`
//! because there are too many. Known templates and the log's own names pass through. Knows no paths but the keys, and no
//! `stats` types.

mod position;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::route::NamedBy;
use crate::route::RouteKey;
use crate::route::fold::SLUG;
use crate::route::segment::is_placeholder;
use crate::route::table::NOT_FOUND;
use crate::route::table::OTHER;

/// Routes that are told apart unless `[routes] max` says otherwise.
pub const MOST_ROUTES: usize = 500;

/// One key with how it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The key.
    pub key: &'a RouteKey,
    /// All its requests.
    pub requests: u64,
    /// Answered 404 or 405.
    pub not_found: u64,
    /// Answered with any other 4xx.
    pub client_errors: u64,
    /// Of `client_errors` those that speak of the caller and not of the path: 401, 403, 407, 429.
    pub denied: u64,
}

/// What a key is called in a report. Keys with the same name are one route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// `GET`, or `-`.
    pub method: String,
    /// The template, `(not found)` or `(other)`.
    pub route: String,
    /// Where the name comes from.
    pub by: NamedBy,
    /// A health probe.
    pub probe: bool,
    /// A stream.
    pub streaming: bool,
}

/// One learned path of one method: its answered and its refused key together.
#[derive(Debug, Clone)]
struct Item<'a> {
    method: &'a str,
    segments: Vec<&'a str>,
    requests: u64,
    not_found: u64,
    client_errors: u64,
    denied: u64,
}

impl Item<'_> {
    /// Answered with anything but a 4xx: the path is served.
    fn served(&self) -> bool {
        self.requests > self.not_found + self.client_errors
    }

    /// Answered with anything but 404 and 405.
    fn proven(&self) -> bool {
        self.requests > self.not_found
    }

    fn path(&self) -> String {
        self.segments.join("/")
    }
}

/// A name for each of `keys`, in their order; at most `most` learned or logged routes beside the known templates, the
/// fallbacks and the probes. The order of `keys` changes no name.
pub fn name(keys: &[Counted<'_>], most: usize) -> Vec<Named> {
    let mut streams = BTreeMap::new();
    let mut plain = BTreeMap::new();
    for counted in keys.iter().filter(|c| is_learned(c.key)) {
        let class = if counted.key.streaming { &mut streams } else { &mut plain };
        collect(class, counted);
    }
    let names = [learn(plain), learn(streams)];
    let known: BTreeMap<(&str, &str), &RouteKey> = keys
        .iter()
        .filter(|c| c.key.by < NamedBy::Learned)
        .map(|c| ((c.key.method.as_str(), c.key.path.as_str()), c.key))
        .rev()
        .collect();
    let mut named: Vec<Named> = keys
        .iter()
        .map(|c| {
            let RouteKey { method, path, by, probe, streaming, .. } = c.key.clone();
            if !is_learned(c.key) {
                return Named { method, route: path, by, probe, streaming };
            }
            let learned = names[usize::from(streaming)].get(&(method.as_str(), path.as_str()));
            let route = learned.map_or_else(|| NOT_FOUND.to_owned(), Clone::clone);
            let by = if route == NOT_FOUND { NamedBy::Fallback } else { by };
            let own = known.get(&(method.as_str(), route.as_str())).copied();
            match own {
                Some(key) => Named { method, route, by: key.by, probe: key.probe, streaming: key.streaming },
                None => Named { method, route, by, probe, streaming },
            }
        })
        .collect();
    cap(keys, &mut named, most);
    named
}

/// Probes are known by their paths; nothing is to be learned of them.
fn is_learned(key: &RouteKey) -> bool {
    key.by == NamedBy::Learned && !(key.probe && !key.refused)
}

fn collect<'a>(class: &mut BTreeMap<(&'a str, &'a str), Item<'a>>, counted: &Counted<'a>) {
    let (method, path) = (counted.key.method.as_str(), counted.key.path.as_str());
    let item = class.entry((method, path)).or_insert_with(|| Item {
        method,
        segments: path.split('/').map(|s| if s == crate::route::fold::WORD { SLUG } else { s }).collect(),
        requests: 0,
        not_found: 0,
        client_errors: 0,
        denied: 0,
    });
    item.requests += counted.requests;
    item.not_found += if counted.key.refused { counted.requests } else { counted.not_found };
    item.client_errors += counted.client_errors;
    item.denied += counted.denied;
}

/// The route of each (method, path); what is missing was not found.
fn learn<'a>(mut class: BTreeMap<(&'a str, &'a str), Item<'a>>) -> BTreeMap<(&'a str, &'a str), String> {
    let mut items: Vec<&mut Item<'a>> = class.values_mut().collect();
    position::collapse(&mut items);
    let joined = join(&items);
    class
        .iter()
        .zip(joined)
        .filter_map(|((key, item), joined)| Some((*key, joined.or_else(|| item.proven().then(|| item.path()))?)))
        .collect()
}

/// For each item that was only refused, the route that it was a wrong value of, if there is one: the same method and as many
/// segments, a placeholder wherever they differ.
fn join(items: &[&mut Item<'_>]) -> Vec<Option<String>> {
    let mut routes: BTreeMap<(&str, &[&str]), u64> = BTreeMap::new();
    let mut places: BTreeSet<&[&str]> = BTreeSet::new();
    for item in items.iter().filter(|i| i.proven()) {
        if item.segments.iter().any(|s| is_placeholder(s)) {
            *routes.entry((item.method, &item.segments)).or_default() += item.requests;
        }
        if item.served() {
            places.extend((1..=item.segments.len()).map(|end| &item.segments[..end]));
        }
    }
    let mut by_shape: BTreeMap<(&str, usize), Vec<(&[&str], u64)>> = BTreeMap::new();
    for ((method, segments), requests) in routes {
        by_shape.entry((method, segments.len())).or_default().push((segments, requests));
    }
    let find = |item: &Item<'_>| {
        let candidates = by_shape.get(&(item.method, item.segments.len()))?;
        let fitting = candidates.iter().filter(|(route, requests)| may_join(item, route, *requests, &places));
        let equal = |route: &[&str]| route.iter().zip(&item.segments).filter(|(a, b)| a == b).count();
        let best = fitting.max_by(|(a, n), (b, m)| equal(a).cmp(&equal(b)).then(n.cmp(m)).then(b.cmp(a)))?;
        Some(best.0.join("/"))
    };
    items.iter().map(|item| if item.served() { None } else { find(item) }).collect()
}

fn may_join(item: &Item<'_>, route: &[&str], requests: u64, places: &BTreeSet<&[&str]>) -> bool {
    let only_not_found = !item.proven();
    for (at, (name, segment)) in route.iter().zip(&item.segments).enumerate() {
        if name == segment {
            continue;
        }
        // A value is not what other routes are known to go through; a number at the root says nothing of words there.
        let through = places.contains(&item.segments[..=at]);
        let root = at <= 1 && only_not_found && *name != SLUG;
        if !is_placeholder(name) || segment.is_empty() || through || root {
            return false;
        }
        // Logging in is asked of good values too: `/users/me` that nobody logged in for is a route of its own.
        let denied = item.denied > 0 && item.denied + item.not_found == item.requests;
        if item.proven()
            && !is_placeholder(segment)
            && (position::is_fixed(segment) || (denied && item.requests * 10 >= requests))
        {
            return false;
        }
    }
    true
}

/// Names `(other)` what is beyond the `most` routes with most requests.
fn cap(keys: &[Counted<'_>], named: &mut [Named], most: usize) {
    let bounded = |n: &Named| matches!(n.by, NamedBy::Learned | NamedBy::Log) && !n.probe;
    let mut requests: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (counted, name) in keys.iter().zip(named.iter()).filter(|(_, n)| bounded(n)) {
        *requests.entry((&name.route, &name.method)).or_default() += counted.requests;
    }
    if requests.len() <= most {
        return;
    }
    let mut ranked: Vec<((&str, &str), u64)> = requests.into_iter().collect();
    ranked.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let kept: BTreeSet<(String, String)> =
        ranked.iter().take(most).map(|((r, m), _)| ((*r).to_owned(), (*m).to_owned())).collect();
    for name in named.iter_mut().filter(|n| bounded(n)) {
        if !kept.contains(&(name.route.clone(), name.method.clone())) {
            OTHER.clone_into(&mut name.route);
            (name.by, name.streaming) = (NamedBy::Fallback, false);
        }
    }
}
