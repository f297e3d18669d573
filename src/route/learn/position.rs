//! Which literal segments at one position are values of one parameter.
//!
//! Evidence, not one number: how many values share the same method and the same continuation, how they look (no route is
//! called `new(2)` or `%E6%9D%B1`), what the position is called (`/categories/` holds values, `/api/` holds routes),
//! whether a number stands there too, how many values were seen only once, whether each value has a life of its own below
//! it. Words that routes are called by beside a parameter (`me`, `search`) stay, and so does a value with more traffic than
//! all the others together. A wrong merge mixes two routes, a missed one only shows them apart: in doubt it stays apart.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Item;
use crate::route::fold::SLUG;
use crate::route::segment::REST;
use crate::route::segment::is_placeholder;
use crate::route::segment::is_word;

/// Literal names that stand beside parameters.
const FIXED: [&str; 64] = [
    "about",
    "accept",
    "activate",
    "active",
    "all",
    "archive",
    "available",
    "batch",
    "bulk",
    "callback",
    "cancel",
    "check",
    "complete",
    "confirm",
    "count",
    "create",
    "current",
    "default",
    "delete",
    "download",
    "edit",
    "events",
    "export",
    "featured",
    "feed",
    "filter",
    "history",
    "import",
    "info",
    "latest",
    "list",
    "login",
    "logout",
    "lookup",
    "me",
    "mine",
    "new",
    "popular",
    "preview",
    "query",
    "random",
    "recent",
    "refresh",
    "register",
    "reset",
    "restore",
    "schema",
    "search",
    "self",
    "settings",
    "stats",
    "status",
    "stream",
    "suggest",
    "summary",
    "sync",
    "top",
    "trending",
    "trigger",
    "update",
    "upload",
    "validate",
    "verify",
    "version",
];

/// Segments below which routes stand, not values.
const SPACES: [&str; 32] = [
    "account",
    "actions",
    "admin",
    "analytics",
    "api",
    "app",
    "auth",
    "backend",
    "billing",
    "dashboard",
    "debug",
    "docs",
    "gateway",
    "graphql",
    "hooks",
    "internal",
    "manage",
    "me",
    "metrics",
    "oauth",
    "oauth2",
    "profile",
    "public",
    "reports",
    "rest",
    "rpc",
    "services",
    "settings",
    "stats",
    "tools",
    "webhooks",
    "ws",
];

/// Directories of files.
const DIRECTORIES: [&str; 16] = [
    "_next", "assets", "build", "chunks", "css", "dist", "fonts", "images", "img", "js", "media", "public", "scripts",
    "static", "styles", "uploads",
];

/// Endings of files that a browser loads.
const ENDINGS: [&str; 22] = [
    "avif",
    "css",
    "eot",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "map",
    "mjs",
    "mp3",
    "mp4",
    "otf",
    "png",
    "svg",
    "ttf",
    "wasm",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
];

/// Points that the values of a position must weigh together; see [`weight`] and [`Site::needed`].
const NEEDED: f64 = 30.0;

/// Whether the word names a route rather than a value.
pub(super) fn is_fixed(segment: &str) -> bool {
    FIXED.binary_search(&segment).is_ok()
}

/// Replaces values by [`SLUG`], from the first segment on, so that what follows merged values is seen merged.
pub(super) fn collapse(items: &mut [&mut Item<'_>]) {
    let deepest = items.iter().map(|i| i.segments.len()).max().unwrap_or(0);
    for depth in 1..deepest {
        let mut groups: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
        for (index, item) in items.iter().enumerate().filter(|(_, i)| i.segments.len() > depth) {
            groups.entry(item.segments[..depth].to_vec()).or_default().push(index);
        }
        for (prefix, members) in groups {
            let site = Site::new(&prefix, members.iter().map(|i| &*items[*i]));
            let values = site.values();
            for index in members {
                if values.contains(items[index].segments[depth]) || site.joins(&values, items[index]) {
                    items[index].segments[depth] = SLUG;
                }
            }
        }
    }
}

/// What a segment leads to: a method and the rest of the path.
type Use<'a> = (&'a str, Vec<&'a str>);

/// One position: everything that shares a prefix.
struct Site<'p, 'a> {
    prefix: &'p [&'a str],
    /// Requests by use and segment, of what was ever answered other than 404 and 405.
    uses: BTreeMap<Use<'a>, BTreeMap<&'a str, u64>>,
    /// Literal segments by the uses each has.
    lives: BTreeMap<&'a str, BTreeSet<Use<'a>>>,
    /// Literal segments of files, found or not.
    files: BTreeSet<&'a str>,
    /// Segments that were served.
    served: BTreeSet<&'a str>,
}

