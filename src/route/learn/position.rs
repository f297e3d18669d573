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
use super::word::Word;
use crate::route::fold::SLUG;

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

/// Points that the values of a position must weigh together; see [`Word::weight`] and [`Site::needed`].
const NEEDED: f64 = 30.0;

/// Replaces values by `slug`, from the first segment on, so that what follows merged values is seen merged.
pub(super) fn collapse<'a>(items: &mut [Item<'a>], slug: Word<'a>) {
    let deepest = items.iter().map(|i| i.segments.len()).max().unwrap_or(0);
    for depth in 1..deepest {
        for index in values_at(items, depth) {
            items[index].segments[depth] = slug;
        }
    }
}

/// The items whose segment at `depth` is a value.
fn values_at(items: &[Item<'_>], depth: usize) -> Vec<usize> {
    let prefix = |index: &usize| &items[*index].segments[..depth];
    let mut deep: Vec<usize> = (0..items.len()).filter(|index| items[*index].segments.len() > depth).collect();
    deep.sort_by(|a, b| prefix(a).cmp(prefix(b)));
    let mut found = Vec::new();
    for members in deep.chunk_by(|a, b| prefix(a) == prefix(b)) {
        let Some(prefix) = members.first().map(prefix) else { continue };
        let site = Site::new(prefix, members.iter().map(|index| &items[*index]));
        let values = site.values();
        let is_value = |item: &Item<'_>| values.contains(&item.segments[depth]) || site.joins(&values, item);
        found.extend(members.iter().copied().filter(|index| is_value(&items[*index])));
    }
    found
}

/// What a segment leads to: a method and the rest of the path.
type Use<'a> = (Word<'a>, &'a [Word<'a>]);

/// One position: everything that shares a prefix.
struct Site<'a> {
    prefix: &'a [Word<'a>],
    /// Requests by use and segment, of what was ever answered other than 404 and 405.
    uses: BTreeMap<Use<'a>, BTreeMap<Word<'a>, u64>>,
    /// Literal segments by the uses each has.
    lives: BTreeMap<Word<'a>, BTreeSet<Use<'a>>>,
    /// Literal segments of files, found or not.
    files: BTreeSet<Word<'a>>,
    /// Segments that were served.
    served: BTreeSet<Word<'a>>,
}

