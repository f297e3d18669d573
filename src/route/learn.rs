//! Names for learned keys, made from all of them when a report is made.
//!
//! A pure function of the keys with their counts: which literal segments are values of one parameter (`position.rs`
//! decides), which refused paths belong to a route that answers others, what was `(not found)`, and what is `(other)`
//! because there are too many. Known templates and the log's own names pass through. Knows no paths but the keys, and no
//! `stats` types.

mod position;
mod word;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::route::NamedBy;
use crate::route::RouteKey;
use crate::route::fold::SLUG;
use crate::route::fold::WORD;
use crate::route::table::NOT_FOUND;
use crate::route::table::OTHER;
use word::Word;
use word::Words;

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
    method: Word<'a>,
    segments: Vec<Word<'a>>,
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
        path_of(&self.segments)
    }
}

/// A name for each of `keys`, in their order; at most `most` learned or logged routes beside the known templates, the
/// fallbacks and the probes. The order of `keys` changes no name.
pub fn name(keys: &[Counted<'_>], most: usize) -> Vec<Named> {
    let classes = [false, true].map(|streaming| learn(keys, streaming));
    let known: BTreeMap<(&str, &str), &RouteKey> = keys
        .iter()
        .filter(|c| c.key.by < NamedBy::Learned)
        .map(|c| ((c.key.method.as_str(), c.key.path.as_str()), c.key))
        .rev()
        .collect();
    let mut named: Vec<Named> = keys
        .iter()
        .enumerate()
        .map(|(at, c)| {
            let RouteKey { method, path, by, probe, streaming, .. } = c.key.clone();
            if !is_learned(c.key) {
                return Named { method, route: path, by, probe, streaming };
            }
            let route = classes[usize::from(streaming)].route(at).unwrap_or(NOT_FOUND).to_owned();
            let by = if route == NOT_FOUND { NamedBy::Fallback } else { by };
            let known_key = known.get(&(method.as_str(), route.as_str())).copied();
            match known_key {
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
    key.by == NamedBy::Learned && (key.refused || !key.probe)
}

/// The learned routes of one class of keys, streams or all others.
struct Learned {
    /// For each key the number of its route, by the key's place.
    of: Vec<Option<usize>>,
    /// The routes; `None` where it was not found.
    routes: Vec<Option<String>>,
}

impl Learned {
    fn route(&self, key: usize) -> Option<&str> {
        self.routes.get((*self.of.get(key)?)?)?.as_deref()
    }
}

/// The routes of the learned keys that stream, or do not.
fn learn(keys: &[Counted<'_>], streaming: bool) -> Learned {
    let mut own: Vec<usize> = (0..keys.len()).filter(|at| is_learned(keys[*at].key)).collect();
    own.retain(|at| keys[*at].key.streaming == streaming);
    let path = |at: &usize| (keys[*at].key.method.as_str(), keys[*at].key.path.as_str());
    own.sort_unstable_by(|a, b| path(a).cmp(&path(b)));
    let words = Words::of(own.iter().flat_map(|at| segments(keys[*at].key)));
    let mut of = vec![None; keys.len()];
    let mut items: Vec<Item<'_>> = Vec::new();
    for same in own.chunk_by(|a, b| path(a) == path(b)) {
        let Some(first) = same.first().map(|at| keys[*at].key) else { continue };
        let mut item = Item {
            method: words.get(&first.method),
            segments: segments(first).skip(1).map(|s| words.get(s)).collect(),
            requests: 0,
            not_found: 0,
            client_errors: 0,
            denied: 0,
        };
        for counted in same.iter().map(|at| &keys[*at]) {
            item.requests += counted.requests;
            item.not_found += if counted.key.refused { counted.requests } else { counted.not_found };
            item.client_errors += counted.client_errors;
            item.denied += counted.denied;
        }
        for at in same {
            of[*at] = Some(items.len());
        }
        items.push(item);
    }
    position::collapse(&mut items, words.get(SLUG));
    let joined = join(&items);
    let own = |(item, joined): (&Item<'_>, Option<String>)| joined.or_else(|| item.proven().then(|| item.path()));
    Learned { of, routes: items.iter().zip(joined).map(own).collect() }
}

/// The method of a key and the segments of its path.
fn segments(key: &RouteKey) -> impl Iterator<Item = &str> {
    std::iter::once(key.method.as_str()).chain(key.path.split('/').map(|s| if s == WORD { SLUG } else { s }))
}

fn path_of(segments: &[Word<'_>]) -> String {
    segments.iter().map(Word::text).collect::<Vec<_>>().join("/")
}

/// A route with a placeholder that others may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route<'a> {
    segments: &'a [Word<'a>],
    requests: u64,
    served: bool,
}

/// For each item that was only refused, the route that it was a wrong value of, if there is one: the same method and as many
/// segments, a placeholder wherever they differ; one that was served before others, then the most alike.
fn join(items: &[Item<'_>]) -> Vec<Option<String>> {
    let mut routes: BTreeMap<(Word<'_>, &[Word<'_>]), Route<'_>> = BTreeMap::new();
    let mut places: BTreeSet<&[Word<'_>]> = BTreeSet::new();
    for item in items.iter().filter(|i| i.proven()) {
        let segments = item.segments.as_slice();
        if segments.iter().any(Word::is_placeholder) {
            let route = routes.entry((item.method, segments)).or_insert(Route { segments, requests: 0, served: false });
            route.requests += item.requests;
            route.served |= item.served();
        }
        if item.served() {
            places.extend((1..=segments.len()).map(|end| &segments[..end]));
        }
    }
    let mut by_shape: BTreeMap<(Word<'_>, usize), Vec<Route<'_>>> = BTreeMap::new();
    for ((method, segments), route) in routes {
        by_shape.entry((method, segments.len())).or_default().push(route);
    }
    let find = |item: &Item<'_>| {
        let equal = |r: &Route<'_>| r.segments.iter().zip(&item.segments).filter(|(a, b)| a == b).count();
        let rank = |r: &Route<'_>| (r.served, equal(r), r.requests);
        let candidates = by_shape.get(&(item.method, item.segments.len()))?;
        let best = candidates
            .iter()
            .filter(|route| may_join(item, route, &places))
            .max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| b.segments.cmp(a.segments)))?;
        Some(path_of(best.segments))
    };
    items.iter().map(|item| if item.served() { None } else { find(item) }).collect()
}

fn may_join(item: &Item<'_>, route: &Route<'_>, places: &BTreeSet<&[Word<'_>]>) -> bool {
    let only_not_found = !item.proven();
    for (at, (name, segment)) in route.segments.iter().zip(&item.segments).enumerate() {
        if name == segment {
            continue;
        }
        // A value is not what other routes are known to go through; a number at the root says nothing of words there.
        let through = places.contains(&item.segments[..=at]);
        let root = at <= 1 && only_not_found && name.text() != SLUG;
        // Of two kinds of value that were both refused neither is the other's route.
        let unsure = !route.served && segment.is_placeholder();
        if !name.is_placeholder() || segment.text().is_empty() || through || root || unsure {
            return false;
        }
        // Logging in is asked of good values too: `/users/me` that nobody logged in for is a route of its own.
        let denied = item.denied > 0 && item.denied + item.not_found == item.requests;
        if item.proven()
            && !segment.is_placeholder()
            && (segment.is_fixed() || (denied && item.requests * 10 >= route.requests))
        {
            return false;
        }
    }
    route.served || !item.proven() || route.segments != item.segments
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (method, path, served, 422, 401, 404)
    type Row<'a> = (&'a str, &'a str, u64, u64, u64, u64);

    fn keys(rows: &[Row<'_>]) -> Vec<(RouteKey, [u64; 4])> {
        let mut keys = Vec::new();
        for (method, path, served, invalid, denied, missing) in rows {
            let key = |refused| RouteKey {
                method: (*method).to_owned(),
                path: (*path).to_owned(),
                by: NamedBy::Learned,
                refused,
                probe: false,
                streaming: false,
            };
            if served + invalid + denied > 0 {
                keys.push((key(false), [served + invalid + denied, 0, invalid + denied, *denied]));
            }
            if *missing > 0 {
                keys.push((key(true), [*missing, *missing, 0, 0]));
            }
        }
        keys
    }

    fn counted(keys: &[(RouteKey, [u64; 4])]) -> Vec<Counted<'_>> {
        let one = |(key, [requests, not_found, client_errors, denied]): &'_ (RouteKey, [u64; 4])| {
            (key.refused, *requests, *not_found, *client_errors, *denied)
        };
        keys.iter()
            .map(|k| {
                let (_, requests, not_found, client_errors, denied) = one(k);
                Counted { key: &k.0, requests, not_found, client_errors, denied }
            })
            .collect()
    }

    /// The distinct names, as `METHOD route`, each with the paths it holds.
    fn names(rows: &[Row<'_>], most: usize) -> BTreeMap<String, BTreeSet<String>> {
        let keys = keys(rows);
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (named, (key, _)) in name(&counted(&keys), most).into_iter().zip(&keys) {
            all.entry(format!("{} {}", named.method, named.route)).or_default().insert(key.path.clone());
        }
        all
    }

    fn list(rows: &[Row<'_>]) -> Vec<String> {
        names(rows, 500).into_keys().collect()
    }

    #[test]
    fn literal_siblings_of_a_parameter_stay() {
        let rows = [
            ("GET", "/users/{id}", 90, 0, 0, 4),
            ("GET", "/users/me", 400, 0, 30, 0),
            ("GET", "/users/search", 9, 2, 0, 0),
            ("GET", "/users/abc", 0, 5, 0, 0),
            ("GET", "/users/{uuid}", 0, 3, 0, 0),
            ("GET", "/users/nobody", 0, 0, 0, 2),
        ];
        assert_eq!(vec!["GET /users/me", "GET /users/search", "GET /users/{id}"], list(&rows));
    }

    #[test]
    fn a_refused_word_is_a_route_of_its_own_where_something_says_so() {
        let rows = [
            ("GET", "/users/{id}", 90, 0, 5, 0),
            ("GET", "/users/me", 0, 0, 30, 0),
            ("GET", "/users/team", 0, 0, 30, 0),
            ("GET", "/users/groups", 0, 7, 0, 0),
            ("GET", "/users/groups/{id}", 9, 0, 0, 0),
            ("GET", "/users/typo", 0, 0, 2, 0),
        ];
        let want = ["GET /users/groups", "GET /users/groups/{id}", "GET /users/me", "GET /users/team", "GET /users/{id}"];
        assert_eq!(want.to_vec(), list(&rows));
    }

    #[test]
    fn refused_values_join_across_methods_only_with_their_own() {
        let rows = [
            ("GET", "/a/{id}/b/{uuid}", 50, 0, 0, 0),
            ("GET", "/a/x/b/y", 0, 3, 0, 0),
            ("POST", "/a/x/b/y", 0, 0, 0, 3),
            ("GET", "/a/x/c/y", 0, 0, 0, 3),
        ];
        assert_eq!(vec!["GET (not found)", "GET /a/{id}/b/{uuid}", "POST (not found)"], list(&rows));
    }

    #[test]
    fn scanners_at_the_root_are_not_found_although_a_number_was() {
        let rows = [("GET", "/{id}", 3, 0, 0, 0), ("GET", "/wp-login.php", 0, 0, 0, 9), ("GET", "/.env", 0, 0, 0, 9)];
        assert_eq!(vec!["GET (not found)", "GET /{id}"], list(&rows));
    }

    #[test]
    fn positions_that_keep_taking_new_values_become_slugs() {
        let slugs: Vec<String> = (0..30)
            .map(|i| {
                format!(
                    "/posts/{}-{}",
                    ["how-to", "why", "big-news"][i % 3],
                    "abcdefghijklmnopqrstuvwxyz1234".chars().nth(i).unwrap()
                )
            })
            .collect();
        let comments: Vec<String> = slugs.iter().step_by(2).map(|s| format!("{s}/comments")).collect();
        let mut rows: Vec<Row<'_>> = (3..).zip(&slugs).map(|(n, s)| ("GET", s.as_str(), 60 / n, 0, 0, 0)).collect();
        rows.extend(comments.iter().map(|c| ("POST", c.as_str(), 1, 0, 0, 0)));
        rows.extend([
            ("GET", "/posts", 90, 0, 0, 0),
            ("GET", "/posts/latest", 40, 0, 0, 0),
            ("GET", "/posts/{id}", 4, 0, 0, 0),
            ("GET", "/posts/no-such-post", 0, 0, 0, 3),
            ("DELETE", "/posts/why-b", 1, 0, 0, 0),
            ("DELETE", "/posts/big-news-c", 1, 0, 0, 0),
            ("GET", "/about", 4, 0, 0, 0),
        ]);
        let want = [
            "DELETE /posts/{slug}",
            "GET /about",
            "GET /posts",
            "GET /posts/latest",
            "GET /posts/{slug}",
            "POST /posts/{slug}/comments",
        ];
        assert_eq!(want.to_vec(), list(&rows));
    }

    #[test]
    fn a_few_odd_values_are_enough_where_no_route_is_called_so() {
        let values = ["kids,girls", "q%22t", "%E6%9D%B1", "a@b", "men-shoes", "new(2)"].map(|v| format!("/categories/{v}"));
        let rows: Vec<Row<'_>> = values.iter().map(|v| ("GET", v.as_str(), 3, 0, 0, 0)).collect();
        assert_eq!(vec!["GET /categories/{slug}"], list(&rows));
    }

    #[test]
    fn resources_of_an_interface_are_routes() {
        let resources = [
            "users",
            "orders",
            "items",
            "carts",
            "invoices",
            "products",
            "reviews",
            "payments",
            "refunds",
            "shipments",
            "coupons",
            "taxes",
            "stores",
            "brands",
            "vendors",
            "regions",
            "currencies",
            "languages",
            "tickets",
            "messages",
            "alerts",
            "jobs",
            "files",
            "teams",
        ];
        for prefix in ["", "/api", "/api/v1", "/shop", "/reports"] {
            let lists: Vec<String> = resources.iter().map(|r| format!("{prefix}/{r}")).collect();
            let ones: Vec<String> = resources.iter().map(|r| format!("{prefix}/{r}/{{id}}")).collect();
            let mut rows: Vec<Row<'_>> = (1..).zip(&lists).map(|(n, p)| ("GET", p.as_str(), n, 0, 0, 0)).collect();
            rows.extend((1..).zip(&ones).map(|(n, p)| ("GET", p.as_str(), n, 0, 0, 0)));
            rows.extend(lists.iter().step_by(3).map(|p| ("POST", p.as_str(), 1, 0, 0, 0)));
            assert_eq!(24 + 24 + 8, list(&rows).len(), "{prefix}");
        }
    }

    #[test]
    fn files_of_a_directory_are_one_route_but_exports_are_not() {
        let rows = [
            ("GET", "/static/app.js", 9, 0, 0, 0),
            ("GET", "/static/site.css", 5, 0, 0, 0),
            ("GET", "/static/gone.png", 0, 0, 0, 4),
            ("GET", "/export/orders.csv", 5, 0, 0, 0),
            ("GET", "/export/users.csv", 5, 0, 0, 0),
            ("GET", "/favicon.ico", 5, 0, 0, 0),
        ];
        assert_eq!(
            vec!["GET /export/orders.csv", "GET /export/users.csv", "GET /favicon.ico", "GET /static/{slug}"],
            list(&rows)
        );
    }

    #[test]
    fn what_two_positions_take_is_found_too() {
        let paths: Vec<String> = (0..200).map(|i| format!("/u/user-{i}/repo-{}", i * 7)).collect();
        let rows: Vec<Row<'_>> = paths.iter().map(|p| ("GET", p.as_str(), 1, 0, 0, 0)).collect();
        assert_eq!(vec!["GET /u/{slug}/{slug}"], list(&rows));
    }

    #[test]
    fn thousands_of_keys_are_named_at_once() {
        let paths: Vec<String> = (0..4000).map(|i| format!("/api/r{}/v-{i}/x{}", i % 50, i * 7)).collect();
        let mut rows: Vec<Row<'_>> = paths.iter().map(|p| ("GET", p.as_str(), 1, 0, 0, 0)).collect();
        let junk: Vec<String> = (0..4000).map(|i| format!("/api/r{}/{i}.php/x", i % 50)).collect();
        rows.extend(junk.iter().map(|p| ("GET", p.as_str(), 0, 0, 0, 1)));
        let slugs: Vec<String> = (0..4000).map(|i| format!("/blog/post-{i}")).collect();
        rows.extend(slugs.iter().map(|p| ("GET", p.as_str(), 1, 0, 0, 0)));
        assert!(names(&rows, 500).contains_key("GET /blog/{slug}"));
    }

    #[test]
    fn beyond_the_most_routes_the_rest_is_other() {
        let rows =
            [("GET", "/a", 3, 0, 0, 0), ("GET", "/b", 9, 0, 0, 0), ("GET", "/c", 3, 0, 0, 0), ("POST", "/z", 0, 0, 0, 99)];
        let got = names(&rows, 2);
        assert_eq!(vec!["GET (other)", "GET /a", "GET /b", "POST (not found)"], got.keys().collect::<Vec<_>>());
        assert!(got["GET (other)"].contains("/c"));
    }

    #[test]
    fn a_learned_path_that_the_log_names_elsewhere_is_that_route() {
        let learned = keys(&[("GET", "/about", 3, 0, 0, 0)]).remove(0);
        let log = (RouteKey { by: NamedBy::Log, ..learned.0.clone() }, [5, 0, 0, 0]);
        let both = [learned, log];
        let got = name(&counted(&both), 500);
        assert_eq!((&got[0], NamedBy::Log), (&got[1], got[1].by));
    }

    proptest! {
        #[test]
        fn the_order_of_keys_changes_no_name(
            mut rows in prop::collection::btree_map(
                ("GET|POST", "(/(a|b|users|[a-z]{1,3}-[0-9]|me|\\{id\\}|\\{uuid\\}|x\\.js|)){1,3}"),
                (0_u64..4, 0_u64..2, 0_u64..2, 0_u64..3), 0..60),
            most in 0_usize..20,
        ) {
            rows.retain(|_, (a, b, c, d)| *a + *b + *c + *d > 0);
            let rows: Vec<Row<'_>> = rows.iter().map(|((m, p), (a, b, c, d))| (m.as_str(), p.as_str(), *a, *b, *c, *d)).collect();
            let forward = keys(&rows);
            let mut backward = forward.clone();
            backward.reverse();
            let mut other = name(&counted(&backward), most);
            other.reverse();
            let got = name(&counted(&forward), most);
            prop_assert_eq!(&got, &other);
            let routes: BTreeSet<_> = got.iter().filter(|n| n.by == NamedBy::Learned).map(|n| (&n.method, &n.route)).collect();
            prop_assert!(routes.len() <= most);
        }
    }
}