impl<'p, 'a> Site<'p, 'a> {
    fn new<'i>(prefix: &'p [&'a str], items: impl Iterator<Item = &'i Item<'a>>) -> Self
    where
        'a: 'i,
    {
        let mut site =
            Self { prefix, uses: BTreeMap::new(), lives: BTreeMap::new(), files: BTreeSet::new(), served: BTreeSet::new() };
        for item in items {
            let segment = item.segments[prefix.len()];
            let last = item.segments.len() == prefix.len() + 1;
            if last && is_file(segment) {
                site.files.insert(segment);
            }
            if !item.proven() {
                continue;
            }
            if item.served() {
                site.served.insert(segment);
            }
            let one: Use<'a> = (item.method, item.segments[prefix.len() + 1..].to_vec());
            *site.uses.entry(one.clone()).or_default().entry(segment).or_default() += item.requests;
            if is_literal(segment) {
                site.lives.entry(segment).or_default().insert(one);
            }
        }
        site
    }

    /// The segments that are values.
    fn values(&self) -> BTreeSet<&'a str> {
        let mut values = self.file_names();
        for (one, segments) in &self.uses {
            let candidates = self.candidates(segments);
            if self.is_parameter(one, segments, &candidates) {
                values.extend(candidates);
            }
        }
        if values.is_empty() {
            return self.crowd();
        }
        // What shares a use with mostly values is one too: a method that was seen with only some of them.
        for segments in self.uses.values() {
            let candidates = self.candidates(segments);
            let inside = candidates.iter().filter(|s| values.contains(*s)).count();
            if inside >= 2 && inside * 2 >= candidates.len() {
                values.extend(candidates);
            }
        }
        values
    }

