//! Positions with more values than a table may hold, made one.
//!
//! Where one method has more than a limit of literal segments below one prefix, they become `{slug}` together, and what
//! follows them is merged; plain short words are counted for themselves and become `{word}`, so that a flood of odd names
//! does not take `/login` and `/search` with it. Only growing can collapse a position and nothing undoes it, therefore the
//! end is the same for every order of arrival and every cut. Names for a report are `learn.rs`'s matter.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::route::segment::REST;
use crate::route::segment::is_placeholder;
use crate::route::segment::is_word;

/// What stands for the values of a collapsed position.
pub(super) const SLUG: &str = "{slug}";
/// The same where the values are plain short words.
pub(super) const WORD: &str = "{word}";

/// The positions that have collapsed: (method, value kind, prefix in its collapsed form, up to
/// and with its last slash).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    positions: BTreeMap<(usize, &'static str), BTreeSet<String>>,
}

impl Rules {
    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Learns from a key that another table collapsed; true if that was news.
    pub(super) fn learn(&mut self, method: usize, path: &str) -> bool {
        let mut news = false;
        let mut start = 0;
        for segment in path.split('/') {
            let prefix = &path[..start];
            for kind in [SLUG, WORD].into_iter().filter(|kind| *kind == segment) {
                news |= self.positions.entry((method, kind)).or_default().insert(prefix.to_owned());
            }
            start += segment.len() + 1;
        }
        news
    }

    /// `path` in its collapsed form, in `out`; false (and `out` without meaning) if it is that already.
    pub(super) fn apply(&self, method: usize, path: &str, out: &mut String) -> bool {
        out.clear();
        let mut changed = false;
        for segment in path.split('/') {
            let kind =
                kind(segment).filter(|kind| self.positions.get(&(method, *kind)).is_some_and(|p| p.contains(out.as_str())));
            changed |= kind.is_some();
            out.push_str(kind.unwrap_or(segment));
            out.push('/');
        }
        out.pop();
        changed
    }

    /// Collapses what has more than `limit` values and gives each key's path, in the order of `keys` (method, path).
    pub(super) fn collapse(&mut self, keys: &[(usize, &str)], limit: usize) -> Vec<String> {
        let mut done: Vec<String> = vec![String::new(); keys.len()];
        let split: Vec<Vec<&str>> = keys.iter().map(|(_, path)| path.split('/').collect()).collect();
        let deepest = split.iter().map(Vec::len).max().unwrap_or(0);
        for depth in 0..deepest {
            self.look(keys, &split, &done, depth, limit);
            for (((method, _), segments), done) in keys.iter().zip(&split).zip(&mut done) {
                let Some(segment) = segments.get(depth) else { continue };
                let all = kind(segment).and_then(|kind| Some((kind, self.positions.get(&(*method, kind))?)));
                let text = all.filter(|(_, p)| p.contains(done.as_str())).map_or(*segment, |(kind, _)| kind);
                done.push_str(text);
                done.push('/');
            }
        }
        for done in &mut done {
            done.pop();
        }
        done
    }

    /// Adds the positions at `depth` that have too many values; `done` holds each key's prefix with a slash behind it.
    fn look(&mut self, keys: &[(usize, &str)], split: &[Vec<&str>], done: &[String], depth: usize, limit: usize) {
        let mut values: BTreeMap<(usize, &'static str, &str), BTreeSet<&str>> = BTreeMap::new();
        for (((method, _), segments), done) in keys.iter().zip(split).zip(done) {
            let Some(segment) = segments.get(depth) else { continue };
            if let Some(kind) = [SLUG, WORD].into_iter().find(|kind| kind == segment) {
                // What was collapsed under one value before the values became one is so under all of them.
                self.positions.entry((*method, kind)).or_default().insert(done.clone());
            } else if let Some(kind) = kind(segment) {
                values.entry((*method, kind, done.as_str())).or_default().insert(segment);
            }
        }
        for ((method, kind, prefix), _) in values.into_iter().filter(|(_, v)| v.len() > limit) {
            self.positions.entry((method, kind)).or_default().insert(prefix.to_owned());
        }
    }
}

/// What the segment would become; `None` for what is no literal value.
fn kind(segment: &str) -> Option<&'static str> {
    if segment.is_empty() || segment == REST || is_placeholder(segment) {
        return None;
    }
    Some(if is_word(segment) { WORD } else { SLUG })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_position_becomes_one_and_what_follows_is_merged() {
        let keys = [(1, "/u/a-1/posts"), (1, "/u/b-1/posts"), (1, "/u/c-1/likes"), (1, "/u/me"), (1, "/x"), (3, "/u/d-1")];
        let mut rules = Rules::default();
        let got = rules.collapse(&keys, 2);
        assert_eq!(vec!["/u/{slug}/posts", "/u/{slug}/posts", "/u/{slug}/likes", "/u/me", "/x", "/u/d-1"], got);
        let mut out = String::new();
        assert!(rules.apply(1, "/u/z-9/a/b", &mut out));
        assert_eq!("/u/{slug}/a/b", out);
        assert!(!rules.apply(3, "/u/z-9", &mut out));
        let mut other = Rules::default();
        assert!(other.learn(1, "/u/{slug}/posts"));
        assert_eq!(rules, other);
    }

    #[test]
    fn positions_below_a_merged_one_count_together() {
        let keys = [(1, "/a-1/p-1"), (1, "/b-1/p-2"), (1, "/c-1/p-3"), (1, "/c-1/{id}"), (1, "/c-1/")];
        let got = Rules::default().collapse(&keys, 2);
        assert_eq!(vec!["/{slug}/{slug}", "/{slug}/{slug}", "/{slug}/{slug}", "/{slug}/{id}", "/{slug}/"], got);
    }
}