impl<'a> Site<'a> {
    fn new(prefix: &'a [Word<'a>], items: impl Iterator<Item = &'a Item<'a>>) -> Self {
        let mut site =
            Self { prefix, uses: BTreeMap::new(), lives: BTreeMap::new(), files: BTreeSet::new(), served: BTreeSet::new() };
        for item in items {
            let segment = item.segments[prefix.len()];
            let last = item.segments.len() == prefix.len() + 1;
            if last && segment.is_file() {
                site.files.insert(segment);
            }
            if !item.proven() {
                continue;
            }
            if item.served() {
                site.served.insert(segment);
            }
            let one: Use<'a> = (item.method, &item.segments[prefix.len() + 1..]);
            *site.uses.entry(one).or_default().entry(segment).or_default() += item.requests;
            if segment.is_literal() {
                site.lives.entry(segment).or_default().insert(one);
            }
        }
        site
    }

    /// The segments that are values.
    fn values(&self) -> BTreeSet<Word<'a>> {
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
    fn crowd(&self) -> BTreeSet<Word<'a>> {
        let all: BTreeSet<Word<'a>> = self.lives.keys().copied().filter(|s| !s.is_fixed()).collect();
        let weight: f64 = all.iter().map(Word::weight).sum();
        let needed = if self.prefix.len() == 1 || self.is_space() { 400.0 } else { 150.0 };
        if weight >= needed { all } else { BTreeSet::new() }
    }

    /// The literal segments of one use that may be values: served ones that are no route's usual name, without those that
    /// have more traffic than all that follow.
    fn candidates(&self, segments: &BTreeMap<Word<'a>, u64>) -> Vec<Word<'a>> {
        let literal = segments.iter().filter(|(s, _)| {
            s.is_literal() && !s.is_fixed() && self.served.contains(*s) && !(self.prefix.len() == 1 && s.is_file())
        });
        let mut ranked: Vec<(u64, Word<'a>)> = literal.map(|(s, n)| (*n, *s)).collect();
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
    fn is_parameter(&self, one: &Use<'a>, segments: &BTreeMap<Word<'a>, u64>, candidates: &[Word<'a>]) -> bool {
        let weight: f64 = candidates.iter().map(Word::weight).sum();
        let needed = self.needed(one, segments, candidates);
        weight >= needed && (weight >= 3.0 * needed || !self.have_own_lives(candidates))
    }

    /// How much the candidates of one use must weigh together, three times that where they lead lives of their own.
    fn needed(&self, (_, rest): &Use<'a>, segments: &BTreeMap<Word<'a>, u64>, candidates: &[Word<'a>]) -> f64 {
        let mut needed = NEEDED;
        let name = self.name();
        if self.prefix.len() == 1 || self.is_space() {
            needed *= 3.0;
        } else if name.starts_with('{') {
            // Below a value stand the names of its parts: /users/{id}/orders.
            needed *= 2.0;
        } else if name.len() > 3 && name.ends_with('s') && !name.ends_with("ss") {
            needed *= 0.6;
        }
        if segments.keys().any(|s| s.text() == SLUG) {
            needed *= 0.3;
        } else if segments.keys().any(Word::is_placeholder) && self.prefix.len() > 1 {
            needed *= 0.7;
        }
        // /orders/{id}, /users/{id}: a parameter below is what resources have.
        if rest.first().is_some_and(Word::is_placeholder) {
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
    fn have_own_lives(&self, candidates: &[Word<'a>]) -> bool {
        let lives = || candidates.iter().filter_map(|s| self.lives.get(s));
        let mut sharing: BTreeMap<&Use<'a>, usize> = BTreeMap::new();
        for one in lives().flatten() {
            *sharing.entry(one).or_default() += 1;
        }
        let own = lives().filter(|uses| uses.iter().any(|one| sharing[one] * 4 < candidates.len())).count();
        own * 10 > candidates.len() * 3
    }

    fn is_space(&self) -> bool {
        let name = self.name();
        SPACES.binary_search(&name).is_ok()
            || (name.len() <= 4 && name.starts_with('v') && name[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    }

    /// What the position is called: the segment before it.
    fn name(&self) -> &'a str {
        self.prefix.last().map_or("", |word| word.text())
    }

    /// Files in one directory: two where the directory is called so, else four; never at the root.
    fn file_names(&self) -> BTreeSet<Word<'a>> {
        let directory = self.prefix.iter().any(|s| DIRECTORIES.binary_search(&s.text()).is_ok());
        let served = self.files.iter().filter(|f| self.served.contains(*f)).count();
        let enough = if directory { self.files.len() >= 2 && served >= 1 } else { served >= 4 };
        if self.prefix.len() > 1 && enough { self.files.clone() } else { BTreeSet::new() }
    }

    /// Whether a placeholder of another kind joins the values: a slug that happens to be a number. Only where it has less
    /// traffic than the literal values, or it would be a route of numbers beside one of names.
    fn joins(&self, values: &BTreeSet<Word<'a>>, item: &Item<'a>) -> bool {
        let segment = item.segments[self.prefix.len()];
        if values.is_empty() || !segment.is_placeholder() || segment.text() == SLUG {
            return false;
        }
        self.uses.get(&(item.method, &item.segments[self.prefix.len() + 1..])).is_some_and(|segments| {
            let of_values: u64 = segments.iter().filter(|(s, _)| values.contains(*s) || s.text() == SLUG).map(|(_, n)| n).sum();
            segments.get(&segment).is_some_and(|n| n * 2 <= of_values)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_lists_are_sorted() {
        for list in [&SPACES[..], &DIRECTORIES[..]] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