    /// A position with so many segments that they cannot be routes, though each leads elsewhere (`/{user}/{project}`).
    fn crowd(&self) -> BTreeSet<&'a str> {
        let all: BTreeSet<&'a str> = self.lives.keys().copied().filter(|s| !is_fixed(s)).collect();
        let weight: f64 = all.iter().map(|s| weight(s)).sum();
        let needed = if self.prefix.len() == 1 || self.is_space() { 400.0 } else { 150.0 };
        if weight >= needed { all } else { BTreeSet::new() }
    }

    /// The literal segments of one use that may be values: served ones that are no route's usual name, without those that
    /// have more traffic than all that follow.
    fn candidates(&self, segments: &BTreeMap<&'a str, u64>) -> Vec<&'a str> {
        let literal = segments
            .iter()
            .filter(|(s, _)| is_literal(s) && !is_fixed(s) && self.served.contains(*s) && !is_root_file(self.prefix, s));
        let mut ranked: Vec<(u64, &str)> = literal.map(|(s, n)| (*n, *s)).collect();
        ranked.sort_by(|a, b| b.cmp(a));
        let mut left: u64 = ranked.iter().map(|(n, _)| n).sum();
        let few = ranked.iter().take_while(|(n, _)| {
            left -= n;
            *n > left
        });
        // The last of a row is always more than nothing.
        let alone = few.count();
        let skip = if alone == ranked.len() { 0 } else { alone };
        ranked.into_iter().skip(skip).map(|(_, s)| s).collect()
    }

    /// Whether the candidates of one use weigh enough to be values of one parameter.
    fn is_parameter(&self, one: &Use<'a>, segments: &BTreeMap<&'a str, u64>, candidates: &[&'a str]) -> bool {
        let weight: f64 = candidates.iter().map(|s| weight(s)).sum();
        let needed = self.needed(one, segments, candidates);
        weight >= needed && (weight >= 3.0 * needed || !self.have_own_lives(candidates))
    }

    /// How much the candidates of one use must weigh together, three times that where they lead lives of their own.
    fn needed(&self, (_, rest): &Use<'a>, segments: &BTreeMap<&'a str, u64>, candidates: &[&'a str]) -> f64 {
        let mut needed = NEEDED;
        let name = self.prefix.last().copied().unwrap_or("");
        if self.prefix.len() == 1 || self.is_space() {
            needed *= 3.0;
        } else if name == SLUG || is_placeholder(name) {
            // Below a value stand the names of its parts: /users/{id}/orders.
            needed *= 2.0;
        } else if name.len() > 3 && name.ends_with('s') && !name.ends_with("ss") {
            needed *= 0.6;
        }
        if segments.contains_key(SLUG) {
            needed *= 0.3;
        } else if segments.keys().any(|s| is_placeholder(s)) && self.prefix.len() > 1 {
            needed *= 0.7;
        }
        // /orders/{id}, /users/{id}: a parameter below is what resources have.
        if rest.first().is_some_and(|s| is_placeholder(s)) {
            needed *= 2.0;
        }
        let count = candidates.len();
        let total: u64 = candidates.iter().filter_map(|s| segments.get(s)).sum();
        let once = candidates.iter().filter(|s| segments.get(*s) == Some(&1)).count() as u64;
        // The chance that the next request brings a new value is about once / total (Good and Turing).
        if self.prefix.len() > 1 && count >= 15 && once * 5 >= total {
            needed *= 0.6;
        }
        needed
    }

    /// Whether more than three in ten lead somewhere that less than a quarter of them lead to.
    fn have_own_lives(&self, candidates: &[&'a str]) -> bool {
        let lives = || candidates.iter().filter_map(|s| self.lives.get(s));
        let mut sharing: BTreeMap<&Use<'a>, usize> = BTreeMap::new();
        for one in lives().flatten() {
            *sharing.entry(one).or_default() += 1;
        }
        let own = lives().filter(|uses| uses.iter().any(|one| sharing[one] * 4 < candidates.len())).count();
        own * 10 > candidates.len() * 3
    }

    fn is_space(&self) -> bool {
        self.prefix.last().is_some_and(|name| {
            SPACES.binary_search(name).is_ok()
                || (name.len() <= 4 && name.starts_with('v') && name[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        })
    }

    /// Files in one directory: two where the directory is called so, else four; never at the root.
    fn file_names(&self) -> BTreeSet<&'a str> {
        let directory = self.prefix.iter().any(|s| DIRECTORIES.binary_search(s).is_ok());
        let served = self.files.iter().filter(|f| self.served.contains(*f)).count();
        let enough = if directory { self.files.len() >= 2 && served >= 1 } else { served >= 4 };
        if self.prefix.len() > 1 && enough { self.files.clone() } else { BTreeSet::new() }
    }

    /// Whether a placeholder of another kind joins the values: a slug that happens to be a number. Only where it has less
    /// traffic than the literal values, or it would be a route of numbers beside one of names.
    fn joins(&self, values: &BTreeSet<&'a str>, item: &Item<'a>) -> bool {
        let segment = item.segments[self.prefix.len()];
        if values.is_empty() || !is_placeholder(segment) || segment == SLUG {
            return false;
        }
        let one: Use<'a> = (item.method, item.segments[self.prefix.len() + 1..].to_vec());
        self.uses.get(&one).is_some_and(|segments| {
            let of_values: u64 = segments.iter().filter(|(s, _)| values.contains(*s) || **s == SLUG).map(|(_, n)| n).sum();
            segments.get(segment).is_some_and(|n| n * 2 <= of_values)
        })
    }
}

fn is_literal(segment: &str) -> bool {
    !segment.is_empty() && segment != REST && !is_placeholder(segment)
}

fn is_file(segment: &str) -> bool {
    segment.rsplit_once('.').is_some_and(|(name, ending)| !name.is_empty() && ENDINGS.binary_search(&ending).is_ok())
}

fn is_root_file(prefix: &[&str], segment: &str) -> bool {
    prefix.len() == 1 && is_file(segment)
}

/// How much a segment looks like a value: a plain word 1, words joined by dashes 1.5, three or more 2.5, what no route is
/// called (escapes, brackets, commas, digits among letters) 4.
fn weight(segment: &str) -> f64 {
    if is_word(segment) {
        return 1.0;
    }
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    let strange = segment.bytes().any(|b| b"%(),;:@!$'*+=&~".contains(&b));
    let leading = segment.starts_with(|c: char| c.is_ascii_digit()) && letters > 0;
    if strange || (digits >= 3 && letters > 0) || leading {
        return 4.0;
    }
    match segment.bytes().filter(|b| *b == b'-').count() {
        0 => 1.0,
        1 => 1.5,
        _ => 2.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_lists_are_sorted() {
        for list in [&FIXED[..], &SPACES[..], &DIRECTORIES[..], &ENDINGS[..]] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
